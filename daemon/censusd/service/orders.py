"""What the workers are ordered to do, and waiting for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from censusd.filesystem.names import bytes_of, text_of
from censusd.model import ROOT, RepositoryState, Scope, SyncOperation, Trigger, split
from censusd.service.errands import Errands
from censusd.service.paths import relative_path
from censusd.service.reading import Reading
from censusd.service.refusals import (
    ConflictError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnavailableError,
    not_ours,
    refusing,
)
from censusd.service.waiting import GivenUp, WaitingRoom, wait_for
from censusd.sync.reconciler import Options
from censusd.sync.requests import Kind, Request
from censusd.sync.standing import Phase
from censusd.sync.worker import Worker

_MOST_SYNCS: Final = 16
_DISK_ANSWERS_WITHIN: Final = 5.0


class Orders:
    """Passes orders on to the workers.

    Args:
        workers: the workers there are, by repository.
        reading: the catalogue.
        not_ready: why there are no workers yet, or empty.
        waiting: where requests wait.
    """

    def __init__(
        self,
        workers: Callable[[], Mapping[str, Worker]],
        reading: Reading,
        not_ready: Callable[[], str],
        waiting: WaitingRoom,
    ) -> None:
        self._workers = workers
        self._reading = reading
        self._not_ready = not_ready
        self._disk = Errands("a disk", 4)
        self._syncs = Errands("changes to be committed", _MOST_SYNCS)
        self._waiting = waiting

    def scan(
        self, name: str, path: str | None, *, verify: bool, wait: float | None, given_up: GivenUp
    ) -> dict[str, Any]:
        """Look at a repository, or at one path in it, now.

        Args:
            name: the repository.
            path: a file or directory in it; None for all of it.
            verify: trust no digest, and read the content of a file anew.
            wait: seconds to wait until it is done; None not to wait.
            given_up: asked while waiting.
        """
        worker = self._worker(name)
        scope = self._scope(worker, path, verify=verify)
        request = self._submit(worker, Request(Kind.RECONCILE, Trigger.MANUAL, scope, Options(verify=verify)))
        return self._outcome(worker, request, wait, given_up)

    def scan_all(self, *, verify: bool, wait: float | None, given_up: GivenUp) -> list[dict[str, Any]]:
        """Look at every repository now; what is refused for one of them takes the place of its outcome."""
        not_ready = self._not_ready()
        if not_ready:
            raise UnavailableError(not_ready)
        deadline = time.monotonic() + (wait or 0.0)
        # All are asked before any is waited for.
        asked = {name: self._ask(name, verify=verify) for name in sorted(self._workers())}
        outcomes = []
        for name, answer in asked.items():
            try:
                if isinstance(answer, RefusedError):
                    raise answer
                left = None if wait is None else max(0.0, deadline - time.monotonic())
                outcomes.append(self._outcome(*answer, left, given_up))
            except RefusedError as error:
                outcomes.append({"repository": name, "code": error.code} | error.as_dict())
        return outcomes

    def sync(self, name: str, timeout: float, given_up: GivenUp) -> dict[str, Any]:
        """Wait until every change made in a repository before this call is committed."""
        worker = self._worker(name)
        began = time.monotonic()
        with refusing():
            try:
                # In a thread of its own, though it can be given up: to begin with, it asks for something that a thread
                # which a disk does not answer may keep for as long as that lasts.
                self._syncs.run(lambda: worker.sync(timeout, given_up), timeout, given_up)
            except TimeoutError as error:
                raise TimedOutError(
                    f"{name} is not in step in time: it is {worker.phase}",
                    hint="its work goes on; allow more time",
                ) from error
        return {"repository": name, "seconds": round(time.monotonic() - began, 3)}

    def release(self, name: str, *, wait: float | None, given_up: GivenUp) -> dict[str, Any]:
        """Accept a repository as it is now on disk: the deletions that are held back, or another root.

        Args:
            name: the repository.
            wait: seconds to wait until it is done; None not to wait.
            given_up: asked while waiting.
        """
        worker = self._worker(name, offline_too=True)
        record = self._reading.records().get(name)
        held = record is not None and record.state in {RepositoryState.HELD, RepositoryState.OFFLINE}
        if worker.phase is not Phase.OFFLINE and not held:
            raise ConflictError(f"there is nothing to release: {name} is neither held nor offline")
        why = worker.why if worker.phase is Phase.OFFLINE or record is None else record.state_reason
        request = self._submit(worker, Request(Kind.RECONCILE, Trigger.MANUAL, options=Options(released=True)))
        return self._outcome(worker, request, wait, given_up) | {"released": why}

    def _ask(self, name: str, *, verify: bool) -> tuple[Worker, Request] | RefusedError:
        try:
            worker = self._worker(name)
            request = Request(Kind.RECONCILE, Trigger.MANUAL, options=Options(verify=verify))
            return worker, self._submit(worker, request)
        except RefusedError as error:
            return error

    def _worker(self, name: str, *, offline_too: bool = False) -> Worker:
        """The repository's worker, if it can be given orders."""
        workers = self._workers()
        worker = workers.get(name)
        if worker is None:
            not_ready = self._not_ready()
            if not_ready:
                raise UnavailableError(not_ready)
            records = self._reading.records()
            if name in records:
                raise not_ours(name)
            raise self._reading.unknown(name, records)
        _check_owned(worker)
        if worker.phase is Phase.OFFLINE and not offline_too:
            raise UnavailableError(
                f"{name} is offline: {worker.why}",
                hint=f"it goes on by itself when its root is back; censusctl release {name} accepts it as it is",
            )
        return worker

    def _scope(self, worker: Worker, path: str | None, *, verify: bool) -> Scope:
        root = text_of(bytes(worker.terms.rules.root))
        relative = relative_path(path or ROOT, root)
        if relative == ROOT:
            return Scope.whole()
        records = self._reading.records()
        record = records.get(worker.name)
        found = self._reading.find(record, relative) if record else None
        if found and found.kind == "directory":
            return Scope.subtree(relative)
        if found is None:
            self._look_for(f"{root.rstrip('/')}/{relative}")
        # Its parent tells what is there: a file, or a directory that nobody has seen, which is then walked.
        parent, name = split(relative)
        return Scope(names={parent: {name: verify}})

    def _look_for(self, path: str) -> None:
        """Refuse a path that is neither on record nor on disk; whatever else is the matter, the scan tells."""
        try:
            self._disk.run(lambda: os.lstat(bytes_of(path)), _DISK_ANSWERS_WITHIN)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError(f"there is nothing at {path}, neither on disk nor on record") from None
        except TimeoutError:
            raise UnavailableError(f"the disk did not answer within {_DISK_ANSWERS_WITHIN:g} s") from None
        except OSError:
            return

    @staticmethod
    def _submit(worker: Worker, request: Request) -> Request:
        with refusing():
            return worker.submit(request)

    def _outcome(self, worker: Worker, request: Request, wait: float | None, given_up: GivenUp) -> dict[str, Any]:
        outcome: dict[str, Any] = {"repository": worker.name, "scope": request.scope.describe()}
        if wait is None:
            return outcome | {"status": "accepted"}

        def late() -> TimedOutError:
            return TimedOutError(
                f"{worker.name} is not done in time: it is {worker.phase}",
                hint="the work goes on; censusctl status shows how far it is",
            )

        with self._waiting.place(), refusing():
            operation = wait_for(request, wait, given_up, late=late, check=lambda: _check_owned(worker))
        return outcome | (_settled(operation) if operation else {"status": "completed"})


def _check_owned(worker: Worker) -> None:
    if worker.phase is Phase.STANDBY:
        raise ConflictError(
            f"this daemon does not own {worker.name}: {worker.why}", hint="give the order to the daemon that does"
        )
    if worker.phase is Phase.STOPPED:
        raise UnavailableError(f"{worker.name} is being stopped")


def _settled(operation: SyncOperation) -> dict[str, Any]:
    return {
        "status": operation.status,
        "operation": operation.id,
        "work": operation.type,
        "trigger": operation.trigger,
        "scope": operation.scope,
        "seconds": round(operation.duration, 3),
        "error": operation.error,
        **asdict(operation.counts),
    }
