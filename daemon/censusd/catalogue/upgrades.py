"""Which files were looked at by what, and having those looked at again that something newer would see more in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries

_SQL: Final = Queries("upgrades.sql")


def versions(cursor: Cursor, repository_id: UUID) -> dict[str, int]:
    """Extractor -> the version of it that the repository's files were offered to."""
    cursor.execute(_SQL.versions, (repository_id,))
    return dict(cursor.fetchall())


def set_version(cursor: Cursor, repository_id: UUID, extractor: str, version: int) -> None:
    """The repository's files were offered to this version of an extractor, or wait to be."""
    cursor.execute(_SQL.set_version, (repository_id, extractor, version))


def outdated(cursor: Cursor, repository_id: UUID, after: int, extractors: Mapping[str, int], most: int) -> list[int]:
    """The next ``most`` rows after ``after`` whose metadata is of an older version of an extractor than is given."""
    values = {
        "repository": repository_id,
        "after": after,
        "extractors": list(extractors),
        "versions": list(extractors.values()),
        "most": most,
    }
    cursor.execute(_SQL.outdated, values)
    return [number for (number,) in cursor]


def unread(cursor: Cursor, repository_id: UUID, after: int, until: int, most: int) -> list[int]:
    """The next ``most`` rows after ``after`` of files that no extractor took, with change numbers up to ``until``."""
    cursor.execute(_SQL.unread, (repository_id, after, until, most))
    return [number for (number,) in cursor]


def unhashed(cursor: Cursor, repository_id: UUID, after: int, until: int, most: int) -> list[int]:
    """The same of files that were looked at without being hashed."""
    cursor.execute(_SQL.unhashed, (repository_id, after, until, most))
    return [number for (number,) in cursor]


def requeue(cursor: Cursor, repository_id: UUID, change: int, ids: Collection[int], *, keeps_hash: bool) -> int:
    """Have the content of files looked at again; their hashes stay until then. Returns how many.

    Args:
        cursor: a transaction that was begun with a change number.
        repository_id: the repository.
        change: that number.
        ids: the rows.
        keeps_hash: whether the hashes on record are right, so that only metadata is to be read.
    """
    cursor.execute(_SQL.requeue, (change, repository_id, list(ids)))
    again = [number for (number,) in cursor]
    if again and keeps_hash:
        cursor.execute(_SQL.requeue_claims, {"repository": repository_id, "change": change, "ids": again})
    return len(again)
