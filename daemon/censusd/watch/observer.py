"""How a repository's emitter and its handler come together, on watchdog's ``BaseObserver``.

One observer per repository, each with a thread of its own: a handler that is slow or broken in one repository does
nothing to the others.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import cast

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver

from censusd.model import ROOT
from censusd.watch.barrier import BarrierOutcome
from censusd.watch.batch import Batch, BatchEvent
from censusd.watch.debounce import DirtySet
from censusd.watch.inotify import InotifyEmitter
from censusd.watch.watcher import Watcher

_log = logging.getLogger(__name__)


class WatchHandler(FileSystemEventHandler, ABC):
    """What is called with the batches of one repository, one after the other, in the observer's thread."""

    @abstractmethod
    def dirty(self, batch: Batch) -> None:
        """Something changed, if the batch has any names, directories or subtrees."""

    @abstractmethod
    def overflowed(self) -> None:
        """Events were lost: anything may have changed."""

    @abstractmethod
    def root_changed(self, reason: str) -> None:
        """Something happened to the root as such: is it still the same?"""

    @abstractmethod
    def uncovered(self, explanation: str) -> None:
        """Directories cannot be watched. Said once, and again only after all of them could be in between."""

    @abstractmethod
    def failed(self, reason: str) -> None:
        """The watch broke down and reports nothing any more: anything may change from now on."""

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called by the observer. An error in a handler costs a look at everything, never the thread."""
        if not isinstance(event, BatchEvent):
            return
        batch = event.take()
        try:
            self._deliver(batch)
        except Exception:  # noqa: BLE001 - whatever it is, what the batch said must not be lost with it
            _log.exception("a watch handler failed; the whole repository will be looked at")
            for barrier, _ in batch.barriers:
                barrier.release(BarrierOutcome.FAILED)
            self.overflowed()

    def _deliver(self, batch: Batch) -> None:
        self.dirty(batch)
        if batch.overflows or batch.everything:
            self.overflowed()
        if batch.root_changes:
            self.root_changed("; ".join(batch.root_changes))
        if batch.uncovered:
            self.uncovered(batch.uncovered)
        if batch.failure:
            self.failed(batch.failure)
        for barrier, outcome in batch.barriers:  # last: what they vouch for is dealt with
            barrier.release(outcome)


class DirtySetHandler(WatchHandler):
    """Puts what changed into a dirty set, and passes on the rest.

    Args:
        dirty_set: where the marks go.
        on_overflow: called when events were lost, after the whole repository was marked.
        on_root_changed: called with a sentence when something happened to the root.
        on_failure: called with a sentence when the watch broke down, after the whole repository was marked.
    """

    def __init__(
        self,
        dirty_set: DirtySet,
        *,
        on_overflow: Callable[[], None],
        on_root_changed: Callable[[str], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._dirty_set = dirty_set
        self._on_overflow = on_overflow
        self._on_root_changed = on_root_changed
        self._on_failure = on_failure

    def dirty(self, batch: Batch) -> None:
        """See ``WatchHandler.dirty``."""
        self._dirty_set.add_many(
            batch.names, directories=batch.directories, subtrees=batch.subtrees, renames=batch.renames
        )

    def overflowed(self) -> None:
        """See ``WatchHandler.overflowed``."""
        self._dirty_set.add_subtree(ROOT)
        self._on_overflow()

    def root_changed(self, reason: str) -> None:
        """See ``WatchHandler.root_changed``."""
        self._on_root_changed(reason)

    def uncovered(self, explanation: str) -> None:
        """See ``WatchHandler.uncovered``."""
        _log.warning("%s", explanation)

    def failed(self, reason: str) -> None:
        """See ``WatchHandler.failed``."""
        _log.error("%s", reason)
        self._dirty_set.add_subtree(ROOT)
        self._on_failure(reason)


class RepositoryObserver(BaseObserver):
    """Watches one repository.

    Args:
        root: absolute path of the root.
        handler: what is called with the batches.
        to_text: name bytes -> catalogue text.
        to_bytes: the inverse.
        cookie_directory: a private directory for the barriers' cookies, outside the repository.
        emitter: what hears of changes, ``InotifyEmitter`` or ``FanotifyEmitter``.

    Attributes:
        watcher: the watch itself.

    Raises:
        FanotifyRefusedError: fanotify is not to be had for this root.
        WatchError: there is no inotify instance to be had, or the cookie directory cannot be used.
    """

    def __init__(
        self,
        root: str,
        handler: WatchHandler,
        *,
        to_text: Callable[[bytes], str],
        to_bytes: Callable[[str], bytes],
        cookie_directory: str,
        emitter: type[InotifyEmitter] = InotifyEmitter,
    ) -> None:
        super().__init__(emitter, to_text=to_text, to_bytes=to_bytes, cookie_directory=cookie_directory)
        self.name = f"watch handler of {root}"
        self.schedule(handler, root, recursive=True, event_filter=[BatchEvent])
        (made,) = self.emitters
        self.watcher: Watcher = cast("InotifyEmitter", made)

    def stop(self) -> None:
        """Stop, and wait until both threads have ended. May be called at any time, and again."""
        super().stop()
        if self.is_alive() and threading.current_thread() is not self:
            self.join()
