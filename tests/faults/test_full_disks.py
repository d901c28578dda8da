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
from tests.tools.disks import make_disk, mount_disk
from tests.tools.own_server import OwnServer
from tests.tools.private import privately
from tests.tools.waiting import until

WAITS = {"trying again", "waiting for the database"}
NO_ROOM = "No space left on device"


def make_small_disk(place: Path, size: int, kind: str) -> Path:
    """Mount a disk of so many MiB at a new directory."""
    place.mkdir()
    if kind != "tmpfs":
        image = place.with_name("image")
        make_disk(image, size << 20, kind)
        mount_disk(image, place, kind)
        return place
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=755", "tmpfs", str(place)]
    if (done := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.splitlines()[0]}")
    return place


def kind_for(trial: Trial) -> str:
    """A disk in memory is quick to make; in the long form every other one is a real file system on a loop device."""
    return "ext4" if trial.long and trial.seed % 2 == 0 else "tmpfs"


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int, str], Path]]:
    """Mounts a disk of so many MiB somewhere, for PostgreSQL, which is nobody's root; unmounted in the end."""
    mounted = []

    def make(place: Path, size: int, kind: str) -> Path:
        mounted.append(make_small_disk(place, size, kind))
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
    small_disk: Callable[[Path, int, str], Path],
    request: pytest.FixtureRequest,
) -> None:
    disk = small_disk(shared_path / "disk", 150, kind_for(trial))
    place = disk / "server"
    place.mkdir()
    with OwnServer(place) as server:
        arena = Arena(shared_path, server.conninfo, trial, request.node.user_properties)
        arena.prepare()

        @contextmanager
        def crowded(arena: Arena) -> Iterator[None]:
            with full(disk):
                arena.workload.wait(arena.trial.operations)
                until(lambda: is_told(arena, server), lambda: arena.daemon.ctl("status").stdout)
                yield
            has_ended = server.restart_if_ended()
            arena.note = f"on {kind_for(arena.trial)}" + (", PostgreSQL ended" if has_ended else "")

        with arena.daemon:
            arena.round("the disk of the database is full", crowded)
        assert NO_ROOM in server.log.read_text()


def is_told(arena: Arena, server: OwnServer) -> bool:
    """Whether people are told that the tree waits, and for want of room, unless PostgreSQL itself has ended of it."""
    said = arena.daemon.ctl("status").stdout
    has_ended = server.process is not None and server.process.poll() is not None
    return any(f"tree: {wait}: " in said for wait in WAITS) and (NO_ROOM in said or has_ended)


def _log(arena: Arena) -> None:
    disk = make_small_disk(arena.place / "disk", 4, kind_for(arena.trial))
    arena.daemon.log = disk / "log"
    arena.settings = '[daemon]\nlog_level = "debug"\n' + arena.settings

    @contextmanager
    def crowded(arena: Arena) -> Iterator[None]:
        arena.note = f"on {kind_for(arena.trial)}"
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
    disk = make_small_disk(arena.place / "disk", 4, kind_for(arena.trial))
    arena.daemon.environment = {
        "STATE_DIRECTORY": str(disk / "state"),
        "RUNTIME_DIRECTORY": str(disk / "run"),
        "TMPDIR": str(disk),
    }

    @contextmanager
    def crowded(arena: Arena) -> Iterator[None]:
        arena.note = f"on {kind_for(arena.trial)}"
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
