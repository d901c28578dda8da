"""The other names of files that have several.

Such a file changes under all its names at once (its link count and time of change do with every name that is made or
taken away), but the kernel reports only the name that was used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from censusd.catalogue import files
from censusd.catalogue.connection import Cursor
from censusd.model import FileEntry, KnownFile
from censusd.sync.diff import FileDiff
from censusd.sync.directory_rows import Listed
from censusd.sync.moves import place_now
from censusd.sync.plan import Plan

Compared = tuple[Listed, FileDiff, Collection[KnownFile]]
"""A directory, what happened to its files, and the rows that they were compared with."""


def other_names(
    cursor: Cursor, repository_id: UUID, plan: Plan, compared: Iterable[Compared], settled: Collection[int]
) -> list[tuple[str, str]]:
    """``(directory, name)`` of what has to be looked at because it is a file that was found changed elsewhere.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        plan: what is about to be written.
        compared: everything that the plan comes from.
        settled: rows that need no further look.
    """
    inodes: dict[tuple[int, int], int | None] = {}
    for listed, diff, known in compared:
        device = listed.seen.device
        inodes |= {(device, entry[4]): entry[3] for entry in _entries(listed, diff) if entry[5] > 1 and entry[4]}
        for row in _rows(listed, diff, known):
            if row[8] > 1 and row[7]:
                inodes.setdefault((device, row[7]), None)
    if not inodes:
        return []
    places, done = plan.places(), {number for number, _, _ in plan.updates}
    return [
        (place_now(directory, places), name)
        for number, directory, name in files.linked(cursor, repository_id, inodes)
        if number not in done and number not in settled
    ]


def _entries(listed: Listed, diff: FileDiff) -> Iterable[FileEntry]:
    """The files that something happened to: a name that was looked at is reported even if it is as it was."""
    if listed.seen.looked is not None:
        yield from listed.seen.files()
        return
    yield from diff.new
    for entry, _ in (*diff.created, *diff.replaced):
        yield entry
    for entry, _, _ in diff.updated:
        yield entry


def _rows(listed: Listed, diff: FileDiff, known: Collection[KnownFile]) -> Iterable[KnownFile]:
    """The rows whose file is, or may be, no longer at its name."""
    if listed.seen.looked is not None:
        yield from known
        return
    yield from diff.absent
    for _, row in diff.replaced:
        yield row
