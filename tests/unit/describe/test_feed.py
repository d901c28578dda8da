"""Every file that changes is looked at after its last change, the last changes first, in bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from censusd.catalogue.descriptions import Picture, Position
from censusd.describe.feed import _MOST_STRETCHES, Feed


class Files:
    """As much of a catalogue as a feed looks at: each file has a number and the number of its last change."""

    def __init__(self) -> None:
        self.changes: dict[int, int] = {}
        self.number = 0
        self.pages = 0

    def change(self, *files: int) -> None:
        self.number += 1
        self.changes |= dict.fromkeys(files, self.number)

    def page(self, after: int, position: Position) -> tuple[Position | None, list[Picture]]:
        self.pages += 1
        before = (position.until, position.before)
        rows = sorted(((change, one) for one, change in self.changes.items()), reverse=True)
        rows = [row for row in rows if after < row[0] <= position.until and row < before][:3]
        # As if every fifth file were no picture.
        found = [Picture(one, "", "", 0, 0, 0, 0, change, b"", "") for change, one in rows if one % 5]
        return (Position(*rows[-1]), found) if rows else (None, [])


def rest(feed: Feed, files: Files) -> list[int]:
    found = []
    while not feed.is_empty:
        picture = feed.next(files.page)
        if picture is not None:
            found.append(picture.id)
    return found


def test_the_last_changes_come_first_also_those_that_come_in_between() -> None:
    files, feed = Files(), Feed()
    for one in range(1, 9):
        files.change(one)
    feed.notice(files.number)
    assert [feed.next(files.page) for _ in range(2)] == [
        Picture(8, "", "", 0, 0, 0, 0, 8, b"", ""),
        Picture(7, "", "", 0, 0, 0, 0, 7, b"", ""),
    ]
    files.change(11, 12, 13, 14)
    feed.notice(files.number)
    assert rest(feed, files) == [14, 13, 12, 11, 6, 4, 3, 2, 1]


def test_nothing_is_looked_at_while_nothing_changes() -> None:
    files, feed = Files(), Feed()
    files.change(1)
    feed.notice(1)
    assert rest(feed, files) == [1]
    pages = files.pages
    feed.notice(1)
    assert feed.is_empty
    assert feed.next(files.page) is None
    assert files.pages == pages


def test_it_holds_a_bounded_number_of_stretches_whatever_happens() -> None:
    files, feed = Files(), Feed()
    found: set[int] = set()
    for number in range(100):
        files.change(*range(number * 10, number * 10 + 10))
        feed.notice(files.number)
        picture = feed.next(files.page)
        found |= {picture.id} if picture else set()
        assert len(feed._stretches) <= _MOST_STRETCHES
    found |= set(rest(feed, files))
    assert found == {one for one in range(1000) if one % 5}


@given(st.lists(st.sets(st.integers(1, 30), min_size=1, max_size=8) | st.integers(1, 6), max_size=60))
def test_nothing_is_overlooked(steps: list[set[int] | int]) -> None:
    files, feed = Files(), Feed()
    last_seen: dict[int, int] = {}
    for step in steps:
        if isinstance(step, set):
            files.change(*step)
            continue
        feed.notice(files.number)
        for _ in range(step):
            picture = feed.next(files.page)
            if picture is not None:
                last_seen[picture.id] = picture.change_number
    feed.notice(files.number)
    while not feed.is_empty:
        picture = feed.next(files.page)
        if picture is not None:
            last_seen[picture.id] = picture.change_number
    assert last_seen == {one: change for one, change in files.changes.items() if one % 5}
