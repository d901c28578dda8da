"""What the catalogue has on record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

KnownFile = tuple[int, int, int, str, int, int, int, int, int]
"""One file as the catalogue has it: ``(directory id, id, state, name, size, mtime_ns, ctime_ns, inode, links)``.

A plain tuple as above, whose end is a ``FileEntry``: a file is unchanged if ``row[3:] == entry``.
"""


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
