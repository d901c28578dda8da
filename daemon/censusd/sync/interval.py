"""How long to wait until the next reconciliation. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_SHORTER: Final = 0.5
_LONGER: Final = 1.5


@dataclass(frozen=True, slots=True)
class Pace:
    """The bounds of the adaptive interval, in seconds.

    Attributes:
        start: the interval before anything is known.
        shortest: never below this.
        longest: never above this.
        jitter: share by which each wait is varied at random, so that repositories and hosts do not keep step.
    """

    start: float = 86400.0
    shortest: float = 3600.0
    longest: float = 7 * 86400.0
    jitter: float = 0.1

    def after(self, interval: float | None, drift: int) -> float:
        """The next interval: shorter after a pass that found what events had missed, longer after a clean one.

        Args:
            interval: the interval until now, or None at the beginning.
            drift: how many changes the pass found.
        """
        if interval is None:
            return self.bounded(self.start)
        return self.bounded(interval * (_SHORTER if drift else _LONGER))

    def bounded(self, interval: float) -> float:
        """The interval, brought within the bounds."""
        return min(self.longest, max(self.shortest, interval))

    def delay(self, interval: float, chance: random.Random) -> float:
        """Seconds to wait this time."""
        return interval * (1 + self.jitter * (2 * chance.random() - 1))
