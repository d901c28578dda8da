"""A scheduler that goes by the time that passes, whatever becomes of the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

_LOG: Final = structlog.get_logger("censusd.service")
_LOOK_AT_CLOCK_EVERY: Final = 1.0
_JUMP: Final = 1.0
"""Seconds; what is less is how a clock is kept right."""


class _Threads(BasePoolExecutor):  # type: ignore[misc]  # a library without types
    """Threads that run from the beginning.

    Whoever begins one while memory is short may wait for ever: ``Thread.start()`` does, if the thread does not live to
    say that it runs.
    """

    def __init__(self, number: int) -> None:
        pool = ThreadPoolExecutor(number)
        all_run = threading.Barrier(number)
        for _ in range(number):
            pool.submit(all_run.wait)
        super().__init__(pool)


class SteadyScheduler(BackgroundScheduler):  # type: ignore[misc]  # a library without types
    """APScheduler goes by the clock: put back by two days, it would do nothing for two days.

    So when the clock is set, everything that is due moves along with it. The time for which the machine was suspended
    has passed as well.
    """

    def __init__(self) -> None:
        super().__init__(
            executors={"default": _Threads(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._setting = threading.Lock()
        self._offset = time.time() - _passed()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def add(self, name: str, job: Callable[[], None], seconds: float, interval: float | None = None) -> None:
        """Run ``job`` in so many seconds, and again at every ``interval``; takes the place of one of the same name."""
        with self._setting:
            when = datetime.fromtimestamp(_passed() + self._offset + seconds, UTC)
            trigger = DateTrigger(when) if interval is None else IntervalTrigger(seconds=interval)
            self.add_job(job, trigger, id=name, replace_existing=True, next_run_time=when)

    def _process_jobs(self) -> float:
        """What the thread does whenever something may be due. Returns for how long it may sleep."""
        self._follow_clock()
        wait: float | None = super()._process_jobs()
        return _LOOK_AT_CLOCK_EVERY if wait is None else min(wait, _LOOK_AT_CLOCK_EVERY)

    def _follow_clock(self) -> None:
        with self._setting:
            jump = time.time() - _passed() - self._offset
            if abs(jump) < _JUMP:
                return
            self._offset += jump
            for job in self.get_jobs():
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=jump))
        _LOG.warning("the clock was set", seconds=round(jump, 1))


def _passed() -> float:
    """Seconds since the boot, suspended ones included: clock_gettime(2)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
