"""A worker in the middle of a pass: what the watch reports, what others ask for, and what takes it by surprise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.errors import CensusError
from censusd.model import ROOT
from censusd.sync import reconciler
from censusd.sync.standing import Phase
from tests.tools.living import DEADLINE, LivingLibrary, differences, living
from tests.tools.oracle import look_at
from tests.tools.storm import Gate, Storm

MANY = 8


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Stops the worker of ``library``, whose batches are of one directory each."""
    monkeypatch.setattr(reconciler, "_DIRECTORIES_AT_ONCE", 1)
    return Gate()


@pytest.fixture
def library(tmp_path: Path, catalogue: Catalogue, gate: Gate) -> Iterator[LivingLibrary]:
    """A tree of some directories with a file each; its worker has not been started."""
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=0.01, beat=gate)
    for number in range(MANY):
        (library.root / f"d{number}").mkdir()
        (library.root / f"d{number}/f").write_text("x")
    yield library
    gate.open()
    library.stop()


class Waiting(threading.Thread):
    """Waits for the barrier, and compares at the moment when it is through."""

    def __init__(self, library: LivingLibrary) -> None:
        super().__init__(name="waiting")
        self._library = library
        self.first_pass_was_over = False
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._library.sync()
            self.first_pass_was_over = self._library.first_pass.is_set()
            assert not (wrong := differences(self._library.records(), look_at(self._library.root).files)), wrong
        except BaseException as error:  # noqa: BLE001 - it is shown by whoever joins this
            self.error = error


@contextmanager
def waiting(library: LivingLibrary, gate: Gate) -> Iterator[Waiting]:
    """Somebody who waits for the barrier while the gate is closed; in the end it is open, and all must be well."""
    thread = Waiting(library)
    thread.start()
    try:
        yield thread
    finally:
        gate.open()
        thread.join(DEADLINE)
    assert thread.error is None, repr(thread.error)


def advance(library: LivingLibrary, gate: Gate, until: Phase) -> None:
    """Go on until the worker is in that phase."""
    while library.worker.phase is not until:
        gate.step()


def steps(library: LivingLibrary, gate: Gate, thread: threading.Thread) -> None:
    """Go on with a pass until it is over or the thread is."""
    while thread.is_alive() and library.worker.phase is Phase.SCANNING:
        gate.step()
        thread.join(0.01)


def blind(library: LivingLibrary, directory: str) -> None:
    """Take the watch away from one directory, as an overflow takes events away."""
    node = library.watcher._tree.find(directory)
    assert node is not None
    library.watcher._inotify.forget(node.wd)
    library.sync()


def test_the_barrier_during_the_first_pass_waits_for_it(library: LivingLibrary, gate: Gate) -> None:
    gate.close()
    library.start_at_once()
    advance(library, gate, Phase.SCANNING)
    for _ in range(10):
        gate.step()
    (library.root / "d0/late").write_text("late")
    with waiting(library, gate) as thread:
        steps(library, gate, thread)
    assert thread.first_pass_was_over


def test_the_barrier_during_a_later_pass_does_not_wait_for_it(library: LivingLibrary, gate: Gate) -> None:
    library.start()
    gate.close()
    request = threading.Thread(target=library.look)
    request.start()
    advance(library, gate, Phase.SCANNING)
    (library.root / "d0/late").write_text("late")
    with waiting(library, gate) as thread:
        steps(library, gate, thread)
        assert not thread.is_alive()
        assert library.worker.phase is Phase.SCANNING
    request.join(DEADLINE)


def test_the_barrier_after_an_overflow_waits_for_the_pass_that_repairs_it(library: LivingLibrary, gate: Gate) -> None:
    library.start()
    blind(library, f"d{MANY - 1}")
    (library.root / f"d{MANY - 1}/unnoticed").write_text("x")
    gate.close()
    library.worker.dirty_set.add_subtree(ROOT)
    advance(library, gate, Phase.SCANNING)
    with waiting(library, gate) as thread:
        steps(library, gate, thread)


def test_an_overflow_during_a_pass_is_repaired_by_another_one(library: LivingLibrary, gate: Gate) -> None:
    library.start()
    gate.close()
    request = threading.Thread(target=library.look)
    request.start()
    advance(library, gate, Phase.SCANNING)
    for _ in range(12):
        gate.step()
    for number in range(MANY):
        gate.open()
        gate.close()
        (library.root / f"d{number}/lost").write_text("x")
    library.worker.dirty_set.add_subtree(ROOT)
    with waiting(library, gate) as thread:
        steps(library, gate, thread)
    request.join(DEADLINE)
    ((dirty,),) = library.query("SELECT dirty_since FROM repositories")
    assert dirty is None


