"""Files on their way: claimed, looked at by a worker process, and written. Used by the scanner's thread only."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from censusd.catalogue import deep_queue, rehash
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.deep_queue import Claim, ClaimedFile, Selection
from censusd.catalogue.metadata import EntityCache
from censusd.catalogue.rehash import Budget, Place
from censusd.deepscan import reporting
from censusd.deepscan.demands import Demand
from censusd.deepscan.findings import reason_of
from censusd.deepscan.messages import Finding, Job, Outcome, Settings
from censusd.deepscan.processes import Processes, wait
from censusd.deepscan.sites import Lane, Result, Site, Stretch
from censusd.deepscan.writer import Writer
from censusd.model import OperationType, Strategy, Trigger

_LOG: Final = structlog.get_logger("censusd.deepscan")

_LEASE: Final = 120.0
_WRITE_AFTER: Final = 1.0
_FIRST_REST: Final = 5.0
_LAST_REST: Final = 60.0
"""Seconds that a disk is left alone that did not answer: twice as long each time, until it does."""


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


@dataclass(slots=True)
class _Landed:
    """What is to be written of one repository, one kind of look and one trigger."""

    site: Site
    kind: OperationType
    trigger: Trigger
    since: float
    results: list[tuple[Result, Demand | None]]


class Work:
    """Claims files, hands them to worker processes, and writes what they say.

    Args:
        catalogue: the database.
        worker: this process's name to others.
        settings: of worker processes for what somebody waits for, and of those for the backlog.
        count: how many files are looked at at a time.
        batch: how many files are written in a transaction.
        hashing: whether content hashes are made.

    Attributes:
        urgent: worker processes for what somebody waits for.
        idle: those for the backlog.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        worker: str,
        settings: tuple[Settings, Settings],
        *,
        count: int,
        batch: int,
        hashing: bool,
    ) -> None:
        self.cache = EntityCache()
        self.urgent = Processes(count, settings[0])
        self.idle = Processes(count, settings[1])
        self.batch = batch
        self.hashing = hashing
        self._catalogue = catalogue
        self._worker = worker
        self._writer = Writer(catalogue, worker, self.cache)
        self._flights: dict[int, Flight] = {}
        self._landed: dict[tuple[str, OperationType, Trigger], _Landed] = {}
        self._suspects: list[tuple[float, Flight]] = []
        self._number = 0

    @property
    def fault(self) -> str:
        """Why worker processes are of no use; empty if they are of some."""
        return next((pool.fault for pool in (self.urgent, self.idle) if pool.fault and not pool.is_of_use), "")

    @property
    def pids(self) -> list[int]:
        """The worker processes' ids."""
        return self.urgent.pids + self.idle.pids

    def warm_up(self) -> None:
        """See whether worker processes start; for ``fault``, and for ``urgent.greeting``."""
        self.urgent.warm_up()
        if self.idle.fault:
            self.idle.warm_up()

    def __len__(self) -> int:
        return len(self._flights)

    def change(self, settings: tuple[Settings, Settings], count: int, batch: int, *, hashing: bool) -> None:
        """Work otherwise from now on; worker processes that run already are as they are until they end."""
        for pool, theirs in zip((self.urgent, self.idle), settings, strict=True):
            pool.settings, pool.count = theirs, count
        self.batch, self.hashing = batch, hashing

    def close(self) -> None:
        """End every worker process. May be called twice."""
        self.urgent.close()
        self.idle.close()

    def claim(self, site: Site, wanted: Selection, trigger: Trigger, most: int, demand: Demand | None = None) -> Claim:
        """Take files of a repository and have them looked at.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        if site.record is None:
            return Claim([], 0, more=False)
        identity = site.record.id
        with self._catalogue.transaction() as cursor:
            claim = deep_queue.claim(cursor, identity, self._worker, wanted, most=most, lease=_LEASE)
        self._take(site, claim.files, trigger, demand)
        return claim

    def rehash(
        self,
        site: Site,
        lane: Lane,
        place: Place,
        trigger: Trigger,
        demand: Demand | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Take the next files whose content is to be read again.

        Args:
            site: the repository.
            lane: how far its way from the longest unread file on has come.
            place: which files.
            trigger: why.
            demand: who asked, if anybody did.
            budget: how much they may have together; None for any number of bytes.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        if site.record is None:
            return
        with self._catalogue.transaction() as cursor:
            files, position = rehash.claim(
                cursor,
                site.record.id,
                self._worker,
                place,
                since=lane.since,
                most=self.batch,
                budget=budget or Budget(),
                lease=_LEASE,
            )
        self._take(site, files, trigger, demand)
        if position is None:
            lane.close(site.record.change_number, 0.0)
        else:
            lane.since = position

    def advance(
        self, site: Site, lane: Lane, strategies: frozenset[Strategy], trigger: Trigger, demand: Demand | None = None
    ) -> None:
        """Take the next files on a way through a repository's queue, where one of these strategies holds.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        wanted = Selection(
            after=lane.after,
            until=lane.until,
            below=lane.below,
            file=lane.file,
            places=site.rules.places,
            strategies=strategies,
        )
        began = time.monotonic()
        claim = self.claim(site, wanted, trigger, self.batch, demand)
        lane.until = claim.until
        if not claim.more:
            lane.close(site.record.change_number if site.record else 0, time.monotonic() - began)

    def is_at(self, site: Site, *triggers: Trigger, kind: OperationType = OperationType.DEEP_SCAN) -> bool:
        """Whether files of a repository are on their way for one of some reasons."""
        under_way: tuple[Flight | _Landed, ...] = (
            *self._flights.values(),
            *(one for _, one in self._suspects),
            *(one for one in self._landed.values() if one.results),
        )
        return any(one.site is site and one.kind is kind and one.trigger in triggers for one in under_way)

    def gather(self, seconds: float, wake_fd: int) -> None:
        """Take what the worker processes have to say, and wait for it so long at the most."""
        found, casualties = wait((self.urgent, self.idle), seconds, wake_fd)
        for job, finding in found:
            self._land(job, finding)
        for casualty in casualties:
            flight = self._flights.get(casualty.job.number)
            if flight is not None:
                reporting.worker_lost(flight.site.rules.name, flight.file, casualty.why)
            self._land(casualty.job, None, casualty.why)
        self._look_again()

    def write(self, *, everything: bool = False) -> None:
        """Write what is complete enough to be a batch, has waited long enough, or is all there is.

        Raises:
            CatalogueUnavailableError: the database is away; nothing is lost.
        """
        now = time.monotonic()
        for key, landed in list(self._landed.items()):
            pool = self.idle if landed.trigger is Trigger.IDLE else self.urgent
            while landed.results and (
                everything or len(landed.results) >= self.batch or now > landed.since + _WRITE_AFTER or not pool.pending
            ):
                self._write(landed)
            if not landed.results:
                del self._landed[key]

    def renew(self) -> int:
        """Hold what is being looked at, or is to be written, for another while, and nothing else.

        Returns:
            How many other files were held, because an answer of the database was lost.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        held: defaultdict[UUID, list[int]] = defaultdict(list)
        for flight in (*self._flights.values(), *(one for _, one in self._suspects)):
            if flight.site.record is not None:
                held[flight.site.record.id].append(flight.file.id)
        for landed in self._landed.values():
            if landed.site.record is not None:
                held[landed.site.record.id] += [result.file.id for result, _ in landed.results]
        with self._catalogue.transaction() as cursor:
            for identity, ids in held.items():
                deep_queue.renew(cursor, identity, self._worker, ids, _LEASE)
            everything = [(identity, number) for identity, ids in held.items() for number in ids]
            return deep_queue.let_go_of_others(cursor, self._worker, everything)

    def give_up(self, pool: Processes) -> None:
        """Stop looking at everything that a pool has, and let others have it.

        Raises:
            CatalogueError: the database refused, or is away; then the claims run out by themselves.
        """
        flights = [self._flights.pop(job.number) for job in pool.cancel() if job.number in self._flights]
        let_go: defaultdict[UUID, list[int]] = defaultdict(list)
        for flight in flights:
            if flight.demand is not None:
                flight.demand.in_flight -= 1
            if flight.site.record is not None:
                let_go[flight.site.record.id].append(flight.file.id)
            flight.site.restart()
        if let_go:
            with self._catalogue.transaction() as cursor:
                for identity, ids in let_go.items():
                    deep_queue.let_go(cursor, identity, self._worker, ids)

    def let_suspects_go(self) -> None:
        """Do not look again at what was not as recorded; somebody else will, sooner or later.

        Raises:
            CatalogueError: the database refused, or is away; then the claims run out by themselves.
        """
        suspects, self._suspects = self._suspects, []
        with self._catalogue.transaction() as cursor:
            for _, flight in suspects:
                if flight.site.record is not None:
                    deep_queue.let_go(cursor, flight.site.record.id, self._worker, [flight.file.id])

    def _take(self, site: Site, files: Sequence[ClaimedFile], trigger: Trigger, demand: Demand | None) -> None:
        """Have files looked at that were claimed."""
        pool = self.idle if trigger is Trigger.IDLE else self.urgent
        flights = [Flight(site, file, trigger, demand, pool) for file in files]
        if flights:
            self._stretch(site, flights[0].kind, trigger)
        if demand is not None:
            demand.in_flight += len(flights)
        pool.submit([self._job(flight) for flight in flights])

    def _job(self, flight: Flight) -> Job:
        self._number += 1
        self._flights[self._number] = flight
        file = flight.file
        recorded = file.recorded.hex() if file.recorded is not None else ""
        return Job(
            self._number,
            flight.site.rules.root,
            file.directory,
            file.name,
            (file.size, file.mtime_ns, file.ctime_ns, file.inode),
            hashing=bool(recorded) or (self.hashing and not file.keeps_hash),
            recorded=recorded,
        )

    def _land(self, job: Job, finding: Finding | None, why: str = "") -> None:
        flight = self._flights.pop(job.number, None)
        if flight is None:
            return
        site, trigger = flight.site, flight.trigger
        if finding is not None and job.root == site.rules.root:
            _rest(site, finding)
        if finding is not None and finding.outcome == Outcome.DONE and job.recorded not in {"", finding.hash}:
            if not flight.suspicion:
                # Whoever has written to it a moment ago may not be on record yet, and memory errs as well.
                flight.suspicion = str(finding.hash)
                self._suspects.append((time.monotonic() + site.rules.settles, flight))
                return
            if finding.hash != flight.suspicion:
                finding, why = None, "its content is not the recorded one, and another whenever it is read"
        key = site.rules.name, flight.kind, trigger
        landed = self._landed.setdefault(key, _Landed(site, flight.kind, trigger, time.monotonic(), []))
        landed.results.append((Result(flight.file, finding, why), flight.demand))

    def _look_again(self) -> None:
        """Have files read once more that were not as recorded, when what has happened to them is on record."""
        now = time.monotonic()
        for due, flight in self._suspects:
            if now >= due:
                flight.pool.submit([self._job(flight)])
        self._suspects = [(due, flight) for due, flight in self._suspects if now < due]

    def _write(self, landed: _Landed) -> None:
        site, trigger = landed.site, landed.trigger
        batch = landed.results[: self.batch]
        if site.record is None:
            del landed.results[: len(batch)]
            return
        stretch = self._stretch(site, landed.kind, trigger)
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

    @staticmethod
    def _stretch(site: Site, kind: OperationType, trigger: Trigger) -> Stretch:
        """The time of work that is under way, or begins."""
        scope = _SCOPES.get((kind, trigger), "/")
        return site.stretches.setdefault((kind, trigger), Stretch(kind, trigger, scope))


def _rest(site: Site, finding: Finding) -> None:
    """Leave a repository's disk alone for a while if it did not answer."""
    now = time.monotonic()
    if finding.outcome != Outcome.UNSEEN:
        site.rest = 0.0
    elif now >= site.rest_until:
        site.rest = min(_LAST_REST, 2 * site.rest or _FIRST_REST)
        site.rest_until = now + site.rest
        _LOG.warning("a disk is left alone for a while", repository=site.rules.name, why=reason_of(finding))


_SCOPES: Final = {
    (OperationType.DEEP_SCAN, Trigger.REALTIME): "what has just changed",
    (OperationType.DEEP_SCAN, Trigger.IDLE): "what was waiting",
    (OperationType.REHASH, Trigger.IDLE): "what was not read for longest",
}
"""What is said of a stretch's scope in the journal."""
