"""Disks that come and go: unmounted at every moment, another one in their place, none at all at boot."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.faults import failpoints
from tests.faults.arena import REPOSITORY, Arena, long_only, trials
from tests.faults.elsewhere import elsewhere
from tests.faults.failpoints import Plan
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
    """A file system that can be mounted on the arena's root, or below it.

    Args:
        arena: where.
        kind: ``ext4``, on a loop device, which the kernel tells inotify of when it is unmounted and nobody uses it; or
            ``tmpfs``, shown at a second place, of which it never does.
        name: of this disk.
        below: path of a directory below the root, to be mounted there.
    """

    def __init__(self, arena: Arena, kind: str, name: str = "disk", below: str = "") -> None:
        self._root = arena.root / below
        self._store = arena.place / name
        self._kind = kind
        self._root.mkdir(parents=True, exist_ok=True)
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
                arena.fault_is_over()
                until(lambda: state(arena) == "active")
                arena.repaired()
        yield

    arena.run(f"unmounted while idle, and mounted again ({kind})", unplugged)
    nothing_foreign(arena)


KINDS = pytest.mark.parametrize("kind", [long_only("ext4"), "tmpfs"])


@trials()
@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])  # in the short form too: the kernel tells of one, not of the other
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
                arena.fault_is_over()
                until(lambda: state(arena) == "active")
                arena.repaired()
        yield

    arena.run(f"unmounted mid-walk ({kind})", unplugged)
    nothing_foreign(arena)
    # A quick machine may have come to the end of a walk before it was struck, but not each time.
    assert arena.query("SELECT 1 FROM sync_operations WHERE operation_type = 'verify' AND status = 'failed'")


@contextmanager
def walking(arena: Arena, seconds: float) -> Iterator[None]:
    """While a pass is under way, for so many seconds already."""
    [(last,)] = arena.query("SELECT max(id) FROM sync_operations")
    with (
        psycopg.connect(arena.database, autocommit=True) as connection,
        arena.daemon.ordered("scan", "--verify", REPOSITORY),
    ):
        running = "SELECT 1 FROM sync_operations WHERE id > %s AND operation_type = 'verify' AND status = 'running'"
        until(lambda: connection.execute(running, [last]).fetchone())
        time.sleep(seconds)  # which the walk goes on: where it is struck is left to chance
        yield


@trials()
@KINDS
def test_unmounted_while_walked(arena: Arena, kind: str) -> None:
    elsewhere(privately, arena, _walked, kind)


# Between the walk and the marking ------------------------------------------------------------------------------------

AWAY = {
    "withdraw_absent": ("mounted", "kept/file", "kept/.file"),
    "withdraw_directories": ("", "kept", ".kept"),
}
"""What marks rows missing -> where the disk is mounted below the root, and what on it has a hidden name for a while.

Files are looked for once more before they are marked: by way of the root as it was opened, so that only an unmount
below it can make that look miss them. For directories nothing is looked at any more.
"""


def _about_to_mark(arena: Arena, kind: str, marking: str) -> None:
    below, name, hidden = AWAY[marking]
    disk, top, fired = Disk(arena, kind, below=below), arena.root / below, arena.place / "fired"
    disk.mount()
    (top / "kept").mkdir()
    (top / "kept/file").write_text("It is there before and after, and while nothing is.")
    fired.write_bytes(b"\1" + bytes(4095))  # not yet
    plan = Plan(
        str(arena.place / "points"), str(fired), f"before sync.withdrawal.{marking}", signal=int(signal.SIGSTOP)
    )
    arena.daemon.program, arena.daemon.environment = failpoints.program(), failpoints.environment(plan)
    # What is gone is found by a pass, and by nothing else.
    arena.settings += 'watch = "off"\n'

    @contextmanager
    def unplugged(arena: Arena) -> Iterator[None]:
        for _ in range(5 if arena.trial.long else 1):
            arena.workload.wait(20)
            with arena.workload.paused():
                arena.daemon.sync(REPOSITORY)
                with stopped_in_a_pass(arena, fired, lambda: (top / name).rename(top / hidden)):
                    (top / hidden).rename(top / name)
                    disk.unmount()
                    assert not any(top.iterdir())
                    since = time.monotonic()
                says_offline_in_time(arena, since)
                assert not arena.query(MARKED), "it was marked missing, because its disk was not mounted any more"
                disk.mount()
                arena.fault_is_over()
                until(lambda: state(arena) == "active")
                arena.repaired()
        yield

    what = "files" if marking == "withdraw_absent" else "directories"
    arena.run(f"unmounted between the walk and the marking of {what} ({kind})", unplugged)
    assert not arena.query(MARKED)


MARKED = """
    SELECT FROM witness WHERE what = 'file' AND state IS DISTINCT FROM 0
    AND id IN (SELECT id FROM witness WHERE what = 'file' AND name = 'file')
"""
"""Whether the file that is away at times was ever missing on record."""


@contextmanager
def stopped_in_a_pass(arena: Arena, fired: Path, remove: Callable[[], object]) -> Iterator[None]:
    """A pass has found that something is gone; it stops at the failpoint and goes on when the block is left."""
    remove()
    fired.write_bytes(bytes(4096))
    with arena.daemon.ordered("scan", REPOSITORY):
        assert arena.daemon.process is not None
        status = Path(f"/proc/{arena.daemon.process.pid}/status")
        try:
            until(lambda: fired.read_bytes()[0] and "State:\tT" in status.read_text(), arena.daemon.log_text)
            running = "SELECT operation_type FROM sync_operations WHERE status = 'running'"
            assert arena.query(running) == [("reconciliation",)]
            yield
        finally:
            arena.daemon.signal(signal.SIGCONT)


@trials()
@KINDS
@pytest.mark.parametrize("marking", sorted(AWAY))
def test_unmounted_between_the_walk_and_the_marking(arena: Arena, kind: str, marking: str) -> None:
    elsewhere(privately, arena, _about_to_mark, kind, marking)


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
                    arena.fault_is_over()
                    until(lambda: state(arena) == "active")
                    assert time.monotonic() < mounted + WITHIN

            arena.round(f"{what} at boot ({kind})", down)
    nothing_foreign(arena)


@trials()
@KINDS
def test_something_else_at_boot(arena: Arena, kind: str) -> None:
    elsewhere(privately, arena, _boot, kind)
