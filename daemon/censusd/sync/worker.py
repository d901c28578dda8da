"""One loop per repository, the only writer of its paths: everything that changes the catalogue goes through here.

The loop takes the repository's lease, keeps its watch, and does one thing at a time: a pass that is owed, what somebody
asked for, what the watch reported and is due. Whatever goes wrong ends the piece of work, never the loop; what could
not be done is owed and tried again, ever more slowly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from censusd.catalogue import journal, repositories
from censusd.catalogue.connection import Catalogue
from censusd.errors import (
    CancelledError,
    CatalogueError,
    CatalogueUnavailableError,
    CensusError,
    LeaseLostError,
    RootOfflineError,
)
from censusd.filesystem.names import text_of
from censusd.model import RepositoryState, Scope, SyncOperation, Trigger
from censusd.sync import ownership, reporting
from censusd.sync.adoption import adopt
from censusd.sync.context import Repository, Rules
from censusd.sync.purge import purge
from censusd.sync.reconciler import Hooks, Options
from censusd.sync.requests import Kind, Request, RequestQueue
from censusd.sync.upkeep import Upkeep
from censusd.sync.watching import WatchRules
from censusd.watch.debounce import DirtySet

_LOG: Final = structlog.get_logger("censusd.sync")
_TICK: Final = 1.0
_ROOT_EVERY: Final = 2.0
_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 30.0
_MOST_ROUNDS: Final = 10


class Phase(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    STANDBY = "standby"
    SCANNING = "scanning"
    WATCHING = "watching"
    OFFLINE = "offline"
    WAITING = "waiting for the database"
    TROUBLED = "trying again"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a worker works.

    Attributes:
        rules: how the repository is treated.
        watch: how changes in it are noticed.
        lease_ttl: seconds after which a silent owner loses it.
        owner: this process's name to other daemons.
    """

    rules: Rules
    watch: WatchRules
    lease_ttl: float
    owner: str


