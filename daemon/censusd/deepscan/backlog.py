"""Working off what has waited, while the machine is idle; stopping where it is when somebody needs the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from censusd.deepscan import pressure, reporting
from censusd.deepscan.idle import Condition, Conditions, IdleRules, decide
from censusd.deepscan.sites import Lane, Site
from censusd.deepscan.work import Work
from censusd.model import UNASKED, Trigger

_STOPPED_FOR_LONG: Final = 60.0
_DEAD_DISK: Final = "its workers wait for a disk that does not answer"


class Backlog:
    """The part of the deep scan that can wait.

    Args:
        work: where files are looked at.
        sites: the repositories, by name.
        rules: when the machine is idle.

    Attributes:
        rules: when the machine is idle.
        condition: what is being done, or what holds it back.
        why: a few words about that.
    """

    def __init__(self, work: Work, sites: Mapping[str, Site], rules: IdleRules) -> None:
        self.rules = rules
        self.condition, self.why = Condition.NOTHING, ""
        self._work = work
        self._sites = sites
        self._gauge = pressure.Gauge(pressure.averages(), work.idle.pause, work.idle.resume)
        self._verdict = Condition.NOTHING
        self._held_since: float | None = None
        self._conditions = reporting.Conditions()

    @property
    def is_weighing(self) -> bool:
        """Whether the workers are stopped for a moment, so that ``judge`` had better be called soon."""
        return self._gauge.is_resting

    @property
    def is_held(self) -> bool:
        """Whether something holds it back."""
        return self._verdict is not Condition.WORKING

    def judge(self, database_waits: str) -> None:
        """See how things stand; to be called once a second, and more often while ``is_weighing``.

        Args:
            database_waits: why the database had better be left alone, or empty.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        working = self._work.idle.pending > 0 and self._held_since is None
        # What somebody asked for, what has just changed and passes over a repository are loads of our own as well.
        ours = self._work.urgent.pending > 0 or any(site.record.busy for site in self._sites.values() if site.record)
        sample = pressure.read_sample(self._work.pids)
        load = self._gauge.add(sample, self.rules, working=working, ours=ours)
        self._verdict, why = decide(
            self.rules,
            Conditions(
                # Whether there is anything is found out by looking for it.
                backlog=True,
                now=datetime.now().astimezone(),
                waited=max((site.waited for site in self._sites.values() if site.waited is not None), default=None),
                quiet=self._quiet(),
                database_waits=database_waits,
                load=load,
                stuck=_DEAD_DISK if self._work.idle.is_stuck else self._work.fault,
            ),
        )
        self._hold(time.monotonic())
        self._tell(why)

    def fill(self) -> None:
        """Take more files, if the machine is idle and there is room for them.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        if self.is_held:
            return
        now = time.monotonic()
        for site, lane in self._lanes(now, again=True):
            while lane.empty_at is None and self._work.idle.pending < self._work.batch:
                self._work.advance(site, lane, UNASKED, Trigger.IDLE)
            if lane.empty_at is None:
                return

    def stop(self) -> None:
        """Give up what is under way, but for what was found already.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        self._gauge.end_rest()
        self._work.write(everything=True)
        self._work.give_up(self._work.idle)

    def _quiet(self) -> float | None:
        """Seconds since a file was last found changed."""
        records = [site.record for site in self._sites.values() if site.record is not None]
        if any(record.busy for record in records):
            return 0.0
        return min((record.quiet for record in records if record.quiet is not None), default=None)

    def _lanes(self, now: float, *, again: bool) -> Iterator[tuple[Site, Lane]]:
        """The ways through the queues on which there may be something, those that come first first.

        Args:
            now: monotonic seconds.
            again: also those on which there may be something only because time has passed.
        """
        sites = [site for site in self._sites.values() if site.rules.automatic and site.is_open(now)]
        ways = [(lane.below is None, rank, site, lane) for site in sites for rank, lane in enumerate(site.lanes)]
        for _, _, site, lane in sorted(ways, key=lambda way: way[:2]):
            change = site.record.change_number if site.record else 0
            if lane.has_more(change, now, again=again):
                yield site, lane

    def _hold(self, now: float) -> None:
        """What is under way stops while something holds it back; if that takes long, it is given up."""
        idle = self._work.idle
        if not self.is_held:
            if self._held_since is not None:
                self._held_since = None
                idle.resume()
        elif self._held_since is None:
            self._held_since = now
            idle.pause()
        elif idle.pending and now > self._held_since + _STOPPED_FOR_LONG:
            self._work.give_up(idle)

    def _tell(self, why: str) -> None:
        condition = self._verdict
        if condition not in {Condition.OFF, Condition.STUCK} and not self._work.idle.pending:
            waiting = any(True for _ in self._lanes(time.monotonic(), again=False))
            if not waiting or condition is Condition.WORKING:
                condition, why = Condition.NOTHING, ""
        self._conditions.tell(condition, why)
        self.condition, self.why = condition, why
