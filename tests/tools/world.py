"""A tree, random operations on it, a worker that follows, and what has to be true again after every barrier."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from censusd.catalogue.connection import Catalogue
from censusd.filesystem.names import text_of
from censusd.model import Scope, split
from tests.tools.living import LivingLibrary
from tests.tools.operations import ANCHOR, Choose, Operations, exchange
from tests.tools.oracle import DiskView, look_at

T = TypeVar("T")


@dataclass(frozen=True)
class _Known:
    """A file at the last barrier: where it was, its row, and what tells whether it is still the same version."""

    path: str
    place: tuple[int, str]
    row: int
    size: int
    mtime_ns: int


class World:
    """One run.

    Args:
        directory: a scratch directory.
        catalogue: the database.
        name: the repository's; another one for each run in the same database.
        choose: the dice.
        passes: whether reconciliation is allowed to help: passes, restarts, subtrees.
        ignore_files: whether there are any; without them it is clear which file keeps which row.
        debounce: as in ``LivingLibrary``.
        rules: how the repository is treated.
    """

    def __init__(
        self,
        directory: Path,
        catalogue: Catalogue,
        name: str,
        choose: Choose,
        *,
        passes: bool,
        ignore_files: bool = True,
        debounce: float = 0.5,
        **rules: Any,
    ) -> None:
        (directory / "tree").mkdir(parents=True)
        (directory / "outside").mkdir()
        self.library = LivingLibrary(
            directory / "tree", catalogue, directory / "cookies", name=name, debounce=debounce, **rules
        )
        self.operations = Operations(directory / "tree", directory / "outside", choose)
        self.operate_on = [each for each in self.operations.all if ignore_files or "ignore_file" not in each.__name__]
        self.passes = passes
        self._ignore_files = ignore_files
        self.done: list[str] = []
        self._choose = choose
        (directory / "tree" / os.fsdecode(ANCHOR)).write_text("here")
        self.library.start()
        self._known: dict[int, _Known] = {}
        self._places: set[str] = set()
        self._taken: set[tuple[int, str]] = set()
        self._directories: dict[str, int] = {}
        self._links: set[tuple[str, int]] = set()
        self._unsure: set[int] = set()
        self._identity_is_clear = False
        self.barrier()

    def close(self) -> None:
        """Stop the worker."""
        self.library.stop()

    def operate(self, which: Callable[[], None]) -> None:
        """Do one operation."""
        self.done.append(which.__name__)
        # A row is followed from one barrier to the next through plain operations on names. What is hidden or outside
        # for a while, or gets a second name, may or may not keep its row: it depends on when it was looked at.
        if which.__name__ in {"link", "move_out", "move_in", "copy_tree"}:
            self._identity_is_clear = False
        if which.__name__ == "recreate_tree":
            self._directories = {}  # the inode number of another directory is likely to be the same
        which()
        self._note_unwatched_names()

    def barrier(self) -> None:
        """Wait until everything is on record, and compare."""
        self.library.sync()
        self.library.check(self._unsure)
        self._check_identity()
        self.done.append("|")

    def check_passes(self) -> None:
        """A pass finds nothing that the watch missed, and a verifying one nothing that digests hid."""
        self.barrier()
        if self._unsure:
            self.library.look()
            self._unsure.clear()
            self._note_unwatched_names()
            self.library.check()
        self.library.check_passes()

    def rename_directories(self) -> None:
        """Rename or exchange directories, and nothing else: not one file's row is touched."""
        self.barrier()
        directories = [path for path in sorted(look_at(self.library.root).directories) if path]
        if not directories:
            return
        before = self.library.query("SELECT id, change_number, directory_id FROM files ORDER BY id")
        (one,) = self.operations._some(directories)
        other = self._choose(directories)
        if one == other or one.startswith(other + "/") or other.startswith(one + "/"):
            return
        exchange(*(self.operations.root + b"/" + os.fsencode(self._native(path)) for path in (one, other)))
        self.done.append(f"exchange of {one!r} and {other!r}")
        self.library.sync()
        self.library.check(self._unsure)
        after = self.library.query("SELECT id, change_number, directory_id FROM files ORDER BY id")
        # Elsewhere other rules may hold, and what nobody reports is found where a directory is listed.
        assert self._ignore_files or self._unsure or before == after, set(before) ^ set(after)
        self._remember()

    def pass_over(self) -> None:
        """A complete pass that somebody asks for, while changes are waiting."""
        if self.passes:
            self.done.append("pass")
            self.library.look(verify=self._choose((False, False, True)))
            self._identity_is_clear = False

    def subtree(self) -> None:
        """A pass over a subtree, while changes are waiting."""
        if self.passes:
            self.done.append("subtree")
            self.library.look(Scope.subtree(self._choose(sorted(look_at(self.library.root).directories))))
            self._identity_is_clear = False

    def restart(self, operations: Sequence[Callable[[], None]]) -> None:
        """Do things while nobody looks."""
        if self.passes:
            self.done.append("stop")
            self.library.stop()
            for operation in operations:
                self.operate(operation)
            self.library.start()
            self.done.append("start")

    def _note_unwatched_names(self) -> None:
        """Remember the files that have, or had, names that nobody watches or knows."""
        files = look_at(self.library.root).files
        names = Counter(stat[3] for stat in files.values())
        self._unsure.update(stat[3] for stat in files.values() if stat[4] > names[stat[3]])
        # A name that nobody has looked at before it went away leaves no trace.
        self._unsure.update(inode for path, inode in self._links if path not in files or files[path][3] != inode)
        self._links |= {(path, stat[3]) for path, stat in files.items() if stat[4] > 1 and path not in self._places}

    def _inodes(self) -> dict[str, int]:
        return {path: stat[3] for path, stat in look_at(self.library.root).files.items()}

    @staticmethod
    def _native(path: str) -> str:
        from censusd.filesystem.names import bytes_of  # noqa: PLC0415

        return os.fsdecode(bytes_of(path))

    def _check_identity(self) -> None:
        """Every file that was only renamed has kept its row."""
        view, rows = look_at(self.library.root), self.library.ids()
        if self._identity_is_clear:
            moved = self._certain_moves(view)
            assert not (lost := {path: (row, rows[path]) for path, row in moved.items() if rows[path] != row}), lost
        self._remember(view, rows)

    def _remember(self, view: DiskView | None = None, rows: dict[str, int] | None = None) -> None:
        view, rows = view or look_at(self.library.root), rows or self.library.ids()
        self._places = set(view.files)
        self._taken = {_place(view, path) for path in view.files}
        self._directories = view.directories
        self._links.clear()
        self._known = {
            stat[3]: _Known(path, _place(view, path), rows[path], stat[0], stat[1])
            for path, stat in view.files.items()
            if stat[4] == 1
        }
        self._identity_is_clear = not self._ignore_files

    def _certain_moves(self, view: DiskView) -> dict[str, int]:
        """Path -> the row that it must have now."""
        before = {known.path: inode for inode, known in self._known.items()}
        now = {stat[3]: path for path, stat in view.files.items()}
        sure = {
            inode: known
            for inode, known in self._known.items()
            if inode in now
            and view.files[now[inode]][:2] == (known.size, known.mtime_ns)
            and view.files[now[inode]][4] == 1
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


def _place(view: DiskView, path: str) -> tuple[int, str]:
    """A place in the terms of rows: the directory, wherever it is, and the name in it."""
    directory, name = split(path)
    return view.directories[directory], name


def dice(seed: int) -> Choose:
    """Dice that fall the same way for the same seed."""
    chance = random.Random(seed)

    def choose(among: Sequence[T], /) -> T:
        return chance.choice(among)

    return choose


def paths_of(root: Path) -> list[str]:
    """The names in the tree, for a message."""
    return sorted(text_of(os.fsencode(path.relative_to(root))) for path in root.rglob("*"))
