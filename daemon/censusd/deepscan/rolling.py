"""Reading again, while the machine is idle and nothing waits, what was not read for longest: so many bytes a day.

Disks, cables and memory lose bits without a word. Where the content is another than the recorded and nothing that a
change leaves behind differs, that has happened; the hash on record then stays, and the file is marked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from censusd.catalogue import rehash
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.rehash import Budget, Place
from censusd.deepscan.sites import Lane, Site
from censusd.deepscan.work import Work
from censusd.model import UNASKED, OperationType, Trigger

_LOOK_AGAIN: Final = 60.0
_REST_PER_LOOK: Final = 50.0
_FROM_THE_FIRST_EVERY: Final = 3600.0
"""Seconds after which files are looked for again that could not be had when their turn came."""


def fill(work: Work, sites: Iterable[Site], catalogue: Catalogue) -> None:
    """Take files of the first repository that has some to be read again, and budget left for today.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    now = time.monotonic()
    for site in sites:
        rules, record = site.rules, site.record
        if record is None or not rules.rehash_per_day or not rules.automatic or now < site.rehash_after:
            continue
        # What is under way is not in the journal yet, so that it would be spent twice.
        if not site.is_open(now) or work.is_at(site, Trigger.IDLE, kind=OperationType.REHASH):
            continue
        with catalogue.transaction() as cursor:
            spent = rehash.spent(cursor, record.id)
        left = rules.rehash_per_day - spent
        if now >= site.rolling_until:
            site.rolling, site.rolling_until = Lane(), now + _FROM_THE_FIRST_EVERY
        if left > 0:
            place = Place(places=rules.places, strategies=UNASKED)
            work.rehash(site, site.rolling, place, Trigger.IDLE, budget=Budget(left, whole=not spent))
        if work.idle.pending:
            return
        site.rolling_until = 0.0
        site.rehash_after = now + max(_LOOK_AGAIN, _REST_PER_LOOK * (time.monotonic() - now))
