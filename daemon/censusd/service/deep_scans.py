"""Orders for the deep scan: look at this now, try that again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from censusd.catalogue import deep_queue, descriptions, rehash, repositories, upgrades
from censusd.catalogue.connection import Cursor
from censusd.catalogue.content import Queue
from censusd.deepscan.demands import Demand
from censusd.deepscan.idle import Condition
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import SiteRules
from censusd.model import UNASKED
from censusd.service.reading import Reading
from censusd.service.refusals import ConflictError, RefusedError, TimedOutError, UnavailableError, refusing
from censusd.service.targets import Target, Targets
from censusd.service.waiting import GivenUp, WaitingRoom, wait_for

_COUNTED_WITHIN: Final = 25.0
_LOOK_AGAIN: Final = 0.25
_REST_PER_LOOK: Final = 5.0
_COUNTS: Final = ("files", "bytes", "failed", "put_off", "corrupt")


class Order(NamedTuple):
    """What was asked for: everything that waited at a target then, and the demand for it, if anything did.

    ``again`` is empty for what was not read yet, else the time before which what is to be read again was read last.
    """

    target: Target
    again: str
    queue: Queue
    demand: Demand | None


class DeepScans:
    """Passes orders on to the deep scan.

    Args:
        scanner: the one there is; None before it is started.
        sites: how repositories are deep-scanned, by name; those that never are, are not among them.
        targets: finds what orders are about.
        reading: the catalogue.
        not_ready: why there is no scanner yet, or empty.
        waiting: where requests wait.
    """

    def __init__(
        self,
        scanner: Callable[[], Scanner | None],
        sites: Callable[[], Mapping[str, SiteRules]],
        targets: Targets,
        reading: Reading,
        not_ready: Callable[[], str],
        waiting: WaitingRoom,
    ) -> None:
        self._scanner = scanner
        self._sites = sites
        self._targets = targets
        self._reading = reading
        self._not_ready = not_ready
        self._waiting = waiting

    def scan(
        self, name: str | None, path: str | None, *, again: bool = False, wait: float | None, given_up: GivenUp
    ) -> list[dict[str, Any]]:
        """Look at everything at a path now whose content is not known.

        Args:
            name: the repository; None for all that are deep-scanned: what is refused for one is its outcome then.
            path: a file or directory in it; None for all of it.
            again: look at everything whose content is known instead, to see whether it is still the same.
            wait: seconds to wait until it is done; None not to wait.
            given_up: asked while waiting.
        """
        if name is not None:
            return [self._finish(self._begin(self._targets.at(name, path), again=again), wait, given_up)]
        deadline = time.monotonic() + (wait or 0.0)
        outcomes = []
        # All are asked before any is waited for.
        for one, order in [(one, self._try(one, again=again)) for one in sorted(self._sites())]:
            try:
                if isinstance(order, RefusedError):
                    raise order
                left = None if wait is None else max(0.0, deadline - time.monotonic())
                outcomes.append(self._finish(order, left, given_up))
            except RefusedError as error:
                outcomes.append({"repository": one, "code": error.code} | error.as_dict())
        return outcomes

    def retry(self, name: str | None, path: str | None) -> list[dict[str, Any]]:
        """Forget that files could not be read, or pictures not be described, so that they are tried again.

        Args:
            name: the repository; None for all of them.
            path: a file or directory in it; None for all of it.
        """
        names = sorted(self._sites()) if name is None else [name]
        targets = [self._targets.at(one, path) for one in names]
        outcomes = []
        for target in targets:
            with refusing():
                outcomes.append(self._forgive(target))
        if (scanner := self._scanner()) is not None:
            scanner.look_again()
        return outcomes

    def accept(self, name: str, path: str | None) -> dict[str, Any]:
        """Take what was found in corrupt files for what should be in them.

        Args:
            name: the repository.
            path: a file or directory in it; None for all of it.
        """
        target = self._targets.at(name, path)

        def ask(cursor: Cursor) -> int:
            change = repositories.begin_unfenced_write(cursor, target.record.id)
            if change is None:
                return 0
            ids = rehash.accept(cursor, target.record.id, change, target.place)
            # What is known of them besides may be of what was there before.
            upgrades.requeue(cursor, target.record.id, change, ids, keeps_hash=True)
            if ids:
                repositories.notify(cursor, target.record.id, change)
            return len(ids)

        with refusing():
            accepted = self._reading.read(ask, _COUNTED_WITHIN)
        if not accepted:
            raise ConflictError(f"{name} has nothing that is corrupt at {target.scope}", hint="censusctl problems")
        return {"repository": name, "scope": target.scope, "accepted": accepted}

    def _try(self, name: str, *, again: bool) -> Order | RefusedError:
        try:
            return self._begin(self._targets.at(name, None), again=again)
        except RefusedError as error:
            return error

    def _begin(self, target: Target, *, again: bool) -> Order:
        time_of = repositories.database_time
        before = self._reading.read(lambda cursor: time_of(cursor).isoformat()) if again else ""
        queue = self._count(target, before)
        return Order(target, before, queue, self._demand(target, before) if queue.waiting else None)

    def _finish(self, order: Order, wait: float | None, given_up: GivenUp) -> dict[str, Any]:
        target, queue = order.target, order.queue
        outcome = {
            "repository": target.record.name,
            "scope": target.scope,
            "asked": queue.waiting,
            "asked_bytes": queue.waiting_bytes,
            "taken": queue.taken,
            "later": queue.later,
            "given_up": queue.given_up,
        }
        if wait is None:
            return outcome | {"status": "accepted"}
        began = time.monotonic()
        with self._waiting.place():
            counts = self._see_through(order, began + wait, given_up)
        return outcome | {"status": "completed", "seconds": round(time.monotonic() - began, 3), **counts}

    def _see_through(self, order: Order, deadline: float, given_up: GivenUp) -> dict[str, int]:
        """Wait until nothing is left at a place that can be done now, whoever does it. Says what we did of it."""
        target, again, queue, demand = order
        counts, before = dict.fromkeys(_COUNTS, 0), dict.fromkeys(_COUNTS, 0)
        took = 0.0
        while queue.waiting or queue.taken:
            if demand is not None:
                self._wait_for(demand, target, deadline - time.monotonic(), given_up)
                before, counts = counts, {name: number + getattr(demand, name) for name, number in counts.items()}
            if demand is None or counts == before:
                # Another worker is at the rest, here or elsewhere: only the catalogue tells when it is done.
                self._wait_for(_Pause(took), target, deadline - time.monotonic(), given_up)
            began = time.monotonic()
            queue = self._count(target, again)
            took = time.monotonic() - began
            demand = self._demand(target, again) if queue.waiting else None
        return counts

    def _wait_for(self, awaited: Demand | _Pause, target: Target, timeout: float, given_up: GivenUp) -> None:
        def late() -> TimedOutError:
            scope = f":{target.path}" if target.path else ""
            return TimedOutError(
                f"{target.record.name}{scope} is not done in time",
                hint="the work goes on; censusctl status shows how far it is",
            )

        with refusing():
            wait_for(awaited, timeout, given_up, late=late)

    def _demand(self, target: Target, again: str) -> Demand:
        scanner = self._scanner()
        if scanner is None:
            raise UnavailableError(self._not_ready() or "the deep scan has not begun yet")
        with refusing():
            return scanner.demand(target.record.name, target.path, again)

    def _forgive(self, target: Target) -> dict[str, Any]:
        def ask(cursor: Cursor) -> tuple[Queue, int, int]:
            place = target.record.id, target.path
            return target.queue(cursor), deep_queue.retry(cursor, *place), descriptions.retry(cursor, *place)

        queue, number, pictures = self._reading.read(ask, _COUNTED_WITHIN)
        return {
            "repository": target.record.name,
            "scope": target.scope,
            "files": number,
            "pictures": pictures,
            "given_up": queue.given_up,
            "automatic": target.has(UNASKED) and self._scans_by_itself(),
        }

    def _scans_by_itself(self) -> bool:
        scanner = self._scanner()
        return scanner is not None and scanner.condition is not Condition.OFF

    def _count(self, target: Target, again: str) -> Queue:
        def ask(cursor: Cursor) -> Queue:
            if not again:
                return target.queue(cursor)
            left = rehash.unread(cursor, target.record.id, replace(target.place, before=again))
            return Queue(left.waiting, left.bytes, left.taken, left.later)

        return self._reading.read(ask, _COUNTED_WITHIN)


class _Pause:
    """A moment to wait, after a look that took some seconds."""

    is_done = False

    def __init__(self, took: float) -> None:
        self._over = time.monotonic() + max(_LOOK_AGAIN, _REST_PER_LOOK * took)

    def wait(self, timeout: float | None = None, /) -> None:
        left = self._over - time.monotonic()
        time.sleep(max(0.0, left if timeout is None else min(left, timeout)))
        if time.monotonic() < self._over:
            raise TimeoutError
