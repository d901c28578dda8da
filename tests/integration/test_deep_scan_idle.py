"""The backlog on a real machine: its own load does not stop it, others' load does, and it goes on afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.deepscan.idle import Condition, IdleRules
from censusd.deepscan.pressure import is_measured
from censusd.deepscan.processes import CORES
from tests.tools.library import Library
from tests.tools.scanning import RULES, scanning, site
from tests.tools.waiting import stays, until

LONG = 100.0
"""Seconds in which a machine that was busy becomes idle in the eyes of the deep scan, and some more."""

LOADS = {
    "cpu": "while True: pass",
    "io": "import os\nfd = os.open('load', os.O_WRONLY | os.O_CREAT)\nwhile True: os.pwrite(fd, b'x', 0), os.fsync(fd)",
}


ONLY = IdleRules(quiet=0, cpu_pressure=100, cpu_busy=100, io_pressure=100)
MINDS = {"cpu": replace(ONLY, cpu_pressure=80, cpu_busy=80), "io": replace(ONLY, io_pressure=40)}
"""Its own load would be all of a machine; other tests on the same machine are to be some."""


@contextmanager
def load(kind: str, directory: Path) -> Iterator[None]:
    """Others who need this machine."""
    processes = []
    for number in range(2 * CORES):
        place = directory / str(number)
        place.mkdir()
        processes.append(subprocess.Popen([sys.executable, "-S", "-c", LOADS[kind]], cwd=place))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def states(pids: list[int]) -> set[str]:
    """The states of processes: R, S, D, T, ..."""
    return {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["cpu", "io"])
def test_others_load_stops_it_within_seconds_and_its_own_does_not(library: Library, tmp_path: Path, kind: str) -> None:
    if not is_measured():
        pytest.skip("this kernel keeps no pressure-stall figures")
    # More than can be read in any time, by as many workers as there are processors.
    for number in range(CORES):
        with (library.root / f"large {number}").open("wb") as file:
            file.truncate(1 << 42)
    library.reconcile()
    rules = replace(RULES, workers=CORES, idle_nice=19, idle=MINDS[kind])
    with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
        try:
            until(lambda: scanner.condition is Condition.WORKING, within=LONG)
        except AssertionError:
            pytest.skip(f"this machine is never idle: {scanner.status()['why']}")
        pids = scanner._work.idle.pids
        assert len(pids) == CORES
        stays(
            lambda: scanner.condition is Condition.WORKING,
            20.0,
            lambda: f"nobody else was to need this machine: {scanner.status()}",
        )
        began = time.monotonic()
        with load(kind, tmp_path):
            until(lambda: str(scanner.condition) in {"cpu", "io"})
            stopped_after = time.monotonic() - began
            until(lambda: states(pids) == {"T"})
            assert str(scanner.condition) == kind
        assert stopped_after < 12
        until(lambda: scanner.condition is Condition.WORKING, within=LONG)
        # Where they were: nothing was begun again.
        assert scanner._work.idle.pids == pids
        until(lambda: "T" not in states(pids))
