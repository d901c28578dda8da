from __future__ import annotations

from pathlib import Path

import pytest

from censusd.watch import coalesce
from censusd.watch.barrier import BarrierOutcome, CookieJar
from censusd.watch.batch import Batch
from censusd.watch.coalesce import Coalescer, Pending
from censusd.watch.kernel import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_IGNORED,
    IN_ISDIR,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
)
from censusd.watch.tree import WatchTree
from tests.tools.watching import record

ROOT, A, B, AB, COOKIES = 1, 2, 3, 4, 99
LEFT, CAME = IN_MOVED_FROM | IN_ISDIR, IN_MOVED_TO | IN_ISDIR


class Bench:
    """A coalescer with a tree of ``""``, ``a``, ``b`` and ``a/b``, and no kernel."""

    def __init__(self, cookies: Path) -> None:
        self.tree = WatchTree()
        for path, wd in (("", ROOT), ("a", A), ("b", B), ("a/b", AB)):
            self.tree.place(path, wd)
        self.condemned: list[int] = []
        self.jar = CookieJar(str(cookies))
        self.jar.prepare()
        self.coalescer = Coalescer(self.tree, self.jar, bytes.decode, self.condemned.extend)
        self.coalescer.cookie_wd = COOKIES

    def read(self, *records: bytes) -> Batch:
        """What comes of these records, read at once."""
        self.coalescer.absorb(b"".join(records))
        pending, self.coalescer.pending = self.coalescer.pending, Pending()
        return pending.settle({spot: spot.paths for spot in pending.spots()}, bytes.decode)

    def paths(self) -> dict[int, str]:
        return {wd: node.path for wd, node in self.tree.by_wd.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cookies")


def test_many_events_of_a_name_become_one_mark(bench: Bench) -> None:
    batch = bench.read(
        record(A, IN_CREATE, name=b"x"),
        record(A, IN_CLOSE_WRITE, name=b"x"),
        record(A, IN_ATTRIB, name=b"x"),
        record(ROOT, IN_DELETE, name=b"a name of more than 16 bytes"),
    )
    assert batch == Batch(names={"a": {"x": True}, "": {"a name of more than 16 bytes": False}})
    assert bench.coalescer.events == 4


def test_only_attributes_of_the_root_itself_have_no_name(bench: Bench) -> None:
    assert bench.read(record(A, IN_ATTRIB | IN_ISDIR)) == Batch()
    assert bench.read(record(ROOT, IN_ATTRIB | IN_ISDIR)) == Batch(directories=[""])


def test_directories_that_come_are_to_be_walked_and_others_only_looked_at(bench: Bench) -> None:
    batch = bench.read(
        record(A, IN_CREATE | IN_ISDIR, name=b"made"),
        record(A, CAME, 7, b"from outside"),
        record(A, IN_ATTRIB | IN_ISDIR, name=b"changed"),
        record(A, IN_DELETE | IN_ISDIR, name=b"deleted"),
    )
    assert batch.subtrees == ["a/made", "a/from outside"]
    assert batch.names == {"a": {"made": False, "from outside": False, "changed": False, "deleted": False}}


def test_a_renamed_file_is_paired_even_across_two_reads(bench: Bench) -> None:
    assert not bench.read(record(A, IN_MOVED_FROM, 7, b"x")).renames
    batch = bench.read(record(B, IN_MOVED_TO, 7, b"y"))
    assert batch == Batch(names={"b": {"y": False}}, renames=[(("a", "x"), ("b", "y"))])


def test_a_rename_of_a_directory_moves_it_once_its_last_event_is_there(bench: Bench) -> None:
    bench.read(record(ROOT, LEFT, 7, b"a"), record(B, CAME, 7, b"new"))
    assert bench.paths()[AB] == "a/b"
    batch = bench.read(record(AB, IN_CLOSE_WRITE, name=b"x"), record(A, IN_MOVE_SELF))
    assert bench.paths() == {ROOT: "", A: "b/new", B: "b", AB: "b/new/b"}
    assert batch.names == {"b/new/b": {"x": True}}  # by now it is there, whenever it was written


def test_an_exchange_of_two_directories_is_told_from_a_chain_of_renames(bench: Bench) -> None:
    bench.read(
        record(ROOT, LEFT, 7, b"a"),
        record(ROOT, CAME, 7, b"b"),
        record(A, IN_MOVE_SELF),
        record(ROOT, LEFT, 8, b"b"),
        record(ROOT, CAME, 8, b"a"),
        record(B, IN_MOVE_SELF),
    )
    assert bench.paths() == {ROOT: "", A: "b", B: "a", AB: "b/b"}
    assert bench.tree.find("a") is bench.tree.by_wd[B]


def test_interleaved_renames_are_told_apart(bench: Bench) -> None:
    bench.read(
        record(A, LEFT, 8, b"b"),
        record(ROOT, LEFT, 7, b"b"),
        record(ROOT, CAME, 8, b"from a"),
        record(A, CAME, 7, b"from root"),
        record(B, IN_MOVE_SELF),
        record(AB, IN_MOVE_SELF),
    )
    assert bench.paths() == {ROOT: "", A: "a", B: "a/from root", AB: "from a"}


def test_a_directory_without_a_partner_left_and_takes_its_watches_with_it(bench: Bench) -> None:
    batch = bench.read(record(ROOT, LEFT, 7, b"a"), record(AB, IN_CREATE, name=b"x"), record(A, IN_MOVE_SELF))
    assert sorted(bench.condemned) == [A, AB]
    assert bench.paths() == {ROOT: "", B: "b"}
    assert batch.names[""] == {"a": False}
    assert bench.read(record(AB, IN_CREATE, name=b"y"), record(AB, IN_IGNORED)) == Batch()
    assert bench.coalescer.unknown_events == 1


def test_a_directory_known_only_for_what_is_below_it_moves_without_waiting(bench: Bench) -> None:
    bench.tree.forget(bench.tree.by_wd[A])
    bench.read(record(ROOT, LEFT, 7, b"a"), record(ROOT, CAME, 7, b"new"))
    assert bench.paths()[AB] == "new/b"


def test_a_move_that_a_walk_has_seen_already_is_left_alone(bench: Bench) -> None:
    bench.tree.move(bench.tree.by_wd[A], "new")
    bench.read(record(ROOT, LEFT, 7, b"a"), record(ROOT, CAME, 7, b"new"), record(A, IN_MOVE_SELF))
    assert bench.paths() == {ROOT: "", A: "new", B: "b", AB: "new/b"}
    assert bench.condemned == []


def test_a_rename_whose_last_event_never_came_does_not_mislead_the_next_one(bench: Bench) -> None:
    """It was watched only after it had been renamed, and by its old path."""
    bench.read(record(ROOT, LEFT, 7, b"a"), record(ROOT, CAME, 7, b"c"))
    bench.read(record(ROOT, LEFT, 8, b"a"), record(A, IN_MOVE_SELF))
    assert sorted(bench.condemned) == [A, AB]


def test_a_rename_is_followed_once(bench: Bench) -> None:
    bench.read(record(ROOT, LEFT, 7, b"a"), record(ROOT, CAME, 7, b"new"), record(A, IN_MOVE_SELF))
    bench.tree.move(bench.tree.by_wd[A], "a")  # a walk found it where it had been
    bench.read(record(A, IN_MOVE_SELF))
    assert bench.paths()[A] == "a"


def test_a_deleted_directory_is_forgotten(bench: Bench) -> None:
    batch = bench.read(record(B, IN_IGNORED), record(ROOT, IN_DELETE | IN_ISDIR, name=b"b"))
    assert batch == Batch(names={"": {"b": False}})
    assert bench.paths() == {ROOT: "", A: "a", AB: "a/b"}


def test_marks_of_two_directories_that_had_the_same_path_are_put_together(bench: Bench) -> None:
    bench.tree.place("a", 9)  # a was deleted and made again; the old one's events are still coming
    batch = bench.read(
        record(A, IN_CLOSE_WRITE, name=b"x"), record(9, IN_CREATE, name=b"x"), record(9, IN_CREATE, name=b"y")
    )
    assert batch.names == {"a": {"x": True, "y": False}}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record(ROOT, IN_MOVE_SELF)], ["the root was renamed"]),
        ([record(ROOT, IN_IGNORED)], ["the root is gone"]),
        ([record(A, IN_UNMOUNT), record(AB, IN_UNMOUNT)], ["something below it was unmounted"]),
        ([record(ROOT, IN_UNMOUNT), record(ROOT, IN_IGNORED)], ["the root was unmounted", "the root is gone"]),
    ],
    ids=["renamed", "deleted", "below", "unmounted"],
)
def test_what_happens_to_the_root_is_said(bench: Bench, records: list[bytes], expected: list[str]) -> None:
    assert bench.read(*records).root_changes == expected


