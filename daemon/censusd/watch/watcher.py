"""What the rest of censusd sees of a watch, whichever kernel interface is behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from censusd.watch.barrier import Barrier


@dataclass(frozen=True, slots=True)
class WatchStats:
    """How a watch stands. The counters only grow.

    Attributes:
        running: whether its thread is alive and reads.
        failure: why it broke down, or empty.
        watches: kernel watches held.
        uncovered: directories that could not be watched, as of the last complete pass and what was seen since.
        limit: kernel watches this user may hold, in all processes together; 0 where there is no such limit.
        events: events read from the kernel.
        unknown_events: events of directories that are watched no more; nothing is done about them.
        overflows: how often the kernel threw events away.
        marks: mounts of file systems that are watched as a whole, without a watch for each directory.
        refusals: why file systems below the root are not, a sentence for each.
    """

    running: bool
    failure: str
    watches: int
    uncovered: int
    limit: int
    events: int
    unknown_events: int
    overflows: int
    marks: int = 0
    refusals: tuple[str, ...] = ()


class Watcher(Protocol):
    """Reports changes in one repository. It never walks: whoever walks tells it of each directory."""

    def cover(self, path: str, fd: int) -> bool:
        """Watch one directory from now on. To be called just before it is listed, each time it is listed.

        Args:
            path: its relative path, as the caller came to it; it may have been renamed meanwhile.
            fd: the directory, open.

        Returns:
            Whether changes in it are reported.
        """
        ...

    def begin_pass(self) -> int:
        """Say that a complete walk begins; the number to give to ``end_pass``."""
        ...

    def end_pass(self, number: int, unseen: Collection[str] = ()) -> int:
        """Say that a complete walk ended well: directories that it did not cover are not there any more.

        Args:
            number: what ``begin_pass`` gave.
            unseen: directories that could not be listed; what is known below them is kept.

        Returns:
            How many watches were dropped.
        """
        ...

    def uncovered(self) -> tuple[list[str], bool]:
        """Directories that could not be watched (a bounded number of them), and whether those are all."""
        ...

    def barrier(self) -> Barrier:
        """Make a barrier behind every change made until now.

        Raises:
            WatchError: that is not possible; the text says why.
        """
        ...

    def stats(self) -> WatchStats:
        """How it stands."""
        ...
