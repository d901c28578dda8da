"""Disks that are full: the database's, the log's, and the one that the daemon keeps its own files on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.arena import REPOSITORY, Arena, Trial, trials
from tests.faults.elsewhere import elsewhere
from tests.tools.own_server import OwnServer
from tests.tools.private import privately
from tests.tools.waiting import until

WAITS = {"trying again", "waiting for the database"}


def make_small_disk(place: Path, size: int) -> Path:
    """Mount a disk of so many MiB at a new directory."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=755", "tmpfs", str(place)]
    if (done := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.splitlines()[0]}")
    return place


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int], Path]]:
    """Mounts a disk of so many MiB somewhere, for PostgreSQL, which is nobody's root; unmounted in the end."""
    mounted = []

    def make(place: Path, size: int) -> Path:
        mounted.append(make_small_disk(place, size))
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """There is no room on a disk while the block lasts."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    os.write(descriptor, bytes(size))
        yield
    finally:
        os.close(descriptor)
        filler.unlink()


@trials(seeds=4)
def test_the_disk_of_the_database_is_full(
    trial: Trial,
    shared_path: Path,
    small_disk: Callable[[Path, int], Path],
    request: pytest.FixtureRequest,
) -> None:
    disk = small_disk(shared_path / "disk", 150)
    place = disk / "server"
    place.mkdir()
    said: set[str] = set()
    with OwnServer(place) as server:
        arena = Arena(shared_path, server.conninfo, trial, request.node.user_properties)
        arena.prepare()

        @contextmanager
        def crowded(arena: Arena) -> Iterator[None]:
            with full(disk):
                arena.workload.wait(arena.trial.operations)
                until(
                    lambda: phase(arena) in WAITS,
                    lambda: str(arena.daemon.status()),
                )
                said.add(arena.daemon.ctl("status").stdout)
                yield
            if server.restart_if_ended():
                said.add("PostgreSQL ended")

        with arena.daemon:
            arena.round("the disk of the database is full", crowded)
        assert "No space left on device" in server.log.read_text()


def phase(arena: Arena) -> str:
    """What the daemon says that it is doing about the tree."""
    (one,) = arena.daemon.status()["repositories"]
    return str(one["phase"])


def _log(arena: Arena) -> None:
    disk = make_small_disk(arena.place / "disk", 4)
    arena.daemon.log = disk / "log"
    arena.settings = '[daemon]\nlog_level = "debug"\n' + arena.settings

    @contextmanager
    def crowded(arena: Arena) -> Iterator[None]:
        with full(disk):
            yield
            assert arena.daemon.ctl("status").returncode == 0
            arena.daemon.sync(REPOSITORY)
        size = arena.daemon.log.stat().st_size
        arena.workload.wait(20)
        until(lambda: arena.daemon.log.stat().st_size > size, "nothing is logged any more")

    arena.run("the disk of the log is full", crowded)


@trials(seeds=2)
def test_the_disk_of_the_log_is_full(arena: Arena) -> None:
    elsewhere(privately, arena, _log)


def _own_files(arena: Arena) -> None:
    disk = make_small_disk(arena.place / "disk", 4)
    arena.daemon.environment = {
        "STATE_DIRECTORY": str(disk / "state"),
        "RUNTIME_DIRECTORY": str(disk / "run"),
        "TMPDIR": str(disk),
    }

    @contextmanager
    def crowded(arena: Arena) -> Iterator[None]:
        with full(disk):
            yield
            arena.daemon.ctl("sync", REPOSITORY)
            arena.daemon.kill()
            arena.daemon.start()
            arena.workload.wait(arena.trial.operations)

    arena.run("the disk of the daemon's own files is full, and it starts anew", crowded)


@trials(seeds=2)
def test_the_disk_of_the_daemon_is_full(arena: Arena) -> None:
    elsewhere(privately, arena, _own_files)
