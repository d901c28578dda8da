"""Own reading of a real disk does not hold the deep scan back, and somebody else's work on that disk does.

What reading costs depends on the disk: on a fast one nobody may ever wait long enough to be counted. So it is measured
first, by processes that read and hash as workers do; where that is hardly more than what goes on anyway, nothing can be
shown, and the test is skipped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.deepscan.idle import Condition, IdleRules, Load, judge
from censusd.deepscan.pressure import Gauge, is_measured, read_sample
from censusd.deepscan.processes import CORES
from tests.tools.library import Library
from tests.tools.scanning import RULES, scanning, site
from tests.tools.waiting import stays, until

LONG = 100.0
"""Seconds in which a machine that was busy becomes idle in the eyes of the deep scan, and some more."""

READERS = 4 * CORES
"""As many as it takes for one of them to be waiting for the disk most of the time, though they hash as well."""

_PIECE = 1 << 20
_PIECES = 64
_LINKS = 100
"""Names that each file has: each is read for itself, so that there is more to read than can be in any time."""

READER = """
import hashlib, os, sys
piece = bytearray(1 << 20)
while True:
    fd, at, made = os.open(sys.argv[1], os.O_RDONLY), 0, hashlib.sha256()
    while read := os.preadv(fd, [piece], at):
        made.update(piece)
        at += read
    os.close(fd)
"""

WRITER = "import os\nfd = os.open('load', os.O_WRONLY | os.O_CREAT)\nwhile True: os.pwrite(fd, b'x', 0), os.fsync(fd)"


@contextmanager
def uncached(directory: Path) -> Iterator[list[Path]]:
    """A large file for each reader, which the kernel forgets as soon as it was read."""
    files = [directory / f"large {number}" for number in range(READERS)]
    for file in files:
        with file.open("wb") as opened:
            piece = os.urandom(_PIECE)
            for _ in range(_PIECES):
                opened.write(piece)
            opened.flush()
            os.fsync(opened.fileno())
    over = threading.Event()

    def forget() -> None:
        fds = [os.open(file, os.O_RDONLY) for file in files]
        while not over.wait(0.02):
            for fd in fds:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        for fd in fds:
            os.close(fd)

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        yield files
    finally:
        over.set()
        thread.join()


@contextmanager
def running(program: str, *arguments: Path, cwd: Path | None = None) -> Iterator[list[int]]:
    """A process for each argument. Gives their ids."""
    processes = [subprocess.Popen([sys.executable, "-S", "-c", program, str(one)], cwd=cwd) for one in arguments]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def pressure(seconds: float = 2.0) -> float:
    """For how many percent of the next seconds somebody waited for a disk."""
    before = read_sample()
    threading.Event().wait(seconds)
    return read_sample().since(before).io_pressure


def too_much(files: list[Path]) -> float:
    """Percent that are more than others cause now, and less than reading does; skips where there is no such number."""
    if not is_measured():
        pytest.skip("this kernel keeps no pressure-stall figures")
    others = max(1.0, pressure())
    with running(READER, *files):
        own = pressure()
    if own < 2.5 * others:
        pytest.skip(f"reading hardly makes anybody wait on this disk: {own:.1f} % of the time, {others:.1f} % without")
    return own / 2


def why_held_back(percent: float) -> str:
    """What is the matter, where nobody was to need the disk; skips if somebody did while the readers stood still."""
    left = max(pressure() for _ in range(3))
    if left > percent / 2:
        pytest.skip(f"others need this disk: {left:.1f} % of the time, {percent:.1f} % is taken for too much")
    return f"it is held back where too much is {percent:.1f} %, and others are at {left:.1f} %"


def minding(percent: float) -> IdleRules:
    """Only disks matter."""
    return IdleRules(quiet=0, cpu_pressure=100, cpu_busy=100, io_pressure=percent)


def test_what_is_left_while_the_readers_stand_still_is_not_theirs(tmp_path: Path) -> None:
    """The same in short: the gauge alone, on real readers."""
    with uncached(tmp_path) as files:
        rules = minding(too_much(files))
        rests, held_back = 0, False
        with running(READER, *files) as pids:

            def signal_all(number: int) -> None:
                for pid in pids:
                    os.kill(pid, number)

            gauge = Gauge(Load(), lambda: signal_all(signal.SIGSTOP), lambda: signal_all(signal.SIGCONT))
            until_then = time.monotonic() + 4.0
            while not held_back and (time.monotonic() < until_then or gauge.is_resting):
                was_resting = gauge.is_resting
                load = gauge.add(read_sample(pids), rules, working=True)
                rests += gauge.is_resting and not was_resting
                held_back = judge(rules, load)[0] is not Condition.WORKING
                threading.Event().wait(0.05 if gauge.is_resting else 0.5)
            signal_all(signal.SIGSTOP)
            assert not held_back, why_held_back(rules.io_pressure)
        if not rests:
            pytest.skip("the readers have not kept each other waiting this time")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_own_reading_does_not_hold_it_back_and_others_writing_does(library: Library, tmp_path: Path) -> None:
    with uncached(library.root) as files:
        percent = too_much(files)
        rules = replace(RULES, workers=READERS, idle_nice=19, idle=minding(percent))
        for file in files:
            for number in range(_LINKS):
                os.link(file, f"{file} as {number}")
        library.reconcile()
        with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
            try:
                until(lambda: scanner.condition is Condition.WORKING, within=LONG)
            except AssertionError:
                pytest.skip(f"this machine is never idle: {scanner.status()['why']}")
            stays(
                lambda: scanner.condition is Condition.WORKING,
                20.0,
                lambda: why_held_back(percent),
            )
            if scanner._backlog._gauge._rested_at < 0:
                pytest.skip("its reading has not kept anybody waiting this time")
            began = time.monotonic()
            with running(WRITER, *range_of(2 * CORES), cwd=tmp_path):
                until(lambda: scanner.condition is Condition.IO, "somebody else's work has to stop it", within=30)
                stopped_after = time.monotonic() - began
            assert stopped_after < 12
            until(lambda: scanner.condition is Condition.WORKING, within=LONG)


def range_of(count: int) -> list[Path]:
    """Names for so many processes that need none."""
    return [Path(str(number)) for number in range(count)]
