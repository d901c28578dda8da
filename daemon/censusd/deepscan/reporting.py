"""What is said of the deep scan's work: log lines and metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from censusd import metrics
from censusd.catalogue.deep_queue import ClaimedFile
from censusd.catalogue.metadata import EntityCache
from censusd.deepscan.idle import Condition
from censusd.deepscan.sites import Stretch
from censusd.deepscan.writer import Written
from censusd.model import OperationStatus, OperationType, join

_LOG: Final = structlog.get_logger("censusd.deepscan")

_FIRST_PAUSE: Final = 10.0
_LAST_PAUSE: Final = 600.0
"""Seconds between two lines about the backlog, if it goes back and forth."""


def written(repository: str, kind: OperationType, what: Written, files: Sequence[ClaimedFile]) -> None:
    """Count a batch that was written, and say which files could not be read, or are corrupt."""
    again = kind is OperationType.REHASH
    (metrics.REHASH_FILES if again else metrics.DEEP_FILES).labels(repository).inc(what.files)
    (metrics.REHASH_BYTES if again else metrics.DEEP_BYTES).labels(repository).inc(what.bytes)
    metrics.DEEP_FAILURES.labels(repository).inc(len(what.failed))
    by_id = {file.id: file for file in files}
    for number, found in what.corrupt.items():
        file = by_id[number]
        recorded = file.recorded.hex() if file.recorded is not None else ""
        _LOG.error("corrupt", repository=repository, file=_path(file), recorded=recorded, found=found)
    for number, restored in what.over.items():
        why = "it holds again what was recorded" if restored else "something else than was recorded was written to it"
        _LOG.info("no longer corrupt", repository=repository, file=_path(by_id[number]), why=why)
    for number, why in what.failed.items():
        if number in what.quarantined:
            quarantined(repository, by_id[number], why)
        else:
            _LOG.info("could not be looked at", repository=repository, file=_path(by_id[number]), why=why)


def quarantined(repository: str, file: ClaimedFile, why: str) -> None:
    """Say that a file was given up."""
    _LOG.warning("quarantined", repository=repository, file=_path(file), why=why, retry=f"censusctl retry {repository}")


def worker_lost(repository: str, file: ClaimedFile, why: str) -> None:
    """Say that a file has cost a worker process."""
    _LOG.warning("a worker process was lost over a file", repository=repository, file=_path(file), why=why)


def stretch_over(repository: str, stretch: Stretch, cache: EntityCache) -> None:
    """One line about a time of work that is over."""
    if not stretch.operation_id:
        # Nothing came of it: what was to be looked at was not what the catalogue says, or was given up.
        return
    counts, seconds = stretch.counts, stretch.last - stretch.began
    metrics.OPERATIONS.labels(repository, stretch.type, OperationStatus.COMPLETED).inc()
    metrics.OPERATION_SECONDS.labels(repository, stretch.type).observe(seconds)
    asked = cache.hits + cache.misses
    _LOG.info(
        "settled",
        repository=repository,
        work=str(stretch.type),
        trigger=str(stretch.trigger),
        scope=stretch.scope,
        files=counts.files_scanned,
        bytes_hashed=counts.bytes_hashed,
        **({"problems": counts.problems} if counts.problems else {}),
        **({"corrupt": counts.corrupt} if counts.corrupt else {}),
        seconds=round(seconds, 3),
        **({"entities_known": len(cache), "entity_hits": f"{100 * cache.hits / asked:.0f} %"} if asked else {}),
    )


class Conditions:
    """Says what is done about the backlog: as a metric at once, and in the log as often as anybody wants to read it.

    Where it goes back and forth, as on a machine whose database is slow while there is work, a line is written ever
    more seldom, which says how often it has changed since the last one; once it has settled, at once again.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now = self._said = Condition.NOTHING
        self._changes = 0
        self._pause = _FIRST_PAUSE
        self._again_at = -math.inf

    def tell(self, now: Condition, why: str) -> None:
        """What is done from now on; to be called at least once a second."""
        for one in Condition:
            metrics.DEEP_CONDITION.labels(one).set(one is now)
        self._changes += now is not self._now
        self._now = now
        moment = self._clock()
        if not self._changes or moment < self._again_at:
            return
        # If nothing has changed for as long again, it has settled.
        settled = moment > self._again_at + self._pause
        self._pause = _FIRST_PAUSE if settled else min(_LAST_PAUSE, 2 * self._pause)
        self._again_at = moment + self._pause
        if now is not self._said or self._changes > 1:
            more = {"why": why} if why else {}
            often = {"changes": self._changes} if self._changes > 1 else {}
            _LOG.info("the backlog", condition=str(now), **more, was=str(self._said), **often)
        self._said, self._changes = now, 0


def waited(repository: str, seconds: float | None) -> None:
    """For how long the oldest file that is looked at without anybody asking has waited; None if there is none."""
    metrics.DEEP_OLDEST.labels(repository).set(seconds or 0)


def unread(repository: str, seconds: float | None) -> None:
    """For how long the file whose content was not read for longest was not; None if nobody knows."""
    metrics.REHASH_OLDEST.labels(repository).set(seconds or 0)


def state(in_flight: int, cache: EntityCache) -> None:
    """What is read off now and then."""
    metrics.DEEP_IN_FLIGHT.set(in_flight)
    metrics.ENTITIES.set(len(cache))


def _path(file: ClaimedFile) -> str:
    return join(file.directory, file.name)
