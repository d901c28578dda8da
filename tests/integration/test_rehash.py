"""Content that is not what it was although nobody has changed it: found, said, and never taken for what should be."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from censusd.catalogue import content, rehash
from censusd.catalogue.deep_queue import ClaimedFile
from censusd.catalogue.metadata import EntityCache
from censusd.catalogue.rehash import Budget, Place
from censusd.deepscan.messages import Finding, Outcome
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import Result, Stretch
from censusd.deepscan.writer import Writer
from censusd.model import OperationType, Trigger
from tests.tools.disks import make_disk
from tests.tools.library import Library, opened
from tests.tools.private import privately
from tests.tools.rotting import mapped
from tests.tools.scanning import RULES, hashes, scanning, sha256, site, waiting
from tests.tools.waiting import stays, until

MUCH = 1 << 40


@contextmanager
def rolling(library: Library, per_day: int = MUCH) -> Iterator[Scanner]:
    """A scanner that reads content again."""
    rules = replace(site(library.root), rehash_per_day=per_day, settles=0.1)
    with scanning(library.repository.catalogue, rules) as scanner:
        yield scanner


def deep_scanned(library: Library) -> None:
    """Have everything read for the first time."""
    with scanning(library.repository.catalogue, site(library.root)):
        until(lambda: not waiting(library))


def age(library: Library) -> None:
    """As if everything had been read days ago, in the order of names."""
    library.query("UPDATE files SET read_at = now() - interval '9 days' + ascii(name) * interval '1 minute'")


def corrupt(library: Library) -> dict[str, tuple[str, str]]:
    """Path -> the hash on record and the one that was found, of every corrupt file."""
    rows = library.query("SELECT file_path, content_hash, found_hash FROM corrupt_files")
    return {path: (recorded, found) for path, recorded, found in rows}


def read_lately(library: Library) -> set[str]:
    """Which files were read a moment ago."""
    rows = library.query("SELECT file_path FROM file_records WHERE content_read_at > now() - interval '1 hour'")
    return {path for (path,) in rows}


@pytest.fixture
def rotten(library: Library) -> Library:
    """Three files that were read, of which one has rotted since."""
    for name in ("bad", "fine", "good"):
        library.write(name, f"the content of {name}")
    with mapped(library.root / "bad") as file:
        library.reconcile()
        deep_scanned(library)
        file.store(b"THE")
    age(library)
    return library


def find(library: Library) -> None:
    """Let the corrupt file be found."""
    with rolling(library):
        until(lambda: corrupt(library))


def test_corruption_is_found_said_and_never_taken_over(rotten: Library) -> None:
    recorded = hashes(rotten)
    before = rotten.query("SELECT change_number FROM repositories")
    with rolling(rotten):
        until(lambda: read_lately(rotten) == {"bad", "fine", "good"})
    found = sha256(rotten.root / "bad")
    assert corrupt(rotten) == {"bad": (recorded["bad"], found)}
    assert hashes(rotten) == recorded
    assert recorded["bad"] == hashlib.sha256(b"the content of bad").hexdigest() != found
    work = rotten.query(
        "SELECT trigger, status, files_scanned, files_corrupt, bytes_hashed FROM sync_operations"
        " WHERE operation_type = 'rehash'"
    )
    assert [tuple(map(sum, zip(*[row[2:] for row in work], strict=True)))] == [(3, 1, 18 + 19 + 19)]
    # Who follows the changes hears of that file, and of no other.
    statement = "SELECT path FROM changes_since((SELECT id FROM repositories), %s)"
    assert rotten.query(statement, before[0][0]) == [("bad",)]


def test_a_pass_leaves_the_mark_alone(rotten: Library) -> None:
    find(rotten)
    assert rotten.reconcile().counts.changed == 0
    assert set(corrupt(rotten)) == {"bad"}


def test_it_is_over_when_the_recorded_content_is_found_again(rotten: Library) -> None:
    recorded = hashes(rotten)["bad"]
    find(rotten)
    with mapped(rotten.root / "bad") as file:
        file.store(b"the")
    stat = (rotten.root / "bad").stat()
    # As if the disk had given back what it had, and nobody had written.
    rotten.query("UPDATE files SET mtime_ns = %s, ctime_ns = %s WHERE name = 'bad'", stat.st_mtime_ns, stat.st_ctime_ns)
    age(rotten)
    with rolling(rotten):
        until(lambda: not corrupt(rotten))
    assert hashes(rotten)["bad"] == recorded


@pytest.mark.parametrize("keeps_times", [True, False])
@pytest.mark.parametrize("is_right", [True, False])
def test_it_is_over_when_a_backup_is_put_back(rotten: Library, keeps_times: bool, is_right: bool) -> None:
    stat, row = (rotten.root / "bad").stat(), rotten.ids()["bad"]
    find(rotten)
    path = rotten.write("bad", "the content of bad" if is_right else "the content of BAD")
    if keeps_times:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    rotten.names("", "bad", written=True)
    with structlog.testing.capture_logs() as logs:
        deep_scanned(rotten)
    said = [line["why"] for line in logs if line["event"] == "no longer corrupt"]
    assert said == [
        "it holds again what was recorded" if is_right else "something else than was recorded was written to it"
    ]
    assert rotten.ids()["bad"] == row
    assert corrupt(rotten) == {}
    assert rotten.query("SELECT count(*) FROM file_corruption") == [(0,)]
    assert hashes(rotten)["bad"] == sha256(path)


def test_it_is_over_when_somebody_writes_something_else(rotten: Library) -> None:
    find(rotten)
    path = rotten.write("bad", "something else")
    rotten.names("", "bad", written=True)
    assert corrupt(rotten) == {}
    deep_scanned(rotten)
    assert corrupt(rotten) == {}
    assert hashes(rotten)["bad"] == sha256(path)


@pytest.mark.parametrize("change", ["mode", "name", "links"])
def test_it_is_not_over_when_only_the_inode_changes(rotten: Library, change: str) -> None:
    before = hashes(rotten)["bad"]
    find(rotten)
    path = rotten.root / "bad"
    if change == "mode":
        path.chmod(0o600)
    elif change == "name":
        path.rename(rotten.root / "worse")
    else:
        os.link(path, rotten.root / "other")
    rotten.reconcile()
    deep_scanned(rotten)
    name = "worse" if change == "name" else "bad"
    assert corrupt(rotten) == {name: (before, sha256(rotten.root / name))}
    assert hashes(rotten)[name] == before


def test_a_write_that_was_reported_is_a_change(library: Library) -> None:
    path = library.write("file", "the content")
    with mapped(path) as file:
        library.reconcile()
        deep_scanned(library)
        file.store(b"THE")
    library.names("", "file", written=True)
    deep_scanned(library)
    age(library)
    with rolling(library):
        until(lambda: read_lately(library) == {"file"})
    assert corrupt(library) == {}
    assert hashes(library)["file"] == sha256(path)


def test_a_write_that_is_reported_late_is_a_change_after_all(rotten: Library) -> None:
    find(rotten)
    rotten.names("", "bad", written=True)
    deep_scanned(rotten)
    assert corrupt(rotten) == {}
    assert hashes(rotten)["bad"] == sha256(rotten.root / "bad")


def test_what_somebody_writes_to_at_this_moment_is_left_alone(library: Library) -> None:
    with mapped(library.write("file", "the content")) as file:
        library.reconcile()
        deep_scanned(library)
        age(library)
        file.store(b"THE")
        with rolling(library):
            until(lambda: library.query("SELECT last_error FROM deep_scan_claims WHERE put_off > 0"))
        ((why,),) = library.query("SELECT last_error FROM deep_scan_claims")
        assert why == "somebody has it open and writes to it"
        assert corrupt(library) == {}


def test_what_is_reported_between_two_looks_is_a_change(rotten: Library) -> None:
    rules = replace(site(rotten.root), rehash_per_day=MUCH, settles=1.0)
    with scanning(rotten.repository.catalogue, rules):
        until(lambda: read_lately(rotten) == {"fine", "good"})
        rotten.names("", "bad", written=True)
        until(lambda: not waiting(rotten))
        stays(lambda: not corrupt(rotten), 1.5, "the first look may still be believed")
    assert hashes(rotten)["bad"] == sha256(rotten.root / "bad")


def test_it_stays_within_the_budget_of_a_day(library: Library) -> None:
    for name in "abcde":
        library.write(name, name * 100)
    library.reconcile()
    deep_scanned(library)
    age(library)
    with rolling(library, 250):
        until(lambda: read_lately(library) == {"a", "b"})
        stays(lambda: read_lately(library) == {"a", "b"}, 1.0, "the budget is spent")
    with rolling(library, 250):
        stays(lambda: read_lately(library) == {"a", "b"}, 1.0, "a restart makes no other day")
    library.query("UPDATE sync_operations SET start_time = start_time - interval '1 day'")
    with rolling(library, 250):
        until(lambda: read_lately(library) == {"a", "b", "c", "d"})


def test_a_file_larger_than_the_budget_is_read_alone(library: Library) -> None:
    for name, size in (("a", 1000), ("b", 10), ("c", 10)):
        library.write(name, name * size)
    library.reconcile()
    deep_scanned(library)
    age(library)
    with rolling(library, 50):
        until(lambda: read_lately(library) == {"a"})
        stays(lambda: read_lately(library) == {"a"}, 1.0, "the budget is more than spent")
    library.query("UPDATE sync_operations SET start_time = start_time - interval '1 day'")
    with rolling(library, 50):
        until(lambda: read_lately(library) == {"a", "b", "c"})


def test_nothing_is_read_again_unless_that_is_wanted(rotten: Library) -> None:
    with rolling(rotten, 0):
        stays(lambda: not read_lately(rotten), 1.0, "there is no budget")


def test_what_was_read_today_is_not_read_again(library: Library) -> None:
    library.write("file")
    library.reconcile()
    deep_scanned(library)
    before = library.query("SELECT read_at FROM files")
    with rolling(library):
        stays(lambda: library.query("SELECT read_at FROM files") == before, 1.0, "once a day is enough")


def test_what_is_not_read_by_itself_is_not_gone_through_for_each_batch(library: Library) -> None:
    for number in range(60):
        library.write(f"wanted/{number:02}")
    library.write("asked/file")
    library.reconcile()
    deep_scanned(library)
    library.query("UPDATE files SET read_at = now() - interval '9 days'")
    library.query(
        "INSERT INTO files (repository_id, directory_id, size, mtime_ns, ctime_ns, inode, links, change_number, name,"
        "                   scan_phase, content_hash, read_at)"
        " SELECT repository_id, directory_id, 1, 0, 0, n, 1, 1, 'n' || n, 1, '\\x00', now() - interval '99 days'"
        "   FROM files, generate_series(1, 3000) n WHERE name = 'file'"
    )

    def gone_through() -> int:
        library.query("SELECT pg_stat_force_next_flush()")
        ((rows,),) = library.query("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'files_read'")
        return int(rows)

    before = gone_through()
    rules = replace(site(library.root, on_demand=("asked",)), rehash_per_day=MUCH)
    with scanning(library.repository.catalogue, rules, rules=replace(RULES, batch=5)):
        until(lambda: len(read_lately(library)) == 60)
    # Once for the first batch, once when nothing is left, and once to say for how long anything was not read.
    assert gone_through() - before < 4 * 3000


def test_what_waits_for_its_first_look_comes_before(library: Library) -> None:
    library.write("old", "old")
    library.reconcile()
    deep_scanned(library)
    age(library)
    library.write("new", "new")
    library.reconcile()
    with rolling(library):
        until(lambda: read_lately(library) == {"old", "new"})
    statement = "SELECT name FROM files ORDER BY read_at"
    assert library.query(statement) == [("new",), ("old",)]


def _rotting_disk(scratch: str, database: str) -> None:
    store, root = Path(scratch, "store"), Path(scratch, "disk")
    root.mkdir()
    make_disk(store)
    mounting = ["mount", "-o", "loop", str(store), str(root)]
    done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr.strip()}")
    try:
        with opened(database, root) as library:
            for name in ("bad", "good"):
                library.write(name, f"what nobody writes to: {name} " * 1000)
            library.reconcile()
            deep_scanned(library)
            recorded = hashes(library)
            subprocess.run(["umount", root], check=True)
            with store.open("r+b") as disk:
                disk.seek(store.read_bytes().index(b"what nobody writes to: bad"))
                disk.write(b"W")
            subprocess.run(mounting, check=True)
            assert library.reconcile().counts.changed == 0
            age(library)
            with rolling(library):
                until(lambda: read_lately(library) == {"bad", "good"})
            assert corrupt(library) == {"bad": (recorded["bad"], sha256(root / "bad"))}
            assert hashes(library) == recorded
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk that can be damaged")
def test_a_bit_that_a_disk_has_lost(tmp_path: Path, database: str) -> None:
    privately(_rotting_disk, tmp_path, database)


# One batch, without worker processes ---------------------------------------------------------------------------------


def claimed(library: Library, place: Place | None = None) -> list[ClaimedFile]:
    """Claim everything that may be read again."""
    with library.repository.catalogue.transaction() as cursor:
        files, _ = rehash.claim(
            *(cursor, library.repository.id, "me", place or Place()),
            since=rehash.FROM_THE_FIRST,
            most=100,
            budget=Budget(),
            lease=60,
        )
    return files


def write(library: Library, *results: Result) -> Any:
    """Write what was found."""
    stretch = Stretch(OperationType.REHASH, Trigger.IDLE, "test")
    return Writer(library.repository.catalogue, "me", EntityCache()).write(library.repository.id, stretch, results)


def read(file: ClaimedFile, what: str) -> Result:
    """What a worker process says of a file."""
    return Result(file, Finding(1, Outcome.DONE, hash=hashlib.sha256(what.encode()).hexdigest()))


@pytest.mark.parametrize("change", ["content", "reported", "removed"])
def test_what_has_changed_meanwhile_is_not_marked(rotten: Library, change: str) -> None:
    file = next(one for one in claimed(rotten) if one.name == "bad")
    if change == "removed":
        (rotten.root / "bad").unlink()
    elif change == "content":
        rotten.write("bad", "new")
    rotten.names("", "bad", written=change == "reported")
    written = write(rotten, read(file, "whatever"))
    assert (written.files, written.overtaken, written.corrupt) == (0, 1, {})
    assert rotten.query("SELECT count(*) FROM file_corruption") == [(0,)]


def test_what_cannot_be_read_again_is_a_problem_and_keeps_its_hash(rotten: Library) -> None:
    before = hashes(rotten)
    for _ in range(3):
        file = next(one for one in claimed(rotten) if one.name == "good")
        write(rotten, Result(file, Finding(1, Outcome.FAILED, problem=("io", "Input/output error (EIO)"))))
        rotten.query("UPDATE deep_scan_claims SET retry_at = NULL, lease_expires_at = NULL")
    assert rotten.query("SELECT file_path, last_error FROM quarantined_files") == [("good", "Input/output error (EIO)")]
    assert "good" not in {one.name for one in claimed(rotten)}
    with rotten.repository.catalogue.transaction() as cursor:
        assert [one["path"] for one in content.failures(cursor, rotten.repository.id, 10)] == ["good"]
    assert hashes(rotten) == before


def test_one_is_at_a_file_at_a_time(rotten: Library) -> None:
    assert len(claimed(rotten)) == 3
    assert claimed(rotten) == []
    rotten.query("UPDATE deep_scan_claims SET lease_expires_at = now() - interval '1 second'")
    assert len(claimed(rotten)) == 3


def test_what_was_accepted_is_what_should_be(rotten: Library) -> None:
    find(rotten)
    with rotten.repository.catalogue.transaction() as cursor:
        cursor.execute("UPDATE repositories SET change_number = change_number + 1 RETURNING change_number")
        (row,) = cursor.fetchall()
        assert len(rehash.accept(cursor, rotten.repository.id, row[0], Place())) == 1
    assert corrupt(rotten) == {}
    assert hashes(rotten)["bad"] == sha256(rotten.root / "bad")


def test_a_million_files_are_claimed_from_by_way_of_an_index(library: Library) -> None:
    library.write("file")
    library.reconcile()
    library.query(
        "INSERT INTO files (repository_id, directory_id, size, mtime_ns, ctime_ns, inode, links, change_number, name,"
        "                   scan_phase, content_hash, read_at)"
        " SELECT repository_id, directory_id, 1, 0, 0, n, 1, 1, 'n' || n, 1, '\\x00',"
        "        now() - interval '9 days' + n * interval '1 second'"
        "   FROM files, generate_series(1, 20000) n WHERE name = 'file'"
    )
    with library.repository.catalogue.transaction() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        files, _ = rehash.claim(
            *(cursor, library.repository.id, "me", Place()),
            since=rehash.FROM_THE_FIRST,
            most=10,
            budget=Budget(),
            lease=60,
        )
    assert [file.name for file in files] == [f"n{number}" for number in range(1, 11)]


def test_a_hostile_path_stays_a_name(library: Library, tmp_path: Path) -> None:
    library.write("d/a\nb\\c")
    library.reconcile()
    deep_scanned(library)
    age(library)
    with rolling(library):
        until(lambda: read_lately(library))
