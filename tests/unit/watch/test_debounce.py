from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.model import Scope, join
from censusd.watch.batch import Place
from censusd.watch.debounce import DirtySet
from censusd.watch.marks import Marks
from tests.tools.watching import covers

QUIET = 0.5
LATENCY = 5.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def dirty_set(
    clock: Clock, *, names_per_directory: int = 1_000, most_names: int = 1_000, most_directories: int = 1_000
) -> DirtySet:
    return DirtySet(
        quiet=QUIET,
        max_latency=LATENCY,
        names_per_directory=names_per_directory,
        most_names=most_names,
        most_directories=most_directories,
        clock=clock,
    )


def test_a_name_is_due_when_it_has_been_quiet() -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    dirty.add("a", "x", written=True)
    clock.now += 0.3
    dirty.add("a", "x")
    due = dirty.next_due()
    assert due == clock.now + QUIET
    assert not dirty.take_due(due - 0.001)
    assert dirty.take_due(due) == Scope(names={"a": {"x": True}})
    assert dirty.next_due() is None
    assert not dirty.take_due(due + 100)


def test_a_name_that_is_never_quiet_is_due_at_the_maximum_latency() -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    start = clock.now
    while clock.now < start + LATENCY:
        dirty.add("a", "busy")
        assert not dirty.take_due()
        clock.now += 0.25
    assert dirty.next_due() == start + LATENCY
    assert dirty.oldest_age() == LATENCY
    assert dirty.take_due() == Scope(names={"a": {"busy": False}})


def test_both_ends_of_a_rename_are_due_together_even_if_one_has_been_busy_for_long() -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    start = clock.now
    while clock.now < start + LATENCY - 0.25:
        dirty.add("a", "x.part")
        clock.now += 0.25
    dirty.add_many({"a": {"x.part": False}, "b": {"x": False}}, renames=[(("a", "x.part"), ("b", "x"))])
    assert dirty.take_due(start + LATENCY) == Scope(names={"a": {"x.part": False}, "b": {"x": False}})


def test_both_ends_of_a_rename_are_due_together_even_if_the_second_was_read_later() -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    dirty.add("a", "x")
    clock.now += 0.01
    dirty.add_many({"b": {"x": False}}, renames=[(("a", "x"), ("b", "x"))])
    due = dirty.next_due()
    assert dirty.take_due(due) == Scope(names={"a": {"x": False}, "b": {"x": False}})


def test_a_rename_whose_first_end_was_taken_already_is_fine() -> None:
    dirty = dirty_set(Clock())
    dirty.add_many({"b": {"x": False}}, renames=[(("a", "x"), ("b", "x")), (("b", "x"), ("b", "x"))])
    assert dirty.take_all() == Scope(names={"b": {"x": False}})


def test_many_files_that_move_to_another_directory_stay_together_when_folded() -> None:
    clock = Clock()
    dirty = dirty_set(clock, names_per_directory=4)
    for number in range(10):
        name = str(number)
        dirty.add_many({"a": {name: False}, "b": {name: False}}, renames=[(("a", name), ("b", name))])
    clock.now += 0.2
    dirty.add("b", "more")
    due = dirty.next_due()
    assert due == clock.now + QUIET - 0.2
    taken = dirty.take_due(due)
    assert set(taken.directories) == {"a", "b"}
    assert not taken.names


def test_too_many_names_in_a_directory_become_its_listing() -> None:
    dirty = dirty_set(Clock(), names_per_directory=4)
    dirty.add_many({"a": {str(number): True for number in range(4)}})
    assert len(dirty) == 4
    dirty.add("a", "4")
    dirty.add("a", "5")
    assert len(dirty) == 1
    assert dirty.folds == 1
    assert dirty.take_all() == Scope(directories=("a",))
    assert dirty.folds == 1


@pytest.mark.parametrize("order", [("rules", "1", "2", "3"), ("1", "2", "3", "rules")])
def test_a_name_that_rules_what_is_below_is_not_lost_in_a_listing(order: tuple[str, ...]) -> None:
    dirty = DirtySet(names_per_directory=2, rules_file="rules")
    for name in order:
        dirty.add("a", name)
    dirty.add("b", "rules")
    assert dirty.take_all() == Scope(subtrees=("a",), names={"b": {"rules": False}})
    dirty.add("a", "rules")
    dirty.add_directory("a")
    assert dirty.take_all() == Scope(subtrees=("a",))


def test_too_many_names_altogether_become_the_listings_of_the_fullest_directories() -> None:
    dirty = dirty_set(Clock(), most_names=10)
    dirty.add_many({"small": {"x": True}, "full": {str(number): True for number in range(10)}})
    assert dirty.take_all() == Scope(directories=("full",), names={"small": {"x": True}})


def test_too_many_directories_become_the_subtree_of_the_largest_family() -> None:
    dirty = dirty_set(Clock(), most_directories=10)
    dirty.add("elsewhere/deep", "x")
    for number in range(10):
        dirty.add(f"family/{number}", "x")
    assert dirty.take_all() == Scope(subtrees=("family",), names={"elsewhere/deep": {"x": False}})


