"""The journal: one ``sync_operations`` row for each settled piece of work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import psycopg

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries
from censusd.catalogue.repositories import Lease
from censusd.errors import OperationRunningError
from censusd.model import Counts, OperationStatus, OperationType, SyncOperation, Trigger

_SQL: Final = Queries("journal.sql")

HISTORY_COLUMNS: Final = (
    *("id", "operation_type", "trigger", "scope", "status", "files_scanned", "files_added", "files_updated"),
    *("files_moved", "files_removed", "files_ignored", "files_purged", "directories", "directories_moved", "problems"),
    *("bytes_hashed", "files_repaired", "files_corrupt", "start_time", "end_time", "duration_ms", "error_message"),
)
"""The columns of ``history``'s rows."""


def start(cursor: Cursor, lease: Lease, kind: OperationType, trigger: Trigger, scope: str) -> int:
    """Open a row for work that takes more than one transaction. Returns its number.

    Raises:
        OperationRunningError: another pass over this repository is running, here or elsewhere.
    """
    try:
        cursor.execute(_SQL.start, (lease.repository_id, kind, trigger, scope, lease.token))
    except psycopg.errors.UniqueViolation as error:
        raise OperationRunningError("another scan of this repository is running") from error
    return int(_one(cursor)[0])


def update(
    cursor: Cursor,
    lease: Lease,
    operation_id: int,
    counts: Counts,
    status: OperationStatus = OperationStatus.RUNNING,
    error: str | None = None,
) -> None:
    """Record how far an open row's work has come, or how it ended."""
    values = {"repository": lease.repository_id, "id": operation_id, "status": status, "error": error}
    cursor.execute(_SQL.update, asdict(counts) | values)


def record(cursor: Cursor, lease: Lease, operation: SyncOperation) -> int:
    """Write the row of work that took one transaction, in that transaction. Returns its number."""
    values: dict[str, Any] = {
        "repository": lease.repository_id,
        "token": lease.token,
        "type": operation.type,
        "trigger": operation.trigger,
        "scope": operation.scope,
        "status": operation.status,
        "duration": operation.duration,
        "error": operation.error,
    }
    cursor.execute(_SQL.record, asdict(operation.counts) | values)
    return int(_one(cursor)[0])


def extend_purge(cursor: Cursor, repository_id: UUID, operation: SyncOperation) -> None:
    """Have the row of a purge, once recorded, say what it has deleted until now, in the transaction that deletes."""
    values = {"id": operation.id, "purged": operation.counts.purged, "duration": operation.duration}
    cursor.execute(_SQL.extend_purge, values | {"repository": repository_id})


def add_to_stretch(cursor: Cursor, repository_id: UUID, operation: SyncOperation) -> int:
    """Record one batch of a stretch of deep scanning, in the batch's transaction. Returns the number of the row.

    A stretch is one row that grows, and is true after each batch; it needs no lease, and nobody to close it.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        operation: what this batch did; its id is that of the stretch's row, or 0 to begin one. The duration is the
            stretch's until now.
    """
    counts = operation.counts
    values = {
        "repository": repository_id,
        "id": operation.id,
        "type": operation.type,
        "trigger": operation.trigger,
        "scope": operation.scope,
        "duration": operation.duration,
        "files": counts.files_scanned,
        "bytes": counts.bytes_hashed,
        "problems": counts.problems,
        "corrupt": counts.corrupt,
    }
    if operation.id:
        cursor.execute(_SQL.extend_stretch, values)
        row = cursor.fetchone()
        if row is not None:
            return int(row[0])
    cursor.execute(_SQL.begin_stretch, values)
    return int(_one(cursor)[0])


def close_interrupted(cursor: Cursor, lease: Lease, *, own: bool = False) -> int:
    """Close, as failed, every row that an earlier owner left running. Returns how many.

    Args:
        cursor: an open transaction.
        lease: the present owner's.
        own: those of the present owner as well, who does nothing now and could not close them in time.
    """
    values = {"repository": lease.repository_id, "before": lease.token + own}
    cursor.execute(_SQL.close_interrupted, values)
    return cursor.rowcount


def history(cursor: Cursor, repository_id: UUID, most: int) -> list[dict[str, Any]]:
    """The newest rows first."""
    cursor.execute(_SQL.history, (repository_id, most))
    return [dict(zip(HISTORY_COLUMNS, row, strict=True)) for row in cursor]


def recent(cursor: Cursor, most: int) -> list[dict[str, Any]]:
    """The newest rows of all repositories first, each with its ``repository``'s name."""
    cursor.execute(_SQL.recent, {"most": most})
    return [dict(zip(("repository", *HISTORY_COLUMNS), row, strict=True)) for row in cursor]


def trim(cursor: Cursor, repository_id: UUID, keep: float, most: int) -> int:
    """Delete at most ``most`` rows older than ``keep`` seconds. Returns how many."""
    cursor.execute(_SQL.trim, {"repository": repository_id, "keep": keep, "most": most})
    return cursor.rowcount


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement returned no row")
    return row
