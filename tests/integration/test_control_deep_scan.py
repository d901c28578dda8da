"""Orders for the deep scan, and what is said of it: a real scanner with real worker processes behind censusctl."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from censusd.deepscan.idle import Condition, IdleRules
from censusd.deepscan.scanner import Scanner
from censusd.model import Strategy
from censusd.service.backlogs import Backlogs
from censusd.service.collector import Collector
from censusd.service.heartbeat import Heartbeats
from censusd.service.status import deep_scan_status
from tests.tools.control_room import DEADLINE, ControlRoom
from tests.tools.living import LivingLibrary
from tests.tools.scanning import NEVER_IDLE, RULES, scanning, sha256, site
from tests.tools.waiting import until

ASKED = replace(RULES, idle=NEVER_IDLE)
"""Only what is asked for is looked at."""


@contextmanager
def deep(room: ControlRoom, library: LivingLibrary, **rules: Any) -> Iterator[None]:
    """A deep scan of one repository in the control room."""
    rules_of_site = replace(site(library.root, library.worker.name, **rules), settles=0.1)
    room.sites[library.worker.name] = rules_of_site
    with scanning(room.catalogue, rules_of_site, rules=ASKED) as scanner:
        room.scanner = scanner
        try:
            yield
        finally:
            room.scanner = None


def known(room: ControlRoom) -> set[str]:
    """The files whose content is known."""
    with room.catalogue.transaction() as cursor:
        cursor.execute("SELECT file_path FROM file_records WHERE scan_phase = 1")
        return {path for (path,) in cursor}


def claim(room: ControlRoom, assignments: str) -> None:
    """Give every file a row in the table of claims, or change those that there are."""
    with room.catalogue.transaction() as cursor:
        cursor.execute(
            "INSERT INTO deep_scan_claims (repository_id, file_id, change_number)"
            " SELECT repository_id, id, change_number FROM files ON CONFLICT DO NOTHING"
        )
        cursor.execute(f"UPDATE deep_scan_claims SET {assignments}")


def test_a_file_a_directory_and_everything(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        out, _ = room.ctl("deep-scan", "photos:a/b/two.txt", "--wait")
        assert out.startswith("photos:a/b/two.txt: 1 file read, 2 B hashed, ")
        assert known(room) == {"a/b/two.txt"}
        out, _ = room.ctl("deep-scan", "./../a", "--wait", cwd=photos.root / "a")
        assert out.startswith("photos:a/: 1 file read, 1 B hashed, ")
        assert known(room) == {"a/b/two.txt", "a/one.txt"}
        answer = json.loads(room.ctl("--json", "deep-scan", "--wait")[0])
        (scan,) = answer["scans"]
        assert (scan["repository"], scan["scope"], scan["status"]) == ("photos", "/", "completed")
        assert (scan["asked"], scan["files"], scan["bytes"], scan["failed"]) == (1, 1, 3, 0)
        assert known(room) == {"a/b/two.txt", "a/one.txt", "three.txt"}
        assert room.ctl("deep-scan", "photos", "--wait") == ("photos: no file waits\n", "")


def test_what_is_not_waited_for_is_done(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        assert room.ctl("deep-scan", "photos:a") == ("photos:a/: 2 files (3 B) will be read\n", "")
        until(lambda: known(room) == {"a/b/two.txt", "a/one.txt"})
        assert room.ask("POST", "/v1/deep-scan", {}).json["scans"][0]["asked"] == 1
        until(lambda: len(known(room)) == 3)


@pytest.mark.parametrize("order", ["deep-scan", "retry"])
def test_a_wrong_name_is_told_from_what_exists(room: ControlRoom, photos: LivingLibrary, order: str) -> None:
    (photos.root / "gone").write_text("x")
    room.ctl("sync", "photos")
    (photos.root / "gone").unlink()
    room.ctl("sync", "photos")
    with deep(room, photos, never=("a/b",)):
        for place, says in (
            ("fotos", "there is no repository fotos; did you mean photos? (expected one of photos)"),
            ("photos:a/on.txt", "photos has nothing on record at a/on.txt; did you mean one.txt?"),
            ("photos:x/y", "photos has nothing on record at x/y; censusctl ls photos lists what there is"),
            ("photos:a/x", "photos has nothing on record at a/x; censusctl ls photos:a lists what there is"),
            ("photos:gone", "photos has nothing at gone any more: it is missing"),
            ("photos:../x", "the path has a .. in it"),
        ):
            assert room.ctl(order, place, code=2)[1].startswith(f"censusctl: {says}")
        _, err = room.ctl(order, "photos:a/b/two.txt", code=1)
        assert "a/b/two.txt is never deep-scanned: deep_scan_never of photos names a/b" in err
        room.sites.clear()
        assert 'photos is never deep-scanned: its deep_scan is "never"' in room.ctl(order, "photos", code=1)[1]
        assert room.ctl(order) == ("no repository is deep-scanned\n", "")
        room.sites["photos"] = site(photos.root, "photos")
        room.libraries.pop("photos").stop()
        room.sites.clear()
        assert "this daemon does not look after it" in room.ctl(order, "photos", code=1)[1]


def test_what_is_not_asked_for_is_said_too(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        claim(room, "attempts = 1, retry_at = now() + interval '1 hour', last_error = 'it bites'")
        out, _ = room.ctl("deep-scan", "photos:three.txt")
        assert out == (
            "photos:three.txt: no file waits; 1 file failed or changed a moment ago and will be tried later\n"
        )
        claim(room, "attempts = 0, retry_at = NULL, put_off = 9, worker = 'x', lease_expires_at = now()")
        out, _ = room.ctl("deep-scan", "photos:three.txt", "--wait")
        assert out.startswith("photos:three.txt: no file waits; 1 file failed or changed a moment ago"), "lost often"
        claim(room, "attempts = 3, quarantined_at = now(), lease_expires_at = NULL, worker = NULL")
        out, _ = room.ctl("deep-scan", "photos", "--wait")
        assert out == (
            "photos: no file waits; 3 files were given up (censusctl problems photos, censusctl retry photos)\n"
        )
        assert not known(room)


def test_another_workers_files_are_waited_for(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        claim(room, "worker = 'elsewhere/1/2/3/4', lease_expires_at = now() + interval '50 min', claimed_at = now()")
        assert "at 3 files somebody is at work already" in room.ctl("deep-scan", "photos")[0]
        _, err = room.ctl("deep-scan", "photos:a", "--wait", "--timeout", "500ms", code=1)
        assert err == (
            "censusctl: photos:a is not done in time; the work goes on; censusctl status shows how far it is\n"
        )
        process = room.start_ctl("deep-scan", "photos", "--wait")
        until(lambda: room.controls._orders._waiting.taken == 1)
        claim(room, "worker = NULL, lease_expires_at = NULL, retry_at = NULL, quarantined_at = NULL, attempts = 0")
        out, err_bytes = process.communicate(timeout=DEADLINE)
        assert out.startswith(b"photos: 3 files read, 6 B hashed, "), err_bytes
        assert len(known(room)) == 3


def test_waiting_ends_when_the_daemon_stops(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        claim(room, "worker = 'elsewhere/1/2/3/4', lease_expires_at = now() + interval '50 min', claimed_at = now()")
        process = room.start_ctl("deep-scan", "photos", "--wait")
        until(lambda: room.controls._orders._waiting.taken == 1)
        room.unix.close()
        assert process.communicate(timeout=DEADLINE) == (b"", b"censusctl: the daemon is being stopped\n")


def test_what_was_given_up_is_a_problem_until_it_is_tried_again(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        claim(room, "attempts = 1, retry_at = now() + interval '10 min', last_error = E'it\\nbites'")
        out, _ = room.ctl("problems")
        assert out.splitlines()[0].split() == "REPOSITORY DEEP SCAN PROBLEM FILE".split()
        assert "photos      tried again in 10 min  it\\nbites  a/b/two.txt" in out
        claim(room, "attempts = 3, quarantined_at = now(), retry_at = NULL")
        room.overview["queues"] = counted(room)
        assert room.status("photos")["deep_scan"]["given_up"] == 3
        assert "3 files could not be read in three attempts: censusctl problems photos" in room.ctl("status")[0]
        files = json.loads(room.ctl("--json", "problems", "photos")[0])["files"]
        assert [(one["path"], one["attempts"], one["reason"]) for one in files] == [
            (path, 3, "it\nbites") for path in ("three.txt", "a/one.txt", "a/b/two.txt")
        ]
        assert (
            "it\\nbites (given up, until it changes or censusctl retry says so)"
            in room.ctl("show", "photos:three.txt")[0]
        )
        assert room.ctl("retry", "photos:a")[0] == "photos:a/: 2 files will be tried again, 2 of them given up before\n"
        assert room.ctl("retry")[0] == "photos: 1 file will be tried again, 1 of them given up before\n"
        assert room.ctl("retry", "photos")[0] == "photos: no file has failed\n"
        assert room.ctl("problems")[0] == "no problems: every directory and every file can be read\n"
        room.ctl("deep-scan", "--wait")
        assert len(known(room)) == 3


def counted(room: ControlRoom) -> dict[str, Any]:
    """What is counted of the backlog."""
    backlogs = Backlogs(room.catalogue, lambda: room.sites)
    backlogs.count()
    return backlogs.queues()


def test_what_is_corrupt_wants_attention(room: ControlRoom, photos: LivingLibrary) -> None:
    collector = Collector(lambda: {"photos": photos.worker}, room.catalogue, Heartbeats())
    room.overview["totals"] = collector.totals
    photos.query("UPDATE files SET content_hash = '\\x00', scan_phase = 1")
    insert = "INSERT INTO file_corruption SELECT repository_id, id, now(), ctime_ns, '\\x01' FROM files WHERE name = %s"
    for name, text in (("one.txt", "1 file is corrupt"), ("two.txt", "2 files are corrupt")):
        photos.query(insert, name)
        collector.collect()
        standing = room.status("photos")
        assert standing["level"] == "warning"
        assert standing["notes"] == [
            f"{text}, other than on record though nobody has changed it: censusctl problems photos"
        ]
        assert text in room.ctl("status")[0]


def test_status_tells_how_the_deep_scan_stands(room: ControlRoom, photos: LivingLibrary) -> None:
    assert room.get("/v1/status")["deep_scan"] is None
    with deep(room, photos, on_demand=("a/b",)):
        room.overview["queues"] = counted(room)
        claim(room, "worker = 'elsewhere/7/2/3/4', lease_expires_at = now() + interval '50 min', claimed_at = now()")
        until(lambda: room.get("/v1/status")["deep_scan"]["condition"] == "changes")
        status = room.get("/v1/status")["deep_scan"]
        assert "files are being changed" in status["why"]
        assert (status["backlog"], status["backlog_bytes"], status["given_up"], status["in_flight"]) == (2, 4, 0, 0)
        assert status["workers"] == [{"name": "elsewhere (process 7)", "own": False, "files": 3}]
        out, _ = room.ctl("status")
        assert "deep scan: held back by changes (files are being changed; " in out
        assert (
            "\n  2 files are still to be read (4 B); 1 file is read only if somebody asks (2 B); "
            "elsewhere (process 7) is at work on 3\n"
        ) in out
        deep_scan = room.status("photos")["deep_scan"]
        assert (deep_scan["automatic"], deep_scan["backlog"], deep_scan["given_up"]) == (True, 2, 0)


def stands_at(scanner: Scanner, condition: Condition) -> bool:
    """Whether a scanner knows what it can do, and does this about the backlog."""
    return bool(scanner.status()["extractors"]) and scanner.condition is condition


def test_without_the_database_it_is_the_database_that_holds_it_back(room: ControlRoom, photos: LivingLibrary) -> None:
    for rules, condition in ((RULES, "database"), (replace(RULES, idle=IdleRules(enabled=False)), "off")):
        with scanning(room.catalogue, site(photos.root, "photos"), rules=rules) as scanner:
            expected = Condition.OFF if condition == "off" else Condition.NOTHING
            until(partial(stands_at, scanner, expected))
            status = deep_scan_status(scanner, {}, {}, {}, "it is away")
            assert status is not None
            assert status["condition"] == condition


def test_the_backlog_is_counted_again_when_something_may_have_changed(room: ControlRoom, photos: LivingLibrary) -> None:
    room.sites["photos"] = site(photos.root, "photos")
    backlogs = Backlogs(room.catalogue, lambda: room.sites)
    backlogs.count()
    queue = backlogs.queues()["photos"][Strategy.AUTO]
    assert (queue.backlog, queue.given_up) == (3, 0)
    claim(room, "attempts = 3, quarantined_at = now()")

    def given_up() -> int:
        backlogs.count()
        return backlogs.queues()["photos"][Strategy.AUTO].given_up

    until(lambda: given_up() == 3)
    room.sites.clear()
    backlogs.count()
    assert backlogs.queues() == {}


def test_a_file_is_shown_with_what_was_found_in_it(room: ControlRoom, photos: LivingLibrary) -> None:
    book = photos.root / "book.fb2"
    book.write_text(
        '<?xml version="1.0"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><description><title-info>'
        "<genre>sf</genre><author><first-name>Ursula</first-name><last-name>Le Guin</last-name></author>"
        "<book-title>The Dispossessed\u202e</book-title><lang>en</lang>"
        '<sequence name="Hainish Cycle" number="5"/></title-info></description><body/></FictionBook>'
    )
    room.ctl("sync", "photos")
    assert "content hash   not known yet\n" in room.ctl("show", str(book))[0]
    with deep(room, photos):
        room.ctl("deep-scan", "photos:book.fb2", "--wait")
    out, _ = room.ctl("show", str(book))
    lines = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    told = {name: value.strip() for name, value in lines.items()}
    assert told["content hash"] == sha256(book)
    assert (told["kind"], told["content"].split()[0], told["language"]) == ("file", "book", "en")
    assert told["title"].startswith("The Dispossessed")
    assert "\u202e" not in out
    assert (told["author"], told["series"]) == ("Ursula Le Guin", "Hainish Cycle #5")
    (row,) = room.get("/v1/repositories/photos/show?path=book.fb2")["rows"]
    assert row["content"]["kind"] == "book"
    assert {(one["role"], one["name"], one["position"]) for one in row["content"]["relations"]} >= {
        ("author", "Ursula Le Guin", 0.0),
        ("series", "Hainish Cycle", 5.0),
    }
    assert row["attempt"] is None


def test_deep_scans_wait_in_the_same_room_as_scans(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        claim(room, "worker = 'elsewhere/1/2/3/4', lease_expires_at = now() + interval '50 min', claimed_at = now()")
        asking = [threading.Thread(target=ask_and_wait, args=(room,)) for _ in range(16)]
        for one in asking:
            one.start()
        until(lambda: room.controls._orders._waiting.taken == 16)
        answer = room.ask("POST", "/v1/repositories/photos/scan", {"wait": True})
        assert (answer.code, answer.json["error"]) == (503, "16 requests are waiting for scans already")
        claim(room, "quarantined_at = now(), lease_expires_at = NULL, worker = NULL")
        for one in asking:
            one.join(DEADLINE)


def ask_and_wait(room: ControlRoom) -> None:
    """A deep scan, over the socket."""
    assert room.ask("POST", "/v1/repositories/photos/deep-scan", {"wait": True}).code == 200


def test_content_is_read_again_compared_and_accepted(room: ControlRoom, photos: LivingLibrary) -> None:
    with deep(room, photos):
        assert room.ctl("verify", "photos", "--content")[0] == "photos: nothing was read there before\n"
        room.ctl("deep-scan", "photos", "--wait")
        assert room.ctl("verify", "photos", "--content")[0].startswith("photos: everything is as it was; 3 files read")
        # As if the disk had given back something else.
        photos.query("UPDATE files SET content_hash = sha256('4') WHERE name = 'three.txt'")
        out, _ = room.ctl("verify", "photos:a", "--content")
        assert out.startswith("photos:a/: everything is as it was; 2 files read, 3 B hashed, ")
        for _ in range(2):
            _, error = room.ctl("verify", "--content", code=1)
            text = "censusctl: photos: 1 file is corrupt (censusctl problems photos); 3 files read"
            assert error.startswith(text)
        found = sha256(photos.root / "three.txt")
        (damage,) = room.get("/v1/problems")["corrupt"]
        assert (damage["path"], damage["found_hash"]) == ("three.txt", found)
        assert damage["content_hash"] != found
        assert "SHOULD BE" in room.ctl("problems")[0]
        assert f"it has become {found} (" in room.ctl("show", "photos:three.txt")[0]
        (work,) = [one for one in room.get("/v1/history")["operations"] if one["files_corrupt"]]
        assert (work["operation_type"], work["trigger"]) == ("rehash", "manual")
        _, error = room.ctl("accept", "photos:a", code=1)
        assert "nothing that is corrupt at a/" in error
        out, _ = room.ctl("accept", "photos:three.txt")
        assert out == "photos: what is in 1 of its files now is on record as what should be\n"
        assert room.get("/v1/problems")["corrupt"] == []
        until(lambda: known(room) == {"a/b/two.txt", "a/one.txt", "three.txt"})
        assert photos.query("SELECT content_hash FROM file_records WHERE file_path = 'three.txt'") == [(found,)]


def test_a_verifying_pass_says_what_it_repaired(room: ControlRoom, photos: LivingLibrary) -> None:
    assert room.ctl("verify", "photos")[0].startswith("photos: nothing changed; 3 files in 3 directories, ")
    photos.query("UPDATE files SET size = 99 WHERE name = 'three.txt'")
    first, second = room.ctl("verify")[0].splitlines()
    assert first.startswith("photos: ~1; 3 files in 3 directories, ")
    assert second == "photos: 1 row was wrong though nothing on disk had changed, and right now"
    (work,) = [one for one in room.get("/v1/history")["operations"] if one["files_repaired"]]
    assert (work["operation_type"], work["files_updated"]) == ("verify", 1)
