"""Which files must have kept their rows since the last barrier, and of which nobody can tell how they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from censusd.model import split
from tests.tools.oracle import DiskView, Stat

_Place = tuple[int, str]
"""A place in the terms of rows: the directory's inode, wherever that is, and a name in it."""


@dataclass(frozen=True)
class _Known:
    """A file at the last barrier: where it was, its row, and what tells whether it is still the same version."""

    path: str
    place: _Place
    row: int
    size: int
    mtime_ns: int

    def is_still(self, stat: Stat) -> bool:
        """Whether a file with the same inode is the same version, under one name."""
        return stat[0] == self.size and stat[1] == self.mtime_ns and stat[4] == 1


class Identity:
    """Follows files by inode from one barrier to the next.

    Attributes:
        is_clear: False when something was done since the last barrier after which it depends on the moment of a look
            whether a file keeps its row: it was hidden or outside for a while, or had another name.
    """

    def __init__(self) -> None:
        self.is_clear = False
        self._known: dict[int, _Known] = {}
        self._taken: set[_Place] = set()
        self._directories: dict[str, int] = {}

    def forget_directories(self) -> None:
        """A directory was made anew: its inode number is likely to be the same."""
        self._directories = {}

    def lost(self, view: DiskView, rows: dict[str, int]) -> dict[str, tuple[int, int]]:
        """Path -> (row that it must have, row that it has) of files that were only renamed."""
        if not self.is_clear:
            return {}
        moved = self._certain_moves(view)
        return {path: (row, rows[path]) for path, row in moved.items() if rows[path] != row}

    def remember(self, view: DiskView, rows: dict[str, int], unsure: Collection[int]) -> None:
        """Begin anew: this is a barrier, and everything is on record as it is, but for the inodes in ``unsure``."""
        self.is_clear = True
        self._directories = view.directories
        self._taken = {_place(view, path) for path in view.files}
        self._known = {
            stat[3]: _Known(path, _place(view, path), rows[path], stat[0], stat[1])
            for path, stat in view.files.items()
            if stat[4] == 1 and stat[3] not in unsure
        }

    def _certain_moves(self, view: DiskView) -> dict[str, int]:
        """Path -> the row that it must have now."""
        before = {known.path: inode for inode, known in self._known.items()}
        now = {stat[3]: path for path, stat in view.files.items()}
        sure = {
            inode: known
            for inode, known in self._known.items()
            if inode in now and known.is_still(view.files[now[inode]])
        }
        # A place that was taken by a file that is gone keeps that file's row, and who came to it may not. Where both
        # ends of an exchange may have been looked at one after the other, so may every place that was or is taken.
        alone = view.directories == self._directories
        if not alone:
            taken = {_place(view, path): stat[3] for path, stat in view.files.items()}
            sure = {inode: known for inode, known in sure.items() if taken.get(known.place, inode) == inode}
        while True:
            blocked = [
                inode
                for inode in sure
                if now[inode] != sure[inode].path
                and _place(view, now[inode]) in self._taken
                and not (alone and before.get(now[inode]) in sure)
            ]
            if not blocked:
                return {now[inode]: known.row for inode, known in sure.items()}
            for inode in blocked:
                del sure[inode]


class UnwatchedNames:
    """Files that have, or had, names that nobody watches: hidden, outside, or gone before anybody looked.

    The kernel reports what is done to a file under the name that was used for it, and only there.

    Attributes:
        inodes: of these files; how they are on record depends on what was done under those names.
    """

    def __init__(self) -> None:
        self.inodes: set[int] = set()
        self._fresh: set[tuple[str, int]] = set()
        self._on_record: set[str] = set()

    def note(self, view: DiskView) -> None:
        """Look at everything that is there after an operation."""
        files = view.files
        names = Counter(stat[3] for stat in files.values())
        self.inodes.update(stat[3] for stat in files.values() if stat[4] > names[stat[3]])
        self.inodes.update(inode for path, inode in self._fresh if path not in files or files[path][3] != inode)
        self._fresh |= {(path, stat[3]) for path, stat in files.items() if stat[4] > 1 and path not in self._on_record}

    def barrier(self, view: DiskView) -> None:
        """Every name that is watched is on record."""
        self._on_record = set(view.files)
        self._fresh.clear()

    def found(self, view: DiskView) -> None:
        """A pass has found how everything is."""
        self.inodes.clear()
        self.note(view)


def _place(view: DiskView, path: str) -> _Place:
    directory, name = split(path)
    return view.directories[directory], name
