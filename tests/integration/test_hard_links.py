"""A file with several names is on record under each of them as it is, whichever name was used."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.catalogue import files
from censusd.catalogue.connection import Catalogue
from censusd.model import Scope, Trigger
from censusd.sync import duty
from censusd.sync.links import Elsewhere
from censusd.sync.upkeep import Upkeep
from tests.tools.library import Library, disk
from tests.tools.living import DEADLINE, LivingLibrary, living
from tests.tools.waiting import until

NO_INODE = -(1 << 63)


@pytest.fixture
def linked(library: Library) -> Library:
    """One file under three names in two directories, on record."""
    file = library.write("a/one", "x")
    library.write("b/other")
    os.link(file, library.root / "a/two")
    os.link(file, library.root / "b/three")
    library.reconcile()
    assert len({library.ids()[path] for path in ("a/one", "a/two", "b/three")}) == 3
    return library


def test_content_written_under_one_name(linked: Library) -> None:
    linked.query("UPDATE files SET scan_phase = 1, content_hash = '\\x00'")
    (linked.root / "a/one").write_text("longer")
    operation = linked.names("a", "one", written=True)
    assert operation.counts.updated == 3
    assert linked.records() == disk(linked.root)
    known = linked.query("SELECT file_path, content_hash, scan_phase FROM file_records ORDER BY 1")
    assert known == [("a/one", None, 0), ("a/two", None, 0), ("b/other", "00", 1), ("b/three", None, 0)]


def test_content_stored_under_one_name_without_a_trace(linked: Library) -> None:
    """As into a mapped page that is dirty already: no time changes, and only one name is reported."""
    linked.deep_scanned()
    assert linked.names("a", "one", written=True).counts.updated == 3
    assert linked.query("SELECT file_path FROM file_records WHERE scan_phase = 1") == [("b/other",)]
    linked.deep_scanned()
    scope = Scope(names={"a": {"one": True, "two": True}, "b": {"three": True}})
    assert linked.reconcile(scope, Trigger.REALTIME).counts.updated == 3


def test_names_made_renamed_and_removed(linked: Library) -> None:
    ids = linked.ids()
    os.link(linked.root / "a/one", linked.root / "b/four")
    linked.names("b", "four")
    assert linked.records() == disk(linked.root)
    (linked.root / "a/two").rename(linked.root / "b/two")
    linked.reconcile(Scope(names={"a": {"two": False}, "b": {"two": False}}), Trigger.REALTIME)
    assert linked.records() == disk(linked.root)
    assert linked.ids()["b/two"] == ids["a/two"]
    (linked.root / "b/three").unlink()
    linked.names("b", "three")
    assert linked.records() == disk(linked.root)
    linked.write("new").rename(linked.root / "a/one")
    linked.reconcile(Scope(names={"": {"new": False}, "a": {"one": False}}), Trigger.REALTIME)
    assert linked.records() == disk(linked.root)
    links = linked.query("SELECT links FROM file_records WHERE file_path = ANY(%s)", ["b/two", "b/four"])
    assert links == [(2,), (2,)]


def test_a_new_directory_full_of_links(linked: Library) -> None:
    shutil.copytree(linked.root / "a", linked.root / "c", copy_function=os.link)
    linked.reconcile(Scope.subtree("c"), Trigger.REALTIME)
    assert linked.records() == disk(linked.root)


def test_a_name_that_was_looked_at_in_vain(linked: Library) -> None:
    os.link(linked.root / "a/one", linked.root / "c")
    linked.reconcile(Scope(directories=("",)))
    linked.query("UPDATE files SET ctime_ns = 0 WHERE name = 'three'")
    linked.names("", "c")
    assert linked.records() == disk(linked.root)


def test_a_file_that_comes_back_with_another_of_its_names(library: Library) -> None:
    file = library.write("a/one")
    (library.root / ".hidden").mkdir()
    os.link(file, library.root / ".hidden/two")
    library.reconcile()
    ids = library.ids()
    away = library.root.parent / "away"
    (library.root / "a").rename(away)
    library.reconcile()
    away.rename(library.root / "a")
    (library.root / ".hidden").rename(library.root / "shown")
    library.reconcile()
    assert library.records() == disk(library.root)
    assert library.ids()["a/one"] == ids["a/one"]


@pytest.mark.parametrize("watch", ["auto", "off"])
def test_a_file_written_under_a_name_outside(tmp_path: Path, catalogue: Catalogue, watch: str) -> None:
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies")
    library.terms = replace(library.terms, watch=replace(library.terms.watch, wanted=watch, poll_interval=0.2))
    outside, inside = tmp_path / "outside", library.root / "d/inside"
    inside.parent.mkdir()
    inside.write_text("x")
    os.link(inside, outside)
    os.link(inside, library.root / "another")
    with living(library):
        until(lambda: library.query("SELECT DISTINCT links FROM files") == [(3,)])
        outside.write_text("something longer")
        until(lambda: {stat[0] for stat in library.records().values()} == {16})
        library.check()
        outside.unlink()
        until(lambda: library.query("SELECT DISTINCT links FROM files") == [(2,)])


def test_a_look_that_had_to_wait_is_not_the_last_for_long(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a database that was away: it was no work, and nobody has to be spared another one."""
    monkeypatch.setattr(duty, "_REST_PER_LOOK", 1e6)  # as if each took so much longer
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies")
    library.terms = replace(library.terms, watch=replace(library.terms.watch, poll_interval=0.2))
    outside, inside = tmp_path / "outside", library.root / "inside"
    inside.write_text("x")
    os.link(inside, outside)
    look, looked = Upkeep.look_at_linked, threading.Event()

    def look_and_say(upkeep: Upkeep) -> bool:
        is_all = look(upkeep)
        looked.set()
        return is_all

    monkeypatch.setattr(Upkeep, "look_at_linked", look_and_say)
    with living(library):
        assert looked.wait(DEADLINE)
        outside.write_text("something longer")
        until(lambda: {stat[0] for stat in library.records().values()} == {16}, within=20)


