"""Directories and files that the kernel refuses for a while: unreadable is not deleted."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.arena import REPOSITORY, Arena, trials
from tests.faults.workload import STAY
from tests.tools.waiting import until

KINDS = {"EIO": "io", "EACCES": "permission", "ESTALE": "stale", "ENOTCONN": "disconnected", "ETIMEDOUT": "timeout"}


@contextmanager
def refused(arena: Arena, call: str, error: str) -> Iterator[None]:
    """A system call of the daemon, or of whom it starts, on some directories fails while the block lasts."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    assert arena.daemon.process is not None
    # Not by way of links, which strace would follow.
    entries = sorted((entry.name, entry.path) for entry in os.scandir(arena.workload.root) if not entry.is_symlink())
    some = [path for name, path in entries if not name.startswith(b".") and name != STAY][:4]
    paths = [part for path in (os.path.join(arena.workload.root, STAY), *some) for part in ("-P", path)]
    command = ["strace", "-f", "-p", str(arena.daemon.process.pid), *paths, "-o", os.fspath(arena.place / "strace")]
    with subprocess.Popen(
        [*command, "-e", f"trace={call}", "-e", f"inject={call}:error={error}"], stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stderr is not None
        try:
            # What it says of a directory that has become a link just now does not matter.
            said = next((line for line in tracer.stderr if "Requested path" not in line), "")
            if "attached" not in said:
                pytest.skip(f"the daemon cannot be traced here: {said.strip()}")
            yield
        finally:
            tracer.terminate()
            tracer.wait()


def problems(arena: Arena) -> dict[str, str]:
    """Path -> kind, of directories that cannot be read."""
    return dict(arena.query("SELECT path, problem_kind FROM directory_problems"))


def over(arena: Arena) -> None:
    """Wait until everything has repaired itself; the short form asks for it."""
    began = time.monotonic()
    if not arena.trial.long:
        arena.daemon.ctl("scan", "--wait", REPOSITORY)
    until(lambda: not problems(arena), lambda: f"{problems(arena)}", within=180)
    arena.note = f"no problem left after {time.monotonic() - began:.0f} s, by itself" if arena.trial.long else ""


def each(arena: Arena, call: str, what: str) -> None:
    """One error after the other; some of them in the short form."""
    arena.prepare()
    with arena.daemon:
        for error, kind in list(KINDS.items())[: None if arena.trial.long else 3]:

            @contextmanager
            def failing(arena: Arena, error: str = error, kind: str = kind) -> Iterator[None]:
                with refused(arena, call, error):
                    for order in (["--wait"], ["--wait", "--verify"]):
                        arena.daemon.ctl("scan", *order, REPOSITORY)
                        assert problems(arena).get(STAY.decode()) == kind
                    yield
                with arena.workload.paused():
                    over(arena)

            arena.round(f"{error} of {what}", failing)


@trials(seeds=1)
def test_directories_that_cannot_be_listed(arena: Arena) -> None:
    each(arena, "getdents64", "listing a directory")


@trials(seeds=1)
def test_files_that_cannot_be_looked_at(arena: Arena) -> None:
    each(arena, "newfstatat,fstatat64,statx", "looking at files")
