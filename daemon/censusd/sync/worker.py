"""One loop per repository, the only writer of its paths: everything that changes the catalogue goes through here.

The loop takes the repository's lease and does its duty (see ``censusd.sync.duty``) for as long as it has it. Whatever
goes wrong ends the piece of work, never the loop; what could not be done is tried again, ever more slowly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from censusd.catalogue import journal, repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.repositories import Lease
from censusd.errors import (
    CancelledError,
    CatalogueError,
    CatalogueUnavailableError,
    CensusError,
    LeaseLostError,
    RootOfflineError,
)
from censusd.filesystem.names import text_of
from censusd.model import SyncOperation, Trigger
from censusd.sync import ownership
from censusd.sync.context import Beat, Repository
from censusd.sync.duty import Calls, Duty, Inbox
from censusd.sync.requests import Kind, Request, RequestQueue
from censusd.sync.standing import Phase, Standing, Terms
from censusd.sync.upkeep import Upkeep
from censusd.watch.debounce import DirtySet

_LOG: Final = structlog.get_logger("censusd.sync")
_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 30.0
_LAST_RECONNECT: Final = 4.0
"""Where only the database has to come back: asking for a connection takes its time, too."""

_TICK: Final = 0.5


class Worker:
    """Looks after one repository in a thread of its own.

    Args:
        terms: how to treat it.
        catalogue: the database.
        beat: called often, as proof that the loop is alive.
        on_pass: called in the worker's thread after each complete pass, with what it did.

    Attributes:
        terms: how it is treated now.
        dirty_set: what its watch has reported and nobody has looked at yet.
    """

    def __init__(
        self,
        terms: Terms,
        catalogue: Catalogue,
        *,
        beat: Beat = lambda _=0.0, /: None,
        on_pass: Callable[[Worker, SyncOperation], None] = lambda _worker, _operation: None,
    ) -> None:
        self._wake = threading.Event()
        self.terms = terms
        self.dirty_set = DirtySet(on_first=self._wake.set)
        self._catalogue = catalogue
        self._beat = beat
        self._on_pass = on_pass
        self._standing = Standing()
        self._requests = RequestQueue()
        self._lease: Lease | None = None
        self._duty: Duty | None = None
        self._new_terms: Terms | None = None
        self._stopping = threading.Event()
        self._lease_lost = threading.Event()
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
    def phase(self) -> Phase:
        """What it is doing."""
        return self._standing.phase

    @property
    def why(self) -> str:
        """A sentence about the phase, where there is something to say."""
        return self._standing.why

    @property
    def repository(self) -> Repository | None:
        """The repository, if this process owns it."""
        duty = self._duty
        return duty.repository if duty else None

    @property
    def upkeep(self) -> Upkeep | None:
        """Its watch and its passes, if this process owns it."""
        duty = self._duty
        return duty.upkeep if duty else None

    @property
    def polls(self) -> bool:
        """Whether changes are found by short intervals, because there are not all events."""
        upkeep = self.upkeep
        return upkeep is not None and upkeep.watching is not None and upkeep.watching.polls

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
        self._wake.set()

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
        self._wake.set()
        return request

    def sync(self, timeout: float, given_up: Callable[[], bool] = lambda: False) -> None:
        """Wait until every change made on disk before this call is committed.

        Args:
            timeout: seconds.
            given_up: asked now and then whether nobody waits for the answer any more.

        Raises:
            TimeoutError: that took too long, or nobody waits any more.
            CensusError: it cannot be done, and why.
        """
        deadline = time.monotonic() + timeout
        if self.phase in {Phase.STANDBY, Phase.OFFLINE}:
            raise CensusError(f"{self.name} is {self.phase}: {self.why}")

        def patiently(wait: Callable[[float], bool]) -> bool:
            while not wait(min(_TICK, max(0.0, deadline - time.monotonic()))):
                if given_up() or time.monotonic() >= deadline:
                    return False
            return True

        upkeep = self.upkeep
        watching = upkeep.watching if upkeep else None
        kind = Kind.RECONCILE
        watcher = watching.watcher if watching is not None else None
        if watching is not None and watcher is not None and not watching.polls:
            barrier = watcher.barrier()
            if not patiently(barrier.is_released_in):
                barrier.give_up()
                raise TimeoutError
            # Where the watch came to an end meanwhile, it has not told everything: then the disk is asked.
            kind = Kind.FLUSH if barrier.wait(0.0) else Kind.RECONCILE
        request = self.submit(Request(kind, Trigger.MANUAL))
        patiently(request.is_done_in)
        request.wait(0.0)

    def reconfigure(self, terms: Terms) -> None:
        """Work on other terms from the next piece of work on."""
        self._new_terms = terms
        self._wake.set()

    def doubt_root(self) -> None:
        """Something was mounted or unmounted somewhere: look whether the root is still the root."""
        duty = self._duty
        if duty is not None:
            duty.doubt_root()

    def renew(self) -> None:
        """Hold the lease for another while; to be called well before it runs out, from a thread that is never busy."""
        repository = self.repository
        if repository is None:
            return
        try:
            with self._catalogue.transaction() as cursor:
                if not repositories.renew(cursor, repository.lease, self.terms.lease_ttl):
                    self._lease_lost.set()
                    self._wake.set()
        except CatalogueError as error:
            _LOG.warning("the lease could not be renewed", repository=self.name, why=str(error))

    # The loop --------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat()
            try:
                self._rest(self._next())
                self._retry_after = _FIRST_RETRY
            except CancelledError:
                continue
            except LeaseLostError as error:
                self._let_go(str(error))
            except RootOfflineError as error:
                if self._duty is not None:
                    self._duty.go_offline(str(error))
            except CatalogueUnavailableError as error:
                self._outage = True
                self._try_again(Phase.WAITING, str(error), _LAST_RECONNECT)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not leave a repository on its own
                _LOG.exception("unexpected", repository=self.name)
                if self._duty is not None:
                    self._duty.owe(Trigger.OVERFLOW)
                self._try_again(Phase.TROUBLED, f"{type(error).__name__}: {error}")
        self._finish()

    def _next(self) -> float:
        """Do the next thing. Returns for how many seconds there is nothing to do."""
        terms, self._new_terms = self._new_terms, None
        self.terms = terms or self.terms
        if self._duty is None:
            self._duty = self._take_over()
        elif terms is not None:
            self._duty.change_terms(terms)
        if self._duty is None:
            self._requests.refuse(CensusError(f"{self.name} is {self.phase}: {self.why}"))
            return min(self.terms.lease_ttl / 3, 5.0)
        if self._lease_lost.is_set():
            raise LeaseLostError("the lease ran out, and another daemon took it")
        if self._outage:
            self._duty.recover()
            self._outage = False
        return self._duty.step()

    def _take_over(self) -> Duty | None:
        """Become the owner, if nobody else is."""
        rules = self.terms.rules
        with self._catalogue.transaction() as cursor:
            number = repositories.register(cursor, rules.name, text_of(bytes(rules.root)))
        lease, holder = ownership.acquire(self._catalogue, number, self.terms.owner, self.terms.lease_ttl)
        if lease is None:
            self._standing.say(Phase.STANDBY, f"{ownership.described(holder)} looks after it")
            return None
        self._lease = lease
        self._lease_lost.clear()
        with self._catalogue.transaction() as cursor:
            repositories.begin_write(cursor, lease)
            interrupted = journal.close_interrupted(cursor, lease)
        if interrupted:
            _LOG.info("closed what an earlier daemon left running", repository=self.name, operations=interrupted)
        self._standing.say(Phase.STARTING)
        return Duty(
            Repository(number, rules, lease, self._catalogue),
            self.terms,
            self._standing,
            Inbox(self.dirty_set, self._requests),
            Calls(
                beat=self._beat,
                cancelled=lambda: self._stopping.is_set() or self._lease_lost.is_set(),
                wake=self._wake.set,
                passed=lambda operation: self._on_pass(self, operation),
            ),
        )

    def _try_again(self, phase: Phase, why: str, longest: float = _LAST_RETRY) -> None:
        if self.phase is not phase:
            _LOG.warning(str(phase), repository=self.name, why=why)
        self._standing.say(phase, why)
        self._rest(min(longest, self._retry_after))
        self._retry_after = min(_LAST_RETRY, self._retry_after * 2)

    def _rest(self, seconds: float) -> None:
        self._wake.wait(max(0.0, seconds))
        self._wake.clear()

    def _let_go(self, why: str) -> None:
        """Stop working on a repository that is somebody else's now."""
        _LOG.warning("let go", repository=self.name, why=why)
        if self._duty is not None:
            self._duty.end()
        self._duty = self._lease = None
        self._standing.say(Phase.STANDBY, why)

    def _finish(self) -> None:
        """Let go of everything, so that another daemon can take over at once."""
        duty, self._duty = self._duty, None
        if duty is not None:
            duty.end()
        if self._lease is not None:
            try:
                with self._catalogue.transaction() as cursor:
                    if self._retire:
                        repositories.retire(cursor, self._lease)
                    repositories.release(cursor, self._lease)
            except CatalogueError as error:
                _LOG.warning("the lease could not be released", repository=self.name, why=str(error))
        self._standing.say(Phase.STOPPED)
