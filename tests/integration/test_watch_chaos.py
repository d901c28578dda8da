"""Everything at once: a tree is turned upside down while a small reconciler follows the dirty set, and nothing else.

No complete walk at the end: if one hint were missing, what the reconciler believes would differ from the disk for good.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from censusd.model import ROOT, Scope, is_below, join, split
from censusd.watch.inotify import InotifyEmitter
from tests.tools.watching import DEADLINE, Watch, covers, walk_and_cover

OPERATIONS = 600
FILE = 0
"""What a name that is a file maps to; a directory maps to its inode number."""


class Believer:
    """What one believes of a tree who looks only where the dirty set says."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.entries: dict[str, dict[str, int]] = {}

    def follow(self, scope: Scope) -> None:
        for directory, names in scope.names.items():
            for name in names:
                self._look(directory, name)
        for directory in scope.directories:
            seen = self._listed(directory)
            for name in seen | set(self.entries.get(directory, {})):
                self._look(directory, name)
        for path in scope.subtrees:
            self._walk(path)

    def _look(self, directory: str, name: str) -> None:
        """One name, by an lstat under its open parent. A parent that is not there is settled by its own parent."""
        if directory not in self.entries:
            return
        try:
            found = os.lstat(self._watch.root / directory / name)
        except (FileNotFoundError, NotADirectoryError):
            if (self._watch.root / directory).is_dir() and self.entries[directory].pop(name, FILE):
                self._forget(join(directory, name))
            return
        known = self.entries[directory].get(name)
        if not stat.S_ISDIR(found.st_mode):
            self.entries[directory][name] = FILE
            self._forget(join(directory, name))
        elif known != found.st_ino:
            self.entries[directory][name] = found.st_ino
            self._walk(join(directory, name))

    def _walk(self, path: str) -> None:
        self._forget(path)
        parent, _ = split(path)
        if path != ROOT and parent not in self.entries:
            return
        for directory in walk_and_cover(self._watch.root, self._watch.emitter.cover, path):
            self.entries[directory] = {}
            for name in self._listed(directory):
                with contextlib.suppress(OSError):
                    found = os.lstat(self._watch.root / directory / name)
                    self.entries[directory][name] = found.st_ino if stat.S_ISDIR(found.st_mode) else FILE

    def _listed(self, directory: str) -> set[str]:
        try:
            return set(os.listdir(self._watch.root / directory))
        except OSError:
            return set()

    def _forget(self, path: str) -> None:
        for directory in [directory for directory in self.entries if is_below(directory, path)]:
            del self.entries[directory]


class Vandal:
    """Does random things to a tree, as fast as it can."""

    def __init__(self, root: Path, outside: Path, seed: int) -> None:
        self._root = root
        self._outside = outside
        self._random = random.Random(seed)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._deeds: list[Callable[[], object]] = [
            lambda: self._new().write_text("content"),
            lambda: self._new().mkdir(),
            lambda: (self._new() / "deep" / "deeper").mkdir(parents=True),
            lambda: self._any().rename(self._new()),
            lambda: self._directory().rename(self._new()),
            lambda: self._directory().rename(self._outside / str(self._random.randrange(8))),
            lambda: (self._outside / str(self._random.randrange(8))).rename(self._new()),
            lambda: self._any().unlink(),
            lambda: self._directory().rmdir(),
            self._make_again,
            self._exchange,
        ]

    def rage(self) -> None:
        for _ in range(OPERATIONS):
            with contextlib.suppress(OSError):
                self._random.choice(self._deeds)()

    def _directories(self) -> list[Path]:
        return [Path(path) for path, _, _ in os.walk(self._root)]

    def _directory(self) -> Path:
        return self._random.choice(self._directories()[1:] or [self._root / "none"])

    def _any(self) -> Path:
        directory = self._random.choice(self._directories())
        return directory / self._random.choice(os.listdir(directory) or ["none"])

    def _new(self) -> Path:
        return self._random.choice(self._directories()) / self._random.choice("abcdefgh")

    def _make_again(self) -> None:
        directory = self._directory()
        directory.rmdir()
        directory.mkdir()  # often with the same inode number

    def _exchange(self) -> None:
        one, other = os.fsencode(self._directory()), os.fsencode(self._directory())
        self._libc.renameat2(-100, one, -100, other, 2)


@pytest.mark.parametrize("seed", range(6))
def test_whoever_follows_the_dirty_set_knows_the_tree(tmp_path: Path, seed: int, emitter: type[InotifyEmitter]) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    watch = Watch(root, tmp_path / "cookies", emitter)
    believer = Believer(watch)
    watch.observer.start()
    believer.follow(Scope.whole())
    vandal = threading.Thread(target=Vandal(root, outside, seed).rage)
    vandal.start()
    while vandal.is_alive():
        watch.settle()
        believer.follow(watch.dirty_set.take_all())
    vandal.join(DEADLINE)
    while scope := watch.changes():
        believer.follow(scope)
    assert {path: {name: bool(inode) for name, inode in names.items()} for path, names in believer.entries.items()} == {
        os.path.relpath(path, root).removeprefix("."): {
            **dict.fromkeys(files, False),
            **dict.fromkeys(directories, True),
        }
        for path, directories, files in os.walk(root)
    }
    for directory in believer.entries:  # and every directory is watched, by the right path
        (root / directory / "probe").touch()
    scope = watch.changes()
    assert all(covers(scope, directory, "probe") for directory in believer.entries)
    assert set(scope.names) == set(believer.entries)
    assert watch.emitter.stats().watches >= 1 + watch.watches(len(believer.entries) - 1)
    watch.observer.stop()
