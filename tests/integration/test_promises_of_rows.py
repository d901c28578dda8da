"""Promises 6 and 7: a move keeps the row, and changed means different. See ``test_promises.py``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.tools.library import Library, disk

# 6. A move keeps the row --------------------------------------------------------------------------------------------


def test_promise_6_a_file_that_moves_keeps_its_row_hash_and_phase(library: Library) -> None:
    for path in ("a/one", "a/two", "b/three"):
        library.write(path, path)
    library.reconcile()
    library.deep_scanned()
    ids = library.ids()
    (library.root / "a/one").rename(library.root / "a/renamed")
    (library.root / "a/two").rename(library.root / "b/two")
    (library.root / "new").mkdir()
    (library.root / "b/three").rename(library.root / "new/three")
    operation = library.reconcile()
    assert (operation.counts.moved, operation.counts.added, operation.counts.removed) == (3, 0, 0)
    assert library.ids() == {"a/renamed": ids["a/one"], "b/two": ids["a/two"], "new/three": ids["b/three"]}
    for path in library.ids():
        assert library.content(path) == (True, 1)
    assert library.missing() == {}


def test_promise_6_a_directory_moves_in_one_row(library: Library) -> None:
    for number in range(6):
        library.write(f"a/b/c{number % 2}/f{number}", str(number))
    library.write("z/keep")
    library.reconcile()
    before = library.query("SELECT f::text, f.ctid::text FROM files f ORDER BY id")
    (library.root / "a/b").rename(library.root / "z/moved")
    operation = library.names("", "a", "z")  # the watch would name both
    operation = library.names("z", "moved") if not operation.counts.directories_moved else operation
    assert operation.counts.directories_moved == 1
    assert library.query("SELECT f::text, f.ctid::text FROM files f ORDER BY id") == before
    assert library.records() == disk(library.root)


def test_promise_6_a_permutation_moves_every_row(library: Library) -> None:
    for name in "abc":
        library.write(f"d/{name}", name)
    library.reconcile()
    ids = library.ids()
    (library.root / "d/a").rename(library.root / "d/x")
    (library.root / "d/b").rename(library.root / "d/a")
    (library.root / "d/c").rename(library.root / "d/b")
    (library.root / "d/x").rename(library.root / "d/c")
    operation = library.reconcile()
    assert operation.counts.moved == 3
    assert library.ids() == {"d/c": ids["d/a"], "d/a": ids["d/b"], "d/b": ids["d/c"]}
    assert library.records() == disk(library.root)


def test_promise_6_a_file_renamed_over_another_leaves_the_place_its_row(library: Library) -> None:
    # That is how editors save: what is known of the place is meant, and the content is new.
    library.write("doc", "old")
    library.write("doc.new", "newer text")
    library.reconcile()
    library.deep_scanned()
    ids = library.ids()
    (library.root / "doc.new").rename(library.root / "doc")
    library.reconcile()
    assert library.ids() == {"doc": ids["doc"]}
    assert library.missing() == {"doc.new": ids["doc.new"]}
    assert library.content("doc") == (False, 0)
    assert library.records() == disk(library.root)


def test_promise_6_an_ambiguous_move_is_two_new_rows(library: Library) -> None:
    library.write("one")
    os.link(library.root / "one", library.root / "other")
    library.write("keep")
    library.reconcile()
    ids = library.ids()
    (library.root / "one").rename(library.root / "third")
    (library.root / "other").rename(library.root / "fourth")
    operation = library.reconcile()
    assert (operation.counts.added, operation.counts.removed, operation.counts.moved) == (2, 2, 0)
    assert library.missing() == {path: ids[path] for path in ("one", "other")}
    assert library.records() == disk(library.root)


def test_promise_6_one_of_two_links_moves_alone(library: Library) -> None:
    library.write("one")
    os.link(library.root / "one", library.root / "other")
    library.reconcile()
    ids = library.ids()
    (library.root / "one").rename(library.root / "third")
    library.reconcile()
    assert library.ids() == {"third": ids["one"], "other": ids["other"]}


def test_promise_6_a_used_inode_number_is_no_move(library: Library) -> None:
    library.write("d/old", "old content")
    library.write("keep")
    library.reconcile()
    ids = library.ids()
    inode = (library.root / "d/old").stat().st_ino
    (library.root / "d/old").unlink()
    for number in range(50):  # on ext4 the number is given to the next file
        new = library.write(f"d/new-{number}", "new content!")
        if new.stat().st_ino == inode:
            break
    library.reconcile()
    assert library.missing() == {"d/old": ids["d/old"]}
    assert library.records() == disk(library.root)


# 7. Changed means different -----------------------------------------------------------------------------------------


def rewrite_in_disguise(path: Path) -> None:
    found = path.stat()
    path.write_text("CONTENT")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def replace_in_disguise(path: Path) -> None:
    found = path.stat()
    other = path.parent.parent / "other"
    other.write_text("CONTENT")
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.rename(path)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda path: path.write_text("longer than before"), (False, 0)),
        (lambda path: path.write_text("CONTENT"), (False, 0)),
        (lambda path: os.utime(path, ns=(1, 1)), (False, 0)),  # older, and different all the same
        (lambda path: path.chmod(0o600), (True, 0)),  # only its ctime: to be verified
        (rewrite_in_disguise, (True, 0)),
        (replace_in_disguise, (True, 0)),
        (lambda path: os.link(path, path.parent / "link"), (True, 0)),
        (lambda path: path.read_text(), (True, 1)),
    ],
    ids=["grown", "rewritten", "older", "chmod", "same size and mtime", "another inode", "linked", "read"],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_promise_7_changed_means_different(
    library: Library, change: Any, kept: tuple[bool, int], by_name: bool
) -> None:
    library.write("f", "content")
    library.reconcile()
    library.deep_scanned()
    change(library.root / "f")
    library.names("", "f") if by_name else library.reconcile()
    assert library.content("f") == kept
    assert library.records()["f"] == disk(library.root)["f"]


def test_promise_7_a_writer_that_closed_an_equal_file_is_not_believed(library: Library) -> None:
    # A second store into a dirty page of a mapping changes neither mtime nor ctime.
    library.write("f", "content")
    library.reconcile()
    library.deep_scanned()
    library.names("", "f")
    assert library.content("f") == (True, 1)
    library.names("", "f", written=True)
    assert library.content("f") == (True, 0)


def test_promise_7_last_scanned_is_true_without_a_row_touched(library: Library) -> None:
    for number in range(20):
        library.write(f"d{number % 4}/f{number}")
    library.reconcile()
    before = library.rows()
    ((scanned,),) = library.query("SELECT DISTINCT last_scanned FROM file_records")
    ((began,),) = library.query("SELECT clock_timestamp()")
    library.reconcile()
    assert library.rows() == before
    ((again, generation),) = library.query("SELECT DISTINCT last_scanned, scan_generation FROM file_records")
    assert scanned < began < again
    assert generation == 2
