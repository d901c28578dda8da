"""The directories' rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries
from censusd.model import FileState, KnownDirectory, Listing, Problem

_SQL: Final = Queries("directories.sql")

ROOT_PARENT: Final = 0
"""The parent of every root."""


def children(cursor: Cursor, repository_id: UUID, parents: Collection[int]) -> list[KnownDirectory]:
    """Every directory on record in the given ones, missing and ignored ones included."""
    if not parents:
        return []
    cursor.execute(_SQL.columns_children, (repository_id, list(parents)))
    return [KnownDirectory(*row) for row in cursor]


def by_path(cursor: Cursor, repository_id: UUID, paths: Collection[str]) -> dict[str, KnownDirectory]:
    """The present directories at the given paths."""
    if not paths:
        return {}
    cursor.execute(_SQL.by_path, (repository_id, list(paths)))
    return {row[3]: KnownDirectory(*row) for row in cursor}


def by_id(cursor: Cursor, repository_id: UUID, ids: Collection[int]) -> dict[int, KnownDirectory]:
    """The directories with the given row numbers, whatever their state."""
    if not ids:
        return {}
    cursor.execute(_SQL.by_id, (repository_id, list(ids)))
    return {row[0]: KnownDirectory(*row) for row in cursor}


def by_inode(cursor: Cursor, repository_id: UUID, inodes: Collection[int]) -> list[KnownDirectory]:
    """The directories, present or missing, that had one of the given inode numbers when they were last seen."""
    if not inodes:
        return []
    cursor.execute(_SQL.by_inode, (repository_id, list(inodes)))
    return [KnownDirectory(*row) for row in cursor]


def allocate(cursor: Cursor, number: int) -> list[int]:
    """Row numbers for directories that are about to be created."""
    if not number:
        return []
    cursor.execute(_SQL.allocate, (number,))
    return [found for (found,) in cursor]


def create(cursor: Cursor, repository_id: UUID, change: int, created: Sequence[KnownDirectory]) -> None:
    """Add directories under row numbers that were allocated for them; parents and children in any order."""
    if created:
        columns = zip(*((d.id, d.parent_id, d.name, d.path, d.inode) for d in created), strict=True)
        cursor.execute(_SQL.insert, (repository_id, change, *(list(column) for column in columns)))


def listed(
    cursor: Cursor,
    repository_id: UUID,
    generation: int,
    seen_at: datetime,
    listings: Sequence[tuple[int, Listing, bytes | None]],
) -> None:
    """Record complete listings, each given as ``(id, listing, digest to store or None)``; troubles are over."""
    if not listings:
        return
    cursor.execute(
        _SQL.listed,
        {
            "repository": repository_id,
            "generation": generation,
            "seen_at": seen_at,
            "ids": [number for number, _, _ in listings],
            "devices": [listing.device for _, listing, _ in listings],
            "inodes": [listing.inode for _, listing, _ in listings],
            "births": [listing.birth_ns for _, listing, _ in listings],
            "digests": [digest for _, _, digest in listings],
        },
    )


def forget_digests(cursor: Cursor, repository_id: UUID, ids: Collection[int]) -> None:
    """The given directories' rows no longer follow from a complete listing: the next pass has to compare them."""
    if ids:
        cursor.execute(_SQL.forget_digests, (repository_id, list(ids)))


def set_digests(cursor: Cursor, repository_id: UUID, digests: Mapping[int, bytes]) -> None:
    """The given directories' rows follow from these listings."""
    if digests:
        cursor.execute(_SQL.set_digests, (list(digests), list(digests.values()), repository_id))


def trouble(cursor: Cursor, repository_id: UUID, problems: Mapping[int, Problem], *, only_there: bool = False) -> None:
    """Record why directories could not be read.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        problems: row number of a directory -> why.
        only_there: whether the directories below could be read all the same; else nothing was learnt of them.
    """
    if not problems:
        return
    kinds = [str(problem.kind) for problem in problems.values()]
    details = [problem.detail for problem in problems.values()]
    cursor.execute(_SQL.trouble, (list(problems), kinds, details, repository_id))
    if not only_there:
        cursor.execute(_SQL.unseen_below, {"repository": repository_id, "ids": list(problems)})


