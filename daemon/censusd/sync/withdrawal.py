"""Marking rows missing: proved once more at the last moment, and a bounded number in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final
from uuid import UUID

from censusd.catalogue import directories, files
from censusd.catalogue.connection import Cursor
from censusd.filesystem.walk import Tree, has_vanished
from censusd.model import Counts, FileState, KnownDirectory, Listing, Problem, Scope, split

CHUNK: Final = 10_000
"""Rows marked in one transaction: about a tenth of a second."""


def still_absent_files(cursor: Cursor, repository_id: UUID, tree: Tree, ids: Iterable[int]) -> list[int]:
    """Those of the rows whose file, looked for where the row says now, is still not there."""
    places: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for number, directory, name in files.places(cursor, repository_id, list(ids)):
        places[directory][name] = number
    absent: list[int] = []
    for directory, names in places.items():
        seen = tree.look(directory, frozenset(names)).seen
        if isinstance(seen, Problem):
            if has_vanished(seen):
                absent += names.values()
            continue
        there = {entry[0] for entry in seen.files()} | seen.hidden | seen.unknown.keys()
        absent += [number for name, number in names.items() if name not in there]
    return absent


def still_absent_directories(cursor: Cursor, repository_id: UUID, tree: Tree, ids: Iterable[int]) -> list[int]:
    """Those of the directories that are, looked for where their row says now, still not there."""
    absent: list[int] = []
    for record, name, seen in _looked_for(cursor, repository_id, tree, ids):
        if isinstance(seen, Problem):
            if has_vanished(seen):
                absent.append(record.id)
        elif name not in {entry[0] for entry in seen.subdirectories} | seen.hidden | seen.unknown.keys():
            absent.append(record.id)
    return absent


def still_hidden_directories(cursor: Cursor, repository_id: UUID, tree: Tree, ids: Iterable[int]) -> list[int]:
    """Those of the directories that the policy, as it is now, still hides."""
    return [
        record.id
        for record, name, seen in _looked_for(cursor, repository_id, tree, ids)
        if not isinstance(seen, Problem) and name in seen.hidden
    ]


def _looked_for(
    cursor: Cursor, repository_id: UUID, tree: Tree, ids: Iterable[int]
) -> Iterator[tuple[KnownDirectory, str, Listing | Problem]]:
    """Directories that are not missing, each with its name and what a look for it gives."""
    for record in directories.by_id(cursor, repository_id, list(ids)).values():
        parent, name = split(record.path)
        if name and record.state != FileState.MISSING:
            yield record, name, tree.look(parent, frozenset({name})).seen


def chunks_of(numbers: Iterable[int]) -> Iterator[list[int]]:
    """The numbers, as many at a time as one transaction takes."""
    iterator = iter(numbers)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def directory_chunks(cursor: Cursor, repository_id: UUID, ids: Iterable[int]) -> list[list[int]]:
    """The directories and all below them, deepest first, in groups with a bounded number of rows.

    A directory with more rows than a chunk makes as many groups as it takes, each of itself alone.
    """
    groups: list[list[int]] = []
    rows = CHUNK
    for number, count in directories.below(cursor, repository_id, list(ids)):
        if count >= CHUNK:
            groups += [[number]] * (count // CHUNK + 1)
            rows = CHUNK
            continue
        if rows + count + 1 > CHUNK:
            groups.append([])
            rows = 0
        groups[-1].append(number)
        rows += count + 1
    return groups


def withdraw_directories(
    repository_id: UUID, ids: list[int], state: FileState, cursor: Cursor, change: int, counts: Counts
) -> Scope:
    """Mark files in directories, not below them, missing or ignored; and the directories once no file is left in them.

    Returns:
        The other names of the files that are gone: their link count has changed, and nothing else says so.
    """
    marked, withdrawn, linked = files.withdraw_directories(cursor, repository_id, change, ids, state, CHUNK)
    if marked < CHUNK:
        directories.withdraw(cursor, repository_id, change, ids, state)
    if state != FileState.MISSING:
        counts.ignored += withdrawn
        return Scope()
    counts.removed += withdrawn
    names: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for _, directory, name in files.linked(cursor, repository_id, dict.fromkeys(linked)):
        names[directory][name] = False
    return Scope(names=names)


def withdraw_absent(
    repository_id: UUID,
    tree: Tree,
    digests: dict[int, bytes],
    ids: list[int],
    cursor: Cursor,
    change: int,
    counts: Counts,
) -> Scope:
    """Mark files missing, those of them that are still not there.

    If some are back, or nobody can tell, the ``digests`` that wait for them are of no use: their rows stay.
    """
    tree.refresh()
    absent = still_absent_files(cursor, repository_id, tree, ids)
    if len(absent) < len(ids):
        digests.clear()
    counts.removed += files.withdraw(cursor, repository_id, change, absent, FileState.MISSING)
    return Scope()


def set_digests(repository_id: UUID, digests: dict[int, bytes], cursor: Cursor, _change: int, _counts: Counts) -> Scope:
    """Store the digests that had to wait until the absent files were marked."""
    directories.set_digests(cursor, repository_id, digests)
    return Scope()
