"""The other names of files that have several.

Such a file changes under all its names at once (its link count and time of change do with every name that is made or
taken away), but the kernel reports only the name that was used; and nothing at all where that is a name which nobody
watches, in an ignored directory or outside the tree. Those are looked at again and again: see ``Elsewhere``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import UUID

from censusd.catalogue import files
from censusd.catalogue.connection import Cursor
from censusd.model import FileEntry, KnownFile, Scope
from censusd.sync.context import Repository
from censusd.sync.diff import FileDiff
from censusd.sync.directory_rows import Listed
from censusd.sync.moves import place_now
from censusd.sync.plan import Plan

Compared = tuple[Listed, FileDiff, Collection[KnownFile]]
"""A directory, what happened to its files, and the rows that they were compared with."""


_AT_ONCE: Final = 5_000
_BEFORE_ALL: Final = -(1 << 63)


def other_names(
    cursor: Cursor,
    repository_id: UUID,
    plan: Plan,
    compared: Iterable[Compared],
    settled: Collection[int],
    rewritten: Mapping[str, Collection[str]],
) -> list[tuple[str, str, bool]]:
    """``(directory, name, written)`` of what has to be looked at because it is a file that was found changed elsewhere.

    Its content counts as changed, too, if somebody has written it under the other name, whatever its stat says.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        plan: what is about to be written.
        compared: everything that the plan comes from.
        settled: rows that need no further look.
        rewritten: directory -> names that a writer has closed since.
    """
    inodes: dict[tuple[int, int], int | None] = {}
    written: set[tuple[int, int]] = set()
    for listed, diff, known in compared:
        device = listed.seen.device
        closed = rewritten.get(listed.path, ())
        for entry in _entries(listed, diff):
            if entry[5] > 1 and entry[4]:
                inodes[device, entry[4]] = entry[3]
                if entry[0] in closed:
                    written.add((device, entry[4]))
        for row in _rows(listed, diff, known):
            if row[8] > 1 and row[7]:
                inodes.setdefault((device, row[7]), None)
    if not inodes:
        return []
    places, done = plan.places(), {number for number, _, _ in plan.updates}

    def found(them: Mapping[tuple[int, int], int | None], *, closed: bool) -> list[tuple[str, str, bool]]:
        return [
            (place_now(directory, places), name, closed)
            for number, directory, name in files.linked(cursor, repository_id, them)
            if number not in done and number not in settled
        ]

    return found(inodes, closed=False) + found(dict.fromkeys(written), closed=True)


class Elsewhere:
    """Goes through the files that have names which are not on record, some at a time.

    Args:
        repository: a repository that this process owns.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._after = _BEFORE_ALL

    def next(self) -> Scope:
        """The names on record of the next files; nothing at the end, and then the first ones again.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        with self._repository.catalogue.transaction() as cursor:
            found = files.linked_elsewhere(cursor, self._repository.id, self._after, _AT_ONCE)
        self._after = found[-1][0] if found else _BEFORE_ALL
        names: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        for _, directory, name in found:
            names[directory][name] = False
        return Scope(names=names)


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
