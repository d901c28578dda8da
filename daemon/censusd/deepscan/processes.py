"""The worker processes together: who gets which file, and what happens when one of them is killed or hangs.

A worker with a large file has nothing else waiting behind it, and there is one more worker for small files than may be
at large ones, so that a film holds up neither a photo nor, since workers can be killed at any moment, a shutdown.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from censusd.deepscan.messages import Finding, Greeting, Job, Settings
from censusd.deepscan.process import Process, ProcessFaultError
from censusd.filesystem.problems import problem_of

LARGE: Final = 64 << 20
"""Bytes from which on a file has a worker to itself."""

_MOST_EACH: Final = 64
"""Small files that are given to a worker at a time: one lot to work on, and one that waits."""
_BYTES_EACH: Final = 64 << 20
_IDLE_SECONDS: Final = 30.0
_MOST_LOST: Final = 4
_START_AGAIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Casualty:
    """A job whose worker came to an end while it was at it.

    Attributes:
        job: the job.
        why: what happened, for people.
    """

    job: Job
    why: str


class Processes:
    """A number of worker processes that come and go as there is work.

    Args:
        count: how many may be at work on large files; for small ones there is one more.
        settings: how they work.

    Attributes:
        greeting: what the last one that started can do.
        started: how many have been started in all.
        fault: why the last one could not be started, or was of no use from the beginning; empty if it is of use.
    """

    def __init__(self, count: int, settings: Settings) -> None:
        self.count = count
        self.settings = settings
        self.greeting: Greeting | None = None
        self.started = 0
        self.fault = ""
        self._waiting: deque[Job] = deque()
        self._processes: list[Process] = []
        self._lost: list[Process] = []
        self._casualties: list[Casualty] = []
        self._paused = False
        self._not_before = 0.0

    @property
    def pending(self) -> int:
        """How many jobs were given and not answered."""
        return len(self._waiting) + sum(len(process.jobs) for process in self._processes)

    @property
    def numbers(self) -> set[int]:
        """The numbers of those jobs, and of those of which nobody has heard yet that they cost a worker."""
        jobs = [*self._waiting, *(casualty.job for casualty in self._casualties)]
        return {job.number for job in chain(jobs, *(process.jobs for process in self._processes))}

    @property
    def is_of_use(self) -> bool:
        """Whether there is a worker that has started well."""
        return any(process.greeting is not None for process in self._processes)

    @property
    def is_stuck(self) -> bool:
        """Whether the kernel does not let workers end, because a disk does not answer, so that no more are started."""
        self._lost = [process for process in self._lost if process.is_running]
        return len(self._lost) >= _MOST_LOST

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [process.pid for process in self._processes]

    def warm_up(self) -> None:
        """Start a worker, if there is none, so that it says what it can do."""
        if not self._processes:
            self._start()

    def submit(self, jobs: Iterable[Job]) -> None:
        """Have files looked at."""
        self._waiting.extend(jobs)

    def prepare(self, poll: select.poll) -> None:
        """Hand out what waits, and say what is to be waited for."""
        if not self._paused:
            self._hand_out()
        for process in self._processes:
            poll.register(process.answer_fd, select.POLLIN)
            if process.has_unsent:
                poll.register(process.request_fd, select.POLLOUT)

    def react(self, heard: set[int]) -> tuple[list[tuple[Job, Finding]], list[Casualty]]:
        """What was found, and whom it cost; ``heard`` are the descriptors on which something happened."""
        found: list[tuple[Job, Finding]] = []
        now = time.monotonic()
        for process in list(self._processes):
            try:
                if process.answer_fd in heard:
                    found += process.receive()
                    if process.greeting is not None:
                        self.greeting, self.fault = process.greeting, ""
                        if self._paused:
                            process.pause()
                if process.has_unsent:
                    process.send()
                process.check(now)
            except ProcessFaultError as error:
                self._lose(process, str(error))
            else:
                idle = not process.jobs and process.greeting is not None and now > process.idle_since + _IDLE_SECONDS
                if process.retires or idle:
                    self._retire(process)
        casualties, self._casualties = self._casualties, []
        return found, casualties

    def pause(self) -> None:
        """Stop every worker where it is, also inside a file; one that starts, as soon as it has.

        A worker that is of no use is a reason to pause, until one says that it is of some.
        """
        self._paused = True
        for process in self._processes:
            if process.greeting is not None:
                process.pause()

    def resume(self) -> None:
        """Let them go on."""
        self._paused = False
        for process in self._processes:
            process.resume()

    def cancel(self) -> list[Job]:
        """Give up everything that is not answered, at once. Returns it."""
        jobs = list(self._waiting)
        self._waiting.clear()
        for process in list(self._processes):
            if process.jobs:
                jobs += process.jobs
                self._close(process)
        return jobs

    def close(self) -> None:
        """End every worker. May be called twice."""
        self._waiting.clear()
        for process in list(self._processes):
            self._close(process)

    def _hand_out(self) -> None:
        while self._waiting:
            job = self._waiting[0]
            large = job.version[0] >= LARGE
            process = self._take_worker(large=large)
            if process is None:
                if not large or not self._bring_small_forward():
                    return
                continue
            jobs, size = [self._waiting.popleft()], job.version[0]
            while not large and self._waiting and len(jobs) < _MOST_EACH:
                size += self._waiting[0].version[0]
                if self._waiting[0].version[0] >= LARGE or size > _BYTES_EACH:
                    break
                jobs.append(self._waiting.popleft())
            process.ask(jobs)
            process.send()

    def _bring_small_forward(self) -> bool:
        """Put the large files at the head of the queue behind the first small one, if there is one not far behind."""
        for index in range(1, min(len(self._waiting), 4 * _MOST_EACH)):
            if self._waiting[index].version[0] < LARGE:
                job = self._waiting[index]
                if self._take_worker(large=False) is None:
                    return False
                del self._waiting[index]
                self._waiting.appendleft(job)
                return True
        return False

    def _take_worker(self, *, large: bool) -> Process | None:
        """A worker that can be given a file now; started if there may be one more."""
        free = [process for process in self._processes if not process.jobs and not process.retires]
        at_large = sum(1 for process in self._processes if process.jobs and process.jobs[0].version[0] >= LARGE)
        if large and at_large >= self.count:
            return None
        # As many as are wanted for small files, and one more if large ones take theirs away.
        most = self.count + (1 if at_large >= self.count and not large else 0)
        if not free and len(self._processes) < most and not self.is_stuck:
            free = self._start()
        if free:
            return free[0]
        if large:
            return None
        # Behind the small files of another, as long as they do not add up: it then never waits for us.
        busy = [process for process in self._processes if self._has_room(process)]
        return min(busy, key=lambda process: len(process.jobs), default=None)

    @staticmethod
    def _has_room(process: Process) -> bool:
        return (
            not process.retires
            and len(process.jobs) <= _MOST_EACH
            and sum(job.version[0] for job in process.jobs) < _BYTES_EACH // 2
        )

    def _start(self) -> list[Process]:
        now = time.monotonic()
        if now < self._not_before:
            return []
        try:
            process = Process(self.settings)
        except OSError as error:
            self.fault = f"a worker process cannot be started: {problem_of(error).detail}"
            self._not_before = now + _START_AGAIN
            return []
        self.started += 1
        self._processes.append(process)
        return [process]

    def _lose(self, process: Process, why: str) -> None:
        """Do without a worker that failed. The file that it was at is blamed, the others are looked at again."""
        blamed = process.current
        if process.greeting is None:
            # It failed before it was at any file. The next one may as well: not at once, then.
            self.fault = f"a worker process was of no use: {why}"
            self._not_before = time.monotonic() + _START_AGAIN
            blamed = None
        others = [job for job in process.jobs if job is not blamed]
        if blamed is not None:
            self._casualties.append(Casualty(blamed, why))
        self._waiting.extendleft(reversed(others))
        self._close(process)

    def _retire(self, process: Process) -> None:
        self._waiting.extendleft(reversed(process.jobs))
        self._close(process)

    def _close(self, process: Process) -> None:
        self._processes.remove(process)
        if not process.close():
            self._lost.append(process)


def wait(
    pools: Iterable[Processes], seconds: float, wake_fd: int = -1
) -> tuple[list[tuple[Job, Finding]], list[Casualty]]:
    """What the workers of some pools have found, and whom it cost, since the last call.

    Args:
        pools: the workers.
        seconds: how long to wait for something at the most.
        wake_fd: a descriptor that ends the waiting when it can be read from.
    """
    poll, pools = select.poll(), list(pools)
    if wake_fd >= 0:
        poll.register(wake_fd, select.POLLIN)
    for pool in pools:
        pool.prepare(poll)
    heard = {fd for fd, _ in poll.poll(seconds * 1000)}
    found: list[tuple[Job, Finding]] = []
    casualties: list[Casualty] = []
    for pool in pools:
        theirs, lost = pool.react(heard)
        found += theirs
        casualties += lost
    return found, casualties


CORES: Final = len(os.sched_getaffinity(0))
"""How many processors this process may use."""
