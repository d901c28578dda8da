"""The suite itself: a run without a fault, and that each column of the table can be other than zero."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.faults import second_referee
from tests.faults.arena import Arena, trials
from tests.faults.referee import Seen, listing
from tests.faults.workload import STAY, Workload


@contextmanager
def nothing(arena: Arena) -> Iterator[None]:
    yield


def tamper(arena: Arena, statement: str) -> None:
    """Change a catalogue behind the daemon's back."""
    with psycopg.connect(arena.database) as connection:
        assert connection.execute(statement).rowcount > 0


@trials(seeds=5, operations=3000)
def test_no_fault(arena: Arena) -> None:
    arena.run("none", nothing)
    assert arena.workload.failed * 20 < arena.workload.count


ONE = f"(SELECT min(f.id) FROM files f JOIN directories d ON d.id = f.directory_id WHERE d.path = '{STAY.decode()}')"


@trials(seeds=0)
@pytest.mark.parametrize(
    ("statements", "column"),
    [
        ([f"UPDATE files SET size = size + 1 WHERE id = {ONE}"], "lost"),
        ([f"UPDATE files SET content_hash = 'x' WHERE id = {ONE}"], "lost"),
        ([f"UPDATE files SET id = id + 1000000 WHERE id = {ONE}"], "ids_changed"),
        ([f"DELETE FROM files WHERE id = {ONE}"], "wrongly_missing"),
        # For a moment only:
        ([f"UPDATE files SET state = {state} WHERE id = {ONE}" for state in (1, 0)], "wrongly_missing"),
    ],
)
def test_what_is_wrong_is_noticed(arena: Arena, statements: list[str], column: str) -> None:
    @contextmanager
    def spoilt(arena: Arena) -> Iterator[None]:
        yield
        arena.workload.wait(5)
        for statement in statements:
            tamper(arena, statement)

    with pytest.raises(AssertionError, match="Verdict"):
        arena.run("the catalogue is tampered with", spoilt)
    (_, verdict), *_ = arena.rows
    arena.rows.clear()  # that is how it should be
    assert isinstance(verdict, dict)
    assert verdict[column] == 1


def test_a_deletion_that_was_done_is_not_wrong(tmp_path: Path) -> None:
    workload = Workload(tmp_path / "tree", 1)
    with workload:
        workload.wait(300)
    found = listing(tmp_path / "tree")
    assert found.keys() == workload.files.keys()
    assert {path: seen.inode for path, seen in found.items()} == {
        path: file.inode for path, file in workload.files.items()
    }
    ended = [key for key, stays in workload.stays.items() if key[0] not in found]
    assert ended
    assert not any(workload.was_there(*key, workload.stays[key][-1].since, float("inf")) for key in ended)
    assert all(workload.was_there(path, seen.inode, seen.mtime_ns / 1e9 + 60, 9e9) for path, seen in found.items())


def test_the_referee_sees_what_find_and_sha256sum_see(tmp_path: Path) -> None:
    workload = Workload(tmp_path / "tree", 2)
    with workload:
        workload.wait(300)
    hidden = ["(", "-name", ".*", "-o", "-name", "*.tmp", ")"]
    find = ["find", ".", "-mindepth", "1", *hidden, "-prune", "-o", "-type", "f"]
    stats = _run([*find, "-printf", r"%P\0%s\0%i\0"], tmp_path / "tree").split(b"\0")[:-1]
    sums = _run([*find, "-exec", "sha256sum", "-z", "{}", "+"], tmp_path / "tree").split(b"\0")[:-1]
    hashes = {line[66:].removeprefix(b"./"): line[:64].decode() for line in sums}
    theirs = {
        path: Seen(int(size), os.lstat(os.fsencode(tmp_path / "tree") + b"/" + path).st_mtime_ns, int(inode), "")
        for path, size, inode in zip(stats[0::3], stats[1::3], stats[2::3], strict=True)
    }
    ours = listing(tmp_path / "tree")
    assert {path: seen.sha256 for path, seen in ours.items()} == hashes
    assert {path: (seen.size, seen.inode) for path, seen in ours.items()} == {
        path: (seen.size, seen.inode) for path, seen in theirs.items()
    }


def test_the_second_referee_sees_what_the_first_one_sees(tmp_path: Path) -> None:
    if why := second_referee.why_not():
        pytest.skip(why)
    workload = Workload(tmp_path / "tree", 3)
    with workload:
        workload.wait(300)
    for byte in range(1, 256):
        for form in (b"%c", b"one %c and", b"\\%c", b"%c\\M-%c"):
            name = form.replace(b"%c", bytes([byte]))
            if b"/" not in name and name != b".":
                Path(os.fsdecode(workload.root + b"/stay/" + name)).write_bytes(name)
                directory = Path(os.fsdecode(workload.root + b"/d " + name))
                directory.mkdir()
                (directory / "file").write_bytes(name)
    deep = tmp_path.joinpath("tree", *["0"] * 400)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    found = listing(tmp_path / "tree")
    assert second_referee.disagreements(found, tmp_path / "tree") == []
    path, seen = next((path, seen) for path, seen in found.items() if path.startswith(b"stay/"))
    for other in (replace(seen, size=1 << 40), replace(seen, mtime_ns=1), replace(seen, sha256="")):
        assert len(second_referee.disagreements({**found, path: other}, tmp_path / "tree")) == 1
    assert len(second_referee.disagreements({**found, b"no such file": seen}, tmp_path / "tree")) == 1
    del found[path]
    assert len(second_referee.disagreements(found, tmp_path / "tree")) == 1


def _run(command: list[str], at: Path) -> bytes:
    return subprocess.run(command, cwd=at, check=True, capture_output=True).stdout
