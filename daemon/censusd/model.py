"""The vocabulary of censusd: plain, frozen values that every layer speaks, and no I/O.

Names and paths are *catalogue text* everywhere above the file system's edge: a ``str`` that maps back to exactly the
bytes on disk (see ``censusd.filesystem.names``). A relative path joins names with ``/``; a repository's root is ``""``.
Times are integers of nanoseconds since the epoch where they come from the disk, seconds where they are durations.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

ROOT: Final = ""
"""The relative path of a repository's root."""

FileEntry = tuple[str, int, int, int, int, int]
"""One regular file as listed: ``(name, size, mtime_ns, ctime_ns, inode, links)``.

A plain tuple on purpose: a listing holds hundreds of thousands of them, a named tuple costs 12 % of a whole walk, and
``marshal`` (which the listing digest is made with) takes only exact tuples.
"""

KnownFile = tuple[int, int, int, str, int, int, int, int, int]
"""One file as the catalogue has it: ``(directory id, id, state, name, size, mtime_ns, ctime_ns, inode, links)``.

A plain tuple as above, whose end is a ``FileEntry``: a file is unchanged if ``row[3:] == entry``.
"""

SubdirectoryEntry = tuple[str, int]
"""One subdirectory as listed: ``(name, inode)``, from the directory entry alone; no stat is made for it."""


WHOLE_DIGEST: Final = 16
STRETCH_DIGEST: Final = 8
"""Bytes in the two parts of a listing's digest."""


class FileState(IntEnum):
    """Whether a catalogued file or directory is on disk. Stored as a smallint; the values never change."""

    PRESENT = 0
    MISSING = 1
    """Proved absent; kept for the grace period with its id, hash and metadata, then purged."""
    IGNORED = 2
    """Hidden by the ignore policy; comes back whole when it is included again."""


class ScanPhase(IntEnum):
    """How much is known of a file. Stored as a smallint; the values never change."""

    QUICK = 0
    """Only its stat is known, or its content has to be looked at again."""
    DEEP = 1
    """Its content hash and metadata belong to the stat on record."""


class Effect(IntEnum):
    """What an update of a file's stat means for what is known of its content."""

    NONE = 0
    """The same version of the same file: phase, hash and metadata stand."""
    VERIFY = 1
    """Its content should be the same but was not proved to be: the hash stays until it is read again."""
    CONTENT = 2
    """Its content is different: the hash goes, the metadata is read again."""


class RepositoryState(StrEnum):
    """What the catalogue believes of a repository as a whole."""

    ACTIVE = "active"
    OFFLINE = "offline"
    """The root is not the root on record (unmounted, replaced, empty): nothing in it is touched."""
    HELD = "held"
    """The breaker holds back deletions until an operator releases them; everything else goes on."""
    RETIRED = "retired"
    """No longer in the configuration; its rows are kept until it is forgotten on purpose."""


class Trigger(StrEnum):
    """Why a piece of work was started."""

    STARTUP = "startup"
    REALTIME = "realtime"
    RECONCILIATION = "reconciliation"
    MANUAL = "manual"
    OVERFLOW = "overflow"
    REMOUNT = "remount"
    IDLE = "idle"
    """The machine had nothing better to do."""


class OperationType(StrEnum):
    """What kind of work a ``sync_operations`` row is about."""

    QUICK_SCAN = "quick_scan"
    """The first complete pass over a repository."""
    RECONCILIATION = "reconciliation"
    """A later pass over a whole repository or a subtree."""
    REALTIME = "realtime"
    """One settled group of changes that the watch reported."""
    VERIFY = "verify"
    """A pass that trusts no digest."""
    DEEP_SCAN = "deep_scan"
    PURGE = "purge"
    """Rows whose grace period has passed are deleted."""