class Worker:
    """Looks after one repository in a thread of its own.

    Args:
        terms: how to treat it.
        catalogue: the database.
        beat: called often, as proof that the loop is alive.
        on_pass: called in the worker's thread after each complete pass, with what it did.

    Attributes:
        phase: what it is doing.
        why: a sentence about the phase, where there is something to say.
    """

    def __init__(
        self,
        terms: Terms,
        catalogue: Catalogue,
        *,
        beat: Callable[[], None] = lambda: None,
        on_pass: Callable[[Worker, SyncOperation], None] = lambda _worker, _operation: None,
    ) -> None:
        self.terms = terms
        self.phase = Phase.STARTING
        self.why = ""
        self.repository: Repository | None = None
        self.upkeep: Upkeep | None = None
        self.dirty_set = DirtySet(
            quiet=terms.watch.debounce,
            max_latency=terms.watch.max_latency,
            rules_file=terms.rules.ignore_file,
            on_first=self._wake_up,
        )
        self._catalogue = catalogue
        self._beat = beat
        self._on_pass = on_pass
        self._requests = RequestQueue()
        self._owed: Trigger | None = None
        self._new_terms: Terms | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._lease_lost = threading.Event()
        self._look_at_root = 0.0
        self._next_poll: float | None = None
        self._retry_after = _FIRST_RETRY
        self._outage = False
        self._retire = False
        self._thread = threading.Thread(target=self._run, name=f"repository {terms.rules.name}", daemon=True)

    # For other threads -----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.terms.rules.name

    @property
    def polls(self) -> bool:
        """Whether changes are found by short intervals, because there are not all events."""
        watching = self.upkeep.watching if self.upkeep else None
        return watching is not None and watching.polls

    @property
    def is_alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, retire: bool = False) -> None:
        """Ask the loop to end after the batch it is at. Returns at once; may be called at any time, and again.

        Args:
            retire: also record that nobody looks after the repository any more; its rows stay.
        """
        self._retire = self._retire or retire
        self._stopping.set()
        self._requests.close(CancelledError(f"{self.name} is being stopped"))
        self._wake_up()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the loop has ended. Says whether it has."""
        if self._thread.ident is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def submit(self, request: Request) -> Request:
        """Ask for a piece of work. Returns the request to wait for.

        Raises:
            CancelledError: the worker is being stopped.
            CensusError: too much is waiting already.
        """
        request = self._requests.put(request)
        self._wake_up()
        return request

    def sync(self, timeout: float) -> None:
        """Wait until every change made on disk before this call is committed.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: that took too long.
            CensusError: it cannot be done, and why.
        """
        deadline = time.monotonic() + timeout
        if self.phase in {Phase.STANDBY, Phase.OFFLINE}:
            raise CensusError(f"{self.name} is {self.phase}: {self.why}")
        watching = self.upkeep.watching if self.upkeep else None
        watcher = watching.watcher if watching else None
        reliable = watching is not None and watcher is not None and not watching.polls
        if watcher is not None and reliable:
            barrier = watcher.barrier()
            reliable = barrier.wait(max(0.0, deadline - time.monotonic()))
        kind = Kind.FLUSH if reliable else Kind.RECONCILE
        self.submit(Request(kind, Trigger.MANUAL)).wait(max(0.0, deadline - time.monotonic()))

    def reconfigure(self, terms: Terms) -> None:
        """Work on other terms from the next piece of work on."""
        self._new_terms = terms
        self._wake_up()

    def renew(self) -> None:
        """Hold the lease for another while; to be called well before it runs out, from a thread that is never busy."""
        repository = self.repository
        if repository is None:
            return
        try:
            with self._catalogue.transaction() as cursor:
                if not repositories.renew(cursor, repository.lease, self.terms.lease_ttl):
                    self._lease_lost.set()
                    self._wake_up()
        except CatalogueError as error:
            _LOG.warning("the lease could not be renewed", repository=self.name, why=str(error))

    # The loop --------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat()
            try:
                if self.upkeep is None and not self._take_over():
                    self._rest(min(self.terms.lease_ttl / 3, 5.0))
                    continue
                self._step()
                self._retry_after = _FIRST_RETRY
            except CancelledError:
                continue
            except LeaseLostError as error:
                self._let_go(str(error))
            except RootOfflineError as error:
                self._go_offline(str(error))
            except CatalogueUnavailableError as error:
                self._outage = True
                self._try_again(Phase.WAITING, str(error))
            except Exception as error:  # noqa: BLE001 - a fault of ours must not leave a repository on its own
                _LOG.exception("unexpected", repository=self.name)
                self._owe(Trigger.OVERFLOW)
                self._try_again(Phase.TROUBLED, f"{type(error).__name__}: {error}")
        self._finish()

    def _step(self) -> None:
        """Do the next thing, or wait until there is one."""
        if self._lease_lost.is_set():
            raise LeaseLostError("the lease ran out, and another daemon took it")
        upkeep = self._owned()
        self._take_new_terms()
        if self._outage:
            upkeep.recover("the database was not available")
            self._outage = False
            self._owe(Trigger.RECONCILIATION)
        if self.phase is Phase.OFFLINE and not self._root_is_back():
            self._refuse_requests()
            self._rest(_TICK)
        elif self._owed is not None:
            self._complete_pass(self._owed)
        elif (request := self._requests.take()) is not None:
            self._serve(request)
        elif self._is_due():
            self._realtime(self.dirty_set.take_due)
        elif self._next_poll is not None and time.monotonic() >= self._next_poll:
            self._complete_pass(Trigger.RECONCILIATION)
        elif upkeep.look_again_at is not None and time.monotonic() >= upkeep.look_again_at:
            upkeep.look_again()
        else:
            self._look_around()
            due = self.dirty_set.next_due()
            self._rest(_TICK if due is None else min(_TICK, due - time.monotonic()))

    def _take_over(self) -> bool:
        """Become the owner, if nobody else is."""
        self.terms, self._new_terms = self._new_terms or self.terms, None
        rules = self.terms.rules
        with self._catalogue.transaction() as cursor:
            number = repositories.register(cursor, rules.name, text_of(bytes(rules.root)))
        lease, holder = ownership.acquire(self._catalogue, number, self.terms.owner, self.terms.lease_ttl)
        if lease is None:
            self._say(Phase.STANDBY, f"{holder.split('/')[0]} (process {holder.split('/')[1]}) looks after it")
            return False
        self._lease_lost.clear()
        self.repository = Repository(number, rules, lease, self._catalogue)
        with self._catalogue.transaction() as cursor:
            repositories.begin_write(cursor, lease)
            interrupted = journal.close_interrupted(cursor, lease)
        if interrupted:
            _LOG.info("closed what an earlier daemon left running", repository=self.name, operations=interrupted)
        self.upkeep = Upkeep(
            self.repository,
            self.terms.watch,
            self.dirty_set,
            Hooks(
                cancelled=self._is_cancelled, beat=self._beat, due=self._other_work_is_due, other_work=self._other_work
            ),
            on_root_changed=lambda _reason: self._wake_up(look_at_root=True),
            on_overflow=lambda: _LOG.warning("events were lost: a pass will find what they said", repository=self.name),
        )
        self._say(Phase.STARTING)
        self._owe(Trigger.STARTUP)
        return True

    def _complete_pass(self, trigger: Trigger, options: Options | None = None) -> SyncOperation:
        upkeep = self._owned()
        self._owed = None
        try:
            if trigger is not Trigger.OVERFLOW and self._may_flush():
                # What the watch has reported is not drift that it missed.
                self._realtime(self.dirty_set.take_all)
            if Trigger.OVERFLOW in {trigger, self._owed}:
                upkeep.distrust_watch("events were lost")
            self._owed = None
            self._say(Phase.SCANNING)
            operation = upkeep.complete_pass(trigger, options)
        except BaseException:
            self._owe(trigger)
            raise
        self._say(Phase.WATCHING)
        watching = upkeep.watching
        polls = watching is not None and watching.polls
        self._next_poll = time.monotonic() + self.terms.watch.poll_interval if polls else None
        self._on_pass(self, operation)
        return operation

    def _realtime(self, take: Callable[[], Scope]) -> SyncOperation | None:
        """Look at what was reported; if that is everything, a complete pass is owed instead."""
        waited = self.dirty_set.oldest_age()
        scope = take()
        if not scope:
            return None
        if scope.is_whole:
            self._owe(Trigger.OVERFLOW)
            return None
        return self._owned().realtime(scope, waited)

    def _flush(self) -> SyncOperation | None:
        """Look at everything that was reported, and at what that leads on to."""
        operation = self._realtime(self.dirty_set.take_all)
        self._follow()
        return operation

    def _follow(self) -> None:
        """Look at what the last work has left over. What is still left in the end has changed since that began."""
        upkeep = self._owned()
        for _ in range(_MOST_ROUNDS):
            if not upkeep.left_over or self._owed is not None:
                return
            upkeep.left_over = False
            self._realtime(self.dirty_set.take_all)

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
                operation = self._owned().partial_pass(request.scope, request.trigger, request.options)
                self._follow()
        except BaseException as error:
            self._refuse(request, error)
            raise
        request.settle(operation)

    @staticmethod
    def _refuse(request: Request, error: BaseException) -> None:
        request.settle(error=error if isinstance(error, Exception) else CancelledError("interrupted"))

    def _purge(self) -> SyncOperation | None:
        upkeep = self._owned()
        operation = purge(upkeep.repository, Trigger.RECONCILIATION, self._is_cancelled)
        if operation is not None:
            reporting.settled(self.name, operation)
        return operation

    def _adopt(self, request: Request) -> SyncOperation | None:
        operation = adopt(self._owned().repository, request.pairs, request.trigger)
        if operation is not None:
            reporting.settled(self.name, operation)
        return operation

    # Between the batches of a pass -----------------------------------------------------------------------------------

    def _other_work_is_due(self) -> bool:
        return self._is_due() or (self._may_flush() and self._requests.has(Kind.FLUSH))

    def _other_work(self) -> bool:
        """What the watch reported is not kept waiting by a long pass."""
        done = False
        if self._is_due():
            self._realtime(self.dirty_set.take_due)
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
        watching = self.upkeep.watching if self.upkeep else None
        return watching is not None and watching.watcher is not None and watching.complete and self._owed is None

    # The root --------------------------------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Every now and then, see that the root is still there."""
        now = time.monotonic()
        if now < self._look_at_root:
            return
        self._look_at_root = now + _ROOT_EVERY
        reason = self._owned().why_offline()
        if reason is not None:
            raise RootOfflineError(reason)
        watching = self._owned().watching
        stats = watching.stats() if watching else None
        if stats is not None and not stats.running:
            _LOG.error("the watch broke down and is set up again", repository=self.name, why=stats.failure)
            self._owned().disarm()
            self._owe(Trigger.OVERFLOW)

    def _root_is_back(self) -> bool:
        if time.monotonic() < self._look_at_root and not self._requests.has():
            return False
        self._look_at_root = time.monotonic() + _ROOT_EVERY
        reason = self._owned().why_offline()
        if reason is None:
            self._owe(Trigger.REMOUNT)
            return True
        self.why = reason
        return self._requests.has_released()

    def _go_offline(self, reason: str) -> None:
        """The root is not the one on record: touch nothing, and wait for it."""
        if self.phase is not Phase.OFFLINE:
            _LOG.warning("offline", repository=self.name, why=reason)
        self._say(Phase.OFFLINE, reason)
        self._owed = None
        self._next_poll = None
        if self.upkeep is not None:
            self.upkeep.disarm()
            self.dirty_set.take_all()
            try:
                self.upkeep.set_state(RepositoryState.OFFLINE, reason)
            except CensusError as error:
                _LOG.warning("could not record that it is offline", repository=self.name, why=str(error))
        self._look_at_root = time.monotonic() + _ROOT_EVERY

    def _refuse_requests(self) -> None:
        while (request := self._requests.take()) is not None:
            request.settle(error=RootOfflineError(f"{self.name} is offline: {self.why}"))

    # Helpers ---------------------------------------------------------------------------------------------------------

    def _owned(self) -> Upkeep:
        if self.upkeep is None:
            raise LeaseLostError(f"{self.name} is not looked after by this daemon")
        return self.upkeep

    def _owe(self, trigger: Trigger) -> None:
        self._owed = self._owed or trigger

    def _is_due(self) -> bool:
        due = self.dirty_set.next_due()
        return due is not None and due <= time.monotonic()

    def _is_cancelled(self) -> bool:
        return self._stopping.is_set() or self._lease_lost.is_set()

    def _take_new_terms(self) -> None:
        terms, self._new_terms = self._new_terms, None
        if terms is None:
            return
        old, self.terms = self.terms, terms
        self.dirty_set.quiet, self.dirty_set.max_latency = terms.watch.debounce, terms.watch.max_latency
        upkeep = self._owned()
        upkeep.change_rules(terms.rules, terms.watch)
        if terms.rules != old.rules or upkeep.watching is None:
            self._owe(Trigger.MANUAL)

    def _try_again(self, phase: Phase, why: str) -> None:
        if self.phase is not phase:
            _LOG.warning(str(phase), repository=self.name, why=why)
        self._say(phase, why)
        self._rest(self._retry_after)
        self._retry_after = min(_LAST_RETRY, self._retry_after * 2)

    def _say(self, phase: Phase, why: str = "") -> None:
        self.phase, self.why = phase, why

    def _wake_up(self, *, look_at_root: bool = False) -> None:
        if look_at_root:
            self._look_at_root = 0.0
        self._wake.set()

    def _rest(self, seconds: float) -> None:
        self._wake.wait(max(0.0, seconds))
        self._wake.clear()

    def _let_go(self, why: str) -> None:
        """Stop working on a repository that is somebody else's now."""
        _LOG.warning("let go", repository=self.name, why=why)
        if self.upkeep is not None:
            self.upkeep.disarm()
        self.upkeep, self.repository, self._owed = None, None, None
        self.dirty_set.take_all()
        self._say(Phase.STANDBY, why)

    def _finish(self) -> None:
        """Let go of everything, so that another daemon can take over at once."""
        if self.upkeep is not None:
            self.upkeep.disarm()
        if self.repository is not None:
            try:
                with self._catalogue.transaction() as cursor:
                    if self._retire:
                        repositories.retire(cursor, self.repository.lease)
                    repositories.release(cursor, self.repository.lease)
            except CatalogueError as error:
                _LOG.warning("the lease could not be released", repository=self.name, why=str(error))
        self._say(Phase.STOPPED)
