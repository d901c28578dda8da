"""Moves that only the content tells: across file systems, through an archive, or while nobody watched."""

from __future__ import annotations

import time
from collections.abc import Sequence

from censusd.catalogue import adoption, journal, repositories
from censusd.model import Counts, OperationStatus, OperationType, SyncOperation, Trigger
from censusd.sync.context import Repository


def adopt(repository: Repository, pairs: Sequence[tuple[int, int]], trigger: Trigger) -> SyncOperation | None:
    """Let missing files' rows take the places where their content has turned up, as far as that is certain still.

    Args:
        repository: whose rows.
        pairs: row numbers, the missing file's first.
        trigger: why.

    Returns:
        What was done, or None if nothing was certain.

    Raises:
        LeaseLostError: another daemon owns the repository now.
        CatalogueError: the database refused, or is away.
    """
    started = time.monotonic()
    with repository.catalogue.transaction() as cursor:
        change = repositories.begin_write(cursor, repository.lease)
        moved = adoption.adopt(cursor, repository.id, change, pairs)
        if not moved:
            return None
        operation = SyncOperation(
            id=0,
            repository_id=repository.id,
            type=OperationType.DEEP_SCAN,
            trigger=trigger,
            scope=f"{moved} missing {'file' if moved == 1 else 'files'} found again by content",
            status=OperationStatus.COMPLETED,
            counts=Counts(moved=moved),
            duration=time.monotonic() - started,
        )
        journal.record(cursor, repository.lease, operation)
        repositories.notify(cursor, repository.id, change)
    return operation
