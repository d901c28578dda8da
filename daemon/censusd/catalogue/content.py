"""What the deep scan has found out, and what it still has to look at, for people who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.deep_queue import LOST_DELAY, LOST_OFTEN
from censusd.catalogue.queries import Queries
from censusd.model import ROOT, Fingerprint, Places, Strategy

_SQL: Final = Queries("content.sql")

FAILURE_COLUMNS: Final = ("path", "size", "attempts", "reason", "quarantined_at", "retry_at")
"""The columns of ``failures``' rows."""

ATTEMPT_COLUMNS: Final = ("attempts", "put_off", "reason", "quarantined_at", "retry_at", "worker")
"""The columns of ``attempt``'s row; ``worker`` is who is at it now."""

CONTENT_COLUMNS: Final = (
    *("kind", "mime_type", "title", "width", "height", "duration", "pages", "created", "language", "latitude"),
    *("longitude", "details", "extractor", "extractor_version", "extracted_at", "problem"),
)
"""The columns of ``of_file``'s row, as ``file_metadata`` has them."""

RELATION_COLUMNS: Final = ("kind", "name", "role", "position")
"""The columns of ``relations_of_file``'s rows."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Files whose content is not known, by what becomes of them.

    Attributes:
        waiting: may be looked at now.
        waiting_bytes: their bytes.
        taken: somebody is at them.
        later: could not be read, or were not what the catalogue says, and are tried again later.
        given_up: are in quarantine, until they change or somebody says: retry.
        backlog_bytes: bytes of all but those.
    """

    waiting: int = 0
    waiting_bytes: int = 0
    taken: int = 0
    later: int = 0
    given_up: int = 0
    backlog_bytes: int = 0

    @property
    def backlog(self) -> int:
        """How many are still to be done: all but those that were given up."""
        return self.waiting + self.taken + self.later

    @property
    def files(self) -> int:
        """How many there are in all."""
        return self.backlog + self.given_up

    def __add__(self, other: Queue) -> Queue:
        return Queue(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


def queues(
    cursor: Cursor, repository_id: UUID, places: Places, *, below: str = ROOT, file: int | None = None
) -> dict[Strategy, Queue]:
    """Count the present files whose content is not known, by what is done about them.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        places: where what is done.
        below: only those in this directory and below.
        file: only this row.
    """
    named, strategies = zip(*places.pairs(), strict=True)
    values = {
        "repository": repository_id,
        "below": below,
        "file": file,
        "places": list(named),
        "strategies": list(strategies),
        "lost_delay": LOST_DELAY,
        "lost_often": LOST_OFTEN,
    }
    cursor.execute(_SQL.queues, values)
    found = {(strategy, standing): (number, size) for strategy, standing, number, size in cursor}
    return {one: _queue({standing: count for (of, standing), count in found.items() if of == one}) for one in Strategy}


def _queue(found: Mapping[str, tuple[int, int]]) -> Queue:
    waiting, taken, later, given_up = (found.get(name, (0, 0)) for name in ("waiting", "taken", "later", "given_up"))
    return Queue(waiting[0], waiting[1], taken[0], later[0], given_up[0], waiting[1] + taken[1] + later[1])


def workers(cursor: Cursor) -> dict[str, int]:
    """Everybody who is at files now: worker -> at how many."""
    cursor.execute(_SQL.workers)
    return dict(cursor.fetchall())


def failures(cursor: Cursor, repository_id: UUID, most: int) -> list[dict[str, Any]]:
    """At most ``most`` files that could not be read: those in quarantine first, then those that are tried again."""
    cursor.execute(_SQL.failures, (repository_id, most))
    return [dict(zip(FAILURE_COLUMNS, row, strict=True)) for row in cursor]


def attempt(cursor: Cursor, repository_id: UUID, file_id: int) -> dict[str, Any] | None:
    """What became of a file when it was looked at, if its content is still not known and somebody has tried."""
    cursor.execute(_SQL.attempt, (repository_id, file_id))
    row = cursor.fetchone()
    return dict(zip(ATTEMPT_COLUMNS, row, strict=True)) if row else None


def sample(cursor: Cursor, repository_id: UUID, below: str, most: int) -> list[tuple[str, str, Fingerprint]]:
    """Some present files in a directory and below, at most twice ``most``: directory, name and version on record."""
    cursor.execute(_SQL.sample, {"repository": repository_id, "below": below, "most": most})
    return [
        (directory, name, Fingerprint(size, mtime_ns, ctime_ns, 0, inode))
        for directory, name, size, mtime_ns, ctime_ns, inode in cursor
    ]


def of_file(cursor: Cursor, repository_id: UUID, file_id: int) -> dict[str, Any] | None:
    """What was found in a file, without its relations; None if nothing has looked into it."""
    cursor.execute(_SQL.of_file, (repository_id, file_id))
    row = cursor.fetchone()
    return dict(zip(CONTENT_COLUMNS, row, strict=True)) if row else None


def relations_of_file(cursor: Cursor, repository_id: UUID, file_id: int) -> list[dict[str, Any]]:
    """The people, series and tags that a file has to do with, by kind, role and position."""
    cursor.execute(_SQL.relations_of_file, (repository_id, file_id))
    return [dict(zip(RELATION_COLUMNS, row, strict=True)) for row in cursor]
