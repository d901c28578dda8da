"""A walk that runs ahead of whoever applies it, in a thread of its own and by a bounded number of batches.

The walk waits for the kernel and the apply for the database, so they overlap. The reader can ask for a *quiet point*:
the walker stops between two directories, what it has seen so far is handed over, and until it is let go again nothing
that was observed is waiting to be applied; other work on the same rows is safe then.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from censusd.model import Listing, Observation

ENTRIES: Final = 10_000
"""Files in a batch, at most one directory more."""

DIRECTORIES: Final = 500
"""Directories in a batch."""

_AHEAD: Final = 2
_PATIENCE: Final = 0.2


class WalkAhead:
    """Batches of a walk, made in another thread. Use as a context manager; iterate it once.

    Args:
        observations: the walk; run and closed in the other thread.
        beat: called by the walker for each directory, as proof that it is alive.
    """

    def __init__(self, observations: Iterator[Observation], beat: Callable[[], None] = lambda: None) -> None:
        self._observations = observations
        self._beat = beat
        self._queue: queue.Queue[list[Observation] | BaseException | None] = queue.Queue(_AHEAD)
        self._pause = threading.Event()
        self._paused = threading.Event()
        self._resume = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="walk", daemon=True)
        self._ended = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._resume.set()
        self._thread.join()

    def __iter__(self) -> Iterator[list[Observation]]:
        while (batch := self._next()) is not None:
            yield batch

    @contextmanager
    def quiet_point(self) -> Iterator[list[list[Observation]]]:
        """Stop the walker; gives the batches that must be applied before anything else is done."""
        self._resume.clear()
        self._paused.clear()
        self._pause.set()
        waiting: list[list[Observation]] = []
        while not self._ended and not (self._paused.is_set() and self._queue.empty()):
            batch = self._next(until=self._paused)
            if batch:
                waiting.append(batch)
        try:
            yield waiting
        finally:
            self._pause.clear()
            self._resume.set()

    def _next(self, until: threading.Event | None = None) -> list[Observation] | None:
        """The next batch; None at the end, or when ``until`` is set and nothing waits."""
        while not self._ended:
            try:
                item = self._queue.get(timeout=_PATIENCE if until is None else 0.01)
            except queue.Empty:
                if until is not None and until.is_set():
                    return None
                if not self._thread.is_alive() and self._queue.empty():
                    self._ended = True
                continue
            if isinstance(item, BaseException):
                self._ended = True
                raise item
            if item is None:
                self._ended = True
            return item
        return None

    def _run(self) -> None:
        try:
            batch: list[Observation] = []
            entries = 0
            for observation in self._observations:
                self._beat()
                batch.append(observation)
                if isinstance(observation.seen, Listing):
                    entries += observation.seen.count
                if entries >= ENTRIES or len(batch) >= DIRECTORIES or self._pause.is_set():
                    if not self._put(batch):
                        return
                    batch, entries = [], 0
                    if self._pause.is_set():
                        self._paused.set()
                        self._resume.wait()
                if self._stop.is_set():
                    return
            self._put(batch)
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the reader's thread
            self._put(error)

    def _put(self, item: list[Observation] | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False
