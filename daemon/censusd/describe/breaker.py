"""When a server may be asked again after it has failed. Pure: the time and the dice are handed in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_FAILURES: Final = 5
"""After so many failures in a row, whosever fault they are, the server is taken to be away."""

LONGEST_ASKED: Final = 3600.0
"""Seconds; a server that asks to be left alone for longer is asked again all the same."""


class Verdict(StrEnum):
    """What is believed of the server."""

    CLOSED = "closed"
    """It answers."""
    OPEN = "open"
    """It does not, and is left alone."""
    HALF_OPEN = "half-open"
    """It may again, and is about to be asked about a picture of nobody's."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures.

    Attributes:
        first: seconds after the first; each one after that doubles them.
        longest: the most seconds.
    """

    first: float = 1.0
    longest: float = 300.0


class Breaker:
    """Closed while the server answers; open after some failures in a row; closed again once it has proved itself.

    Args:
        backoff: how long to wait after failures.

    Attributes:
        failures: how many there were in a row.
        why: the last of them, or empty.
        rest_until: monotonic seconds before which the server is not asked.
    """

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self.failures = 0
        self.why = ""
        self.rest_until = 0.0

    def verdict(self, now: float) -> Verdict:
        """What is believed of the server at a moment."""
        if self.failures < MOST_FAILURES:
            return Verdict.CLOSED
        return Verdict.OPEN if now < self.rest_until else Verdict.HALF_OPEN

    def may_ask(self, now: float) -> bool:
        """Whether the server may be asked now; about a picture of somebody's only if the verdict is closed."""
        return now >= self.rest_until

    def succeeded(self) -> None:
        """It has answered as it should."""
        self.failures, self.why, self.rest_until = 0, "", 0.0

    def failed(self, why: str, now: float, chance: float, asked: float = 0.0) -> None:
        """It has not.

        Args:
            why: in a sentence.
            now: monotonic seconds.
            chance: from 0 to 1, at random, so that not everybody comes back at the same moment.
            asked: seconds that the server asks to be left alone for.
        """
        self.failures += 1
        self.why = why
        doubled = self._backoff.first * 2.0 ** min(self.failures - 1, 30)
        delay = min(self._backoff.longest, doubled) * (0.5 + chance / 2)
        self.rest_until = now + max(delay, min(asked, LONGEST_ASKED))
