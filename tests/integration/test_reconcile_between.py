"""What happens between the batches of a pass: other work on the same rows, while the tree changes under the walk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from censusd.model import Counts, Scope, Trigger
from censusd.sync import reconciler
from tests.tools.library import Library, disk


class Between(ABC):
    """Does something at the first quiet point of a pass."""

    def __init__(self, library: Library, monkeypatch: pytest.MonkeyPatch, after: int = 1) -> None:
        monkeypatch.setattr(reconciler, "_DIRECTORIES_AT_ONCE", 1)
        self._waiting = after
        self._inner = library
        self.library = Library(
            library.root, library.repository, replace(library.hooks, due=self._due, other_work=self._work)
        )

    @abstractmethod
    def act(self, library: Library) -> None:
        """Do it."""

    def _due(self) -> bool:
        self._waiting -= 1
        return self._waiting == 0

    def _work(self) -> bool:
        self.act(self._inner)
        return True


@pytest.mark.parametrize("what", ["d/f", "d"])
def test_what_is_back_before_the_end_of_a_pass_is_not_missing(library: Library, what: str) -> None:
    library.write("d/f")
    library.write("e/f")
    library.reconcile()
    ids = library.ids()
    away = library.root.parent / "away"
    (library.root / what).rename(away)

    def back(_: Counts) -> None:
        if away.exists():
            away.rename(library.root / what)

    Library(library.root, library.repository, replace(library.hooks, progress=back)).reconcile()
    assert library.ids() == ids
    library.reconcile()
    assert library.records() == disk(library.root)


def test_a_digest_that_waited_is_not_older_than_the_rows(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.write("a/stays")
    library.write("a/gone")
    library.write("b/f")
    library.reconcile()
    (library.root / "a/gone").unlink()

    class Create(Between):
        def act(self, library: Library) -> None:
            library.write("a/new")
            library.names("a", "new")

    Create(library, monkeypatch, after=2).library.reconcile()
    assert library.records() == disk(library.root)
    (library.root / "a/new").unlink()
    library.reconcile()
    assert library.records() == disk(library.root)


def test_rules_that_change_during_a_pass(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        library.write(f"d{number}/f.txt")
    library.reconcile()
    for number in range(6):
        library.write(f"d{number}/g.txt")

    class Hide(Between):
        def act(self, library: Library) -> None:
            library.write(".censusignore", "*.txt")
            library.names("", ".censusignore")

    Hide(library, monkeypatch, after=2).library.reconcile()
    assert library.records() == {}


def test_a_directory_replaced_while_a_pass_is_in_it(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        library.write(f"a/b/d{number}/f", str(number))
    library.reconcile()
    library.write("a/b/d3/unnoticed")

    class Replace(Between):
        def act(self, library: Library) -> None:
            (library.root / "a").rename(library.root / "z")
            for number in range(4):
                library.write(f"a/b/d{number}/other", "new")
            library.reconcile(Scope(names={"": {"a": False, "z": False}}, subtrees=("a", "z")), Trigger.REALTIME)

    Replace(library, monkeypatch, after=5).library.reconcile()
    assert library.records() == disk(library.root)


@pytest.mark.parametrize("what", ["d/f", "d/e"])
def test_what_is_back_for_a_moment_at_the_end_of_a_pass_is_not_kept_for_ever(library: Library, what: str) -> None:
    library.write("d/f")
    library.write("d/e/g")
    library.write("d/stays")
    library.reconcile()
    away = library.root.parent / "away"
    (library.root / what).rename(away)

    def back(_: Counts) -> None:
        if away.exists():
            away.rename(library.root / what)

    Library(library.root, library.repository, replace(library.hooks, progress=back)).reconcile()
    (library.root / what).rename(away)
    library.reconcile()
    assert library.records() == disk(library.root)


def test_a_hidden_directory_that_goes_before_the_end_of_a_pass_is_not_kept_for_ever(library: Library) -> None:
    library.write("d/e/g")
    library.write("d/stays")
    library.reconcile()
    away = library.root.parent / "away"
    strict = library.with_rules(exclude=("e/",))

    def remove(_: Counts) -> None:
        if not away.exists():
            (library.root / "d/e").rename(away)

    Library(library.root, strict.repository, replace(library.hooks, progress=remove)).reconcile()
    strict.reconcile()
    assert library.records() == disk(library.root)


def test_a_file_that_leaves_a_directory_takes_the_digest_that_waits_for_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "_DIRECTORIES_AT_ONCE", 1)
    for path in ("a/gone", "a/moves", "b/f"):
        library.write(path)
    library.reconcile()
    (library.root / "a/gone").unlink()
    source, target = library.root / "a/moves", library.root / "b/moved"

    def move(counts: Counts) -> None:
        if counts.directories == 2:  # "a" is seen, "b" is not
            source.rename(target)

    Library(library.root, library.repository, replace(library.hooks, progress=move)).reconcile()
    assert library.records() == disk(library.root)
    assert library.query("SELECT path FROM directories WHERE digest IS NULL") == [("a",)]
