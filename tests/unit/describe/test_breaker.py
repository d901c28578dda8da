"""When a server may be asked again after it has failed."""

from __future__ import annotations

import pytest

from censusd import metrics
from censusd.describe.breaker import LONGEST_ASKED, MOST_FAILURES, Backoff, Breaker, Verdict
from censusd.describe.describer import State


def test_it_opens_after_some_failures_in_a_row_and_closes_after_a_success() -> None:
    breaker, now = Breaker(Backoff(first=1, longest=300)), 1000.0
    for number in range(MOST_FAILURES):
        assert breaker.verdict(now) is Verdict.CLOSED
        assert breaker.may_ask(now)
        breaker.failed(f"number {number}", now, 1.0)
        assert breaker.rest_until == now + 2**number
        assert not breaker.may_ask(breaker.rest_until - 0.1)
        now = breaker.rest_until
    assert breaker.why == f"number {MOST_FAILURES - 1}"
    assert breaker.verdict(now - 0.1) is Verdict.OPEN
    assert breaker.verdict(now) is Verdict.HALF_OPEN
    breaker.failed("still", now, 1.0)
    assert breaker.verdict(now) is Verdict.OPEN
    now = breaker.rest_until
    breaker.succeeded()
    assert (breaker.verdict(now), breaker.why, breaker.may_ask(0)) == (Verdict.CLOSED, "", True)


def test_failures_that_are_not_in_a_row_leave_it_closed() -> None:
    breaker = Breaker()
    for _ in range(10 * MOST_FAILURES):
        for _ in range(MOST_FAILURES - 1):
            breaker.failed("x", 0, 0)
        assert breaker.verdict(1e9) is Verdict.CLOSED
        breaker.succeeded()


def test_it_waits_ever_longer_but_not_for_ever() -> None:
    breaker = Breaker(Backoff(first=1, longest=300))
    for _ in range(10_000):
        breaker.failed("x", 0, 1.0)
    assert breaker.rest_until == 300


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_not_everybody_comes_back_at_the_same_moment(chance: float, delay: float) -> None:
    breaker = Breaker(Backoff(first=1))
    breaker.failed("x", 0, chance)
    assert breaker.rest_until == delay


@pytest.mark.parametrize(("asked", "delay"), [(0.1, 1.0), (60, 60), (1e9, LONGEST_ASKED)])
def test_a_server_is_left_alone_for_as_long_as_it_asks_within_reason(asked: float, delay: float) -> None:
    breaker = Breaker(Backoff(first=1))
    breaker.failed("x", 0, 1.0, asked)
    assert breaker.rest_until == delay


def test_the_metrics_know_every_state() -> None:
    assert tuple(Verdict) == metrics.BREAKER_STATES
    assert tuple(State) == metrics.DESCRIBE_STATES
