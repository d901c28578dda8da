from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from censusd.model import ASKED, ROOT, UNASKED, Places, Strategy, is_below

PATHS = st.lists(st.sampled_from(["a", "b", "ab", "a b", "é"]), min_size=1, max_size=4).map("/".join)
PLACES = st.builds(
    Places,
    otherwise=st.sampled_from(Strategy),
    named=st.dictionaries(PATHS, st.sampled_from(Strategy), max_size=6).map(lambda named: tuple(named.items())),
)


def naive(places: Places, directory: str) -> tuple[str, Strategy]:
    """What ought to decide: of all places that the directory lies in, the one with the longest path."""
    deciders = [(ROOT, places.otherwise), *((path, one) for path, one in places.named if is_below(directory, path))]
    return max(deciders, key=lambda decider: len(decider[0]))


@given(PLACES, st.one_of(st.just(ROOT), PATHS))
def test_the_innermost_place_decides(places: Places, directory: str) -> None:
    assert places.decider(directory) == naive(places, directory)
    assert places.strategy_of(directory) is naive(places, directory)[1]


@given(PLACES, st.one_of(st.just(ROOT), PATHS), PATHS)
def test_what_is_somewhere_in_a_directory(places: Places, directory: str, below: str) -> None:
    within = f"{directory}/{below}" if directory else below
    for wanted in (ASKED, UNASKED, {Strategy.NEVER}):
        everywhere = (directory, *(path for path, _ in places.named if is_below(path, directory)))
        assert places.has(wanted, directory) == any(naive(places, one)[1] in wanted for one in everywhere)
        if naive(places, within)[1] in wanted:
            assert places.has(wanted, directory)


@given(PLACES, st.one_of(st.just(ROOT), PATHS), st.lists(PATHS, max_size=3, unique=True))
def test_what_is_closed_is_closed_and_nothing_else(places: Places, directory: str, closed: list[str]) -> None:
    is_closed = any(is_below(directory, one) for one in closed)
    expected = Strategy.NEVER if is_closed else naive(places, directory)[1]
    assert places.without(closed).strategy_of(directory) is expected


def test_an_example() -> None:
    places = Places(Strategy.AUTO, (("raw", Strategy.NEVER), ("raw/best", Strategy.AUTO), ("big", Strategy.ON_DEMAND)))
    done = {path: str(places.strategy_of(path)) for path in ("", "raw", "raw/2024", "raw/best/of", "rawer", "big/x")}
    assert done == {
        "": "auto",
        "raw": "never",
        "raw/2024": "never",
        "raw/best/of": "auto",
        "rawer": "auto",
        "big/x": "on-demand",
    }
    assert places.decider("raw/best/of") == ("raw/best", Strategy.AUTO)
