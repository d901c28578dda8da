"""How many files of each repository the deep scan still has before it, counted now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from censusd.catalogue import content, deep_queue, repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.content import Queue
from censusd.deepscan.sites import SiteRules
from censusd.errors import CatalogueUnavailableError
from censusd.model import Strategy

_REST_PER_WORK: Final = 50.0


@dataclass(frozen=True, slots=True)
class _Count:
    """What was counted, what it depends on, and when it may be counted again (monotonic seconds)."""

    queues: Mapping[Strategy, Queue]
    state: tuple[object, ...]
    again_at: float


class Backlogs:
    """Keeps count, for a small share of the time at most. Called by the schedule.

    Args:
        catalogue: the database.
        sites: how repositories are deep-scanned, by name.
    """

    def __init__(self, catalogue: Catalogue, sites: Callable[[], Mapping[str, SiteRules]]) -> None:
        self._catalogue = catalogue
        self._sites = sites
        self._counts: dict[str, _Count] = {}

    def queues(self) -> dict[str, Mapping[Strategy, Queue]]:
        """Repository -> what was counted last, by what is done about it."""
        return {name: count.queues for name, count in self._counts.items()}

    def count(self) -> None:
        """Count whatever may have changed; without the database, what was counted last stays.

        Raises:
            CatalogueError: the database refused.
        """
        with suppress(CatalogueUnavailableError):
            self._count()

    def _count(self) -> None:
        sites = self._sites()
        with self._catalogue.transaction() as cursor:
            records = repositories.all_records(cursor)
        counts = {}
        for name, rules in sites.items():
            if name in records:
                record = records[name]
                with self._catalogue.transaction() as cursor:
                    # Claims come and go without a change number.
                    state = (record.change_number, deep_queue.count(cursor, record.id), rules.places)
                    counts[name] = self._counts.get(name) or _Count(dict.fromkeys(Strategy, Queue()), (), 0.0)
                    began = time.monotonic()
                    if state == counts[name].state or began < counts[name].again_at:
                        continue
                    found = content.queues(cursor, record.id, rules.places)
                now = time.monotonic()
                counts[name] = _Count(found, state, now + _REST_PER_WORK * (now - began))
        self._counts = counts
