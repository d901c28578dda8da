"""When the machine counts as idle: one row a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time

import pytest

from censusd.deepscan.idle import Condition, Conditions, IdleRules, Load, Window, decide, parse_window

NOON = datetime(2024, 5, 1, 12, 0)  # noqa: DTZ001 - local time is what hours are told in
IDLE = Conditions(backlog=True, now=NOON)
RULES = IdleRules()
NIGHT = (Window(time(22), time(6)),)
DAY = 86400.0


@pytest.mark.parametrize(
    ("rules", "change", "expected"),
    [
        (RULES, {}, Condition.WORKING),
        (RULES, {"backlog": False}, Condition.NOTHING),
        (replace(RULES, enabled=False), {}, Condition.OFF),
        (replace(RULES, enabled=False), {"waited": 100 * DAY}, Condition.OFF),
        (RULES, {"stuck": "a disk hangs"}, Condition.STUCK),
        (RULES, {"stuck": "a disk hangs", "waited": 100 * DAY}, Condition.STUCK),
        # Changes
        (RULES, {"quiet": 0.0}, Condition.CHANGES),
        (RULES, {"quiet": 9.9}, Condition.CHANGES),
        (RULES, {"quiet": 10.0}, Condition.WORKING),
        (replace(RULES, quiet=0), {"quiet": 0.0}, Condition.WORKING),
        # The database
        (RULES, {"database_waits": "it is slow"}, Condition.DATABASE),
        # Hours
        (replace(RULES, hours=NIGHT), {}, Condition.HOURS),
        (replace(RULES, hours=NIGHT), {"now": NOON.replace(hour=22)}, Condition.WORKING),
        (replace(RULES, hours=NIGHT), {"now": NOON.replace(hour=5, minute=59)}, Condition.WORKING),
        (replace(RULES, hours=NIGHT), {"now": NOON.replace(hour=6)}, Condition.HOURS),
        (replace(RULES, hours=(*NIGHT, Window(time(12), time(13)))), {}, Condition.WORKING),
        # Load
        (RULES, {"load": Load(cpu_pressure=20, io_pressure=20, cpu_busy=50)}, Condition.WORKING),
        (RULES, {"load": Load(cpu_pressure=20.1)}, Condition.CPU),
        (RULES, {"load": Load(cpu_busy=50.1)}, Condition.CPU),
        (RULES, {"load": Load(io_pressure=20.1)}, Condition.IO),
        (RULES, {"load": Load(io_pressure=20.1, cpu_pressure=100)}, Condition.IO),
        # What has waited for too long goes before all that
        (RULES, {"waited": 7 * DAY, "load": Load(io_pressure=100)}, Condition.IO),
        (RULES, {"waited": 7 * DAY + 1, "load": Load(io_pressure=100)}, Condition.WORKING),
        (replace(RULES, hours=NIGHT), {"waited": 8 * DAY, "quiet": 0.0}, Condition.WORKING),
        (replace(RULES, staleness=None), {"waited": 1000 * DAY, "quiet": 0.0}, Condition.CHANGES),
    ],
)
def test_what_holds_it_back(rules: IdleRules, change: dict[str, object], expected: Condition) -> None:
    condition, why = decide(rules, replace(IDLE, **change))  # type: ignore[arg-type]
    assert condition is expected
    assert bool(why) is (expected not in {Condition.WORKING, Condition.NOTHING} or "waited" in change)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:00-06:00", Window(time(22), time(6))),
        ("00:00-24:00", Window(time(0), time(0))),
        ("07:30-07:31", Window(time(7, 30), time(7, 31))),
    ],
)
def test_hours(text: str, expected: Window) -> None:
    assert parse_window(text) == expected


def test_all_day() -> None:
    window = parse_window("00:00-24:00")
    assert all(window.holds(time(hour, 59)) for hour in range(24))
    assert parse_window("20:00-24:00").holds(time(23, 59))
    assert not parse_window("20:00-24:00").holds(time(0))


@pytest.mark.parametrize(
    "text", ["", "22-6", "24:00-01:00", "22:00-06:60", "22:00 - 06:00", "9:00-10:00", "22:00-06:00x"]
)
def test_no_hours(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-06:00"):
        parse_window(text)
