"""What the deep scan looks at, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from censusd.catalogue import deep_queue
from censusd.catalogue.connection import Catalogue
from censusd.deepscan.idle import Condition, parse_window
from censusd.model import EVERYTHING, Strategy
from tests.tools.library import Library
from tests.tools.scanning import (
    NEVER_IDLE,
    RULES,
    claim,
    hashes,
    scanning,
    sha256,
    site,
    waiting,
)
from tests.tools.waiting import stays, until


def test_never_on_demand_and_first(library: Library) -> None:
    for path in ("raw/a", "raw/b/c", "big/d", "inbox/f", "photos/2024/g", "e"):
        library.write(path, path)
        library.reconcile()
    rules = site(library.root, never=("raw",), on_demand=("big",), first=("inbox", "photos/2024"))
    with scanning(library.repository.catalogue, rules, rules=replace(RULES, workers=1, batch=1)) as scanner:
        until(lambda: waiting(library) == {"raw/a", "raw/b/c", "big/d"})
        scanner.demand("library", "").wait(60)
        assert waiting(library) == {"raw/a", "raw/b/c"}
    changes = dict(library.query("SELECT file_path, change_number FROM file_records"))
    assert changes["inbox/f"] < changes["photos/2024/g"] < changes["e"] < changes["big/d"]


def test_the_last_changes_come_first(library: Library) -> None:
    for path in ("a", "b", "c", "d"):
        library.write(path, path)
        library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, workers=1, batch=1)):
        until(lambda: not waiting(library))
    changes = dict(library.query("SELECT file_path, change_number FROM file_records"))
    assert sorted(changes, key=lambda path: changes[path]) == ["d", "c", "b", "a"]


def test_a_burst_becomes_backlog(library: Library) -> None:
    library.reconcile()
    rules = replace(RULES, idle=NEVER_IDLE, batch=10)
    with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
        until(lambda: scanner.has_begun("library"))
        for number in range(100):
            library.write(f"f{number}", str(number))
        library.reconcile()
        until(lambda: len(waiting(library)) <= 90)
        library.write("last", "x")
        library.reconcile()
        until(lambda: "last" not in waiting(library))
        assert len(waiting(library)) >= 80


def test_who_asks_waits_for_all_that_was_waiting_also_while_the_backlog_is_worked_off(library: Library) -> None:
    for number in range(600):
        library.write(f"{number % 3}/f{number}", str(number))
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, batch=20)) as scanner:
        until(lambda: len(waiting(library)) < 600)
        demands = [scanner.demand("library", path) for path in ("2", "1", "")]
        for demand, path in zip(demands, ("2/", "1/", ""), strict=True):
            demand.wait(60)
            assert not [name for name in waiting(library) if name.startswith(path)]
    counted = library.query("SELECT sum(files_scanned) FROM sync_operations WHERE operation_type = 'deep_scan'")
    assert counted == [(600,)]


def test_only_on_demand(library: Library) -> None:
    library.write("file")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root, strategy=Strategy.ON_DEMAND)) as scanner:
        library.write("new")
        library.reconcile()
        demand = scanner.demand("library", "file")
        demand.wait(60)
        assert waiting(library) == {"new"}
        with pytest.raises(Exception, match="nothing on record at no/such"):
            scanner.demand("library", "no/such").wait(60)
        with pytest.raises(Exception, match="not on record"):
            scanner.demand("other", "").wait(60)


def test_a_root_that_is_gone_costs_nobody_an_attempt(library: Library) -> None:
    for number in range(30):
        library.write(f"f{number}")
    library.reconcile()
    root = library.root
    root.rename(root.parent / "away")
    root.mkdir()
    with scanning(library.repository.catalogue, site(root)) as scanner:
        until(lambda: scanner._sites["library"].rest_until > 0)
        until(lambda: not library.query("SELECT worker FROM deep_scan_claims WHERE worker IS NOT NULL"))
        assert len(waiting(library)) == 30
        assert library.query("SELECT max(attempts), max(put_off) FROM deep_scan_claims") == [(0, 0)]
        root.rmdir()
        (root.parent / "away").rename(root)
        # Not a minute later, as for a disk that stays away.
        until(lambda: not waiting(library), within=20)


def test_a_claim_whose_answer_was_lost_is_made_again(library: Library) -> None:
    library.write("file")
    library.write("other")
    library.reconcile()
    claim(library, "me", lease=3600)
    with scanning(library.repository.catalogue, site(library.root), worker="me"):
        until(lambda: not waiting(library))
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]
    assert library.query("SELECT count(*) FROM files WHERE scan_phase = 1") == [(2,)]


def test_other_rules_take_effect_without_a_restart(library: Library, make_library: Callable[..., Library]) -> None:
    other = make_library(library.root.parent / "other", "other")
    for one in (library, other):
        one.write("file", one.root.name)
        one.reconcile()
    held = replace(RULES, idle=NEVER_IDLE)
    with scanning(library.repository.catalogue, site(library.root), rules=held) as scanner:
        until(lambda: str(scanner.condition) == "changes")
        scanner.reconfigure(RULES, [site(library.root), site(other.root, "other")])
        until(lambda: not waiting(library))
        scanner.reconfigure(RULES, [site(library.root)])
        library.write("again")
        library.reconcile()
        until(lambda: not waiting(library))


def test_the_database_may_be_away_for_a_while(library: Library, database: str) -> None:
    for number in range(200):
        library.write(f"f{number}", str(number))
    library.reconcile()
    with Catalogue(database) as catalogue, scanning(catalogue, site(library.root), rules=replace(RULES, batch=5)):
        until(lambda: len(waiting(library)) < 190)
        for _ in range(5):
            library.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
        until(lambda: not waiting(library))
    assert hashes(library) == {path: sha256(library.root / path) for path in hashes(library)}
    assert library.query("SELECT max(attempts) FROM deep_scan_claims") == [(None,)]


def test_what_is_asked_for_before_the_repository_was_seen_is_done_then(
    library: Library, make_library: Callable[..., Library]
) -> None:
    root = library.root.with_name("later")
    with scanning(library.repository.catalogue, site(root, "later")) as scanner:
        demand = scanner.demand("later", "")
        stays(lambda: not demand.is_done, 1.5, "it has been looked for by then")
        make_library(root, "later")
        demand.wait(60)


@pytest.mark.parametrize("takes_long", [False, True])
def test_what_takes_long_to_find_out_is_asked_less_often(
    library: Library, monkeypatch: pytest.MonkeyPatch, takes_long: bool
) -> None:
    asked, oldest = [], deep_queue.oldest

    def counted(*values: Any) -> float | None:
        asked.append(values)
        return oldest(*values)

    monkeypatch.setattr(deep_queue, "oldest", counted)
    monkeypatch.setattr("censusd.deepscan.upkeep._COUNT_EVERY", 0.0)
    monkeypatch.setattr("censusd.deepscan.upkeep._REST_PER_QUESTION", 1e9 if takes_long else 0.0)
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root)):
        until(lambda: len(asked) > (0 if takes_long else 2))
        if takes_long:
            stays(lambda: len(asked) == 1, 2.5, "it would be asked once a second")


def test_what_was_let_go_of_still_waits(library: Library) -> None:
    library.write("file")
    library.reconcile()
    (file,) = claim(library)
    with library.repository.catalogue.transaction() as cursor:
        place = library.repository.id
        assert deep_queue.oldest(cursor, place, EVERYTHING) is None
        deep_queue.let_go(cursor, place, "me", [file.id])
        assert deep_queue.oldest(cursor, place, EVERYTHING) is not None


def test_outside_its_hours_it_waits_and_says_so(library: Library) -> None:
    library.write("file")
    library.reconcile()
    # An hour that is over, wherever the clock stands.
    hour = (datetime.now().astimezone().hour + 20) % 24
    window = parse_window(f"{hour:02}:00-{(hour + 1) % 24:02}:00")
    rules = replace(RULES, idle=replace(RULES.idle, hours=(window,)))
    with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
        until(lambda: scanner.condition is Condition.HOURS)
        assert scanner.status()["why"] == f"it may work at {window} only"
        assert waiting(library)
        scanner.reconfigure(RULES, [site(library.root)])
        until(lambda: not waiting(library))


def test_what_has_waited_for_too_long_is_looked_at_whatever_else_is_going_on(library: Library) -> None:
    for name in ("old", "new"):
        library.write(name, name)
        library.reconcile()
    rules = replace(RULES, idle=replace(NEVER_IDLE, staleness=3600.0))
    with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
        until(lambda: scanner.condition is Condition.CHANGES)
    assert len(waiting(library)) == 2
    library.query("UPDATE files SET updated_at = now() - interval '2 hours' WHERE name = 'old'")
    with scanning(library.repository.catalogue, site(library.root), rules=rules):
        until(lambda: not waiting(library))
