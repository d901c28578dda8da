"""A repository's directories, opened and observed one at a time, at any depth.

Directories are opened by name relative to their parent's descriptor, so that no path is too long and nothing that is
swapped for a symlink on the way leads out of the tree. Depth first, so that only the siblings along one path wait.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from censusd.filesystem.ignore import DirectoryPolicy, IgnorePolicy
from censusd.filesystem.listing import OPEN_DIRECTORY, list_directory, look, slices
from censusd.filesystem.names import bytes_of, is_name
from censusd.filesystem.problems import problem_of
from censusd.filesystem.statx import birth_ns
from censusd.model import ROOT, Listing, Observation, Problem, ProblemKind, split

_OPEN_PASSING: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_OPEN: Final = 32

Cover = Callable[[str, int], object]
"""Called with a directory's path and descriptor just before it is listed: the moment to put a watch on it."""


@dataclass(frozen=True, slots=True)
class _Handle:
    """An open directory, and the policy inside it. Where it was only passed through, it cannot be listed."""

    fd: int
    policy: DirectoryPolicy
    listable: bool


class Tree:
    """A repository's directories, opened below one root descriptor. Not for use by several threads at once.

    Keeps the directories on the way to the last one open, a bounded number of them, so that its neighbours cost one
    open each.

    Args:
        root: absolute path of the root.
        policy: what is left out.
        made_up: device numbers of file systems that make inode numbers up.

    Raises:
        OSError: the root cannot be opened as a directory.
    """

    def __init__(self, root: Path, policy: IgnorePolicy, *, made_up: frozenset[int] = frozenset()) -> None:
        # The root itself may be named through symlinks: that is the administrator's own choice of path.
        self._root_fd = os.open(root, OPEN_DIRECTORY & ~os.O_NOFOLLOW)
        self._root_policy = policy.root()
        self._made_up = made_up
        self._open: dict[str, _Handle] = {}

    @property
    def root_fd(self) -> int:
        """The descriptor of the root."""
        return self._root_fd

    def close(self) -> None:
        """Close every descriptor. May be called twice."""
        self.refresh()
        if self._root_fd >= 0:
            os.close(self._root_fd)
            self._root_fd = -1

    def refresh(self) -> None:
        """Forget the directories that are open and the rules in them: the next look starts from the root by name."""
        for handle in self._open.values():
            if handle.fd != self._root_fd:
                os.close(handle.fd)
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def open(self, path: str) -> tuple[int, DirectoryPolicy]:
        """The directory at ``path``, open for listing, with the policy inside it.

        The descriptor stays the tree's, which closes it when it goes elsewhere: it is good until the next look.

        Raises:
            OSError: it, or a directory on the way to it, cannot be opened or is no longer a directory.
        """
        handle = self._handle(path)
        return handle.fd, handle.policy

    def observe(self, path: str, cover: Cover | None = None) -> Observation:
        """List the directory at ``path``; what cannot be seen comes back as a problem, never as an absence."""
        try:
            fd, policy = self.open(path)
            if cover is not None:
                cover(path, fd)
            return Observation(path, list_directory(fd, policy, stable_inodes=self._has_stable_inodes(fd)))
        except OSError as error:
            return Observation(path, problem_of(error))

    def look(self, path: str, names: frozenset[str], cover: Cover | None = None) -> Observation:
        """Look at some names in the directory at ``path``."""
        try:
            fd, policy = self.open(path)
            if cover is not None:
                cover(path, fd)
            return Observation(path, look(fd, names, policy, stable_inodes=self._has_stable_inodes(fd)))
        except OSError as error:
            return Observation(path, problem_of(error))

    def slices(self, path: str) -> Iterator[Listing]:
        """The files of a huge directory, some at a time; see ``censusd.filesystem.listing.slices``.

        Raises:
            OSError: the directory cannot be listed.
        """
        fd, policy = self.open(path)
        # A descriptor of its own: the shared one may be closed, or listed from, while the caller is at work.
        mine = os.open(".", OPEN_DIRECTORY, dir_fd=fd)
        try:
            yield from slices(mine, policy, stable_inodes=self._has_stable_inodes(mine))
        finally:
            os.close(mine)

    def birth(self, path: str) -> int:
        """When the directory at ``path`` was created, in nanoseconds since the epoch; 0 where nobody knows."""
        try:
            return birth_ns(self.open(path)[0])
        except OSError:
            return 0

    def birth_of_file(self, directory: str, name: str) -> int:
        """When the file ``name`` in ``directory`` was created, in the same way."""
        try:
            fd, _ = self.open(directory)
            file = os.open(bytes_of(name), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except OSError:
            return 0
        try:
            return birth_ns(file)
        finally:
            os.close(file)

    def _has_stable_inodes(self, fd: int) -> bool:
        return not self._made_up or os.fstat(fd).st_dev not in self._made_up

    def _handle(self, path: str) -> _Handle:
        known = self._open.get(path)
        if known is not None and known.listable:
            return known
        self._close_aside(path)
        return self._enter(path) if path else self._root()

    def _root(self) -> _Handle:
        known = self._open.get(ROOT)
        if known is None:
            known = _Handle(self._root_fd, self._root_policy.with_ignore_file(self._root_fd), listable=True)
            self._open[ROOT] = known
        return known

    def _enter(self, path: str) -> _Handle:
        """Open ``path`` from its nearest open ancestor, reading the ignore files on the way."""
        missing = [path]
        ancestor, _ = split(path)
        while ancestor and ancestor not in self._open:
            missing.append(ancestor)
            ancestor, _ = split(ancestor)
        at = self._open.get(ancestor) or self._root()
        while missing:
            step = missing.pop()
            # Only the last one is listed; passing through a directory must not ask for permission to read it, but
            # reading its ignore file does need a real descriptor, which O_PATH gives openat just as well.
            flags = _OPEN_PASSING if missing else OPEN_DIRECTORY
            _, name = split(step)
            if not is_name(name):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            fd = os.open(bytes_of(name), flags, dir_fd=at.fd)
            try:
                at = _Handle(fd, at.policy.below(name).with_ignore_file(fd), listable=not missing)
            except BaseException:
                os.close(fd)
                raise
            self._make_room()
            self._open[step] = at
        return at

    def _close_aside(self, path: str) -> None:
        """Close what does not lie on the way to ``path``, and ``path`` itself."""
        for other in [other for other in self._open if other and not path.startswith(other + "/")]:
            os.close(self._open.pop(other).fd)

    def _make_room(self) -> None:
        """Close the shallowest of the open directories beyond the bound."""
        while len(self._open) >= _MOST_OPEN:
            shallowest = min((other for other in self._open if other), key=len)
            os.close(self._open.pop(shallowest).fd)


VANISHED: Final = frozenset({ProblemKind.VANISHED, ProblemKind.NOT_A_DIRECTORY})
"""Problems that mean: this is no longer a directory here. The next look at its parent says what it is."""


def has_vanished(seen: Listing | Problem) -> bool:
    """Whether a directory turned out not to be there (any more)."""
    return isinstance(seen, Problem) and seen.kind in VANISHED
