"""What somebody asks to have looked at now, and the means to wait for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from censusd.deepscan.messages import Outcome
from censusd.deepscan.sites import Lane, Result
from censusd.errors import CancelledError, CensusError

_MOST: Final = 64


@dataclass(eq=False, slots=True)
class Demand:
    """Everything at one path that waits to be looked at.

    Attributes:
        repository: the repository's name.
        path: relative path of a file or directory.
        again: the database's time before which its content must have been read last: only that is read, again; empty
            for what was not read yet.
        lane: how far its way through the queue has come, once the path was looked up.
        file: row of the file, if it is one.
        in_flight: how many of its files are being looked at.
        files: how many are done.
        bytes: how much of them was hashed.
        failed: how many could not be read.
        put_off: how many were not what the catalogue says, and wait again.
        corrupt: how many of those that are done do not hold what was recorded.
        error: why it could not be done.
    """

    repository: str
    path: str
    again: str = ""
    lane: Lane | None = None
    file: int | None = None
    in_flight: int = 0
    files: int = 0
    bytes: int = 0
    failed: int = 0
    put_off: int = 0
    corrupt: int = 0
    error: CensusError | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is done.

        Raises:
            TimeoutError: it is not done yet.
            CensusError: it could not be done.
        """
        if not self._done.wait(timeout):
            raise TimeoutError
        if self.error is not None:
            raise self.error

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._done.is_set()

    def land(self, result: Result, *, failed: bool, corrupt: bool = False) -> None:
        """Count one of its files, which was written."""
        self.in_flight -= 1
        self.corrupt += corrupt
        if failed:
            self.failed += 1
        elif result.finding is not None and result.finding.outcome == Outcome.DONE:
            self.files += 1
            self.bytes += result.file.size if result.finding.hash else 0
        else:
            self.put_off += 1

    def settle(self, error: CensusError | None = None) -> None:
        """Let those who wait know."""
        self.error = error
        self._done.set()


class Demands:
    """Demands in the order in which they came; equal ones are one. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Demand] = []
        self._closed = False

    def add(self, repository: str, path: str, again: str = "") -> Demand:
        """Add a demand. Returns the one to wait for, which may be an equal one that has not begun.

        Raises:
            CancelledError: nothing is accepted any more.
            CensusError: there are too many.
        """
        with self._lock:
            if self._closed:
                raise CancelledError("the deep scan is being stopped")
            for demand in self._open:
                if (demand.repository, demand.path, demand.again, demand.lane) == (repository, path, again, None):
                    return demand
            if len(self._open) >= _MOST:
                raise CensusError(f"{_MOST} deep scans are asked for already: try again later")
            demand = Demand(repository, path, again)
            self._open.append(demand)
            return demand

    def open(self) -> list[Demand]:
        """Those that are not done."""
        with self._lock:
            return list(self._open)

    def settle(self, demand: Demand, error: CensusError | None = None) -> None:
        """One is done, or cannot be."""
        with self._lock:
            if demand in self._open:
                self._open.remove(demand)
        demand.settle(error)

    def close(self) -> None:
        """Accept nothing any more, and let those who wait know."""
        with self._lock:
            self._closed = True
            demands, self._open = self._open, []
        for demand in demands:
            demand.settle(CancelledError("the deep scan is being stopped"))
