"""A missing file whose content has turned up at a new place: its row takes the place of the newcomer's row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries

_SQL: Final = Queries("adoption.sql")

BEFORE: Final = 3600.0
"""Seconds before a file went missing in which its newcomer may have come: to move files to another file system is to
copy them all first, and to remove them then."""


def twins(cursor: Cursor, repository_id: UUID, after: int, until: int, most: int) -> list[tuple[int, int]]:
    """Files with the content of exactly one missing file, which are the only new ones with it.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        after: only where one of the two has changed after this number, and
        until: not after this one.
        most: how many pairs.

    Returns:
        Pairs of row numbers: the missing file, and the one that it may be now.
    """
    values = {"repository": repository_id, "after": after, "until": until, "before": BEFORE, "most": most}
    cursor.execute(_SQL.twins, values)
    return cursor.fetchall()


def adopt(cursor: Cursor, repository_id: UUID, change: int, pairs: Sequence[tuple[int, int]]) -> int:
    """Let rows of missing files take the places of newcomers with the same content, whose own rows go.

    What the newcomers' content and names said goes along. A pair that is not certain any more is left alone: one of the
    two has changed, or a third file has the same content.

    Args:
        cursor: a transaction that was begun with a change number by the repository's owner.
        repository_id: the repository.
        change: that number.
        pairs: row numbers, the missing file's first.

    Returns:
        How many rows have moved.
    """
    gone, found = zip(*pairs, strict=True)
    values: dict[str, Any] = {"repository": repository_id, "gone": list(gone), "found": list(found), "before": BEFORE}
    cursor.execute(_SQL.certain, values)
    moves = cursor.fetchall()
    if not moves:
        return 0
    columns = [list(column) for column in zip(*moves, strict=True)]
    rows, newcomers = columns[0], columns[1]
    for statement in (_SQL.forget_claims, _SQL.forget_corruption, _SQL.forget_metadata, _SQL.forget_relations):
        cursor.execute(statement, (repository_id, rows))
    for statement in (_SQL.hand_corruption_over, _SQL.hand_metadata_over, _SQL.hand_relations_over):
        cursor.execute(statement, (rows, newcomers, repository_id))
    cursor.execute(_SQL.remove, (repository_id, newcomers))
    names = ("directories", "names", "sizes", "mtimes", "ctimes", "inodes", "links")
    cursor.execute(
        _SQL.settle,
        {"repository": repository_id, "change": change, "ids": rows} | dict(zip(names, columns[2:], strict=True)),
    )
    return len(moves)
