from __future__ import annotations

import time

from censusd.deepscan.sites import Lane, Site, SiteRules


def test_an_empty_queue_is_gone_through_again_only_for_what_has_changed_or_because_time_has_passed() -> None:
    lane, now = Lane(), time.monotonic()
    assert lane.has_more(7, now, again=True)
    lane.until = 3
    lane.close(7, 0.01)
    assert not lane.has_more(7, now, again=True)
    assert lane.has_more(9, now, again=True)
    assert (lane.after, lane.until) == (7, Lane().until)
    lane.close(9, 0.01)
    assert not lane.has_more(9, now, again=True)
    # What was closed last was not everything, so that the time for that is still the same.
    assert not lane.has_more(9, now + 60, again=False)
    assert lane.has_more(9, now + 60, again=True)
    assert lane.after < 0


def test_a_queue_that_takes_long_to_go_through_is_left_alone_for_longer() -> None:
    lane, now = Lane(), time.monotonic()
    lane.close(7, 2.0)
    assert not lane.has_more(7, now + 60, again=True)
    assert lane.has_more(7, now + 130, again=True)


def test_a_great_many_files_that_are_left_to_others_are_all_of_them_for_a_while() -> None:
    one = Site(SiteRules("a", "/a"))
    for file in range(1000):
        one.shun(file)
    assert (len(one.left_to_others()), one.rest_until) == (1000, 0.0)
    one.shun(1000)
    assert one.left_to_others() == [1000]
    assert one.rest_until > time.monotonic()
