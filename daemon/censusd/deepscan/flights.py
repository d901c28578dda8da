"""Files on their way: claimed, and not yet written about. Used by the scanner's thread only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from censusd.catalogue.deep_queue import ClaimedFile
from censusd.deepscan.demands import Demand
from censusd.deepscan.messages import Job
from censusd.deepscan.processes import Processes
from censusd.deepscan.sites import Site
from censusd.model import OperationType, Trigger


@dataclass(slots=True)
class Flight:
    """A file that a worker process is at, or will be.

    Attributes:
        site: its repository.
        file: the file.
        trigger: why it is looked at.
        demand: who asked, if anybody did.
        pool: where it is looked at.
        suspicion: what was found in it instead of what was recorded, if this is the second look at it.
    """

    site: Site
    file: ClaimedFile
    trigger: Trigger
    demand: Demand | None
    pool: Processes
    suspicion: str = ""

    @property
    def kind(self) -> OperationType:
        """Whether it is looked at for the first time or again."""
        return OperationType.REHASH if self.file.recorded is not None else OperationType.DEEP_SCAN


class Flights:
    """Those that worker processes are at, and those that wait to be looked at once more."""

    def __init__(self) -> None:
        self._by_number: dict[int, Flight] = {}
        self._suspects: list[tuple[float, Flight]] = []
        self._number = 0

    def __len__(self) -> int:
        """How many worker processes are at, or will be."""
        return len(self._by_number)

    def __iter__(self) -> Iterator[Flight]:
        """All of them, suspects included."""
        yield from self._by_number.values()
        for _, flight in self._suspects:
            yield flight

    def take_off(self, flight: Flight, *, hashing: bool) -> Job:
        """What a worker process is asked about a file.

        Args:
            flight: the file.
            hashing: whether the content hashes of files are made that are looked at for the first time.
        """
        self._number += 1
        self._by_number[self._number] = flight
        file = flight.file
        recorded = file.recorded.hex() if file.recorded is not None else ""
        return Job(
            self._number,
            flight.site.rules.root,
            file.directory,
            file.name,
            (file.size, file.mtime_ns, file.ctime_ns, file.inode),
            hashing=bool(recorded) or (hashing and not file.keeps_hash),
            recorded=recorded,
        )

    def of(self, job: Job) -> Flight | None:
        """The file that a job is about, if anybody still wants to know."""
        return self._by_number.get(job.number)

    def end(self, job: Job) -> Flight | None:
        """The same; nobody is at it any more."""
        return self._by_number.pop(job.number, None)

    def strays(self, numbers: set[int]) -> list[Flight]:
        """Those that no worker process is at, nor ever will be, lost by a fault of ours; they are none any more.

        Args:
            numbers: of the jobs that worker processes have.
        """
        return [self._by_number.pop(number) for number in self._by_number.keys() - numbers]

    def suspect(self, flight: Flight, found: str) -> None:
        """A file was not as recorded: it is to be looked at once more when what has happened to it is on record.

        Whoever has written to it a moment ago may not be on record yet, and memory errs as well.
        """
        flight.suspicion = found
        self._suspects.append((time.monotonic() + flight.site.rules.settles, flight))

    def due(self) -> list[Flight]:
        """The suspects whose time has come; they are none any more."""
        now = time.monotonic()
        due = [flight for at, flight in self._suspects if now >= at]
        self._suspects = [(at, flight) for at, flight in self._suspects if now < at]
        return due

    def clear_suspects(self) -> list[Flight]:
        """All suspects; they are none any more."""
        suspects, self._suspects = self._suspects, []
        return [flight for _, flight in suspects]