def test_what_the_watch_reports_does_not_wait_for_a_pass(library: LivingLibrary, gate: Gate) -> None:
    library.start()
    gate.close()
    request = threading.Thread(target=library.look)
    request.start()
    advance(library, gate, Phase.SCANNING)
    (library.root / "d0/new").write_text("new")
    while "d0/new" not in library.records():
        assert library.worker.phase is Phase.SCANNING
        gate.step()
    gate.open()
    request.join(DEADLINE)
    library.sync()
    library.check()


def test_a_directory_hidden_and_shown_again_during_a_pass(library: LivingLibrary, gate: Gate) -> None:
    library.start()
    blind(library, ROOT)
    (library.root / ".censusignore").write_text("d0")
    gate.close()
    request = threading.Thread(target=library.look)
    request.start()
    advance(library, gate, Phase.SCANNING)
    for _ in range(8):  # the root is listed and watched again
        gate.step()
    (library.root / ".censusignore").unlink()
    with waiting(library, gate) as thread:
        steps(library, gate, thread)
    request.join(DEADLINE)
    library.check()
    library.check_passes()


def test_stopped_in_the_middle_of_the_first_pass(library: LivingLibrary, gate: Gate) -> None:
    gate.close()
    library.start_at_once()
    advance(library, gate, Phase.SCANNING)
    while not library.records():
        gate.step()
    library.worker.stop()
    gate.open()
    library.stop()
    assert library.query("SELECT operation_type, status FROM sync_operations") == [("quick_scan", "cancelled")]
    ((added, rows, owner),) = library.query(
        "SELECT files_added, (SELECT count(*) FROM files), lease_owner FROM sync_operations, repositories"
    )
    assert 0 < added == rows < MANY
    assert owner is None
    library.start()
    library.check()
    library.check_passes()


def test_whoever_loses_the_lease_writes_nothing_more(library: LivingLibrary, gate: Gate) -> None:
    library.start()
    gate.close()
    request = threading.Thread(target=pytest.raises, args=(CensusError, library.look))
    request.start()
    advance(library, gate, Phase.SCANNING)
    library.query(
        "UPDATE repositories SET lease_owner = 'elsewhere/1/boot/1/1', lease_token = lease_token + 1,"
        " lease_expires_at = now() + interval '1 hour'"
    )
    before = library.query("SELECT change_number FROM repositories")
    (library.root / "d0/new").write_text("new")
    gate.open()
    request.join(DEADLINE)
    assert library.worker.phase is Phase.STANDBY or library.first_pass.wait(0.5)
    assert library.query("SELECT change_number FROM repositories") == before
    assert "d0/new" not in library.records()
    library.query("UPDATE repositories SET lease_expires_at = now()")
    library.stop()
    library.start()
    library.check()


def test_rules_that_change_in_a_burst_of_names(tmp_path: Path, catalogue: Catalogue) -> None:
    """So many names that their directory is listed instead: what lies below is under other rules all the same."""
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=30.0)
    (library.root / "below").mkdir()
    (library.root / "below/f").touch()
    with living(library):
        for number in range(5_000):
            (library.root / f"burst{number}").touch()
        (library.root / ".censusignore").write_text("f")
        library.sync()
        library.check()
        assert "below/f" not in library.records()


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_during_passes(tmp_path: Path, catalogue: Catalogue, seed: int) -> None:
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=0.01 * seed)
    (library.root / "anchor").touch()
    with living(library):
        with Storm(library.root, tmp_path / "outside", seed) as storm:
            for number in range(12):
                library.look(verify=bool(number % 3))
        assert storm.count > 100
        library.sync()
        library.check()
        library.check_passes()


@pytest.mark.parametrize("seed", range(2))
def test_stopped_and_started_in_a_storm(tmp_path: Path, catalogue: Catalogue, seed: int) -> None:
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=0.01)
    (library.root / "anchor").touch()
    pause = threading.Event()
    with Storm(library.root, tmp_path / "outside", seed) as storm:
        for number in range(8):
            library.start_at_once()
            seen = storm.count
            while storm.count < seen + 15 * number:
                pause.wait(0.001)
            library.stop()
            assert library.query("SELECT count(*) FROM sync_operations WHERE status = 'running'") == [(0,)]
    with living(library):
        library.check()
        library.check_passes()
