"""A tree, random operations on it, a worker that follows, and what has to be true again after every barrier."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from censusd.catalogue.connection import Catalogue
from censusd.filesystem.names import bytes_of
from censusd.model import Scope
from tests.tools.identity import Identity, UnwatchedNames
from tests.tools.living import LivingLibrary
from tests.tools.operations import ANCHOR, Choose, Operations, exchange
from tests.tools.oracle import look_at

T = TypeVar("T")

Operation = Callable[[], None]

_UNCLEAR = frozenset({"link", "move_out", "move_in", "copy_tree"})


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

    Attributes:
        passes: as given.
        operations: what can be done to the tree.
        done: what was done, for whoever has to understand a failure.
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
        root, outside = directory / "tree", directory / "outside"
        root.mkdir(parents=True)
        outside.mkdir()
        (root / os.fsdecode(ANCHOR)).write_text("here")
        cookies = directory / "cookies"
        self.library = LivingLibrary(root, catalogue, cookies, name=name, debounce=debounce, **rules)
        everything = Operations(root, outside, choose).all
        self.operations = [each for each in everything if ignore_files or "ignore_file" not in each.__name__]
        self.done: list[str] = []
        self._choose = choose
        self.passes = passes
        self._ignore_files = ignore_files
        self._identity = Identity()
        self._unwatched = UnwatchedNames()
        self.library.start()
        self.barrier()

    def close(self) -> None:
        """Stop the worker."""
        self.library.stop()

    def operate(self, which: Operation) -> None:
        """Do one operation."""
        self.done.append(which.__name__)
        if which.__name__ in _UNCLEAR:
            self._identity.is_clear = False
        if which.__name__ == "recreate_tree":
            self._identity.forget_directories()
        which()
        self._unwatched.note(look_at(self.library.root))

    def barrier(self) -> None:
        """Wait until everything is on record, and compare."""
        self.library.sync()
        self.library.check(self._unwatched.inodes)
        view, rows = look_at(self.library.root), self.library.ids()
        assert not (lost := self._identity.lost(view, rows)), lost
        self._begin_anew()
        self.done.append("|")

    def check_passes(self) -> None:
        """A pass finds nothing that the watch missed, and a verifying one nothing that digests hid."""
        self.barrier()
        if self._unwatched.inodes:
            self.library.look()
            self.library.check()
            self._unwatched.found(look_at(self.library.root))
        self.library.check_passes()

    def move_directories(self) -> None:
        """Rename a directory, or exchange two, and nothing else: not one file's row is touched."""
        self.barrier()
        directories = [path for path in sorted(look_at(self.library.root).directories) if path]
        if len(directories) < 2:
            return
        one, other = self._choose(directories), self._choose(directories)
        if f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/"):
            return
        before = self._files()
        if self._choose((True, False)):
            exchange(self._native(one), self._native(other))
        else:
            os.rename(self._native(one), os.path.join(self._native(other), b"moved-%d" % len(self.done)))
        self.done.append(f"move of {one!r} to or into {other!r}")
        self.library.sync()
        self.library.check(self._unwatched.inodes)
        after = self._files()
        # Elsewhere other rules may hold, and what nobody reports is found where a directory is listed.
        assert self._ignore_files or self._unwatched.inodes or before == after, set(before) ^ set(after)
        self._begin_anew()

    def pass_over(self) -> None:
        """A complete pass that somebody asks for, while changes are waiting."""
        if self.passes:
            self.done.append("pass")
            self._identity.is_clear = False
            self.library.look(verify=self._choose((False, False, True)))

    def subtree(self) -> None:
        """A pass over a subtree, while changes are waiting."""
        if self.passes:
            self.done.append("subtree")
            self._identity.is_clear = False
            self.library.look(Scope.subtree(self._choose(sorted(look_at(self.library.root).directories))))

    def restart(self) -> None:
        """Do some things while nobody looks."""
        if self.passes:
            self.done.append("stop")
            self.library.stop()
            for _ in range(self._choose((0, 1, 3))):
                self.operate(self._choose(self.operations))
            self.library.start()
            self.done.append("start")

    def _begin_anew(self) -> None:
        view = look_at(self.library.root)
        self._identity.remember(view, self.library.ids(), self._unwatched.inodes)
        self._unwatched.barrier(view)

    def _files(self) -> list[tuple[int, int, int]]:
        """Each file's row, when it was changed last, and its directory's row."""
        statement = (
            "SELECT f.id, f.change_number, f.directory_id FROM files f JOIN repositories r ON r.id = f.repository_id"
            " WHERE r.name = %s ORDER BY f.id"
        )
        return self.library.query(statement, self.library.terms.rules.name)

    def _native(self, path: str) -> bytes:
        return os.path.join(os.fsencode(self.library.root), bytes_of(path))


def dice(seed: int) -> Choose:
    """Dice that fall the same way for the same seed."""
    chance = random.Random(seed)

    def choose(among: Sequence[T], /) -> T:
        return chance.choice(among)

    return choose


def live(world: World, chance: random.Random, steps: int) -> None:
    """A random life of so many steps: mostly operations, with a barrier after some."""
    for _ in range(steps):
        number = chance.random()
        if number < 0.70:
            world.operate(chance.choice(world.operations))
        elif number < 0.86:
            world.barrier()
        elif number < 0.90:
            world.move_directories()
        elif number < 0.92:
            world.pass_over()
        elif number < 0.94:
            world.subtree()
        elif number < 0.97:
            world.restart()
        elif world.passes:
            world.check_passes()
    world.check_passes()
