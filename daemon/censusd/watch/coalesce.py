"""Raw inotify records become few marks: which names in which directories, and which directories to walk.

The one hot loop of the watch. It looks nothing up on disk, converts no name and builds no path: a name that changed a
hundred times costs a hundred dictionary look-ups and is converted once, when the batch is taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from censusd.model import ROOT, join, split
from censusd.watch.barrier import Barrier, BarrierOutcome, CookieJar
from censusd.watch.batch import Batch
from censusd.watch.kernel import (
    HEADER_SIZE,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_IGNORED,
    IN_ISDIR,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
    unpack_header,
)
from censusd.watch.tree import Node, WatchTree

_UNUSUAL: Final = IN_ISDIR | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW
_MOST_HALVES: Final = 4_096
_MOST_DIRECTORY_MOVES: Final = 256
_MOST_NAMES: Final = 200_000


class Spot(Protocol):
    """A directory that something happened in, by whatever its kernel interface knows it."""

    @property
    def paths(self) -> Collection[str]:
        """Where it is by now: in one place, in several if it is mounted more than once, or not in the repository."""


Half = tuple[Spot, bytes]
"""A directory, and a name in it as the kernel padded it."""


class _DirectoryMove(NamedTuple):
    """A rename of a watched directory, until its IN_MOVE_SELF says which directory it was about."""

    cookie: int
    parent: Node
    name: str
    to: tuple[Node, str] | None


@dataclass(slots=True)
class Pending:
    """A batch in the making: as ``Batch``, with spots for paths and the kernel's bytes for names.

    ``themselves`` are directories that something happened to, and not to a name in them.
    """

    names: dict[Spot, dict[bytes, bool]] = field(default_factory=dict)
    themselves: dict[Spot, None] = field(default_factory=dict)
    subtrees: dict[Half, None] = field(default_factory=dict)
    renames: list[tuple[Half, Half]] = field(default_factory=list)
    overflows: int = 0
    everything: bool = False
    root_changes: list[str] = field(default_factory=list)
    uncovered: str = ""
    failure: str = ""
    barriers: list[tuple[Barrier, BarrierOutcome]] = field(default_factory=list)
    room: int = _MOST_NAMES
    """Events that may still be added before somebody has to count the names."""

    def __bool__(self) -> bool:
        return bool(
            self.names
            or self.themselves
            or self.overflows
            or self.everything
            or self.root_changes
            or self.uncovered
            or self.failure
            or self.barriers
        )

    def spots(self) -> Iterator[Spot]:
        """Every directory that is spoken of; some more than once."""
        yield from self.names
        yield from self.themselves
        for (origin, _), _ in self.renames:
            yield origin  # may have been marked in an earlier batch; the destination is always in ``names``

    def summary(self) -> Batch:
        """The same, without saying where: anything may have changed."""
        return Batch(
            overflows=self.overflows,
            everything=True,
            root_changes=self.root_changes,
            uncovered=self.uncovered,
            failure=self.failure,
            barriers=self.barriers,
        )

    def settle(self, paths: Mapping[Spot, Collection[str]], to_text: Callable[[bytes], str]) -> Batch:
        """The batch, in the catalogue's terms.

        Args:
            paths: where each of ``spots`` is.
            to_text: name bytes -> catalogue text.
        """

        def text(name: bytes) -> str:
            return to_text(name.rstrip(b"\0"))

        marks: dict[str, dict[str, bool]] = {}
        for spot, names in self.names.items():
            for path in paths[spot]:
                known = marks.setdefault(path, {})
                for name, written in names.items():
                    key = text(name)
                    # One directory may have taken another's path while both had marks.
                    known[key] = written or known.get(key, False)
        directories = []
        for path in (path for spot in self.themselves for path in paths[spot]):
            if path == ROOT:
                directories.append(ROOT)
            else:
                parent, below = split(path)
                marks.setdefault(parent, {}).setdefault(below, False)
        return Batch(
            names=marks,
            directories=directories,
            subtrees=[join(path, text(name)) for spot, name in self.subtrees for path in paths[spot]],
            renames=[
                ((old_path, text(old)), (new_path, text(new)))
                for (origin, old), (target, new) in self.renames
                # In the rare case of several places, which belong together is not known.
                for old_path, new_path in zip(paths[origin], paths[target], strict=False)
            ],
            overflows=self.overflows,
            everything=self.everything,
            root_changes=self.root_changes,
            uncovered=self.uncovered,
            failure=self.failure,
            barriers=self.barriers,
        )


class Coalescer:
    """Turns what is read from one inotify instance into a pending batch, and keeps the tree up with renames.

    Not locked: its owner sees to that.

    Args:
        tree: the watched directories.
        cookies: where the barriers' cookies are made.
        to_text: name bytes -> catalogue text.
        condemn: called with watches that are to be removed, since their directories left the repository.
    """

    def __init__(
        self,
        tree: WatchTree,
        cookies: CookieJar,
        to_text: Callable[[bytes], str],
        condemn: Callable[[list[int]], None],
    ) -> None:
        self._tree = tree
        self._cookies = cookies
        self._to_text = to_text
        self._condemn = condemn
        self._halves: dict[int, Half] = {}
        self._moves: deque[_DirectoryMove] = deque(maxlen=_MOST_DIRECTORY_MOVES)
        self.cookie_wd: int | None = None
        self.pending = Pending()
        self.events = 0
        self.overflows = 0
        self.unknown_events = 0

    def absorb(self, buffer: bytes) -> None:
        """Add everything in ``buffer``, which holds whole records, to the pending batch."""
        by_wd = self._tree.by_wd
        pending = self.pending
        names_of = pending.names
        count = position = 0
        end = len(buffer)
        while position < end:
            wd, mask, cookie, length = unpack_header(buffer, position)
            start = position + HEADER_SIZE
            position = start + length
            count += 1
            # What follows is the plain case: something happened to a file. Everything else is rare.
            if mask & _UNUSUAL or not length or wd not in by_wd:
                self._unusual(wd, mask, cookie, buffer[start:position])
                continue
            node = by_wd[wd]
            names = names_of.get(node)
            if names is None:
                names = names_of[node] = {}
            name = buffer[start:position]
            if mask & IN_CLOSE_WRITE:
                names[name] = True
            elif name not in names:
                names[name] = False
        self.counted(count)

    def counted(self, count: int) -> None:
        """So many events were looked at, whatever became of them."""
        self.events += count
        self.pending.room -= count
        if self.pending.room < 0:
            self._make_room()

    def overflowed(self) -> None:
        """The kernel threw events away: whoever waits for one of them must not wait any longer."""
        self.overflows += 1
        self.pending.overflows += 1
        self._halves.clear()
        self._moves.clear()
        self.pending.barriers.extend((barrier, BarrierOutcome.OVERFLOWED) for barrier in self._cookies.take_all())

    def root_changed(self, what: str) -> None:
        """Something happened to the root, or to a mount below it, as such; said once in a batch."""
        if what not in self.pending.root_changes:
            self.pending.root_changes.append(what)

    def _unusual(self, wd: int, mask: int, cookie: int, name: bytes) -> None:
        if mask & IN_Q_OVERFLOW:
            self.overflowed()
            return
        if wd == self.cookie_wd:
            self._cookie(mask, name)
            return
        node = self._tree.by_wd.get(wd)
        if node is None:
            # A watch that was removed goes on for as long as its events were queued before, and says goodbye.
            self.unknown_events += not mask & IN_IGNORED
        elif mask & IN_UNMOUNT:
            self._unmounted(node)
        elif mask & IN_IGNORED:
            if node is self._tree.root:
                self.root_changed("the root is gone")
            self._tree.forget(node)
        elif mask & IN_MOVE_SELF:
            self._moved(node)
        elif name:
            self._named(node, mask, cookie, name)
        elif node is self._tree.root:
            self.pending.themselves[node] = None
        # Else the directory's own attributes changed, and its parent's watch says so by name.

    def _cookie(self, mask: int, name: bytes) -> None:
        if mask & IN_IGNORED:
            self.cookie_wd = None
        elif mask & IN_CREATE:
            barrier = self._cookies.take(name.rstrip(b"\0").decode("ascii", "replace"))
            if barrier is not None:
                self.pending.barriers.append((barrier, BarrierOutcome.PASSED))

    def _named(self, node: Node, mask: int, cookie: int, name: bytes) -> None:
        """A directory's name, or a rename."""
        self.pending.names.setdefault(node, {}).setdefault(name, False)
        is_directory = bool(mask & IN_ISDIR)
        if is_directory and mask & (IN_CREATE | IN_MOVED_TO):
            self.pending.subtrees[node, name] = None
        if mask & IN_MOVED_FROM:
            if len(self._halves) >= _MOST_HALVES:
                self._halves.clear()  # files that left the repository: no other half will come
            self._halves[cookie] = (node, name)
            if is_directory:
                self._directory_left(node, cookie, self._text(name))
        elif mask & IN_MOVED_TO:
            origin = self._halves.pop(cookie, None)
            if origin is not None:
                self.pending.renames.append((origin, (node, name)))
                if is_directory:
                    self._directory_came(node, cookie, self._text(name))

    def _directory_left(self, parent: Node, cookie: int, name: str) -> None:
        if parent.children is not None and name in parent.children:
            self._moves.append(_DirectoryMove(cookie, parent, name, None))

    def _directory_came(self, parent: Node, cookie: int, name: str) -> None:
        for position, move in enumerate(self._moves):
            if move.cookie == cookie:
                known = move.parent.children and move.parent.children.get(move.name)
                if known and known.wd is None:  # no watch of its own, so no IN_MOVE_SELF to wait for
                    self._tree.relocate(known, parent, name)
                    del self._moves[position]
                else:
                    self._moves[position] = move._replace(to=(parent, name))
                return

    def _moved(self, node: Node) -> None:
        """IN_MOVE_SELF: the last of a rename's three events, and the only one that says which directory it was about.

        Names alone would not do: after an exchange of two directories, the second rename's origin is the first one's
        destination.
        """
        if node is self._tree.root:
            self.root_changed("the root was renamed")
            return
        for move in reversed(self._moves):
            if move.parent is node.parent and move.name == node.name:
                self._moves.remove(move)
                if move.to is not None:
                    self._tree.relocate(node, *move.to)
                else:  # nothing in the repository received it
                    self._halves.pop(move.cookie, None)
                    self._condemn(self._tree.forget_subtree(node))
                return
        # Else a walk was faster and has put it where it is now, or will.

    def _unmounted(self, node: Node) -> None:
        """Each watched directory of an unmounted file system says so; the first one will do for all of them."""
        self.root_changed("the root was unmounted" if node is self._tree.root else "something below it was unmounted")

    def _make_room(self) -> None:
        """Nobody takes the batch. Rather than grow without bound, let it say that anything may have changed."""
        pending = self.pending
        size = sum(map(len, pending.names.values())) + len(pending.themselves) + len(pending.renames)
        if size > _MOST_NAMES // 2:
            pending.everything = True
            pending.names.clear()
            pending.themselves.clear()
            pending.subtrees.clear()
            pending.renames.clear()
            size = 0
        pending.room = _MOST_NAMES - size

    def _text(self, name: bytes) -> str:
        return self._to_text(name.rstrip(b"\0"))
