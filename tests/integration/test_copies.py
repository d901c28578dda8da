"""Duplicates, names that are hard to tell apart, and conflict copies: found, page by page, and printed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
import unicodedata

import pytest

from censusd.catalogue import copies
from censusd.catalogue.connection import Catalogue
from censusd.cli import censusctl
from tests.tools.control_room import ControlRoom
from tests.tools.library import Library
from tests.tools.living import LivingLibrary


def hashed(library: LivingLibrary) -> None:
    """Make every file as it is after a deep scan."""
    for path in library.records():
        made = hashlib.sha256((library.root / path).read_bytes()).digest()
        statement = (
            "UPDATE files SET content_hash = %s, scan_phase = 1 WHERE id ="
            " (SELECT file_id FROM file_records WHERE repository_name = %s AND file_path = %s)"
        )
        library.query(statement, made, library.terms.rules.name, path)


@pytest.fixture
def shelf(room: ControlRoom) -> LivingLibrary:
    """A repository of copies and hard links, read."""
    contents = {"big/1": "x" * 900, "big/2": "x" * 900, "big/3": "x" * 900, "a/small": "yy", "b/small": "yy"}
    library = room.add("shelf", files=contents | {"alone": "zzz", "empty 1": "", "empty 2": ""})
    os.link(library.root / "big/1", library.root / "big/link")
    os.link(library.root / "alone", library.root / "alone too")
    library.sync()
    hashed(library)
    return library


def test_copies_and_hard_links_are_told_apart(room: ControlRoom, shelf: LivingLibrary) -> None:
    answer = room.get("/v1/repositories/shelf/duplicates")
    big, small = answer["duplicates"]
    assert (big["size"], big["names"], big["copies"], big["freed"]) == (900, 4, 3, 1800)
    numbers = {file["path"]: file["copy"] for file in big["files"]}
    assert numbers["big/1"] == numbers["big/link"]
    assert len(set(numbers.values())) == 3
    assert (small["names"], small["copies"], small["freed"]) == (2, 2, 2)
    assert (answer["contents"], answer["freed"], answer["unhashed"], answer["next"]) == (2, 1802, 0, None)
    out, _ = room.ctl("duplicates", "shelf")
    assert out.startswith("3 copies of 900 B, 1.8 KiB could be freed  ")
    assert out.count("(hard link)") == 1
    assert out.endswith("2 contents more than once, 1.8 KiB could be freed\n")
    assert json.loads(room.ctl("--json", "duplicates", "shelf")[0]) == answer


def test_page_by_page_and_place_by_place(room: ControlRoom, shelf: LivingLibrary) -> None:
    first = room.get("/v1/repositories/shelf/duplicates?limit=1")
    second = room.get(f"/v1/repositories/shelf/duplicates?limit=1&after={first['next']}")
    assert [one["size"] for one in (*first["duplicates"], *second["duplicates"])] == [900, 2]
    assert second["next"] is None
    assert "1 are not shown" in room.ctl("duplicates", "shelf", "-n", "1")[0]
    assert room.ctl("duplicates", "shelf:a")[0] == "no duplicates\n"
    assert room.get("/v1/repositories/shelf/duplicates?path=big")["contents"] == 1
    room.ctl("duplicates", "shelf:nowhere", code=2)
    code = room.ask("GET", "/v1/repositories/shelf/duplicates?after=nonsense").code
    assert code == 400


def test_more_than_a_page(room: ControlRoom, shelf: LivingLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = room.get("/v1/repositories/shelf/duplicates")
    monkeypatch.setattr("censusd.cli.commands._DUPLICATES", 1)
    out, arguments = io.StringIO(), ["--socket", str(room.socket), "--json", "duplicates", "shelf", "-n"]
    for number in (100_000, 2, 1):
        with contextlib.redirect_stdout(out):
            assert censusctl.main([*arguments, str(number)]) == 0
        answer = json.loads(out.getvalue())
        assert answer["duplicates"] == whole["duplicates"][:number]
        assert (answer["contents"], answer["freed"], answer["next"] is None) == (2, 1802, number > 1)
        out.seek(0)
        out.truncate()
    room.ctl("duplicates", "-n", "100001", code=2)


def test_repositories_are_compared_with_each_other(room: ControlRoom, shelf: LivingLibrary) -> None:
    other = room.add("other", files={"copy": "zzz"})
    assert "1 file was not read yet (3 B)" in room.ctl("duplicates")[0]
    hashed(other)
    (found,) = [one for one in room.get("/v1/duplicates")["duplicates"] if one["size"] == 3]
    assert {file["repository"] for file in found["files"]} == {"shelf", "other"}
    assert (found["copies"], found["names"]) == (2, 3)


def test_what_is_corrupt_is_no_copy(room: ControlRoom, shelf: LivingLibrary) -> None:
    shelf.query(
        "INSERT INTO file_corruption SELECT repository_id, id, now(), ctime_ns, '\\x00' FROM files"
        " WHERE id = (SELECT file_id FROM file_records WHERE file_path = 'a/small')"
    )
    assert [one["size"] for one in room.get("/v1/duplicates")["duplicates"]] == [900]


@pytest.fixture
def clashing(room: ControlRoom) -> LivingLibrary:
    """A repository of names that are in conflict."""
    names = [
        "d/Notes.txt",
        "d/notes.txt",
        "d/NOTES.txt",
        "notes.txt",
        "e/Ärger",
        "e/ärger",
        "photo.jpg",
        "photo (1).jpg",
    ]
    names += [f"n/{unicodedata.normalize(form, 'café')}" for form in ("NFC", "NFD")]
    names += ["d/notes.sync-conflict-20260131-235959-ABCDEFG.txt", "gone (Ann's conflicted copy 2026-01-31).txt"]
    names += ["other (1).jpg", "dir", "Dir/file"]
    return room.add("clashing", files=dict.fromkeys(names, "x"))


def test_names_that_are_hard_to_tell_apart_and_conflict_copies(room: ControlRoom, clashing: LivingLibrary) -> None:
    answer = json.loads(room.ctl("--json", "conflicts", "clashing")[0])
    names = {
        (one["kind"], one["directory"], tuple(one["names"])) for one in answer["conflicts"] if one["kind"] != "copy"
    }
    assert names == {
        ("case", "d", ("NOTES.txt", "Notes.txt", "notes.txt")),
        ("case", "e", ("Ärger", "ärger")),
        ("case", "", ("Dir", "dir")),
        ("normalisation", "n", tuple(sorted(unicodedata.normalize(form, "café") for form in ("NFC", "NFD")))),
    }
    made = {one["path"]: (one["program"], one["original"]) for one in answer["conflicts"] if one["kind"] == "copy"}
    assert made == {
        "d/notes.sync-conflict-20260131-235959-ABCDEFG.txt": ("Syncthing", "notes.txt"),
        "gone (Ann's conflicted copy 2026-01-31).txt": ("Dropbox", None),
        "photo (1).jpg": ("Google Drive or a browser", "photo.jpg"),
    }
    out, _ = room.ctl("conflicts", "clashing")
    assert "case   d: NOTES.txt  Notes.txt  notes.txt\n" in out
    assert "normal n: cafe\\u0301  caf\\u00e9\n" in out
    assert "copy   photo (1).jpg  (Google Drive or a browser; beside photo.jpg)\n" in out
    assert "the original is gone" in out
    assert room.ctl("conflicts", "clashing:e")[0] == "case   e: Ärger  ärger\n"
    assert room.ctl("conflicts", "clashing:Dir")[0].startswith("no conflicts: ")


def test_conflicts_come_in_pages(room: ControlRoom, clashing: LivingLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = room.get("/v1/repositories/clashing/conflicts")
    assert whole["next"] == "copies:0:"
    everything = whole["conflicts"] + room.get("/v1/repositories/clashing/conflicts?after=copies:0:")["conflicts"]
    monkeypatch.setattr("censusd.service.copies._AT_ONCE", 1)
    assert json.loads(room.ctl("--json", "conflicts", "clashing")[0])["conflicts"] == everything
    assert room.ask("GET", "/v1/repositories/clashing/conflicts?after=x:y:z").code == 400


def test_conflicts_of_all_repositories_come_one_after_the_other(
    room: ControlRoom, clashing: LivingLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.add("alike", files=dict.fromkeys(["Name", "name"], "x"))
    room.add("plain", files={"file": "x"})
    out, _ = room.ctl("conflicts")
    assert out.startswith("case   alike:/: Name  name\n")
    assert "copy   clashing:photo (1).jpg  (" in out
    assert "case   clashing:d: NOTES.txt" in out
    monkeypatch.setattr("censusd.service.copies._AT_ONCE", 1)
    answer = json.loads(room.ctl("--json", "conflicts")[0])
    assert answer["repository"] is None
    by_one = [json.loads(room.ctl("--json", "conflicts", name)[0])["conflicts"] for name in ("alike", "clashing")]
    assert answer["conflicts"] == by_one[0] + by_one[1]
    assert room.ask("GET", "/v1/conflicts?after=nonsense").code == 400
    assert room.get("/v1/conflicts?after=alikf:names:7:x")["repository"] == "clashing"
    assert room.get("/v1/conflicts?after=z:") == {"repository": None, "conflicts": [], "next": None}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_files_take_seconds(library: Library, catalogue: Catalogue) -> None:
    library.write("d/file")
    library.reconcile()
    library.query(
        "INSERT INTO files (repository_id, directory_id, size, mtime_ns, ctime_ns, inode, links, change_number, name,"
        "                   scan_phase, content_hash)"
        " SELECT repository_id, directory_id, 1000, 0, 0, n, 1, 1, 'Photo ' || n || '.jpg', 1,"
        "        sha256((n / 2)::text::bytea)"
        "   FROM files, generate_series(1, 1000000) n WHERE name = 'file'"
    )
    library.query("ANALYZE files")
    took: dict[str, float] = {}
    with catalogue.transaction() as cursor:
        for what, ask in (
            ("duplicates", lambda: copies.duplicates(cursor, [library.repository.id], "", None, 101)),
            ("look-alikes", lambda: copies.look_alikes(cursor, library.repository.id, "", (0, ""), 1000)),
            ("conflict copies", lambda: copies.candidates(cursor, library.repository.id, "", (0, ""), 1000)),
        ):
            began = time.monotonic()
            ask()
            took[what] = time.monotonic() - began
    assert max(took.values()) < 60, took
