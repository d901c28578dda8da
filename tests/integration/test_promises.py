"""Promises 1, 2 and 5: events are hints, a deletion needs proof, and missing is a state.

The others are in ``test_promises_of_roots.py`` (3, 4), ``test_promises_of_rows.py`` (6, 7),
``test_deep_scan_promises.py`` (8), ``test_promises_of_the_daemon.py`` (9, 10, 12), ``test_promises_of_names.py`` (11).
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from censusd.errors import CancelledError
from censusd.model import OperationStatus, Scope, Trigger
from censusd.sync.purge import Calendar, purge
from tests.tools.library import Library, disk, opened
from tests.tools.private import apart, become_nobody, privately, unmount
from tests.tools.tiny_fuse import tiny_fuse

# 1. An event is a hint ----------------------------------------------------------------------------------------------


def test_promise_1_a_hint_about_nothing_changes_nothing(library: Library) -> None:
    library.write("a/f")
    library.write("g")
    library.reconcile()
    before = library.rows()
    for directory, names in [("a", ("f", "ghost")), ("", ("a", "g", "ghost")), ("nowhere", ("x",)), ("g", ("x",))]:
        operation = library.names(directory, *names)
        assert operation.counts.changed == 0
        assert operation.id == 0  # not worth a line in the journal
    library.reconcile(Scope(subtrees=("ghost", "a/f"), directories=("g", "nowhere", "a")), Trigger.REALTIME)
    assert library.rows() == before


def test_promise_1_a_hint_leads_nowhere_that_a_walk_does_not_go(library: Library) -> None:
    outside = library.root.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/secret").touch()
    library.write(".hidden/deep/secret")
    library.write("private/deep/secret")
    library.write("f")
    (library.root / "link").symlink_to(outside)
    guarded = library.with_rules(protected=("private/",), exclude=("!..", "!."))
    guarded.reconcile()
    guarded.names("", "..", ".", "", "link/deep", "private/deep")
    for place in (".hidden", "private", "link", "../outside", "link/../../outside"):
        guarded.names(place, "deep", "secret")
        guarded.names(f"{place}/deep", "secret")
        scope = Scope(subtrees=(place, f"{place}/deep"), directories=(place, f"{place}/deep"))
        guarded.reconcile(scope, Trigger.MANUAL)
    assert guarded.records().keys() == {"f"}
    assert guarded.query("SELECT path FROM directories") == [("",)]


@pytest.mark.parametrize("seed", range(8))
def test_promise_1_no_order_or_number_of_hints_matters(library: Library, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(12):
        library.write(f"d{number % 3}/f{number}", str(number))
    library.reconcile()
    root = library.root
    (root / "d0").rename(root / "e0")
    (root / "d1/f1").rename(root / "d2/f1")
    (root / "d2/f2").unlink()
    library.write("d1/f4", "longer")
    library.write("new/deep/file")
    shutil.rmtree(root / "d2/f5", ignore_errors=True)
    hints = [
        *(("", name) for name in ("d0", "d1", "d2", "e0", "new")),
        *((f"d{number % 3}", f"f{number}") for number in range(12)),
        *(("d2", "f1"), ("new", "deep"), ("new/deep", "file"), ("e0", "f0"), ("e0/ghost", "f")),
    ]
    hints += chance.sample(hints, 5)
    chance.shuffle(hints)
    while hints:
        some, hints = hints[:3], hints[3:]
        names: dict[str, dict[str, bool]] = {}
        for directory, name in some:
            names.setdefault(directory, {})[name] = False
        library.reconcile(Scope(names=names), Trigger.REALTIME)
    assert library.records() == disk(root)
    assert library.reconcile().counts.changed == 0


# 2. A deletion needs proof ------------------------------------------------------------------------------------------


def _closed_for_a_while(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    with opened(database, root) as library:
        become_nobody(root)
        library.write("closed/f")
        library.write("closed/deeper/g")
        library.write("open/h")
        library.reconcile()
        before = library.rows()
        scanned = dict(library.query("SELECT file_path, last_scanned FROM file_records"))
        (root / "closed/deeper/g").unlink()
        (root / "closed/new").touch()
        (root / "closed").chmod(0)
        for _ in range(2):
            operation = library.reconcile()
            assert operation.status is OperationStatus.COMPLETED
            assert operation.counts.problems == 1
            assert operation.counts.removed == 0
        library.names("closed", "f", "new", "ghost")
        library.names("", "closed")
        assert library.rows() == before
        assert library.missing() == {}
        [(path, kind, detail)] = library.query("SELECT path, problem_kind, problem FROM directory_problems")
        assert (path, kind, detail) == ("closed", "permission", "Permission denied (EACCES)")
        later = dict(library.query("SELECT file_path, last_scanned FROM file_records"))
        assert later["open/h"] > scanned["open/h"]
        assert later["closed/f"] == scanned["closed/f"]
        assert later["closed/deeper/g"] == scanned["closed/deeper/g"]
        (root / "closed").chmod(0o755)
        library.reconcile()
        assert library.query("SELECT * FROM directory_problems") == []
        assert library.missing().keys() == {"closed/deeper/g"}
        assert library.records() == disk(root)
        assert library.reconcile().counts.changed == 0


def test_promise_2_a_closed_directory_is_no_proof(shared_path: Path, database: str) -> None:
    apart(_closed_for_a_while, shared_path, database)


def _broken_for_a_while(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    disk_at = root / "disk"
    disk_at.mkdir(parents=True)
    whole: dict[str, Any] = {"entries": {"file": {}, "d": {"entries": {"f": {}, "g": {}}}, "e": {"entries": {"h": {}}}}}
    broken: dict[str, Any] = {
        "entries": {
            "file": {"error": errno.ESTALE},
            "d": {"entries": {"f": {}}, "list_error": errno.EIO},
            "e": {"entries": {}, "error": errno.ETIMEDOUT},
        }
    }
    with opened(database, root) as library:
        library.write("here")
        with tiny_fuse(disk_at, whole):
            library.reconcile()
            before = library.rows()
            assert before.keys() == {"here", "disk/file", "disk/d/f", "disk/d/g", "disk/e/h"}
        unmount(disk_at)
        with tiny_fuse(disk_at, broken) as server:
            operation = library.reconcile()
            assert operation.counts.changed == 0
            assert library.rows() == before
            problems = dict(library.query("SELECT path, problem_kind FROM directory_problems"))
            assert problems["disk/d"] == "io"
            assert problems["disk"] == "stale"
            server.kill()
            server.wait()
            operation = library.reconcile()  # the server is gone: every call gives ENOTCONN
            assert operation.counts.changed == 0
            assert library.rows() == before
            [(kind,)] = library.query("SELECT problem_kind FROM directory_problems WHERE path = 'disk'")
            assert kind == "disconnected"
        unmount(disk_at)
        with tiny_fuse(disk_at, whole):
            assert library.reconcile().counts.changed == 0
            assert library.rows() == before
            assert library.query("SELECT * FROM directory_problems") == []


def test_promise_2_errors_of_a_broken_disk_are_no_proof(tmp_path: Path, database: str) -> None:
    privately(_broken_for_a_while, tmp_path, database)


def test_promise_2_what_is_not_a_file_any_more_is_proof(library: Library) -> None:
    for name in ("a", "b", "c", "d"):
        library.write(name)
    library.reconcile()
    for name in ("a", "b", "c"):
        (library.root / name).unlink()
    (library.root / "a").mkdir()
    (library.root / "b").symlink_to("d")
    os.mkfifo(library.root / "c")
    library.reconcile()
    assert library.missing().keys() == {"a", "b", "c"}


# 5. Missing is a state ----------------------------------------------------------------------------------------------


def test_promise_5_a_file_that_comes_back_keeps_all_that_is_known_of_it(library: Library) -> None:
    away = library.root.parent / "away"
    library.write("d/f", "content")
    library.write("keep")
    library.reconcile()
    library.deep_scanned()
    ((number, created),) = library.query("SELECT file_id, created_at FROM file_records WHERE file_path = 'd/f'")
    (library.root / "d/f").rename(away)
    library.reconcile()
    assert library.missing() == {"d/f": number}
    assert library.query("SELECT content_hash IS NOT NULL FROM missing_files") == [(True,)]
    away.rename(library.root / "d/f")
    operation = library.reconcile()
    assert operation.counts.updated == 1
    assert library.query("SELECT file_id, created_at FROM file_records WHERE file_path = 'd/f'") == [(number, created)]
    assert library.content("d/f")[0]
    assert library.missing() == {}


def test_promise_5_a_directory_that_comes_back_keeps_its_rows(library: Library) -> None:
    away = library.root.parent / "away"
    for number in range(4):
        library.write(f"d/{number % 2}/f{number}")
    library.write("keep")
    library.reconcile()
    library.deep_scanned()
    ids = library.ids()
    (library.root / "d").rename(away)
    library.reconcile()
    assert len(library.missing()) == 4
    away.rename(library.root / "back")
    library.reconcile()
    assert library.ids() == {path.replace("d/", "back/"): number for path, number in ids.items()}
    assert library.content("back/0/f0") == (True, 1)  # nobody touched the files themselves
    assert library.records() == disk(library.root)


def test_promise_5_missing_rows_are_purged_after_their_grace(library: Library) -> None:
    for path in ("d/e/f", "d/g", "keep"):
        library.write(path)
    library.reconcile()
    shutil.rmtree(library.root / "d")
    library.reconcile()
    assert len(library.missing()) == 2
    assert purge(library.repository, Trigger.RECONCILIATION, lambda: False, Calendar()) is None
    library.query("UPDATE files SET missing_since = missing_since - interval '31 days' WHERE state = 1")
    library.query("UPDATE directories SET missing_since = missing_since - interval '31 days' WHERE state = 1")
    forever = library.with_rules(missing_grace=None)
    assert purge(forever.repository, Trigger.RECONCILIATION, lambda: False, Calendar()) is None
    assert len(library.missing()) == 2
    operation = purge(library.repository, Trigger.RECONCILIATION, lambda: False, Calendar())
    assert operation is not None
    assert operation.counts.purged == 2
    assert library.query("SELECT count(*) FROM files") == [(1,)]
    assert library.query("SELECT path FROM directories") == [("",)]
    assert purges(library) == [("completed", 2)]


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_promise_5_a_purge_that_is_cut_short_has_said_what_it_deleted(
    library: Library, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    library.write("keep")
    for number in range(5):
        library.write(f"gone {number}")
    library.reconcile()
    for number in range(5):
        (library.root / f"gone {number}").unlink()
    library.reconcile()
    library.query("UPDATE files SET missing_since = missing_since - interval '31 days' WHERE state = 1")
    monkeypatch.setattr("censusd.sync.purge._AT_ONCE", 2)
    asked = iter([False] * (batches - 1) + [True])
    with pytest.raises(CancelledError):
        purge(library.repository, Trigger.RECONCILIATION, lambda: next(asked), Calendar())
    assert purges(library) == [("completed", 5 - len(library.missing()))]
    assert len(library.missing()) == max(0, 5 - 2 * batches)


def purges(library: Library) -> list[tuple[str, int]]:
    """What the journal says of them."""
    statement = "SELECT status, files_purged FROM sync_operations WHERE operation_type = 'purge'"
    return [(str(status), purged) for status, purged in library.query(statement)]