def test_only_files_with_names_elsewhere_are_looked_at(linked: Library, tmp_path: Path) -> None:
    """Where every name is watched, nothing has to be looked for."""
    with linked.repository.catalogue.transaction() as cursor:
        assert files.linked_elsewhere(cursor, linked.repository.id, NO_INODE, 10) == []
    for number in range(5):
        os.link(linked.write(f"{number}"), tmp_path / f"outside {number}")
    os.link(linked.root / "a/one", tmp_path / "outside")
    linked.reconcile()
    found, after = [], NO_INODE
    with linked.repository.catalogue.transaction() as cursor:
        while page := files.linked_elsewhere(cursor, linked.repository.id, after, 2):
            found += [(directory, name) for _, directory, name in page]
            after = page[-1][0]
    assert sorted(found) == [*(("", f"{n}") for n in range(5)), ("a", "one"), ("a", "two"), ("b", "three")]


def test_what_the_deep_scan_finds_otherwise_than_on_record_is_looked_at(library: Library, tmp_path: Path) -> None:
    """A name that is gone before anybody has looked at it leaves another time of change, and nobody reports that."""
    file = library.write("a/one")
    library.reconcile()
    os.link(file, tmp_path / "for a moment")
    (tmp_path / "for a moment").unlink()
    elsewhere = Elsewhere(library.repository)
    assert not elsewhere.next()
    library.query(
        "INSERT INTO deep_scan_claims (repository_id, file_id, change_number, put_off, retry_at)"
        " SELECT repository_id, id, change_number, 1, now() + interval '1 hour' FROM files"
    )
    scope = elsewhere.next()
    assert scope.names == {"a": {"one": False}}
    library.reconcile(scope, Trigger.REALTIME)
    assert library.records() == disk(library.root)
    assert not elsewhere.next(), "it is gone through to its end"


def test_a_directory_full_of_links_is_deleted(tmp_path: Path, catalogue: Catalogue) -> None:
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies")
    (library.root / "keep").mkdir()
    (library.root / "gone/below").mkdir(parents=True)
    for number in range(5):
        file = library.root / f"gone/below/{number}"
        file.touch()
        os.link(file, library.root / f"keep/{number}")
    with living(library):
        shutil.rmtree(library.root / "gone")
        library.sync()
        library.check()
