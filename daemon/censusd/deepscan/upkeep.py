"""What the deep scan looks after once a second: how repositories and the database stand, leases, and upgrades."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from censusd.catalogue import deep_queue, rehash
from censusd.catalogue.connection import Catalogue
from censusd.deepscan import reporting
from censusd.deepscan.sites import Site
from censusd.deepscan.upgrade import Upgrade
from censusd.deepscan.work import Work

_LOG: Final = structlog.get_logger("censusd.deepscan")
_RENEW_EVERY: Final = 30.0
_COUNT_EVERY: Final = 60.0
_STRETCH_OVER: Final = 2.0
_UPGRADE_SECONDS: Final = 0.2
_SLOW: Final = 0.5
_REST_PER_QUESTION: Final = 50.0


class Upkeep:
    """Keeps the sites up to date.

    Args:
        catalogue: the database.
        work: where files are looked at.
        sites: the repositories, by name.
        is_gone: whether the process of another worker's name certainly runs no more.

    Attributes:
        database_waits: why the database had better be left alone, or empty.
    """

    def __init__(
        self, catalogue: Catalogue, work: Work, sites: Mapping[str, Site], is_gone: Callable[[str], bool]
    ) -> None:
        self.database_waits = ""
        self._catalogue = catalogue
        self._work = work
        self._sites = sites
        self._is_gone = is_gone
        self._next_renewal = self._next_count = 0.0

    def hurry(self) -> None:
        """Renew leases at the next look: for a while nobody could."""
        self._next_renewal = 0.0

    def look(self, *, enabled: bool) -> None:
        """See how everything stands.

        Args:
            enabled: whether anything is looked at without anybody asking.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        now = time.monotonic()
        self._see_records(now)
        if now >= self._next_renewal:
            self._next_renewal = now + _RENEW_EVERY
            if self._work.renew():
                self._restart()
            self._take_over()
        if now >= self._next_count:
            self._next_count = now + _COUNT_EVERY
            self._ask_how_long(enabled=enabled)
        if self._work.urgent.greeting is None or self._work.fault:
            # What there is to look at files with, one of them has to say before anything is begun.
            self._work.warm_up()
        for site in self._sites.values():
            self._upgrade(site)
            for (kind, trigger), stretch in list(site.stretches.items()):
                busy = self._work.is_at(site, trigger, kind=kind)
                if stretch.is_long or (now > stretch.last + _STRETCH_OVER and not busy):
                    del site.stretches[kind, trigger]
                    reporting.stretch_over(site.rules.name, stretch, self._work.cache)
        reporting.state(len(self._work), self._work.cache)

    def _see_records(self, began: float) -> None:
        with self._catalogue.transaction() as cursor:
            records = {one.name: one for one in deep_queue.overview(cursor, list(self._sites))}
        slow = time.monotonic() - began > _SLOW or self._catalogue.statistics().get("requests_waiting", 0) > 0
        self.database_waits = "it is slow to answer" if slow else ""
        for name, site in self._sites.items():
            site.record = records.get(name)
            if site.record is not None and site.seen is None:
                site.seen = site.record.change_number

    def _take_over(self) -> None:
        """What workers of this machine have left behind that are no more."""
        with self._catalogue.transaction() as cursor:
            gone = [name for name in deep_queue.workers(cursor) if self._is_gone(name)]
            expired = deep_queue.expire(cursor, gone)
        if expired:
            _LOG.info("files are taken over from a worker that is gone", files=expired, worker=gone)
            self._restart()

    def _restart(self) -> None:
        """There are files again that could not be claimed when their turn came."""
        for site in self._sites.values():
            site.restart()

    def _upgrade(self, site: Site) -> None:
        """Files that an older version looked at are looked at again; before that is begun, nothing is."""
        greeting = self._work.urgent.greeting
        if site.is_current or site.record is None or greeting is None:
            return
        if site.upgrade is None:
            site.upgrade = Upgrade(self._catalogue, site.record, greeting.extractors, hashing=self._work.hashing)
        until = time.monotonic() + _UPGRADE_SECONDS
        while not site.is_current and time.monotonic() < until:
            site.is_current = site.upgrade.step()

    def _ask_how_long(self, *, enabled: bool) -> None:
        """For how long files wait; where much is to be gone through that nobody wants, this is asked less often."""
        for name, site in self._sites.items():
            began = time.monotonic()
            if began < site.ask_after:
                continue
            site.waited = unread = None
            if site.record is not None and site.rules.automatic:
                identity, places = site.record.id, site.rules.places
                with self._catalogue.transaction() as cursor:
                    site.waited = deep_queue.oldest(cursor, identity, places) if enabled else None
                    unread = rehash.oldest(cursor, identity, places) if site.rules.rehash_per_day else None
            site.ask_after = time.monotonic() + _REST_PER_QUESTION * (time.monotonic() - began)
            reporting.waited(name, site.waited)
            reporting.unread(name, unread)
