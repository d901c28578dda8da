"""Promise 6, by content: a file with the content of exactly one missing file is that file, wherever it turns up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.deepscan.scanner import Scanner
from censusd.model import Trigger
from censusd.sync.requests import Kind, Request
from tests.tools.living import LivingLibrary, living
from tests.tools.scanning import RULES, scanning, site
from tests.tools.waiting import until

FAMILIES = ("tests.tools.hostile:Poet",)


class Home:
    """A repository with a worker and a scanner, as in the daemon."""

    def __init__(self, library: LivingLibrary, scanner: Scanner) -> None:
        self.library = library
        self.scanner = scanner
        self.root = library.root

    def write(self, path: str, content: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def settle(self) -> None:
        """Everything on disk is on record, and looked at, and compared."""
        self.library.sync()
        until(lambda: not self.library.query("SELECT id FROM files WHERE scan_phase = 0 AND state = 0"))
        ((change,),) = self.library.query("SELECT change_number FROM repositories")
        until(lambda: self.scanner._sites["library"].compared >= change)
        self.library.sync()

    def ids(self) -> dict[str, int]:
        return self.library.ids()

    def missing(self) -> set[str]:
        return {path for (path,) in self.library.query("SELECT file_path FROM missing_files")}


@pytest.fixture
def home(tmp_path: Path, catalogue: Catalogue) -> Iterator[Home]:
    library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.05)

    def adopt(_name: str, pairs: list[tuple[int, int]]) -> None:
        library.worker.submit(Request(Kind.ADOPT, Trigger.IDLE, pairs=tuple(pairs)))

    rules = replace(RULES, families=FAMILIES)
    with living(library), scanning(catalogue, site(library.root), rules=rules, adopt=adopt) as scanner:
        yield Home(library, scanner)


def carry(home: Home, old: str, new: str) -> None:
    """As from one file system to another: another inode and another time, but the same content."""
    (home.root / new).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(home.root / old, home.root / new)
    (home.root / old).unlink()


def test_a_damaged_file_that_is_back_from_a_backup_is_not_damaged_any_more(home: Home, tmp_path: Path) -> None:
    backup = shutil.copy(home.write("a/file", "something"), tmp_path / "backup")
    home.settle()
    before = home.ids()
    home.library.query(
        "INSERT INTO file_corruption (repository_id, file_id, ctime_ns, found_hash)"
        " SELECT repository_id, id, ctime_ns, '\\x00' FROM files"
    )
    (home.root / "a/file").unlink()
    shutil.copy(backup, home.root / "restored")
    home.settle()
    assert home.ids() == {"restored": before["a/file"]}
    assert home.library.query("SELECT file_path FROM corrupt_files") == []


def test_a_file_that_was_carried_over_keeps_its_row_and_its_metadata(home: Home) -> None:
    home.write("a/poem", "poem\nThe Tyger\nWilliam Blake")
    home.write("a/other", "something else")
    home.settle()
    before = home.ids()
    carry(home, "a/poem", "b/c/tiger")
    home.settle()
    assert home.ids() == {"b/c/tiger": before["a/poem"], "a/other": before["a/other"]}
    assert home.missing() == set()
    assert home.library.query(
        "SELECT d.title, r.name FROM file_details d JOIN file_relations r USING (repository_id, file_id)"
        " WHERE d.file_path = 'b/c/tiger'"
    ) == [("The Tyger", "William Blake")]
    assert home.library.query("SELECT count(*) FROM files") == [(2,)]
    (operation,) = home.library.query(
        "SELECT files_moved, scope FROM sync_operations WHERE files_moved > 0 AND operation_type = 'deep_scan'"
    )
    assert operation == (1, "1 missing file found again by content")
    # A pass finds nothing to mend.
    home.library.check_passes()


def test_a_directory_that_was_copied_before_it_was_removed(home: Home) -> None:
    for number in range(20):
        home.write(f"old/f{number}", f"content {number}")
    home.settle()
    before = home.ids()
    shutil.copytree(home.root / "old", home.root / "new/place")
    home.settle()
    assert len(home.ids()) == 40
    shutil.rmtree(home.root / "old")
    home.settle()
    assert home.ids() == {path.replace("old", "new/place"): number for path, number in before.items()}
    home.library.check_passes()


def test_what_is_ambiguous_or_empty_stays_two_rows(home: Home) -> None:
    home.write("one/twin", "same")
    home.write("two/twin", "same")
    home.write("single", "alone")
    home.write("empty", "")
    home.settle()
    before = home.ids()
    # Two are missing, one is new; one is missing, two are new; nothing is in it.
    carry(home, "one/twin", "new/twin")
    (home.root / "two/twin").unlink()
    shutil.copy(home.root / "single", home.root / "copy1")
    home.settle()
    carry(home, "single", "copy2")
    carry(home, "empty", "void")
    home.settle()
    assert home.missing() == {"one/twin", "two/twin", "single", "empty"}
    assert not set(home.ids().values()) & set(before.values())


def test_an_old_copy_is_not_what_went_missing(home: Home) -> None:
    home.write("original", "content")
    home.write("copy", "content")
    home.settle()
    # They have both been there for a long time.
    home.library.query("UPDATE files SET created_at = now() - interval '1 year'")
    before = home.ids()
    (home.root / "original").unlink()
    home.settle()
    assert home.ids() == {"copy": before["copy"]}
    assert home.missing() == {"original"}
    # And what turns up now is the original, the old copy notwithstanding.
    home.write("again", "content")
    home.settle()
    assert home.ids() == {"copy": before["copy"], "again": before["original"]}


def test_a_place_that_was_taken_meanwhile(home: Home) -> None:
    home.write("name", "first")
    home.write("keep", "")
    home.settle()
    number = home.ids()["name"]
    (home.root / "name").unlink()
    home.settle()
    home.write("elsewhere", "first")
    home.settle()
    assert home.ids()["elsewhere"] == number
    home.write("name", "second")
    home.settle()
    assert home.ids()["elsewhere"] == number
    assert sorted(home.ids()) == ["elsewhere", "keep", "name"]
    home.library.check_passes()
