"""Reconciling real trees with a real database."""

from __future__ import annotations

import shutil

from censusd.model import OperationStatus, OperationType
from censusd.sync.reconciler import Options
from tests.tools.library import Library, disk, fetching


def test_first_scan_sees_everything(library: Library) -> None:
    for number in range(30):
        library.write(f"a/{number % 3}/f{number}.jpg", "x" * number)
    library.write(".hidden/x")
    operation = library.reconcile()
    assert operation.type is OperationType.QUICK_SCAN
    assert operation.status is OperationStatus.COMPLETED
    assert operation.counts.added == 30
    assert library.records() == disk(library.root)
    assert {phase for (phase,) in library.query("SELECT scan_phase FROM file_records")} == {0}


def test_second_scan_writes_nothing(library: Library) -> None:
    library.write("a/b/c")
    library.reconcile()
    before = library.query("SELECT * FROM directories ORDER BY id")
    operation = library.reconcile()
    assert operation.counts.changed == 0
    assert operation.counts.files_scanned == 1
    assert library.query("SELECT * FROM directories ORDER BY id") == before


def test_changes_are_found_by_a_pass(library: Library) -> None:
    for name in ("keep", "change", "gone"):
        library.write(f"d/{name}")
    library.reconcile()
    ids = library.ids()
    library.write("d/change", "longer")
    (library.root / "d/gone").unlink()
    library.write("e/new")
    operation = library.reconcile()
    assert (operation.counts.added, operation.counts.updated, operation.counts.removed) == (1, 1, 1)
    assert library.records() == disk(library.root)
    assert library.missing() == {"d/gone": ids["d/gone"]}
    assert library.ids()["d/change"] == ids["d/change"]
    assert library.reconcile().counts.changed == 0


def test_a_change_in_a_large_directory_takes_few_of_its_rows(library: Library) -> None:
    for number in range(300):
        library.write(f"d/{number}")
    library.write("other/file")
    library.reconcile()
    ids = library.ids()
    (library.root / "d/7").write_text("longer")
    (library.root / "d/100").unlink()
    (library.root / "d/211").rename(library.root / "d/renamed")
    (library.root / "other/file").rename(library.root / "d/moved-in")
    library.write("d/new")
    with fetching() as fetched:
        counts = library.reconcile().counts
    assert (counts.added, counts.updated, counts.moved, counts.removed) == (1, 1, 2, 1)
    assert library.records() == disk(library.root)
    now = library.ids()
    assert (now["d/renamed"], now["d/moved-in"]) == (ids["d/211"], ids["other/file"])
    assert 0 < sum(fetched) < 150
    assert library.reconcile().counts.changed == 0


def test_rows_of_files_that_are_gone_are_not_fetched_but_for_those_that_are_back(library: Library) -> None:
    names = [f"{number:03}" for number in range(200)]
    for name in names:
        library.write(f"d/{name}")
    library.write("d/stays")
    library.reconcile()
    ids = library.ids()
    moved_in = library.write("other/moved-in")
    away = library.root.parent / "away"
    (library.root / "d/007").rename(away)
    for name in names:
        (library.root / "d" / name).unlink(missing_ok=True)
    library.reconcile()
    assert len(library.missing()) == 200
    away.rename(library.root / "d/007")
    library.write("d/042", "other content")
    moved_in.rename(library.root / "d/100")
    for verify in (False, True):
        with fetching() as fetched:
            library.reconcile(options=Options(verify=verify))
        assert 0 < sum(fetched) < 10
        assert library.records() == disk(library.root)
    now = library.ids()
    assert (now["d/007"], now["d/042"]) == (ids["d/007"], ids["d/042"])
    assert now["d/100"] not in ids.values()
    assert len(library.missing()) == 198


def test_a_file_that_comes_back_keeps_its_row(library: Library) -> None:
    library.write("d/f")
    library.reconcile()
    ids = library.ids()
    (library.root / "d/f").unlink()
    library.reconcile()
    library.write("d/f", "other")
    library.reconcile()
    assert library.ids() == ids


def test_moved_directory_keeps_rows(library: Library) -> None:
    for number in range(5):
        library.write(f"a/deep/er/f{number}")
    library.write("z/y")
    library.reconcile()
    ids = library.ids()
    (library.root / "a/deep").rename(library.root / "z/moved")
    operation = library.reconcile()
    assert operation.counts.directories_moved == 1
    assert operation.counts.changed == 1
    assert library.ids() == {path.replace("a/deep", "z/moved"): number for path, number in ids.items()}


def test_deleted_tree(library: Library) -> None:
    for number in range(5):
        library.write(f"a/b{number}/f")
    library.write("keep")
    library.reconcile()
    shutil.rmtree(library.root / "a")
    operation = library.reconcile()
    assert operation.counts.removed == 5
    assert library.records() == disk(library.root)
    assert len(library.missing()) == 5


def test_realtime(library: Library) -> None:
    library.write("a/f")
    library.reconcile()
    library.write("a/g")
    operation = library.names("a", "g")
    assert operation.counts.added == 1
    assert operation.type is OperationType.REALTIME
    library.write("new/dir/file")
    operation = library.names("", "new")
    assert operation.counts.added == 1
    (library.root / "a").rename(library.root / "b")
    operation = library.names("", "a", "b")
    assert operation.counts.directories_moved == 1
    assert operation.counts.changed == 1
    assert library.records() == disk(library.root)
    shutil.rmtree(library.root / "b")
    operation = library.names("", "b")
    assert operation.counts.removed == 2
    assert library.records() == disk(library.root)
    statuses = library.query("SELECT DISTINCT status FROM sync_operations")
    assert statuses == [("completed",)]