def test_too_many_directories_without_siblings_become_subtrees_further_up() -> None:
    dirty = dirty_set(Clock(), most_directories=10)
    for number in range(11):
        dirty.add(f"top-{number % 2}/only-{number}/child/of/{number}", "x")
    assert set(dirty.take_all().subtrees) == {"top-0", "top-1"}


def test_directories_without_siblings_are_left_alone_while_others_can_be_put_together() -> None:
    dirty = dirty_set(Clock(), most_directories=10)
    for parent in "bcde":
        for number in range(2):
            dirty.add(f"a/{parent}/{number}", "x")
    for number in range(3):
        dirty.add(f"{number}/only/child", "x")
    expected = {f"{number}/only/child": {"x": False} for number in range(3)}
    assert dirty.take_all() == Scope(subtrees=("a",), names=expected)


def test_directories_too_deep_to_find_an_ancestor_in_time_become_the_whole_repository() -> None:
    dirty = dirty_set(Clock(), most_directories=10)
    for number in range(11):
        dirty.add("/".join([str(number)] * 200), "x")
    assert dirty.take_all() == Scope.whole()


def test_a_listing_is_as_old_as_the_oldest_name_in_it() -> None:
    clock = Clock()
    dirty = dirty_set(clock, names_per_directory=2)
    start = clock.now
    for name in ("x", "y", "z"):
        dirty.add("a", name)
        clock.now += 1.6
    dirty.add("a", "more")
    assert dirty.next_due() == start + LATENCY
    assert dirty.take_due(start + LATENCY) == Scope(directories=("a",))


def test_far_too_many_directories_become_the_whole_repository() -> None:
    dirty = dirty_set(Clock(), most_directories=10)
    for number in range(11):
        dirty.add(f"{number}", "x")
    assert dirty.take_all() == Scope.whole()


def test_a_subtree_swallows_what_is_below_it_and_keeps_its_age() -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    start = clock.now
    dirty.add("a/b", "x")
    dirty.add("ab", "x")
    dirty.add_directory("a/c")
    clock.now += 4.9
    dirty.add_many({}, subtrees=("a/b/c", "a", "a/d"))
    dirty.add("a/b", "y")
    dirty.add_directory("a")
    assert len(dirty) == 2
    assert dirty.take_due(start + 1) == Scope(names={"ab": {"x": False}})
    assert dirty.take_due(start + LATENCY) == Scope.subtree("a")


def test_a_listing_swallows_the_names_in_it() -> None:
    dirty = dirty_set(Clock())
    dirty.add("a", "x")
    dirty.add("a/b", "x")
    dirty.add_directory("a")
    dirty.add("a", "y")
    assert dirty.take_all() == Scope(directories=("a",), names={"a/b": {"x": False}})


def test_a_scope_that_is_put_back_comes_out_again() -> None:
    dirty = dirty_set(Clock())
    scope = Scope(subtrees=("s",), directories=("d",), names={"n": {"x": True, "y": False}})
    dirty.add_scope(scope)
    assert dirty.take_all() == scope


def test_whoever_waits_is_called_when_the_set_is_not_empty_any_more() -> None:
    calls: list[int] = []
    dirty = DirtySet(on_first=lambda: calls.append(len(dirty)))  # asks the set, so no lock may be held
    dirty.add_many({})
    assert calls == []
    dirty.add("a", "x")
    dirty.add("a", "y")
    assert calls == [1]
    dirty.take_all()
    dirty.add_many({"a": {"x": False, "z": False}})
    assert calls == [1, 2]


def test_quiet_and_latency_may_be_changed_at_any_time() -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    dirty.add("a", "x")
    dirty.quiet = 3.0
    assert dirty.next_due() == clock.now + 3.0
    dirty.max_latency = 2.0
    assert dirty.next_due() == clock.now + 2.0


def test_threads_that_add_and_take_lose_nothing() -> None:
    dirty = DirtySet(quiet=0.0)
    taken: list[Scope] = []
    stop = threading.Event()

    def add(writer: int) -> None:
        for number in range(2_000):
            dirty.add(f"{number % 7}", f"{writer}-{number}")

    def take() -> None:
        while not stop.is_set():
            taken.append(dirty.take_due())

    taker = threading.Thread(target=take)
    writers = [threading.Thread(target=add, args=(writer,)) for writer in range(4)]
    for thread in (taker, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    taker.join()
    taken.append(dirty.take_all())
    assert sum(len(names) for scope in taken for names in scope.names.values()) == 8_000


# Against a naive oracle: a flat dictionary of everything that was marked.

_directories = st.sampled_from(["", "a", "b", "a/b", "a/c", "a/b/c", "ab", "a/b/c/d", "x/y/z", "x/y", "x/w"])
_names = st.sampled_from([f"n{number}" for number in range(6)])
_places = st.tuples(_directories, _names)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("names"), st.lists(st.tuples(_places, st.booleans()), min_size=1, max_size=8)),
        st.tuples(st.just("rename"), st.tuples(_places, _places)),
        st.tuples(st.just("directory"), _directories),
        st.tuples(st.just("subtree"), _directories),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 5.0])),
        st.tuples(st.just("take"), st.none()),
    ),
    max_size=60,
)
Steps = Sequence[tuple[str, object]]


