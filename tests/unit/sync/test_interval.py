"""How long to wait until the next reconciliation."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from censusd.sync.interval import Pace

seconds = st.floats(1.0, 1e7)
paces = st.tuples(seconds, seconds, seconds, st.floats(0.0, 0.5)).map(
    lambda given_: Pace(given_[0], min(given_[1:3]), max(given_[1:3]), given_[3])
)


def test_drift_shortens_and_clean_passes_lengthen_within_bounds() -> None:
    pace = Pace(start=86_400.0, shortest=3_600.0, longest=604_800.0)
    assert pace.after(None, 5) == pace.after(None, 0) == 86_400.0
    assert pace.after(86_400.0, drift=1) == 43_200.0
    assert pace.after(86_400.0, drift=0) == 129_600.0
    assert pace.after(4_000.0, drift=1) == 3_600.0
    assert pace.after(600_000.0, drift=0) == 604_800.0


@given(paces, seconds, st.integers(0, 10))
def test_the_interval_stays_within_its_bounds(pace: Pace, interval: float, drift: int) -> None:
    after = pace.after(interval, drift)
    assert pace.shortest <= after <= pace.longest
    assert after == pace.bounded(after)
    if pace.shortest <= interval <= pace.longest:
        assert after <= interval if drift else after >= interval


@given(paces, st.lists(st.booleans(), max_size=60))
def test_it_comes_back_from_wherever_it_was(pace: Pace, drifts: list[bool]) -> None:
    interval = pace.after(None, 0)
    for drift in drifts:
        interval = pace.after(interval, int(drift))
    for _ in range(80):
        interval = pace.after(interval, 1)
    assert interval == pace.shortest
    for _ in range(80):
        interval = pace.after(interval, 0)
    assert interval == pace.longest


@given(paces, seconds, st.integers(0, 1000))
def test_the_delay_varies_by_no_more_than_the_jitter(pace: Pace, interval: float, seed: int) -> None:
    delay = pace.delay(interval, random.Random(seed))
    assert abs(delay - interval) <= interval * pace.jitter * 1.000001
    assert Pace(jitter=0.0).delay(interval, random.Random(seed)) == interval


def test_delays_differ() -> None:
    chance = random.Random(1)
    assert len({Pace().delay(100.0, chance) for _ in range(10)}) == 10
