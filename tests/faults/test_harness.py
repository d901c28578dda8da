"""The suite itself: a run without a fault, and that each column of the table can be other than zero."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.faults import second_referee
from tests.faults.arena import Arena, Trial, overloaded, trials
from tests.faults.bystanders import Bystanders, survey
from tests.faults.referee import Seen, listing
from tests.faults.workload import STAY, Workload
from tests.tools.waiting import until


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


@trials(seeds=0)
@pytest.mark.parametrize("is_repaired", [False, True])
def test_the_time_to_repair_counts_from_where_the_fault_ended(arena: Arena, is_repaired: bool) -> None:
    ended, took = 0.0, 0.0

    @contextmanager
    def lasting(arena: Arena) -> Iterator[None]:
        nonlocal ended, took
        yield
        arena.fault_is_over()
        arena.lasts(1.5)
        ended = time.monotonic()
        arena.fault_is_over()
        arena.lasts(0.5)
        if is_repaired:
            arena.repaired()
            took = time.monotonic() - ended
            arena.lasts(1.5)
            ended = time.monotonic()

    verdict = arena.run("none", lasting)
    arena.rows.clear()  # it is not the daemon's
    assert 0.5 <= verdict.repair <= max(took, time.monotonic() - ended)


def test_nothing_is_tried_on_a_machine_that_is_overloaded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr("os.getloadavg", lambda: (48.06, 0.0, 0.0))
    with pytest.raises(pytest.skip.Exception, match=r"its load is 48\.1, and 48 is the most \(12 for each processor\)"):
        Arena(place, "there is none", Trial(), [])
    assert not overloaded(48.0, 4)


BESIDE = "beside"
"""A directory whose files are not the workload's."""


def one(directory: str) -> str:
    """The row of a file in it, the first one."""
    return f"(SELECT min(f.id) FROM files f JOIN directories d ON d.id = f.directory_id WHERE d.path = '{directory}')"


def missing_for_a_moment(directory: str) -> list[str]:
    """The same row in two states."""
    return [f"UPDATE files SET state = {state} WHERE id = {one(directory)}" for state in (1, 0)]


ONE = one(STAY.decode())
THOSE = f"FROM files f JOIN directories d ON d.id = f.directory_id WHERE d.path = '{BESIDE}'"
EXCHANGED = [
    f"UPDATE files SET id = {new} WHERE id IN (SELECT f.id {THOSE})"
    for new in ("-id", f"(SELECT sum(-f.id) {THOSE}) + id")
]
"""Of two rows, each is the other file's."""


@trials(seeds=0)
@pytest.mark.parametrize(
    ("statements", "column", "count"),
    [
        ([f"UPDATE files SET size = size + 1 WHERE id = {ONE}"], "lost", 1),
        ([f"UPDATE files SET content_hash = 'x' WHERE id = {ONE}"], "lost", 1),
        ([f"UPDATE files SET id = id + 1000000 WHERE id = {ONE}"], "ids_changed", 1),
        ([f"DELETE FROM files WHERE id = {ONE}"], "wrongly_missing", 1),
        (missing_for_a_moment(STAY.decode()), "wrongly_missing", 1),
        (missing_for_a_moment(BESIDE), "wrongly_missing", 1),
        (EXCHANGED, "ids_changed", 2),
    ],
)
def test_what_is_wrong_is_noticed(arena: Arena, statements: list[str], column: str, count: int) -> None:
    (arena.root / BESIDE).mkdir(parents=True)
    for name in ("one", "other"):
        (arena.root / BESIDE / name).write_text(name)

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
    assert verdict[column] == count


def test_what_files_prove_that_are_not_the_workloads(tmp_path: Path) -> None:
    names = ("still", "written", "mode", "aside", "again", "moved", "goes", "stays", "linked", "away/file", "full/file")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    bystanders = Bystanders()
    before = survey(tmp_path, map(os.fsencode, names))
    rests = max(mark.rests for mark in before.values())
    until(lambda: time.time() > rests)
    bystanders.on_record(before, {os.fsencode(name): number for number, name in enumerate(names)})
    until(lambda: time.time() > rests + 0.2)

    (tmp_path / "written").write_text("something else")
    (tmp_path / "mode").chmod(0o600)
    for name in ("aside", "away"):
        (tmp_path / name).rename(tmp_path / "in between")
        (tmp_path / "in between").rename(tmp_path / name)
    (tmp_path / "again").unlink()
    (tmp_path / "again").write_text("again")
    (tmp_path / "moved").rename(tmp_path / "moved away")
    (tmp_path / "goes").rename(tmp_path / "stays")
    os.link(tmp_path / "linked", tmp_path / "another link")
    (tmp_path / "full/new").write_text("new")
    done = time.time()
    until(lambda: time.time() > done + 0.2)
    there = ("moved away", "another link", "full/new")
    after = survey(tmp_path, map(os.fsencode, (*names, *there)))
    asked = time.time()
    bystanders.at_rest(after, asked)

    expected = bystanders.expected(after)
    assert {path: names[number] for path, number in expected.items()} == {
        b"still": "still",
        b"away/file": "away/file",
        b"full/file": "full/file",
        b"moved away": "moved",
    }

    def proven(since: float, to: float) -> set[bytes]:
        return {path for path, mark in after.items() if bystanders.was_there(path, mark.inode, since, to)}

    # What was on record when the round began was there from then on only if nothing was done to it or above it.
    assert proven(0, done) == {b"still"}
    assert proven(rests, done) == {b"still"}
    assert proven(0, rests) == set(), "before the round began"
    assert proven(0, asked + 1) == set(), "nobody has looked"
    # After all was done, everything was where it is.
    assert proven(done + 0.1, asked) == after.keys()


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
