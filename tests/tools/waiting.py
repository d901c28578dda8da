"""Waiting for what nobody announces."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

DEADLINE = 60.0
"""Seconds after which a test stops waiting and fails."""

_AGAIN = 0.02


def until(
    what: Callable[[], object], why: str | Callable[[], str] = "that never happened", within: float = DEADLINE
) -> None:
    """Ask again and again until it holds; the test fails at the deadline, and says why it waited."""
    deadline, pause = time.monotonic() + within, threading.Event()
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError(why() if callable(why) else why)
        pause.wait(_AGAIN)


def stays(what: Callable[[], object], seconds: float, why: str | Callable[[], str]) -> None:
    """Ask again and again for a while; the test fails as soon as it does not hold. For what no signal tells of."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        if not what():
            raise AssertionError(why() if callable(why) else why)
        pause.wait(_AGAIN)
