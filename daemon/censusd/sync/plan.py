"""What a batch of observations means for the rows, and writing it in one go."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from censusd.catalogue import directories, files
from censusd.catalogue.connection import Cursor
from censusd.model import Counts, Effect, FileEntry, FileState, KnownDirectory, Listing, Problem
from censusd.sync.moves import Move


@dataclass(slots=True)
class Plan:
    """Every row that a batch changes, in the order in which the parts are written.

    Attributes:
        new_directories: with the row numbers allocated for them.
        moved_directories: ``(record as it was, new parent, new path)``.
        restored_directories: row numbers.
        listed: ``(row number, listing, digest to store or None)`` of listings that differ from what was known.
        undigested: directories of which a name changed without a complete listing.
        troubles: row number -> why the directory cannot be read.
        partly: row number -> why some names in it cannot be looked at.
        moves: files that kept their row.
        updates: ``(row number, stat now, what that means)``.
        created: ``(directory, files)``.
        ignored: rows of files that the policy hides now.
        huge: directories whose files or rows have to be compared in slices, with their listing.
        arrived: paths of directories that are new here, to be walked by whoever does not walk anyway.
        revisited: directories that were looked at by name and are there as before, and whether they were troubled.
        unresolved: paths that have no row, because the tree changed while it was walked.
        linked: ``(directory, name, written)`` of files that changed under another of their names, and whether their
            content was written there.
        counts: what the batch saw and does.
    """

    new_directories: list[KnownDirectory] = field(default_factory=list)
    moved_directories: list[tuple[KnownDirectory, int, str]] = field(default_factory=list)
    restored_directories: list[int] = field(default_factory=list)
    listed: list[tuple[int, Listing, bytes | None]] = field(default_factory=list)
    undigested: list[int] = field(default_factory=list)
    troubles: dict[int, Problem] = field(default_factory=dict)
    partly: dict[int, Problem] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    updates: list[tuple[int, FileEntry, Effect]] = field(default_factory=list)
    created: list[tuple[int, list[FileEntry]]] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    huge: list[tuple[KnownDirectory, Listing]] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    revisited: list[tuple[str, bool]] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    linked: list[tuple[str, str, bool]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.new_directories
            or self.moved_directories
            or self.restored_directories
            or self.listed
            or self.undigested
            or self.troubles
            or self.partly
            or self.moves
            or self.updates
            or self.created
            or self.ignored
        )

    def places(self) -> dict[str, str]:
        """Path on record -> path from now on, of the present directories that move."""
        return {record.path: place for record, _, place in self.moved_directories if record.state == FileState.PRESENT}

    @property
    def leads_on(self) -> bool:
        """Whether something was found that has to be looked at next."""
        return bool(self.arrived or self.revisited or self.huge or self.unresolved or self.linked)

    def write(self, cursor: Cursor, repository_id: UUID, change: int, generation: int, seen_at: datetime) -> None:
        """Write everything, in the open transaction, under the change number that fenced it."""
        # Moves first: something new may stand where a directory has just left.
        for record, parent, path in self.moved_directories:
            directories.move(cursor, repository_id, change, record, parent, path)
        directories.create(cursor, repository_id, change, self.new_directories)
        directories.restore(cursor, repository_id, change, self.restored_directories)
        directories.listed(cursor, repository_id, generation, seen_at, self.listed)
        directories.forget_digests(cursor, repository_id, self.undigested)
        directories.trouble(cursor, repository_id, self.troubles)
        directories.trouble(cursor, repository_id, self.partly, only_there=True)
        files.withdraw(cursor, repository_id, change, self.ignored, FileState.IGNORED)
        files.move(
            cursor,
            repository_id,
            change,
            [(move.row.id, move.to.directory_id, move.to.entry[0]) for move in self.moves],
        )
        files.update(cursor, repository_id, change, self.updates)
        files.create(cursor, repository_id, change, self.created)
