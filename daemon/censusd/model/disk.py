"""What is found on disk."""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

ROOT: Final = ""
"""The relative path of a repository's root."""

FileEntry = tuple[str, int, int, int, int, int]
"""One regular file as listed: ``(name, size, mtime_ns, ctime_ns, inode, links)``.

A plain tuple on purpose: a listing holds hundreds of thousands of them, a named tuple costs 12 % of a whole walk, and
``marshal`` (which the listing digest is made with) takes only exact tuples.
"""

SubdirectoryEntry = tuple[str, int]
"""One subdirectory as listed: ``(name, inode)``, from the directory entry alone; no stat is made for it."""

WHOLE_DIGEST: Final = 16
STRETCH_DIGEST: Final = 8
"""Bytes in the two parts of a listing's digest."""


class ProblemKind(StrEnum):
    """Why something on disk could not be seen. None of these is ever proof that it is gone, except ``VANISHED``."""

    PERMISSION = "permission"
    IO = "io"
    STALE = "stale"
    DISCONNECTED = "disconnected"
    TIMEOUT = "timeout"
    RESOURCES = "resources"
    NOT_A_DIRECTORY = "not_a_directory"
    VANISHED = "vanished"
    """The name gave ENOENT while its parent was open: it went away between two looks."""
    REPLACED = "replaced"
    """Another file is there than the one that was asked for."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be seen, as a value: what kind, and a sentence for people.

    Attributes:
        kind: the class of trouble, used in metrics and decisions.
        detail: one line of plain text, for instance ``Permission denied (EACCES)``.
    """

    kind: ProblemKind
    detail: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one version of a file from another. Any inequality means *different*; none means *newer*.

    Attributes:
        size: bytes.
        mtime_ns: time of the last change of content, nanoseconds since the epoch.
        ctime_ns: time of the last change of content or inode, nanoseconds since the epoch.
        device: device number of the file system.
        inode: inode number, or 0 where the file system does not keep them stable.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found in one directory: all of it, or only the names in ``looked``.

    Attributes:
        device: device number of the directory itself.
        inode: inode number of the directory itself, or 0 where the file system does not keep them stable.
        birth_ns: when the directory was created, or 0 where the file system does not say. With the inode it tells a
            renamed directory from a new one that was given a freed inode number.
        packed: the regular files that the ignore policy lets through, some at a time, as ``pack`` makes them: a quarter
            of the memory, and only those that are compared are ever unpacked. In a complete listing they are in order
            and cut into stretches: see ``digest``.
        subdirectories: the directories that it lets through.
        hidden: names of files and directories that it hides; tells *ignored* from *missing*.
        unknown: names whose stat failed for another reason than absence; nothing may be concluded about them.
        count: how many files were seen, also where ``packed`` does not hold them.
        skipped: how many symlinks, sockets, FIFOs and devices were passed over.
        digest: of a complete listing: 16 bytes over everything above and the policy, so that equal digests mean that
            nothing changed; then 8 bytes over each stretch of ``packed`` and the policy, which tell where something
            did. Empty where there is none to compare.
        looked: the names that were looked at one by one, or None where the directory was listed completely. A name
            that was looked at and appears nowhere above is proved absent.
        huge: whether there are too many files to hold; ``packed`` is then empty, the digest says nothing of stretches,
            and the files are read in slices.
    """

    device: int
    inode: int
    birth_ns: int
    packed: Sequence[bytes]
    subdirectories: list[SubdirectoryEntry]
    hidden: frozenset[str] = frozenset()
    unknown: Mapping[str, Problem] = field(default_factory=lambda: MappingProxyType({}))
    count: int = 0
    skipped: int = 0
    digest: bytes = b""
    looked: frozenset[str] | None = None
    huge: bool = False

    def files(self) -> list[FileEntry]:
        """The files, unpacked anew at each call."""
        return [entry for part in self.packed for entry in unpack(part)]


@dataclass(frozen=True, slots=True)
class Observation:
    """One directory as it was seen: a listing, or the problem that prevented one.

    Attributes:
        path: relative path of the directory.
        seen: the listing, or why there is none.
    """

    path: str
    seen: Listing | Problem


def pack(files: list[FileEntry]) -> bytes:
    """Files as bytes that are equal exactly if the files are.

    marshal's version 2 writes every value in full; nothing else in the standard library is a third as fast. The bytes
    never leave this machine's own processes, and a digest of another Python version merely costs one comparison.
    """
    return marshal.dumps(files, 2)


def unpack(packed: bytes) -> list[FileEntry]:
    """The inverse of ``pack``, for what this very program packed, here or in one of its own processes."""
    files: list[FileEntry] = marshal.loads(packed)  # noqa: S302
    return files


def join(directory: str, name: str) -> str:
    """The relative path of ``name`` in ``directory``."""
    return f"{directory}/{name}" if directory else name


def split(path: str) -> tuple[str, str]:
    """The parent directory and the last name of a relative path; the root gives ``("", "")``."""
    directory, _, name = path.rpartition("/")
    return directory, name


def is_below(path: str, ancestor: str) -> bool:
    """Whether ``path`` is ``ancestor`` itself or lies below it."""
    return not ancestor or path == ancestor or path.startswith(ancestor + "/")
