"""What somebody who means harm, or knows no better, puts into a tree: nothing of the outside ever comes into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import pytest

from tests.faults.arena import REPOSITORY, Arena, trials
from tests.faults.proxy import Proxy
from tests.tools.private import NOBODY
from tests.tools.waiting import until

USERS: Final = pytest.mark.parametrize("user", ["root", "an ordinary user"])

NAMES: Final = (
    *(b"new\nline", b"tab\tbell\x07escape\x1b[31m", b"-rf", b" ", b"  two  ", b"quote'\"`$(id);&|", b"back\\slash"),
    *(b"\xff\xfe not text", b"\xc3\x28", b"\xed\xa0\x80 surrogate", b"\xee\xbe\x80 genuine U+EF80", b"\xc0\xaf"),
    *("e\u0301".encode(), "\u00e9".encode(), "\u202egnp.exe".encode(), b"%s %n \\x00", b"{}*?[a]", b"a" * 255),
    *("\U0001f4be".encode() * 63, b"#hash", b"null", b"NaN", b"\x7f", b"CON", b"name."),
)

LEVELS: Final = 400
SPARSE: Final = 8 << 40
ENDED_WITHIN: Final = 10.0
"""Seconds after which the daemon has ended, whatever it reads."""


@contextmanager
def run_by(user: str, arena: Arena) -> Iterator[None]:
    """Have root run the daemon, or somebody else, who may not look everywhere."""
    if user == "root" and os.geteuid() != 0:
        pytest.skip("this needs root")
    if user == "root" or os.geteuid() != 0:
        yield
        return
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    runs = [*other, "sh", "-c", 'exec "$0" -c ""', sys.executable]
    if subprocess.run(runs, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip(f"nobody but root may run {sys.executable} here")
    (arena.place / "proxy").mkdir()
    with Proxy(arena.place / "proxy", arena.database) as proxy:
        # Only root may reach the server where it is.
        for path in (arena.place, *(arena.place / "proxy").iterdir()):
            os.chown(path, NOBODY, NOBODY)
        arena.daemon.dsn = proxy.conninfo
        arena.daemon.program = [*other, *arena.daemon.program]
        yield


# What there may be in a tree -----------------------------------------------------------------------------------------


def odd_tree(arena: Arena, user: str) -> None:
    arena.root.mkdir()
    top = os.fsencode(arena.root)

    @contextmanager
    def odd(arena: Arena) -> Iterator[None]:
        for name in NAMES:
            os.mkdir(directory := os.path.join(top, b"d " + name[:200]))
            for each in (top, directory):
                with open(os.path.join(each, name), "wb") as file:
                    file.write(name)
        no_files(arena.root / "no files")
        deep(arena.root)
        yield
        # Some of all that moves, and some goes.
        for name in NAMES[::3]:
            os.rename(os.path.join(top, b"d " + name[:200]), os.path.join(top, b"m " + name[:200]))
            os.unlink(os.path.join(top, name))
        (arena.root / "0").rename(arena.root / "1")

    @contextmanager
    def cleared(arena: Arena) -> Iterator[None]:
        shutil.rmtree(arena.root / "1")
        yield

    arena.prepare()
    with arena.daemon:
        arena.round(f"odd names, no files, {LEVELS} levels, as {user}", odd)
        assert not arena.query("SELECT 1 FROM file_records WHERE file_path LIKE 'no files/%%'")
        arena.round(f"{LEVELS} levels removed, as {user}", cleared)


def no_files(directory: Path) -> None:
    """Everything that is neither a file nor a directory."""
    directory.mkdir()
    os.mkfifo(directory / "fifo")
    (directory / "loop").symlink_to("loop")
    (directory / "up").symlink_to("..")
    (directory / "zeros").symlink_to("/dev/zero")
    (directory / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.fspath(directory / "socket"))
    if os.geteuid() == 0:
        os.mknod(directory / "endless", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        os.mknod(directory / "random", 0o666 | stat.S_IFCHR, os.makedev(1, 9))
        os.mknod(directory / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 250))


def deep(root: Path) -> None:
    """A file at the bottom of many directories, and one half way down."""
    bottom = root.joinpath(*(["0"] * LEVELS))
    bottom.mkdir(parents=True)
    (bottom / "file").write_text("at the bottom")
    root.joinpath(*(["0"] * (LEVELS // 2)), "file").write_text("half way")


@trials()
@USERS
def test_odd_trees(arena: Arena, user: str) -> None:
    with run_by(user, arena):
        odd_tree(arena, user)


# Swapped while they are looked at ------------------------------------------------------------------------------------


class Attack:
    """Swaps paths with links to others, and files with what waits for ever, too, as long as the block lasts.

    Args:
        targets: path -> what the link that takes its place leads to.

    Attributes:
        swapped: from when to when, by the clock, something else was at one of the paths.
    """

    def __init__(self, targets: dict[Path, Path]) -> None:
        self.swapped: list[tuple[float, float]] = []
        self._targets = targets
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for number in range(1 << 30):
            if self._over.is_set():
                return
            for path, target in self._targets.items():
                aside, since = path.with_name(".aside"), time.time()
                path.rename(aside)
                if number % 3 == 2 and aside.is_file():
                    os.mkfifo(path)
                else:
                    path.symlink_to(target)
                if number % 5 == 0:
                    self._over.wait(0.03)  # a pace of the attack: long enough to be looked at
                path.unlink()
                self.swapped.append((since, time.time()))
                aside.rename(path)


def met(arena: Arena) -> int:
    """How often something was taken off the record because a look had met what stood in its place."""
    gone = "SELECT count(*) FROM witness WHERE what = 'file' AND state <> 0 AND name IN ('inside', 'swapped file')"
    ((count,),) = arena.query(gone)
    return int(count)


def passes_amid(arena: Arena, attack: Attack) -> list[bool]:
    """Of each pass that was asked for, whether something was swapped while it was running."""
    asked = arena.query(
        "SELECT extract(epoch FROM start_time)::float8, extract(epoch FROM end_time)::float8 FROM sync_operations"
        " WHERE trigger = 'manual' AND operation_type IN ('reconciliation', 'verify')"
    )
    return [any(since < end and begin < to for since, to in attack.swapped) for begin, end in asked]


def swapped_directories(arena: Arena, user: str) -> None:
    outside = arena.place / "outside"
    (outside / "inner/deep").mkdir(parents=True)
    for directory in ("", "inner", "inner/deep"):
        (outside / directory / "secret").write_text(f"secret in {directory}")
        (outside / directory / "inside").write_text(f"secret inside {directory}")
    arena.root.mkdir()
    swapped = arena.root / "swapped"
    (swapped / "inner/deep").mkdir(parents=True)
    for directory in ("", "inner", "inner/deep"):
        (swapped / directory / "inside").write_text(f"inside {directory}")
    file = arena.root / "swapped file"
    file.write_text("a file")

    @contextmanager
    def attacked(arena: Arena) -> Iterator[None]:
        targets = {swapped: outside, swapped / "inner": outside / "inner", file: outside / "secret"}
        with Attack(targets) as attack:
            yield
            for order in ([], ["--verify"]) * (10 if arena.trial.long else 2):
                assert arena.daemon.ctl("scan", "--wait", *order, REPOSITORY).returncode == 0
            until(lambda: met(arena), "nobody has ever looked while something was swapped")
        amid = passes_amid(arena, attack)
        assert any(amid)
        arena.note = f"{sum(amid)} of {len(amid)} passes amid swaps, {met(arena)} times a link or FIFO was met"

    arena.run(f"directories swapped with links, as {user}", attacked)
    inodes = [path.lstat().st_ino for path in (outside, *outside.rglob("*"))]
    assert not arena.query("SELECT * FROM witness WHERE inode = ANY(%s) OR name = 'secret'", inodes)
    assert not arena.query("SELECT * FROM directories WHERE inode = ANY(%s)", inodes)
    secrets = [hashlib.sha256(path.read_bytes()).digest() for path in outside.rglob("*") if path.is_file()]
    assert not arena.query("SELECT * FROM files WHERE content_hash = ANY(%s)", secrets)


@trials()
@USERS
def test_directories_swapped_with_links(arena: Arena, user: str) -> None:
    with run_by(user, arena):
        swapped_directories(arena, user)


# A file without an end -----------------------------------------------------------------------------------------------


def sparse_file(arena: Arena, user: str) -> None:
    home = arena.place / "sparse"
    home.mkdir()
    with (home / "sparse").open("wb") as file:
        try:
            file.truncate(SPARSE)
        except OSError as error:
            pytest.skip(f"no file can be that large here: {error}")
    arena.prepare()
    arena.daemon.configure(f'{arena.configuration()}[[repository]]\nname = "sparse"\npath = "{home}"\n')

    @contextmanager
    def endless(arena: Arena) -> Iterator[None]:
        arena.daemon.sync("sparse")
        [(size,)] = arena.query("SELECT file_size FROM file_records WHERE file_path = 'sparse'")
        assert size == SPARSE
        yield
        # Its neighbours are not kept waiting, nor is anybody else, nor is the end.
        (home / "small").write_text("small")
        began = time.monotonic()
        arena.daemon.sync("sparse")
        hashed = "SELECT 1 FROM file_records WHERE file_path = 'small' AND content_hash IS NOT NULL"
        while not arena.query(hashed):
            assert time.monotonic() < began + 30, arena.daemon.log_text()[-3000:]
        waited = time.monotonic() - began
        began = time.monotonic()
        assert arena.daemon.stop() == 0
        ended = time.monotonic() - began
        assert ended < ENDED_WITHIN
        arena.daemon.start()
        arena.note = f"its neighbour hashed after {waited:.1f} s, ended within {ended:.1f} s"

    with arena.daemon:
        arena.round(f"a sparse file of 8 TiB, as {user}", endless)


@trials(seeds=1)
@USERS
def test_a_sparse_file_of_eight_tebibytes(arena: Arena, user: str) -> None:
    with run_by(user, arena):
        sparse_file(arena, user)
