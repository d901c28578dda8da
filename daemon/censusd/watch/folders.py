"""Where the directory is that a file handle stands for: asked of the kernel once, and remembered in bounded memory.

Nothing is known beforehand, and nothing is kept up to date: when a directory in the repository is renamed, everything
is forgotten, and asked for again when there are events from it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import Final

from censusd.watch.fanotify_kernel import open_handle

_PASSING: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_LISTING: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_KNOWN: Final = 20_000
"""Directories remembered, in the repository or not: some 6 MB."""
_GONE: Final = frozenset({errno.ESTALE, errno.ENOENT, errno.ENOTDIR})
_PATH_MAX: Final = 4096
_FILESYSTEM_SIZE: Final = 8
"""Bytes at the beginning of each key that are its file system's number."""


def descend(fd: int, names: Iterable[bytes]) -> int:
    """Open the directory that is reached from ``fd`` by these names, without following symlinks; only to tell it apart.

    Raises:
        OSError: there is none.
    """
    fd = os.open(".", _PASSING, dir_fd=fd)
    try:
        for name in names:
            below = os.open(name, _PASSING | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


class Folder:
    """A directory in the repository that there are events from."""

    __slots__ = ("_age", "_folders", "_key", "_paths")

    def __init__(self, folders: Folders, key: bytes, paths: tuple[str, ...]) -> None:
        self._folders = folders
        self._key = key
        self._paths = paths
        self._age = folders.age

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it is, as ``Spot`` has it; asked for again if a directory was renamed meanwhile."""
        if self._age != self._folders.age:
            self._paths, self._age = self._folders.look_up(self._key) or (), self._folders.age
        return self._paths


class Folders:
    """Tells directories in one repository from all others in its file systems.

    The root and the mounts below it are opened when they are needed, and closed by ``close``, so that nobody is kept
    from unmounting them. Not locked: its owner sees to that.

    Args:
        root: path of the root.
        to_text: name bytes -> catalogue text.
        on_trouble: called with an OSError when the kernel does not tell, so that anything may have changed.

    Attributes:
        known: key -> directory in the repository, or None for one that is elsewhere. A key is the number of the file
            system and the file handle, as they are in an event.
        age: grows whenever what is known of paths may not be true any more.
    """

    def __init__(self, root: bytes, to_text: Callable[[bytes], str], on_trouble: Callable[[OSError], None]) -> None:
        self._root = root
        self._to_text = to_text
        self._on_trouble = on_trouble
        self._tops: dict[bytes, list[bytes]] = {}
        self._open: dict[bytes, int] = {}
        self._root_place = b""  # its absolute path as the kernel has it, while it is open
        self._troubled = False
        self.known: dict[bytes, Folder | None] = {}
        self.age = 0

    def add(self, filesystem: bytes, top: bytes) -> None:
        """The file system of that number is mounted at ``top``, relative to the root."""
        tops = self._tops.setdefault(filesystem, [])
        if top not in tops:
            tops.append(top)
            self.forget()

    def keep_only(self, tops: set[bytes]) -> None:
        """Nothing is mounted any more but at these places."""
        self._tops = {number: [top for top in there if top in tops] for number, there in self._tops.items()}
        self.forget()

    def forget(self) -> None:
        """A directory was renamed, perhaps: paths are to be asked for again."""
        self.known.clear()
        self.age += 1

    def find(self, key: bytes) -> Folder | None:
        """The directory, if it is in the repository."""
        try:
            return self.known[key]
        except KeyError:
            pass
        paths = self.look_up(key)
        if paths is None:
            return None
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        folder = self.known[key] = Folder(self, key, paths) if paths else None
        return folder

    def look_up(self, key: bytes) -> tuple[str, ...] | None:
        """Where it is at this moment; nowhere if it is gone, or not in the repository; None if that cannot be told."""
        if self._troubled:
            return None
        try:
            return self.locate(key)
        except OSError as error:
            self._troubled = True
            self.forget()
            self._on_trouble(error)
            return None

    def locate(self, key: bytes) -> tuple[str, ...]:
        """As ``look_up``.

        Raises:
            OSError: it cannot be told.
        """
        number, handle = key[:_FILESYSTEM_SIZE], key[_FILESYSTEM_SIZE:]
        # Btrfs has a number for each subvolume; then any may be the one.
        tops = self._tops.get(number) or [top for tops in self._tops.values() for top in tops]
        found = {path for top in tops if (path := self._below(top, handle)) is not None}
        return tuple(map(self._to_text, sorted(found)))

    def close(self) -> None:
        """Let go of the root and of what is mounted below it. To be called after each round of questions."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()
        self._troubled = False

    def _below(self, top: bytes, handle: bytes) -> bytes | None:
        """The path, relative to the root, of a directory as it is seen through the mount at ``top``; None for none."""
        root = self._opened(b"")
        try:
            fd = open_handle(self._opened(top), handle)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        try:
            here = _place(fd)
            if here is None or not (here == self._root_place or here.startswith(self._root_place + b"/")):
                return None
            path = here[len(self._root_place) + 1 :]
            # A directory that was deleted, that something else is mounted on, or that is outside of what is mounted
            # there has a path, too, but not one that leads to it.
            return path if os.path.samestat(_look(root, path), os.fstat(fd)) else None
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        finally:
            os.close(fd)

    def _opened(self, top: bytes) -> int:
        """The root, or what is mounted below it, opened for the time being."""
        fd = self._open.get(top)
        if fd is None:
            if not top:
                fd = os.open(self._root, _LISTING)
                self._root_place = (_place(fd) or b"").rstrip(b"/")
            else:
                passing = descend(self._opened(b""), top.split(b"/"))
                try:
                    fd = os.open(".", _LISTING, dir_fd=passing)
                finally:
                    os.close(passing)
            self._open[top] = fd
        return fd


def _look(root: int, path: bytes) -> os.stat_result:
    """The directory at a path below the root.

    Raises:
        OSError: there is none.
    """
    if len(path) < _PATH_MAX:
        return os.stat(path or b".", dir_fd=root, follow_symlinks=False)
    fd = descend(root, path.split(b"/"))
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def _place(fd: int) -> bytes | None:
    """The absolute path of a directory, also where it is longer than the kernel tells; None if it has none.

    Raises:
        OSError: /proc is not mounted, or what is above the directory cannot be read.
    """
    try:
        return os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
    names: list[bytes] = []
    fd = os.dup(fd)
    try:
        while True:
            above = os.open("..", _LISTING, dir_fd=fd)
            name = _name_in(above, os.fstat(fd))
            os.close(fd)
            fd = above
            if name is None:
                return None
            names.append(name)
            try:
                return b"/".join((os.readlink(b"/proc/self/fd/%d" % fd), *reversed(names)))
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
    finally:
        os.close(fd)


def _name_in(above: int, directory: os.stat_result) -> bytes | None:
    """The name of a directory in the one above it."""
    with os.scandir(above) as entries:
        for entry in entries:
            if entry.inode() == directory.st_ino:
                return os.fsencode(entry.name)
    return None
