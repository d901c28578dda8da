"""Which arrivals are which departed files: never a wrong one, and every certain one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.model import Candidate, FileState, KnownDirectory, KnownFile, join, split
from censusd.sync.moves import Arrival, DirectoryArrival, Move, match, match_directories, place_now

PRESENT, MISSING = int(FileState.PRESENT), int(FileState.MISSING)
DEVICE = 7


def candidate(number: int, inode: int, *, state: int = PRESENT, size: int = 1, ctime: int = 9) -> Candidate:
    return Candidate(number, 1, "d", f"n{number}", size, 1, ctime, inode, state, DEVICE)


def occupant(number: int, state: int = PRESENT) -> KnownFile:
    return (1, number, state, f"n{number}", 1, 1, 9, 1000 + number, 1)


def arrival(name: str, inode: int, at: KnownFile | None = None, *, size: int = 1, mtime: int = 1) -> Arrival:
    return Arrival(1, "d", DEVICE, (name, size, mtime, 20, inode, 1), at)


def pairs(moves: Iterable[Move]) -> set[tuple[int, str]]:
    return {(move.row.id, move.to.entry[0]) for move in moves}


# Examples -------------------------------------------------------------------------------------------------------------


def test_a_rename() -> None:
    (move,) = match([arrival("new", 5)], [candidate(1, 5)], {(1, "new"): 3})
    assert (move.row.id, move.to.entry[0], move.proved) == (1, "new", True)


def test_without_a_birth_it_is_a_move_that_is_not_proved() -> None:
    (move,) = match([arrival("new", 5)], [candidate(1, 5)])
    assert not move.proved


@pytest.mark.parametrize("born", [9, 1])
def test_a_birth_up_to_the_last_change_on_record_is_the_same_file(born: int) -> None:
    assert match([arrival("new", 5)], [candidate(1, 5, ctime=9)], {(1, "new"): born})


def test_an_inode_number_that_is_used_again_is_no_move() -> None:
    assert not match([arrival("new", 5)], [candidate(1, 5, ctime=9)], {(1, "new"): 10})


@pytest.mark.parametrize(("size", "mtime"), [(2, 1), (1, 2), (1, 0)])
def test_another_version_is_no_certain_move(size: int, mtime: int) -> None:
    assert not match([arrival("new", 5, size=size, mtime=mtime)], [candidate(1, 5)])


def test_another_device_is_another_file() -> None:
    there = Arrival(1, "d", DEVICE + 1, ("new", 1, 1, 20, 5, 1), None)
    assert not match([there], [candidate(1, 5)])


def test_inode_numbers_that_mean_nothing_move_nothing() -> None:
    assert not match([arrival("new", 0)], [candidate(1, 0)])


def test_two_names_at_once_are_ambiguous() -> None:
    assert not match([arrival("one", 5), arrival("two", 5)], [candidate(1, 5)])


def test_two_rows_that_were_present_are_ambiguous() -> None:
    assert not match([arrival("new", 5)], [candidate(1, 5), candidate(2, 5)])


def test_of_several_rows_the_one_that_was_present_until_now_moves() -> None:
    assert pairs(match([arrival("new", 5)], [candidate(1, 5, state=MISSING), candidate(2, 5)])) == {(2, "new")}


def test_several_missing_rows_are_ambiguous() -> None:
    assert not match([arrival("new", 5)], [candidate(1, 5, state=MISSING), candidate(2, 5, state=MISSING)])


def test_a_new_version_renamed_over_the_old_one_leaves_the_place_its_row() -> None:
    assert not match([arrival("file", 5, occupant(2))], [candidate(1, 5)])


def test_a_missing_row_at_the_place_steps_aside() -> None:
    assert pairs(match([arrival("file", 5, occupant(2, MISSING))], [candidate(1, 5)])) == {(1, "file")}


def test_an_exchange() -> None:
    arrivals = [arrival("n1", 52, occupant(1)), arrival("n2", 51, occupant(2))]
    assert pairs(match(arrivals, [candidate(1, 51), candidate(2, 52)])) == {(1, "n2"), (2, "n1")}


def test_a_chain_whose_end_is_blocked_does_not_move_at_all() -> None:
    arrivals = [arrival("n2", 51, occupant(2)), arrival("n3", 52, occupant(3)), arrival("x", 53, occupant(9))]
    rows = [candidate(1, 51), candidate(2, 52), candidate(3, 53)]
    assert not match(arrivals, rows)
    assert pairs(match([*arrivals[:2], arrival("x", 53)], rows)) == {(1, "n2"), (2, "n3"), (3, "x")}


def test_a_long_chain_is_settled_in_a_moment() -> None:
    length = 50_000
    arrivals = [arrival(f"n{n + 1}", n + 1, occupant(n + 1)) for n in range(length)]
    assert not match(arrivals, [candidate(n, n + 1) for n in range(length)])


# Properties -----------------------------------------------------------------------------------------------------------


@given(st.permutations(range(8)), st.integers(0, 8))
def test_every_permutation_is_recognised(order: list[int], missing: int) -> None:
    """Files n1..n8 were renamed among themselves; some places had belonged to files that are missing."""
    arrivals = [
        arrival(f"n{place}", 50 + file, occupant(place, MISSING if place >= missing else PRESENT))
        for place, file in enumerate(order)
        if place != file
    ]
    departed = [candidate(file, 50 + file) for place, file in enumerate(order) if place != file]
    expected = {(file, f"n{place}") for place, file in enumerate(order) if place != file}
    assert pairs(match(arrivals, departed)) == expected


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Arrival], list[Candidate], dict[tuple[int, str], int]]:
    """Few inodes, sizes and times, so that everything collides; occupants are rows, some of which depart themselves."""
    small = st.integers(1, 3)
    departed = [
        candidate(
            number,
            draw(small),
            state=draw(st.sampled_from((PRESENT, MISSING))),
            size=draw(st.integers(1, 2)),
            ctime=draw(st.integers(4, 6)),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    arrivals, births = [], {}
    taken = set()
    for number in range(draw(st.integers(0, 5))):
        at = draw(st.none() | st.integers(0, 6))
        if at in taken:
            at = None
        taken.add(at)
        name = f"n{at}" if at is not None else f"new{number}"
        there = occupant(at, draw(st.sampled_from((PRESENT, PRESENT, MISSING)))) if at is not None else None
        arrivals.append(arrival(name, draw(small), there, size=draw(st.integers(1, 2))))
        births[1, name] = draw(st.sampled_from((0, 5)))
    return arrivals, departed, births


def certain(
    arrivals: list[Arrival], departed: list[Candidate], births: dict[tuple[int, str], int]
) -> set[tuple[int, str]]:
    """What can be only one file, by comparing everything with everything; then the largest set that has room."""
    possible: list[tuple[Candidate, Arrival]] = []
    for inode in {row.inode for row in departed}:
        here = [each for each in arrivals if each.entry[4] == inode]
        if len(here) != 1:
            continue
        (to,) = here
        born = births.get((1, to.entry[0]), 0)
        same = [
            row
            for row in departed
            if row.inode == inode and (row.size, row.mtime_ns) == to.entry[1:3] and not born > row.ctime_ns
        ]
        present = [row for row in same if row.state == PRESENT]
        if len(same) == 1 or len(present) == 1:
            possible.append(((same if len(same) == 1 else present)[0], to))
    largest: set[tuple[int, str]] = set()
    for size in range(len(possible) + 1):
        for chosen in combinations(possible, size):
            moving = {row.id for row, _ in chosen}
            if all(to.occupant is None or to.occupant[2] == MISSING or to.occupant[1] in moving for _, to in chosen):
                largest |= {(row.id, to.entry[0]) for row, to in chosen}
    return largest


@given(scenes())
def test_what_is_certain_and_has_room_is_what_moves(
    scene: tuple[list[Arrival], list[Candidate], dict[tuple[int, str], int]],
) -> None:
    arrivals, departed, births = scene
    moves = match(arrivals, departed, births)
    assert pairs(moves) == certain(arrivals, departed, births)
    assert len({move.row.id for move in moves}) == len({move.to.entry[0] for move in moves}) == len(moves)
    assert all(move.proved == bool(births[1, move.to.entry[0]]) for move in moves)


# Directories ----------------------------------------------------------------------------------------------------------


def directory(number: int, inode: int, path: str, *, born: int = 3, state: int = PRESENT) -> KnownDirectory:
    return KnownDirectory(number, 1, split(path)[1], path, DEVICE, inode, born, state, b"digest", False)


def placed(moves: dict[str, KnownDirectory]) -> dict[str, int]:
    return {place: row.id for place, row in moves.items()}


def test_a_directory_is_known_by_inode_and_birth() -> None:
    there = [DirectoryArrival(1, "new", DEVICE, 5, None)]
    assert placed(match_directories(there, [directory(2, 5, "old")], {"new": 3})) == {"new": 2}
    assert not match_directories(there, [directory(2, 5, "old")], {"new": 4})
    assert not match_directories(there, [directory(2, 5, "old", born=0)], {"new": 0})
    assert not match_directories(there, [directory(2, 5, "old")], {})
    assert not match_directories(
        [DirectoryArrival(1, "new", DEVICE + 1, 5, None)], [directory(2, 5, "old")], {"new": 3}
    )
    assert not match_directories([DirectoryArrival(1, "new", DEVICE, 0, None)], [directory(2, 0, "old")], {"new": 3})


def test_exchanged_directories() -> None:
    one, two = directory(1, 51, "one"), directory(2, 52, "two")
    there = [DirectoryArrival(9, "one", DEVICE, 52, one), DirectoryArrival(9, "two", DEVICE, 51, two)]
    assert placed(match_directories(there, [one, two], {"one": 3, "two": 3})) == {"one": 2, "two": 1}


def test_a_directory_renamed_over_an_empty_one_leaves_the_place_its_row() -> None:
    there = [DirectoryArrival(9, "two", DEVICE, 51, directory(2, 52, "two"))]
    assert not match_directories(there, [directory(1, 51, "one")], {"two": 3})
    there = [DirectoryArrival(9, "two", DEVICE, 51, directory(2, 52, "two", state=MISSING))]
    assert placed(match_directories(there, [directory(1, 51, "one")], {"two": 3})) == {"two": 1}


@pytest.mark.parametrize("place", ["old/new", "old/below/new"])
def test_no_directory_moves_into_itself(place: str) -> None:
    there = [DirectoryArrival(9, place, DEVICE, 5, None)]
    assert not match_directories(there, [directory(2, 5, "old")], {place: 3})
    assert match_directories(there, [directory(2, 5, "older")], {place: 3})


def test_a_directory_seen_at_two_places_is_mounted_twice() -> None:
    there = [DirectoryArrival(9, "one", DEVICE, 5, None), DirectoryArrival(9, "two", DEVICE, 5, None)]
    assert not match_directories(there, [directory(2, 5, "old")], {"one": 3, "two": 3})


paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(paths, paths), paths)
def test_whatever_is_below_a_directory_goes_with_the_nearest_that_moves(places: dict[str, str], path: str) -> None:
    above = [path]
    while above[-1]:
        above.append(split(above[-1])[0])
    nearest = next((each for each in above if each in places), None)
    expected = path if nearest is None else join(places[nearest], path[len(nearest) + 1 :]).rstrip("/")
    assert place_now(path, places) == expected
