"""Which picture is next: first those that are to be tried again by now, then the last changes of each repository."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from censusd import metrics
from censusd.catalogue import deep_queue, descriptions
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.deep_queue import QueuedRepository
from censusd.catalogue.descriptions import Picture, Position, Wanted
from censusd.deepscan.sites import OPEN, SiteRules
from censusd.describe.feed import Feed
from censusd.describe.rules import TYPES, DescribeRules

_EVERY: Final = 1.0
_SLOW: Final = 0.5
_PAGE: Final = 500


@dataclass(slots=True)
class Site:
    """One repository.

    Attributes:
        rules: how it is deep-scanned: what that leaves alone, this does, too.
        record: its row, as it was a moment ago; None while there is none.
        feed: its pictures.
    """

    rules: SiteRules
    record: QueuedRepository | None = None
    feed: Feed = field(default_factory=Feed)

    @property
    def is_open(self) -> bool:
        """Whether its pictures may be looked at without anybody asking."""
        return self.rules.automatic and self.record is not None and self.record.state in OPEN


class Finder:
    """Finds pictures that wait to be described.

    Args:
        catalogue: the database.
        rules: who is asked, and how.
        sites: the repositories.

    Attributes:
        database_waits: why the database had better be left alone, or empty.
    """

    def __init__(self, catalogue: Catalogue, rules: DescribeRules, sites: tuple[SiteRules, ...]) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._sites = [Site(one) for one in sites]
        self._next_look = self._next_due = 0.0
        self.database_waits = ""

    @property
    def records(self) -> list[QueuedRepository]:
        """How the repositories stand."""
        return [site.record for site in self._sites if site.record is not None]

    @property
    def is_empty(self) -> bool:
        """Whether everything that has changed was looked at."""
        return all(site.feed.is_empty for site in self._sites if site.is_open)

    def restart(self) -> None:
        """Look at everything again."""
        for site in self._sites:
            site.feed = Feed()
        self._next_look = 0.0

    def look_around(self, now: float) -> None:
        """Once a second: see how the repositories stand.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        if now < self._next_look:
            return
        self._next_look = now + _EVERY
        began = time.monotonic()
        with self._catalogue.transaction() as cursor:
            found = deep_queue.overview(cursor, [site.rules.name for site in self._sites])
        slow = time.monotonic() - began > _SLOW or self._catalogue.statistics().get("requests_waiting", 0) > 0
        self.database_waits = "it is slow to answer" if slow else ""
        records = {one.name: one for one in found}
        for site in self._sites:
            site.record = records.get(site.rules.name)
            if site.record is not None:
                site.feed.notice(site.record.change_number)

    def next(self, now: float) -> tuple[Site, Picture] | None:
        """The next picture, with its repository; None if there is none, or if ``is_empty`` says that there may be.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        sites = [site for site in self._sites if site.is_open]
        if now >= self._next_due:
            for site in sites:
                if found := self._due(site):
                    return site, found
            self._next_due = now + _EVERY
        for site in sites:
            picture = site.feed.next(partial(self._page, site))
            if picture is not None:
                # The others first, the next time.
                self._sites.remove(site)
                self._sites.append(site)
                return site, picture
        return None

    def _due(self, site: Site) -> Picture | None:
        if site.record is None:
            return None
        with self._catalogue.transaction() as cursor:
            found = descriptions.due(cursor, site.record.id, self._wanted(site), 1)
        return found[0] if found else None

    def _page(self, site: Site, after: int, position: Position) -> tuple[Position | None, list[Picture]]:
        """The next pictures of a repository; those that cannot be sent are put on record as skipped."""
        if site.record is None:
            return None, []
        with self._catalogue.transaction() as cursor:
            reached, found = descriptions.page(cursor, site.record.id, self._wanted(site), after, position, _PAGE)
            reasons = [(one, self._rules.why_unfit(one.mime_type, one.size)) for one in found]
            unfit = [(one.content_hash, why) for one, why in reasons if why]
            skipped = descriptions.skip(cursor, self._rules.model, unfit)
        metrics.DESCRIBE_PICTURES.labels("skipped").inc(skipped)
        return reached, [one for one, why in reasons if not why]

    def _wanted(self, site: Site) -> Wanted:
        return Wanted(self._rules.model, TYPES, self._rules.largest, site.rules.places)
