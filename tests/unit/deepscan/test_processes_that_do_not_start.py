"""Worker processes that cannot be started for a while: the attempts leave nothing, and the next one is let start."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from censusd.deepscan.messages import Settings
from censusd.deepscan.processes import Processes, wait
from tests.tools.waiting import until

SETTINGS = Settings(memory=1 << 30, nice=0, families=("tests.tools.hostile:Obedient",))


@pytest.fixture
def processes() -> Iterator[Processes]:
    pool = Processes(1, SETTINGS)
    yield pool
    pool.close()


def descriptors() -> set[int]:
    """Those that this process has open."""
    return set(map(int, os.listdir("/proc/self/fd")))


@contextmanager
def room_for(more: int) -> Iterator[None]:
    """No more than so many descriptors can be opened while the block lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(descriptors())
    fillers = []
    while (filler := os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)) < highest:
        fillers.append(filler)
    resource.setrlimit(resource.RLIMIT_NOFILE, (filler + 1 + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in (*fillers, filler):
            os.close(each)


@pytest.mark.parametrize("more", range(8))
def test_no_descriptor_is_left_of_an_attempt(processes: Processes, more: int) -> None:
    before = descriptors()
    with room_for(more):
        processes.warm_up()
    assert "Too many open files" in processes.fault
    assert descriptors() == before


def test_a_worker_that_is_stopped_before_it_has_started_says_what_it_can_do(processes: Processes) -> None:
    with room_for(0):
        processes.warm_up()
    assert processes.fault

    def is_started() -> bool:
        processes.warm_up()
        return bool(processes.pids)

    def has_greeted() -> bool:
        wait([processes], 0.05)
        return processes.greeting is not None

    until(is_started)
    # As the backlog does for as long as there is a fault.
    processes.pause()
    until(has_greeted, "it has not said a word")
    assert processes.fault == ""
