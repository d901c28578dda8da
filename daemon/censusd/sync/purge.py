"""Deleting rows whose grace period has passed, a bounded number in each transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from censusd.catalogue import directories, files, journal, repositories
from censusd.catalogue.connection import Cursor
from censusd.errors import CancelledError
from censusd.model import Counts, OperationStatus, OperationType, SyncOperation, Trigger
from censusd.sync.context import Repository

_LOG: Final = structlog.get_logger("censusd.sync")
_AT_ONCE: Final = 10_000
_JUMP: Final = 60.0
"""Seconds; what is less is how a clock is kept right, and harms no grace period."""


class Calendar:
    """Notices when the database's clock, by which grace periods are told, is set.

    What happened to it while nobody looked, before this process began, cannot be told from time that has passed.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def jump(self, cursor: Cursor) -> float:
        """By how many seconds it was put forward, or back if negative; 0 if it was not."""
        offset = repositories.database_time(cursor).timestamp() - time.clock_gettime(time.CLOCK_BOOTTIME)
        if self._offset is None:
            self._offset = offset
        jump = offset - self._offset
        return jump if abs(jump) >= _JUMP else 0.0

    def accept(self, jump: float) -> None:
        """What had to be done about a jump is done."""
        self._offset = (self._offset or 0.0) + jump


def purge(
    repository: Repository, trigger: Trigger, cancelled: Callable[[], bool], calendar: Calendar
) -> SyncOperation | None:
    """Delete what has been missing for longer than the grace period, and journal rows that are older than is kept.

    If the clock was set, no grace period is over any sooner for it. The journal has a row from the first file on that
    is deleted, and it is true after each transaction: whoever ends in between leaves nothing unsaid.

    Returns:
        What was done, or None if there was nothing to purge.

    Raises:
        CancelledError: it was asked to stop; what was committed stays.
        CatalogueError: the database refused, or is away.
    """
    started, rules, operation = time.monotonic(), repository.rules, _beginning(repository, trigger)
    _outlast_jump(repository, calendar)
    while rules.missing_grace is not None:
        with repository.catalogue.transaction() as cursor:
            change = repositories.begin_write(cursor, repository.lease)
            purged = files.purge(cursor, repository.id, rules.missing_grace, _AT_ONCE)
            if purged:
                operation = _journalled(cursor, repository, operation, purged, time.monotonic() - started)
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
    return operation if operation.id else None


def _beginning(repository: Repository, trigger: Trigger) -> SyncOperation:
    """A purge of nothing, which the journal has not got yet."""
    return SyncOperation(
        id=0,
        repository_id=repository.id,
        type=OperationType.PURGE,
        trigger=trigger,
        scope="/",
        status=OperationStatus.COMPLETED,
        counts=Counts(),
        duration=0.0,
    )


def _journalled(
    cursor: Cursor, repository: Repository, operation: SyncOperation, purged: int, duration: float
) -> SyncOperation:
    """The same purge with so many files more, as the journal has it now."""
    operation = replace(operation, counts=Counts(purged=operation.counts.purged + purged), duration=duration)
    if not operation.id:
        return replace(operation, id=journal.record(cursor, repository.lease, operation))
    journal.extend_purge(cursor, repository.id, operation)
    return operation


def _outlast_jump(repository: Repository, calendar: Calendar) -> None:
    with repository.catalogue.transaction() as cursor:
        jump = calendar.jump(cursor)
        if jump:
            _LOG.warning("the database's clock was set", repository=repository.rules.name, seconds=round(jump))
            repositories.begin_write(cursor, repository.lease)
            files.outlast_jump(cursor, repository.id, jump)
            directories.outlast_jump(cursor, repository.id, jump)
    calendar.accept(jump)


def _go_on(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise CancelledError("the work was asked to stop")
