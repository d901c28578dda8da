"""What one repository's worker is doing and on what terms, as other threads may see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from censusd.sync.context import Rules
from censusd.sync.watching import WatchRules


class Phase(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    STANDBY = "standby"
    SCANNING = "scanning"
    WATCHING = "watching"
    OFFLINE = "offline"
    WAITING = "waiting for the database"
    TROUBLED = "trying again"
    STOPPED = "stopped"


@dataclass(slots=True)
class Standing:
    """What a worker is doing now.

    Attributes:
        phase: what it is.
        why: a sentence about it, where there is something to say.
    """

    phase: Phase = Phase.STARTING
    why: str = ""

    def say(self, phase: Phase, why: str = "") -> None:
        """Something else, from now on."""
        self.phase, self.why = phase, why


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a worker works.

    Attributes:
        rules: how the repository is treated.
        watch: how changes in it are noticed.
        lease_ttl: seconds after which a silent owner loses it.
        owner: this process's name to other daemons.
    """

    rules: Rules
    watch: WatchRules
    lease_ttl: float
    owner: str
