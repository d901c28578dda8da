"""What numbers stand for: texts and colours for the values of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from censusd import metrics
from censusd.model import RepositoryState
from generators.panels import BLUE, GREEN, GREY, ORANGE, RED

YES: Final = {"0": ("no", RED), "1": ("yes", GREEN)}

_PHASES: Final = {
    "starting": BLUE,
    "standby": GREY,
    "scanning": BLUE,
    "watching": GREEN,
    "offline": RED,
    "waiting": RED,
    "troubled": RED,
    "stopped": RED,
}
_STATES: Final = {"active": GREEN, "offline": RED, "held": ORANGE, "retired": GREY}


def phases() -> Mapping[str, tuple[str, str]]:
    """Of ``numbered("censusd_repository_phase", "phase", metrics.PHASES)``."""
    texts = {"waiting": "waiting for the database", "troubled": "trying again"}
    named = {str(number): (texts.get(one, one), _PHASES[one]) for number, one in enumerate(metrics.PHASES, 1)}
    return {"0": ("unknown", GREY), **named}


def states() -> Mapping[str, tuple[str, str]]:
    """Of ``numbered("censusd_repository_state", "state", list(RepositoryState))``."""
    named = {str(number): (str(one), _STATES[one]) for number, one in enumerate(RepositoryState, 1)}
    return {"0": ("unknown", GREY), **named}
