"""What has to be done for a repository while this process owns it, one piece of work at a time.

A pass that is owed comes first, then what somebody asked for, then what the watch reported and is due. A long pass
makes way for the watch between its batches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from censusd.errors import CancelledError, CensusError, RootOfflineError
from censusd.model import RepositoryState, Scope, SyncOperation, Trigger
from censusd.sync import reporting
from censusd.sync.adoption import adopt
from censusd.sync.context import Beat, Repository
from censusd.sync.purge import Calendar, purge
from censusd.sync.reconciler import Hooks, Options
from censusd.sync.requests import Kind, Request, RequestQueue
from censusd.sync.standing import Phase, Standing, Terms
from censusd.sync.upkeep import Upkeep
from censusd.watch.debounce import DirtySet

_LOG: Final = structlog.get_logger("censusd.sync")
_TICK: Final = 1.0
_ROOT_EVERY: Final = 2.0
_MOST_ROUNDS: Final = 10
_REST_PER_LOOK: Final = 20.0
_POLLS_RESTED: Final = 4.0
"""How many times ``poll_interval`` the longest rest is: what a look waited for may have been the database."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """What there may be to do.

    Attributes:
        dirty_set: what the watch reported.
        requests: what somebody asked for.
    """

    dirty_set: DirtySet
    requests: RequestQueue


@dataclass(frozen=True, slots=True)
class Calls:
    """What the loop that does the work takes part in.

    Attributes:
        beat: called often.
        cancelled: asked often whether to end.
        wake: called from other threads when there is something new to do.
        passed: told what a complete pass did.
    """

    beat: Beat
    cancelled: Callable[[], bool]
    wake: Callable[[], None]
    passed: Callable[[SyncOperation], None]


class Duty:
    """Looks after a repository; used by one thread only.

    Args:
        repository: owned by this process.
        terms: how to treat it.
        standing: is told what is being done.
        inbox: what there may be to do.
        calls: what the loop takes part in.

    Attributes:
        upkeep: its watch and its passes.
    """

    def __init__(self, repository: Repository, terms: Terms, standing: Standing, inbox: Inbox, calls: Calls) -> None:
        self._name = repository.rules.name
        self._standing = standing
        self._dirty_set, self._requests = inbox.dirty_set, inbox.requests
        self._take(terms)
        self._calls = calls
        self._owed: Trigger | None = Trigger.STARTUP
        self._look_at_root = 0.0
        self._in_doubt = threading.Event()
        self._next_poll: float | None = None
        self._look_at_linked_at: float | None = None
        self._calendar = Calendar()
        self.upkeep = Upkeep(
            repository,
            terms.watch,
            self._dirty_set,
            Hooks(
                cancelled=calls.cancelled,
                beat=calls.beat,
                due=self._other_work_is_due,
                other_work=self._other_work,
                in_doubt=self._was_in_doubt,
            ),
            on_root_changed=lambda _reason: self.doubt_root(),
            on_overflow=self._lost_events,
        )

    @property
    def repository(self) -> Repository:
        """The repository, by the rules in force."""
        return self.upkeep.repository

    def owe(self, trigger: Trigger) -> None:
        """A complete pass is to be made as soon as it can be."""
        self._owed = self._owed or trigger

    def doubt_root(self) -> None:
        """Something has happened to the root, or to mounts: look at it at once. From any thread."""
        self._look_at_root = 0.0
        self._in_doubt.set()
        self._calls.wake()

    def recover(self) -> None:
        """The database is back."""
        self.upkeep.recover("the database was not available")
        self.owe(Trigger.RECONCILIATION)

    def change_terms(self, terms: Terms) -> None:
        """Work on other terms from now on."""
        old = self._terms
        self._take(terms)
        self.upkeep.change_rules(terms.rules, terms.watch)
        if terms.rules != old.rules or self.upkeep.watching is None:
            self.owe(Trigger.MANUAL)

    def step(self) -> float:
        """Do the next thing. Returns for how many seconds there is nothing more to do.

        Raises:
            RootOfflineError: the root is not the one on record.
            CancelledError: it was asked to stop.
            LeaseLostError: another daemon owns the repository now.
            CatalogueError: the database refused, or is away.
        """
        if self._standing.phase is Phase.OFFLINE and not self._root_is_back():
            self._requests.refuse(RootOfflineError(f"{self._name} is offline: {self._standing.why}"))
            return _TICK
        if self._owed is not None:
            self._complete_pass(self._owed)
        elif (request := self._requests.take()) is not None:
            self._serve(request)
        elif self._is_due():
            self._realtime(self._dirty_set.take_due)
        elif self._next_poll is not None and time.monotonic() >= self._next_poll:
            self._poll()
        elif self.upkeep.look_again_at is not None and time.monotonic() >= self.upkeep.look_again_at:
            self.upkeep.look_again()
        elif self._look_at_linked_at is not None and time.monotonic() >= self._look_at_linked_at:
            self._look_at_linked()
        else:
            self._look_around()
            due = self._dirty_set.next_due()
            return _TICK if due is None else min(_TICK, due - time.monotonic())
        return 0.0

    def end(self) -> None:
        """Do nothing more: the watch is given up, and what it reported is dropped."""
        self.upkeep.disarm()
        self._dirty_set.take_all()

    # Pieces of work -------------------------------------------------------------------------------------------------

    def _complete_pass(self, trigger: Trigger, options: Options | None = None) -> SyncOperation:
        upkeep, self._owed = self.upkeep, None
        try:
            if trigger is not Trigger.OVERFLOW and self._may_flush():
                # What the watch has reported is not drift that it missed.
                self._realtime(self._dirty_set.take_all)
            if Trigger.OVERFLOW in {trigger, self._owed}:
                upkeep.distrust_watch("events were lost")
            self._owed = None
            self._standing.say(Phase.SCANNING)
            operation = upkeep.complete_pass(trigger, options)
        except BaseException:
            self.owe(trigger)
            raise
        self._standing.say(Phase.WATCHING)
        self._plan_poll()
        # Whoever polls everything looks at every name anyway.
        watching = upkeep.watching
        everything = watching is not None and watching.polled.is_whole
        self._look_at_linked_at = None if everything else time.monotonic() + self._terms.watch.poll_interval
        self._calls.passed(operation)
        return operation

    def _poll(self) -> None:
        """Look at what there are not all events of: everything, or what is mounted somewhere below the root."""
        self._plan_poll()
        watching = self.upkeep.watching
        scope = watching.polled if watching is not None else Scope.whole()
        if scope.is_whole:
            self._complete_pass(Trigger.RECONCILIATION)
        elif scope:
            self.upkeep.partial_pass(scope, Trigger.RECONCILIATION)

    def _plan_poll(self) -> None:
        watching = self.upkeep.watching
        polls = watching is not None and watching.polls
        self._next_poll = time.monotonic() + self._terms.watch.poll_interval if polls else None

    def _look_at_linked(self) -> None:
        """Look at some files with names that nobody watches, for a small share of the time at most."""
        began = time.monotonic()
        is_all = self.upkeep.look_at_linked()
        interval = self._terms.watch.poll_interval
        rest = min(_REST_PER_LOOK * (time.monotonic() - began), _POLLS_RESTED * interval)
        if is_all:
            rest = max(rest, interval)
        self._look_at_linked_at = time.monotonic() + rest

    def _realtime(self, take: Callable[[], Scope]) -> SyncOperation | None:
        """Look at what was reported; if that is everything, a complete pass is owed instead."""
        waited = self._dirty_set.oldest_age()
        scope = take()
        if not scope:
            return None
        if scope.is_whole:
            self.owe(Trigger.OVERFLOW)
            return None
        return self.upkeep.realtime(scope, waited)

    def _flush(self) -> SyncOperation | None:
        """Look at everything that was reported, and at what that leads on to."""
        operation = self._realtime(self._dirty_set.take_all)
        self._follow()
        return operation

    def _follow(self) -> None:
        """Look at what the last work has left over. What is still left in the end has changed since that began."""
        upkeep = self.upkeep
        for _ in range(_MOST_ROUNDS):
            if not upkeep.left_over or self._owed is not None:
                return
            upkeep.left_over = False
            self._realtime(self._dirty_set.take_all)

    def _serve(self, request: Request) -> None:
        """Do what was asked for, and let those who wait know."""
        try:
            operation: SyncOperation | None
            if request.kind is Kind.FLUSH:
                operation = self._flush()
                if self._owed is not None:
                    operation = self._complete_pass(self._owed)
                    self._follow()
            elif request.kind is Kind.PURGE:
                operation = self._purge()
            elif request.kind is Kind.ADOPT:
                operation = self._adopt(request)
            elif request.scope.is_whole:
                operation = self._complete_pass(request.trigger, request.options)
                self._follow()
            else:
                operation = self.upkeep.partial_pass(request.scope, request.trigger, request.options)
                self._follow()
        except BaseException as error:
            self._refuse(request, error)
            raise
        request.settle(operation)

    @staticmethod
    def _refuse(request: Request, error: BaseException) -> None:
        request.settle(error=error if isinstance(error, Exception) else CancelledError("interrupted"))

    def _purge(self) -> SyncOperation | None:
        operation = purge(self.repository, Trigger.RECONCILIATION, self._calls.cancelled, self._calendar)
        if operation is not None:
            reporting.settled(self._name, operation)
        return operation

    def _adopt(self, request: Request) -> SyncOperation | None:
        operation = adopt(self.repository, request.pairs, request.trigger)
        if operation is not None:
            reporting.settled(self._name, operation)
        return operation

    # Between the batches of a pass -----------------------------------------------------------------------------------

    def _other_work_is_due(self) -> bool:
        return self._is_due() or (self._may_flush() and self._requests.has(Kind.FLUSH))

    def _other_work(self) -> bool:
        """What the watch reported is not kept waiting by a long pass."""
        done = False
        if self._is_due():
            self._realtime(self._dirty_set.take_due)
            done = True
        while self._may_flush() and (request := self._requests.take(Kind.FLUSH)) is not None:
            done = True
            try:
                operation = self._flush()
            except BaseException as error:
                self._refuse(request, error)
                raise
            if self._owed is None:
                request.settle(operation)
            else:
                self._requests.put_back(request)
        return done

    def _may_flush(self) -> bool:
        """Whether the watch alone says all: every directory was covered before this pass, and nothing was lost."""
        watching = self.upkeep.watching
        return watching is not None and watching.watcher is not None and watching.complete and self._owed is None

    # The root --------------------------------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Every now and then, see that the root is still there."""
        now = time.monotonic()
        if now < self._look_at_root:
            return
        self._look_at_root = now + _ROOT_EVERY
        reason = self.upkeep.why_offline()
        if reason is not None:
            raise RootOfflineError(reason)
        if self.upkeep.notice_mounts():
            self.upkeep.disarm()
            self.owe(Trigger.REMOUNT)
        self._look_at_watch()

    def _look_at_watch(self) -> None:
        watching = self.upkeep.watching
        stats = watching.stats() if watching else None
        if stats is None or stats.running:
            return
        then = self.upkeep.give_watch_up(stats.failure)
        _LOG.error(f"the watch broke down: {then}", repository=self._name, why=stats.failure)
        # What it told last is part of what the pass finds.
        self._dirty_set.take_all()
        self.owe(Trigger.OVERFLOW)

    def _root_is_back(self) -> bool:
        if time.monotonic() < self._look_at_root and not self._requests.has():
            return False
        self._look_at_root = time.monotonic() + _ROOT_EVERY
        reason = self.upkeep.why_offline()
        if reason is None:
            self.owe(Trigger.REMOUNT)
            return True
        self._standing.why = reason
        return self._requests.has_released()

    def go_offline(self, reason: str) -> None:
        """The root is not the one on record: touch nothing, and wait for it."""
        if self._standing.phase is not Phase.OFFLINE:
            _LOG.warning("offline", repository=self._name, why=reason)
        self.upkeep.forget_root()
        self._standing.say(Phase.OFFLINE, reason)
        self._owed = None
        self._next_poll = self._look_at_linked_at = None
        self.end()
        try:
            self.upkeep.set_state(RepositoryState.OFFLINE, reason)
        except CensusError as error:
            _LOG.warning("could not record that it is offline", repository=self._name, why=str(error))
        self._look_at_root = time.monotonic() + _ROOT_EVERY

    def _take(self, terms: Terms) -> None:
        self._terms = terms
        self._dirty_set.quiet, self._dirty_set.max_latency = terms.watch.debounce, terms.watch.max_latency
        self._dirty_set.rules_file = terms.rules.ignore_file

    def _was_in_doubt(self) -> bool:
        doubted = self._in_doubt.is_set()
        self._in_doubt.clear()
        return doubted

    def _lost_events(self) -> None:
        _LOG.warning("events were lost: a pass will find what they said", repository=self._name)

    def _is_due(self) -> bool:
        due = self._dirty_set.next_due()
        return due is not None and due <= time.monotonic()
