"""A watch that breaks down is set up again, whichever of its threads it was, and nothing is lost with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.sync import upkeep
from censusd.sync.upkeep import Upkeep
from censusd.watch import coalesce, observer
from censusd.watch.inotify import InotifyEmitter
from censusd.watch.watcher import Watcher
from tests.tools.living import LivingLibrary, living
from tests.tools.waiting import until


@pytest.fixture
def library(catalogue: Catalogue, tmp_path: Path, emitter: type[InotifyEmitter]) -> Iterator[LivingLibrary]:
    way = "inotify" if emitter is InotifyEmitter else "fanotify"
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", watch=way, debounce=0.02)
    (library.root / "directory").mkdir()
    (library.root / "directory/before").touch()
    with living(library):
        yield library


@pytest.fixture(autouse=True)
def threads_may_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)


class Fault:
    """Raises an error in place of what it stands for, the first few times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, times: int = 1) -> None:
        self._really = getattr(owner, name)
        self._left = times
        self.happened = threading.Event()

        def instead(*arguments: Any, **more: Any) -> Any:
            if self._left > 0:
                self._left -= 1
                if not self._left:
                    self.happened.set()
                raise MemoryError
            return self._really(*arguments, **more)

        monkeypatch.setattr(owner, name, instead)


def goes_on(library: LivingLibrary) -> None:
    """What changes is on record again by itself, and the barrier is to be relied on."""
    until(lambda: "directory/while" in library.records())
    (library.root / "directory/after").touch()
    until(lambda: "directory/after" in library.records())
    (library.root / "directory/before").unlink()
    library.sync()
    library.check()


def test_everything_is_polled_for_a_while_where_the_watch_breaks_down_again(
    library: LivingLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that it is set up costs a complete pass, and each time that it breaks down another."""
    library.worker.reconfigure(replace(library.terms, watch=replace(library.terms.watch, poll_interval=2.0)))
    fault = Fault(monkeypatch, observer.WatchHandler, "dispatch", times=2)
    before = library.watcher
    (library.root / "directory/while").touch()
    until(lambda: library.watcher not in {before, None})

    def breaks_down_again() -> bool:
        (library.root / "directory/again").touch()
        return fault.happened.is_set()

    until(breaks_down_again)
    upkeep = library.worker.upkeep
    assert upkeep is not None
    until(lambda: library.watcher is None and upkeep.watching is not None)
    assert upkeep.watching is not None
    assert upkeep.watching.refused
    assert upkeep.watching.decision.reason.startswith("the watch broke down again: ")
    (library.root / "directory/meanwhile").touch()
    until(lambda: "directory/meanwhile" in library.records())
    until(lambda: library.watcher is not None)
    goes_on(library)


def test_a_breakdown_long_after_another_has_nothing_to_do_with_it(
    library: LivingLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_LASTED", 0.0)
    fault = Fault(monkeypatch, observer.WatchHandler, "dispatch", times=3)
    give_up = Upkeep.give_watch_up
    given_up: list[str] = []

    def note(its: Upkeep, why: str) -> str:
        given_up.append(give_up(its, why))
        return given_up[-1]

    monkeypatch.setattr(Upkeep, "give_watch_up", note)
    seen: set[Watcher | None] = set()
    for _ in range(3):
        until(lambda: library.watcher not in {*seen, None})
        seen.add(library.watcher)
        library.sync()
    assert fault.happened.is_set()
    until(lambda: len(given_up) == 3)
    assert set(given_up) == {"it is set up again"}
    (library.root / "directory/while").touch()
    goes_on(library)


def test_who_waits_at_the_barrier_that_the_handler_died_with_is_answered(
    library: LivingLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cookie has come out of the kernel's queue, and nobody is left to say so."""
    fault = Fault(monkeypatch, observer.WatchHandler, "dispatch")
    library.sync()
    assert fault.happened.is_set()
    (library.root / "directory/while").touch()
    goes_on(library)


@pytest.mark.parametrize("what", ["spots", "settle"])
def test_a_batch_that_cannot_be_taken_costs_a_look_at_everything(
    library: LivingLibrary, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before = library.watcher
    fault = Fault(monkeypatch, coalesce.Pending, what)
    (library.root / "directory/while").touch()
    library.sync()
    assert fault.happened.is_set()
    library.check()
    assert library.watcher is before
    goes_on(library)


def test_a_handler_that_ends_is_noticed(library: LivingLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes what the kernel tells any more, though the thread that reads it is well."""
    before = library.watcher
    fault = Fault(monkeypatch, observer.WatchHandler, "dispatch")
    (library.root / "directory/while").touch()
    assert fault.happened.wait(20)
    goes_on(library)
    assert library.watcher is not before


def test_an_emitter_that_ends_is_noticed(library: LivingLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    before = library.watcher
    fault = Fault(monkeypatch, coalesce.Coalescer, "absorb")
    (library.root / "directory/while").touch()
    until(fault.happened.is_set)
    goes_on(library)
    assert library.watcher is not before


def test_no_thread_can_be_had_for_the_new_watch(library: LivingLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is tried again."""
    fault = Fault(monkeypatch, coalesce.Coalescer, "absorb")
    again = Fault(monkeypatch, InotifyEmitter, "start", times=2)
    (library.root / "directory/while").touch()
    until(fault.happened.is_set)
    until(again.happened.is_set)
    goes_on(library)


def test_what_is_asked_of_a_watch_that_broke_down_is_answered(
    library: LivingLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits at the barrier is not kept waiting by a thread that has ended."""
    fault = Fault(monkeypatch, observer.WatchHandler, "dispatch")
    (library.root / "directory/while").touch()
    assert fault.happened.wait(20)
    library.sync()
    library.check()
