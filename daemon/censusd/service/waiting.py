"""Waiting for what was ordered: for a bounded number of requests, and no longer than anybody wants to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from censusd.service.refusals import RefusedError, UnavailableError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SLICE: Final = 0.2

GivenUp = Callable[[], bool]
"""Whether whoever asked waits no more, or may not wait any more."""


class Awaited(Protocol[T_co]):
    """Something that is done some time, such as a ``Request`` or a ``Demand``."""

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to wait for any more."""

    def wait(self, timeout: float | None = None, /) -> T_co:
        """Wait until it is done; raises ``TimeoutError`` if it is not by then."""


class WaitingRoom:
    """Where requests wait for what they have ordered. Each holds a connection and a thread, so there is not much room.

    Args:
        most: how many may wait.

    Attributes:
        taken: how many do.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place to wait.

        Raises:
            UnavailableError: there is none.
        """
        with self._lock:
            if self.taken >= self._most:
                raise UnavailableError(
                    f"{self._most} requests are waiting for scans already",
                    hint="it is done all the same; do not wait for it, or try again later",
                )
            self.taken += 1
        try:
            yield
        finally:
            with self._lock:
                self.taken -= 1


def wait_for(
    awaited: Awaited[T],
    timeout: float,
    given_up: GivenUp,
    *,
    late: Callable[[], RefusedError],
    check: Callable[[], None] = lambda: None,
) -> T:
    """What ``awaited`` gives once it is done.

    Args:
        awaited: what to wait for.
        timeout: seconds to wait.
        given_up: asked now and then whether there is still any point in waiting.
        late: says what is the matter when the time is over.
        check: called now and then; raises if it cannot be done any more.

    Raises:
        RefusedError: ``late``'s; or ``check``'s; or nobody waits any more.
        CensusError: it could not be done.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return awaited.wait(max(0.0, min(_SLICE, deadline - time.monotonic())))
        except TimeoutError:
            if awaited.is_done:
                return awaited.wait(0)
            if time.monotonic() >= deadline:
                raise late() from None
            if given_up():
                raise UnavailableError("the daemon is being stopped") from None
            check()
