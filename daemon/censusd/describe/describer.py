"""Having pictures described: one loop in a thread of its own, one picture at a time, in nobody's way.

See ``outlook`` for when, ``finder`` for which, ``work`` for what happens to each, and ``breaker`` for what happens when
the server is away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog

from censusd import metrics
from censusd.catalogue import descriptions
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.descriptions import Picture
from censusd.deepscan.idle import Condition, IdleRules
from censusd.deepscan.sites import SiteRules
from censusd.describe.breaker import Verdict
from censusd.describe.finder import Finder, Site
from censusd.describe.outlook import Outlook
from censusd.describe.rules import DescribeRules
from censusd.describe.trouble import StoppedError
from censusd.describe.work import Rhythm, Work
from censusd.errors import CatalogueUnavailableError

_LOG: Final = structlog.get_logger("censusd.describe")

_TICK: Final = 1.0
_WEIGHING_TICK: Final = 0.1
_AFTER_FAULT: Final = 15.0
_COUNT_EVERY: Final = 60.0
_PURGE_AFTER: Final = 600.0
_PURGE_EVERY: Final = 86400.0


class State(StrEnum):
    """What is done about pictures, or why not."""

    WORKING = "working"
    NOTHING = "nothing to do"
    OFF = "off"
    WAITING = "waiting"
    """It is not the moment."""
    AWAY = "server away"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the describer works by.

    Attributes:
        rules: who is asked, and how.
        idle: when the machine is idle.
        sites: the repositories, as they are deep-scanned: what that leaves alone, this does, too.
    """

    rules: DescribeRules
    idle: IdleRules
    sites: tuple[SiteRules, ...]


