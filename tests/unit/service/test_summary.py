"""One line on many repositories."""

from __future__ import annotations

import pytest

from censusd.service.summary import Repository, parts
from censusd.sync.standing import Phase


def test_a_few_are_named_one_by_one_with_what_is_wrong_first() -> None:
    some = [
        Repository("comics", Phase.WATCHING),
        Repository("photos", Phase.SCANNING, 12_345, 6_789.4),
        Repository("archive", Phase.OFFLINE),
    ]
    assert parts(some) == ["archive offline", "photos scanning: 12,345 files, 6,789/s", "comics watching"]


def test_what_is_wrong_with_one_of_a_hundred_is_not_lost_among_the_others() -> None:
    many = [Repository(f"r{number}", Phase.WATCHING) for number in range(97)]
    many += [Repository("disk", Phase.OFFLINE), Repository("other", Phase.STANDBY), Repository("new", Phase.STARTING)]
    assert parts(many) == ["disk offline", "new starting", "1 standby", "97 watching"]


def test_a_partial_pass_of_a_repository_that_is_watched_is_told() -> None:
    many = [Repository(f"r{number}", Phase.WATCHING) for number in range(9)]
    many.append(Repository("polled", Phase.WATCHING, 10, 5.0))
    assert parts(many) == ["polled scanning: 10 files, 5/s", "9 watching"]


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_its_place(phase: Phase) -> None:
    assert parts([Repository("one", phase)]) == [f"one {phase}"]
