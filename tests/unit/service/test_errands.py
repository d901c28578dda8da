"""Calls that may block for ever, and those who do not wait that long."""

from __future__ import annotations

import threading
import time

import pytest

from censusd.service.errands import Errands
from censusd.service.refusals import UnavailableError


def test_what_the_call_gives_or_raises_comes_back() -> None:
    errands = Errands("nothing", 1)
    assert errands.run(lambda: 42, 5.0) == 42
    with pytest.raises(ZeroDivisionError):
        errands.run(lambda: 1 // 0, 5.0)


def test_a_call_that_times_out_by_itself_is_not_waited_for() -> None:
    def call() -> None:
        raise TimeoutError("its own")

    began = time.monotonic()
    with pytest.raises(TimeoutError, match="its own"):
        Errands("nothing", 1).run(call, 30.0)
    assert time.monotonic() - began < 10.0


def test_nobody_waits_for_a_call_that_hangs() -> None:
    errands, release = Errands("a stone", 2), threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        errands.run(release.wait, 0.3)
    assert 0.25 < time.monotonic() - began < 2.0
    release.set()


def test_only_so_many_may_hang() -> None:
    errands, release = Errands("a stone", 2), threading.Event()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            errands.run(release.wait, 0.05)
    before = threading.active_count()
    with pytest.raises(UnavailableError, match="2 requests are waiting for a stone already"):
        errands.run(lambda: 42, 0.05)
    assert threading.active_count() == before
    release.set()
    assert errands.run(lambda: 42, 5.0) == 42


def test_waiting_ends_soon_after_it_is_given_up() -> None:
    errands, release = Errands("a stone", 1), threading.Event()
    asked = threading.Event()

    def given_up() -> bool:
        asked.set()
        return True

    began = time.monotonic()
    with pytest.raises(UnavailableError):
        errands.run(release.wait, 60.0, given_up)
    assert asked.is_set()
    assert time.monotonic() - began < 5.0
    release.set()
