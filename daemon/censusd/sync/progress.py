"""How far a pass has come."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

import structlog

from censusd.model import Counts

_LOG: Final = structlog.get_logger("censusd.sync")
_SAY_EVERY: Final = 2.0


@dataclass(slots=True)
class Progress:
    """How far a pass has come, for status; the log is told every now and then.

    Attributes:
        repository: whose pass it is.
        scope: what it looks at.
        counts: what it has seen and done.
        began: seconds of the monotonic clock.
    """

    repository: str
    scope: str
    counts: Counts = field(default_factory=Counts)
    began: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since when it runs."""
        return time.monotonic() - self.began

    @property
    def files_per_second(self) -> float:
        """How fast it is on average."""
        return self.counts.files_scanned / max(self.seconds, 0.001)

    def note(self, counts: Counts) -> None:
        """Take over what has been counted so far."""
        self.counts = counts
        now = time.monotonic()
        if now >= self._said + _SAY_EVERY:
            self._said = now
            _LOG.info(
                "scanning",
                repository=self.repository,
                files=counts.files_scanned,
                files_per_second=round(self.files_per_second),
                directories=counts.directories,
                problems=counts.problems,
            )
