"""Files that were looked at, and what was found in them until it is written. Used by the scanner's thread only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from censusd.deepscan import reporting
from censusd.deepscan.demands import Demand
from censusd.deepscan.flights import Flight
from censusd.deepscan.messages import Finding
from censusd.deepscan.sites import Result, Site, Stretch
from censusd.deepscan.writer import Writer
from censusd.model import OperationType, Trigger

_WRITE_AFTER: Final = 1.0
_SCOPES: Final = {
    (OperationType.DEEP_SCAN, Trigger.REALTIME): "what has just changed",
    (OperationType.DEEP_SCAN, Trigger.IDLE): "what was waiting",
    (OperationType.REHASH, Trigger.IDLE): "what was not read for longest",
}
"""What is said of a stretch's scope in the journal."""


@dataclass(slots=True)
class Landed:
    """What is to be written of one repository, one kind of look and one trigger."""

    site: Site
    kind: OperationType
    trigger: Trigger
    since: float
    results: list[tuple[Result, Demand | None]] = field(default_factory=list)


class Landing:
    """Collects what was found, and writes it in batches.

    Args:
        writer: writes them.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._landed: dict[tuple[str, OperationType, Trigger], Landed] = {}

    def __iter__(self) -> Iterator[Landed]:
        """Everything that there is something to write of."""
        return (landed for landed in self._landed.values() if landed.results)

    def add(self, flight: Flight, finding: Finding | None, why: str) -> None:
        """A file was looked at.

        Args:
            flight: the file.
            finding: what its worker process said; None if that said nothing of use.
            why: what happened then.
        """
        key = flight.site.rules.name, flight.kind, flight.trigger
        landed = self._landed.setdefault(key, Landed(flight.site, flight.kind, flight.trigger, time.monotonic()))
        landed.results.append((Result(flight.file, finding, why), flight.demand))

    def write(self, batch: int, *, is_last: Callable[[Trigger], bool]) -> None:
        """Write what is complete enough to be a batch, has waited long enough, or is all there is.

        Args:
            batch: how many files are written in a transaction.
            is_last: whether nothing more is to be waited for that is looked at for this reason.

        Raises:
            CatalogueUnavailableError: the database is away; nothing is lost.
        """
        now = time.monotonic()
        for key, landed in list(self._landed.items()):
            while landed.results and (
                len(landed.results) >= batch or now > landed.since + _WRITE_AFTER or is_last(landed.trigger)
            ):
                self._write(landed, batch)
            if not landed.results:
                del self._landed[key]

    def _write(self, landed: Landed, most: int) -> None:
        site, batch = landed.site, landed.results[:most]
        if site.record is None:
            del landed.results[: len(batch)]
            return
        stretch = stretch_of(site, landed.kind, landed.trigger)
        written = self._writer.write(site.record.id, stretch, [result for result, _ in batch])
        del landed.results[: len(batch)]
        landed.since = time.monotonic()
        for result, demand in batch:
            if demand is not None:
                number = result.file.id
                demand.land(result, failed=number in written.failed, corrupt=number in written.differing)
        stretch.counts.files_scanned += written.files
        stretch.counts.bytes_hashed += written.bytes
        stretch.counts.problems += len(written.failed)
        stretch.counts.corrupt += len(written.corrupt)
        reporting.written(site.rules.name, stretch.type, written, [result.file for result, _ in batch])


def stretch_of(site: Site, kind: OperationType, trigger: Trigger) -> Stretch:
    """The time of work that is under way, or begins."""
    scope = _SCOPES.get((kind, trigger), "/")
    return site.stretches.setdefault((kind, trigger), Stretch(kind, trigger, scope))
