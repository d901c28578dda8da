"""Disks that come and go: unmounted at every moment, another one in their place, none at all at boot."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.faults.arena import REPOSITORY, Arena, long_only, trials
from tests.faults.elsewhere import elsewhere
from tests.tools.disks import make_disk
from tests.tools.private import mount, privately
from tests.tools.waiting import stays, until

WITHIN = 2.0
"""Seconds after which it has to be said that a repository is offline."""

FOREIGN = "foreign"
"""How everything is named that is somebody else's."""

DIRECTORIES = {False: 3_000, True: 10_000}
"""In a tree that takes a while to walk, in the short form and in the long one."""


class Disk:
    """A file system that can be mounted on the arena's root.

    Args:
        arena: where.
        kind: ``ext4``, on a loop device, which the kernel tells inotify of when it is unmounted and nobody uses it; or
            ``tmpfs``, shown at a second place, of which it never does.
        name: of this disk.
    """

    def __init__(self, arena: Arena, kind: str, name: str = "disk") -> None:
        self._root = arena.root
        self._store = arena.place / name
        self._kind = kind
        arena.root.mkdir(exist_ok=True)
        if kind == "tmpfs":
            self._store.mkdir()
            mount("tmpfs", self._store)
            return
        make_disk(self._store, 256 << 20)

    def mount(self) -> None:
        """Mount it."""
        if self._kind == "tmpfs":
            mount("tmpfs", self._root, bind=self._store)
            return
        command = ["mount", "-o", "loop", os.fspath(self._store), os.fspath(self._root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no loop devices here: {done.stderr.strip()}")

    def unmount(self) -> None:
        """Unmount it; while it is in use, it only vanishes from where it was."""
        if subprocess.run(["umount", os.fspath(self._root)], stderr=subprocess.DEVNULL, check=False).returncode:
            subprocess.run(["umount", "--lazy", os.fspath(self._root)], check=True)


def state(arena: Arena) -> str:
    """What is on record about the repository."""
    [(said,)] = arena.query("SELECT state FROM repositories")
    return str(said)


def says_offline_in_time(arena: Arena, since: float) -> float:
    """Wait for it. Returns how many seconds after ``since`` it was on record."""
    with psycopg.connect(arena.database, autocommit=True) as connection:
        until(lambda: connection.execute("SELECT 1 FROM repositories WHERE state = 'offline'").fetchone(), within=30)
    seconds = time.monotonic() - since
    assert seconds < WITHIN, f"offline after {seconds:.2f} s: {arena.daemon.log_text()[-2000:]}"
    return seconds


def nothing_foreign(arena: Arena) -> None:
    """Not for a moment was anything on record that is somebody else's."""
    assert not arena.query("SELECT DISTINCT name FROM witness WHERE name LIKE %s LIMIT 5", f"%{FOREIGN}%")


@contextmanager
def away(arena: Arena, disk: Disk) -> Iterator[None]:
    """Unmounted, while somebody else's files are where it was, and whatever is asked for."""
    asked = time.monotonic()
    disk.unmount()
    seconds = says_offline_in_time(arena, asked)
    arena.note = f"offline after {'less than 0.1' if seconds < 0.1 else round(seconds, 1)} s"
    yield
    (arena.root / FOREIGN).mkdir(exist_ok=True)
    (arena.root / FOREIGN / f"{FOREIGN} file").touch()
    for order in (("sync", REPOSITORY), ("scan", REPOSITORY), ("scan", "--verify", REPOSITORY)):
        refused = arena.daemon.ctl(*order)
        assert refused.returncode != 0
        assert "offline" in refused.stderr
    assert state(arena) == "offline"


# While it is idle ----------------------------------------------------------------------------------------------------


def _idle(arena: Arena, kind: str) -> None:
    disk = Disk(arena, kind)
    disk.mount()

    @contextmanager
    def unplugged(arena: Arena) -> Iterator[None]:
        for _ in range(5 if arena.trial.long else 1):
            arena.workload.wait(20)
            with arena.workload.paused():
                arena.daemon.sync(REPOSITORY)
                with away(arena, disk):
                    pass
                disk.mount()
                until(lambda: state(arena) == "active")
        yield

    arena.run(f"unmounted while idle, and mounted again ({kind})", unplugged)
    nothing_foreign(arena)


KINDS = pytest.mark.parametrize("kind", [long_only("ext4"), "tmpfs"])


@trials()
@KINDS
def test_unmounted_while_idle(arena: Arena, kind: str) -> None:
    elsewhere(privately, arena, _idle, kind)


# While it is walked --------------------------------------------------------------------------------------------------


def _walked(arena: Arena, kind: str) -> None:
    disk = Disk(arena, kind)
    disk.mount()
    for number in range(DIRECTORIES[arena.trial.long]):
        directory = arena.root / f"wide/{number % 100}/{number}"
        directory.mkdir(parents=True)
        (directory / "file").touch()
    chance = random.Random(arena.trial.seed)
    rounds = 5 if arena.trial.long else 1

    @contextmanager
    def unplugged(arena: Arena) -> Iterator[None]:
        for _ in range(rounds):
            arena.workload.wait(20)
            with arena.workload.paused():
                with walking(arena, chance.uniform(0, 0.1)), away(arena, disk):
                    pass
                disk.mount()
                until(lambda: state(arena) == "active")
        yield

    arena.run(f"unmounted mid-walk ({kind})", unplugged)
    nothing_foreign(arena)
    # A quick machine may have come to the end of a walk before it was struck, but not each time.
    assert arena.query("SELECT 1 FROM sync_operations WHERE operation_type = 'verify' AND status = 'failed'")


@contextmanager
def walking(arena: Arena, seconds: float) -> Iterator[None]:
    """While a pass is under way, for so many seconds already."""
    [(last,)] = arena.query("SELECT max(id) FROM sync_operations")
    command = [sys.executable, "-m", "censusd.cli.censusctl", "--socket", os.fspath(arena.daemon.socket)]
    with (
        psycopg.connect(arena.database, autocommit=True) as connection,
        subprocess.Popen([*command, "scan", "--verify", REPOSITORY], stderr=subprocess.PIPE) as scan,
    ):
        running = "SELECT 1 FROM sync_operations WHERE id > %s AND operation_type = 'verify' AND status = 'running'"
        until(lambda: connection.execute(running, [last]).fetchone())
        time.sleep(seconds)  # which the walk goes on: where it is struck is left to chance
        yield
        scan.communicate()


@trials()
@KINDS
def test_unmounted_while_walked(arena: Arena, kind: str) -> None:
    elsewhere(privately, arena, _walked, kind)


# Between the walk and the marking ------------------------------------------------------------------------------------


def _about_to_mark(arena: Arena, kind: str) -> None:
    disk = Disk(arena, kind)
    disk.mount()

    @contextmanager
    def unplugged(arena: Arena) -> Iterator[None]:
        for _ in range(5 if arena.trial.long else 1):
            arena.workload.wait(20)
            with arena.workload.paused():
                arena.daemon.sync(REPOSITORY)
                with psycopg.connect(arena.database) as other:
                    # A deletion waits in its transaction for this lock.
                    other.execute("SELECT FROM repositories FOR UPDATE")
                    arena.workload.delete()
                    until(lambda: arena.query(WAITING))
                    disk.unmount()
                    other.rollback()
                    since = time.monotonic()
                says_offline_in_time(arena, since)
                disk.mount()
                until(lambda: state(arena) == "active")
        yield

    arena.run(f"unmounted between the walk and the marking ({kind})", unplugged)


WAITING = """
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND strpos(query, 'change_number + 1') > 0
"""


@trials()
@KINDS
def test_unmounted_between_the_walk_and_the_marking(arena: Arena, kind: str) -> None:
    elsewhere(privately, arena, _about_to_mark, kind)


# At boot -------------------------------------------------------------------------------------------------------------


def _boot(arena: Arena, kind: str) -> None:
    disk, wrong = Disk(arena, kind), Disk(arena, kind, "wrong disk")
    disk.mount()
    arena.prepare()
    with arena.daemon:
        for what in ("an empty mount point", "somebody else's file", "the wrong disk"):

            @contextmanager
            def down(arena: Arena, what: str = what) -> Iterator[None]:
                arena.daemon.stop()
                yield
                with arena.workload.paused():
                    disk.unmount()
                    if what == "the wrong disk":
                        wrong.mount()
                    if what != "an empty mount point":
                        (arena.root / FOREIGN).touch()
                    arena.daemon.start()
                    until(lambda: state(arena) == "offline")
                    stays(lambda: state(arena) == "offline", 0.5, "it took something else for its root")
                    if what == "the wrong disk":
                        wrong.unmount()
                    mounted = time.monotonic()
                    disk.mount()
                    until(lambda: state(arena) == "active")
                    assert time.monotonic() < mounted + WITHIN

            arena.round(f"{what} at boot ({kind})", down)
    nothing_foreign(arena)


@trials()
@KINDS
def test_something_else_at_boot(arena: Arena, kind: str) -> None:
    elsewhere(privately, arena, _boot, kind)