def move(cursor: Cursor, repository_id: UUID, change: int, record: KnownDirectory, parent: int, path: str) -> None:
    """Give a directory another place; it and the directories below it get new paths, its files are not touched.

    A missing directory that still claims the new place steps aside; a missing directory that moves is present again.
    """
    name = path.rpartition("/")[2]
    cursor.execute(_SQL.displace, (change, repository_id, parent, name))
    cursor.execute(_SQL.move, (parent, name, change, repository_id, record.id))
    cursor.execute(
        _SQL.move_paths,
        {
            "repository": repository_id,
            "id": record.id,
            "new": path,
            "change": change,
            "restore": record.state == FileState.MISSING,
        },
    )


def restore(cursor: Cursor, repository_id: UUID, change: int, ids: Collection[int]) -> None:
    """The given directories are there again; what is in them is found by listing them."""
    if ids:
        cursor.execute(_SQL.restore, (change, repository_id, list(ids)))


def below(cursor: Cursor, repository_id: UUID, ids: Collection[int]) -> list[tuple[int, int]]:
    """The given directories and all below them, deepest first, each with how many rows in it are not missing."""
    if not ids:
        return []
    cursor.execute(_SQL.below, {"repository": repository_id, "ids": list(ids)})
    return cursor.fetchall()


def withdraw(cursor: Cursor, repository_id: UUID, change: int, ids: Collection[int], state: FileState) -> None:
    """Mark directories missing or ignored; what is in them is for the caller to mark as well."""
    if ids:
        values = {"repository": repository_id, "ids": list(ids), "state": int(state), "change": change}
        cursor.execute(_SQL.withdraw, values)


def orphans(cursor: Cursor, repository_id: UUID, most: int) -> list[int]:
    """At most ``most`` present directories whose parent has no row, or is missing. Reads the whole table."""
    cursor.execute(_SQL.orphans, (repository_id, most))
    return [number for (number,) in cursor]


def files_below(cursor: Cursor, repository_id: UUID, ids: Collection[int]) -> int:
    """How many present files there are in the given directories and below."""
    if not ids:
        return 0
    cursor.execute(_SQL.files_below, {"repository": repository_id, "ids": list(ids)})
    return _count(cursor)


def problems(
    cursor: Cursor, repository_id: UUID, most: int = 1000
) -> Iterable[tuple[str, str, str, datetime, datetime | None]]:
    """Directories that cannot be read: ``(path, kind, detail, since, last listed)``, in order of path."""
    cursor.execute(_SQL.problems, (repository_id, most))
    return cursor.fetchall()


def tops(cursor: Cursor, repository_id: UUID, most: int = 10_000) -> list[tuple[str, int, int, int]]:
    """Where file systems begin, the root's too: ``(path, device, inode, birth_ns)`` of directories on others than their
    parents.
    """
    cursor.execute(_SQL.tops, (repository_id, most))
    return cursor.fetchall()


def renumber(cursor: Cursor, repository_id: UUID, devices: Mapping[int, int]) -> None:
    """File systems have come back under other device numbers, old -> new: carry that over to their directories.

    All at once, because they may have exchanged them.
    """
    if devices:
        cursor.execute(_SQL.renumber, (list(devices), list(devices.values()), repository_id))


def troubled(cursor: Cursor, repository_id: UUID, most: int, *, since: str = "") -> list[str]:
    """Paths of directories that cannot be read, in order, beginning with ``since`` or what comes after it."""
    cursor.execute(_SQL.troubled, (repository_id, since, most))
    return [path for (path,) in cursor]


def count(cursor: Cursor, repository_id: UUID) -> tuple[int, int]:
    """How many directories are present, and how many of them carry a problem."""
    cursor.execute(_SQL.count, (repository_id,))
    row = cursor.fetchone() or (0, 0)
    return row[0], row[1]


def outlast_jump(cursor: Cursor, repository_id: UUID, jump: float) -> None:
    """The clock was set by so many seconds: what is missing is so for as long as before."""
    cursor.execute(_SQL.outlast_jump, {"repository": repository_id, "jump": jump})


def purge(cursor: Cursor, repository_id: UUID, grace: float, most: int) -> int:
    """Delete at most ``most`` empty directory rows that have been missing for ``grace`` seconds."""
    cursor.execute(_SQL.purge, {"repository": repository_id, "grace": grace, "most": most})
    return cursor.rowcount


def _count(cursor: Cursor) -> int:
    row = cursor.fetchone()
    return int(row[0]) if row else 0
