"""What is printed of the deep scan, and of what was found in files."""

from __future__ import annotations

from typing import Any

import pytest

from censusd.cli import deep_reports

NOW = "2026-11-21T12:00:00+00:00"
LATER = "2026-11-21T12:10:00+00:00"
EARLIER = "2026-11-21T11:50:00.5+00:00"


def standing(**changes: Any) -> list[str]:
    """The lines about a deep scan."""
    deep: dict[str, Any] = {"condition": "working", "why": "", "backlog": 0, "backlog_bytes": 0, "in_flight": 0}
    deep |= {"on_demand": 0, "on_demand_bytes": 0}
    deep |= {"workers": [], "fault": "", "missing_extractors": {}}
    return deep_reports.standing(deep | changes)


def test_it_is_said_what_it_does_or_what_holds_it_back() -> None:
    assert deep_reports.standing(None) == []
    assert standing(condition="io", why="others waited") == ["deep scan: nothing to do"]
    assert standing(condition="io", why="others\nwaited", backlog=1, backlog_bytes=2048) == [
        "deep scan: held back by busy disks (others\\nwaited)",
        "  1 file is still to be read (2.0 KiB)",
    ]
    assert standing(condition="io", on_demand=2, on_demand_bytes=1) == [
        "deep scan: nothing to do",
        "  2 files are read only if somebody asks (1 B)",
    ]
    others = [{"name": "nas (process 7)", "own": False, "files": 3}, {"name": "me", "own": True, "files": 9}]
    assert standing(backlog=1200, in_flight=9, workers=others) == [
        "deep scan: working",
        "  1,200 files are still to be read (0 B); at work on 9; nas (process 7) is at work on 3",
    ]
    assert standing(condition="off", why="it is switched off") == ["deep scan: off (it is switched off)"]
    assert standing(fault="no memory", missing_extractors={"m:Pdf": "ImportError: x"})[1:] == [
        "  its worker processes cannot be started: no memory",
        "  no metadata from m:Pdf: ImportError: x",
    ]


@pytest.mark.parametrize(
    ("files", "never", "deep", "text"),
    [
        (0, 0, 0, "-"),
        (10, 0, 0, "0 %"),
        (10, 0, 10, "all"),
        (1000, 0, 5, "0.5 %"),
        (1000, 0, 500, "50 %"),
        (10_000, 0, 9_999, "99.9 %"),
        (10_000, 0, 1, "0.1 %"),
        (10, 4, 6, "all"),
        (10, 4, 3, "50 %"),
        (10, 10, 0, "-"),
    ],
)
def test_the_share_that_is_done_of_what_ever_is(files: int, never: int, deep: int, text: str) -> None:
    assert deep_reports.share({"totals": {"files": files, "deep": deep}, "deep_scan": {"never": never}}) == text
    if deep and not never:
        assert deep_reports.share({"totals": {"files": files, "deep": deep}, "deep_scan": None}) == text


def test_no_share_is_told_where_nothing_is_deep_scanned() -> None:
    assert deep_reports.share({"totals": {"files": 10, "deep": 0}, "deep_scan": None}) == "-"


def test_nothing_is_said_to_be_done_of_what_was_not_counted() -> None:
    assert deep_reports.share({"totals": None, "deep_scan": None}) == "-"


def scan(**changes: Any) -> tuple[list[str], list[str]]:
    """What is printed of one deep scan."""
    counts = {"asked": 0, "asked_bytes": 0, "taken": 0, "later": 0, "given_up": 0}
    done = {"files": 0, "bytes": 0, "failed": 0, "put_off": 0, "seconds": 1.5}
    return deep_reports.scans({"scans": [{"repository": "r", "scope": "/", **counts, **done, **changes}]})


def test_what_became_of_a_scan() -> None:
    accepted = scan(status="accepted", asked=2, asked_bytes=3, taken=1, scope="a/")
    assert accepted == (["r:a/: 2 files (3 B) will be read; at 1 file somebody is at work already"], [])
    done = scan(status="completed", asked=2, files=2, bytes=2048, later=1, given_up=2)
    said = (
        "r: 2 files read, 2.0 KiB hashed, 1.5 s; 1 file failed or changed a moment ago and will be tried later; "
        "2 files were given up (censusctl problems r, censusctl retry r)"
    )
    assert done == ([said], [])
    failed = scan(status="completed", asked=2, files=1, failed=1, put_off=1)
    assert failed == (
        [],
        ["r: 1 file read, 1 file could not be read (censusctl problems r), 1 file changed meanwhile, 1.5 s"],
    )
    assert scan(status="completed", taken=3) == (["r: done by another worker, 1.5 s"], [])
    refused = deep_reports.scans({"scans": [{"repository": "r", "code": 503, "error": "it is gone", "hint": "wait"}]})
    assert refused == ([], ["r: it is gone; wait"])


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        ({"quarantined_at": EARLIER, "retry_at": LATER}, "given up 10 min ago"),
        ({"quarantined_at": None, "retry_at": LATER}, "tried again in 10 min"),
        ({"quarantined_at": None, "retry_at": EARLIER}, "tried again soon"),
        ({"quarantined_at": None, "retry_at": None}, "tried again soon"),
    ],
    ids=range(4),
)
def test_when_a_file_is_tried_again(failure: dict[str, Any], state: str) -> None:
    row = deep_reports.failure({"repository": "r", "reason": None, "path": "a\x1bb", **failure}, NOW)
    assert row == ("r", state, "?", "a\\x1bb")


def test_what_was_found_in_a_file() -> None:
    content: dict[str, Any] = {"extractor": "media", "extractor_version": 3, "problem": None, "kind": "audio"}
    content |= {"mime_type": "audio/mp4", "title": "T", "created": None, "language": None, "duration": 3723.4}
    content |= {"width": 1920, "height": 1080, "pages": None, "latitude": 1.5, "longitude": -2.0}
    content["details"] = {"z": "x" * 1000, "series": "S", "flag": True, "list": ["a", 1], "tree": {"ü": None}}
    content["relations"] = [
        {"kind": "person", "role": "author", "name": "A", "position": 0.0},
        {"kind": "person", "role": "author", "name": "B", "position": 1.0},
        {"kind": "series", "role": "series", "name": "S", "position": 2.5},
    ]
    row: dict[str, Any] = {"content_hash": "ab", "attempt": None, "content": content, "descriptions": []}
    told = {name: value for name, value in deep_reports.content(row, NOW) if value is not None}
    assert len(str(told.pop("z"))) == 400
    assert told == {
        "content hash": "ab",
        "extractor": "media 3",
        "content": "audio (audio/mp4)",
        "title": "T",
        "pixels": "1,920 x 1,080",
        "duration": "1:02:03",
        "place": "1.500000, -2.000000",
        "author": "A; B",
        "series": "S #2.5",
        "flag": "yes",
        "list": "a; 1",
        "tree": '{"ü": null}',
    }


def test_a_file_that_somebody_is_at() -> None:
    attempt = {"worker": "x", "reason": "it bites", "quarantined_at": None, "retry_at": None}
    row: dict[str, Any] = {"content_hash": None, "attempt": attempt, "content": None, "descriptions": []}
    assert dict(deep_reports.content(row, NOW)) == {"content hash": "not known yet", "last attempt": "at this moment"}
