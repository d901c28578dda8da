"""Waiting for what nobody announces."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

DEADLINE = 60.0
"""Seconds after which a test stops waiting and fails."""

_AGAIN = 0.02


def until(what: Callable[[], object]) -> None:
    """Ask again and again until it holds; the test fails at the deadline."""
    pause = threading.Event()
    for _ in range(int(DEADLINE / _AGAIN)):
        if what():
            return
        pause.wait(_AGAIN)
    pytest.fail("that never happened")