def _play(dirty: DirtySet, clock: Clock, steps: Steps) -> None:
    """Do all the steps, and check after each what must hold for any bounds."""
    waiting: dict[tuple[str, str], float] = {}  # place -> when it was marked first

    def mark(directory: str, name: str) -> None:
        waiting.setdefault((directory, name), clock.now)

    def check(scope: Scope) -> None:
        for place in [place for place in waiting if covers(scope, *place)]:
            del waiting[place]

    for what, argument in steps:
        match what:
            case "names":
                names: dict[str, dict[str, bool]] = {}
                for (directory, name), written in cast("list[tuple[Place, bool]]", argument):
                    names.setdefault(directory, {})[name] = written
                    mark(directory, name)
                dirty.add_many(names)
            case "rename":
                origin, target = cast("tuple[Place, Place]", argument)
                names = {origin[0]: {origin[1]: False}}
                names.setdefault(target[0], {})[target[1]] = False
                mark(*origin)
                mark(*target)
                dirty.add_many(names, renames=[(origin, target)])
            case "directory":
                directory = cast("str", argument)
                dirty.add_directory(directory)
                mark(directory, "anything in it")
            case "subtree":
                directory = cast("str", argument)
                dirty.add_subtree(directory)
                mark(directory, "anything in it")
                mark(join(directory, "below"), "anything in it")
            case "wait":
                clock.now += cast("float", argument)
            case "take":
                due = dirty.next_due()
                scope = dirty.take_due()
                assert bool(scope) == (due is not None and due <= clock.now)
                check(scope)
                overdue = [place for place, first in waiting.items() if first + LATENCY <= clock.now]
                assert not overdue
            case _:
                raise AssertionError(what)
        _check_bounds(dirty._marks)
    check(dirty.take_all())
    assert not waiting  # nothing is ever lost
    assert len(dirty) == 0


def _check_bounds(marks: Marks) -> None:
    names = [mark for names in marks._names.values() for mark in names.values()]
    assert marks._name_count == len(names) <= marks._most_names
    assert all(0 < len(each) <= marks._names_per_directory for each in marks._names.values())
    assert marks._directory_count() <= marks._most_directories
    everything = {*names, *marks._listings.values(), *marks._subtrees.values()}
    assert everything == set(marks.by_first) == set(marks.by_last)
    assert len(everything) == len(names) + len(marks._listings) + len(marks._subtrees)
    firsts, lasts = [mark.first for mark in marks.by_first], [mark.last for mark in marks.by_last]
    assert firsts == sorted(firsts)
    assert lasts == sorted(lasts)
    for mark in everything:
        assert mark not in (mark.partners or ())
        assert all(partner in everything and mark in (partner.partners or ()) for partner in mark.partners or ())


@given(_steps, st.integers(1, 5), st.integers(1, 12), st.integers(1, 6))
def test_nothing_is_lost_however_tight_the_bounds(
    steps: Steps, per_directory: int, names: int, directories: int
) -> None:
    clock = Clock()
    dirty = dirty_set(clock, names_per_directory=per_directory, most_names=names, most_directories=directories)
    _play(dirty, clock, steps)


@given(_steps)
def test_nothing_is_lost_within_the_bounds(steps: Steps) -> None:
    clock = Clock()
    _play(dirty_set(clock), clock, steps)


_additions = st.lists(st.tuples(_places, st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.6])), max_size=60)


@given(_additions)
def test_without_folding_exactly_what_is_due_is_taken(additions: list[tuple[tuple[str, str], bool, float]]) -> None:
    clock = Clock()
    dirty = dirty_set(clock)
    oracle: dict[tuple[str, str], tuple[float, float, bool]] = {}
    for (directory, name), written, pause in additions:
        dirty.add(directory, name, written=written)
        first, _, before = oracle.get((directory, name), (clock.now, clock.now, False))
        oracle[directory, name] = (first, clock.now, before or written)
        clock.now += pause
        due = {
            place: mark
            for place, mark in oracle.items()
            if mark[1] + QUIET <= clock.now or mark[0] + LATENCY <= clock.now
        }
        expected: dict[str, dict[str, bool]] = {}
        for (where, what), mark in due.items():
            expected.setdefault(where, {})[what] = mark[2]
            del oracle[where, what]
        assert dirty.take_due() == Scope(names=expected)
        earliest = [min(last + QUIET, first + LATENCY) for first, last, _ in oracle.values()]
        assert dirty.next_due() == min(earliest, default=None)


@given(st.lists(_places, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_marks_does_not_matter(places: list[tuple[str, str]], random: Random) -> None:
    shuffled = list(places)
    random.shuffle(shuffled)
    scopes = []
    for order in (places, shuffled):
        dirty = dirty_set(Clock())
        for directory, name in order:
            dirty.add(directory, name)
        scopes.append(dirty.take_all())
    assert scopes[0] == scopes[1]
