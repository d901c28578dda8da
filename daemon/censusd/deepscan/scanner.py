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

from censusd.catalogue.connection import Catalogue
from censusd.deepscan import recent, reporting, rolling, twins
from censusd.deepscan.backlog import Backlog
from censusd.deepscan.demands import Demand
from censusd.deepscan.idle import Condition, IdleRules
from censusd.deepscan.messages import Settings
from censusd.deepscan.orders import Orders
from censusd.deepscan.processes import CORES
from censusd.deepscan.sites import Site, SiteRules
from censusd.deepscan.twins import Adopt
from censusd.deepscan.upkeep import Upkeep
from censusd.deepscan.work import Work
from censusd.errors import CatalogueError, CatalogueUnavailableError

_LOG: Final = structlog.get_logger("censusd.deepscan")

_BEAT: Final = 1.0
_TICK: Final = 0.25
_WEIGHING_TICK: Final = 0.05
_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 15.0


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
        is_guest: whether another process does, which may be allowed to read more than this one.
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
        is_guest: bool = False,
    ) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._sites = {one.name: Site(one) for one in sites}
        self._beat = beat
        self._adopt = adopt
        self._work = Work(
            catalogue,
            worker,
            rules.settings,
            count=rules.count,
            batch=rules.batch,
            hashing=rules.hashing,
            is_guest=is_guest,
        )
        self._backlog = Backlog(self._work, self._sites, rules.idle)
        self._orders = Orders(catalogue, self._work, self._sites, self._backlog)
        self._upkeep = Upkeep(catalogue, self._work, self._sites, is_gone)
        self._new: tuple[ScanRules, list[SiteRules]] | None = None
        self._again = threading.Event()
        self._next_beat = 0.0
        self._retry_after = _FIRST_RETRY
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
        self._orders.demands.close()
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

    def demand(self, repository: str, path: str, again: str = "") -> Demand:
        """Have everything at a path looked at now that waits to be. Returns what to wait for.

        Args:
            repository: the repository's name.
            path: relative path of a file or directory.
            again: see ``Demand.again``.

        Raises:
            CensusError: too much is asked for already, or it is being stopped.
        """
        demand = self._orders.demands.add(repository, path, again)
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
            "fault": self._work.fault,
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
        self._take_new_rules()
        enabled = self._rules.idle.enabled
        now = time.monotonic()
        is_time = now >= self._next_beat
        if is_time:
            self._next_beat = now + _BEAT
            self._look_around(enabled=enabled)
        if is_time or self._backlog.is_weighing:
            self._backlog.judge(self._upkeep.database_waits)
        self._orders.serve()
        recent.take(self._work, self._sites.values(), enabled=enabled)
        if not self._orders.are_claiming:
            self._backlog.fill()
            if not self._work.idle.pending and not self._backlog.is_held:
                rolling.fill(self._work, self._sites.values(), self._catalogue)
        self._work.gather(_WEIGHING_TICK if self._backlog.is_weighing else _TICK, self._wake_fd)
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)
        self._work.write()

    def _look_around(self, *, enabled: bool) -> None:
        """Once a second."""
        self._upkeep.look(enabled=enabled)
        if self._again.is_set():
            self._again.clear()
            for site in self._sites.values():
                site.restart()
        if self._adopt is not None:
            for site in self._sites.values():
                twins.look(self._catalogue, self._work, site, self._adopt)

    # Changes of terms, and the end -----------------------------------------------------------------------------------

    def _take_new_rules(self) -> None:
        new = self._new
        if new is None:
            return
        sites = {one.name: one for one in new[1]}
        if self._sites.keys() - sites.keys():
            # Should the database be away, all this is done again.
            self._work.write(everything=True)
            self._backlog.stop()
            self._work.give_up(self._work.urgent)
        old, self._rules = self._rules, new[0]
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
        if self._new is new:
            self._new = None

    def _sit_out(self, why: str) -> None:
        """Without the database nothing new is begun; what is under way is finished, and written later."""
        if not self._upkeep.database_waits.startswith("it is away"):
            _LOG.warning("waiting for the database", loop="deep scan", why=why)
        self._upkeep.database_waits = f"it is away: {why}"
        until = time.monotonic() + self._retry_after
        self._retry_after = min(_LAST_RETRY, self._retry_after * 2)
        while time.monotonic() < until and not self._stopping.is_set():
            self._beat()
            self._work.gather(min(_TICK, max(0.0, until - time.monotonic())), self._wake_fd)
        self._next_beat = 0.0
        self._upkeep.hurry()

    def _finish(self) -> None:
        """End the worker processes, write what they have found, and let others have the rest."""
        try:
            self._work.write(everything=True)
            self._backlog.stop()
            self._work.give_up(self._work.urgent)
            self._work.let_suspects_go()
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
