"""Where files are looked at by themselves, where if somebody asks, where never: in each statement and in a daemon."""

from __future__ import annotations

import json
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censusd.catalogue import content, deep_queue, descriptions
from censusd.catalogue.deep_queue import Selection
from censusd.catalogue.descriptions import Position, Wanted
from censusd.cli import deep_reports
from censusd.model import ASKED, UNASKED, Places, Strategy, split
from tests.tools.control_room import ControlRoom
from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.library import Library
from tests.tools.scanning import RULES, scanning, site, waiting
from tests.tools.waiting import until

DIRECTORIES = ("", "a", "a/a", "a/a/b", "a/b", "ab", "ab/a", "b", "b/a/b/c")
FILES = tuple(f"{directory}/f".lstrip("/") for directory in DIRECTORIES)
PLACES = st.builds(
    Places,
    otherwise=st.sampled_from(Strategy),
    named=st.dictionaries(st.sampled_from([*DIRECTORIES[1:], "b/a", "no"]), st.sampled_from(Strategy)).map(
        lambda named: tuple(named.items())
    ),
)


@pytest.fixture
def tree(library: Library) -> Library:
    """A repository with a file in each directory, the oldest of them in the first one."""
    for path in FILES:
        library.write(path)
    library.reconcile()
    for age, path in enumerate(reversed(FILES), 1):
        library.query(
            "UPDATE files SET change_number = %s, updated_at = now() - make_interval(days => %s) WHERE id = %s",
            100 - age,
            age,
            library.ids()[path],
        )
    return library


@given(PLACES)
@settings(max_examples=60)
def test_every_statement_decides_as_the_rule_does(tree: Library, places: Places) -> None:
    of = {path: places.strategy_of(split(path)[0]) for path in FILES}
    unasked = [path for path in FILES if of[path] is Strategy.AUTO]
    number = tree.repository.id
    with tree.repository.catalogue.transaction() as cursor:
        queues = content.queues(cursor, number, places)
        oldest = deep_queue.oldest(cursor, number, places)
        assert {one: queue.waiting for one, queue in queues.items()} == {
            one: sum(strategy is one for strategy in of.values()) for one in Strategy
        }
        days = len(FILES) - FILES.index(unasked[0]) if unasked else None
        assert (round(oldest / 86400) if oldest else None) == days
        for wanted in (UNASKED, ASKED):
            selection = Selection(places=places, strategies=wanted)
            claim = deep_queue.claim(cursor, number, "me", selection, most=100, lease=60.0)
            paths = {f"{file.directory}/{file.name}".lstrip("/") for file in claim.files}
            assert paths == {path for path in FILES if of[path] in wanted}
            cursor.execute("DELETE FROM deep_scan_claims")
        cursor.execute("UPDATE files SET scan_phase = 1, content_hash = decode(md5(id::text), 'hex')")
        cursor.execute(
            "INSERT INTO file_metadata (repository_id, file_id, extractor, extractor_version, kind, mime_type)"
            " SELECT repository_id, id, 'images', 1, 'image', 'image/png' FROM files"
        )
        wanted_pictures = Wanted("model", ("image/png",), 1000, places)
        _, pictures = descriptions.page(cursor, number, wanted_pictures, 0, Position(), 100)
        assert {f"{one.directory}/{one.name}".lstrip("/") for one in pictures} == set(unasked)
        cursor.execute(
            "INSERT INTO description_claims (content_hash, model, not_before)"
            " SELECT content_hash, 'model', now() FROM files"
        )
        due = descriptions.due(cursor, number, wanted_pictures, 100)
        assert {f"{one.directory}/{one.name}".lstrip("/") for one in due} == set(unasked)
        cursor.connection.rollback()


def test_the_backlog_what_has_just_changed_and_orders_keep_to_it(library: Library) -> None:
    for path in FILES:
        library.write(path, path)
    library.reconcile()
    rules = site(library.root, never=("a",), auto=("a/a",), on_demand=("a/a/b", "ab"))
    with scanning(library.repository.catalogue, rules, rules=RULES) as scanner:
        until(lambda: waiting(library) == {"a/f", "a/b/f", "a/a/b/f", "ab/f", "ab/a/f"})
        for directory in DIRECTORIES:
            library.write(f"{directory}/new".lstrip("/"), directory)
        library.reconcile()
        until(lambda: waiting(library) >= {"a/new", "ab/new"} and "a/a/new" not in waiting(library))
        scanner.demand("library", "a").wait(60)
        asked = {"a/f", "a/new", "a/b/f", "a/b/new", "ab/f", "ab/new", "ab/a/f", "ab/a/new"}
        until(lambda: waiting(library) == asked)
        scanner.demand("library", "").wait(60)
        assert waiting(library) == {"a/f", "a/new", "a/b/f", "a/b/new"}
        # From now on the other way round: nothing but what nobody might look at before.
        scanner.reconfigure(RULES, [site(library.root, strategy=Strategy.NEVER, auto=("a",), never=("a/b",))])
        until(lambda: waiting(library) == {"a/b/f", "a/b/new"})


