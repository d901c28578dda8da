"""When a watch that broke down is set up again."""

from __future__ import annotations

from itertools import pairwise

from censusd.sync.watching import Mending


def moments(mending: Mending, begin: int, end: int) -> list[int]:
    """Seconds at which it is set up, if it breaks down whenever it is."""
    return [second for second in range(begin, end) if mending.is_due(second)]


def test_a_watch_is_set_up_at_once_and_later_and_later_while_it_does_not_last() -> None:
    mending = Mending()
    found = moments(mending, 100, 2000)
    assert found[:6] == [100, 102, 106, 114, 130, 162]
    assert max(later - earlier for earlier, later in pairwise(found)) == 300


def test_a_breakdown_long_after_the_last_one_has_nothing_to_do_with_it() -> None:
    mending = Mending()
    moments(mending, 0, 2000)
    assert moments(mending, 6000, 6010) == [6000, 6002, 6006]
