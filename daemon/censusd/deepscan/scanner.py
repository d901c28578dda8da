"""The deep scan of a daemon: one loop that says which files are looked at, and when.

What somebody asks for comes first, then what has just changed (a bounded number: a burst is backlog), both at once; the
backlog comes when the machine is idle. See ``backlog`` for that, and ``work`` for what happens to a file.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from censusd.catalogue import adoption, browse, deep_queue, directories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.deep_queue import Selection
from censusd.deepscan import reporting
from censusd.deepscan.backlog import Backlog
from censusd.deepscan.demands import Demand, Demands
from censusd.deepscan.idle import Condition, IdleRules
from censusd.deepscan.messages import Settings
from censusd.deepscan.processes import CORES
from censusd.deepscan.sites import OPEN, Lane, Site, SiteRules
from censusd.deepscan.upgrade import Upgrade
from censusd.deepscan.work import Work
from censusd.errors import CatalogueError, CatalogueUnavailableError, CensusError
from censusd.model import ROOT, FileState, Trigger

_LOG: Final = structlog.get_logger("censusd.deepscan")

_BEAT: Final = 1.0
_TICK: Final = 0.25
_WEIGHING_TICK: Final = 0.05
_RENEW_EVERY: Final = 30.0
_COUNT_EVERY: Final = 60.0
_STRETCH_OVER: Final = 2.0
_UPGRADE_SECONDS: Final = 0.2
_SLOW: Final = 0.5
_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 15.0
_LARGEST_RECENT: Final = 8 << 30
_RECENT_IN_A_PASS: Final = 10
_TWINS: Final = 1000


Adopt = Callable[[str, list[tuple[int, int]]], object]
"""Told of a repository's missing files that have turned up elsewhere: pairs of row numbers, the missing one first."""


@dataclass(frozen=True, slots=True)
class ScanRules:
    """How the deep scan works.

    Attributes:
        workers: how many files are looked at at a time; 0 for as many as there are processors.
        batch: how many files are written in a transaction.
        hashing: whether content hashes are made.
        memory: bytes of address space that each worker process may use.
        urgent_nice: how much worker processes give way to others while somebody waits for them, and
        idle_nice: while nobody does.
        families: the extractors, as in ``extractors.registry.FAMILIES``; None for all of them.
        idle: when the backlog may be worked off.
    """

    workers: int = 0
    batch: int = 100
    hashing: bool = True
    memory: int = 1 << 30
    urgent_nice: int = 5
    idle_nice: int = 19
    families: tuple[str, ...] | None = None
    idle: IdleRules = field(default_factory=IdleRules)

    @property
    def count(self) -> int:
        """How many files are looked at at a time."""
        return self.workers or CORES

    @property
    def settings(self) -> tuple[Settings, Settings]:
        """Of worker processes for what somebody waits for, and of those for the backlog."""
        urgent = Settings(self.memory, self.urgent_nice, self.families)
        return urgent, urgent._replace(nice=self.idle_nice)


