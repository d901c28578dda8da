"""Rows follow what is renamed, exchanged and replaced, in whatever order that is seen."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from censusd.model import OperationStatus, Scope, Trigger
from censusd.sync.reconciler import Options
from tests.tools.library import Library, disk
from tests.tools.operations import exchange, remove


def numbers(library: Library) -> list[tuple[int, int]]:
    """Every file's row and the number of its last change."""
    return library.query("SELECT id, change_number FROM files ORDER BY id")


def fill(library: Library, *directories: str) -> None:
    for directory in directories:
        for name in ("one", "two", "below/three"):
            library.write(f"{directory}/{name}", directory)


def swap(library: Library, one: str, other: str) -> None:
    exchange(os.fsencode(library.root / one), os.fsencode(library.root / other))


@pytest.mark.parametrize("by_name", [False, True])
def test_exchanged_directories_keep_every_row(library: Library, by_name: bool) -> None:
    fill(library, "a", "b")
    library.reconcile()
    before, ids = numbers(library), library.ids()
    swap(library, "a", "b")
    operation = library.names("", "a", "b") if by_name else library.reconcile()
    assert operation.counts.directories_moved == 2
    assert operation.counts.changed == 2
    assert library.records() == disk(library.root)
    assert numbers(library) == before
    assert library.ids() == {("b" if path[0] == "a" else "a") + path[1:]: number for path, number in ids.items()}
    assert library.reconcile(options=Options(verify=True)).counts.changed == 0


@pytest.mark.parametrize("by_name", [False, True])
def test_a_chain_of_directories_keeps_every_row(library: Library, by_name: bool) -> None:
    fill(library, "a", "b", "c")
    library.reconcile()
    before, ids = numbers(library), library.ids()
    for old, new in (("c", "d"), ("b", "c"), ("a", "b")):
        (library.root / old).rename(library.root / new)
    operation = library.names("", "a", "b", "c", "d") if by_name else library.reconcile()
    assert operation.counts.directories_moved == 3
    assert library.records() == disk(library.root)
    assert numbers(library) == before
    assert {path[1:]: number for path, number in library.ids().items() if path[0] == "d"} == {
        path[1:]: number for path, number in ids.items() if path[0] == "c"
    }


def test_a_directory_that_took_the_place_of_one_that_went_deeper(library: Library) -> None:
    fill(library, "x", "z")
    library.write("e/f")
    library.reconcile()
    ids = library.ids()
    (library.root / "z").rename(library.root / "e/z")
    (library.root / "x").rename(library.root / "z")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.ids()["e/z/one"] == ids["z/one"]
    assert library.ids()["z/below/three"] == ids["x/below/three"]
    assert library.reconcile(options=Options(verify=True)).counts.changed == 0


def test_parent_and_child_change_places(library: Library) -> None:
    fill(library, "a/b")
    library.write("a/f")
    library.reconcile()
    before, ids = numbers(library), library.ids()
    (library.root / "a/b").rename(library.root / "b")
    (library.root / "a").rename(library.root / "b/a")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert numbers(library) == before
    assert library.ids()["b/a/f"] == ids["a/f"]
    assert library.ids()["b/one"] == ids["a/b/one"]


@pytest.mark.parametrize("known", ["", "a/b"])
def test_a_directory_that_seems_to_be_inside_itself(library: Library, known: str) -> None:
    fill(library, "a/b")
    library.write("a/f")
    library.reconcile()
    ids = library.ids()
    (library.root / "a").rename(library.root / "t")
    (library.root / "a").mkdir()
    (library.root / "t/b").rename(library.root / "a/b")
    (library.root / "t").rename(library.root / "a/b/t")
    if known:
        library.names(known, "t")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.ids() == {"a/b/t/f": ids["a/f"], **{path: number for path, number in ids.items() if path != "a/f"}}


def test_a_directory_renamed_over_an_empty_one(library: Library) -> None:
    fill(library, "a")
    (library.root / "b").mkdir()
    library.reconcile()
    ids = library.ids()
    (library.root / "a").rename(library.root / "b")
    library.names("", "a", "b")
    assert library.records() == disk(library.root)
    assert library.ids() == {"b" + path[1:]: number for path, number in ids.items()}
    assert library.reconcile(options=Options(verify=True)).counts.changed == 0


def test_moves_are_seen_below_a_mount_whose_device_number_changed_with_a_reboot(library: Library) -> None:
    fill(library, "mount/a")
    library.reconcile()
    ids = library.ids()
    library.query("UPDATE directories SET device = 1 WHERE path LIKE 'mount%%'")
    assert library.reconcile().counts.changed == 0
    (library.root / "mount/a").rename(library.root / "mount/b")
    (library.root / "mount/b/one").rename(library.root / "mount/one")
    operation = library.reconcile()
    assert (operation.counts.directories_moved, operation.counts.moved) == (1, 1)
    assert library.ids()["mount/one"] == ids["mount/a/one"]


