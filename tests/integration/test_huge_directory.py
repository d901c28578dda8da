"""A directory that is too large to hold: compared in slices, and never listed for the sake of one file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from censusd.filesystem import listing
from censusd.filesystem.walk import Tree
from censusd.model import Listing, Scope, Trigger
from censusd.sync import huge, survey, withdrawal
from censusd.sync.reconciler import Options
from tests.tools.auditing import audited
from tests.tools.library import Library, disk, fetching
from tests.tools.trees import fill

SLICE = 10


@pytest.fixture
def small(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library in which ten files make a directory huge; there are 35 in one, and a few elsewhere."""
    for function in (listing.list_directory, listing.slices):
        monkeypatch.setattr(function, "__kwdefaults__", {**(function.__kwdefaults__ or {}), "slice_size": SLICE})
    monkeypatch.setattr(huge, "_PAGE", SLICE)
    for number in range(35):
        library.write(f"huge/f{number:02}", str(number))
    library.write("huge/sub/file")
    library.write("other/file")
    library.reconcile()
    return library


def has_digest(library: Library, path: str) -> bool:
    return library.query("SELECT digest IS NOT NULL FROM directories WHERE path = %s AND state = 0", path) == [(True,)]


def check(library: Library, added: int = 0, updated: int = 0, moved: int = 0, removed: int = 0) -> None:
    """A pass does just this; then everything is on record, and the next one finds nothing."""
    counts = library.reconcile().counts
    assert (counts.added, counts.updated, counts.moved, counts.removed) == (added, updated, moved, removed)
    assert library.records() == disk(library.root)
    assert has_digest(library, "huge")
    with audited("os.scandir") as listed:
        operation = library.reconcile()
    assert operation.counts.changed == 0
    assert operation.counts.files_scanned == len(disk(library.root))
    assert listed.count(str(library.root / "huge")) <= 1  # none if another process helped


def test_a_first_scan_and_one_of_nothing(small: Library) -> None:
    check(small)


def test_one_of_everything(small: Library) -> None:
    root, ids = small.root, small.ids()
    (root / "huge/f17").write_text("changed")
    check(small, updated=1)
    (root / "huge/f31").unlink()
    check(small, removed=1)
    small.write("huge/new")
    check(small, added=1)
    (root / "other/file").rename(root / "huge/moved-in")
    check(small, moved=1)
    (root / "huge/f03").rename(root / "other/moved-out")
    check(small, moved=1)
    (root / "huge/f05").rename(root / "huge/zz")  # from one slice to another
    check(small, moved=1)
    (root / "huge/f08").rename(root / "huge/f09")
    check(small, updated=1, removed=1)
    now = small.ids()
    assert now["huge/moved-in"] == ids["other/file"]
    assert now["other/moved-out"] == ids["huge/f03"]
    assert now["huge/zz"] == ids["huge/f05"]
    assert small.missing() == {"huge/f31": ids["huge/f31"], "huge/f08": ids["huge/f08"]}


def test_everything_at_once(small: Library) -> None:
    root, ids = small.root, small.ids()
    for number in range(0, 35, 3):
        (root / f"huge/f{number:02}").rename(root / f"huge/g{number:02}")
    for number in range(1, 35, 3):
        (root / f"huge/f{number:02}").unlink()
    for number in range(5):
        small.write(f"huge/new{number}")
    check(small, added=5, moved=12, removed=12)
    now = small.ids()
    assert all(now[f"huge/g{number:02}"] == ids[f"huge/f{number:02}"] for number in range(0, 35, 3))


def test_to_and_fro_over_the_border(small: Library) -> None:
    root, ids = small.root, small.ids()
    (root / "away").mkdir()
    for number in range(SLICE - 1, 35):
        (root / f"huge/f{number:02}").rename(root / f"away/f{number:02}")
    check(small, moved=35 - SLICE + 1)
    (root / f"away/f{SLICE - 1:02}").rename(root / f"huge/f{SLICE - 1:02}")
    check(small, moved=1)
    for path in (root / "away").iterdir():
        path.rename(root / "huge" / path.name)
    check(small, moved=35 - SLICE)
    assert {path: number for path, number in small.ids().items() if path in ids} == ids


def test_what_is_hidden_in_it_is_ignored_and_comes_back(small: Library) -> None:
    ids = small.ids()
    small.write("huge/.censusignore", "f0*\n")
    assert small.reconcile().counts.ignored == 10
    assert small.records() == {path: stat for path, stat in disk(small.root).items() if not path.startswith("huge/f0")}
    assert small.reconcile().counts.changed == 0
    (small.root / "huge/.censusignore").unlink()
    check(small, updated=10)
    assert small.ids() == ids


def test_gone_and_back_again(small: Library) -> None:
    ids = small.ids()
    away = small.root.parent / "away"
    (small.root / "huge").rename(away)
    assert small.reconcile().counts.removed == 36
    assert small.reconcile().counts.changed == 0
    away.rename(small.root / "huge")
    small.reconcile()
    assert small.ids() == ids
    check(small)
    shutil.rmtree(small.root / "huge")
    assert small.names("", "huge").counts.removed == 36
    assert small.records() == disk(small.root)


def test_a_verifying_pass_finds_what_a_digest_hides(small: Library) -> None:
    small.query("UPDATE files SET size = 12345 WHERE name = 'f23'")
    assert small.reconcile().counts.changed == 0
    assert small.reconcile(options=Options(verify=True)).counts.updated == 1
    check(small)


