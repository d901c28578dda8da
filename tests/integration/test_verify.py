"""A verifying pass trusts nothing that is on record: whatever is wrong there, it finds, repairs and counts."""

from __future__ import annotations

import pytest

from censusd.model import Counts, OperationType, Scope
from censusd.sync.reconciler import Options
from tests.tools.library import Library, disk

VERIFY = Options(verify=True)

GONE = (
    "INSERT INTO directories (repository_id, id, parent_id, inode, change_number, state, missing_since, name, path)"
    " SELECT repository_id, 999, id, 0, 1, 1, now(), 'gone', 'gone' FROM directories WHERE path = ''"
)
ELSEWHERE = "UPDATE files SET directory_id = (SELECT id FROM directories WHERE path = '') WHERE name = '2'"

WRONG = {
    "a size": (["UPDATE files SET size = 99 WHERE name = '2'"], 1),
    "a time": (["UPDATE files SET mtime_ns = 99 WHERE name = '2'"], 1),
    "an inode": (["UPDATE files SET inode = 99 WHERE name = '2'"], 1),
    "a link count": (["UPDATE files SET links = 99 WHERE name = '2'"], 1),
    "a file that has no row": (["DELETE FROM files WHERE name = '2'"], 1),
    "a file that is said to be missing": (["UPDATE files SET state = 1, missing_since = now() WHERE name = '2'"], 1),
    "a row that has no file": (["UPDATE files SET name = 'not there' WHERE name = '2'"], 2),
    "a file in another directory": ([ELSEWHERE], 2),
    "a directory that has no row": (["DELETE FROM directories WHERE path = 'd/e'"], 2),
    "a directory whose parent is another": (["UPDATE directories SET parent_id = 999 WHERE path = 'd/e'"], 2),
    "files of no directory": (["UPDATE files SET directory_id = 999 WHERE name IN ('2', '3')"], 4),
    "files of a missing directory": ([GONE, "UPDATE files SET directory_id = 999 WHERE name = '2'"], 2),
}
"""What is wrong with the rows -> the statements that make it so, and for how many files' rows that is repaired."""


@pytest.fixture
def shelf(library: Library) -> Library:
    """A repository in which there is nothing to do."""
    for name in ("1", "d/2", "d/e/3", "d/e/4"):
        library.write(name, f"content of {name}")
    library.reconcile()
    assert library.reconcile(options=VERIFY).counts.changed == 0
    return library


@pytest.mark.parametrize(("statements", "repaired"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_on_record_is_repaired_and_counted(shelf: Library, statements: list[str], repaired: int) -> None:
    for statement in statements:
        shelf.query(statement)
    operation = shelf.reconcile(options=VERIFY)
    assert shelf.records() == disk(shelf.root)
    paths = shelf.query("SELECT path FROM directories WHERE state = 0 ORDER BY path")
    assert paths == [("",), ("d",), ("d/e",)]
    assert operation.type is OperationType.VERIFY
    assert operation.counts.repaired >= 1
    ((recorded, status),) = shelf.query(
        "SELECT files_repaired, status FROM sync_operations WHERE id = %s", operation.id
    )
    assert (recorded, status) == (operation.counts.repaired, "completed")
    assert recorded <= repaired
    again = shelf.reconcile(options=VERIFY).counts
    assert (again.changed, again.repaired) == (0, 0)


def test_a_change_on_disk_is_no_repair(shelf: Library) -> None:
    shelf.write("d/2", "something else, longer")
    shelf.write("d/5")
    (shelf.root / "1").unlink()
    counts = shelf.reconcile(options=VERIFY).counts
    assert (counts.updated, counts.added, counts.removed, counts.repaired) == (1, 1, 1, 0)


def test_an_ordinary_pass_repairs_nothing(shelf: Library) -> None:
    shelf.query("UPDATE files SET size = 99 WHERE name = '2'")
    assert shelf.reconcile().counts == Counts(files_scanned=4, directories=3)


def test_one_place_is_verified_and_no_other(shelf: Library) -> None:
    shelf.query("UPDATE files SET size = 99 WHERE name IN ('1', '3')")
    counts = shelf.reconcile(Scope.subtree("d"), options=VERIFY).counts
    assert (counts.updated, counts.repaired) == (1, 1)
    assert shelf.query("SELECT name FROM files WHERE size = 99") == [("1",)]


def test_a_directory_with_too_many_files_to_hold(shelf: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("censusd.filesystem.listing.SLICE", 3)
    monkeypatch.setattr("censusd.sync.survey._MOST_ROWS", 3)
    for number in range(10):
        shelf.write(f"huge/{number}")
    shelf.reconcile()
    assert shelf.reconcile(options=VERIFY).counts.repaired == 0
    shelf.query("UPDATE files SET size = 99 WHERE name = '7'")
    shelf.query("DELETE FROM files WHERE name = '8'")
    assert shelf.reconcile(options=VERIFY).counts.repaired == 2
    assert shelf.records() == disk(shelf.root)
