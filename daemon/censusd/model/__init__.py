"""The vocabulary of censusd: plain, frozen values that every layer speaks, and no I/O.

Names and paths are *catalogue text* everywhere above the file system's edge: a ``str`` that maps back to exactly the
bytes on disk (see ``censusd.filesystem.names``). A relative path joins names with ``/``; a repository's root is ``""``.
Times are integers of nanoseconds since the epoch where they come from the disk, seconds where they are durations.
"""

from __future__ import annotations

from censusd.model.disk import (
    ROOT,
    STRETCH_DIGEST,
    WHOLE_DIGEST,
    FileEntry,
    Fingerprint,
    Listing,
    Observation,
    Problem,
    ProblemKind,
    SubdirectoryEntry,
    is_below,
    join,
    pack,
    split,
    unpack,
)
from censusd.model.rows import (
    Candidate,
    Effect,
    FileState,
    KnownDirectory,
    KnownFile,
    RepositoryState,
    ScanPhase,
)
from censusd.model.strategy import (
    ASKED,
    EVERYTHING,
    UNASKED,
    Places,
    Strategy,
)
from censusd.model.work import (
    Counts,
    OperationStatus,
    OperationType,
    Scope,
    SyncOperation,
    Trigger,
)

__all__ = [
    "ASKED",
    "EVERYTHING",
    "ROOT",
    "STRETCH_DIGEST",
    "UNASKED",
    "WHOLE_DIGEST",
    "Candidate",
    "Counts",
    "Effect",
    "FileEntry",
    "FileState",
    "Fingerprint",
    "KnownDirectory",
    "KnownFile",
    "Listing",
    "Observation",
    "OperationStatus",
    "OperationType",
    "Places",
    "Problem",
    "ProblemKind",
    "RepositoryState",
    "ScanPhase",
    "Scope",
    "Strategy",
    "SubdirectoryEntry",
    "SyncOperation",
    "Trigger",
    "is_below",
    "join",
    "pack",
    "split",
    "unpack",
]
