"""The content hash of one regular file: sha256, read in chunks, cancellable, and only ever of one whole version of it.

A file is opened through its directory's descriptor, never by way of a symlink and never waiting. Before and after it is
read, its stat has to be the same, and the name has to lead to the same file still: what was written to while it was
read has no hash.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Final, Self

from censusd.filesystem.names import bytes_of
from censusd.filesystem.problems import problem_of
from censusd.filesystem.statx import fit
from censusd.filesystem.walk import Tree
from censusd.model import Fingerprint, Problem, ProblemKind

CHUNK: Final = 1 << 20
"""Bytes read at a time: large enough that the calls cost nothing, small enough for the cache of a processor."""

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGE: Final = 64 << 20
_RWF_DONTCACHE: Final = 0x80
"""From <linux/fs.h>, Linux 6.14: pages that this very read brings into the cache leave it again."""

_SIGNED: Final = (1 << 64) - 1


@dataclass(slots=True)
class _Abilities:
    """What the kernel has not refused yet. One refusal is enough: the next file would cost a call for nothing."""

    no_access_time: bool = True
    uncached_reads: bool = True


_CAN: Final = _Abilities()


@dataclass(slots=True)
class OpenFile:
    """One regular file, open for reading until it is left as a context.

    Attributes:
        fd: its descriptor.
        directory_fd: the directory it was opened in.
        name: the bytes of its name there.
        before: its stat when it was opened.
    """

    fd: int
    directory_fd: int
    name: bytes
    before: os.stat_result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.fd)

    @property
    def size(self) -> int:
        """Bytes in it when it was opened."""
        return self.before.st_size

    def is_version(self, size: int, mtime_ns: int, ctime_ns: int, inode: int) -> bool:
        """Whether it is the version on record; devices are left out, because they are numbered anew at each boot."""
        found = self.before
        return (
            found.st_size == size
            and fit(found.st_mtime_ns) == mtime_ns
            and fit(found.st_ctime_ns) == ctime_ns
            # As signed and unsigned, the same 64 bits; 0 where the file system makes inode numbers up.
            and (not inode or (found.st_ino ^ inode) & _SIGNED == 0)
        )

    def is_torn(self) -> bool:
        """Whether it was written to, or its name was given to another file, since it was opened.

        Raises:
            OSError: nobody can tell.
        """
        try:
            # By its name: one call says that it is the same file still, and that it is the same version.
            after = os.stat(self.name, dir_fd=self.directory_fd, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return _version(after) != _version(self.before)

    def has_writers(self) -> bool:
        """Whether a process of this machine has it open, or mapped into memory, for writing; False if nobody can tell.

        What is stored into a mapped page that is dirty already changes no time at all (mmap(2), MAP_SHARED), so that
        only this tells such a writer from damage. The kernel grants a read lease on a file that nobody has open for
        writing (fcntl(2), F_SETLEASE), to its owner and to CAP_LEASE.
        """
        try:
            fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False


TORN: Final = Problem(ProblemKind.REPLACED, "it was changed while it was read")
"""What is said of a file that was written to, or replaced, while it was read."""


def opened(tree: Tree, directory: str, name: str) -> OpenFile:
    """The regular file ``name`` in ``directory``, open for reading.

    Raises:
        OSError: it cannot be opened; ``ENOENT`` and ``ENOTDIR`` if it is not there any more, ``ELOOP`` if there is
            something else than a regular file.
    """
    directory_fd, _ = tree.open(directory)
    raw = bytes_of(name)
    fd = _open(raw, directory_fd)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ELOOP, "it is not a regular file any more")
        return OpenFile(fd, directory_fd, raw, found)
    except BaseException:
        os.close(fd)
        raise


def digest(
    file: OpenFile,
    buffer: bytearray | memoryview,
    *,
    filled: int = 0,
    cancelled: Callable[[], bool] = lambda: False,
) -> bytes | None:
    """The sha256 of an open file, or None if it was cancelled; ``file.is_torn`` says whether it is worth anything.

    Empty if the file does not have the length that its stat says, so that it is torn whatever its stat says.

    Args:
        file: the file.
        buffer: to read into, again and again.
        filled: how many of the file's first bytes are in the buffer already.
        cancelled: asked before each chunk.

    Raises:
        OSError: it cannot be read to its end.
    """
    view = memoryview(buffer)
    made = sha256(view[:filled])
    if filled == file.size < len(buffer):
        # One more byte would have fitted, and there was none.
        return made.digest()
    large = file.size >= _LARGE
    if large:
        os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    position = filled
    while not cancelled():
        count = _read(file.fd, view, position, uncached=large)
        if not count:
            return made.digest() if position == file.size else b""
        made.update(view[:count])
        position += count
        if position > file.size:
            # It grows while it is read: there may be no end to it.
            return b""
    return None


def hash_file(
    tree: Tree, directory: str, name: str, *, cancelled: Callable[[], bool] = lambda: False
) -> tuple[bytes, Fingerprint] | Problem | None:
    """The sha256 of a file and the version that it belongs to; a problem; or None if it was cancelled."""
    try:
        with opened(tree, directory, name) as file:
            made = digest(file, bytearray(min(CHUNK, file.size + 1)), cancelled=cancelled)
            if made is None:
                return None
            if not made or file.is_torn():
                return TORN
            return made, fingerprint_of(file.before)
    except OSError as error:
        return problem_of(error)


def fingerprint_of(found: os.stat_result) -> Fingerprint:
    """A stat as the catalogue has it."""
    inode = found.st_ino if found.st_ino < 1 << 63 else found.st_ino - (1 << 64)
    return Fingerprint(found.st_size, fit(found.st_mtime_ns), fit(found.st_ctime_ns), found.st_dev, inode)


def _open(name: bytes, directory_fd: int) -> int:
    if _CAN.no_access_time:
        try:
            return os.open(name, _OPEN | os.O_NOATIME, dir_fd=directory_fd)
        except PermissionError as error:
            # EPERM: only a file's owner may look at it without a trace. EACCES: nobody may look at all.
            if error.errno != errno.EPERM:
                raise
            _CAN.no_access_time = False
    return os.open(name, _OPEN, dir_fd=directory_fd)


def _read(fd: int, view: memoryview, position: int, *, uncached: bool) -> int:
    """Read a chunk; of a large file in such a way that it does not drive everything else out of the cache."""
    if uncached and _CAN.uncached_reads:
        try:
            return os.preadv(fd, [view], position, _RWF_DONTCACHE)
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                raise
            _CAN.uncached_reads = False
    count = os.preadv(fd, [view], position)
    if uncached and count:
        os.posix_fadvise(fd, position, count, os.POSIX_FADV_DONTNEED)
    return count


def _version(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
