"""One directory, through its descriptor, becomes a ``Listing``.

Nothing is opened by name but the directory's own entries, no symlink is followed, and only an lstat or a complete
directory listing says what is there. ``list_directory`` is the hot loop of the whole daemon.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Final
from zlib import crc32

from censusd.filesystem.ignore import LAST_OF_HIDDEN, DirectoryPolicy
from censusd.filesystem.names import bytes_of, is_name, text_of_native
from censusd.filesystem.problems import problem_of
from censusd.filesystem.statx import birth_ns, fit
from censusd.model import STRETCH_DIGEST, WHOLE_DIGEST, FileEntry, Listing, Problem, SubdirectoryEntry, pack

OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How every directory is opened: never through a symlink, never waiting."""

SLICE: Final = 10_000
"""A directory with as many files as this is huge: it is never held in memory as a whole, but read in slices."""

_CUT: Final = 7
"""Bits of a name's CRC that are all 0 where a stretch begins."""

_FILE_TYPE: Final = 0o170000
_REGULAR: Final = 0o100000
_MOST: Final = (1 << 63) - 1
_LEAST: Final = -(1 << 63)
_MOST_LINKS: Final = (1 << 31) - 1


def list_directory(fd: int, policy: DirectoryPolicy, *, stable_inodes: bool = True, slice_size: int = SLICE) -> Listing:
    """Everything in the directory open as ``fd`` that ``policy`` lets through.

    A huge directory gives a listing without files whose digest covers every file all the same; ``slices`` then gives
    the files themselves.

    Args:
        fd: the directory, open for reading.
        policy: what is left out.
        stable_inodes: False where the file system makes inode numbers up; they are then all given as 0.
        slice_size: how many files make a directory huge.

    Raises:
        OSError: the directory cannot be listed; nothing may be concluded about what is in it.
    """
    reader = _Reader(policy, stable_inodes=stable_inodes)
    digest = blake2b(policy.version, digest_size=WHOLE_DIGEST)
    packed: list[bytes] = []
    count, huge = 0, False
    for files in reader.read(fd, slice_size):
        count += len(files)
        huge = huge or len(files) >= slice_size
        packed = [pack(files)] if huge else [pack(stretch) for stretch in _stretches(files)]
        for part in packed:
            digest.update(part)
    own = os.fstat(fd)
    if not own.st_nlink and _is_removed(fd):
        # A directory that was removed while open lists as empty, which says nothing about its successor at this path.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    inode, born = _wrap(own.st_ino) if stable_inodes else 0, birth_ns(fd)
    whole = reader.seal(digest, inode, born)
    return Listing(
        device=own.st_dev,
        inode=inode,
        birth_ns=born,
        packed=[] if huge else packed,
        subdirectories=reader.subdirectories,
        hidden=frozenset(reader.hidden),
        unknown=reader.unknown,
        count=count,
        skipped=reader.skipped,
        digest=whole + (_digests(packed, policy.version) if whole and not huge else b""),
        huge=huge,
    )


def slices(
    fd: int, policy: DirectoryPolicy, *, stable_inodes: bool = True, slice_size: int = SLICE
) -> Iterator[Listing]:
    """The files of a huge directory as listings of some of its names each, in the order in which the kernel gives them.

    The last one has a digest: the one that ``list_directory`` gives if it finds the same.

    Raises:
        OSError: the directory cannot be listed.
    """
    own, born = os.fstat(fd), birth_ns(fd)
    inode = _wrap(own.st_ino) if stable_inodes else 0
    reader = _Reader(policy, stable_inodes=stable_inodes)
    digest = blake2b(policy.version, digest_size=WHOLE_DIGEST)
    for files in reader.read(fd, slice_size):
        packed = pack(files)
        digest.update(packed)
        yield Listing(
            device=own.st_dev,
            inode=inode,
            birth_ns=born,
            packed=[packed],
            subdirectories=[],
            count=len(files),
            digest=reader.seal(digest, inode, born) if len(files) < slice_size else b"",
            looked=frozenset(entry[0] for entry in files),
        )


