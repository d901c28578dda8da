"""Having pictures described: one loop in a thread of its own, one picture at a time, in nobody's way.

See ``outlook`` for when, ``feed`` for which, ``work`` for what happens to each, and ``breaker`` for what happens when
the server is away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final

import structlog

from censusd import metrics
from censusd.catalogue import deep_queue, descriptions
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.deep_queue import QueuedRepository
from censusd.catalogue.descriptions import Picture, Position, Wanted
from censusd.deepscan.idle import Condition, IdleRules
from censusd.deepscan.sites import OPEN, SiteRules
from censusd.describe.breaker import Verdict
from censusd.describe.feed import Feed
from censusd.describe.outlook import Outlook
from censusd.describe.rules import TYPES, DescribeRules
from censusd.describe.trouble import StoppedError
from censusd.describe.work import Rhythm, Work
from censusd.errors import CatalogueUnavailableError

_LOG: Final = structlog.get_logger("censusd.describe")

_TICK: Final = 1.0
_WEIGHING_TICK: Final = 0.1
_SLOW: Final = 0.5
_AFTER_FAULT: Final = 15.0
_COUNT_EVERY: Final = 60.0
_PURGE_AFTER: Final = 600.0
_PURGE_EVERY: Final = 86400.0
_PAGE: Final = 500


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


@dataclass(slots=True)
class _Site:
    """One repository.

    Attributes:
        rules: how it is deep-scanned.
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
        self._database_waits = ""
        self._worked = False
        self._next: tuple[_Site, Picture] | None = None
        self._next_look = self._next_due = self._next_count = 0.0
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
                pause = _TICK
            except Exception:  # noqa: BLE001 - a fault of ours must not end it for good, and harms nobody else
                _LOG.exception("unexpected", loop="describe")
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
        self._look_around(now)
        if (pause := self._wait_for_moment()) is not None:
            return pause
        self._look_after_rows(now)
        if self._next is None and (pause := self._find_next(now)) is not None:
            return pause
        return self._go_on(now)

    def _wait_for_moment(self) -> float | None:
        """Seconds to wait because others need the machine, or None if it may be used."""
        records = [site.record for site in self._sites.values() if site.record is not None]
        why = self._outlook.why_not(records, self._database_waits, worked=self._worked)
        if not why:
            return None
        if self._outlook.is_weighing:
            return _WEIGHING_TICK
        self._worked = False
        waits = self._next is not None or any(not site.feed.is_empty for site in self._sites.values() if site.is_open)
        self._tell(State.WAITING if waits else State.NOTHING, why if waits else "")
        return _TICK

    def _go_on(self, now: float) -> float:
        """Describe the picture at hand, or see whether the server is back. Returns seconds to wait."""
        breaker = self._work.breaker
        verdict = breaker.verdict(now)
        if not breaker.may_ask(now):
            away = verdict is not Verdict.CLOSED
            self._tell(State.AWAY if away else State.WAITING, breaker.why)
            self._worked = False
            return min(_TICK, breaker.rest_until - now)
        self._worked = True
        if verdict is Verdict.HALF_OPEN:
            self._tell(State.AWAY, breaker.why)
            self._work.probe()
        elif self._next is not None:
            (site, picture), self._next = self._next, None
            if site.record is not None:
                self._tell(State.WORKING, "")
                done = self._work.describe(site.rules.name, site.record.id, site.rules.root, picture)
                self._stretch = (self._stretch[0] + done, self._stretch[1])
        return 0.0

    # Which picture ---------------------------------------------------------------------------------------------------

    def _look_around(self, now: float) -> None:
        """Once a second: how the repositories stand."""
        if now < self._next_look:
            return
        self._next_look = now + _TICK
        began = time.monotonic()
        with self._catalogue.transaction() as cursor:
            records = {one.name: one for one in deep_queue.overview(cursor, list(self._sites))}
        slow = time.monotonic() - began > _SLOW or self._catalogue.statistics().get("requests_waiting", 0) > 0
        self._database_waits = "it is slow to answer" if slow else ""
        for name, site in self._sites.items():
            site.record = records.get(name)
            if site.record is not None:
                site.feed.notice(site.record.change_number)

    def _find_next(self, now: float) -> float | None:
        """Find the next picture. Returns seconds to wait if there is none, None if there is one."""
        sites = [site for site in self._sites.values() if site.is_open]
        if now >= self._next_due:
            for site in sites:
                if found := self._due(site):
                    self._next = site, found
                    return None
            self._next_due = now + _TICK
        for site in sites:
            picture = site.feed.next(partial(self._page, site))
            if picture is not None:
                self._next = site, picture
                # The others first, the next time.
                self._sites[site.rules.name] = self._sites.pop(site.rules.name)
                return None
        if any(not site.feed.is_empty for site in sites):
            return 0.0
        self._worked = False
        self._tell(State.NOTHING, "")
        return _TICK

    def _due(self, site: _Site) -> Picture | None:
        if site.record is None:
            return None
        with self._catalogue.transaction() as cursor:
            found = descriptions.due(cursor, site.record.id, self._wanted(site), 1)
        return found[0] if found else None

    def _page(self, site: _Site, after: int, position: Position) -> tuple[Position | None, list[Picture]]:
        """The next pictures of a repository; those that cannot be sent are put on record as skipped."""
        if site.record is None:
            return None, []
        rules = self._terms.rules
        with self._catalogue.transaction() as cursor:
            reached, found = descriptions.page(cursor, site.record.id, self._wanted(site), after, position, _PAGE)
            reasons = [(one, rules.why_unfit(one.mime_type, one.size)) for one in found]
            unfit = [(one.content_hash, why) for one, why in reasons if why]
            skipped = descriptions.skip(cursor, rules.model, unfit)
        metrics.DESCRIBE_PICTURES.labels("skipped").inc(skipped)
        return reached, [one for one, why in reasons if not why]

    def _wanted(self, site: _Site) -> Wanted:
        rules = self._terms.rules
        return Wanted(rules.model, TYPES, rules.largest, site.rules.unasked)

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
            for site in self._sites.values():
                # Whatever was overlooked, or deleted by somebody, is found now.
                site.feed = Feed()
                self._next_look = 0.0
            if purged:
                _LOG.info("descriptions of pictures that are gone were deleted", descriptions=purged)

    # Terms and state -------------------------------------------------------------------------------------------------

    def _take(self, terms: Terms) -> None:
        self._terms = terms
        self._outlook = Outlook(terms.idle, self._deep_scan)
        self._work = Work(self._catalogue, self._worker, terms.rules, self._rhythm, self._waiting)
        self._sites = {one.name: _Site(one) for one in terms.sites}
        self._next = None
        self._next_look = self._next_count = 0.0

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
            self._stretch = (0, time.monotonic())
            _LOG.debug("describing", state=str(state), why=why or None, was=str(self.state))
        self.state, self.why = state, why
