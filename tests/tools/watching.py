"""What tests of the watch need around it: a walker that covers, a handler that remembers, and ways to wait."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from censusd.filesystem.names import bytes_of, text_of
from censusd.model import ROOT, Scope, is_below, join
from censusd.watch.batch import Batch
from censusd.watch.debounce import DirtySet
from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.fanotify_kernel import FanotifyRefusedError
from censusd.watch.inotify import InotifyEmitter
from censusd.watch.observer import DirtySetHandler, RepositoryObserver

DEADLINE = 20.0
"""Seconds after which a test stops waiting and fails."""

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class RecordingHandler(DirtySetHandler):
    """A dirty set's handler that also remembers what it was told, and lets tests wait for it."""

    def __init__(self, dirty_set: DirtySet) -> None:
        super().__init__(
            dirty_set,
            on_overflow=lambda: self._happened(lambda: setattr(self, "overflows", self.overflows + 1)),
            on_root_changed=lambda reason: self._happened(lambda: self.root_changes.append(reason)),
            on_failure=lambda reason: self._happened(lambda: self.failures.append(reason)),
        )
        self._changed = threading.Condition()
        self.batches: list[Batch] = []
        self.overflows = 0
        self.root_changes: list[str] = []
        self.failures: list[str] = []
        self.explanations: list[str] = []

    def dirty(self, batch: Batch) -> None:
        super().dirty(batch)
        self._happened(lambda: self.batches.append(batch))

    def uncovered(self, explanation: str) -> None:
        super().uncovered(explanation)
        self._happened(lambda: self.explanations.append(explanation))

    def wait_for(self, what: Callable[[], bool]) -> bool:
        """Wait until ``what`` holds, asking again whenever the handler was called."""
        with self._changed:
            return self._changed.wait_for(what, DEADLINE)

    def _happened(self, note: Callable[[], None]) -> None:
        with self._changed:
            note()
            self._changed.notify_all()


class Watch:
    """A watched directory, with all that a test wants to ask about it."""

    def __init__(self, root: Path, cookies: Path, emitter: type[InotifyEmitter] = InotifyEmitter) -> None:
        self.root = root
        self.dirty_set = DirtySet()
        self.handler = RecordingHandler(self.dirty_set)
        self.observer = RepositoryObserver(
            os.fspath(root),
            self.handler,
            to_text=text_of,
            to_bytes=bytes_of,
            cookie_directory=os.fspath(cookies),
            emitter=emitter,
        )
        self.emitter = cast("InotifyEmitter", self.observer.watcher)

    def walk(self, path: str = ROOT, before_listing: Callable[[str], None] = lambda path: None) -> set[str]:
        """Walk a subtree as the real walker does, covering each directory before it is listed; the paths listed."""
        return set(walk_and_cover(self.root, self.emitter.cover, path, before_listing))

    def complete_pass(self) -> int:
        """A complete walk; how many watches it dropped."""
        number = self.emitter.begin_pass()
        self.walk()
        return self.emitter.end_pass(number)

    def kernel_watches(self) -> int:
        """How many watches the kernel holds for it, that of the cookies included."""
        return Path(f"/proc/self/fdinfo/{self.emitter._inotify.fd}").read_text().count("inotify wd:")

    def watches(self, directories: int) -> int:
        """How many watches there are for so many directories below the root: none with fanotify."""
        return 0 if isinstance(self.emitter, FanotifyEmitter) else directories

    def settle(self) -> None:
        """Return when everything that happened until now is in the dirty set."""
        barrier = self.emitter.barrier()
        assert barrier.wait(DEADLINE), barrier.outcome

    def changes(self) -> Scope:
        """Everything that happened since this was asked last."""
        self.settle()
        return self.dirty_set.take_all()


@contextmanager
def watching(root: Path, cookies: Path, emitter: type[InotifyEmitter] = InotifyEmitter) -> Iterator[Watch]:
    """A started watch of ``root``, every directory covered, and stopped in the end."""
    watch = Watch(root, cookies, emitter)
    watch.observer.start()
    try:
        watch.complete_pass()
        watch.changes()
        yield watch
    finally:
        watch.observer.stop()


def fanotify_refusal(directory: Path) -> str:
    """Why there is no fanotify for the file system of a directory, or nothing if there is."""
    try:
        Watch(directory, directory / "cookies", FanotifyEmitter).observer.stop()
    except FanotifyRefusedError as error:
        return str(error)
    return ""


def walk_and_cover(
    root: Path,
    cover: Callable[[str, int], bool],
    start: str = ROOT,
    before_listing: Callable[[str], None] = lambda path: None,
) -> Iterator[str]:
    """Depth first, through descriptors, each directory covered and then listed; the paths of those listed."""
    fd = os.open(root, OPEN_DIRECTORY)
    try:
        for name in start.split("/") if start else ():
            passed, fd = fd, os.open(bytes_of(name), OPEN_DIRECTORY, dir_fd=fd)
            os.close(passed)
    except OSError:
        os.close(fd)
        return
    stack = [(start, fd)]
    while stack:
        path, fd = stack.pop()
        try:
            cover(path, fd)
            before_listing(path)
            yield path
            with os.scandir(fd) as entries:
                names = sorted(os.fsencode(entry.name) for entry in entries if entry.is_dir(follow_symlinks=False))
            for below in names:
                try:
                    stack.append((join(path, text_of(below)), os.open(below, OPEN_DIRECTORY, dir_fd=fd)))
                except OSError:
                    continue  # gone, or not a directory any more: its parent's events say so
        finally:
            os.close(fd)


def record(wd: int, mask: int, cookie: int = 0, name: bytes = b"") -> bytes:
    """One event as the kernel writes it, see inotify(7): names end in NULs, up to a multiple of 16 bytes."""
    padded = name + b"\0" * (16 - len(name) % 16) if name else b""
    return struct.pack("iIII", wd, mask, cookie, len(padded)) + padded


def covers(scope: Scope, directory: str, name: str) -> bool:
    """Whether looking at ``scope`` means looking at ``name`` in ``directory``."""
    return (
        name in scope.names.get(directory, {})
        or directory in scope.directories
        or any(is_below(directory, path) for path in scope.subtrees)
    )
