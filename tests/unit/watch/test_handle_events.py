"""Made-up fanotify records, and directories that are known already: what becomes of them without any kernel."""

from __future__ import annotations

import struct

import pytest

from censusd.model import ROOT
from censusd.watch.barrier import CookieJar
from censusd.watch.batch import Batch
from censusd.watch.coalesce import Coalescer, Pending
from censusd.watch.fanotify_kernel import (
    FAN_ATTRIB,
    FAN_CLOSE_WRITE,
    FAN_CREATE,
    FAN_DELETE,
    FAN_MOVED_FROM,
    FAN_MOVED_TO,
    FAN_ONDIR,
    FAN_Q_OVERFLOW,
    FAN_RENAME,
    INFO_NEW,
    INFO_OLD,
)
from censusd.watch.folders import Folder, Folders
from censusd.watch.handle_events import HandleEvents
from censusd.watch.tree import WatchTree

PLAIN = 2
"""FAN_EVENT_INFO_TYPE_DFID_NAME"""

Info = tuple[int, bytes, bytes]


def key(name: str) -> bytes:
    """The file system's number, and a handle of four bytes, which is made of a letter."""
    return struct.pack("=8sIi4s", b"filesyst", 4, 1, name.encode())


def record(mask: int, *infos: Info) -> bytes:
    """One event as the kernel writes it, see fanotify(7)."""
    body = b""
    for kind, handle, name in infos:
        length = 4 + len(handle) + len(name) + 1
        padding = 1 + -length % 4
        body += struct.pack("=BxH", kind, length + padding - 1) + handle + name + bytes(padding)
    return struct.pack("=IBBHQii", 24 + len(body), 3, 0, 24, mask, -1, 1) + body


class Bench:
    """A repository with the directories a and b, a directory x outside of it, and nothing else that anybody knows."""

    def __init__(self) -> None:
        self.coalescer = Coalescer(WatchTree(), CookieJar("unused"), bytes.decode, lambda wds: None)
        self.troubles: list[OSError] = []
        self.folders = Folders(b"/nowhere", bytes.decode, self.troubles.append)
        self.know()
        self.events = HandleEvents(self.coalescer, self.folders)

    def know(self) -> None:
        self.folders.known.update(
            {
                key(name): Folder(self.folders, key(name), (path,))
                for name, path in (("r", ROOT), ("a", "a"), ("b", "b"))
            }
        )
        self.folders.known[key("x")] = None

    def batch(self, *records: bytes) -> Batch:
        assert self.events.absorb(b"".join(records)) == len(records)
        pending, self.coalescer.pending = self.coalescer.pending, Pending()
        return pending.settle({spot: spot.paths for spot in pending.spots()}, bytes.decode)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_happened_to_one_name_is_one_mark_and_a_close_is_remembered(bench: Bench) -> None:
    batch = bench.batch(
        record(FAN_CREATE, (PLAIN, key("a"), b"file")),
        record(FAN_CLOSE_WRITE | FAN_ATTRIB, (PLAIN, key("a"), b"file")),
        record(FAN_ATTRIB, (PLAIN, key("a"), b"file")),
        record(FAN_DELETE, (PLAIN, key("r"), b"other")),
    )
    assert batch.names == {"a": {"file": True}, "": {"other": False}}
    assert not batch.subtrees
    assert bench.coalescer.events == 4


def test_what_is_elsewhere_is_dropped(bench: Bench) -> None:
    assert not bench.batch(record(FAN_CLOSE_WRITE, (PLAIN, key("x"), b"file"))).names
    assert not bench.batch(record(FAN_CREATE | FAN_ONDIR, (PLAIN, key("x"), b"d"))).subtrees


def test_a_rename_marks_both_ends_and_is_paired(bench: Bench) -> None:
    batch = bench.batch(record(FAN_RENAME, (INFO_OLD, key("a"), b"old"), (INFO_NEW, key("b"), b"new")))
    assert batch.names == {"a": {"old": False}, "b": {"new": False}}
    assert batch.renames == [(("a", "old"), ("b", "new"))]
    assert bench.folders.known


