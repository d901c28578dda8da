"""The content hash of a file: right, whole or not at all, and never by way of anything but a regular file."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.filesystem import digest as module
from censusd.filesystem.digest import CHUNK, TORN, digest, fingerprint_of, hash_file, opened
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.walk import Tree
from censusd.model import Problem, ProblemKind


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    with Tree(tmp_path, IgnorePolicy(ignore_file="")) as tree:
        yield tree


@pytest.mark.parametrize("size", [0, 1, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_the_hash_is_that_of_hashlib(tree: Tree, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    made = hash_file(tree, "", "file")
    assert isinstance(made, tuple)
    assert made[0] == hashlib.sha256(content).digest()
    assert made[1] == fingerprint_of((tmp_path / "file").stat())


@pytest.mark.parametrize("filled", [0, 10, 100])
def test_what_was_read_already_is_not_read_again(tree: Tree, tmp_path: Path, filled: int) -> None:
    (tmp_path / "file").write_bytes(content := os.urandom(100))
    buffer = bytearray(200)
    buffer[:filled] = content[:filled]
    with opened(tree, "", "file") as file:
        assert digest(file, buffer, filled=filled) == hashlib.sha256(content).digest()


@pytest.mark.parametrize("uncached", [True, False])
def test_a_large_file_whatever_the_kernel_can_do(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uncached: bool
) -> None:
    monkeypatch.setattr(module, "_LARGE", 1000)
    monkeypatch.setattr(module._CAN, "uncached_reads", uncached)
    (tmp_path / "file").write_bytes(content := os.urandom(2 * CHUNK + 1))
    made = hash_file(tree, "", "file")
    assert isinstance(made, tuple)
    assert made[0] == hashlib.sha256(content).digest()


def test_a_name_that_is_not_utf8_in_a_deep_directory(tree: Tree, tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    directory.mkdir(parents=True)
    (directory / os.fsdecode(b"\xff\n")).write_bytes(b"x")
    made = hash_file(tree, "a/b", "\uefff\n")
    assert isinstance(made, tuple)
    assert made[0] == hashlib.sha256(b"x").digest()


def test_only_regular_files_are_opened(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name, kind in (
            ("link", ProblemKind.NOT_A_DIRECTORY),
            ("directory", ProblemKind.NOT_A_DIRECTORY),
            ("fifo", ProblemKind.NOT_A_DIRECTORY),
            ("socket", ProblemKind.DISCONNECTED),
            ("nothing", ProblemKind.VANISHED),
        ):
            found = hash_file(tree, "", name)
            assert isinstance(found, Problem), name
            assert found.kind is kind, name


def test_it_is_cancelled_inside_a_file(tree: Tree, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)  # without holes this would take minutes
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    assert hash_file(tree, "", "file", cancelled=cancelled) is None


def _change_when_asked(change: threading.Event, path: Path, how: str) -> None:
    change.wait(30)
    if how == "appended":
        with path.open("ab") as file:
            file.write(b"more")
    elif how == "truncated":
        os.truncate(path, 10)
    elif how == "rewritten":
        with path.open("r+b") as file:
            file.write(b"other")
    elif how == "replaced":
        (path.parent / "new").write_bytes(path.read_bytes())
        (path.parent / "new").rename(path)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["appended", "truncated", "rewritten", "replaced", "removed"])
def test_what_is_changed_while_it_is_read_has_no_hash(tree: Tree, tmp_path: Path, how: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4 * CHUNK))
    os.utime(path, ns=(0, 0))
    change, changed = threading.Event(), threading.Event()

    def writer() -> None:
        _change_when_asked(change, path, how)
        changed.set()

    thread = threading.Thread(target=writer)
    thread.start()

    def at_each_chunk() -> bool:
        change.set()
        assert changed.wait(30)
        return False

    assert hash_file(tree, "", "file", cancelled=at_each_chunk) == TORN
    thread.join()


def test_a_file_that_never_ends_is_let_go(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(CHUNK))
    grown = 0

    def grow() -> bool:
        nonlocal grown
        with path.open("ab") as file:
            file.write(bytes(CHUNK))
        grown += 1
        return False

    assert hash_file(tree, "", "file", cancelled=grow) == TORN
    assert grown <= 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_others_files_are_read_although_their_access_time_changes(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    os.chown(path, 12345, 12345)
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Tree(tmp_path, IgnorePolicy(ignore_file="")) as mine:
                os.setuid(65534)
                module._CAN.no_access_time = True
                made = hash_file(mine, "", "file")
                code = 0 if isinstance(made, tuple) and not module._CAN.no_access_time else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_it_is_known_by_size_times_and_inode(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    version = fingerprint_of((tmp_path / "file").stat())
    with opened(tree, "", "file") as file:
        known = {"size": 1, "mtime_ns": version.mtime_ns, "ctime_ns": version.ctime_ns, "inode": version.inode}
        assert file.is_version(**known)
        assert file.is_version(**known | {"inode": 0})
        for change in ({"size": 2}, {"mtime_ns": 1}, {"ctime_ns": 1}, {"inode": version.inode + 1}):
            assert not file.is_version(**known | change)
