"""What one look at a directory says about the rows it has. Pure: nothing here reads a disk or a database.

*Changed* means different, never newer: any inequality counts, and only a name that was looked at can be absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from censusd.model import Effect, FileEntry, FileState, KnownDirectory, KnownFile, Listing, SubdirectoryEntry


@dataclass(slots=True)
class FileDiff:
    """What happened to one directory's files.

    Attributes:
        new: files whose names have no row.
        created: files whose names have the row of a file that is gone.
        replaced: names where another file is now than the one on record: perhaps one that moved here.
        updated: rows whose stat differs or that are back, with what that means for their content.
        absent: rows that were present or ignored and whose names are proved absent.
        ignored: rows that were present and that the policy hides now.
        unchanged: how many rows are as they were.
    """

    new: list[FileEntry] = field(default_factory=list)
    created: list[tuple[FileEntry, KnownFile]] = field(default_factory=list)
    replaced: list[tuple[FileEntry, KnownFile]] = field(default_factory=list)
    updated: list[tuple[FileEntry, KnownFile, Effect]] = field(default_factory=list)
    absent: list[KnownFile] = field(default_factory=list)
    ignored: list[KnownFile] = field(default_factory=list)
    unchanged: int = 0

    @property
    def count(self) -> int:
        """For how many files the rows are not right."""
        gone = len(self.absent) + len(self.ignored)
        return len(self.new) + len(self.created) + len(self.replaced) + len(self.updated) + gone

    def __bool__(self) -> bool:
        return bool(self.new or self.created or self.replaced or self.updated or self.absent or self.ignored)


@dataclass(slots=True)
class SubdirectoryDiff:
    """What happened to one directory's subdirectories.

    Attributes:
        created: names that have no row that is present, or where another directory is now than the one on record.
        restored: rows that were missing or ignored and are there again, with the same inode.
        present: rows that are there as they were.
        absent: rows that were present or ignored and whose names are proved absent.
        ignored: rows that were present and that the policy hides now.
    """

    created: list[tuple[SubdirectoryEntry, KnownDirectory | None]] = field(default_factory=list)
    restored: list[KnownDirectory] = field(default_factory=list)
    present: list[KnownDirectory] = field(default_factory=list)
    absent: list[KnownDirectory] = field(default_factory=list)
    ignored: list[KnownDirectory] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Whether rows are to be marked missing or ignored, which is done in the end."""
        return bool(self.absent or self.ignored)

    def __bool__(self) -> bool:
        return bool(self.created or self.restored or self.absent or self.ignored)


def diff_files(
    listing: Listing,
    known: Collection[KnownFile],
    rewritten: Collection[str] = (),
    files: Collection[FileEntry] | None = None,
) -> FileDiff:
    """Compare the files in ``listing`` with the rows of its directory.

    Args:
        listing: what was seen.
        known: the directory's rows; of a listing by name, at least those of the names that were looked at.
        rewritten: names that a writer has closed since: their content counts as changed even if the stat is equal.
        files: those that ``known`` has the rows for, if it does not have all.
    """
    diff = FileDiff()
    looked, hidden, unknown = listing.looked, listing.hidden, listing.unknown
    # By name: one that is removed and made again while a directory is read may be listed twice.
    seen = {entry[0]: entry for entry in (listing.files() if files is None else files)}
    unchanged, take, present = 0, seen.pop, int(FileState.PRESENT)
    for row in known:
        name = row[3]
        if looked is not None and name not in looked:
            continue
        entry = take(name, None)
        if entry is None:
            if name not in unknown:
                _not_seen(diff, row, hidden=name in hidden)
        elif entry == row[3:] and row[2] == present and name not in rewritten:
            unchanged += 1
        elif row[2] == FileState.MISSING and not _same_file(entry, row):
            # Something new at the name of a file that is gone: it may have moved here, else the row is taken up again.
            diff.created.append((entry, row))
        elif entry[4] != row[7] and row[2] == FileState.PRESENT:
            diff.replaced.append((entry, row))
        else:
            diff.updated.append((entry, row, effect_of(entry, row, rewritten=name in rewritten)))
    diff.unchanged = unchanged
    diff.new = list(seen.values())
    return diff


def diff_subdirectories(listing: Listing, known: Iterable[KnownDirectory]) -> SubdirectoryDiff:
    """Compare the subdirectories in ``listing`` with the rows of its directory's children."""
    diff = SubdirectoryDiff()
    seen = {entry[0]: entry for entry in listing.subdirectories}
    for row in known:
        if listing.looked is not None and row.name not in listing.looked:
            continue
        entry = seen.pop(row.name, None)
        if entry is None:
            if row.name in listing.unknown or row.state == FileState.MISSING:
                continue
            if row.name not in listing.hidden:
                diff.absent.append(row)
            elif row.state == FileState.PRESENT:
                diff.ignored.append(row)
        elif row.state == FileState.PRESENT and not is_another(row, entry[1], listing.device):
            diff.present.append(row)
        elif row.state == FileState.IGNORED or entry[1] == row.inode:
            diff.restored.append(row)
        else:
            diff.created.append((entry, row))
    diff.created.extend((entry, None) for entry in seen.values())
    return diff


def is_another(row: KnownDirectory, inode: int, device: int) -> bool:
    """Whether a directory is certainly not the one on record. Mounts, and numbers that are made up, prove nothing."""
    return bool(row.inode and inode and row.device == device and row.inode != inode)


def effect_of(entry: FileEntry, row: KnownFile, *, rewritten: bool = False) -> Effect:
    """What the difference between a file and its row means for what is known of its content."""
    if entry[1] != row[4] or entry[2] != row[5]:
        return Effect.CONTENT
    if entry[3] != row[6] or entry[4] != row[7] or rewritten:
        return Effect.VERIFY
    return Effect.NONE


def _same_file(entry: FileEntry, row: KnownFile) -> bool:
    """Whether a file is, for all that a stat can tell, the very version on record: size, both times and inode."""
    return entry[1:5] == row[4:8]


def _not_seen(diff: FileDiff, row: KnownFile, *, hidden: bool) -> None:
    if row[2] == FileState.MISSING:
        return
    if not hidden:
        diff.absent.append(row)
    elif row[2] == FileState.PRESENT:
        diff.ignored.append(row)
