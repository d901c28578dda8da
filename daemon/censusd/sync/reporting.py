"""What is said of settled work: one log line and the metrics."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import structlog

from censusd import metrics
from censusd.model import Counts, OperationStatus, OperationType, SyncOperation

_LOG: Final = structlog.get_logger("censusd.sync")
_SHOWN_WHEN_ZERO: Final = frozenset({"files_scanned", "directories"})


def settled(repository: str, operation: SyncOperation, lag: float | None = None) -> None:
    """Log and count a piece of work that has come to an end.

    Args:
        repository: the repository's name.
        operation: what was done.
        lag: seconds from the first event that asked for it to its commit, of realtime work.
    """
    counts = operation.counts
    count(repository, counts)
    metrics.OPERATIONS.labels(repository, operation.type, operation.status).inc()
    metrics.OPERATION_SECONDS.labels(repository, operation.type).observe(operation.duration)
    if lag is not None:
        metrics.LAG.labels(repository).observe(lag)
    realtime = operation.type is OperationType.REALTIME
    values: dict[str, Any] = {
        name: value for name, value in asdict(counts).items() if value or (name in _SHOWN_WHEN_ZERO and not realtime)
    }
    if realtime:
        values.pop("files_scanned", None)
        values.pop("directories", None)
    say = _LOG.warning if operation.status is OperationStatus.HELD else _LOG.info
    say(
        "settled" if operation.status is OperationStatus.COMPLETED else str(operation.status),
        repository=repository,
        work=str(operation.type),
        trigger=str(operation.trigger),
        scope=operation.scope,
        **values,
        seconds=round(operation.duration, 3),
        **({"why": operation.error} if operation.error else {}),
    )


def failed(repository: str, kind: OperationType, status: OperationStatus) -> None:
    """Count a piece of work that did not come to its end."""
    metrics.OPERATIONS.labels(repository, kind, status).inc()


def helper_failed(repository: str, why: str) -> None:
    """Log that a process which helped with a walk is lost; the walk goes on."""
    _LOG.warning("a walk lost a helper", repository=repository, why=why)


def count(repository: str, counts: Counts) -> None:
    """Add what was done to the counters."""
    metrics.FILES_SCANNED.labels(repository).inc(counts.files_scanned)
    metrics.PROBLEMS.labels(repository).inc(counts.problems)
    for kind in metrics.CHANGE_KINDS:
        metrics.CHANGES.labels(repository, kind).inc(getattr(counts, kind))
