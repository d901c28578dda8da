"""Cookie files: how to know that every change made before a moment has come through a watch.

The kernel puts all events of one inotify instance into one queue, in the order they happen. So when the event of a
cookie file that was made *now* comes out, everything that happened before now has come out, too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from enum import StrEnum
from typing import Final

from censusd.errors import WatchError

_PREFIX: Final = "cookie-"
_MOST_WAITING: Final = 1_000


class BarrierOutcome(StrEnum):
    """What became of a barrier."""

    WAITING = "waiting"
    PASSED = "passed"
    """Every change made before it is in the dirty set."""
    OVERFLOWED = "overflowed"
    """Events were lost; the whole repository is in the dirty set."""
    FAILED = "failed"
    """The watch was stopped, or broke down: nothing is known."""


class Barrier:
    """One wait for everything that happened before it was made."""

    def __init__(self, name: str, jar: CookieJar) -> None:
        self._name = name
        self._jar = jar
        self._released = threading.Event()
        self.outcome = BarrierOutcome.WAITING

    def wait(self, timeout: float) -> bool:
        """Wait until everything that happened before this barrier was made is in the dirty set.

        Args:
            timeout: seconds.

        Returns:
            True if so. False if it took too long or the watch was stopped; ``outcome`` tells which.
        """
        self.is_released_in(timeout)
        self.give_up()
        return self.outcome in {BarrierOutcome.PASSED, BarrierOutcome.OVERFLOWED}

    def is_released_in(self, seconds: float) -> bool:
        """Wait for so long at the most, and go on waiting later if need be. Says whether there is an outcome."""
        return self._released.wait(seconds)

    def give_up(self) -> None:
        """Nobody waits any more."""
        self._jar.discard(self._name)

    def release(self, outcome: BarrierOutcome) -> None:
        """Let the waiters go, and remove the cookie. Only the first outcome counts."""
        self._jar.discard(self._name)
        if self.outcome is BarrierOutcome.WAITING:
            self.outcome = outcome
        self._released.set()


class CookieJar:
    """The private directory that cookie files are made in. It must lie outside the repository.

    Args:
        directory: its path; made, with those above it, if it is not there. Nothing else may be kept in it.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._waiting: dict[str, Barrier] = {}
        self._taken: dict[str, Barrier] = {}

    def prepare(self) -> None:
        """Make the directory, and remove the cookies a killed process left behind.

        Raises:
            WatchError: it cannot be made.
        """
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            leftovers = [name for name in os.listdir(self.directory) if name.startswith(_PREFIX)]
        except OSError as error:
            raise WatchError(f"cannot use the cookie directory {self.directory}: {error.strerror}") from error
        with self._lock:
            leftovers = [name for name in leftovers if name not in self._waiting and name not in self._taken]
        for name in leftovers:
            self._remove(name)

    def place(self) -> Barrier:
        """Make a cookie file, and the barrier that waits for its event.

        Raises:
            FileNotFoundError: the directory was deleted.
            WatchError: the cookie cannot be made, or nobody takes those that were made before.
        """
        name = _PREFIX + secrets.token_hex(8)
        barrier = Barrier(name, self)
        with self._lock:
            if len(self._waiting) + len(self._taken) >= _MOST_WAITING:
                raise WatchError(f"{_MOST_WAITING:,} barriers are waiting for this watch already; it must be stuck")
            self._waiting[name] = barrier  # before the file exists, so that its event always finds it
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        try:
            os.close(os.open(os.path.join(self.directory, name), flags, 0o600))
        except OSError as error:
            self.discard(name)
            if isinstance(error, FileNotFoundError):
                raise
            raise WatchError(f"cannot make a cookie in {self.directory}: {error.strerror}") from error
        if barrier.outcome is not BarrierOutcome.WAITING:
            self._remove(name)  # released before its file was there
        return barrier

    def failed(self) -> Barrier:
        """A barrier that has failed from the beginning, for a watch that does not run any more."""
        barrier = Barrier(_PREFIX + secrets.token_hex(8), self)
        barrier.release(BarrierOutcome.FAILED)
        return barrier

    def take(self, name: str) -> Barrier | None:
        """The barrier whose cookie's event came through, to be released; None for one nobody waits for any more."""
        with self._lock:
            barrier = self._waiting.pop(name, None)
            if barrier is not None:
                self._taken[name] = barrier
            return barrier

    def take_all(self) -> list[Barrier]:
        """Every barrier that is still waiting, to be released."""
        with self._lock:
            barriers = list(self._waiting.values())
            self._taken |= self._waiting
            self._waiting.clear()
        return barriers

    def discard(self, name: str) -> None:
        """Nobody waits for this cookie any more: forget it and remove its file."""
        with self._lock:
            self._waiting.pop(name, None)
            self._taken.pop(name, None)
        self._remove(name)

    def close(self) -> None:
        """Release every barrier as failed, and remove the directory if that leaves it empty.

        Those as well that were taken: who was to release them may have ended.
        """
        self.take_all()
        with self._lock:
            barriers = list(self._taken.values())
        for barrier in barriers:
            barrier.release(BarrierOutcome.FAILED)
        with contextlib.suppress(OSError):
            os.rmdir(self.directory)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.directory, name))
