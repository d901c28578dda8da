"""Beginning as soon as the database can be had, and ending without it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import structlog

from censusd.catalogue.connection import Catalogue
from censusd.errors import CatalogueUnavailableError, CensusError
from censusd.service.errands import Errands

_LOG: Final = structlog.get_logger("censusd.service")
_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 10.0
_ANSWER_WITHIN: Final = 3.0


def once_available(step: Callable[[], None], stopping: threading.Event, tell: Callable[[str], None]) -> bool:
    """Do something that needs the database, as often as it takes, ever more slowly. Says whether it was done.

    Args:
        step: what is to be done.
        stopping: ends it.
        tell: told what is waited for; an empty text once it is over.

    Raises:
        CatalogueError: the database refuses; and whatever else ``step`` raises.
    """
    pause, waited = _FIRST_RETRY, False
    while not stopping.is_set():
        try:
            step()
        except CatalogueUnavailableError as error:
            if not waited:
                _LOG.warning("waiting for the database", why=str(error))
            waited = True
            tell(f"waiting for the database: {error}")
            stopping.wait(pause)
            pause = min(_LAST_RETRY, pause * 2)
            continue
        tell("")
        return True
    return False


def break_off_if_silent(catalogue: Catalogue) -> None:
    """Release whoever waits for a database that does not answer; where it does, let them finish with it."""

    def ask() -> None:
        with catalogue.transaction() as cursor:
            cursor.execute("SELECT 1")

    try:
        Errands("the database", 1).run(ask, _ANSWER_WITHIN)
    except (TimeoutError, CensusError) as error:
        _LOG.error("ended without the database", why=str(error) or "it does not answer")
        catalogue.break_off()
