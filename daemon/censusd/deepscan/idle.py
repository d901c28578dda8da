"""Whether the backlog may be worked off now, or what holds it back. Pure: everything it judges by is handed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final

_WINDOW: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


class Condition(StrEnum):
    """What the deep scan of the backlog is doing, or what holds it back."""

    WORKING = "working"
    NOTHING = "nothing to do"
    OFF = "off"
    STUCK = "stuck"
    """Its workers wait for a disk that does not answer, or cannot be started."""
    DATABASE = "database"
    HOURS = "hours"
    CHANGES = "changes"
    CPU = "cpu"
    IO = "io"


@dataclass(frozen=True, slots=True)
class Window:
    """Some hours of the day, from the first moment to before the last; they may go past midnight."""

    begin: time
    end: time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def holds(self, moment: time) -> bool:
        """Whether a time of day lies in it."""
        if self.begin < self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


def parse_window(text: str) -> Window:
    """The hours that ``22:00-06:00`` means.

    Raises:
        ValueError: it means none.
    """
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError("not two times of day such as 22:00-06:00")
    begin = time(int(match[1]), int(match[2]))
    # The end of the day is the beginning of the next.
    end = time(int(match[3]), int(match[4])) if match[3] else time(0, 0)
    return Window(begin, end)


@dataclass(frozen=True, slots=True)
class IdleRules:
    """When the machine counts as idle.

    Attributes:
        enabled: whether the backlog is worked off at all.
        cpu_pressure: percent of the time that somebody may wait for a processor (100: that does not matter), and
        io_pressure: for a disk.
        cpu_busy: percent of the processors that others may use.
        quiet: seconds that no file must have changed.
        hours: windows in which the backlog may be worked off; none means always.
        staleness: seconds after which a file has waited long enough, whatever else is going on; None for never.
    """

    enabled: bool = True
    cpu_pressure: float = 20.0
    io_pressure: float = 20.0
    cpu_busy: float = 50.0
    quiet: float = 10.0
    hours: tuple[Window, ...] = ()
    staleness: float | None = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Load:
    """What others do to this machine, in percent.

    Attributes:
        cpu_pressure: of the time, somebody waited for a processor.
        io_pressure: of the time, somebody waited for a disk.
        cpu_busy: of the processors was in use.
    """

    cpu_pressure: float = 0.0
    io_pressure: float = 0.0
    cpu_busy: float = 0.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """How things stand.

    Attributes:
        backlog: whether anything waits.
        waited: seconds that the oldest of it has waited; None if nothing has waited long.
        now: the local time.
        quiet: seconds since a file was last found changed; None for very long. 0 while a pass is running.
        database_waits: why the database had better be left alone, or empty.
        load: what others do to this machine.
        stuck: why nothing can be looked at, whatever else is the case; or empty.
    """

    backlog: bool
    now: datetime
    waited: float | None = None
    quiet: float | None = None
    database_waits: str = ""
    load: Load = Load()
    stuck: str = ""


def decide(rules: IdleRules, conditions: Conditions) -> tuple[Condition, str]:
    """What to do about the backlog, and why, in a few words for people."""
    if not rules.enabled:
        return Condition.OFF, "it is switched off"
    if conditions.stuck:
        return Condition.STUCK, conditions.stuck
    if not conditions.backlog:
        return Condition.NOTHING, ""
    if rules.staleness is not None and conditions.waited is not None and conditions.waited > rules.staleness:
        return Condition.WORKING, f"something has waited for {conditions.waited / 86400:.1f} days"
    if rules.hours and not any(window.holds(conditions.now.time()) for window in rules.hours):
        return Condition.HOURS, f"it may work at {_listed(rules.hours)} only"
    if conditions.database_waits:
        return Condition.DATABASE, conditions.database_waits
    if conditions.quiet is not None and conditions.quiet < rules.quiet:
        return Condition.CHANGES, f"files are being changed; it waits until that has stopped for {rules.quiet:g} s"
    return judge(rules, conditions.load)


def judge(rules: IdleRules, load: Load) -> tuple[Condition, str]:
    """Whether others do too much to this machine, and what."""
    if load.io_pressure > rules.io_pressure:
        return Condition.IO, f"others waited for disks {load.io_pressure:.0f} % of the time"
    if load.cpu_pressure > rules.cpu_pressure:
        return Condition.CPU, f"others waited for processors {load.cpu_pressure:.0f} % of the time"
    if load.cpu_busy > rules.cpu_busy:
        return Condition.CPU, f"others use {load.cpu_busy:.0f} % of the processors"
    return Condition.WORKING, ""


def _listed(windows: Sequence[Window]) -> str:
    return ", ".join(map(str, windows))
