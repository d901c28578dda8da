"""Whether a name is that of a conflict copy, and of which file: names as the programs write them."""

from __future__ import annotations

import pytest

from censusd.service.conflict_names import conflict_copy

CERTAIN = [
    ("notes.sync-conflict-20260131-235959-ABCDEFG.txt", "Syncthing", "notes.txt"),
    ("notes.sync-conflict-20160131-235959.txt", "Syncthing", "notes.txt"),
    ("Makefile.sync-conflict-20260131-235959-A2B3C4D", "Syncthing", "Makefile"),
    ("a.tar.sync-conflict-20260131-235959-ABCDEFG.gz", "Syncthing", "a.tar.gz"),
    ("notes (conflicted copy 2026-01-31 235959).txt", "Nextcloud", "notes.txt"),
    ("notes (conflicted copy Ann Lee 2026-01-31 235959).txt", "Nextcloud", "notes.txt"),
    ("notes_conflict-20260131-235959.txt", "Nextcloud", "notes.txt"),
    ("Notes (case clash from 2026-01-31 235959).txt", "Nextcloud", "Notes.txt"),
    ("notes (Ann's conflicted copy 2026-01-31).txt", "Dropbox", "notes.txt"),
    ("notes (Ann Lee's conflicted copy 2026-01-31 1).txt", "Dropbox", "notes.txt"),
    ("notes (PC-7's conflicted copy).txt", "Dropbox", "notes.txt"),
    ("notes (Case Conflict).txt", "Dropbox", "notes.txt"),
    ("notes (Unicode Encoding Conflict 2).txt", "Dropbox", "notes.txt"),
    ("notes (SFConflict ann@example.com 2026-01-31-23-59-59).txt", "Seafile", "notes.txt"),
    ("notes (SFConflict 2026-Jan-31-23-59-59).txt", "Seafile", "notes.txt"),
    ("notes.conflict1.txt", "rclone", "notes.txt"),
    ("notes.txt.conflict2", "rclone", "notes.txt"),
    ("notes.txt..path2", "rclone", "notes.txt"),
    ("a_Andy-PC_Jan-03-0901-2013_CaseConflict_1.txt", "Synology Drive", "a.txt"),
    ("my_notes_DESKTOP-AB12CD3_Dec-07-094732-2018_Conflict.docx", "Synology Drive", "my_notes.docx"),
    ("notes.variant-c696.txt", "git-annex", "notes.txt"),
    ("notes.variant-f16a", "git-annex", "notes"),
    ("notes (Conflicted copy 2015-10-01 for jsmith).txt", "SecuriSync", "notes.txt"),
    ("notes [conflicted].txt", "pCloud", "notes.txt"),
    ("a\nb (conflicted).txt", "pCloud", "a\nb.txt"),
]


@pytest.mark.parametrize(("name", "program", "original"), CERTAIN)
def test_what_only_such_programs_write(name: str, program: str, original: str) -> None:
    assert conflict_copy(name) == (program, original, True)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("photo (1).jpg", "photo.jpg"),
        ("photo(12).jpg", "photo.jpg"),
        ("README (3)", "README"),
        ("notes.txt.Conflict", "notes.txt"),
        ("plan-DESKTOP-AB12CD3.docx", "plan.docx"),
    ],
)
def test_what_anybody_may_write(name: str, original: str) -> None:
    found = conflict_copy(name)
    assert found is not None
    assert (found.original, found.is_certain) == (original, False)


@pytest.mark.parametrize(
    "name",
    [
        "conflict.txt",
        "a sync-conflict.txt",
        "red.variant-dark.css",
        "a_Conflict.txt",
        "War (1914).txt",
        "f(x).py",
        "(1).jpg",
        "resolving conflicts (a talk).pdf",
        "",
    ],
)
def test_what_is_none(name: str) -> None:
    assert conflict_copy(name) is None
