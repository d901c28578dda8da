"""Files that are there more than once: with the same content, or with names that differ hardly or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries

_SQL: Final = Queries("copies.sql")

_WRITTEN: Final = '"C.utf8"'
_COLLATIONS: Final[Mapping[str, LiteralString]] = {
    "pg_c_utf8": '"pg_c_utf8"',
    "und-x-icu": '"und-x-icu"',
    "C.utf8": '"C.utf8"',
}
"""Those that know the letters of all languages: one has every server since version 17, the others nearly every one."""

_MOST_NAMES: Final = 100


@dataclass(frozen=True, slots=True)
class Copies:
    """Files of one content.

    Attributes:
        hash: of the content.
        size: bytes of each.
        names: how many names there are.
        copies: how many files; further names of one are hard links.
        freed: bytes that would be free if there was one.
        members: ``(repository's name, path, which of the files)`` of at most 100 names.
    """

    hash: bytes
    size: int
    names: int
    copies: int
    freed: int
    members: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What there is more than once.

    Attributes:
        found: the contents that take most room first.
        contents: how many there are in all.
        freed: bytes that would be free in all if there was one file of each.
    """

    found: list[Copies]
    contents: int
    freed: int


def duplicates(
    cursor: Cursor, repositories: Collection[UUID], below: str, after: tuple[int, bytes] | None, most: int
) -> Duplicates:
    """Contents that more than one file has. Reads every row of the repositories; corrupt and empty files do not count.

    Args:
        cursor: an open transaction.
        repositories: where.
        below: only in this directory and below.
        after: ``freed`` and ``hash`` of the last one that was seen.
        most: how many.
    """
    freed, last = after or (None, b"")
    values = _placed(repositories, below)
    cursor.execute(_SQL.duplicates, values | {"freed": freed, "hash": last, "most": most})
    rows = cursor.fetchall()
    members: defaultdict[bytes, list[tuple[str, str, str]]] = defaultdict(list)
    if rows:
        both = {"hashes": [row[0] for row in rows], "sizes": [row[1] for row in rows]}
        cursor.execute(_SQL.members, values | both | {"most": _MOST_NAMES})
        for content, name, path, file in cursor:
            members[bytes(content)].append((name, path, file))
    found = [
        Copies(bytes(content), size, names, number, free, tuple(members[bytes(content)]))
        for content, size, names, number, free, *_ in rows
    ]
    return Duplicates(found, *(rows[0][5:] if rows else (0, 0)))


def unhashed(cursor: Cursor, repositories: Collection[UUID], below: str) -> tuple[int, int]:
    """How many files, and bytes in them, nobody can compare because their content was not read yet."""
    cursor.execute(_SQL.unhashed, _placed(repositories, below))
    row = cursor.fetchone()
    return (row[0], row[1]) if row else (0, 0)


def look_alikes(
    cursor: Cursor, repository_id: UUID, below: str, after: tuple[int, str], most: int
) -> list[tuple[int, str, str, list[str]]]:
    """Names of files and directories that differ from others beside them in case or Unicode normalisation only.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        below: only in this directory and below.
        after: directory and folded name of the last ones that were seen.
        most: how many.

    Returns:
        Directory, folded name, the directory's path, and the names, at most 100.
    """
    cursor.execute(_SQL.collations, (list(_COLLATIONS),))
    there = {name for (name,) in cursor}
    # A server that has none of them knows the case of ASCII letters only.
    collation = next((text for name, text in _COLLATIONS.items() if name in there), '"C"')
    statement = _SQL.look_alikes.replace(_WRITTEN, collation)
    cursor.execute(statement, _after(repository_id, below, after, most) | {"most_names": _MOST_NAMES})
    return cursor.fetchall()


def candidates(
    cursor: Cursor, repository_id: UUID, below: str, after: tuple[int, str], most: int
) -> list[tuple[int, str, str]]:
    """Present files that may be conflict copies by their names: directory, name, and the directory's path."""
    cursor.execute(_SQL.candidates, _after(repository_id, below, after, most))
    return cursor.fetchall()


def _placed(repositories: Collection[UUID], below: str) -> dict[str, Any]:
    return {"repositories": list(repositories), "below": below or None}


def _after(repository_id: UUID, below: str, after: Sequence[Any], most: int) -> dict[str, Any]:
    return {
        "repository": repository_id,
        "below": below or None,
        "directory": after[0],
        "after": after[1],
        "most": most,
    }
