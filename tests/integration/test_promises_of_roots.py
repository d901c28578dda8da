"""Promises 3 and 4: nothing is touched but in the root on record, and the breaker. See ``test_promises.py``."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from censusd.catalogue.connection import Catalogue
from censusd.errors import RootOfflineError
from censusd.model import OperationStatus, Scope, Trigger
from censusd.sync.reconciler import Options
from censusd.sync.standing import Phase
from tests.tools.library import Library, disk, from_elsewhere, opened
from tests.tools.living import LivingLibrary, living
from tests.tools.private import mount, privately, unmount
from tests.tools.waiting import until

RELEASED = Options(released=True)


def state(library: Library) -> tuple[str, str | None]:
    """What the catalogue believes of the repository, and why."""
    [(name, reason)] = library.query("SELECT state, state_reason FROM repositories")
    return name, reason


@contextmanager
def untouched(library: Library) -> Iterator[None]:
    """Not one row may differ afterwards, and nothing may be missing."""
    before, missing = library.rows(), library.missing()
    directories = library.query("SELECT id, path, state, digest FROM directories ORDER BY id")
    yield
    assert library.rows() == before
    assert library.missing() == missing
    assert library.query("SELECT id, path, state, digest FROM directories ORDER BY id") == directories


def stays_offline(library: Library, why: str) -> None:
    """Whatever is asked for, nothing is touched, and the reason is on record."""
    scopes = (Scope.whole(), Scope.subtree("d"), Scope(directories=("", "d")), Scope(names={"d": {"f0": False}}))
    with untouched(library):
        for scope in scopes:
            with pytest.raises(RootOfflineError, match=why):
                library.reconcile(scope, Trigger.REALTIME if scope.names else Trigger.MANUAL)
            name, reason = state(library)
            assert name == "offline"
            assert reason is not None
            assert why in reason
            assert str(library.root) in reason


def comes_back(library: Library) -> None:
    """The root on record is there again, and everything goes on."""
    with untouched(library):
        assert library.reconcile().counts.changed == 0
    assert state(library) == ("active", None)


def fill(root: Path, files: int = 6) -> None:
    for number in range(files):
        file = root / f"d/e{number % 2}/f{number}" if number % 3 else root / f"d/f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number))


# 3. Root identity ---------------------------------------------------------------------------------------------------


def test_promise_3_a_root_that_is_gone_is_offline_until_it_comes_back(library: Library) -> None:
    fill(library.root)
    library.reconcile()
    away = library.root.parent / "away"
    library.root.rename(away)
    stays_offline(library, "there is nothing at this path")
    library.root.write_text("a file")
    stays_offline(library, "Not a directory")
    library.root.unlink()
    away.rename(library.root)
    comes_back(library)


def test_promise_3_an_empty_root_that_was_not_empty_is_offline(library: Library) -> None:
    fill(library.root)
    library.reconcile()
    (library.root / "d").rename(library.root.parent / "d")
    stays_offline(library, "it is empty, and was not")
    (library.root.parent / "d").rename(library.root / "d")
    comes_back(library)


def test_promise_3_a_root_that_was_always_empty_is_in_order(library: Library) -> None:
    assert library.reconcile().counts.added == 0
    assert library.reconcile().status is OperationStatus.COMPLETED
    fill(library.root)
    assert library.reconcile().counts.added == 6


def test_promise_3_another_directory_at_the_path_is_offline(library: Library) -> None:
    fill(library.root)
    library.reconcile()
    library.root.rename(library.root.parent / "old")
    fill(library.root, files=2)
    stays_offline(library, "another directory is there than the one that was catalogued")
    # An operator may say that it is right all the same; then what is not there is missing.
    operation = library.reconcile(options=RELEASED)
    assert operation.counts.removed == 4
    assert library.records() == disk(library.root)
    assert state(library) == ("active", None)
    assert library.reconcile().counts.changed == 0


def test_promise_3_without_its_marker_file_a_root_is_offline(
    tmp_path: Path, make_library: Callable[..., Library]
) -> None:
    library = make_library(tmp_path / "library", marker="d/.right-disk")
    fill(library.root)
    with pytest.raises(RootOfflineError, match="the marker file is not there"):
        library.reconcile()
    (library.root / "d/.right-disk").touch()
    library.reconcile()
    assert len(library.records()) == 6
    (library.root / "d/.right-disk").unlink()
    stays_offline(library, "the marker file is not there")
    # No operator can mean this: the marker is their own word.
    with untouched(library), pytest.raises(RootOfflineError, match="the marker file is not there"):
        library.reconcile(options=RELEASED)
    (library.root / "d/.right-disk").touch()
    comes_back(library)
    # It vouches for a disk that was copied.
    copy = tmp_path / "copy"
    shutil.copytree(library.root, copy)
    library.root.rename(tmp_path / "old")
    copy.rename(library.root)
    assert library.reconcile().status is OperationStatus.COMPLETED


def test_promise_3_a_root_taken_away_during_a_pass_loses_nothing(library: Library) -> None:
    fill(library.root)
    library.reconcile()
    (library.root / "d/f0").unlink()

    def replaced(path: str, _: int) -> None:
        if path == "d/e1" and not (library.root.parent / "away").exists():
            library.root.rename(library.root.parent / "away")
            library.root.mkdir()

    hooked = replace(library, hooks=replace(library.hooks, cover=replaced))
    with untouched(library), pytest.raises(RootOfflineError, match=r"another directory is there|it is empty"):
        hooked.reconcile()
    assert state(library)[0] == "offline"
    assert library.query("SELECT status FROM sync_operations ORDER BY id DESC LIMIT 1") == [("failed",)]
    library.root.rmdir()
    (library.root.parent / "away").rename(library.root)
    assert library.reconcile().counts.removed == 1


def test_promise_3_a_root_taken_away_at_the_last_moment_loses_nothing(library: Library, database: str) -> None:
    fill(library.root)
    library.reconcile()
    (library.root / "d/f0").unlink()
    failures: list[Exception] = []

    def look() -> None:
        try:
            library.names("d", "f0")
        except RootOfflineError as error:
            failures.append(error)

    with untouched(library), psycopg.connect(database, autocommit=True) as watching, psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM repositories FOR UPDATE")  # so that the deletion waits in its transaction
        looking = threading.Thread(target=look)
        looking.start()
        until(lambda: watching.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        library.root.rename(library.root.parent / "away")
        other.rollback()
        looking.join()
    assert len(failures) == 1
    assert "there is nothing at this path" in str(failures[0])


def _unmounted(scratch: str, database: str) -> None:
    disk_at, root = Path(scratch) / "disk", Path(scratch) / "library"
    fill(disk_at)
    root.mkdir()
    mount("bind", root, bind=disk_at)
    with opened(database, root) as library:
        library.reconcile()
        unmount(root)
        stays_offline(library, "another directory is there")
        (root / "written-while-it-was-not-mounted").touch()
        stays_offline(library, "another directory is there")
        mount("tmpfs", root)
        fill(root)
        stays_offline(library, "another file system is there")
        unmount(root)
        mount("bind", root, bind=disk_at)
        comes_back(library)


def test_promise_3_an_unmounted_root_is_offline_until_it_is_mounted(tmp_path: Path, database: str) -> None:
    privately(_unmounted, tmp_path, database)


def _nested(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    fill(root)
    (root / "inner").mkdir()
    mount("tmpfs", root / "inner")
    (root / "inner/file").touch()
    with opened(database, root) as library:
        library.reconcile()
        assert "inner/file" in library.records()
        unmount(root / "inner")
        stays_offline(library, "nothing can be seen on inner")
        mount("tmpfs", root / "inner")
        stays_offline(library, "another file system is mounted on inner")
        unmount(root / "inner")
        assert library.reconcile(options=RELEASED).counts.removed == 1
        assert library.missing().keys() == {"inner/file"}
        # A mount that comes up later, and one over a directory that does not belong to the repository.
        mount("tmpfs", root / "inner")
        (root / "inner/other").touch()
        (root / ".hidden").mkdir()
        mount("tmpfs", root / ".hidden")
        assert library.reconcile().counts.added == 1
        unmount(root / ".hidden")
        assert library.reconcile().counts.changed == 0


def test_promise_3_a_mount_below_the_root_that_vanishes_takes_it_offline(tmp_path: Path, database: str) -> None:
    privately(_nested, tmp_path, database)


def _unmounted_meanwhile(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    fill(root)
    (root / "z").mkdir()
    mount("tmpfs", root / "z")
    for number in range(5):
        (root / f"z/f{number}").touch()
    with opened(database, root) as library:
        library.reconcile()
        (root / "d/f0").unlink()

        def vanish(path: str, _: int) -> None:
            if path == "z" and os.path.ismount(root / "z"):
                unmount(root / "z")

        hooked = replace(library, hooks=replace(library.hooks, cover=vanish))
        with untouched(library), pytest.raises(RootOfflineError, match="nothing can be seen on z"):
            hooked.reconcile()


def test_promise_3_a_mount_that_vanishes_during_a_pass_loses_nothing(tmp_path: Path, database: str) -> None:
    privately(_unmounted_meanwhile, tmp_path, database)


def _between_passes(scratch: str, database: str, how: str) -> None:
    root = Path(scratch) / "library"
    fill(root)
    (root / "z").mkdir()

    def appear(path: str = "z", _: int = 0) -> None:
        if path == "z":
            mount("tmpfs", root / "z")
            (root / "z/file").touch()

    with opened(database, root) as library:
        library.reconcile()
        if how == "during a pass":
            replace(library, hooks=replace(library.hooks, cover=appear)).reconcile()
            library.reconcile(Scope(names={"": {"z": False}}), Trigger.REALTIME)
        else:
            appear()
            library.reconcile(Scope.subtree("d"))  # nothing of it is on record yet, so that it may go as it came
            unmount(root / "z")
            assert library.reconcile().counts.changed == 0
            appear()
            library.reconcile(Scope.subtree("z"))
        assert "z/file" in library.records()
        unmount(root / "z")
        with untouched(library), pytest.raises(RootOfflineError, match="nothing can be seen on z"):
            library.reconcile()


@pytest.mark.parametrize("how", ["by itself", "during a pass"])
def test_promise_3_a_mount_belongs_to_the_root_as_soon_as_its_files_are_on_record(
    tmp_path: Path, database: str, how: str
) -> None:
    privately(_between_passes, tmp_path, database, how)


def _looked_after(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    fill(root)
    (root / "z").mkdir()
    with Catalogue(from_elsewhere(database)) as catalogue:
        library = LivingLibrary(root, catalogue, Path(scratch) / "cookies", debounce=0.05)
        with living(library):
            upkeep = library.worker.upkeep
            assert upkeep is not None
            assert upkeep.why_offline() is None
            mount("tmpfs", root / "z")
            (root / "z/file").touch()
            library.look(Scope.subtree("z"))
            unmount(root / "z")
            (root / "d/new").touch()
            until(lambda: library.worker.phase is Phase.OFFLINE)
            # As long as it is not mounted, not a single pass is to be tried.
            assert "nothing can be seen on z" in (upkeep.why_offline() or "")
            assert "z/file" in library.records()


def test_promise_3_a_worker_waits_for_a_mount_that_it_has_just_come_to_know(tmp_path: Path, database: str) -> None:
    privately(_looked_after, tmp_path, database)


def _mounted_meanwhile(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    fill(root)
    (root / "d/z").mkdir()
    (root / "d/z/below").touch()
    with Catalogue(from_elsewhere(database)) as catalogue:
        library = LivingLibrary(root, catalogue, Path(scratch) / "cookies", debounce=0.05)
        with living(library):
            mount("tmpfs", root / "d/z")
            (root / "d/z/unseen").touch()
            until(lambda: "d/z/unseen" in library.records())
            (root / "d/z/seen").touch()
            library.sync()
            assert library.records().keys() == disk(root).keys()
            assert library.worker.phase is Phase.WATCHING
            # Nothing else happens than that it is gone again: no pass, no event of a file.
            unmount(root / "d/z")
            until(lambda: library.worker.phase is Phase.OFFLINE)
            assert {"d/z/unseen", "d/z/seen"} <= library.records().keys()


def test_promise_3_what_is_mounted_below_the_root_is_on_record_in_a_moment(tmp_path: Path, database: str) -> None:
    privately(_mounted_meanwhile, tmp_path, database)


def _one_file_system(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    fill(root)
    (root / "inner").mkdir()
    (root / "one-file").touch()
    mount("tmpfs", root / "inner")
    (root / "inner/file").touch()
    mount("bind", root / "one-file", bind=root / "inner/file")
    with opened(database, root, cross_mounts=False) as library:
        library.reconcile()
        assert library.records().keys() == {path for path in disk(root) if path.startswith("d/")}
        unmount(root / "one-file")
        unmount(root / "inner")
        assert library.reconcile().counts.added == 1
        try:
            mount("proc", root / "inner")
        except subprocess.CalledProcessError:
            return  # only root may, or whoever has processes of their own
        crossing = library.with_rules(cross_mounts=True)
        assert crossing.reconcile().counts.changed == 0


def test_promise_3_other_file_systems_stay_out_if_so_configured_and_the_kernels_always(
    tmp_path: Path, database: str
) -> None:
    privately(_one_file_system, tmp_path, database)


# 4. Breaker ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path, make_library: Callable[..., Library]) -> Library:
    """Twenty files, of which no more than five may go missing at once."""
    library = make_library(tmp_path / "library", breaker_files=5, breaker_percent=20.0)
    for number in range(20):
        library.write(f"d{number % 2}/f{number}")
    library.write("keep")
    library.reconcile()
    return library


def test_promise_4_too_many_deletions_are_held_and_everything_else_goes_on(guarded: Library) -> None:
    ids = guarded.ids()
    shutil.rmtree(guarded.root / "d0")
    (guarded.root / "d1/f1").write_text("changed")
    guarded.write("new")
    for _ in range(2):
        operation = guarded.reconcile()
        assert operation.status is OperationStatus.HELD
        assert operation.counts.removed == 0
        assert operation.error is not None
        assert "10 of " in operation.error
        assert "release library" in operation.error
        assert state(guarded) == ("held", operation.error)
    assert guarded.missing() == {}
    assert guarded.ids() == ids | {"new": guarded.ids()["new"]}
    assert guarded.records()["d1/f1"] == disk(guarded.root)["d1/f1"]
    assert guarded.query("SELECT status FROM sync_operations ORDER BY id DESC LIMIT 1") == [("held",)]


def test_promise_4_an_operator_releases_what_is_held(guarded: Library) -> None:
    shutil.rmtree(guarded.root / "d0")
    assert guarded.reconcile().status is OperationStatus.HELD
    operation = guarded.reconcile(options=RELEASED)
    assert operation.status is OperationStatus.COMPLETED
    assert operation.counts.removed == 10
    assert state(guarded) == ("active", None)
    assert guarded.records() == disk(guarded.root)
    assert guarded.reconcile().counts.changed == 0


def test_promise_4_what_is_held_is_forgotten_when_the_files_come_back(guarded: Library) -> None:
    away = guarded.root.parent / "away"
    (guarded.root / "d0").rename(away)
    assert guarded.reconcile().status is OperationStatus.HELD
    away.rename(guarded.root / "d0")
    assert guarded.reconcile().status is OperationStatus.COMPLETED
    assert state(guarded) == ("active", None)
    assert guarded.records() == disk(guarded.root)


def test_promise_4_what_the_watch_reports_is_held_as_well(guarded: Library) -> None:
    shutil.rmtree(guarded.root / "d0")
    operation = guarded.names("", "d0")
    assert operation.status is OperationStatus.HELD
    assert guarded.missing() == {}
    assert state(guarded) == ("held", operation.error)
    journal = guarded.query(
        "SELECT operation_type, status, error_message FROM sync_operations ORDER BY id DESC LIMIT 1"
    )
    assert journal == [("realtime", "held", operation.error)]
    names = [f"f{number}" for number in range(1, 20, 2)]
    for name in names:
        (guarded.root / "d1" / name).unlink()
    assert guarded.names("d1", *names).status is OperationStatus.HELD
    assert guarded.missing() == {}
    assert guarded.reconcile(options=RELEASED).counts.removed == 20
    assert guarded.records() == disk(guarded.root)


def test_promise_4_as_many_as_allowed_go_at_once(guarded: Library) -> None:
    for number in range(0, 10, 2):
        (guarded.root / f"d0/f{number}").unlink()
    operation = guarded.reconcile()
    assert operation.status is OperationStatus.COMPLETED
    assert operation.counts.removed == 5


def test_promise_4_a_move_is_no_deletion(guarded: Library) -> None:
    (guarded.root / "d0").rename(guarded.root / "elsewhere")
    for path in (guarded.root / "d1").iterdir():
        path.rename(guarded.root / path.name)
    operation = guarded.reconcile()
    assert operation.status is OperationStatus.COMPLETED
    assert operation.counts.removed == 0
    assert guarded.records() == disk(guarded.root)


def test_promise_4_a_large_repository_may_lose_its_share(tmp_path: Path, make_library: Callable[..., Library]) -> None:
    library = make_library(tmp_path / "library", breaker_files=5, breaker_percent=50.0)
    for number in range(20):
        library.write(f"f{number}")
    library.reconcile()
    for number in range(10):
        (library.root / f"f{number}").unlink()
    assert library.reconcile().counts.removed == 10
    for number in range(10, 16):
        (library.root / f"f{number}").unlink()
    assert library.reconcile().status is OperationStatus.HELD