def test_a_tree_put_back_with_other_inodes_is_followed_to_any_depth(library: Library) -> None:
    deep = "/".join("abcdefghij")
    library.write(f"{deep}/f")
    library.reconcile()
    ids = library.ids()
    shutil.copytree(library.root / "a", library.root.parent / "copy")
    shutil.rmtree(library.root / "a")
    (library.root.parent / "copy").rename(library.root / "a")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.ids() == ids


def test_a_hard_link_is_not_taken_for_a_move_when_its_directory_moves(library: Library) -> None:
    file = library.write("d/f")
    library.write("other/x")
    library.reconcile()
    ids = library.ids()
    os.link(file, library.root / "other/g")
    (library.root / "d").rename(library.root / "moved")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.ids()["moved/f"] == ids["d/f"]


def test_a_file_rewritten_after_its_move_is_looked_at_again(library: Library) -> None:
    for name in ("kept", "written"):
        os.utime(library.write(f"d/{name}"), ns=(1, 1))
    library.reconcile()
    ids = library.ids()
    library.query("UPDATE files SET scan_phase = 1")
    for name in ("kept", "written"):
        (library.root / "d" / name).rename(library.root / f"d/{name}.new")
    with (library.root / "d/written.new").open("r+") as file:
        file.write("y")
    os.utime(library.root / "d/written.new", ns=(1, 1))
    names = {"kept": False, "kept.new": False, "written": False, "written.new": True}
    library.reconcile(Scope(names={"d": names}), Trigger.REALTIME)
    phases = dict(library.query("SELECT file_id, scan_phase FROM file_records"))
    assert phases == {ids["d/kept"]: 1, ids["d/written"]: 0}


def test_one_directory_looked_into_and_listed_at_once(library: Library) -> None:
    library.write("d/old")
    library.reconcile()
    library.write("d/new")
    scope = Scope(names={"d": {"new": True}}, directories=("d",))
    assert library.reconcile(scope, Trigger.REALTIME).counts.added == 1
    assert library.records() == disk(library.root)


@pytest.mark.parametrize("what", ["new", "new/file"])
def test_a_directory_that_was_looked_into_is_compared_by_the_next_pass(library: Library, what: str) -> None:
    """It lists as it did when its digest was taken, but not as what is on record since."""
    library.write("d/old")
    library.reconcile()
    library.write(f"d/{what}")
    library.names("d", "new")
    assert f"d/{what}" in library.records()
    remove(os.fsencode(library.root / "d/new"))
    assert library.reconcile().counts.removed == 1
    assert library.records() == disk(library.root)


def test_what_the_breaker_holds_back_is_held_back_again(library: Library) -> None:
    library = library.with_rules(breaker_files=2, breaker_percent=10.0)
    fill(library, "keep", "d/gone")
    library.reconcile()
    shutil.rmtree(library.root / "d/gone")
    for _ in range(2):
        operation = library.reconcile()
        assert operation.status is OperationStatus.HELD
        assert len(library.records()) == 6
    operation = library.reconcile(options=Options(released=True))
    assert operation.counts.removed == 3
    assert library.records() == disk(library.root)


def test_a_pass_that_was_cut_short_before_its_deletions(library: Library) -> None:
    fill(library, "keep", "d/gone", "d/hidden")
    library.reconcile()
    shutil.rmtree(library.root / "d/gone")
    (library.root / "d/hidden").rename(library.root / "d/.hidden")
    library.query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
    library.query(
        "CREATE TRIGGER refuse BEFORE UPDATE ON directories FOR EACH ROW WHEN (NEW.state <> 0)"
        " EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(Exception, match="not now"):
        library.reconcile()
    library.query("DROP TRIGGER refuse ON directories")
    library.reconcile()
    assert library.records() == disk(library.root)


def test_a_file_that_moves_on_after_its_directory_was_listed_keeps_its_row(library: Library) -> None:
    for path in ("a/f", "a/g", "b/h"):
        library.write(path)
    library.reconcile()
    ids = library.ids()
    library.write("a/g", "so that the listing is compared")

    def move_on(path: str, _: int) -> None:
        if path == "b":
            (library.root / "a/f").rename(library.root / "b/f")

    replace(library, hooks=replace(library.hooks, cover=move_on)).reconcile()
    assert library.ids() == {"b/f": ids["a/f"], "a/g": ids["a/g"], "b/h": ids["b/h"]}
    assert not library.missing()
    # Neither is the listing of a place that it has left trusted.
    (library.root / "b/f").rename(library.root / "a/f")
    library.reconcile()
    assert library.ids() == ids
