"""What is asked of a repository's worker, and the bounded queue it waits in."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from censusd.errors import CancelledError, CensusError
from censusd.model import Scope, SyncOperation, Trigger
from censusd.sync.reconciler import Options

_MOST_WAITING: Final = 64


class Kind(StrEnum):
    """What a request wants."""

    RECONCILE = "reconcile"
    FLUSH = "flush"
    """Whatever the watch has reported until now, without waiting for it to be quiet."""
    PURGE = "purge"
    ADOPT = "adopt"
    """Missing files whose content has turned up elsewhere; see ``Request.pairs``."""


@dataclass(eq=False, slots=True)
class Request:
    """A piece of work for the worker, and the means to wait for it.

    Attributes:
        kind: what is wanted.
        scope: what a reconcile looks at.
        trigger: why it is asked for.
        options: how it differs from an ordinary one.
        pairs: of rows that may be one file: a missing one, and the one that has its content.
        operation: what was done, once it is done.
        error: why it could not be done.
    """

    kind: Kind
    trigger: Trigger
    scope: Scope = field(default_factory=Scope.whole)
    options: Options = field(default_factory=Options)
    pairs: tuple[tuple[int, int], ...] = ()
    operation: SyncOperation | None = None
    error: Exception | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float | None = None) -> SyncOperation | None:
        """Wait until it is done; gives what was done, or None if there was nothing to do.

        Raises:
            TimeoutError: it is not done yet.
            CensusError: it could not be done.
        """
        if not self._done.wait(timeout):
            raise TimeoutError
        if self.error is not None:
            raise self.error
        return self.operation

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._done.is_set()

    def is_done_in(self, seconds: float) -> bool:
        """Wait for so long at the most. Says whether there is nothing to wait for any more."""
        return self._done.wait(seconds)

    def settle(self, operation: SyncOperation | None = None, error: Exception | None = None) -> None:
        """Let those who wait know."""
        self.operation, self.error = operation, error
        self._done.set()

    def serves(self, other: Request) -> bool:
        """Whether doing this, later, does what ``other`` asks for as well."""
        mine, theirs = (self.kind, self.scope, self.options), (other.kind, other.scope, other.options)
        return mine == theirs and self.pairs == other.pairs


class RequestQueue:
    """Requests in the order in which they came; equal ones that have not begun are one. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._closed = False

    def put(self, request: Request) -> Request:
        """Add a request. Returns the one to wait for, which may be an equal one that was there before.

        Raises:
            CensusError: there are too many.
            CancelledError: nothing is accepted any more.
        """
        with self._lock:
            if self._closed:
                raise CancelledError("the repository is being stopped")
            for waiting in self._waiting:
                if waiting.serves(request):
                    return waiting
            if len(self._waiting) >= _MOST_WAITING:
                raise CensusError(f"{_MOST_WAITING} requests are waiting for this repository already: try again later")
            self._waiting.append(request)
        return request

    def put_back(self, request: Request) -> None:
        """Let a request that was taken be the next one again."""
        with self._lock:
            if not self._closed:
                self._waiting.appendleft(request)
                return
        request.settle(error=CancelledError("the repository is being stopped"))

    def take(self, *kinds: Kind) -> Request | None:
        """The next request, of one of the given kinds if any are given; None if there is none."""
        with self._lock:
            for request in self._waiting:
                if not kinds or request.kind in kinds:
                    self._waiting.remove(request)
                    return request
        return None

    def has(self, *kinds: Kind) -> bool:
        """Whether a request of one of the given kinds waits; of any kind if none is given."""
        with self._lock:
            return any(not kinds or request.kind in kinds for request in self._waiting)

    def has_released(self) -> bool:
        """Whether an operator has asked for a reconcile that accepts the root as it is."""
        with self._lock:
            return any(request.options.released for request in self._waiting)

    def close(self, error: Exception) -> None:
        """Accept nothing any more, and let those who wait know why."""
        with self._lock:
            self._closed = True
        self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """Let those who wait now know why they wait in vain."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for request in waiting:
            request.settle(error=error)