def test_an_overflow_releases_those_who_wait_for_a_cookie(bench: Bench) -> None:
    barrier = bench.jar.place()
    batch = bench.read(record(-1, IN_Q_OVERFLOW))
    assert batch.overflows == bench.coalescer.overflows == 1
    assert batch.barriers == [(barrier, BarrierOutcome.OVERFLOWED)]
    assert bench.paths() == {ROOT: "", A: "a", B: "b", AB: "a/b"}


def test_half_a_rename_from_before_an_overflow_is_not_paired_with_anything(bench: Bench) -> None:
    bench.read(record(ROOT, LEFT, 7, b"a"), record(-1, IN_Q_OVERFLOW))
    bench.read(record(A, IN_MOVE_SELF))
    assert bench.condemned == []
    assert not bench.read(record(ROOT, CAME, 7, b"new")).renames


def test_a_cookie_releases_its_barrier_and_no_other(bench: Bench) -> None:
    barrier, other = bench.jar.place(), bench.jar.place()
    batch = bench.read(
        record(COOKIES, IN_CREATE, name=b"cookie-unknown"),
        record(COOKIES, IN_CREATE, name=b"\xff"),
        record(COOKIES, IN_CREATE, name=barrier._name.encode()),
    )
    assert batch == Batch(barriers=[(barrier, BarrierOutcome.PASSED)])
    assert other.outcome is BarrierOutcome.WAITING


def test_a_deleted_cookie_directory_is_noticed(bench: Bench) -> None:
    bench.read(record(COOKIES, IN_IGNORED))
    assert bench.coalescer.cookie_wd is None


def test_a_batch_nobody_takes_stays_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalesce, "_MOST_NAMES", 100)
    bench.coalescer.pending.room = 100
    for _ in range(10):  # always the same names: there is room
        bench.coalescer.absorb(b"".join(record(A, IN_CREATE, name=b"%d" % number) for number in range(40)))
    assert not bench.coalescer.pending.everything
    for start in range(0, 1_000, 40):
        bench.coalescer.absorb(b"".join(record(A, IN_CREATE, name=b"%d" % (start + n)) for n in range(40)))
        assert sum(map(len, bench.coalescer.pending.names.values())) <= 200
    assert bench.read().everything


def test_halves_that_never_find_a_partner_stay_bounded(bench: Bench) -> None:
    for cookie in range(10_000):
        bench.coalescer.absorb(record(A, IN_MOVED_FROM, cookie, b"x"))
        bench.coalescer.absorb(record(ROOT, LEFT, cookie, b"b"))
    assert len(bench.coalescer._halves) <= 4_096
    assert len(bench.coalescer._moves) <= 256
