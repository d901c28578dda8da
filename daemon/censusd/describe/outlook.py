"""Whether this is a moment to describe pictures: only while nobody else needs the machine, nor does the deep scan."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from censusd.catalogue.deep_queue import QueuedRepository
from censusd.deepscan import pressure
from censusd.deepscan.idle import Condition, Conditions, IdleRules, decide

_WEIGHING: Final = "it looks how busy others keep the machine"


class Outlook:
    """Judges between one request and the next.

    Where the model runs on this machine, it is its load that is seen while it is at work. So a judgement that
    matters is made while nothing is asked of it: what is left then is the others'.

    Args:
        rules: when the machine is idle.
        deep_scan: what the deep scan is doing.
    """

    def __init__(self, rules: IdleRules, deep_scan: Callable[[], Condition]) -> None:
        # However long a picture has waited, nobody has to make room for it.
        self._rules = replace(rules, staleness=None)
        self._deep_scan = deep_scan
        self._gauge = pressure.Gauge(pressure.averages(), lambda: None, lambda: None)

    @property
    def is_weighing(self) -> bool:
        """Whether ``why_not`` had better be asked again in a moment."""
        return self._gauge.is_resting

    def why_not(self, records: Collection[QueuedRepository], database_waits: str, *, worked: bool) -> str:
        """Why nothing should be asked of the model now, in a few words; empty if it may.

        Args:
            records: how the repositories stand.
            database_waits: why the database had better be left alone, or empty.
            worked: whether something was asked of it since the last judgement.
        """
        load = self._gauge.add(pressure.read_sample(), self._rules, working=worked or self.is_weighing)
        if self.is_weighing:
            return _WEIGHING
        if self._deep_scan() not in {Condition.NOTHING, Condition.OFF}:
            return "the deep scan comes first"
        quiet = [0.0 if record.busy else record.quiet for record in records]
        condition, why = decide(
            self._rules,
            Conditions(
                backlog=True,
                now=datetime.now().astimezone(),
                quiet=min((one for one in quiet if one is not None), default=None),
                database_waits=database_waits,
                load=load,
            ),
        )
        if condition is Condition.OFF:
            return "the deep scan is switched off, and with it all that nobody asks for"
        return "" if condition is Condition.WORKING else f"{condition}: {why}"
