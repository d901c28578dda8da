"""The way of a file: claimed, looked at by a worker process, and written about. Used by the scanner's thread only."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
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
from censusd.deepscan.findings import is_refused, reason_of
from censusd.deepscan.flights import Flight, Flights
from censusd.deepscan.landing import Landing, stretch_of
from censusd.deepscan.messages import Finding, Job, Outcome, Settings
from censusd.deepscan.processes import Processes, wait
from censusd.deepscan.sites import Lane, Site
from censusd.deepscan.writer import Writer
from censusd.model import OperationType, Strategy, Trigger, join

_LOG: Final = structlog.get_logger("censusd.deepscan")

_LEASE: Final = 120.0
_FIRST_REST: Final = 5.0
_LAST_REST: Final = 60.0
"""Seconds that a disk is left alone that did not answer: twice as long each time, until it does."""


class Work:
    """Claims files, hands them to worker processes, and writes what they say.

    Args:
        catalogue: the database.
        worker: this process's name to others.
        settings: of worker processes for what somebody waits for, and of those for the backlog.
        count: how many files are looked at at a time.
        batch: how many files are written in a transaction.
        hashing: whether content hashes are made.
        is_guest: whether the repositories are looked after by others, who may be allowed to read more.

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
        is_guest: bool = False,
    ) -> None:
        self.cache = EntityCache()
        self.urgent = Processes(count, settings[0])
        self.idle = Processes(count, settings[1])
        self.batch = batch
        self.hashing = hashing
        self._is_guest = is_guest
        self._catalogue = catalogue
        self._worker = worker
        self._flights = Flights()
        self._landing = Landing(Writer(catalogue, worker, self.cache))

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
        identity, wanted = site.record.id, replace(wanted, without=site.left_to_others())
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
        under_way = (*self._flights, *self._landing)
        return any(one.site is site and one.kind is kind and one.trigger in triggers for one in under_way)

    def gather(self, seconds: float, wake_fd: int) -> None:
        """Take what the worker processes have to say, and wait for it so long at the most."""
        found, casualties = wait((self.urgent, self.idle), seconds, wake_fd)
        for job, finding in found:
            self._land(job, finding)
        for casualty in casualties:
            flight = self._flights.of(casualty.job)
            if flight is not None:
                reporting.worker_lost(flight.site.rules.name, flight.file, casualty.why)
            self._land(casualty.job, None, casualty.why)
        for flight in self._flights.due():
            flight.pool.submit([self._flights.take_off(flight, hashing=self.hashing)])

    def write(self, *, everything: bool = False) -> None:
        """Write what is complete enough to be a batch, has waited long enough, or is all there is.

        Raises:
            CatalogueUnavailableError: the database is away; nothing is lost.
        """
        pools = {Trigger.IDLE: self.idle}
        self._landing.write(
            self.batch, is_last=lambda trigger: everything or not pools.get(trigger, self.urgent).pending
        )

    def renew(self) -> int:
        """Hold what is being looked at, or is to be written, for another while, and nothing else.

        Returns:
            How many other files were held, because an answer of the database was lost, or what was found in them.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        self._forget(self._flights.strays(self.urgent.numbers | self.idle.numbers))
        held: defaultdict[UUID, list[int]] = defaultdict(list)
        for flight in self._flights:
            if flight.site.record is not None:
                held[flight.site.record.id].append(flight.file.id)
        for landed in self._landing:
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
        flights = [flight for job in pool.cancel() if (flight := self._flights.end(job)) is not None]
        self._forget(flights)
        self._let_go(flights)

    def let_suspects_go(self) -> None:
        """Do not look again at what was not as recorded; somebody else will, sooner or later.

        Raises:
            CatalogueError: the database refused, or is away; then the claims run out by themselves.
        """
        self._let_go(self._flights.clear_suspects())

    @staticmethod
    def _forget(flights: Iterable[Flight]) -> None:
        """Nobody is at some files any more; they are to be come by again."""
        for flight in flights:
            if flight.demand is not None:
                flight.demand.in_flight -= 1
            flight.site.restart()

    def _let_go(self, flights: Iterable[Flight]) -> None:
        """Let others have files."""
        let_go: defaultdict[UUID, list[int]] = defaultdict(list)
        for flight in flights:
            if flight.site.record is not None:
                let_go[flight.site.record.id].append(flight.file.id)
        if let_go:
            with self._catalogue.transaction() as cursor:
                for identity, ids in let_go.items():
                    deep_queue.let_go(cursor, identity, self._worker, ids)

    def _take(self, site: Site, files: Sequence[ClaimedFile], trigger: Trigger, demand: Demand | None) -> None:
        """Have files looked at that were claimed."""
        pool = self.idle if trigger is Trigger.IDLE else self.urgent
        flights = [Flight(site, file, trigger, demand, pool) for file in files]
        if flights:
            stretch_of(site, flights[0].kind, trigger)
        if demand is not None:
            demand.in_flight += len(flights)
        pool.submit([self._flights.take_off(flight, hashing=self.hashing) for flight in flights])

    def _land(self, job: Job, finding: Finding | None, why: str = "") -> None:
        flight = self._flights.end(job)
        if flight is None:
            return
        if finding is not None and job.root == flight.site.rules.root:
            _rest(flight.site, finding)
        if finding is not None and self._is_guest and is_refused(finding):
            finding = _leave_to_others(flight, finding)
        if finding is not None and finding.outcome == Outcome.DONE and job.recorded not in {"", finding.hash}:
            if not flight.suspicion:
                self._flights.suspect(flight, str(finding.hash))
                return
            if finding.hash != flight.suspicion:
                finding, why = None, "its content is not the recorded one, and another whenever it is read"
        self._landing.add(flight, finding, why)


def _leave_to_others(flight: Flight, finding: Finding) -> Finding:
    """A file that this process may not read says nothing of the file: others may be allowed to."""
    site, file = flight.site, flight.file
    if not site.shunned:
        name, path = site.rules.name, join(file.directory, file.name)
        _LOG.warning("left to others for a while, like all that may not be read here", repository=name, file=path)
    site.shun(file.id)
    return finding._replace(outcome=Outcome.UNSEEN)


def _rest(site: Site, finding: Finding) -> None:
    """Leave a repository's disk alone for a while if it did not answer."""
    now = time.monotonic()
    if finding.outcome != Outcome.UNSEEN:
        site.rest = 0.0
    elif now >= site.rest_until:
        site.rest = min(_LAST_REST, 2 * site.rest or _FIRST_REST)
        site.rest_until = now + site.rest
        _LOG.warning("a disk is left alone for a while", repository=site.rules.name, why=reason_of(finding))
