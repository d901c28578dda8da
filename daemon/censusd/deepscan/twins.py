"""Missing files whose content has turned up elsewhere: moves that only a hash can tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from censusd.catalogue import adoption
from censusd.catalogue.connection import Catalogue
from censusd.deepscan.sites import Site
from censusd.deepscan.work import Work
from censusd.errors import CensusError
from censusd.model import Trigger

_LOG: Final = structlog.get_logger("censusd.deepscan")
_MOST: Final = 1000
_TRY_AGAIN: Final = 60.0
_SOON: Final = (Trigger.REALTIME, Trigger.MANUAL)

Adopt = Callable[[str, list[tuple[int, int]]], object]
"""Told of a repository's missing files that have turned up elsewhere: pairs of row numbers, the missing one first."""


def look(catalogue: Catalogue, work: Work, site: Site, adopt: Adopt) -> None:
    """Compare what has changed in a repository with what is missing from it.

    Args:
        catalogue: the database.
        work: where files are looked at: among what is under way, something may have the same content, and of two
            newcomers neither is the one that moved.
        site: the repository.
        adopt: whom to tell.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    record = site.record
    if record is None or record.busy or record.change_number <= site.compared or record.change_number != site.seen:
        return
    if time.monotonic() < site.compare_after or work.is_at(site, *_SOON):
        return
    with catalogue.transaction() as cursor:
        pairs = adoption.twins(cursor, record.id, site.compared, record.change_number, _MOST)
    if pairs:
        try:
            adopt(site.rules.name, pairs)
        except CensusError as error:
            # Whoever owns the repository finds them as well.
            _LOG.debug("moves cannot be told now", repository=site.rules.name, why=str(error))
            site.compare_after = time.monotonic() + _TRY_AGAIN
            return
    site.compared = record.change_number
