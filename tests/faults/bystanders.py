"""Files beside the workload's, which tests make and do with as they please: what they can prove by themselves.

Nobody says what was done to them and when. But whatever is done to a file, or to a directory that it is in, leaves a
time of change, which nobody can set: since the last of these nothing has been done.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_COARSE: Final = 0.05
"""Seconds by which a time of change may be too early: the kernel's clock for them ticks, at least 20 times a second."""


@dataclass(frozen=True)
class Mark:
    """What is known of a file.

    Attributes:
        inode: its number; another file may have it later.
        links: how many names it has.
        version: size and time of modification: while they are the same, it was not written to.
        changed: when something was done to the file itself, in nanoseconds of the clock.
        rests: seconds of the clock; since then nothing was done to it, nor to a directory between it and the root.
    """

    inode: int
    links: int
    version: tuple[int, int]
    changed: int
    rests: float


@dataclass(frozen=True)
class _Rest:
    """A time in which nothing was done to a file.

    Attributes:
        since: seconds of the clock.
        until: the same.
        known: when it is certain that all was on record as it was.
    """

    since: float
    until: float
    known: float

    def covers(self, since: float, to: float) -> bool:
        """Whether a row that was there from one time to another was right up to the end, which the row was not.

        What was on record when it was certain that the record is right must be since when it may, if nothing was done
        since before then.
        """
        return to <= self.until and (self.since < since or self.since < self.known < to)


class Bystanders:
    """The files of a tree that are not the workload's, round after round."""

    def __init__(self) -> None:
        self._rests: dict[tuple[bytes, int], list[_Rest]] = defaultdict(list)
        self._before: dict[bytes, Mark] = {}
        self._rows: dict[bytes, int] = {}
        self._known = 0.0

    def on_record(self, marks: dict[bytes, Mark], rows: dict[bytes, int]) -> None:
        """A round begins; all that is there is on record, with these rows."""
        self._before, self._rows = marks, rows
        self._known = time.time() + _COARSE

    def at_rest(self, marks: dict[bytes, Mark], asked: float) -> None:
        """A round has ended.

        Args:
            marks: what is there now.
            asked: since when that was found out, by the clock.
        """
        for path, mark in marks.items():
            self._rests[path, mark.inode].append(_Rest(mark.rests, asked, self._known))

    def was_there(self, path: bytes, inode: int, since: float, to: float) -> bool:
        """Whether that file can prove that it was at that path when it was taken off the record."""
        return any(rest.covers(since, to) for rest in self._rests.get((path, inode), ()))

    def expected(self, marks: dict[bytes, Mark]) -> dict[bytes, int]:
        """Path -> row that it must have since the round began.

        That is so for a file to which nothing was done, whatever was done to directories that it is in, if it is where
        it was in the end; and for one that was only moved, to where nothing was when the round began.
        """
        gone = defaultdict(list)
        for path, mark in self._before.items():
            if path not in marks and mark.links == 1:
                gone[mark.inode, mark.version].append(path)
        rows = {}
        for path, mark in marks.items():
            before = self._before.get(path)
            if before is not None:
                if (before.inode, before.changed) == (mark.inode, mark.changed) and mark.links == 1:
                    rows[path] = self._rows[path]
            elif mark.links == 1 and len(origins := gone.get((mark.inode, mark.version), [])) == 1:
                rows[path] = self._rows[origins[0]]
        return rows


def survey(root: Path, paths: Iterable[bytes]) -> dict[bytes, Mark]:
    """Look at some files; those that are not there any more are left out."""
    top, touched, found = os.fsencode(root), {b"": 0.0}, {}
    for path in paths:
        try:
            status = os.lstat(os.path.join(top, path))
            rests = max(status.st_ctime, _touched(top, os.path.dirname(path), touched)) + _COARSE
        except FileNotFoundError:
            continue
        version = status.st_size, status.st_mtime_ns
        found[path] = Mark(status.st_ino, status.st_nlink, version, status.st_ctime_ns, rests)
    return found


def _touched(top: bytes, directory: bytes, known: dict[bytes, float]) -> float:
    """When something was done to a directory, or to one that it is in, but not to the root."""
    if directory not in known:
        above = _touched(top, os.path.dirname(directory), known)
        known[directory] = max(above, os.lstat(os.path.join(top, directory)).st_ctime)
    return known[directory]
