"""The control room: everything that can be asked of the daemon or ordered, whatever the protocol.

Each method gives values that are fit for JSON, or raises a ``RefusedError`` that says what is the matter, what was
expected and what to do. Names and paths may be catalogue text, or have a shell's bytes in them (see ``paths``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from censusd.catalogue import content, repositories
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.repositories import RepositoryRecord
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import SiteRules
from censusd.service.copies import CopiesReading
from censusd.service.deep_scans import DeepScans
from censusd.service.orders import Orders
from censusd.service.reading import Reading
from censusd.service.refusals import RefusedError
from censusd.service.status import deep_scan_status, iso, repository_status, site_status
from censusd.service.targets import Targets
from censusd.service.waiting import GivenUp, WaitingRoom
from censusd.sync.standing import Phase
from censusd.sync.worker import Worker

_STATUS_WITHIN: Final = 1.0
_MOST_WAITING: Final = 16

LONGEST_WAIT: Final = 7 * 86400.0
"""Seconds that anybody may wait for an order to be carried out."""

_NOT_READY: Final = frozenset({Phase.STARTING, Phase.WAITING, Phase.TROUBLED})


class Controls:
    """Answers questions and passes orders on. Safe to use from several threads.

    Args:
        workers: the workers there are, by repository.
        catalogue: the database.
        version: of the daemon.
        reload: asks for the configuration to be read again; returns at once.
        overview: what only the application knows, as a dictionary of ``trouble`` (why there are no workers yet, or
            empty), ``fault`` (what is wrong with the configuration, or empty), ``ready`` (whether the workers were
            started), ``totals`` (repository -> ``Totals``), ``next_run`` (repository -> when a pass is due),
            ``queues`` (repository -> ``Strategy`` -> ``Queue``: what the deep scan has before it), ``describe`` (how
            describing pictures stands, fit for JSON) and ``silent`` (repository -> for how many seconds its worker has
            waited for a disk or the database, if that is long). Each of them may be left out.
        scanner: the deep scan; None before it is started.
        sites: how repositories are deep-scanned, by name; those that never are, are not among them.
    """

    def __init__(
        self,
        workers: Callable[[], Mapping[str, Worker]],
        catalogue: Catalogue,
        *,
        version: str,
        reload: Callable[[], None],
        overview: Callable[[], Mapping[str, Any]],
        scanner: Callable[[], Scanner | None] = lambda: None,
        sites: Callable[[], Mapping[str, SiteRules]] = dict,
    ) -> None:
        self._workers = workers
        self._version = version
        self._reload = reload
        self._overview = overview
        self._scanner = scanner
        self._sites = sites
        self._reading = Reading(catalogue, lambda: sorted(workers()))
        waiting = WaitingRoom(_MOST_WAITING)
        self._orders = Orders(workers, self._reading, self._why_no_workers, waiting)
        self._targets = Targets(sites, lambda: sorted(workers()), self._reading, self._why_no_workers)
        self._deep_scans = DeepScans(scanner, sites, self._targets, self._reading, self._why_no_workers, waiting)
        self._copies = CopiesReading(self._reading)
        self._began = datetime.now(UTC)
        self._began_monotonic = time.monotonic()
        self._records: tuple[dict[str, RepositoryRecord], datetime | None] = ({}, None)
        self._at_files: dict[str, int] = {}

    # Questions -------------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """How everything stands; what the database does not tell within a moment is what it told last."""
        why = self._read_records()
        records, as_of = self._records
        overview = self._overview()
        totals, next_run, queues, silent = (
            overview.get(name, {}) for name in ("totals", "next_run", "queues", "silent")
        )
        sites = self._sites()
        return {
            "daemon": {
                "version": self._version,
                "pid": os.getpid(),
                "started_at": iso(self._began),
                "seconds": round(time.monotonic() - self._began_monotonic, 1),
                "not_ready": self.why_not_ready(),
                "fault": overview.get("fault", ""),
            },
            "database": {"available": not why, "why": why, "as_of": iso(as_of)},
            "now": iso(datetime.now(UTC)),
            "deep_scan": deep_scan_status(self._scanner(), sites, queues, self._at_files, why),
            "describe": overview.get("describe"),
            "repositories": [
                repository_status(
                    worker,
                    records.get(name),
                    totals.get(name),
                    next_run.get(name),
                    site_status(sites.get(name), queues.get(name)),
                    silent.get(name),
                )
                for name, worker in sorted(self._workers().items())
            ],
        }

    def why_not_ready(self) -> str:
        """Why not every repository is looked after, or known to be offline or somebody else's; empty if it is."""
        reasons = [self._why_no_workers()]
        for name, worker in sorted(self._workers().items()):
            phase, why = worker.phase, worker.why
            if phase in _NOT_READY:
                reasons.append(f"{name} is {phase}: {why}" if why else f"{name} is {phase}")
        return "; ".join(filter(None, reasons))

    def history(self, name: str | None = None, limit: int = 20) -> dict[str, Any]:
        """The newest ``limit`` settled pieces of work, of one repository or of all."""
        return self._reading.history(name, limit)

    def list_directory(self, name: str, path: str = "", after: str = "", limit: int = 1000) -> dict[str, Any]:
        """What is in a directory: ``limit`` subdirectories and files after the name ``after``, in byte order."""
        return self._reading.list_directory(name, path, after, limit)

    def locate(self, path: str) -> dict[str, Any]:
        """Which repository an absolute path lies in, and where in it."""
        return self._reading.locate(path)

    def show(self, name: str | None, path: str) -> dict[str, Any]:
        """All that is on record of one path; without a name, the repository is found by an absolute path."""
        answer = self._reading.show(name, path)
        for row in answer["rows"]:
            row["deep_scan"] = self._targets.rule(answer["repository"], answer["path"], row["kind"])
        return answer

    def problems(self, name: str | None = None, limit: int = 1000) -> dict[str, Any]:
        """Directories and files that cannot be read, of one repository or of all."""
        return self._reading.problems(name, limit)

    def duplicates(
        self, name: str | None = None, path: str | None = None, after: str | None = None, limit: int = 100
    ) -> dict[str, Any]:
        """Contents that more than one file has, in one repository or in all, those first that take most room."""
        return self._copies.duplicates(name, path, after, limit)

    def conflicts(self, name: str | None = None, path: str | None = None, after: str | None = None) -> dict[str, Any]:
        """Names that differ from others beside them in case or normalisation only, and conflict copies; a page."""
        return self._copies.conflicts(name, path, after)

    # Orders ----------------------------------------------------------------------------------------------------------

    def scan(
        self,
        name: str | None,
        path: str | None = None,
        *,
        verify: bool = False,
        wait: float | None = None,
        given_up: GivenUp = lambda: False,
    ) -> dict[str, Any]:
        """Look at the disk now.

        Args:
            name: the repository; None for all of them.
            path: a file or directory in it; None for all of it.
            verify: trust no digest, and read the content of a file anew.
            wait: seconds to wait until it is done; None not to wait.
            given_up: asked while waiting whether there is any point in it.
        """
        if name is None:
            return {"scans": self._orders.scan_all(verify=verify, wait=wait, given_up=given_up)}
        return {"scans": [self._orders.scan(name, path, verify=verify, wait=wait, given_up=given_up)]}

    def sync(self, name: str, timeout: float, given_up: GivenUp = lambda: False) -> dict[str, Any]:
        """Wait until every change made in a repository before this call is committed, for ``timeout`` seconds."""
        return self._orders.sync(name, timeout, given_up)

    def release(self, name: str, *, wait: float | None = None, given_up: GivenUp = lambda: False) -> dict[str, Any]:
        """Let the deletions through that are held back, or accept the root that is there now."""
        return self._orders.release(name, wait=wait, given_up=given_up)

    def deep_scan(
        self,
        name: str | None,
        path: str | None = None,
        *,
        wait: float | None = None,
        given_up: GivenUp = lambda: False,
    ) -> dict[str, Any]:
        """Look into files now whose content is not known; the arguments are those of ``scan``."""
        return {"scans": self._deep_scans.scan(name, path, wait=wait, given_up=given_up)}

    def rehash(
        self,
        name: str | None,
        path: str | None = None,
        *,
        wait: float | None = None,
        given_up: GivenUp = lambda: False,
    ) -> dict[str, Any]:
        """Read content again that is known, and compare it with that; the arguments are those of ``scan``."""
        return {"rehashes": self._deep_scans.scan(name, path, again=True, wait=wait, given_up=given_up)}

    def accept(self, name: str, path: str | None = None) -> dict[str, Any]:
        """Take what was found in corrupt files, at one path or everywhere, for what should be in them."""
        return self._deep_scans.accept(name, path)

    def retry(self, name: str | None, path: str | None = None) -> dict[str, Any]:
        """Have the deep scan try files again that it could not read, of one repository or of all."""
        return {"retries": self._deep_scans.retry(name, path)}

    def reload(self) -> dict[str, Any]:
        """Read the configuration again; ``status`` tells what came of it."""
        self._reload()
        return {"reload": "accepted"}

    def _why_no_workers(self) -> str:
        overview = self._overview()
        if overview.get("ready", True):
            return ""
        return overview.get("trouble") or "the daemon is starting"

    def _read_records(self) -> str:
        """Read every repository's row. Returns why not, or an empty text."""

        def ask(cursor: Cursor) -> tuple[dict[str, RepositoryRecord], dict[str, int]]:
            return repositories.all_records(cursor), content.workers(cursor)

        try:
            records, self._at_files = self._reading.read(ask, _STATUS_WITHIN)
            self._records = records, datetime.now(UTC)
        except RefusedError as error:
            return str(error)
        return ""
