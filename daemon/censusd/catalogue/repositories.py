"""Repositories: who owns them, what state they are in, and the statement that begins every write."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries
from censusd.errors import LeaseLostError
from censusd.model import RepositoryState

_SQL: Final = Queries("repositories.sql")

CHANNEL: Final = "censusd_changes"
"""The NOTIFY channel; the payload is JSON with ``repository`` (its id) and ``change_number``."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one repository's rows.

    Attributes:
        repository_id: the repository.
        owner: who holds it, as text for people.
        token: grows with every new owner; a write under an older token is refused.
    """

    repository_id: UUID
    owner: str
    token: int


@dataclass(frozen=True, slots=True)
class RepositoryRecord:
    """A repository's row. Times are aware datetimes, ``reconcile_interval`` seconds."""

    id: UUID
    name: str
    root: str
    state: RepositoryState
    state_reason: str | None
    state_since: datetime
    identity: dict[str, Any] | None
    dirty_since: datetime | None
    dirty_reason: str | None
    scan_generation: int
    last_pass_at: datetime | None
    reconcile_interval: float | None
    next_reconciliation_at: datetime | None
    change_number: int
    lease_owner: str | None


def register(cursor: Cursor, name: str, root: str) -> UUID:
    """The id of the repository called ``name``, made if there is none; its root is set to ``root``."""
    cursor.execute(_SQL.register, {"name": name, "root": root})
    return UUID(str(_one(cursor)[0]))


def retire(cursor: Cursor, lease: Lease) -> None:
    """Keep the repository's rows, and say that nobody looks after them any more."""
    cursor.execute(_SQL.retire, (lease.repository_id, lease.token))


def acquire(cursor: Cursor, repository_id: UUID, owner: str, ttl: float, dead: Iterable[str] = ()) -> Lease | None:
    """Take the repository if nobody holds it, or its lease has run out, or its holder is among ``dead``.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        owner: the name to hold it by.
        ttl: seconds until the lease runs out unless it is renewed.
        dead: owners of which the caller knows that they are no more.
    """
    cursor.execute(_SQL.acquire, {"owner": owner, "ttl": ttl, "id": repository_id, "dead": list(dead)})
    row = cursor.fetchone()
    return Lease(repository_id, owner, row[0]) if row else None


def holder(cursor: Cursor, repository_id: UUID) -> tuple[str, float] | None:
    """Who holds the repository, and for how many seconds more (negative: run out)."""
    cursor.execute(_SQL.holder, (repository_id,))
    row = cursor.fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None


def renew(cursor: Cursor, lease: Lease, ttl: float) -> bool:
    """Hold the repository for another ``ttl`` seconds; False if it is lost."""
    cursor.execute(_SQL.renew, {"id": lease.repository_id, "token": lease.token, "ttl": ttl})
    return cursor.rowcount == 1


def release(cursor: Cursor, lease: Lease) -> None:
    """Let go of the repository, so that another daemon need not wait."""
    cursor.execute(_SQL.release, (lease.repository_id, lease.token))


def begin_write(cursor: Cursor, lease: Lease) -> int:
    """Begin a transaction that writes rows: fences it, puts it in order, and numbers it.

    The row lock that this takes makes commits of one repository follow one another, so that whoever has read up to a
    number has missed nothing below it.

    Raises:
        LeaseLostError: another daemon owns the repository now.
    """
    cursor.execute(_SQL.begin_write, (lease.repository_id, lease.token))
    row = cursor.fetchone()
    if row is None:
        raise LeaseLostError("another daemon has taken this repository over")
    return int(row[0])


def begin_unfenced_write(cursor: Cursor, repository_id: UUID) -> int | None:
    """Begin a transaction that writes to rows without owning the repository: puts it in order and numbers it.

    Only for what is written by compare-and-set, as the deep scan does, and never for paths. None if the repository is
    no more.
    """
    cursor.execute(_SQL.begin_unfenced_write, (repository_id,))
    row = cursor.fetchone()
    return int(row[0]) if row else None


def keep_writers_out(cursor: Cursor, repository_id: UUID) -> bool:
    """Begin a transaction that writes to rows what is no change of them: nobody else writes until it ends.

    False if the repository is no more.
    """
    cursor.execute(_SQL.lock, (repository_id,))
    return cursor.fetchone() is not None


def notify(cursor: Cursor, repository_id: UUID, change_number: int) -> None:
    """Tell listeners, when this transaction commits, that there are changes up to ``change_number``."""
    cursor.execute(_SQL.notify, (str(repository_id), change_number))


def status(cursor: Cursor, repository_id: UUID) -> RepositoryRecord:
    """The repository's row."""
    cursor.execute(_SQL.status, (repository_id,))
    return _record(_one(cursor))


def all_records(cursor: Cursor) -> dict[str, RepositoryRecord]:
    """Every repository's row by name, retired ones included."""
    cursor.execute(_SQL.all_records)
    return {record.name: record for record in map(_record, cursor)}


def set_state(cursor: Cursor, lease: Lease, state: RepositoryState, reason: str | None = None) -> None:
    """Record what is believed of the repository, and why."""
    cursor.execute(_SQL.set_state, {"state": state, "reason": reason, "id": lease.repository_id, "token": lease.token})


def set_identity(cursor: Cursor, lease: Lease, identity: object) -> None:
    """Record what makes the root this root; ``identity`` is a dataclass of plain values."""
    text = json.dumps(asdict(identity))  # type: ignore[call-overload]
    cursor.execute(_SQL.set_identity, (text, lease.repository_id, lease.token))


def mark_dirty(cursor: Cursor, lease: Lease, reason: str) -> None:
    """Leave a durable mark that something may have been missed; a complete pass that begins later clears it."""
    cursor.execute(_SQL.mark_dirty, (reason, lease.repository_id, lease.token))


def complete_pass(cursor: Cursor, lease: Lease, began: datetime) -> int:
    """Record that a complete pass, begun at ``began``, has seen the whole repository. Returns its generation."""
    cursor.execute(_SQL.complete_pass, {"began": began, "id": lease.repository_id, "token": lease.token})
    row = cursor.fetchone()
    if row is None:
        raise LeaseLostError("another daemon has taken this repository over")
    return int(row[0])


def set_schedule(cursor: Cursor, lease: Lease, interval: float, delay: float) -> datetime | None:
    """Record the interval now in force and that the next pass is due in ``delay`` seconds. Returns that time."""
    cursor.execute(_SQL.set_schedule, (interval, delay, lease.repository_id, lease.token))
    row = cursor.fetchone()
    return row[0] if row else None


def database_time(cursor: Cursor) -> datetime:
    """The database's clock, which every time in the catalogue is told by."""
    cursor.execute(_SQL.now)
    time: datetime = _one(cursor)[0]
    return time


def _record(row: tuple[Any, ...]) -> RepositoryRecord:
    record = RepositoryRecord(*row)
    identity = json.loads(row[6]) if row[6] else None
    return replace(record, state=RepositoryState(record.state), identity=identity)


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement returned no row")
    return row
