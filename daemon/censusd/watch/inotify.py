"""The inotify emitter: one thread that only drains the kernel's queue, on watchdog's ``EventEmitter``.

watchdog's own inotify emitter is of no use here: it walks the tree itself, swallows what it cannot watch, and on an
overflow throws its watches away and tells nobody. This one never walks. Whoever walks calls ``cover`` with each
directory just before listing it, so that there is no moment in which a change is seen by neither; since every complete
walk does so for every directory, whatever went wrong with a watch is right again after it.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Collection
from typing import Final

from watchdog.events import FileSystemEvent
from watchdog.observers.api import DEFAULT_EMITTER_TIMEOUT, EventEmitter, EventQueue, ObservedWatch

from censusd.errors import WatchError
from censusd.model import ROOT, split
from censusd.watch.barrier import Barrier, BarrierOutcome, CookieJar
from censusd.watch.batch import Batch, BatchEvent
from censusd.watch.coalesce import Coalescer, Pending
from censusd.watch.folders import descend
from censusd.watch.kernel import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONLYDIR,
    Inotify,
)
from censusd.watch.limits import explain_refusal, explain_watches, watch_limit
from censusd.watch.tree import Node, WatchTree
from censusd.watch.uncovered import Uncovered
from censusd.watch.watcher import WatchStats

_log = logging.getLogger(__name__)

# IN_DELETE_SELF is left out: IN_IGNORED says the same, unasked, and a large `rm -rf` sends a third less.
DIRECTORY_MASK: Final = (
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF | IN_EXCL_UNLINK
)
_COOKIE_MASK: Final = IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW
# Each removed watch puts one more record (IN_IGNORED) into the queue that is being drained; 16,384 would overflow it.
_REMOVED_AT_ONCE: Final = 1_024
_BUSY: Final = 64 * 1024
"""Bytes in one reading from which on there is no waiting for more: some 2,000 events."""
_OPEN_PASSING: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class InotifyEmitter(EventEmitter):
    """Watches one repository with one inotify instance. Fulfils ``Watcher``.

    The instance is there, and ``cover`` works, as soon as the emitter is made; events are read once it is started.

    Args:
        event_queue: watchdog's queue to the handlers.
        watch: what to watch; its path is the repository's root.
        timeout: not used; the emitter sleeps until something happens.
        event_filter: as in watchdog; to let anything pass it must include ``BatchEvent``.
        to_text: name bytes -> catalogue text.
        to_bytes: the inverse.
        cookie_directory: a private directory for the barriers' cookies, outside the repository.
        gather: seconds to wait after waking up, so that what belongs together (a file's creation and its close, the
            halves of a rename) is read together, and a busy disk wakes us a hundred times a second at most.

    Raises:
        WatchError: there is no inotify instance to be had, or the cookie directory cannot be used.
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
        super().__init__(event_queue, watch, timeout=timeout, event_filter=event_filter)
        self.name = f"inotify watch of {watch.path}"
        self._to_text = to_text
        self._to_bytes = to_bytes
        self._gather_ms = int(gather * 1_000)
        # Guards everything below: walkers cover, the drain thread reads, handlers take, and anybody may ask or stop.
        self._lock = threading.Lock()
        self._closed = False
        self._failure = ""
        self._pass = 0
        self._condemned: set[int] = set()
        self._uncovered = Uncovered()
        self._tree = WatchTree()
        self._cookies = CookieJar(cookie_directory)
        self._announced = False  # whether an event that leads to the pending batch is in the queue
        self._coalescer = Coalescer(self._tree, self._cookies, to_text, self._condemned.update)
        self._cookies.prepare()
        self._inotify = Inotify()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_up = select.poll()
        self._wake_up.register(self._wake_fd, select.POLLIN)
        self._anything = select.poll()
        self._anything.register(self._wake_fd, select.POLLIN)
        self._anything.register(self._inotify.fd, select.POLLIN)
        self._busy = False

    # What walkers call.

    def cover(self, path: str, fd: int) -> bool:
        """See ``Watcher.cover``. After ``stop``, nothing is covered."""
        return self._watch_directory(path, fd, DIRECTORY_MASK)

    def _watch_directory(self, path: str, fd: int, mask: int) -> bool:
        with self._lock:
            if self._closed:
                return False
            try:
                wd = self._inotify.watch_descriptor(fd, mask)
            except OSError as error:
                return self._refused(path, explain_refusal(error))
            self._condemned.discard(wd)
            node = self._tree.by_wd.get(wd)
            if node is None:
                node = self._tree.place(path, wd)
            elif not (node.is_attached and node.path == path) and not self._settle(node, path, fd):
                return self._refused(path, f"it is the same directory as {node.path or 'the root'}, mounted twice")
            node.seen = self._pass
            self._uncovered.discard(path)
            return True

    def begin_pass(self) -> int:
        """See ``Watcher.begin_pass``."""
        with self._lock:
            self._pass += 1
            self._uncovered.abandon_pass()
            self._report_uncovered()
            self._uncovered.begin_pass()
            return self._pass

    def end_pass(self, number: int, unseen: Collection[str] = ()) -> int:
        """See ``Watcher.end_pass``. A pass that another one has overtaken drops nothing."""
        with self._lock:
            if number != self._pass or self._closed:
                return 0
            gone = [node for node in self._tree.by_wd.values() if node.seen != number]
            if unseen:
                kept = frozenset(unseen)
                gone = [node for node in gone if not lies_in(node.path, kept)]
            for node in gone:
                if node.wd is not None:
                    self._condemned.add(node.wd)
                self._tree.forget(node)
            self._uncovered.end_pass()
            self._report_uncovered()
            self._wake()
            return len(gone)

    def uncovered(self) -> tuple[list[str], bool]:
        """See ``Watcher.uncovered``."""
        with self._lock:
            return self._uncovered.paths()

    def barrier(self) -> Barrier:
        """See ``Watcher.barrier``. After ``stop``, it has failed from the beginning."""
        with self._lock:
            if self._closed or self._failure:
                return self._cookies.failed()
            if self._coalescer.cookie_wd is None:
                self._watch_cookies()
            try:
                return self._cookies.place()
            except FileNotFoundError:  # somebody tidied up; the kernel's word of it has not come through yet
                self._watch_cookies()
                return self._cookies.place()

    def stats(self) -> WatchStats:
        """See ``Watcher.stats``."""
        limit = watch_limit()
        with self._lock:
            return WatchStats(
                running=self.is_alive() and not self._closed,
                failure=self._failure,
                watches=len(self._tree.by_wd),
                uncovered=len(self._uncovered),
                limit=limit,
                events=self._coalescer.events,
                unknown_events=self._coalescer.unknown_events,
                overflows=self._coalescer.overflows,
            )

    # What watchdog calls.

    def queue_events(self, timeout: float) -> None:
        """Sleep until the kernel has events, and put them into the pending batch."""
        self._sleep()
        with self._lock:
            if self._closed or not self.should_keep_running():
                return
            for _ in range(min(len(self._condemned), _REMOVED_AT_ONCE)):
                self._inotify.forget(self._condemned.pop())
            buffer = self._inotify.read()
            self._coalescer.absorb(buffer)
            self._busy = len(buffer) > _BUSY or bool(self._condemned)
            self._read_on()
            self._announce()

    def run(self) -> None:
        """Drain until stopped. What goes wrong is reported as a failure of the watch, never swallowed."""
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would ever hear of it
            with self._lock:
                self._failure = f"the inotify watch of {self.watch.path} broke down: {error!r}"
                pending = self._coalescer.pending
                pending.failure = self._failure
                pending.barriers.extend((barrier, BarrierOutcome.FAILED) for barrier in self._cookies.take_all())
                self._announce()

    def on_thread_stop(self) -> None:
        """Called by ``stop``: end the thread, wait for it, and give everything back. May be called at any time."""
        with self._lock:
            if not self._closed:
                self._wake()
        if self.is_alive() and threading.current_thread() is not self:
            self.join()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._close()
                os.close(self._wake_fd)
        self._cookies.close()

    # The rest is called with the lock held, except where it says otherwise.

    def _read_on(self) -> None:
        """Read from whatever else there is. What it tells counts as having happened before any cookie read so far."""

    def _close(self) -> None:
        """Give back what the kernel has given."""
        self._inotify.close()

    def _sleep(self) -> None:
        """Wait for events or a call; then a little longer, unless there is a lot to do. The lock is not held."""
        if self._busy:
            return
        if self._wake_fd in dict(self._anything.poll()):
            os.eventfd_read(self._wake_fd)
        else:
            self._wake_up.poll(self._gather_ms)

    def _wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    def _announce(self) -> None:
        """Tell the handlers that a batch is waiting, unless they know."""
        if self._coalescer.pending and not self._announced:
            self._announced = True
            self.queue_event(BatchEvent(self.watch.path, self._take))

    def _take(self) -> Batch:
        """The pending batch, in the catalogue's terms. Called by a handler; the lock is not held."""
        pending = Pending()
        try:
            with self._lock:
                pending, empty = self._coalescer.pending, pending
                try:
                    # Paths as they are known by now: what was below a directory that was renamed meanwhile is at its
                    # new place.
                    paths = {spot: spot.paths for spot in pending.spots()}
                finally:
                    self._coalescer.pending = empty
                    self._announced = False
            return pending.settle(paths, self._to_text)
        except Exception:  # noqa: BLE001 - whatever it is, what the kernel told must not be lost with it
            _log.exception("%s: what the kernel told cannot be made out", self.watch.path)
            return pending.summary()

    def _refused(self, path: str, reason: str) -> bool:
        self._uncovered.add(path, reason)
        self._report_uncovered()
        return False

    def _report_uncovered(self) -> None:
        if self._uncovered.take_report():
            self._coalescer.pending.uncovered = explain_watches(
                len(self._tree.by_wd), len(self._uncovered), self._uncovered.reason
            )
            self._announce()

    def _watch_cookies(self) -> None:
        self._cookies.prepare()
        try:
            self._coalescer.cookie_wd = self._inotify.watch_path(os.fsencode(self._cookies.directory), _COOKIE_MASK)
        except OSError as error:
            raise WatchError(
                f"cannot watch the cookie directory {self._cookies.directory}: {explain_refusal(error)}"
            ) from error

    def _settle(self, node: Node, path: str, fd: int) -> bool:
        """The directory open as ``fd`` is known as ``node``, but not (any more) at ``path``: decide by the disk.

        Somebody renamed it, and either the events of that have not been read yet (they may be lost), or the caller came
        to it before the rename.

        Returns:
            False if both places are right: it is mounted twice, and can be watched at one of them.
        """
        found = os.fstat(fd)
        known, leads_here = node.path, self._leads_to(path, found)
        if known != path and self._leads_to(known, found):
            return not leads_here
        if leads_here:
            self._tree.move(node, path)
        return True

    def _leads_to(self, path: str, directory: os.stat_result) -> bool:
        """Whether ``path`` is that directory on disk at this moment, without following symlinks below the root."""
        fds = []
        try:
            fds.append(os.open(self._to_bytes(self.watch.path), _OPEN_PASSING))
            fds.append(descend(fds[0], [self._to_bytes(name) for name in path.split("/") if name]))
            return os.path.samestat(os.fstat(fds[1]), directory)
        except OSError:
            return False
        finally:
            for fd in fds:
                os.close(fd)


def lies_in(path: str, directories: Collection[str]) -> bool:
    """Whether ``path`` is one of ``directories``, or below one."""
    while path not in directories:
        if path == ROOT:
            return False
        path, _ = split(path)
    return True