# Sixty thousand -----------------------------------------------------------------------------------------------------


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A directory where sixty thousand files are made in a moment, if there is one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.mark.timeout(600)  # some seconds of work; many more beside other suites
def test_sixty_thousand_files_in_one_directory(in_memory: Path, make_library: Callable[..., Library]) -> None:
    library = make_library(in_memory / "library")
    directory = library.root / "huge"
    directory.mkdir()
    fill(directory, 60_000)
    library.write("other/file")
    assert library.reconcile().counts.added == 60_001
    ids = library.ids()
    with audited("os.scandir") as listed:
        assert library.reconcile().counts.changed == 0
    assert listed.count(str(directory)) <= 1
    changes: list[tuple[Callable[[], object], dict[str, list[str]]]] = [
        (lambda: (directory / "img_00500.jpg").write_text("changed"), {"huge": ["img_00500.jpg"]}),
        ((directory / "img_59999.jpg").unlink, {"huge": ["img_59999.jpg"]}),
        ((directory / "new").touch, {"huge": ["new"]}),
        (lambda: (library.root / "other/file").rename(directory / "in"), {"huge": ["in"], "other": ["file"]}),
        (lambda: (directory / "img_30000.jpg").rename(directory / "x"), {"huge": ["img_30000.jpg", "x"]}),
    ]
    for change, names in changes:
        change()
        scope = Scope(names={place: dict.fromkeys(some, False) for place, some in names.items()})
        with audited("os.scandir") as listed:
            operation = library.reconcile(scope, Trigger.REALTIME)
        assert operation.counts.changed == 1
        assert operation.counts.files_scanned <= 4
        assert str(directory) not in listed
    assert library.records() == disk(library.root)
    now = library.ids()
    assert now["huge/in"] == ids["other/file"]
    assert now["huge/x"] == ids["huge/img_30000.jpg"]
    # The next pass has to compare once, and finds nothing; from then on it is as before.
    assert library.reconcile().counts.changed == 0
    assert has_digest(library, "huge")


def test_so_many_names_that_the_directory_is_listed_instead(small: Library) -> None:
    for number in range(2 * SLICE):
        small.write(f"huge/new{number:02}")
    (small.root / "huge/f00").unlink()
    operation = small.reconcile(Scope(directories=("huge",)), Trigger.REALTIME)
    assert (operation.counts.added, operation.counts.removed) == (2 * SLICE, 1)
    assert small.records() == disk(small.root)
    assert has_digest(small, "huge")


class Meanwhile:
    """Does something in the library between the listing of a huge directory and the reading of its slices, once."""

    def __init__(self, what: Callable[[], object], monkeypatch: pytest.MonkeyPatch, after: int = 0) -> None:
        slices = Tree.slices
        self.done = False

        def read(tree: Tree, path: str) -> Iterator[Listing]:
            for number, part in enumerate(chain([None], slices(tree, path))):
                if number == after and not self.done:
                    self.done = True
                    what()
                if part is not None:
                    yield part

        monkeypatch.setattr(Tree, "slices", read)


def test_a_file_that_was_there_only_while_the_slices_were_read(small: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    (small.root / "huge/f17").write_text("changed")
    passing = small.root / "huge/passing"
    meanwhile = Meanwhile(lambda: passing.write_text("x"), monkeypatch)
    small.reconcile()
    assert meanwhile.done
    passing.unlink()
    small.reconcile()
    assert small.records() == disk(small.root)


def test_links_that_change_while_the_slices_of_a_new_directory_are_read(
    small: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        small.write(f"new/f{number:02}")
    names = [entry.name for entry in os.scandir(small.root / "new")]
    first, last = small.root / "new" / names[0], small.root / "new" / names[-1]
    last.unlink()
    last.hardlink_to(first)
    meanwhile = Meanwhile(lambda: first.chmod(0o600), monkeypatch, after=1)
    small.reconcile()
    assert meanwhile.done
    check(small)


def test_a_directory_that_is_gone_is_marked_a_bounded_number_of_rows_at_a_time(
    small: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "CHUNK", SLICE)
    ids = small.ids()
    shutil.rmtree(small.root / "huge")
    assert small.reconcile().counts.removed == 36
    assert small.missing().keys() == ids.keys() - {"other/file"}
    sizes = [size for (size,) in small.query("SELECT count(*) FROM files WHERE state = 1 GROUP BY change_number")]
    assert max(sizes) <= SLICE
    assert small.query("SELECT path FROM directories WHERE state = 1 ORDER BY path") == [("huge",), ("huge/sub",)]
    assert small.reconcile().counts.changed == 0


def test_a_directory_that_was_huge_is_not_fetched_as_a_whole(small: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_MOST_ROWS", SLICE)
    root, ids = small.root, small.ids()
    for number in range(30):
        (root / f"huge/f{number:02}").unlink()
    (root / "huge/f31").write_text("changed")
    (root / "huge/f32").rename(root / "other/moved")
    small.write("huge/new")
    with fetching() as fetched:
        counts = small.reconcile().counts
    assert (counts.added, counts.updated, counts.moved, counts.removed) == (1, 1, 1, 30)
    assert max(fetched) <= SLICE + 1
    assert small.records() == disk(root)
    now = small.ids()
    assert now["other/moved"] == ids["huge/f32"]
    assert all(now[path] == ids[path] for path in ("huge/f30", "huge/f31", "huge/f33", "huge/f34"))
    assert small.missing() == {path: ids[path] for path in (f"huge/f{number:02}" for number in range(30))}
    check(small)