@pytest.mark.parametrize(("old", "new", "names"), [("x", "a", {"a": {"n": False}}), ("a", "x", {"a": {"o": False}})])
def test_of_a_rename_in_or_out_one_end_is_marked(
    bench: Bench, old: str, new: str, names: dict[str, dict[str, bool]]
) -> None:
    batch = bench.batch(record(FAN_RENAME, (INFO_OLD, key(old), b"o"), (INFO_NEW, key(new), b"n")))
    assert (batch.names, batch.renames) == (names, [])


def test_where_a_new_directory_is_has_to_be_walked(bench: Bench) -> None:
    batch = bench.batch(record(FAN_CREATE | FAN_ONDIR, (PLAIN, key("a"), b"d")))
    assert (batch.names, batch.subtrees) == ({"a": {"d": False}}, ["a/d"])
    assert bench.folders.known


@pytest.mark.parametrize("mask", [FAN_MOVED_FROM, FAN_MOVED_TO])
def test_halves_of_a_rename_do_as_well(bench: Bench, mask: int) -> None:
    batch = bench.batch(record(mask, (PLAIN, key("a"), b"n")))
    assert (batch.names, batch.subtrees, batch.renames) == ({"a": {"n": False}}, [], [])
    assert bench.folders.known


def kept(bench: Bench) -> bool:
    return key("a") in bench.folders.known


@pytest.mark.parametrize("ends", [("a", "b"), ("a", "x"), ("x", "a")])
def test_a_directory_that_is_renamed_in_the_repository_makes_all_paths_doubtful(
    bench: Bench, ends: tuple[str, str]
) -> None:
    renamed = record(FAN_RENAME | FAN_ONDIR, (INFO_OLD, key(ends[0]), b"o"), (INFO_NEW, key(ends[1]), b"n"))
    assert bench.events.absorb(renamed) == 1
    assert not bench.folders.known
    subtrees = list(bench.coalescer.pending.subtrees)
    assert bool(subtrees) == (ends[1] != "x")


def test_halves_of_a_directory_s_rename_make_them_doubtful_as_well(bench: Bench) -> None:
    for mask in (FAN_MOVED_FROM, FAN_MOVED_TO):
        bench.know()
        assert bench.events.absorb(record(mask | FAN_ONDIR, (PLAIN, key("a"), b"n"))) == 1
        assert not bench.folders.known
    assert [name.rstrip(b"\0") for _, name in bench.coalescer.pending.subtrees] == [b"n"]


def test_a_directory_that_is_renamed_elsewhere_does_not(bench: Bench) -> None:
    bench.batch(record(FAN_RENAME | FAN_ONDIR, (INFO_OLD, key("x"), b"o"), (INFO_NEW, key("x"), b"n")))
    assert kept(bench)


def test_a_directory_itself_is_a_name_in_its_parent_and_the_root_is_itself(bench: Bench) -> None:
    batch = bench.batch(
        record(FAN_ATTRIB | FAN_ONDIR, (PLAIN, key("a"), b".")), record(FAN_ATTRIB | FAN_ONDIR, (PLAIN, key("r"), b"."))
    )
    assert (batch.names, batch.directories) == ({"": {"a": False}}, [ROOT])


def test_an_overflow_at_the_very_end_is_understood(bench: Bench) -> None:
    batch = bench.batch(record(FAN_CREATE, (PLAIN, key("a"), b"file")), record(FAN_Q_OVERFLOW))
    assert batch.overflows == 1
    assert not bench.folders.known


def test_where_the_kernel_does_not_tell_anything_may_have_changed(bench: Bench) -> None:
    bench.folders.add(b"filesyst", b"")
    bench.know()
    bench.batch(record(FAN_CREATE, (PLAIN, key("?"), b"file")))
    assert [error.filename for error in bench.troubles] == [b"/nowhere"]
    assert not kept(bench)


def test_names_are_told_apart_by_all_of_their_bytes(bench: Bench) -> None:
    names = [b"a", b"ab", b"abc", b"abcd", b"x" * 255]
    batch = bench.batch(*(record(FAN_CREATE, (PLAIN, key("a"), name)) for name in names))
    assert sorted(batch.names["a"]) == sorted(name.decode() for name in names)