class Scanner:
    """Deep-scans repositories in a thread of its own.

    Args:
        catalogue: the database.
        rules: how it works.
        sites: the repositories.
        worker: this process's name to others; never used by another process.
        beat: called often, as proof that the loop is alive.
        is_gone: whether the process of another worker's name certainly runs no more.
        adopt: see ``Adopt``; None where this process does not look after the repositories' paths.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: ScanRules,
        sites: Iterable[SiteRules],
        worker: str,
        *,
        beat: Callable[[], None] = lambda: None,
        is_gone: Callable[[str], bool] = lambda _: False,
        adopt: Adopt | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._sites = {one.name: Site(one) for one in sites}
        self._beat = beat
        self._is_gone = is_gone
        self._adopt = adopt
        self._work = Work(
            catalogue, worker, rules.settings, count=rules.count, batch=rules.batch, hashing=rules.hashing
        )
        self._backlog = Backlog(self._work, self._sites, rules.idle)
        self._demands = Demands()
        self._new: tuple[ScanRules, list[SiteRules]] | None = None
        self._again = threading.Event()
        self._next_beat = self._next_renewal = self._next_count = 0.0
        self._database_waits = ""
        self._retry_after = _FIRST_RETRY
        self._introduced = False
        self._stopping = threading.Event()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="deep scan", daemon=True)

    # For other threads -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end, also inside a file. Returns at once; may be called at any time, and again."""
        self._stopping.set()
        self._demands.close()
        self._wake()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the loop has ended. Says whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def reconfigure(self, rules: ScanRules, sites: Iterable[SiteRules]) -> None:
        """Work by other rules, or on other repositories, from now on."""
        self._new = (rules, list(sites))
        self._wake()

    def demand(self, repository: str, path: str) -> Demand:
        """Have everything at a path looked at now that waits to be. Returns what to wait for.

        Raises:
            CensusError: too much is asked for already, or it is being stopped.
        """
        demand = self._demands.add(repository, path)
        self._wake()
        return demand

    def look_again(self) -> None:
        """Files that were put off or given up may be tried again."""
        self._again.set()
        self._wake()

    def has_begun(self, repository: str) -> bool:
        """Whether a repository's files may be looked at: it is on record, and what can look at them is known."""
        site = self._sites.get(repository)
        return site is not None and site.record is not None and site.is_begun

    @property
    def is_alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    @property
    def condition(self) -> Condition:
        """What it is doing about the backlog, or what holds it back."""
        return self._backlog.condition

    def status(self) -> dict[str, Any]:
        """How it stands, fit for JSON."""
        urgent, idle, cache = self._work.urgent, self._work.idle, self._work.cache
        greeting = urgent.greeting or idle.greeting
        return {
            "condition": str(self._backlog.condition),
            "why": self._backlog.why,
            "in_flight": len(self._work),
            "fault": urgent.fault or idle.fault,
            "extractors": dict(greeting.extractors) if greeting else {},
            "missing_extractors": dict(greeting.missing) if greeting else {},
            "sandbox": dict(greeting.sandbox) if greeting else {},
            "entities": {"known": len(cache), "hits": cache.hits, "misses": cache.misses},
        }

    # The loop --------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat()
            try:
                self._step()
                self._retry_after = _FIRST_RETRY
            except CatalogueUnavailableError as error:
                self._sit_out(str(error))
            except Exception:  # noqa: BLE001 - a fault of ours must not end the deep scan for good
                _LOG.exception("unexpected", loop="deep scan")
                self._stopping.wait(_LAST_RETRY)
        self._finish()

    def _step(self) -> None:
        now = time.monotonic()
        self._take_new_rules()
        if now >= self._next_beat:
            self._next_beat = now + _BEAT
            self._look_around(now)
            self._backlog.judge(self._database_waits)
        elif self._backlog.is_weighing:
            self._backlog.judge(self._database_waits)
        self._serve_demands()
        self._take_recent(now)
        self._backlog.fill()
        self._work.gather(_WEIGHING_TICK if self._backlog.is_weighing else _TICK, self._wake_fd)
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)
        self._work.write()

    def _look_around(self, now: float) -> None:
        """Once a second: how the repositories stand, and everything else that is done now and then."""
        began = time.monotonic()
        with self._catalogue.transaction() as cursor:
            records = {one.name: one for one in deep_queue.overview(cursor, list(self._sites))}
        slow = time.monotonic() - began > _SLOW or self._catalogue.statistics().get("requests_waiting", 0) > 0
        self._database_waits = "it is slow to answer" if slow else ""
        for name, site in self._sites.items():
            site.record = records.get(name)
            if site.record is not None and site.seen is None:
                site.seen = site.record.change_number
        self._introduce()
        if now >= self._next_renewal:
            self._next_renewal = now + _RENEW_EVERY
            self._work.renew()
        if now >= self._next_count:
            self._next_count = now + _COUNT_EVERY
            self._ask_how_long()
        if self._again.is_set():
            self._again.clear()
            for site in self._sites.values():
                site.restart()
        for site in self._sites.values():
            self._look_for_twins(site)
            self._upgrade(site)
            for trigger, stretch in list(site.stretches.items()):
                if stretch.is_long or now > stretch.last + _STRETCH_OVER:
                    del site.stretches[trigger]
                    reporting.stretch_over(site.rules.name, stretch, self._work.cache)
        reporting.state(len(self._work), self._work.cache)

    def _introduce(self) -> None:
        """In the beginning: take over what workers of this machine have left behind, and see what ours can do."""
        if self._introduced:
            return
        with self._catalogue.transaction() as cursor:
            gone = [name for name in deep_queue.workers(cursor) if self._is_gone(name)]
            expired = deep_queue.expire(cursor, gone)
        if expired:
            _LOG.info("a worker that is gone was at work on files", files=expired)
        self._work.urgent.warm_up()
        self._introduced = True

    # What is looked at -----------------------------------------------------------------------------------------------

    def _serve_demands(self) -> None:
        for demand in self._demands.open():
            try:
                self._serve(demand)
            except CatalogueUnavailableError as error:
                self._demands.settle(demand, error)
                raise
            except CensusError as error:
                self._demands.settle(demand, error)

    def _serve(self, demand: Demand) -> None:
        site = self._sites.get(demand.repository)
        if site is None or site.record is None:
            raise CensusError(f"{demand.repository} is not on record yet, or not configured")
        if self._work.urgent.fault:
            raise CensusError(self._work.urgent.fault)
        if not site.is_begun:
            return
        if not site.is_open(time.monotonic()):
            why = "its disk did not answer" if site.record.state in OPEN else f"it is {site.record.state}"
            raise CensusError(f"{demand.repository} cannot be looked at: {why}")
        lane = demand.lane
        if lane is None:
            # What the backlog's workers have begun is begun anew by those who have no patience.
            self._backlog.stop()
            lane = demand.lane = self._lane_to(site, demand)
        while lane.empty_at is None and self._work.urgent.pending < self._work.batch:
            self._work.advance(site, lane, site.rules.never, Trigger.MANUAL, demand)
        if lane.empty_at is not None and not demand.in_flight:
            self._demands.settle(demand)

    def _lane_to(self, site: Site, demand: Demand) -> Lane:
        if demand.path == ROOT or site.record is None:
            return Lane()
        with self._catalogue.transaction() as cursor:
            if directories.by_path(cursor, site.record.id, [demand.path]):
                return Lane(below=(demand.path,))
            rows = browse.files_at(cursor, site.record.id, demand.path, 1)
        if not rows or rows[0]["state"] != FileState.PRESENT:
            raise CensusError(f"{demand.repository} has nothing on record at {demand.path}")
        return Lane(file=rows[0]["id"])

    def _take_recent(self, now: float) -> None:
        """What has just changed, the last changes first; what is too much at once is left to the backlog."""
        for site in self._sites.values():
            record = site.record
            if record is None or site.seen is None or record.change_number <= site.seen:
                continue
            if not self._rules.idle.enabled or not site.rules.automatic or not site.is_open(now):
                site.seen = record.change_number
            elif self._work.urgent.pending < self._work.batch:
                wanted = Selection(after=site.seen, largest=_LARGEST_RECENT, outside=site.rules.unasked)
                most = _RECENT_IN_A_PASS if record.busy else self._work.batch
                self._work.claim(site, wanted, Trigger.REALTIME, most)
                site.seen = record.change_number

    def _look_for_twins(self, site: Site) -> None:
        """Missing files whose content has turned up elsewhere."""
        record = site.record
        if self._adopt is None or record is None or record.busy or record.change_number <= site.compared:
            return
        if time.monotonic() < site.compare_after or self._work.is_at(site) or record.change_number != site.seen:
            # Of what is being looked at, something may have the same content: two newcomers are none.
            return
        with self._catalogue.transaction() as cursor:
            pairs = deep_queue.twins(
                cursor, record.id, site.compared, record.change_number, before=adoption.BEFORE, most=_TWINS
            )
        if pairs:
            try:
                self._adopt(site.rules.name, pairs)
            except CensusError as error:
                # Whoever owns the repository finds them as well.
                _LOG.debug("moves cannot be told now", repository=site.rules.name, why=str(error))
                site.compare_after = time.monotonic() + _COUNT_EVERY
                return
        site.compared = record.change_number

    def _upgrade(self, site: Site) -> None:
        """Files that an older version looked at are looked at again; before that is begun, nothing is."""
        greeting = self._work.urgent.greeting
        if site.is_current or site.record is None or greeting is None:
            return
        if site.upgrade is None:
            site.upgrade = Upgrade(self._catalogue, site.record, greeting.extractors, hashing=self._rules.hashing)
        until = time.monotonic() + _UPGRADE_SECONDS
        while not site.is_current and time.monotonic() < until:
            site.is_current = site.upgrade.step()

    def _ask_how_long(self) -> None:
        for name, site in self._sites.items():
            site.waited = None
            if site.record is not None and site.rules.automatic and self._rules.idle.enabled:
                with self._catalogue.transaction() as cursor:
                    site.waited = deep_queue.oldest(cursor, site.record.id, site.rules.unasked)
            reporting.waited(name, site.waited)

    # Changes of terms, and the end -----------------------------------------------------------------------------------

    def _take_new_rules(self) -> None:
        new, self._new = self._new, None
        if new is None:
            return
        old, self._rules = self._rules, new[0]
        sites = {one.name: one for one in new[1]}
        if self._sites.keys() - sites.keys():
            self._work.write(everything=True)
            self._backlog.stop()
            self._work.give_up(self._work.urgent)
        for name in self._sites.keys() - sites.keys():
            del self._sites[name]
        for name, rules in sites.items():
            if name not in self._sites:
                self._sites[name] = Site(rules)
            elif self._sites[name].rules != rules:
                self._sites[name].set_rules(rules)
        if self._rules.hashing != old.hashing:
            for site in self._sites.values():
                site.is_current, site.upgrade = False, None
        self._work.change(self._rules.settings, self._rules.count, self._rules.batch, hashing=self._rules.hashing)
        self._backlog.rules = self._rules.idle

    def _sit_out(self, why: str) -> None:
        """Without the database nothing new is begun; what is under way is finished, and written later."""
        if not self._database_waits.startswith("it is away"):
            _LOG.warning("waiting for the database", loop="deep scan", why=why)
        self._database_waits = f"it is away: {why}"
        until = time.monotonic() + self._retry_after
        self._retry_after = min(_LAST_RETRY, self._retry_after * 2)
        while time.monotonic() < until and not self._stopping.is_set():
            self._beat()
            self._work.gather(min(_TICK, max(0.0, until - time.monotonic())), self._wake_fd)
        self._next_beat = self._next_renewal = 0.0

    def _finish(self) -> None:
        """End the worker processes, write what they have found, and let others have the rest."""
        try:
            self._work.write(everything=True)
            self._backlog.stop()
            self._work.give_up(self._work.urgent)
        except CatalogueError as error:
            _LOG.warning("claims could not be let go of, and run out by themselves", why=str(error))
        finally:
            self._work.close()
        for site in self._sites.values():
            for stretch in site.stretches.values():
                reporting.stretch_over(site.rules.name, stretch, self._work.cache)

    def _wake(self) -> None:
        with suppress(OSError):
            os.eventfd_write(self._wake_fd, 1)
