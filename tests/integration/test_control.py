"""The control room over its sockets: real workers, a real database, the real censusctl."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from censusd.catalogue import directories
from censusd.errors import WatchError
from censusd.filesystem.names import text_of
from censusd.model import FileState, Problem, ProblemKind, ScanPhase
from censusd.service.collector import Collector, Totals
from censusd.service.heartbeat import Heartbeats
from censusd.sync import watching
from censusd.sync.standing import Phase
from tests.tools.control_room import ControlRoom, busy
from tests.tools.living import LivingLibrary
from tests.tools.waiting import until

# Questions -----------------------------------------------------------------------------------------------------------


def test_status_tells_how_a_repository_stands(room: ControlRoom, photos: LivingLibrary) -> None:
    totals = Totals({(FileState.PRESENT, ScanPhase.QUICK): (3, 6)}, directories=3, problems=0, change_number=1)
    room.overview = {"totals": {"photos": totals}, "fault": "the configuration is wrong"}
    status = room.get("/v1/status")
    assert status["daemon"]["version"] == "1.2.3"
    assert status["daemon"]["pid"] == os.getpid()
    assert status["daemon"]["fault"] == "the configuration is wrong"
    assert status["database"]["available"] is True
    (one,) = status["repositories"]
    assert (one["name"], one["root"], one["phase"], one["state"]) == ("photos", str(photos.root), "watching", "active")
    assert (one["level"], one["notes"], one["owned"]) == ("fine", [], True)
    assert one["owner"].endswith(f"(process {os.getpid()})")
    assert one["watch"]["tier"] == "inotify"
    assert (one["watch"]["used"], one["watch"]["needed"], one["watch"]["uncovered"]) == (3, 3, 0)
    assert one["watch"]["limit"] > 3
    assert (one["totals"]["files"], one["totals"]["bytes"], one["totals"]["directories"]) == (3, 6, 3)
    assert one["scan_generation"] == 1
    assert one["change_number"] > 0
    assert one["last_pass_at"] is not None
    out, _ = room.ctl("status")
    assert "photos      watching      3   6 B     3     -  inotify 3 " in out
    assert "the configuration is wrong" in out


def test_a_watch_that_cannot_be_had_is_told(room: ControlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """To who asks, and to who is to be alerted."""

    def refuse(*_: object, **__: object) -> None:
        raise WatchError("the kernel gives no inotify instance")

    monkeypatch.setattr(watching, "RepositoryObserver", refuse)
    library = room.add("photos", files={"a/one.txt": "1"})
    assert "everything is polled for now: the kernel gives no inotify instance" in room.status("photos")["notes"]
    collector = Collector(lambda: {"photos": library.worker}, room.catalogue, Heartbeats())
    for _ in range(2):  # directories are counted after the watch was looked at
        collector.collect()
    assert REGISTRY.get_sample_value("censusd_uncovered_directories", {"repository": "photos"}) == 2


def test_status_shows_a_pass_under_way(room: ControlRoom, photos: LivingLibrary, database: str) -> None:
    with busy(database, "photos"):
        room.ctl("scan", "photos", "--verify")
        until(lambda: room.status("photos")["pass"])
        assert room.status("photos")["phase"] == "scanning"
        assert "looking at /" in room.ctl("status")[0]
    room.ctl("sync", "photos")
    assert room.status("photos")["pass"] is None


def test_status_shows_who_else_owns_a_repository(room: ControlRoom, photos: LivingLibrary) -> None:
    directory = room.directory / "other"
    directory.mkdir()
    with ControlRoom(directory, room.catalogue) as other:
        standby = other.add("photos", start=False)
        standby.terms = replace(standby.terms, owner="elsewhere/7/boot/namespace/1", rules=photos.terms.rules)
        standby.start_at_once()
        until(lambda: standby.worker.phase is Phase.STANDBY)
        one = other.status("photos")
        assert (one["phase"], one["owned"], one["level"]) == ("standby", False, "idle")
        assert one["owner"].endswith(f"(process {os.getpid()})")
        for order in (["scan", "photos"], ["sync", "photos"], ["release", "photos"]):
            _, err = other.ctl(*order, code=1)
            assert f"this daemon does not own photos: {standby.worker.why}" in err
        assert other.ask("POST", "/v1/repositories/photos/scan").code == 409


def test_history_is_newest_first(room: ControlRoom, photos: LivingLibrary) -> None:
    room.add("books", files={"b": "b"})
    room.ctl("scan", "photos", "--wait")
    everything = room.get("/v1/history")["operations"]
    assert everything[0]["repository"] == "photos"
    assert {one["repository"] for one in everything} == {"photos", "books"}
    assert room.get("/v1/history?limit=1")["operations"] == everything[:1]
    (first, second) = room.get("/v1/history?repository=photos")["operations"]
    assert (first["operation_type"], first["trigger"]) == ("reconciliation", "manual")
    assert (second["operation_type"], second["files_added"]) == ("quick_scan", 3)
    out, _ = room.ctl("history", "photos", "-n", "1")
    assert out.splitlines()[0].split() == "WHEN REPOSITORY WORK TRIGGER STATUS LOOKED AT TOOK CHANGES WHERE".split()
    assert "reconciliation" in out.splitlines()[1]
    assert len(out.splitlines()) == 2


def test_a_directory_is_listed_in_byte_order_and_in_pages(room: ControlRoom) -> None:
    library = room.add("odd", files={"b/x": "", "a": "", "c.txt": "", "ä": "", "B": ""})
    (library.root / os.fsdecode(b"\xff")).touch()
    room.ctl("sync", "odd")
    expected = ["B", "a", "b", "c.txt", "ä", text_of(b"\xff")]
    assert room.names("odd") == expected
    found: list[str] = []
    after = ""
    while True:
        answer = room.ask("GET", f"/v1/repositories/odd/list?limit=2&after={after}")
        found += [entry["name"] for entry in answer.json["entries"]]
        if answer.json["next"] is None:
            break
        after = answer.json["next"]
    assert found == expected
    kinds = {entry["name"]: entry["kind"] for entry in room.get("/v1/repositories/odd/list")["entries"]}
    assert (kinds["b"], kinds["a"]) == ("directory", "file")
    assert room.names("odd:b") == room.names(f"odd:{library.root}/b") == ["x"]


def test_no_name_can_forge_a_line(room: ControlRoom) -> None:
    room.add("odd", files={"real\nforged  quick  line": "", "\x1b[2Jcleared": "", "\u202etxt.exe": ""})
    out, _ = room.ctl("ls", "odd")
    assert len(out.splitlines()) == 4
    assert out.replace("\n", "").isprintable()
    assert "real\\nforged" in out


def test_a_file_is_shown_in_full(room: ControlRoom, photos: LivingLibrary) -> None:
    file = photos.root / "a/b/two.txt"
    stat = file.stat()
    answer = room.get(f"/v1/show?path={file}")
    assert (answer["repository"], answer["path"]) == ("photos", "a/b/two.txt")
    (row,) = answer["rows"]
    assert (row["kind"], row["state"], row["size"], row["inode"]) == ("file", "present", 2, stat.st_ino)
    assert (row["mtime_ns"], row["ctime_ns"], row["device"]) == (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_dev)
    assert row["scan_phase"] == "quick"
    for arguments in (["show", str(file)], ["show", "photos:a/b/two.txt"], ["show", f"photos:{file}"]):
        out, _ = room.ctl(*arguments)
        assert f"inode          {stat.st_ino}\n" in out
    assert "a/b/two.txt" in room.ctl("show", "two.txt", cwd=file.parent)[0]
    (row,) = room.get("/v1/repositories/photos/show?path=a")["rows"]
    assert (row["kind"], row["directories"], row["files"], row["bytes"]) == ("directory", 1, 1, 1)
    (row,) = room.get("/v1/repositories/photos/show?path=")["rows"]
    assert (row["path"], row["directories"], row["files"]) == ("", 1, 1)


def test_a_file_is_found_by_way_of_a_symlink(room: ControlRoom, photos: LivingLibrary, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos.root)
    assert "three.txt" in room.ctl("show", str(tmp_path / "link/three.txt"))[0]


def test_what_is_missing_is_shown_too(room: ControlRoom, photos: LivingLibrary) -> None:
    file = photos.root / "a/one.txt"
    identity = photos.ids()["a/one.txt"]
    file.unlink()
    room.ctl("sync", "photos")
    out, _ = room.ctl("show", str(file))
    assert "state          missing" in out
    # Another file moves to its place: both rows are told, what is there first.
    (photos.root / "three.txt").rename(file)
    (photos.root / "a/one.txt.bak").write_text("x")
    (photos.root / "a/one.txt-").write_text("x")
    room.ctl("sync", "photos")
    rows = room.get("/v1/repositories/photos/show?path=a/one.txt")["rows"]
    assert [(row["state"], row["path"]) for row in rows] == [("present", "a/one.txt"), ("missing", "a/one.txt")]
    assert rows[1]["id"] == identity
    # And so is what was in a directory that is gone.
    (photos.root / "left").write_text("x")
    shutil.rmtree(photos.root / "a")
    room.ctl("sync", "photos")
    rows = room.get("/v1/repositories/photos/show?path=a/b/two.txt")["rows"]
    assert [row["state"] for row in rows] == ["missing"]
    assert room.names("photos") == ["left"]
    assert room.get("/v1/repositories/photos/show?path=a")["rows"][0]["missing_since"]


def test_of_what_was_there_the_latest_is_shown_first(room: ControlRoom) -> None:
    library = room.add("dirs", files={"first/a": "1", "second/b": "2", "left": "3"})
    numbers = [room.get(f"/v1/repositories/dirs/show?path={name}")["rows"][0]["id"] for name in ("first", "second")]
    shutil.rmtree(library.root / "first")
    room.ctl("sync", "dirs")
    (library.root / "second").rename(library.root / "first")
    room.ctl("sync", "dirs")
    shutil.rmtree(library.root / "first")
    room.ctl("sync", "dirs")
    rows = room.get("/v1/repositories/dirs/show?path=first")["rows"]
    assert [(row["id"], row["state"]) for row in rows] == [(numbers[1], "missing"), (numbers[0], "missing")]


def test_any_bytes_can_be_asked_for(room: ControlRoom) -> None:
    library = room.add("odd")
    path = os.fsencode(library.root) + b"/\xff\xfe\n.jpg"
    Path(os.fsdecode(path)).touch()
    room.ctl("sync", "odd")
    out, _ = room.ctl(b"show", path)
    assert "path           \\xff\\xfe\\n.jpg\n" in out
    assert room.ctl(b"show", b"odd:\xff\xfe\n.jpg") == (out, "")
    assert room.ctl(b"scan", b"odd:\xff\xfe\n.jpg", b"--wait")[0].startswith("odd: \\xff")
    answer = room.ask("GET", "/v1/repositories/odd/show?path=%FF%FE%0A.jpg")
    assert answer.json["path"] == text_of(b"\xff\xfe\n.jpg")
    assert room.ask("POST", "/v1/repositories/odd/scan", b'{"path": "\\udcff\\udcfe\\n.jpg"}').code == 200


def test_problems_are_listed(room: ControlRoom, photos: LivingLibrary) -> None:
    assert room.ctl("problems") == ("no problems: every directory and every file can be read\n", "")
    repository = photos.worker.repository
    assert repository is not None
    with room.catalogue.transaction() as cursor:
        known = directories.by_path(cursor, repository.id, ["a/b"])["a/b"]
        directories.trouble(cursor, repository.id, {known.id: Problem(ProblemKind.IO, "Input/output error (EIO)")})
    for query in ("", "?repository=photos"):
        (problem,) = room.get(f"/v1/problems{query}")["problems"]
        assert (problem["repository"], problem["path"], problem["kind"]) == ("photos", "a/b", "io")
    out, _ = room.ctl("problems", "photos")
    # When it began is told in words that depend on how long all this took.
    line = out.splitlines()[1].split()
    assert line[0] == "photos"
    assert line[-4:] == "Input/output error (EIO) a/b".split()[-4:]
    assert "b/  (Input/output error (EIO))" in room.ctl("ls", "photos:a")[0]


# Orders --------------------------------------------------------------------------------------------------------------


def test_sync_returns_when_every_change_before_is_on_record(room: ControlRoom, photos: LivingLibrary) -> None:
    for number in range(5):
        (photos.root / f"new{number}").write_text("x")
        assert room.ctl("sync", "photos")[0] == "photos: every change made before is on record\n"
        assert f"new{number}" in room.names("photos")


def test_a_scan_looks_where_it_is_told(room: ControlRoom, photos: LivingLibrary) -> None:
    photos.worker.reconfigure(replace(photos.terms, watch=replace(photos.terms.watch, wanted="off")))
    room.ctl("scan", "photos", "--wait")
    (photos.root / "a/late").write_text("x")
    (photos.root / "late").write_text("x")
    (photos.root / "new/deep").mkdir(parents=True)
    (photos.root / "new/deep/late").write_text("x")
    assert "+1" in room.ctl("scan", "photos:a", "--wait")[0]
    assert room.names("photos") == ["a", "three.txt"]
    assert "+1" in room.ctl("scan", f"photos:{photos.root}/late", "--wait")[0]
    assert "+1" in room.ctl("scan", "photos:new/deep/late", "--wait")[0]
    assert room.names("photos:new/deep") == ["late"]
    assert "nothing changed" in room.ctl("scan", "--wait")[0]
    assert room.get("/v1/history?limit=1")["operations"][0]["scope"] == "/"
    out, _ = room.ctl("--json", "scan", "photos:a", "--verify", "--wait")
    (scan,) = json.loads(out)["scans"]
    assert (scan["work"], scan["scope"], scan["files_scanned"]) == ("verify", "a/", 3)


def test_a_path_on_disk_does_for_a_place(room: ControlRoom, photos: LivingLibrary, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos.root)
    (photos.root / "a/late").write_text("x")
    assert room.ctl("scan", ".", "--wait", cwd=photos.root / "a")[0].startswith("photos: a/: ")
    assert room.ctl("scan", str(tmp_path / "link/a/late"), "--wait")[0].startswith("photos: ")
    assert room.ctl("ls", str(photos.root / "a")) == room.ctl("ls", "photos:a")
    assert "no repository has this path: /etc" in room.ctl("ls", "/etc", code=2)[1]
    assert room.get(f"/v1/locate?path={photos.root}/a/nothing") == {
        "repository": "photos",
        "root": str(photos.root),
        "path": "a/nothing",
    }


def test_a_scan_that_is_not_waited_for_is_made(room: ControlRoom, photos: LivingLibrary) -> None:
    assert room.ctl("scan")[0] == "photos: / will be looked at\n"
    until(lambda: len(room.get("/v1/history?repository=photos")["operations"]) == 2)


def test_scanning_everything_tells_of_each_repository(room: ControlRoom, photos: LivingLibrary) -> None:
    gone = room.add("gone", start=False)
    gone.root.rmdir()
    gone.start_at_once()
    until(lambda: gone.worker.phase is Phase.OFFLINE)
    out, err = room.ctl("scan", "--wait", code=1)
    assert out.startswith("photos: nothing changed; 3 files in 3 directories")
    assert err.startswith("censusctl: gone is offline: ")


def test_an_offline_repository_is_left_alone_until_it_is_back(room: ControlRoom, photos: LivingLibrary) -> None:
    photos.root.rename(photos.root.with_name("elsewhere"))
    until(lambda: room.status("photos")["state"] == "offline")
    one = room.status("photos")
    assert (one["phase"], one["level"]) == ("offline", "trouble")
    assert "there is nothing at this path" in one["why"]
    for path in ("scan", "sync"):
        answer = room.ask("POST", f"/v1/repositories/photos/{path}")
        assert answer.code == 503
        assert answer.json["error"].startswith("photos is offline: ")
        assert "release photos" in answer.json["hint"]
    photos.root.with_name("elsewhere").rename(photos.root)
    until(lambda: room.status("photos")["phase"] == "watching")
    room.ctl("sync", "photos")


def test_another_root_can_be_accepted(room: ControlRoom, photos: LivingLibrary) -> None:
    photos.root.rename(photos.root.with_name("old"))
    photos.root.mkdir()
    (photos.root / "other").write_text("x")
    until(lambda: room.status("photos")["phase"] == "offline")
    out, _ = room.ctl("release", "photos", "--wait")
    assert out.startswith("photos: released; +1 -3; ")
    assert room.names("photos") == ["other"]
    until(lambda: room.status("photos")["phase"] == "watching")


def test_held_deletions_can_be_let_through(room: ControlRoom) -> None:
    library = room.add("many", files={f"f{n}": "" for n in range(20)}, breaker_files=5, breaker_percent=10.0)
    _, err = room.ctl("release", "many", code=1)
    assert "there is nothing to release" in err
    library.stop()
    for path in library.root.iterdir():
        path.unlink()
    (library.root / "left").write_text("x")
    library.start()
    one = room.status("many")
    assert (one["state"], one["level"]) == ("held", "warning")
    assert "20 of 21 files are not there any more" in one["notes"][0]
    _, err = room.ctl("scan", "many", "--wait", code=1)
    assert "held" in err
    assert len(room.names("many")) == 21
    assert room.ctl("release", "many", "--wait")[0].startswith("many: released; -20; 1 file ")
    assert room.names("many") == ["left"]
    assert room.status("many")["state"] == "active"


def test_a_reload_is_passed_on(room: ControlRoom) -> None:
    room.ctl("reload")
    assert room.reloads == 1
