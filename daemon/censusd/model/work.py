"""Pieces of work: why they are done, what they look at, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from censusd.model.disk import ROOT


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
    REHASH = "rehash"
    """Content is read again and compared with the hash on record."""
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
        repaired: those of the changed rows that were wrong although their directory is as it was when they were
            written: something else than a change on disk had made them so.
        corrupt: files whose content is another than the recorded, although their stat is not.
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
    repaired: int = 0
    corrupt: int = 0

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
