"""The fanotify emitter: one mark for a whole file system instead of a watch for each directory.

It needs CAP_SYS_ADMIN for the marks and CAP_DAC_READ_SEARCH to learn where a directory is. What happens elsewhere in
the file system is reported as well, and dropped at once. What cannot be marked (other kinds of file systems mounted
below the root) is watched by inotify, directory by directory; so are the root and each mount, for what happens to them
as such, and the barriers' cookies.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import struct
from collections.abc import Callable, Collection
from typing import Final

from watchdog.events import FileSystemEvent
from watchdog.observers.api import DEFAULT_EMITTER_TIMEOUT, EventQueue, ObservedWatch

from censusd.model import ROOT, is_below
from censusd.watch.batch import Batch
from censusd.watch.fanotify_kernel import (
    FAN_ATTRIB,
    FAN_CLOSE_WRITE,
    FAN_CREATE,
    FAN_DELETE,
    FAN_MOVED_FROM,
    FAN_MOVED_TO,
    FAN_ONDIR,
    FAN_RENAME,
    Fanotify,
    FanotifyRefusedError,
    handle_of,
)
from censusd.watch.folders import Folders
from censusd.watch.handle_events import HandleEvents
from censusd.watch.inotify import DIRECTORY_MASK, InotifyEmitter, lies_in
from censusd.watch.kernel import IN_MOVE_SELF
from censusd.watch.watcher import WatchStats

_log = logging.getLogger(__name__)

_MASK: Final = FAN_CLOSE_WRITE | FAN_CREATE | FAN_DELETE | FAN_ATTRIB | FAN_ONDIR
_MASKS: Final = (_MASK | FAN_RENAME, _MASK | FAN_MOVED_FROM | FAN_MOVED_TO)
"""What to ask for, and what to ask for before Linux 5.17."""
_TOP_MASK: Final = IN_MOVE_SELF
"""What inotify is asked for where fanotify tells the rest; that it is deleted or unmounted, it says unasked."""
_OPEN_ROOT: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BUSY: Final = 2_000
"""Events in one round from which on there is no waiting for more."""


class FanotifyEmitter(InotifyEmitter):
    """Watches one repository with one fanotify group, and one inotify instance beside it. Fulfils ``Watcher``.

    The file system of the root is marked as soon as the emitter is made, those mounted below it when they are covered.

    Args:
        event_queue: as in ``InotifyEmitter``, like all others.
        watch: what to watch; its path is the repository's root.
        timeout: not used.
        event_filter: see there.
        to_text: name bytes -> catalogue text.
        to_bytes: the inverse.
        cookie_directory: a private directory for the barriers' cookies.
        gather: seconds to wait after waking up.

    Raises:
        FanotifyRefusedError: this way of watching is not to be had for this root; the text says why.
        WatchError: as for ``InotifyEmitter``.
    """

    def __init__(
        self,
        event_queue: EventQueue,
        watch: ObservedWatch,
        *,
        timeout: float = DEFAULT_EMITTER_TIMEOUT,
        event_filter: list[type[FileSystemEvent]] | None = None,
        to_text: Callable[[bytes], str],
        to_bytes: Callable[[str], bytes],
        cookie_directory: str,
        gather: float = 0.01,
    ) -> None:
        self._fanotify = Fanotify()
        self._masks = list(_MASKS)
        self._tops: dict[int, str] = {}  # each mount that is marked, by its number: where it is
        self._seen: set[int] = set()  # those that the present pass came through
        self._refusals: dict[int, str] = {}  # each file system that cannot be marked, by its device: why
        self._trouble: str | None = None
        self._folders = Folders(to_bytes(watch.path), to_text, self._troubled)
        try:
            self._mark_root(to_bytes(watch.path))
            super().__init__(
                event_queue,
                watch,
                timeout=timeout,
                event_filter=event_filter,
                to_text=to_text,
                to_bytes=to_bytes,
                cookie_directory=cookie_directory,
                gather=gather,
            )
        except BaseException:
            self._fanotify.close()
            raise
        self.name = f"fanotify watch of {watch.path}"
        self._handle_events = HandleEvents(self._coalescer, self._folders)
        self._anything.register(self._fanotify.fd)

    # What walkers call.

    def cover(self, path: str, fd: int) -> bool:
        """See ``Watcher.cover``. What is marked is covered already; what is mounted below the root turns up here."""
        top = self._top_of(path, fd)
        with self._lock:
            if self._closed:
                return False
            if top is not None and top != path:
                self._uncovered.discard(path)
                return True
        return self._watch_directory(path, fd, DIRECTORY_MASK if top is None else _TOP_MASK)

    def begin_pass(self) -> int:
        """See ``Watcher.begin_pass``. Whatever was remembered wrongly is asked for again."""
        with self._lock:
            self._seen.clear()
            self._folders.forget()
        return super().begin_pass()

    def end_pass(self, number: int, unseen: Collection[str] = ()) -> int:
        """See ``Watcher.end_pass``. Mounts that the pass did not come through are not there any more."""
        kept = frozenset(unseen)
        with self._lock:
            if number == self._pass and not self._closed:
                self._tops = {
                    mount: top for mount, top in self._tops.items() if mount in self._seen or lies_in(top, kept)
                }
                self._folders.keep_only({self._to_bytes(top) for top in self._tops.values()})
        return super().end_pass(number, unseen)

    def stats(self) -> WatchStats:
        """See ``Watcher.stats``."""
        stats = super().stats()
        with self._lock:
            return dataclasses.replace(stats, marks=len(self._tops), refusals=tuple(self._refusals.values()))

    # The rest is called with the lock held, except where it says otherwise.

    def _read_on(self) -> None:
        """Read what is in the queue now. A cookie that inotify has told of is younger than all that was there then."""
        left = self._fanotify.waiting()
        self._busy = self._busy or left > _BUSY
        while left > 0 and (buffer := self._fanotify.read()):
            left -= self._handle_events.absorb(buffer)
        if self._coalescer.pending.root_changes:
            self._folders.forget()  # what was hidden by a mount, perhaps, is not any more
        self._folders.close()

    def _take(self) -> Batch:
        """See ``InotifyEmitter``. The lock is not held."""
        try:
            return super()._take()
        finally:
            with self._lock:
                self._folders.close()

    def _close(self) -> None:
        self._fanotify.close()
        super()._close()

    def _troubled(self, error: OSError) -> None:
        """Where an event comes from cannot be told: it may be anywhere."""
        self._coalescer.pending.everything = True
        if error.strerror != self._trouble:
            self._trouble = error.strerror
            _log.warning("%s: the kernel does not tell where events come from: %s", self.watch.path, error.strerror)

    def _mark_root(self, root: bytes) -> None:
        """Mark the file system of the root, and see that what the kernel will say of it can be understood.

        The lock is not held, nor needed yet.
        """
        try:
            fd = os.open(root, _OPEN_ROOT)
        except OSError as error:
            raise FanotifyRefusedError(f"the root cannot be opened: {error.strerror}") from error
        try:
            handle, mount = handle_of(fd)
            number = self._mark(fd)
            self._folders.add(number, b"")
            self._tops[mount] = ROOT
            if self._folders.locate(number + handle) != (ROOT,):
                raise FanotifyRefusedError("the kernel does not tell where a directory of this file system is")
        except OSError as error:
            raise FanotifyRefusedError(_explain(error), granted=error.errno != errno.EPERM) from error
        finally:
            os.close(fd)
            self._folders.close()

    def _top_of(self, path: str, fd: int) -> str | None:
        """Where the mount is that a directory was reached by, which is marked; None if it cannot be.

        The lock is not held: a file system may take its time to say its number.
        """
        try:
            _, mount = handle_of(fd)
            with self._lock:
                top = self._tops.get(mount)
                if top is not None and top != path and is_below(path, top):
                    self._seen.add(mount)
                    return top
            # It is new, or may be: numbers are used again. To mark a file system once more does no harm.
            if os.fstat(fd).st_dev in self._refusals:
                return None
            number = self._mark(fd)
            with self._lock:
                self._folders.add(number, self._to_bytes(path))
                self._tops[mount] = path
                self._seen.add(mount)
        except OSError as error:
            self._refuse(os.fstat(fd).st_dev, f"{path or 'the root'}: {_explain(error)}")
            return None
        return path

    def _refuse(self, device: int, why: str) -> None:
        """Note, and say once, that a file system cannot be marked. The lock is not held."""
        with self._lock:
            if device in self._refusals or self._closed:
                return
            self._refusals[device] = why
        _log.info("%s is watched by inotify, not by fanotify", why)

    def _mark(self, fd: int) -> bytes:
        """Mark the file system of the directory that is open as ``fd``; its number. The lock is not held."""
        try:
            self._fanotify.mark_filesystem(fd, self._masks[0])
        except OSError as error:
            if error.errno != errno.EINVAL or len(self._masks) == 1:
                raise
            del self._masks[0]
            self._fanotify.mark_filesystem(fd, self._masks[0])
        return _number_of(fd)


def _number_of(fd: int) -> bytes:
    """The number of the file system of what is open as ``fd``, ``f_fsid`` of statfs(2), as events have it."""
    number = os.fstatvfs(fd).f_fsid
    return struct.pack("=II", number & 0xFFFF_FFFF, number >> 32)


def _explain(error: OSError) -> str:
    """Why a file system cannot be marked, for people."""
    code = error.errno or 0
    symbol = errno.errorcode.get(code, str(code))
    if code == errno.EPERM:
        return "it takes CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH, which are not both granted"
    if code == errno.EXDEV:
        return f"its parts have numbers of their own, as Btrfs subvolumes have ({symbol})"
    if code in {errno.EOPNOTSUPP, errno.ENODEV}:
        return f"this kind of file system has no file handles, or no number ({symbol})"
    return f"{os.strerror(code)} ({symbol})"
