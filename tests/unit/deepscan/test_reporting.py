"""What the log says of the backlog, and how often."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import structlog

from censusd.deepscan.idle import Condition
from censusd.deepscan.reporting import Conditions

HOUR = 3600


def lines(seconds: int, condition: Callable[[int], Condition]) -> list[tuple[int, dict[str, Any]]]:
    """When something was said, and what, while the condition was looked at each second."""
    now = 0
    conditions = Conditions(lambda: float(now))
    said: list[tuple[int, dict[str, Any]]] = []
    for now in range(seconds):
        with structlog.testing.capture_logs() as logs:
            conditions.tell(condition(now), "it is slow to answer")
        said += [(now, dict(line)) for line in logs]
    return said


def flipping(second: int) -> Condition:
    """As on a machine whose database is slow while there is work."""
    return Condition.DATABASE if second % 2 else Condition.WORKING


def test_a_change_is_said_at_once() -> None:
    ((when, line),) = lines(HOUR, lambda second: Condition.WORKING if second >= 100 else Condition.NOTHING)
    assert (when, line["condition"], line["was"], "changes" in line) == (100, "working", "nothing to do", False)


def test_going_back_and_forth_is_said_ever_more_seldom_and_with_how_often() -> None:
    said = lines(HOUR, flipping)
    assert len(said) < 14
    pauses = [after - before for (before, _), (after, _) in pairwise(said)]
    assert pauses == sorted(pauses)
    assert max(pauses) <= 600
    assert sum(line.get("changes", 1) for _, line in said) > HOUR - 601


def test_what_it_has_come_to_is_said_in_bounded_time_and_a_change_after_that_at_once() -> None:
    end = HOUR + 1300

    def settles(second: int) -> Condition:
        if second < HOUR:
            return flipping(second)
        return Condition.HOURS if second < end else Condition.WORKING

    said = lines(end + 10, settles)
    (settled, line), (last, after) = said[-2:]
    assert HOUR <= settled <= HOUR + 600
    assert (line["condition"], after["condition"]) == ("hours", "working")
    assert last == end


def test_each_of_a_few_changes_is_said() -> None:
    said = lines(HOUR, lambda second: (Condition.NOTHING, Condition.WORKING)[second // 600 % 2])
    assert [when for when, _ in said] == [600, 1200, 1800, 2400, 3000]