class OperationStatus(StrEnum):
    """How a piece of work stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"
    """Completed but for its deletions, which the breaker holds back."""


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
class KnownDirectory:
    """One directory as the catalogue has it.

    Attributes:
        id: row number.
        parent_id: row number of the directory it is in; 0 for the root.
        name: last name.
        path: relative path.
        device: device number when it was last listed.
        inode: inode number when it was last listed.
        birth_ns: when it was created, or 0 where nobody knows.
        state: present, missing or ignored.
        digest: of its last complete listing, or None where that is out of date.
        troubled: whether it, or a directory above it, could not be read, so that the next listing must be recorded.
    """

    id: int
    parent_id: int
    name: str
    path: str
    device: int
    inode: int
    birth_ns: int
    state: int
    digest: bytes | None
    troubled: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row whose file may have moved: where the catalogue has it, and what it was.

    Attributes:
        id: row number.
        directory_id: row number of its directory.
        directory: relative path of its directory.
        name: its name there.
        size: bytes.
        mtime_ns: as in ``Fingerprint``.
        ctime_ns: as in ``Fingerprint``.
        inode: as in ``Fingerprint``.
        state: present or missing.
        device: device number of its directory.
    """

    id: int
    directory_id: int
    directory: str
    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    state: int
    device: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One directory as it was seen: a listing, or the problem that prevented one.

    Attributes:
        path: relative path of the directory.
        seen: the listing, or why there is none.
    """

    path: str
    seen: Listing | Problem


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reconcile has to look at. The three parts may be combined; everything absent is left alone.

    Attributes:
        subtrees: directories to walk in full, with all that is below them; ``("",)`` is the whole repository.
        directories: directories to list without descending.
        names: directory -> names in it to look at one by one; True where a writer has closed the name, so that its
            content counts as changed even if its stat is equal.
    """

    subtrees: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    names: Mapping[str, Mapping[str, bool]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def whole(cls) -> Scope:
        """The whole repository."""
        return cls(subtrees=(ROOT,))

    @classmethod
    def subtree(cls, path: str) -> Scope:
        """One directory and all that is below it."""
        return cls(subtrees=(path,))

    @property
    def is_whole(self) -> bool:
        """Whether this covers the whole repository."""
        return ROOT in self.subtrees

    def __bool__(self) -> bool:
        return bool(self.subtrees or self.directories or self.names)

    def describe(self) -> str:
        """A short text for the journal and the log: the path if there is one, else counts."""
        if self.is_whole:
            return "/"
        if len(self.subtrees) == 1 and not self.directories and not self.names:
            return self.subtrees[0] + "/"
        if not self.subtrees and not self.directories and len(self.names) == 1:
            directory, names = next(iter(self.names.items()))
            if len(names) == 1:
                return f"{directory}/{next(iter(names))}" if directory else next(iter(names))
            return f"{directory or '.'} ({len(names)} names)"
        parts = (
            (len(self.subtrees), "subtree", "subtrees"),
            (len(self.directories), "directory", "directories"),
            (sum(len(names) for names in self.names.values()), "name", "names"),
        )
        return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)


@dataclass(slots=True)
class Counts:
    """What one operation saw and did. Everything adds up: ``files_scanned`` is what was compared or found equal.

    Attributes:
        files_scanned: files looked at on disk.
        directories: directories listed, or looked at by name.
        added: files new to the catalogue.
        updated: files whose content or stat differed, and files that came back.
        moved: files that kept their row at a new place. A moved directory counts once, in ``directories_moved``.
        removed: files proved absent and marked missing.
        ignored: files that the policy hides since this operation.
        directories_moved: directories that kept their row at a new place.
        problems: directories and files that could not be seen.
        bytes_hashed: content read by the deep scan.
        purged: rows deleted after their grace period.
    """

    files_scanned: int = 0
    directories: int = 0
    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    ignored: int = 0
    directories_moved: int = 0
    problems: int = 0
    bytes_hashed: int = 0
    purged: int = 0

    @property
    def changed(self) -> int:
        """How many rows differ because of this operation."""
        return (
            self.added + self.updated + self.moved + self.removed + self.ignored + self.directories_moved + self.purged
        )


@dataclass(frozen=True, slots=True)
class SyncOperation:
    """One settled piece of work, as the journal records it.

    Attributes:
        id: row number in ``sync_operations``; 0 where nothing was worth a row.
        repository_id: the repository it belongs to.
        type: what kind of work.
        trigger: why it was started.
        scope: what it looked at, as text for people.
        status: how it ended.
        counts: what it saw and did.
        duration: seconds.
        error: why it failed or is held, or None.
    """

    id: int
    repository_id: UUID
    type: OperationType
    trigger: Trigger
    scope: str
    status: OperationStatus
    counts: Counts
    duration: float
    error: str | None = None


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
