"""Gauges that are read off now and then: counts of rows, queues, watches, the pool, the loops."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID
from weakref import ref

from censusd import metrics
from censusd.catalogue import deep_queue, directories, files, rehash, repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.content import Queue
from censusd.errors import CatalogueError
from censusd.model import FileState, RepositoryState, ScanPhase, Strategy
from censusd.service.heartbeat import Heartbeats
from censusd.sync.watching import Watching
from censusd.sync.worker import Worker
from censusd.watch.limits import watch_limit

_LEAST_BETWEEN_COUNTS: Final = 15.0
_REST_PER_WORK: Final = 50.0


@dataclass(slots=True)
class Totals:
    """What was counted of one repository, the last time that it was.

    Attributes:
        files: (state, phase) -> (files, bytes).
        directories: present directories.
        problems: how many of them cannot be read.
        corrupt: files that do not hold what was recorded.
        change_number: as of which this is true.
        again_at: monotonic seconds before which it is not counted again.
    """

    files: dict[tuple[FileState, ScanPhase], tuple[int, int]] = field(default_factory=dict)
    directories: int = 0
    problems: int = 0
    corrupt: int = 0
    change_number: int = -1
    again_at: float = 0.0

    def number(self, state: FileState, phase: ScanPhase | None = None) -> int:
        """How many files are in a state, in one phase or in any."""
        return sum(n for (s, p), (n, _) in self.files.items() if s == state and phase in {None, p})


class Collector:
    """Keeps the gauges true. Called by the schedule.

    Args:
        workers: the workers there are, by repository.
        catalogue: the database.
        heartbeats: the loops.
        queues: what the deep scan has before it, by repository and what is done about it.
    """

    def __init__(
        self,
        workers: Callable[[], Mapping[str, Worker]],
        catalogue: Catalogue,
        heartbeats: Heartbeats,
        queues: Callable[[], Mapping[str, Mapping[Strategy, Queue]]] = dict,
    ) -> None:
        self._workers = workers
        self._catalogue = catalogue
        self._heartbeats = heartbeats
        self._queues = queues
        self.totals: dict[str, Totals] = {}
        self._counted: dict[str, tuple[ref[Watching], int, int]] = {}
        self._owned: set[str] = set()

    def passed(self, name: str) -> None:
        """A complete pass has ended: what is counted in the middle of one is soon far from true."""
        totals = self.totals.get(name)
        if totals is not None:
            totals.again_at = 0.0

    def collect(self) -> None:
        """Read everything off once."""
        metrics.WATCH_LIMIT.set(watch_limit())
        for loop in self._heartbeats.loops():
            metrics.LOOP_AGE.labels(loop.name).set(loop.age)
        statistics = self._catalogue.statistics()
        size, idle = statistics.get("pool_size", 0), statistics.get("pool_available", 0)
        metrics.POOL.labels("idle").set(idle)
        metrics.POOL.labels("busy").set(size - idle)
        metrics.POOL_LIMIT.set(statistics.get("pool_max", 0))
        metrics.POOL_WAITING.set(statistics.get("requests_waiting", 0))
        for worker in self._workers().values():
            self._watch(worker)
        try:
            # Also where there is nothing to count, as in a standby.
            with self._catalogue.transaction() as cursor:
                cursor.execute("SELECT 1")
            for worker in self._workers().values():
                self._count(worker)
            metrics.DATABASE_UP.set(1)
        except CatalogueError:
            metrics.DATABASE_UP.set(0)
        metrics.sweep()

    def _watch(self, worker: Worker) -> None:
        name = worker.name
        owned = worker.repository is not None
        if owned:
            self._owned.add(name)
        elif name in self._owned:
            self._owned.remove(name)
            self.totals.pop(name, None)
            metrics.disown(name)
        metrics.OWNED.labels(name).set(owned)
        for phase in metrics.PHASES:
            metrics.PHASE.labels(name, phase).set(worker.phase.name.lower() == phase)
        metrics.QUEUE.labels(name).set(len(worker.dirty_set))
        metrics.OLDEST.labels(name).set(worker.dirty_set.oldest_age())
        upkeep = worker.upkeep
        watching = upkeep.watching if upkeep else None
        progress = upkeep.progress if upkeep else None
        metrics.PASS_RUNNING.labels(name).set(progress is not None)
        metrics.PASS_FILES.labels(name).set(progress.counts.files_scanned if progress else 0)
        for tier in metrics.TIERS:
            metrics.TIER.labels(name, tier).set(watching is not None and watching.name == tier)
        stats = watching.stats() if watching else None
        used, uncovered = (stats.watches, stats.uncovered) if stats else (0, 0)
        if watching is not None and watching.refused:
            # All of them, as far as they were counted.
            uncovered = max(1, self.totals.get(name, Totals()).directories)
        metrics.WATCHES.labels(name).set(used)
        metrics.WATCHES_NEEDED.labels(name).set(used + uncovered)
        metrics.UNCOVERED.labels(name).set(uncovered)
        if stats is None or watching is None:
            return
        # A watch counts from zero whenever it is set up anew; the metrics only grow.
        known, events, overflows = self._counted.get(name, (None, 0, 0))
        if known is None or known() is not watching:
            events = overflows = 0
        metrics.EVENTS.labels(name).inc(stats.events - events)
        metrics.OVERFLOWS.labels(name).inc(stats.overflows - overflows)
        self._counted[name] = (ref(watching), stats.events, stats.overflows)

    def _count(self, worker: Worker) -> None:
        """Count rows, if there may be others than the last time, and for a small share of the time at most."""
        repository, name = worker.repository, worker.name
        if repository is None:
            return
        totals = self.totals.setdefault(name, Totals())
        with self._catalogue.transaction() as cursor:
            record = repositories.status(cursor, repository.id)
            quarantined, _ = deep_queue.count(cursor, repository.id)
            totals.corrupt = rehash.count(cursor, repository.id)
        metrics.QUARANTINED.labels(name).set(quarantined)
        metrics.CORRUPT.labels(name).set(totals.corrupt)
        self._tell_backlog(name)
        metrics.DIRTY_SINCE.labels(name).set(record.dirty_since.timestamp() if record.dirty_since else 0)
        for repository_state in RepositoryState:
            metrics.REPOSITORY_STATE.labels(name, repository_state).set(record.state == repository_state)
        if record.last_pass_at is not None:
            metrics.LAST_PASS.labels(name).set(record.last_pass_at.timestamp())
        if record.change_number == totals.change_number or time.monotonic() < totals.again_at:
            return
        began = time.monotonic()
        self._read(totals, repository.id)
        totals.change_number = record.change_number
        totals.again_at = time.monotonic() + max(_LEAST_BETWEEN_COUNTS, _REST_PER_WORK * (time.monotonic() - began))
        for state in FileState:
            for phase in ScanPhase:
                number, _ = totals.files.get((state, phase), (0, 0))
                metrics.FILES.labels(name, state.name.lower(), phase.name.lower()).set(number)
        present = sum(size for (state, _), (_, size) in totals.files.items() if state == FileState.PRESENT)
        metrics.BYTES.labels(name).set(present)
        metrics.DIRECTORIES.labels(name).set(totals.directories)
        metrics.PROBLEM_DIRECTORIES.labels(name).set(totals.problems)

    def _tell_backlog(self, name: str) -> None:
        queues = self._queues().get(name, {})
        backlog, on_demand = queues.get(Strategy.AUTO, Queue()), queues.get(Strategy.ON_DEMAND, Queue())
        metrics.DEEP_BACKLOG.labels(name).set(backlog.backlog)
        metrics.DEEP_BACKLOG_BYTES.labels(name).set(backlog.backlog_bytes)
        metrics.DEEP_ON_DEMAND.labels(name).set(on_demand.backlog)
        metrics.DEEP_NEVER.labels(name).set(queues.get(Strategy.NEVER, Queue()).files)

    def _read(self, totals: Totals, repository_id: UUID) -> None:
        with self._catalogue.transaction() as cursor:
            totals.files = files.count(cursor, repository_id)
            totals.directories, totals.problems = directories.count(cursor, repository_id)
