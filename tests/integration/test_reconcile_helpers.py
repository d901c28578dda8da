"""Reconciling with helper processes: the same rows and the same counts as without."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from censusd.errors import CancelledError
from censusd.filesystem import crew
from censusd.filesystem.crew import Help
from censusd.model import Counts, Scope, SyncOperation, Trigger
from censusd.sync import reconciler
from censusd.sync.reconciler import Hooks, Reconciler
from tests.tools.library import Library, disk
from tests.tools.trees import change_one_percent, fill, make_tree

HELP = [Help(most=0), Help(most=1, after=0.0), Help(most=2, after=0.0), Help(most=2, after=0.02)]


def reconcile(library: Library, terms: Help, hooks: Hooks | None = None) -> SyncOperation:
    return Reconciler(library.repository, hooks, helpers=terms).reconcile(Scope.whole(), Trigger.MANUAL)


def helpers() -> set[int]:
    """The children of this process that list directories."""
    found = set()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"filesystem.lister" in line.read_bytes() and f"PPid:\t{os.getpid()}\n" in (
                line.with_name("status").read_text()
            ):
                found.add(int(line.parent.name))
        except OSError:
            continue
    return found


def test_every_amount_of_help_gives_the_same(tmp_path: Path, make_library: Callable[..., Library]) -> None:
    root = tmp_path / "tree"
    make_tree(root, 300, 8)
    (root / "003/00999").mkdir(parents=True)
    fill(root / "003/00999", 10_100)
    libraries = [make_library(root, f"library-{number}") for number in range(len(HELP))]

    def same() -> Counts:
        """What each library's next pass counts."""
        first, *others = [reconcile(library, terms).counts for library, terms in zip(libraries, HELP, strict=True)]
        assert all(other == first for other in others)
        for library in libraries:
            assert library.records() == disk(root)
        return first

    assert same().added == 2400 + 10_100
    assert same() == Counts(files_scanned=12_500, directories=306)
    change_one_percent(root, 1)
    shutil.rmtree(root / "002/00201")
    (root / "002/00202").rename(root / "001/moved")
    (root / "002/00203/img_00001.jpg").rename(root / "000/moved.jpg")
    counts = same()
    assert (counts.directories_moved, counts.moved > 0, counts.removed > 8) == (1, True, True)
    assert same().files_scanned == counts.files_scanned
    assert not helpers()


def test_helpers_that_are_killed_lose_nothing(library: Library) -> None:
    make_tree(library.root, 400, 2)
    struck: set[int] = set()

    def strike() -> bool:
        for pid in helpers() - struck if len(struck) < 3 else ():
            struck.add(pid)
            os.kill(pid, signal.SIGKILL)
        return False

    operation = reconcile(library, Help(most=2, after=0.0), Hooks(cancelled=strike))
    assert len(struck) >= 2
    assert operation.counts.added == 800
    assert library.records() == disk(library.root)
    assert reconcile(library, Help(most=2, after=0.0)).counts.changed == 0


def test_nothing_observed_is_waiting_while_other_work_is_done(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "_DIRECTORIES_AT_ONCE", 10)
    monkeypatch.setattr(crew, "_MOST_AT_ONCE", 4)
    make_tree(library.root, 400, 2)
    worked: set[str] = set()

    def work() -> bool:
        # In directories that were walked, that are still to come, and that were just about to be asked for.
        for number in range(len(worked), len(worked) + 20):
            chosen = number * 37 % 400
            path = f"{chosen // 100:03d}/{chosen:05d}"
            worked.add(path)
            library.write(f"{path}/made-meanwhile")
            (library.root / path / "img_00000.jpg").unlink()
            Reconciler(library.repository).reconcile(
                Scope(names={path: {"made-meanwhile": True, "img_00000.jpg": False}}), Trigger.REALTIME
            )
        return True

    hooks = Hooks(due=lambda: len(worked) < 200, other_work=work)
    reconcile(library, Help(most=2, after=0.0), hooks)
    assert len(worked) >= 100
    assert library.records() == disk(library.root)
    assert reconcile(library, Help(most=0)).counts.changed == 0


def test_a_pass_is_cancelled_though_its_helpers_are_stopped(library: Library) -> None:
    make_tree(library.root, 400, 2)
    turns = iter(range(50))

    def stop() -> bool:
        for pid in helpers():
            os.kill(pid, signal.SIGSTOP)
        return next(turns, None) is None

    with pytest.raises(CancelledError):
        reconcile(library, Help(most=2, after=0.0), Hooks(cancelled=stop))
    assert not helpers()
    assert reconcile(library, Help(most=2, after=0.0)).counts.files_scanned == 800
    assert library.records() == disk(library.root)
