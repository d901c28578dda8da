"""Whether this is a moment to describe pictures, also where the model runs on this very machine."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from censusd.catalogue.deep_queue import QueuedRepository
from censusd.deepscan import pressure
from censusd.deepscan.idle import Condition, IdleRules, Load
from censusd.deepscan.pressure import Sample
from censusd.describe.outlook import Outlook
from censusd.model import RepositoryState

RULES = IdleRules(cpu_pressure=20, io_pressure=20, cpu_busy=50, quiet=10)
QUIET = QueuedRepository(UUID(int=0), "photos", RepositoryState.ACTIVE, 1, busy=False, quiet=60.0)


class Machine:
    """The kernel's counters of a machine with two processors."""

    def __init__(self) -> None:
        self.now = Sample(at=1000.0, cpu=0, io=0, busy=0, ticks=0)

    def passes(self, seconds: float, busy: float) -> None:
        """Let time pass while a share of the processors is in use, and others wait for the rest of the time."""
        now = self.now
        self.now = replace(
            now,
            at=now.at + seconds,
            cpu=now.cpu + round(seconds * 1e6 * (0.9 if busy > 0.9 else 0.0)),
            busy=now.busy + round(200 * seconds * busy),
            ticks=now.ticks + round(200 * seconds),
        )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(pressure, "read_sample", lambda: machine.now)
    monkeypatch.setattr(pressure, "averages", Load)
    return machine


@pytest.mark.parametrize(("left", "held"), [(0.0, False), (1.0, True)], ids=["our own", "others'"])
def test_whose_load_it_is_shows_while_nothing_is_asked(machine: Machine, left: float, held: bool) -> None:
    outlook = Outlook(RULES, lambda: Condition.NOTHING)
    assert outlook.why_not([QUIET], "", worked=False) == ""
    machine.passes(1, 0.1)
    assert outlook.why_not([QUIET], "", worked=True) == ""
    # The model is at work on a picture, on the processors.
    machine.passes(20, 1.0)
    assert outlook.why_not([QUIET], "", worked=True) != ""
    reasons = []
    for _ in range(100):
        machine.passes(0.1, left)
        reasons.append(outlook.why_not([QUIET], "", worked=True))
        if not outlook.is_weighing:
            break
    assert len(reasons) > 1
    assert not outlook.is_weighing
    why = reasons[-1]
    assert why.startswith("cpu: others") if held else why == ""


@pytest.mark.parametrize(
    ("condition", "record", "database", "why"),
    [
        (Condition.NOTHING, QUIET, "", ""),
        (Condition.OFF, QUIET, "", ""),
        (Condition.WORKING, QUIET, "", "the deep scan comes first"),
        (Condition.STUCK, QUIET, "", "the deep scan comes first"),
        (Condition.NOTHING, replace(QUIET, quiet=None), "", ""),
        (Condition.NOTHING, replace(QUIET, quiet=3.0), "", "changes: "),
        (Condition.NOTHING, replace(QUIET, busy=True), "", "changes: "),
        (Condition.NOTHING, QUIET, "it is slow", "database: it is slow"),
    ],
)
def test_what_it_waits_for(
    machine: Machine, condition: Condition, record: QueuedRepository, database: str, why: str
) -> None:
    found = Outlook(RULES, lambda: condition).why_not([QUIET, record], database, worked=False)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_nobody_has_to_make_room_for_a_picture_that_has_waited_for_long(machine: Machine) -> None:
    outlook = Outlook(replace(RULES, staleness=0.0), lambda: Condition.NOTHING)
    assert outlook.why_not([replace(QUIET, busy=True)], "", worked=False)
