"""What others do to this machine, told apart from what the deep scan does to it itself.

While the deep scan rests, all there is is the others'. While it works, the kernel's pressure-stall figures are looked
at each second; where they are low, nobody minds. Where they are high, and it is not plain that it is only us who wait
for each other, the workers are stopped for a moment, and what is left then is the others'. See
Documentation/accounting/psi.rst, proc_stat(5) and proc_pid_stat(5).
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from censusd.deepscan.idle import Condition, IdleRules, Load, judge

_TOTAL: Final = re.compile(r"^some .*total=(\d+)$", re.MULTILINE)
_AVERAGES: Final = re.compile(r"^some avg10=([\d.]+) avg60=([\d.]+)", re.MULTILINE)

_LONG: Final = 60.0
_SHORT: Final = 10.0
_REST: Final = 0.5
_LONG_REST: Final = 2.0
_BETWEEN_RESTS: Final = 5.0
_NOTICEABLE: Final = 10.0
"""Percent of the processors: where others use less, they are not those who wait for one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The kernel's counters at one moment.

    Attributes:
        at: monotonic seconds.
        cpu: microseconds in which somebody waited for a processor, since boot.
        io: microseconds in which somebody waited for a disk, since boot.
        busy: ticks of all processors in use, since boot.
        ticks: all ticks, since boot.
        own: ticks that this process and its workers have used.
    """

    at: float
    cpu: int
    io: int
    busy: int
    ticks: int
    own: int = 0

    def since(self, earlier: Sample) -> Load:
        """What happened in between; of the processors, what others used."""
        seconds = max(self.at - earlier.at, 1e-3)
        ticks = self.ticks - earlier.ticks
        theirs = self.busy - earlier.busy - max(0, self.own - earlier.own)
        return Load(
            cpu_pressure=min(100.0, (self.cpu - earlier.cpu) / 1e4 / seconds),
            io_pressure=min(100.0, (self.io - earlier.io) / 1e4 / seconds),
            cpu_busy=min(100.0, 100 * max(0, theirs) / ticks) if ticks else 0.0,
        )


def read_sample(workers: Iterable[int] = ()) -> Sample:
    """The counters now; those that this kernel does not keep stand still.

    Args:
        workers: ids of this process's worker processes.
    """
    busy, ticks = _processor_ticks()
    return Sample(time.monotonic(), _total("cpu"), _total("io"), busy, ticks, _own_ticks(workers))


def averages() -> Load:
    """The kernel's own averages of the last minute: all there is to go by at the beginning."""
    cpu, io = ((max(map(float, match.groups())) if match else 0.0) for match in map(_averages_of, ("cpu", "io")))
    return Load(cpu_pressure=cpu, io_pressure=io)


def is_measured() -> bool:
    """Whether this kernel keeps pressure-stall figures (``psi=1`` on its command line, where it is not the default)."""
    return bool(_read("cpu"))


class Gauge:
    """Says what others do to this machine, a sample each second.

    Args:
        first: what is known at the beginning.
        pause: stops the workers, for a moment.
        resume: lets them go on.
    """

    def __init__(self, first: Load, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._load = first
        self._samples: deque[Sample] = deque()
        self._resting: Sample | None = None
        self._rested_at = -_BETWEEN_RESTS
        self._worked = False

    @property
    def is_resting(self) -> bool:
        """Whether the workers are stopped to see what is left; the next sample had better come soon."""
        return self._resting is not None

    def add(self, sample: Sample, rules: IdleRules, *, working: bool, ours: bool = False) -> Load:
        """Take a sample in, and say what others do.

        Args:
            sample: the counters now.
            rules: what is too much.
            working: whether the deep scan has been at work on the backlog since the last sample.
            ours: whether something else has that is this daemon's own.
        """
        if not working:
            self.end_rest()
            self._worked |= ours
            return self._load if ours else self._at_rest(sample)
        self._samples.append(sample)
        if self._resting is not None:
            self._weigh(sample, sample.since(self._resting), rules)
        elif len(self._samples) > 1:
            self._at_work(sample, rules)
        self._worked = True
        return self._load

    def end_rest(self) -> None:
        """Let the workers go on, if they were stopped here."""
        if self._resting is not None:
            self._resting = None
            self._resume()

    def _at_rest(self, sample: Sample) -> Load:
        if self._worked:
            # What was before is our own doing, or was counted already.
            self._samples.clear()
            self._worked = False
        self._samples.append(sample)
        while sample.at - self._samples[0].at > _LONG:
            self._samples.popleft()
        first = self._samples[0]
        if sample.at - first.at >= _SHORT:
            recent = next(one for one in reversed(self._samples) if sample.at - one.at >= _SHORT)
            self._load = _worse(sample.since(first), sample.since(recent))
        return self._load

    def _weigh(self, sample: Sample, load: Load, rules: IdleRules) -> None:
        """See what is left of the load while the workers are stopped."""
        rested = sample.at - (self._resting or sample).at
        # Half a second acquits; to convict, the load has to last: everybody has something to do now and then.
        if rested >= (_LONG_REST if judge(rules, load)[0] is not Condition.WORKING else _REST):
            self._load = load
            self._rested_at = sample.at
            self.end_rest()
            self._samples.clear()

    def _at_work(self, sample: Sample, rules: IdleRules) -> None:
        load = sample.since(self._samples[-2])
        while len(self._samples) > 2:
            self._samples.popleft()
        somebody_waits = load.cpu_pressure > rules.cpu_pressure and load.cpu_busy >= min(_NOTICEABLE, rules.cpu_busy)
        if load.io_pressure <= rules.io_pressure and not somebody_waits:
            # Nobody waits, or only we for each other; then nobody is in our way, and we are in nobody's.
            self._load = Load(0.0, load.io_pressure, 0.0)
        elif sample.at - self._rested_at >= _BETWEEN_RESTS:
            self._resting = sample
            self._pause()


def _worse(one: Load, other: Load) -> Load:
    return Load(
        max(one.cpu_pressure, other.cpu_pressure),
        max(one.io_pressure, other.io_pressure),
        max(one.cpu_busy, other.cpu_busy),
    )


def _processor_ticks() -> tuple[int, int]:
    """Ticks in use and all ticks, from the first line of /proc/stat: idle and iowait are not in use."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0, 0
    return sum(ticks) - sum(ticks[3:5]), sum(ticks)


def _own_ticks(workers: Iterable[int]) -> int:
    own = os.times()
    # Of children that have ended, what they used is among this process's own figures.
    total = round((own.user + own.system + own.children_user + own.children_system) * os.sysconf("SC_CLK_TCK"))
    for pid in workers:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                total += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        except (OSError, ValueError):
            continue
    return total


def _total(kind: str) -> int:
    match = _TOTAL.search(_read(kind))
    return int(match[1]) if match else 0


def _averages_of(kind: str) -> re.Match[str] | None:
    return _AVERAGES.search(_read(kind))


def _read(kind: str) -> str:
    try:
        with open(f"/proc/pressure/{kind}", encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""
