"""Random real operations on a tree of files: all that people and programs do to one, in small, and often colliding.

Whoever uses this gives the dice: Hypothesis, so that a failure shrinks, or a seeded ``random.Random``, so that it can
be run for hours.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

ANCHOR: Final = b"anchor"
"""A file that nobody touches: an empty root would be taken for a disk that is not mounted."""

FILE_NAMES: Final = (
    *(b"a", b"b", b"c.txt", b"d.jpg", b"with space", b"new\nline", b"ends\n", b"\t", "grün".encode(), b"\xff\xfe\x80"),
    *("\uef80".encode(), b"x" * 255, b"-rf", b"*", b"[a]", b"\\"),
)
UNSEEN_NAMES: Final = (b".hidden", b"b~", b"c.tmp", b"Thumbs.db", b".new-a")
DIRECTORY_NAMES: Final = (b"d1", b"d2", b"d3", b"a", b"\xe9t\xe9", b"line\nbreak", b".git")
PATTERNS: Final = (
    *(b"a", b"*.txt", b"d1", b"d1/", b"/d2", b"/a", b"d2/b", b"*", b"!c.txt", b"!.hidden", b"!d3/", b"!*~", b"b"),
    *(b"", b"# a comment", b"/d1/*", b"!/d1/b"),
)
IGNORE_FILE: Final = b".censusignore"
_MOST_DEPTH: Final = 4
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100


class Choose(Protocol):
    """Picks one of several."""

    def __call__(self, among: Sequence[T], /) -> T: ...


class Operations:
    """Does things to the tree at ``root``; ``outside`` is a directory on the same file system that is not watched."""

    def __init__(self, root: Path, outside: Path, choose: Choose) -> None:
        self.root = os.fsencode(root)
        self.outside = os.fsencode(outside)
        self._choose = choose
        self.all: tuple[Callable[[], None], ...] = (
            *(self.create, self.create, self.write_again, self.append, self.truncate, self.write_mapped),
            *(self.write_in_disguise, self.rename_file, self.rename_file, self.rename_in_place, self.rename_directory),
            *(self.rename_directory, self.exchange, self.save_atomically, self.link, self.change_mode, self.set_times),
            *(self.remove_file, self.remove_tree, self.recreate_tree, self.make_directories, self.make_special),
            *(self.move_out, self.move_in, self.copy_tree, self.write_ignore_file, self.remove_ignore_file),
        )

    # Content ---------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Write a file at a name that may be taken."""
        self._write(self._place(self._file_name()), os.O_TRUNC)

    def write_again(self) -> None:
        """Write as many bytes as there were."""
        for file in self._file():
            with open(file, "r+b") as opened:
                opened.write(b"%c" % self._choose(b"pqrs") * os.fstat(opened.fileno()).st_size)

    def append(self) -> None:
        """Make a file longer."""
        for file in self._file():
            self._write(file, os.O_APPEND)

    def truncate(self) -> None:
        """Make a file shorter or longer, without writing."""
        for file in self._file():
            with open(file, "r+b") as opened:
                opened.truncate(self._choose((0, 1, 5, 100_000)))

    def write_mapped(self) -> None:
        """Store into a file's pages, which no event tells until it is closed."""
        for file in self._file():
            with open(file, "r+b") as opened:
                if os.fstat(opened.fileno()).st_size:
                    with mmap.mmap(opened.fileno(), 0) as mapped:
                        mapped[0:1] = b"m"
                        mapped[0:1] = b"n"

    def write_in_disguise(self) -> None:
        """Change content and restore size and time of modification; only the time of change gives it away."""
        for file in self._file():
            before = os.stat(file)
            with open(file, "r+b") as opened:
                opened.write(b"!" * before.st_size)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    # Names -----------------------------------------------------------------------------------------------------------

    def rename_file(self) -> None:
        """Rename a file, perhaps over another one or into another directory."""
        for file in self._file(hidden=True):
            self._rename(file, self._place(self._file_name()))

    def rename_in_place(self) -> None:
        """Give a file or directory another name where it is."""
        for entry in self._some(self._files(hidden=True) + self._directories(hidden=True)):
            self._rename(entry, os.path.join(os.path.dirname(entry), self._file_name()))

    def rename_directory(self) -> None:
        """Rename a directory, perhaps over an empty one or into another directory."""
        for directory in self._directory():
            self._rename(directory, self._place(self._choose(DIRECTORY_NAMES)))

    def exchange(self) -> None:
        """Exchange two files or directories in one step."""
        entries = self._files() + self._directories(hidden=True)
        for one in self._some(entries):
            other = self._choose(entries)
            if not (one == other or one.startswith(other + b"/") or other.startswith(one + b"/")):
                exchange(one, other)

    def save_atomically(self) -> None:
        """As editors do: write the new version under another name, then rename it over the old one."""
        for file in self._file():
            temporary = os.path.join(os.path.dirname(file), self._choose(UNSEEN_NAMES + FILE_NAMES[:2]))
            if not os.path.isdir(temporary):
                self._write(temporary, os.O_TRUNC)
                self._rename(temporary, file)

    def link(self) -> None:
        """Give a file one more name."""
        for file in self._file():
            with contextlib.suppress(FileExistsError):
                os.link(file, self._place(self._file_name()))

    def move_out(self) -> None:
        """Move a file or directory out of the tree, where it is forgotten or comes back from."""
        for entry in self._some(self._files() + self._directories(hidden=True)):
            target = os.path.join(self.outside, self._choose((b"o1", b"o2", b"o3")))
            remove(target)
            os.rename(entry, target)

    def move_in(self) -> None:
        """Move something that was outside into the tree."""
        for name in self._some(sorted(os.listdir(self.outside))):
            self._rename(os.path.join(self.outside, name), self._place(self._choose(DIRECTORY_NAMES)))

    def remove_file(self) -> None:
        """Delete a file."""
        for file in self._file(hidden=True):
            os.unlink(file)

    # Directories -----------------------------------------------------------------------------------------------------

    def make_directories(self) -> None:
        """Make directories in each other, with a file in the innermost."""
        directory = self._choose(self._directories(root=True, hidden=True))
        for _ in range(self._choose((1, 2, 3))):
            directory = os.path.join(directory, self._choose(DIRECTORY_NAMES))
        if directory.count(b"/") <= self.root.count(b"/") + _MOST_DEPTH:
            with contextlib.suppress(OSError):  # something else may be on the way, or lead back here
                os.makedirs(directory, exist_ok=True)
                self._write(os.path.join(directory, self._file_name()), os.O_TRUNC)

    def remove_tree(self) -> None:
        """Delete a directory with all that is in it."""
        for directory in self._directory():
            shutil.rmtree(directory)

    def recreate_tree(self) -> None:
        """Delete a directory, and make it again at once: inode numbers are likely to be the same."""
        for directory in self._directory():
            shutil.rmtree(directory)
            os.mkdir(directory)
            for _ in range(self._choose((0, 1, 2))):
                self._write(os.path.join(directory, self._file_name()), os.O_TRUNC)

    def copy_tree(self) -> None:
        """Copy a directory, with the times of its files."""
        for directory in self._directory():
            target = self._place(self._choose(DIRECTORY_NAMES))
            if not os.path.lexists(target) and not (target + b"/").startswith(directory + b"/"):
                shutil.copytree(os.fsdecode(directory), os.fsdecode(target), symlinks=True, copy_function=_copy_regular)

    # The rest --------------------------------------------------------------------------------------------------------

    def change_mode(self) -> None:
        """Change the permissions of a file or directory."""
        for entry in self._some(self._files() + self._directories(root=True)):
            os.chmod(entry, 0o700 | self._choose((0o44, 0o50, 0o55)))

    def set_times(self) -> None:
        """Set a file's time of modification; the epoch is not the earliest there is."""
        for file in self._file():
            when = self._choose((0, 10**9, 10**18, -(10**9)))
            os.utime(file, ns=(when, when))

    def make_special(self) -> None:
        """Put something that is not catalogued where a file may have been."""
        place = self._place(self._file_name())
        if not os.path.isdir(place):
            remove(place)
            if self._choose((True, False)):
                os.symlink(self._choose((b"a", b"..", b"/", b"nowhere")), place)
            else:
                os.mkfifo(place)

    def write_ignore_file(self) -> None:
        """Write or rewrite an ignore file, in one of the ways in which files come to be."""
        directory = self._choose(self._directories(root=True))
        content = b"\n".join(self._choose(PATTERNS) for _ in range(self._choose((1, 2, 3))))
        name = self._choose((IGNORE_FILE, b"rules"))
        if not os.path.isdir(os.path.join(directory, name)):
            # A file of its own: what is written to it under another name is reported under that name only.
            remove(os.path.join(directory, name))
            with open(os.path.join(directory, name), "wb") as file:
                file.write(content)
            if name != IGNORE_FILE:
                self._rename(os.path.join(directory, name), os.path.join(directory, IGNORE_FILE))

    def remove_ignore_file(self) -> None:
        """Delete an ignore file, or rename it away."""
        found = [
            file
            for directory in self._directories(root=True, hidden=True)
            if os.path.lexists(file := os.path.join(directory, IGNORE_FILE))
        ]
        for file in self._some(found):
            if self._choose((True, False)):
                remove(file)
            else:
                self._rename(file, os.path.join(os.path.dirname(file), b"rules"))

    # Helpers ---------------------------------------------------------------------------------------------------------

    def _files(self, *, hidden: bool = False) -> list[bytes]:
        """The regular files in the tree, in order; never the anchor."""
        found = []
        for top, directories, names in os.walk(self.root):
            directories.sort()
            for name in sorted(names):
                if (hidden or not name.startswith(b".")) and not (top == self.root and name == ANCHOR):
                    file = os.path.join(top, name)
                    if stat.S_ISREG(os.lstat(file).st_mode):
                        found.append(file)
        return found

    def _directories(self, *, root: bool = False, hidden: bool = False) -> list[bytes]:
        """The directories in the tree, in order."""
        found = [self.root] if root else []
        for top, directories, _ in os.walk(self.root):
            directories.sort()
            found += [
                os.path.join(top, name)
                for name in directories
                if (hidden or not name.startswith(b".")) and not os.path.islink(os.path.join(top, name))
            ]
        return found

    def _some(self, among: Sequence[T]) -> Iterator[T]:
        """One of them, or none if there is none."""
        if among:
            yield self._choose(among)

    def _file(self, *, hidden: bool = False) -> Iterator[bytes]:
        return self._some(self._files(hidden=hidden))

    def _directory(self) -> Iterator[bytes]:
        return self._some(self._directories(hidden=True))

    def _file_name(self) -> bytes:
        return self._choose(FILE_NAMES + FILE_NAMES[:4] + UNSEEN_NAMES[:3])

    def _place(self, name: bytes) -> bytes:
        """That name in some directory."""
        return os.path.join(self._choose(self._directories(root=True, hidden=True)), name)

    def _write(self, file: bytes, flags: int) -> None:
        if os.path.lexists(file) and not stat.S_ISREG(os.lstat(file).st_mode):
            return
        fd = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | flags, 0o644)
        try:
            os.write(fd, b"w" * self._choose((0, 1, 2, 5)))
        finally:
            os.close(fd)

    def _rename(self, old: bytes, new: bytes) -> None:
        """Rename, if that is possible at all."""
        if old == os.path.join(self.root, ANCHOR) or new == os.path.join(self.root, ANCHOR):
            return
        # Not everything can replace everything, and nothing can be moved into itself.
        with contextlib.suppress(FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, OSError):
            os.rename(old, new)


def exchange(one: bytes, other: bytes) -> None:
    """Exchange two names: renameat2(2) with RENAME_EXCHANGE."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def remove(path: bytes) -> None:
    """Delete whatever is at ``path``, if there is something."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _copy_regular(source: str, target: str) -> None:
    """Copy what can be read without waiting for the other end of a FIFO."""
    if stat.S_ISREG(os.lstat(source).st_mode):
        shutil.copy2(source, target)