def test_people_are_told_what_is_done_where(room: ControlRoom) -> None:
    photos = room.add("photos", files={"raw/one": "1", "raw/best/two": "22", "three": "333"})
    places = site(photos.root, "photos", strategy=Strategy.ON_DEMAND, never=("raw",), auto=("raw/best",))
    room.sites["photos"] = places
    with scanning(room.catalogue, places) as scanner:
        room.scanner = scanner
        for path, says in (
            ("raw/one", "never (deep_scan_never names raw)"),
            ("raw", "never (deep_scan_never names raw)"),
            ("raw/best/two", "auto (deep_scan_auto names raw/best)"),
            ("three", "on-demand (as the repository)"),
        ):
            lines = room.ctl("show", f"photos:{path}")[0].splitlines()
            assert [line.split("  ", 1)[1].strip() for line in lines if line.startswith("deep scan ")] == [says]
        _, err = room.ctl("deep-scan", "photos:raw/one", code=1)
        assert "raw/one is never deep-scanned: deep_scan_never of photos names raw" in err
        until(lambda: "raw/best/two" not in {one["path"] for one in rows(room, scan_phase=0)})
        # There is something in it that may be looked at, and that was.
        assert room.ctl("deep-scan", "photos:raw", "--wait")[0] == "photos:raw/: no file waits\n"
        assert room.ctl("deep-scan", "photos", "--wait")[0].startswith("photos: 1 file read, 3 B hashed")
        assert [one["path"] for one in rows(room, scan_phase=0)] == ["raw/one"]
        # A repository of which nothing is looked at, but for what is named.
        room.sites["photos"] = site(photos.root, "photos", strategy=Strategy.NEVER, on_demand=("raw/best",))
        _, err = room.ctl("deep-scan", "photos:three", code=1)
        assert 'three is never deep-scanned: deep_scan of photos is "never"' in err
        room.scanner = None


def rows(room: ControlRoom, scan_phase: int) -> list[dict[str, str]]:
    """The files of a phase."""
    with room.catalogue.transaction() as cursor:
        cursor.execute("SELECT file_path FROM file_records WHERE scan_phase = %s", (scan_phase,))
        return [{"path": path} for (path,) in cursor]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def configuration(root: Path, *more: str) -> str:
    """A daemon's configuration, or a worker's."""
    return "\n".join((BUSY_IS_FINE, "[[repository]]", 'name = "library"', f'path = "{root}"', *more)) + "\n"


def backlog(daemon: DaemonProcess) -> tuple[int, int]:
    """How many files wait to be looked at, by themselves and if somebody asks."""
    deep = daemon.status()["deep_scan"]
    return deep["backlog"], deep["on_demand"]


def share(daemon: DaemonProcess) -> str:
    """How much of the repository was looked at, as people are told."""
    return deep_reports.share(daemon.status()["repositories"][0])


def metrics(daemon: DaemonProcess) -> set[str]:
    """What the metrics page says of the deep scan, without what all of it begins with."""
    (page,) = [event["metrics"] for event in daemon.log_events() if event.get("event") == "serving"]
    with urllib.request.urlopen(page) as answer:
        return {line.removeprefix("censusd_deep_scan_") for line in answer.read().decode().splitlines()}


def test_a_daemon_takes_it_from_its_configuration_and_from_the_next_one(place: Path, database: str) -> None:
    root = place / "tree"
    for path in FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    first = ('deep_scan_on_demand = ["a"]', 'deep_scan_never = ["a/a"]', 'deep_scan_auto = ["a/a/b/"]')
    with DaemonProcess(place, database, configuration(root, *first)) as daemon:
        daemon.sync("library")

        def unknown() -> set[str]:
            entries = [json.loads(daemon.ctl("--json", "show", f"library:{path}").stdout) for path in FILES]
            return {one["path"] for one in entries if one["rows"][0]["scan_phase"] == "quick"}

        until(lambda: unknown() == {"a/f", "a/a/f", "a/b/f"})
        until(lambda: backlog(daemon) == (0, 2))
        until(
            lambda: (
                metrics(daemon)
                >= {
                    'backlog_files{repository="library"} 0.0',
                    'on_demand_files{repository="library"} 2.0',
                    'never_files{repository="library"} 1.0',
                }
            )
        )
        # All of what may be looked at at all.
        assert daemon.ctl("deep-scan", "library", "--wait").returncode == 0
        until(lambda: share(daemon) == "all", daemon.log_text)
        with psycopg.connect(database) as connection:
            connection.execute(
                "UPDATE files SET scan_phase = 0 WHERE directory_id IN"
                " (SELECT id FROM directories WHERE path IN ('a', 'a/b'))"
            )
            connection.execute("UPDATE repositories SET change_number = change_number + 1")
        daemon.configure(configuration(root, 'deep_scan_on_demand = ["a"]', 'deep_scan_auto = ["a/a"]'))
        daemon.signal(signal.SIGHUP)
        until(lambda: unknown() == {"a/f", "a/b/f"})
        daemon.configure(configuration(root, 'deep_scan_on_demand = ["a"]', 'deep_scan_auto = ["a"]'))
        seen = len(daemon.notifications.messages) if daemon.notifications else 0
        daemon.signal(signal.SIGHUP)
        assert daemon.notifications is not None
        daemon.notifications.wait_for(lambda message: message == "READY=1", seen)
        assert "expected each directory in one list; a is in repository[library].deep_scan_auto" in daemon.log_text()
        assert daemon.ctl("deep-scan", "library", "--wait").returncode == 0
        assert unknown() == set()


def test_a_worker_on_another_host_keeps_to_it_too(library: Library, place: Path, database: str) -> None:
    for path in FILES:
        library.write(path, path)
    library.reconcile()
    library.query("UPDATE files SET updated_at = now() - interval '30 days'")
    some = configuration(library.root, 'deep_scan = "never"', 'deep_scan_auto = ["a"]', 'deep_scan_on_demand = ["a/a"]')
    with DaemonProcess(place, database, some, command="worker"):
        until(lambda: waiting(library) == set(FILES) - {"a/f", "a/b/f"})
