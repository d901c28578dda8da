"""Calls that may block for long, made in threads of their own, so that nobody waits for them longer than they like.

A database that hangs or a network share whose server is gone never answer, and nothing in Python can interrupt the
thread that waits for them. So it is left to wait, and a bounded number of such threads is all that can be lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from censusd.service.refusals import UnavailableError

T = TypeVar("T")

_SLICE: Final = 0.2
_SLOT_WITHIN: Final = 2.0


class Errands:
    """Runs a bounded number of calls at a time.

    Args:
        what: what the calls are about, for people.
        most: how many may be under way.
    """

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._most = most
        self._slots = threading.BoundedSemaphore(most)

    def run(self, call: Callable[[], T], timeout: float, given_up: Callable[[], bool] = lambda: False) -> T:
        """What ``call`` gives, or raises.

        Args:
            call: the call.
            timeout: seconds to wait for it.
            given_up: asked now and then whether there is still any point in waiting.

        Raises:
            TimeoutError: it did not come back in time.
            UnavailableError: too many are under way, or ``given_up`` said so.
        """
        deadline = time.monotonic() + timeout
        if not self._slots.acquire(timeout=min(timeout, _SLOT_WITHIN)):
            raise UnavailableError(
                f"{self._most} requests are waiting for {self._what} already", hint="try again in a while"
            )
        future: Future[T] = Future()
        thread = threading.Thread(target=self._run, args=(call, future), name=f"errand {self._what}", daemon=True)
        try:
            thread.start()
        except BaseException:
            self._slots.release()
            raise
        while True:
            try:
                return future.result(max(0.0, min(_SLICE, deadline - time.monotonic())))
            except TimeoutError:
                if future.done():
                    return future.result()
                if time.monotonic() >= deadline:
                    raise
                if given_up():
                    raise UnavailableError("the daemon is being stopped") from None

    def _run(self, call: Callable[[], T], future: Future[T]) -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            future.set_exception(error)
        finally:
            self._slots.release()
