"""What has just changed: looked at at once, the last changes first. What is too much at once is left to the backlog."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from censusd.catalogue.deep_queue import Selection
from censusd.deepscan.sites import Site
from censusd.deepscan.work import Work
from censusd.model import Trigger

_LARGEST: Final = 8 << 30
_IN_A_PASS: Final = 10
"""How many of the files that a pass over a whole repository finds at a time: most of them are backlog."""


def take(work: Work, sites: Iterable[Site], *, enabled: bool) -> None:
    """Have a bounded number of files looked at that have changed since this was called last.

    Args:
        work: where files are looked at.
        sites: the repositories.
        enabled: whether anything is looked at without anybody asking.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    for site in sites:
        record = site.record
        if record is None or site.seen is None or record.change_number <= site.seen:
            continue
        if not enabled or not site.rules.automatic or not site.is_open(time.monotonic()):
            site.seen = record.change_number
        elif work.urgent.pending < work.batch:
            wanted = Selection(after=site.seen, largest=_LARGEST, places=site.rules.places)
            work.claim(site, wanted, Trigger.REALTIME, _IN_A_PASS if record.busy else work.batch)
            site.seen = record.change_number
