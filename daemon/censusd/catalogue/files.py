"""The files' rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from struct import Struct
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries
from censusd.model import Candidate, Effect, FileEntry, FileState, KnownFile, ScanPhase

_SQL: Final = Queries("files.sql")

# The binary COPY format, from PostgreSQL's manual: signature, flags, header extension length; per row a 16-bit count of
# fields, and each field behind its 32-bit length; at the end a count of -1.
_COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END: Final = b"\xff\xff"
_COPY_ROW: Final = Struct(">hi16siqiqiqiqiqiiiqi")
_COPY_CHUNK: Final = 1000


def known(
    cursor: Cursor, repository_id: UUID, directory_ids: Collection[int], most: int | None = None
) -> dict[int, list[KnownFile]]:
    """The rows of the given directories, by directory; ignored ones included.

    Without those that are missing: in a directory in which files come and go all the time, they are most of all.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        directory_ids: the directories.
        most: how many rows of one directory to give at the most; None for all.
    """
    result: dict[int, list[KnownFile]] = {number: [] for number in directory_ids}
    if directory_ids:
        cursor.execute(_SQL.known, (list(directory_ids), repository_id, most))
        result |= _by_directory(cursor)
    return result


def known_names(
    cursor: Cursor, repository_id: UUID, names: Mapping[int, Collection[str]]
) -> dict[int, list[KnownFile]]:
    """The rows at the given names, by directory; missing ones included."""
    result: dict[int, list[KnownFile]] = {number: [] for number in names}
    pairs = [(number, name) for number, wanted in names.items() for name in wanted]
    if pairs:
        cursor.execute(_SQL.known_names, ([n for n, _ in pairs], [name for _, name in pairs], repository_id))
        result |= _by_directory(cursor)
    return result


def known_between(
    cursor: Cursor, repository_id: UUID, gaps: Mapping[int, Collection[tuple[str, str]]]
) -> dict[int, list[KnownFile]]:
    """The rows whose names lie between two others in byte order, given as directory -> ``(after, before)``.

    Without those that are missing, as in ``known``.
    """
    result: dict[int, list[KnownFile]] = {number: [] for number in gaps}
    wanted = [(number, after, before) for number, between in gaps.items() for after, before in between]
    if wanted:
        numbers, afters, befores = zip(*wanted, strict=True)
        cursor.execute(_SQL.known_between, (list(numbers), list(afters), list(befores), repository_id))
        result |= _by_directory(cursor)
    return result


def names_after(cursor: Cursor, repository_id: UUID, directory_id: int, name: str, most: int) -> list[str]:
    """The next ``most`` names on record in a directory after ``name``, in byte order, missing ones left out."""
    cursor.execute(_SQL.names_after, (repository_id, directory_id, name, most))
    return [found for (found,) in cursor]


def by_inode(cursor: Cursor, repository_id: UUID, inodes: Collection[int]) -> list[Candidate]:
    """The rows, present or missing, that had one of the given inode numbers when they were last seen."""
    if not inodes:
        return []
    cursor.execute(_SQL.by_inode, (repository_id, list(inodes)))
    return [Candidate(*row) for row in cursor]


def linked(
    cursor: Cursor, repository_id: UUID, inodes: Mapping[tuple[int, int], int | None]
) -> list[tuple[int, str, str]]:
    """The present rows of files by their other names: ``(id, directory path, name)``.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        inodes: (device, inode) -> ctime_ns of the file now, or None where it is not known; rows that have it are left
            out.
    """
    if not inodes:
        return []
    devices, numbers = zip(*inodes, strict=True)
    cursor.execute(_SQL.linked, (list(devices), list(numbers), list(inodes.values()), repository_id))
    return cursor.fetchall()


def linked_elsewhere(cursor: Cursor, repository_id: UUID, after: int, most: int) -> list[tuple[int, str, str]]:
    """The present rows of files that have more names than are on record: ``(inode, directory path, name)``.

    And of those that the deep scan has put off because they are not as they are on record: a name that was gone before
    anybody had looked at it changes a file, too.

    About ``most`` rows with inode numbers greater than ``after``, in order; all of one number, or none.
    """
    cursor.execute(_SQL.linked_elsewhere, {"repository": repository_id, "after": after, "most": most})
    return cursor.fetchall()


def places(cursor: Cursor, repository_id: UUID, ids: Sequence[int]) -> list[tuple[int, str, str]]:
    """Where the given rows that are not missing are now: ``(id, directory path, name)``."""
    cursor.execute(_SQL.places, (repository_id, list(ids)))
    return cursor.fetchall()


def create(cursor: Cursor, repository_id: UUID, change: int, created: Sequence[tuple[int, list[FileEntry]]]) -> int:
    """Add files by COPY, given as ``(directory_id, entries)``. Returns how many."""
    total = sum(len(entries) for _, entries in created)
    if not total:
        return 0
    with cursor.copy(_SQL.copy) as copy:
        copy.write(_COPY_HEADER)
        for directory_id, entries in created:
            for start in range(0, len(entries), _COPY_CHUNK):
                rows = _copy_rows(repository_id.bytes, directory_id, change, entries[start : start + _COPY_CHUNK])
                copy.write(rows)
        copy.write(_COPY_END)
    return total


def update(cursor: Cursor, repository_id: UUID, change: int, updates: Sequence[tuple[int, FileEntry, Effect]]) -> None:
    """Give rows, by id, the stat that was seen on disk; they are present afterwards."""
    if not updates:
        return
    cursor.execute(
        _SQL.update,
        {
            "repository": repository_id,
            "change": change,
            "ids": [number for number, _, _ in updates],
            "sizes": [entry[1] for _, entry, _ in updates],
            "mtimes": [entry[2] for _, entry, _ in updates],
            "ctimes": [entry[3] for _, entry, _ in updates],
            "inodes": [entry[4] for _, entry, _ in updates],
            "links": [entry[5] for _, entry, _ in updates],
            "effects": [int(effect) for _, _, effect in updates],
        },
    )


def move(cursor: Cursor, repository_id: UUID, change: int, moves: Sequence[tuple[int, int, str]]) -> None:
    """Give rows new places, as ``(id, directory_id, name)``; what is there must be missing or move itself.

    Every mover first leaves its place for a name that no file can have, so that any permutation is possible; a missing
    row at a new place steps aside in the same way.
    """
    if not moves:
        return
    ids = [number for number, _, _ in moves]
    directory_ids = [directory for _, directory, _ in moves]
    names = [name for _, _, name in moves]
    cursor.execute(_SQL.leave, (repository_id, ids))
    cursor.execute(_SQL.displace, (change, directory_ids, names, repository_id))
    cursor.execute(_SQL.arrive, (ids, directory_ids, names, repository_id))


def withdraw(cursor: Cursor, repository_id: UUID, change: int, ids: Collection[int], state: FileState) -> int:
    """Mark rows missing or ignored. Returns how many of them were present."""
    if not ids:
        return 0
    cursor.execute(
        _SQL.withdraw, {"repository": repository_id, "ids": list(ids), "state": int(state), "change": change}
    )
    return sum(1 for (old,) in cursor if old == FileState.PRESENT)


def withdraw_directories(
    cursor: Cursor, repository_id: UUID, change: int, directory_ids: Collection[int], state: FileState, most: int
) -> tuple[int, int, set[tuple[int, int]]]:
    """Mark at most ``most`` rows in the given directories missing or ignored.

    Returns:
        How many that were, how many of them were present, and (device, inode) of those that had other names.
    """
    if not directory_ids:
        return 0, 0, set()
    values = {"repository": repository_id, "ids": list(directory_ids), "state": int(state), "change": change}
    cursor.execute(_SQL.withdraw_directories, values | {"most": most})
    present, linked = 0, set()
    for old, device, inode, links in cursor:
        present += old == FileState.PRESENT
        if links > 1 and inode:
            linked.add((device, inode))
    return cursor.rowcount, present, linked


def orphans(cursor: Cursor, repository_id: UUID, most: int) -> list[int]:
    """At most ``most`` present files whose directory has no row, or is missing. Reads the whole table."""
    cursor.execute(_SQL.orphans, (repository_id, most))
    return [number for (number,) in cursor]


def count_present(cursor: Cursor, repository_id: UUID) -> int:
    """How many files are present."""
    cursor.execute(_SQL.count_present, (repository_id,))
    return int(_one(cursor)[0])


def any_present(cursor: Cursor, repository_id: UUID) -> bool:
    """Whether any file is present."""
    cursor.execute(_SQL.any_present, (repository_id,))
    return bool(_one(cursor)[0])


def any_known(cursor: Cursor, repository_id: UUID) -> bool:
    """Whether there is any row at all."""
    cursor.execute(_SQL.any, (repository_id,))
    return bool(_one(cursor)[0])


def count(cursor: Cursor, repository_id: UUID) -> dict[tuple[FileState, ScanPhase], tuple[int, int]]:
    """How many files there are in each state and phase, and their bytes. Reads the whole table."""
    cursor.execute(_SQL.count, (repository_id,))
    return {(FileState(state), ScanPhase(phase)): (number, size) for state, phase, number, size in cursor}


def outlast_jump(cursor: Cursor, repository_id: UUID, jump: float) -> None:
    """The clock was set by so many seconds: what is missing is so for as long as before."""
    cursor.execute(_SQL.outlast_jump, {"repository": repository_id, "jump": jump})


def purge(cursor: Cursor, repository_id: UUID, grace: float, most: int) -> int:
    """Delete at most ``most`` rows that have been missing for ``grace`` seconds. Returns how many."""
    cursor.execute(_SQL.purge, {"repository": repository_id, "grace": grace, "most": most})
    return cursor.rowcount


def _by_directory(cursor: Cursor) -> dict[int, list[KnownFile]]:
    """Rows in order of their directory, by directory; in bulk, since a pass may fetch every row there is."""
    return {number: list(rows) for number, rows in groupby(cursor.fetchall(), itemgetter(0))}


def _copy_rows(owner: bytes, directory_id: int, change: int, entries: list[FileEntry]) -> bytes:
    """Rows in the binary COPY format; the columns are those of the statement ``copy``."""
    pack = _COPY_ROW.pack
    parts: list[bytes] = []
    for name, size, mtime, ctime, inode, links in entries:
        text = name.encode()
        # fmt: off - field after field, each behind its length
        parts += (
            pack(9, 16, owner, 8, directory_id, 8, size, 8, mtime, 8, ctime, 8, inode, 4, links, 8, change, len(text)),
            text,
        )
        # fmt: on
    return b"".join(parts)


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement returned no row")
    return row
