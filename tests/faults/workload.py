"""A seeded random workload on real files, which remembers what was where and when.

It is the only one that writes to its tree, so that it can give evidence: a row that was taken off the record although
its file was where it was the whole time, was taken off wrongly.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.tools.operations import DIRECTORY_NAMES, FILE_NAMES
from tests.tools.waiting import until

_NAMES: Final = tuple(name for name in FILE_NAMES if len(name) < 200)
_DEPTH: Final = 4
_MOST: Final = 400
"""Files, or a few more; above, files and whole directories are deleted where others would be made."""

STAY: Final = b"stay"
"""A directory that nothing is ever done to."""


class Stay:
    """A file's stay at a path.

    Attributes:
        since: seconds of the clock; it was there from then on.
        until: it was there up to then at least; infinite while it is there.
    """

    __slots__ = ("since", "until")

    def __init__(self, since: float) -> None:
        self.since = since
        self.until = float("inf")


class Tracked:
    """A file that is there.

    Attributes:
        inode: its number.
        linked: whether it has, or had, a second name.
        row: the row that it must have; None if that is not certain: it was not on record when that was asked last, or
            has been moved and changed since, has a second name, or has come to a place that was somebody else's.
        moved: whether it was moved since.
        written: whether it was written to since.
        story: what was done to it and when, for whoever has to understand a failure.
    """

    __slots__ = ("inode", "linked", "moved", "row", "story", "written")

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.linked = False
        self.row: int | None = None
        self.moved = False
        self.story: list[str] = []
        self.written = False

    def note(self, what: str) -> None:
        """Go on with its story."""
        self.story.append(f"{time.time():.3f} {what}")


class Workload:
    """Random operations in a thread of their own, from ``with`` to the end of it, more than once if need be.

    Args:
        root: the tree; made and filled here.
        seed: what the operations are.
        files: how many files there are at first.
        pace: the longest pause between two operations, in seconds.

    Attributes:
        count: how many operations there were.
        failed: how many of them the file system refused.
        files: path -> what is known of each file that is there.
        stays: (path, inode) -> when that file was there.
    """

    def __init__(self, root: Path, seed: int, files: int = 120, pace: float = 0.004) -> None:
        self.root = os.fsencode(root)
        self.count = self.failed = 0
        self.files: dict[bytes, Tracked] = {}
        self.stays: dict[tuple[bytes, int], list[Stay]] = {}
        self._directories: set[bytes] = {b""}
        self._used: set[bytes] = set()
        self._chance = random.Random(seed)
        self._number = 0
        self._pace = pace
        self._stop = threading.Event()
        self._between = threading.Lock()
        self._thread: threading.Thread | None = None
        self._trouble: BaseException | None = None
        self._operations: tuple[Callable[[], None], ...] = (
            *(self.create, self.create, self.append, self.append, self.rewrite, self.replace, self.replace),
            *(self.move, self.move, self.move_over, self.move_directory, self.delete, self.delete, self.link),
            *(self.make_directories, self.burst, self.recreate, self.noise, self.delete_tree),
        )
        self._begin(files)

    def _begin(self, files: int) -> None:
        os.makedirs(self.root, exist_ok=True)
        for name in (STAY, *DIRECTORY_NAMES[:5], os.path.join(DIRECTORY_NAMES[0], b"deep")):
            self._make_directory(name)
        for number in range(files):
            directory = STAY if number % 4 == 0 else self._directory()
            self._write(os.path.join(directory, self._fresh()))

    def __enter__(self) -> Self:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="workload")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._trouble is not None and error is None:
            raise self._trouble

    def wait(self, more: int) -> None:
        """Wait until so many more operations have been done."""
        end = self.count + more
        until(lambda: self.count >= end or self._trouble, "the workload came to a standstill")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is done while the block lasts: for what would strike the workload itself, such as an unmount."""
        with self._between:
            yield

    def on_record(self, rows: dict[bytes, int]) -> None:
        """Every file that is there is on record by now, with these rows: from now on it has to keep them."""
        for path, file in self.files.items():
            file.story = []
            file.moved = file.written = False
            file.row = rows[path] if os.lstat(self._at(path)).st_nlink == 1 else None
        self._used = set(self.files)

    def was_there(self, path: bytes, inode: int, since: float, to: float) -> bool:
        """Whether that file was at that path during all that time."""
        return any(stay.since <= since and stay.until > to for stay in self.stays.get((path, inode), ()))

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._chance.random() * self._pace):
                with self._between:
                    self._chance.choice(self._operations)()
                    self.count += 1
        except BaseException as error:  # noqa: BLE001, told by whoever waits for the workload
            self._trouble = error

    # Files -----------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """A new file, or one less if there are many."""
        if len(self.files) > _MOST:
            self.delete()
        else:
            self._write(os.path.join(self._directory(), self._fresh()))

    def append(self) -> None:
        """A longer file."""
        for path in self._some_file():
            self._change(path, partial(self._put, path, os.O_APPEND))

    def rewrite(self) -> None:
        """Other content of the same length."""
        for path in self._some_file():
            self._change(path, partial(self._put, path, 0))

    def replace(self) -> None:
        """As editors do: a new version under a hidden name, renamed over the old one."""
        for path in self._some_file():
            directory, name = os.path.split(path)
            temporary = os.path.join(directory, b"." + name[:200] + b".tmp")

            def act(path: bytes = path, temporary: bytes = temporary) -> None:
                self._put(temporary, os.O_TRUNC)
                os.rename(self._at(temporary), self._at(path))

            old = self.files[path]
            self._gone(path, act)
            if path in self.files:
                self.files[path].row = None if old.moved else old.row
                self.files[path].written = True
                self.files[path].note(f"replaced at {path!r}")

    def move(self) -> None:
        """To a place where nothing has ever been."""
        for path in self._some_file():
            self._move_file(path, os.path.join(self._directory(), self._fresh()))

    def copy_away(self) -> None:
        """To a place where nothing has ever been, as between file systems: another file with the same content."""
        for path in self._some_file():
            target = os.path.join(self._directory(), self._fresh())

            def act(path: bytes = path, target: bytes = target) -> None:
                shutil.copyfile(self._at(path), self._at(target))
                os.unlink(self._at(path))

            self._gone(path, act)
            self._look(target)

    def move_over(self) -> None:
        """To the place of another file."""
        for path in self._some_file():
            for target in self._some_file():
                if path != target and self.files[path].inode != self.files[target].inode:
                    self._move_file(path, target)

    def delete(self) -> None:
        """One file less."""
        for path in self._some_file():
            self._gone(path, partial(os.unlink, self._at(path)))

    def link(self) -> None:
        """Another name for a file, which nothing is written to from then on.

        What is written to it under a name that is gone before anybody has looked at that name, nobody reports.
        """
        for path in self._some_file():
            target = os.path.join(self._directory(), self._fresh())
            if self._try(partial(os.link, self._at(path), self._at(target))):
                self._look(target)
            for either in (path, target):
                if either in self.files:
                    self.files[either].row = None
                    self.files[either].linked = True

    def burst(self) -> None:
        """Many files at once, or a directory less if there are many."""
        if len(self.files) > _MOST:
            self.delete_tree()
            return
        directory = self._directory()
        for _ in range(self._chance.choice((20, 60))):
            self._write(os.path.join(directory, self._fresh()))

    def noise(self) -> None:
        """What is no file, or hidden."""
        place = os.path.join(self._directory(), self._fresh())
        act = self._chance.choice(
            (
                partial(os.mkfifo, self._at(place)),
                partial(os.symlink, b"..", self._at(place)),
                partial(self._put, place + b".tmp", os.O_TRUNC),
            )
        )
        self._try(act)

    # Directories -----------------------------------------------------------------------------------------------------

    def make_directories(self) -> None:
        """Several in each other, with a file in the innermost."""
        directory = self._directory()
        for _ in range(self._chance.choice((1, 2, 3))):
            if directory.count(b"/") < _DEPTH:
                directory = os.path.join(directory, self._fresh(DIRECTORY_NAMES[:6]))
                self._make_directory(directory)
        self._write(os.path.join(directory, self._fresh()))

    def move_directory(self) -> None:
        """To a place where nothing has ever been, with all that is in it."""
        for directory in self._some_directory():
            parent = self._directory()
            target = os.path.join(parent, self._fresh(DIRECTORY_NAMES[:6]))
            if _is_in(parent, directory):
                continue
            before = time.time()
            if self._try(partial(os.rename, self._at(directory), self._at(target))):
                self._moved(directory, target, before)
            else:
                self._doubt(directory, before)
                self._doubt(target, before)

    def delete_tree(self) -> None:
        """A directory less, if there are many files."""
        if len(self.files) > _MOST / 2:
            for directory in self._some_directory():
                self._delete_tree(directory)

    def recreate(self) -> None:
        """A directory deleted and made again at once: inode numbers are likely to be the same."""
        for directory in self._some_directory():
            if len(self._below(directory)) < _MOST / 8:
                self._delete_tree(directory)
                self._make_directory(directory)
                for _ in range(self._chance.choice((0, 1, 2))):
                    self._write(os.path.join(directory, self._fresh()))

    def _delete_tree(self, directory: bytes) -> None:
        before = time.time()
        if self._try(partial(shutil.rmtree, self._at(directory))):
            for path in self._below(directory):
                self._leave(path, before)
            self._directories -= {each for each in self._directories if _is_in(each, directory)}
        else:
            self._doubt(directory, before)

    # The evidence ----------------------------------------------------------------------------------------------------

    def _write(self, path: bytes) -> None:
        """Make a file, of which there was none."""
        self._try(partial(self._put, path, os.O_TRUNC))
        self._look(path)

    def _change(self, path: bytes, act: Callable[[], None]) -> None:
        """Do something to a file that stays where it is, if it has only one name."""
        if self.files[path].linked:
            return
        self._try(act)
        if path in self.files:
            file = self.files[path]
            file.written = True
            file.row = None if file.moved else file.row
            file.note(f"changed at {path!r}")

    def _gone(self, path: bytes, act: Callable[[], None]) -> None:
        """Do something after which the file is gone from that path, or is another one."""
        before = time.time()
        self._try(act)
        self._leave(path, before)
        self._look(path)

    def _move_file(self, path: bytes, target: bytes) -> None:
        before = time.time()
        file = self.files[path]
        done = self._try(partial(os.rename, self._at(path), self._at(target)))
        fresh = target not in self._used
        for each in (path, target):
            self._leave(each, before)
            self._look(each)
        if done and target in self.files:
            moved = self.files[target] = file
            moved.moved = True
            moved.note(f"moved from {path!r} to {target!r}")
            moved.row = file.row if fresh and not file.written else None

    def _moved(self, directory: bytes, target: bytes, before: float) -> None:
        """A directory has moved, with all that is in it."""
        for path in self._below(directory):
            file = self.files[path]
            self._leave(path, before)
            there = target + path[len(directory) :]
            self._arrive(there, file)
            file.note(f"moved with its directory from {path!r} to {there!r}")
            file.moved = True
            file.row = None if file.written else file.row
        moved = {each for each in self._directories if _is_in(each, directory)}
        self._directories -= moved
        self._directories |= {target + each[len(directory) :] for each in moved}

    def _doubt(self, directory: bytes, before: float) -> None:
        """Something went wrong with a directory: look at what is there, and vouch for nothing that was."""
        for path in self._below(directory):
            self._leave(path, before)
        self._directories -= {each for each in self._directories if _is_in(each, directory)}
        for top, _, names in os.walk(self._at(directory)):
            self._directories.add(os.path.relpath(top, self.root))
            for name in names:
                self._look(os.path.relpath(os.path.join(top, name), self.root))

    def _look(self, path: bytes) -> None:
        """Take a file down that is there now."""
        try:
            status = os.lstat(self._at(path))
        except OSError:
            return
        name = path.rpartition(b"/")[2]
        if stat.S_ISREG(status.st_mode) and not name.startswith(b".") and not name.endswith(b".tmp"):
            self._arrive(path, Tracked(status.st_ino))

    def _arrive(self, path: bytes, file: Tracked) -> None:
        self.files[path] = file
        self._used.add(path)
        self.stays.setdefault((path, file.inode), []).append(Stay(time.time()))

    def _leave(self, path: bytes, before: float) -> None:
        file = self.files.pop(path, None)
        if file is not None:
            self.stays[path, file.inode][-1].until = before

    # Helpers ---------------------------------------------------------------------------------------------------------

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except OSError:
            self.failed += 1
            return False
        return True

    def _make_directory(self, path: bytes) -> None:
        if self._try(partial(os.makedirs, self._at(path), exist_ok=True)):
            while path:
                self._directories.add(path)
                path = path.rpartition(b"/")[0]

    def _put(self, path: bytes, flags: int) -> None:
        """Write something that no other file has."""
        self._number += 1
        fd = os.open(self._at(path), os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | flags, 0o644)
        try:
            os.write(fd, b"%d " % self._number * self._chance.choice((1, 1, 2, 50, 3000)))
        finally:
            os.close(fd)

    def _fresh(self, names: tuple[bytes, ...] = _NAMES) -> bytes:
        self._number += 1
        return b"%d %s" % (self._number, self._chance.choice(names))

    def _some_file(self) -> Iterator[bytes]:
        among = [path for path in self.files if not path.startswith(STAY + b"/")]
        if among:
            yield self._chance.choice(among)

    def _directory(self) -> bytes:
        """Any directory that things are done to."""
        return self._chance.choice(sorted(self._directories - {STAY}))

    def _some_directory(self) -> Iterator[bytes]:
        """One that can be moved or deleted."""
        if among := sorted(self._directories - {STAY, b""}):
            yield self._chance.choice(among)

    def _below(self, directory: bytes) -> list[bytes]:
        return [path for path in self.files if path.startswith(directory + b"/")]

    def _at(self, path: bytes) -> bytes:
        return os.path.join(self.root, path)


def _is_in(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory + b"/")
