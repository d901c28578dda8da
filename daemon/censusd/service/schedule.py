"""When things are due. The scheduler only submits; the workers work."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.jobstores.base import JobLookupError

from censusd import metrics
from censusd.catalogue import repositories
from censusd.catalogue.connection import Catalogue
from censusd.errors import CancelledError, CatalogueError, CensusError
from censusd.model import OperationStatus, SyncOperation, Trigger
from censusd.service.steady import SteadyScheduler
from censusd.sync.interval import Pace
from censusd.sync.requests import Kind, Request
from censusd.sync.worker import Worker

_LOG: Final = structlog.get_logger("censusd.service")
_PURGE_EVERY: Final = 3600.0


class Schedule:
    """Reconciliations at adaptive intervals, lease renewals, purges, and whatever else recurs.

    Args:
        catalogue: where intervals and next run times are recorded.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._chance = random.Random()  # noqa: S311 - it spreads load, and keeps no secret
        self._scheduler = SteadyScheduler()

    @property
    def is_alive(self) -> bool:
        """Whether anything is done when it is due."""
        return self._scheduler.is_alive

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """Run nothing any more; waits for what is running."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def every(self, seconds: float, name: str, job: Callable[[], None]) -> None:
        """Run ``job`` every so often, never twice at once; an error is logged and does not end it."""
        self._scheduler.add(name, _guarded(name, job), min(seconds, 1.0), seconds)

    def add(self, worker: Worker) -> None:
        """Renew a repository's lease, and purge what its grace period is over for."""
        name = worker.name
        self.every(worker.terms.lease_ttl / 3, f"lease {name}", worker.renew)
        self.every(_PURGE_EVERY, f"purge {name}", lambda: _submit(worker, Request(Kind.PURGE, Trigger.RECONCILIATION)))

    def remove(self, name: str) -> None:
        """Do nothing for this repository any more."""
        for job in ("lease", "purge", "reconcile"):
            try:
                self._scheduler.remove_job(f"{job} {name}")
            except JobLookupError:
                continue

    def passed(self, worker: Worker, pace: Pace, operation: SyncOperation) -> None:
        """After a complete pass: say when the next one is due."""
        repository = worker.repository
        if repository is None:
            return
        drift = operation.counts.changed
        scheduled = operation.trigger is Trigger.RECONCILIATION and operation.status is OperationStatus.COMPLETED
        try:
            with self._catalogue.transaction() as cursor:
                record = repositories.status(cursor, repository.id)
                if scheduled and not worker.polls:
                    metrics.LAST_DRIFT.labels(worker.name).set(drift)
                    interval = pace.after(record.reconcile_interval, drift)
                else:
                    interval = pace.bounded(record.reconcile_interval or pace.start)
                delay = pace.delay(interval, self._chance)
                due = repositories.set_schedule(cursor, repository.lease, interval, delay)
        except CatalogueError as error:
            _LOG.warning("the next reconciliation could not be recorded", repository=worker.name, why=str(error))
            interval = pace.start
            delay = pace.delay(interval, self._chance)
            due = None
        when = datetime.now(UTC) + timedelta(seconds=delay)
        metrics.INTERVAL.labels(worker.name).set(interval)
        metrics.NEXT_PASS.labels(worker.name).set((due or when).timestamp())
        name = f"reconcile {worker.name}"
        job = _guarded(name, lambda: _submit(worker, Request(Kind.RECONCILE, Trigger.RECONCILIATION)))
        self._scheduler.add(name, job, delay)

    def next_run(self, name: str) -> datetime | None:
        """When the repository's next pass is due."""
        job = self._scheduler.get_job(f"reconcile {name}")
        return job.next_run_time if job else None


def _submit(worker: Worker, request: Request) -> None:
    try:
        worker.submit(request)
    except CensusError as error:
        _LOG.warning("could not be scheduled", repository=worker.name, work=str(request.kind), why=str(error))


def _guarded(name: str, job: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            job()
        except CatalogueError as error:
            _LOG.warning("database", job=name, why=str(error))
        except CancelledError:
            return
        except CensusError as error:
            _LOG.error("failed", job=name, why=str(error))
        except Exception:  # noqa: BLE001 - an error must not end what recurs
            _LOG.exception("unexpected", job=name)

    return run