def look(fd: int, names: Iterable[str], policy: DirectoryPolicy, *, stable_inodes: bool = True) -> Listing:
    """What the given names in the directory open as ``fd`` are now, by one lstat each.

    A name that is in ``looked`` and nowhere else in the result is proved absent: the kernel said ENOENT while its
    parent was open, or there is something there that is never catalogued (a symlink, a socket, a device).

    Raises:
        OSError: the directory itself cannot be looked at.
    """
    own = os.fstat(fd)
    files: list[FileEntry] = []
    subdirectories: list[SubdirectoryEntry] = []
    hidden: set[str] = set()
    unknown: dict[str, Problem] = {}
    looked = frozenset(names)
    skipped = 0
    for name in sorted(filter(is_name, looked)):
        try:
            found = os.stat(bytes_of(name), dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            unknown[name] = problem_of(error)
            continue
        directory = stat.S_ISDIR(found.st_mode)
        if policy.hides(name, directory=directory):
            hidden.add(name)
        elif directory:
            subdirectories.append((name, _wrap(found.st_ino) if stable_inodes else 0))
        elif stat.S_ISREG(found.st_mode):
            inode = _wrap(found.st_ino) if stable_inodes else 0
            mtime, ctime = fit(found.st_mtime_ns), fit(found.st_ctime_ns)
            files.append((name, found.st_size, mtime, ctime, inode, min(found.st_nlink, _MOST_LINKS)))
        else:
            skipped += 1
    return Listing(
        device=own.st_dev,
        inode=_wrap(own.st_ino) if stable_inodes else 0,
        birth_ns=birth_ns(fd),
        packed=[pack(files)],
        subdirectories=subdirectories,
        hidden=frozenset(hidden),
        unknown=unknown,
        count=len(files),
        skipped=skipped,
        looked=looked,
    )


class _Reader:
    """Reads one directory; keeps aside what is not a file while the files go to the caller."""

    def __init__(self, policy: DirectoryPolicy, *, stable_inodes: bool) -> None:
        self.policy = policy
        self.stable_inodes = stable_inodes
        self.subdirectories: list[SubdirectoryEntry] = []
        self.hidden: set[str] = set()
        self.unknown: dict[str, Problem] = {}
        self.skipped = 0

    def read(self, fd: int, slice_size: int) -> Iterator[list[FileEntry]]:
        """The files, in lists of ``slice_size``; the last one is shorter, and may be empty."""
        # Every name that is looked up again and again is a local here: this loop runs once for each file there is.
        files: list[FileEntry] = []
        hides, stable = self.policy.hides, self.stable_inodes
        every = not self.policy.only_defaults
        with os.scandir(fd) as entries:
            for entry in entries:
                name = entry.name
                if not name.isascii():
                    name = text_of_native(name)
                try:
                    directory = entry.is_dir(follow_symlinks=False)
                    # Where only the built-in rules hold, the first and last character acquit nearly every name.
                    if (every or name[0] == "." or name[-1] in LAST_OF_HIDDEN) and hides(name, directory=directory):
                        self.hidden.add(name)
                        continue
                    if directory:
                        self.subdirectories.append((name, _wrap(entry.inode()) if stable else 0))
                        continue
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    self.unknown[name] = problem_of(error)
                    continue
                if found.st_mode & _FILE_TYPE != _REGULAR:
                    self.skipped += 1
                    continue
                mtime, ctime, links = found.st_mtime_ns, found.st_ctime_ns, found.st_nlink
                inode = found.st_ino if stable else 0
                if inode > _MOST or not _LEAST <= mtime <= _MOST or not _LEAST <= ctime <= _MOST or links > _MOST_LINKS:
                    mtime, ctime, inode, links = fit(mtime), fit(ctime), _wrap(inode), min(links, _MOST_LINKS)
                files.append((name, found.st_size, mtime, ctime, inode, links))
                if len(files) >= slice_size:
                    yield files
                    files = []
        yield files

    def seal(self, digest: blake2b, inode: int, born: int) -> bytes:
        """The digest of what was read, which has all files by now; empty if something could not be looked at.

        That must not be taken for unchanged.
        """
        self.subdirectories.sort()
        digest.update(repr((inode, born, self.subdirectories)).encode("utf-8", "surrogatepass"))
        return b"" if self.unknown else digest.digest()


def _stretches(files: list[FileEntry]) -> list[list[FileEntry]]:
    """The files in order, cut where the next name says so by itself.

    About one name in eight does. A file that comes or goes then moves no cut but its own, as in content-defined
    chunking (Muthitacharoen, Chen, Mazieres: A low-bandwidth network file system, 2001), and all other stretches stay
    what they were.
    """
    files.sort()
    cuts = [at for at, entry in enumerate(files) if not crc32(entry[0].encode()) & _CUT]
    # One that is removed and made again while a directory is read may be listed twice, and is not cut in two.
    cuts = [at for at in cuts if at and files[at][0] != files[at - 1][0]]
    return [files[start:end] for start, end in pairwise([0, *cuts, len(files)])] if files else []


def _digests(packed: list[bytes], version: bytes) -> bytes:
    """``STRETCH_DIGEST`` bytes for each stretch."""
    return b"".join([blake2b(version + part, digest_size=STRETCH_DIGEST).digest() for part in packed])


def _is_removed(fd: int) -> bool:
    """Whether a directory without links has no name any more; some file systems in user space never count links."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}").endswith(" (deleted)")
    except OSError:
        return True


def _wrap(inode: int) -> int:
    """An unsigned 64-bit inode number as the signed one of the same bits."""
    return inode if inode <= _MOST else inode - (1 << 64)
