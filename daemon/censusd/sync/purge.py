"""Deleting rows whose grace period has passed, a bounded number in each transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from censusd.catalogue import directories, files, journal, repositories
from censusd.errors import CancelledError
from censusd.model import Counts, OperationStatus, OperationType, SyncOperation, Trigger
from censusd.sync.context import Repository

_AT_ONCE: Final = 10_000


def purge(repository: Repository, trigger: Trigger, cancelled: Callable[[], bool]) -> SyncOperation | None:
    """Delete what has been missing for longer than the grace period, and journal rows that are older than is kept.

    Returns:
        What was done, or None if there was nothing to purge.

    Raises:
        CancelledError: it was asked to stop; what was committed stays.
        CatalogueError: the database refused, or is away.
    """
    started, counts, rules = time.monotonic(), Counts(), repository.rules
    while rules.missing_grace is not None:
        with repository.catalogue.transaction() as cursor:
            change = repositories.begin_write(cursor, repository.lease)
            purged = files.purge(cursor, repository.id, rules.missing_grace, _AT_ONCE)
            counts.purged += purged
            if purged:
                repositories.notify(cursor, repository.id, change)
        _go_on(cancelled)
        if purged < _AT_ONCE:
            break
    # A directory goes when nothing is in it any more, so that a deep tree takes a round for each level.
    while rules.missing_grace is not None:
        with repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, repository.lease)
            purged = directories.purge(cursor, repository.id, rules.missing_grace, _AT_ONCE)
        _go_on(cancelled)
        if not purged:
            break
    with repository.catalogue.transaction() as cursor:
        repositories.begin_write(cursor, repository.lease)
        journal.trim(cursor, repository.id, rules.journal_keep, _AT_ONCE)
        if not counts.purged:
            return None
        operation = SyncOperation(
            id=0,
            repository_id=repository.id,
            type=OperationType.PURGE,
            trigger=trigger,
            scope="/",
            status=OperationStatus.COMPLETED,
            counts=counts,
            duration=time.monotonic() - started,
        )
        journal.record(cursor, repository.lease, operation)
    return operation


def _go_on(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise CancelledError("the work was asked to stop")
