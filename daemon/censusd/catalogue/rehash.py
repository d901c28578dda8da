"""Reading content again, to see whether it is still what was recorded; and what is not.

Claims are those of ``deep_queue``: a file is looked at by one worker at a time, whatever for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.deep_queue import LOST_DELAY, LOST_OFTEN, ClaimedFile, where
from censusd.catalogue.queries import Queries
from censusd.model import ASKED, EVERYTHING, UNASKED, Places, Strategy

_SQL: Final = Queries("rehash.sql")

AT_LEAST_BETWEEN: Final = 86400.0
"""Seconds after which content that was read may be read again without anybody asking."""

FROM_THE_FIRST: Final = "-infinity"
"""The position of what was never read again."""

CORRUPT_COLUMNS: Final = ("path", "size", "content_hash", "found_hash", "found_at")
"""The columns of ``corrupt``'s rows: the hash on record, and that of what is there; both in hex."""

_LARGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be read again.

    Attributes:
        file: only this row.
        below: only what is in this directory and below.
        places: what is done where in the repository.
        strategies: only where one of these things is.
        before: only what was read last before this time of the database's; None for what was not read for
            ``AT_LEAST_BETWEEN`` seconds.
    """

    file: int | None = None
    below: str | None = None
    places: Places = EVERYTHING
    strategies: frozenset[Strategy] = ASKED
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be read again.

    Attributes:
        left: bytes that the files may have together.
        whole: whether that is all there is for a day: then a file that is larger is taken, alone.
    """

    left: int = _LARGEST
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Unread:
    """What is still to be read again at a place.

    Attributes:
        files: how many files.
        bytes: in them.
        taken: at how many of them somebody is.
        later: how many of them could not be read, or were not what the catalogue says, and have to wait.
    """

    files: int = 0
    bytes: int = 0
    taken: int = 0
    later: int = 0

    @property
    def waiting(self) -> int:
        """How many can be read now."""
        return self.files - self.taken - self.later


def spent(cursor: Cursor, repository_id: UUID) -> int:
    """How many bytes were read again today (in UTC) without anybody asking."""
    cursor.execute(_SQL.spent, (repository_id,))
    return int(_one(cursor)[0])


def oldest(cursor: Cursor, repository_id: UUID, places: Places) -> float | None:
    """For how many seconds the file whose turn it is has not been read; None if there is none, or nobody knows.

    Only files count that are read without anybody asking.
    """
    cursor.execute(_SQL.oldest, {"repository": repository_id, **where(places, UNASKED)})
    row = cursor.fetchone()
    return row[0] if row else None


def claim(
    cursor: Cursor,
    repository_id: UUID,
    worker: str,
    place: Place,
    *,
    since: str,
    most: int,
    budget: Budget,
    lease: float,
) -> tuple[list[ClaimedFile], str | None]:
    """Take files that nobody is at, those first that were not read for longest.

    Args:
        cursor: an open transaction; the claims hold once it is committed.
        repository_id: the repository.
        worker: who takes them.
        place: which.
        since: what was read last before this position was looked at already.
        most: how many.
        budget: how much they may have together.
        lease: seconds after which others may take them, unless the lease is renewed.

    Returns:
        The files, and the position to go on from; None where nothing is left.
    """
    values = {
        **_placed(repository_id, place),
        "worker": worker,
        "since": since,
        "rest": AT_LEAST_BETWEEN,
        "most": most,
        "left": budget.left,
        "whole": budget.whole,
        "lease": lease,
        "lost_delay": LOST_DELAY,
        "lost_often": LOST_OFTEN,
    }
    cursor.execute(_SQL.claim, values)
    rows = cursor.fetchall()
    # Where there are no attempts, somebody else was quicker.
    return [ClaimedFile(*row[:11]) for row in rows if row[8] is not None], rows[-1][11] if rows else None


def compare(cursor: Cursor, repository_id: UUID, read: Sequence[tuple[ClaimedFile, bytes]]) -> dict[int, bool]:
    """Note that files were read, each if its row is what it was when it was claimed.

    Args:
        cursor: a transaction that keeps the repository's other writers out.
        repository_id: the repository.
        read: files, and the hash of what was read.

    Returns:
        Row -> whether the hash on record is the same; rows that have changed otherwise are left out.
    """
    values = {
        "repository": repository_id,
        "ids": [file.id for file, _ in read],
        "changes": [file.change_number for file, _ in read],
        "hashes": [made for _, made in read],
    }
    cursor.execute(_SQL.compare, values)
    return dict(cursor.fetchall())


def mark(cursor: Cursor, repository_id: UUID, found: Sequence[tuple[ClaimedFile, bytes]]) -> set[int]:
    """Record that files hold other content than they should. Returns those of which that was not known."""
    if not found:
        return set()
    values = {
        "repository": repository_id,
        "ids": [file.id for file, _ in found],
        "ctimes": [file.ctime_ns for file, _ in found],
        "hashes": [made for _, made in found],
        "recorded": [file.recorded for file, _ in found],
    }
    cursor.execute(_SQL.mark, values)
    return {number for (number,) in cursor}


def clear(cursor: Cursor, repository_id: UUID, ids: Collection[int]) -> set[int]:
    """Record that files hold what they should. Returns those of which something else was known."""
    if not ids:
        return set()
    cursor.execute(_SQL.clear, (repository_id, list(ids)))
    return {number for (number,) in cursor}


def number(cursor: Cursor, repository_id: UUID, change: int, ids: Collection[int]) -> None:
    """Let those who follow the changes know of these files."""
    cursor.execute(_SQL.number, (change, repository_id, list(ids)))


def accept(cursor: Cursor, repository_id: UUID, change: int, place: Place) -> list[int]:
    """Take what was found in corrupt files for what should be there. Returns their rows.

    Args:
        cursor: a transaction that was begun with a change number.
        repository_id: the repository.
        change: that number.
        place: which files; of it, ``file`` and ``below`` count.
    """
    cursor.execute(_SQL.accept, _placed(repository_id, place) | {"change": change})
    return [found for (found,) in cursor]


def corrupt(cursor: Cursor, repository_id: UUID, most: int) -> list[dict[str, Any]]:
    """At most ``most`` corrupt files, those that were found last first."""
    cursor.execute(_SQL.corrupt, (repository_id, most))
    return [dict(zip(CORRUPT_COLUMNS, row, strict=True)) for row in cursor]


def corrupt_file(cursor: Cursor, repository_id: UUID, file_id: int) -> dict[str, Any] | None:
    """What was found in a file that is corrupt, as ``found_hash`` in hex, and when; None if it is not."""
    cursor.execute(_SQL.corrupt_file, (repository_id, file_id))
    row = cursor.fetchone()
    return {"found_hash": row[0], "found_at": row[1]} if row else None


def count(cursor: Cursor, repository_id: UUID) -> int:
    """How many files are corrupt."""
    cursor.execute(_SQL.count, (repository_id,))
    return int(_one(cursor)[0])


def unread(cursor: Cursor, repository_id: UUID, place: Place) -> Unread:
    """Count what is still to be read again at a place."""
    cursor.execute(_SQL.unread, _placed(repository_id, place))
    return Unread(*_one(cursor))


def _placed(repository_id: UUID, place: Place) -> dict[str, Any]:
    return {
        "repository": repository_id,
        "file": place.file,
        "below": place.below or None,
        **where(place.places, place.strategies),
        "before": place.before,
    }


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement returned no row")
    return row