class Describer:
    """Describes pictures in a thread of its own.

    Args:
        catalogue: the database.
        terms: what it works by.
        worker: this process's name to others; never used by another process.
        deep_scan: what the deep scan is doing; it comes first.
        beat: called often, as proof that the loop is alive.
        rhythm: when to try again.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        terms: Terms,
        worker: str,
        *,
        deep_scan: Callable[[], Condition],
        beat: Callable[[], None] = lambda: None,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._worker = worker
        self._deep_scan = deep_scan
        self._beat = beat
        self._rhythm = rhythm or Rhythm()
        self._new: Terms | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._worked = False
        self._next: tuple[Site, Picture] | None = None
        self._next_count = 0.0
        self._next_purge = time.monotonic() + _PURGE_AFTER
        self._counts = (0, 0, 0)
        self._stretch = (0, 0.0)
        self.state, self.why = State.OFF, ""
        self._take(terms)
        self._thread = threading.Thread(target=self._run, name="describe", daemon=True)

    # For other threads -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end, also while a server thinks. Returns at once; may be called at any time, and again."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the loop has ended. Says whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def reconfigure(self, terms: Terms) -> None:
        """Work by other terms from now on; if they are others, what is under way ends at once, and is begun anew."""
        self._new = terms
        self._wake.set()

    @property
    def is_alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def status(self) -> dict[str, Any]:
        """How it stands, fit for JSON."""
        rules, breaker = self._terms.rules, self._work.breaker
        described, given_up, skipped = self._counts
        return {
            "state": str(self.state),
            "why": self.why,
            "server": str(rules.endpoint),
            "model": rules.model,
            "breaker": str(breaker.verdict(time.monotonic())),
            "server_trouble": breaker.why,
            "described": described,
            "given_up": given_up,
            "skipped": skipped,
        }

    # The loop --------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat()
            try:
                pause = self._step()
            except StoppedError:
                pause = 0.0
            except CatalogueUnavailableError as error:
                self._tell(State.WAITING, f"database: it is away: {error}")
                # What was at hand may not have been claimed.
                self._finder.restart()
                pause = _TICK
            except Exception:  # noqa: BLE001 - a fault of ours must not end it for good, and harms nobody else
                _LOG.exception("unexpected", loop="describe")
                self._finder.restart()
                pause = _AFTER_FAULT
            self._rest(pause)
        self._tell(State.OFF, "")

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._wake.is_set() and (left := until - time.monotonic()) > 0:
            self._beat()
            self._wake.wait(min(left, _TICK))
        self._wake.clear()

    def _step(self) -> float:
        """Do what can be done now. Returns seconds to wait before the next step."""
        new, self._new = self._new, None
        if new is not None and new != self._terms:
            self._take(new)
        if not self._terms.rules.enabled:
            self._tell(State.OFF, "")
            return _TICK
        now = time.monotonic()
        self._finder.look_around(now)
        if (pause := self._wait_for_moment()) is not None:
            return pause
        self._look_after_rows(now)
        if self._next is None:
            self._next = self._finder.next(now)
        if self._next is not None:
            return self._go_on(now, *self._next)
        if not self._finder.is_empty:
            return 0.0
        self._worked = False
        self._tell(State.NOTHING, "")
        return _TICK

    def _wait_for_moment(self) -> float | None:
        """Seconds to wait because others need the machine, or None if it may be used."""
        finder = self._finder
        why = self._outlook.why_not(finder.records, finder.database_waits, worked=self._worked)
        if not why:
            return None
        if self._outlook.is_weighing:
            return _WEIGHING_TICK
        self._worked = False
        waits = self._next is not None or not finder.is_empty
        self._tell(State.WAITING if waits else State.NOTHING, why if waits else "")
        return _TICK

    def _go_on(self, now: float, site: Site, picture: Picture) -> float:
        """Describe a picture, or see whether the server is back. Returns seconds to wait."""
        breaker = self._work.breaker
        verdict = breaker.verdict(now)
        if not breaker.may_ask(now):
            self._tell(State.WAITING if verdict is Verdict.CLOSED else State.AWAY, breaker.why)
            self._worked = False
            return min(_TICK, breaker.rest_until - now)
        self._worked = True
        if verdict is Verdict.HALF_OPEN:
            self._tell(State.AWAY, breaker.why)
            self._work.probe()
            return 0.0
        self._next = None
        self._tell(State.WORKING, "")
        if site.record is not None:
            done = self._work.describe(site.rules.name, site.record.id, site.rules.root, picture)
            self._stretch = (self._stretch[0] + done, self._stretch[1])
        return 0.0

    def _look_after_rows(self, now: float) -> None:
        """Now and then: count, delete what was said of content that is gone, and look at everything again."""
        if now >= self._next_count:
            self._next_count = now + _COUNT_EVERY
            with self._catalogue.transaction() as cursor:
                self._counts = descriptions.counts(cursor, self._terms.rules.model)
        if now >= self._next_purge:
            self._next_purge = now + _PURGE_EVERY
            with self._catalogue.transaction() as cursor:
                purged = descriptions.purge(cursor)
            # Whatever was overlooked, or deleted by somebody, is found now.
            self._finder.restart()
            if purged:
                _LOG.info("descriptions of pictures that are gone were deleted", descriptions=purged)

    # Terms and state -------------------------------------------------------------------------------------------------

    def _take(self, terms: Terms) -> None:
        self._terms = terms
        self._outlook = Outlook(terms.idle, self._deep_scan)
        self._work = Work(self._catalogue, self._worker, terms.rules, self._rhythm, self._waiting)
        self._finder = Finder(self._catalogue, terms.rules, terms.sites)
        self._next = None
        self._next_count = 0.0

    def _waiting(self) -> None:
        """Called a few times a second while a picture is worked on."""
        self._beat()
        if self._stopping.is_set():
            raise StoppedError("it is being stopped")
        new = self._new
        if new is not None and new != self._terms:
            raise StoppedError("the configuration has changed")

    def _tell(self, state: State, why: str) -> None:
        for one in State:
            metrics.DESCRIBE_STATE.labels(one).set(one is state)
        verdict = self._work.breaker.verdict(time.monotonic())
        for each in Verdict:
            metrics.DESCRIBE_BREAKER.labels(each).set(each is verdict)
        if state is not self.state:
            described, began = self._stretch
            if self.state is State.WORKING and described:
                seconds = round(time.monotonic() - began, 1)
                _LOG.info("described", pictures=described, seconds=seconds, model=self._terms.rules.model)
                self._next_count = 0.0
            self._stretch = (0, time.monotonic())
            _LOG.debug("describing", state=str(state), why=why or None, was=str(self.state))
        self.state, self.why = state, why
