"""Events that the kernel cannot keep, and directories that it does not let us watch."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.faults.arena import REPOSITORY, Arena, trials
from tests.faults.elsewhere import elsewhere
from tests.tools.private import limited
from tests.tools.waiting import until

QUEUE: Final = Path("/proc/sys/fs/inotify/max_queued_events")
WATCHES: Final = Path("/proc/sys/user/max_inotify_watches")
FEW: Final = 12
DIRECTORIES: Final = {False: 2_000, True: 20_000}
"""In the short form, and in the long one."""


def watch(arena: Arena) -> dict[str, Any]:
    """How the watch of the tree stands."""
    [status] = arena.daemon.status()["repositories"]
    found: dict[str, Any] = status["watch"]
    return found


def fill(root: Path, directories: int) -> None:
    """Make so many directories with a file each."""
    for number in range(directories):
        directory = root / f"wide/{number % 100}/{number}"
        directory.mkdir(parents=True)
        (directory / "file").write_text(str(number))


@contextmanager
def stalled(arena: Arena) -> Iterator[None]:
    """The daemon is stopped, and the kernel's queue for it is full."""
    arena.daemon.signal(signal.SIGSTOP)
    try:
        # Two files in turn: two equal events one behind the other are kept as one.
        files = [arena.root / f"wide/{number}/{number}/file" for number in (0, 1)]
        for number in range(int(QUEUE.read_text())):
            files[number % 2].chmod(0o600 if number & 2 else 0o644)
        yield
    finally:
        arena.daemon.signal(signal.SIGCONT)


@trials(minutes=20)
def test_the_event_queue_overflows(arena: Arena) -> None:
    fill(arena.root, DIRECTORIES[arena.trial.long])

    @contextmanager
    def overflowed(arena: Arena) -> Iterator[None]:
        before = watch(arena)
        with stalled(arena):
            arena.workload.wait(arena.trial.operations)
        yield
        until(lambda: watch(arena)["overflows"] > before["overflows"])

    arena.prepare()
    with arena.daemon:
        arena.round(f"event queue overflows, {DIRECTORIES[arena.trial.long]:,} directories", overflowed)
        if arena.trial.long:
            repair_costs_no_more_than_two_passes(arena)


def repair_costs_no_more_than_two_passes(arena: Arena) -> None:
    """Lose events of a tree in which little has changed, and compare with a pass without a change."""
    passes, repairs = [], []
    for number in range(5):
        began = time.monotonic()
        arena.daemon.ctl("scan", "--wait", REPOSITORY)
        passes.append(time.monotonic() - began)
        before = watch(arena)["overflows"]
        with stalled(arena):
            (arena.root / f"lost {number}").touch()
        began = time.monotonic()
        arena.daemon.sync(REPOSITORY)
        repairs.append(time.monotonic() - began)
        assert watch(arena)["overflows"] > before, "no event was lost, and nothing had to be repaired"
        assert f"lost {number}" in arena.daemon.records(REPOSITORY)
    ratio = statistics.median(repairs) / statistics.median(passes)
    said = f"repaired in {statistics.median(repairs):.2f} s, an unchanged pass takes {statistics.median(passes):.2f} s"
    [(_, row)] = arena.rows
    assert isinstance(row, dict)
    row["note"] = said
    assert ratio <= 2, said


# Too few watches -----------------------------------------------------------------------------------------------------


def _too_few(arena: Arena) -> None:
    WATCHES.write_text(str(FEW))
    fill(arena.root, 50)

    @contextmanager
    def polled(arena: Arena) -> Iterator[None]:
        assert watch(arena)["uncovered"] > 0
        assert watch(arena)["polls"]
        yield
        assert watch(arena)["uncovered"] > 0

    arena.prepare()
    with arena.daemon:
        arena.round("too few watches", polled)
        WATCHES.write_text(str(1_000_000))
        arena.round("watches that come later", lambda _: _covered(arena))


@contextmanager
def _covered(arena: Arena) -> Iterator[None]:
    yield
    until(lambda: watch(arena)["uncovered"] == 0)


@trials()
def test_too_few_watches(arena: Arena) -> None:
    elsewhere(limited, arena, _too_few)
