"""Real directories, real inotify: what happens on disk is in the dirty set, at the right place."""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.filesystem.names import text_of
from censusd.watch.batch import Batch
from censusd.watch.inotify import InotifyEmitter
from tests.tools.watching import DEADLINE, OPEN_DIRECTORY, Watch, covers, watching

RENAME_EXCHANGE = 2
AT_FDCWD = -100


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for path in ("a/deep/deeper", "b", "c"):
        (root / path).mkdir(parents=True)
    return root


@pytest.fixture
def watch(root: Path, tmp_path: Path, emitter: type[InotifyEmitter]) -> Iterator[Watch]:
    with watching(root, tmp_path / "cookies", emitter) as watch:
        yield watch


def exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


def test_a_file_that_is_written_is_marked_as_written(watch: Watch, root: Path) -> None:
    (root / "a/file").write_text("content")
    assert watch.changes().names == {"a": {"file": True}}


def test_metadata_and_deletion_are_marked_but_not_as_written(watch: Watch, root: Path) -> None:
    file = root / "a/file"
    file.write_text("content")
    watch.changes()
    file.chmod(0o600)
    assert watch.changes().names == {"a": {"file": False}}
    file.unlink()
    assert watch.changes().names == {"a": {"file": False}}


def test_reading_is_not_a_change(watch: Watch, root: Path) -> None:
    (root / "a/file").write_text("content")
    watch.changes()
    (root / "a/file").read_text()
    os.listdir(root / "a")
    watch.walk()
    assert not watch.changes()


@pytest.mark.parametrize("emitter", [InotifyEmitter])  # fanotify has no such option, and a hint too many does no harm
def test_a_temporary_file_that_is_deleted_while_it_is_open_is_quiet_afterwards(watch: Watch, root: Path) -> None:
    with open(root / "a/temporary", "w") as file:
        os.unlink(file.name)
        assert watch.changes().names == {"a": {"temporary": False}}
        file.write("content")
    assert not watch.changes()


def test_both_ends_of_a_rename_come_together_and_are_paired(watch: Watch, root: Path) -> None:
    (root / "a/file").write_text("content")
    watch.changes()
    (root / "a/file").rename(root / "b/new name")
    assert watch.changes().names == {"a": {"file": False}, "b": {"new name": False}}
    renames = [rename for batch in watch.handler.batches for rename in batch.renames]
    assert renames == [(("a", "file"), ("b", "new name"))]


@pytest.mark.parametrize("name", [b"two\nlines", b"not \xff utf-8", "ünï\uef81".encode(), b"x" * 255, b"trailing "])
def test_any_name_comes_through(watch: Watch, root: Path, name: bytes) -> None:
    with open(os.path.join(os.fsencode(root), name), "wb"):
        pass
    directory = os.path.join(os.fsencode(root), b"dir" + name[:-3])
    os.mkdir(directory)
    watch.walk()
    with open(os.path.join(directory, name), "wb"):
        pass
    changes = watch.changes()
    inside = text_of(b"dir" + name[:-3])
    assert changes.names[""] == {text_of(name): True, inside: False}
    assert covers(changes, inside, text_of(name))


def test_a_new_directory_asks_to_be_walked(watch: Watch, root: Path) -> None:
    (root / "a/new/newer").mkdir(parents=True)
    changes = watch.changes()
    assert changes.subtrees == ("a/new",)
    assert changes.names == {"a": {"new": False}}
    assert watch.walk("a/new") == {"a/new", "a/new/newer"}
    (root / "a/new/newer/file").touch()
    assert watch.changes().names == {"a/new/newer": {"file": True}}


def test_nothing_is_missed_in_a_new_directory_that_fills_while_it_is_walked(watch: Watch, root: Path) -> None:
    """Add the watch, then list: each file is either listed or reported."""
    new = root / "new"
    new.mkdir()
    started, enough = threading.Event(), threading.Event()
    made: list[str] = []

    def fill() -> None:
        while not enough.is_set() or len(made) < 200:
            name = f"file-{len(made)}"
            (new / name).touch()
            made.append(name)
            if len(made) == 100:
                started.set()

    writer = threading.Thread(target=fill)
    writer.start()
    try:
        assert started.wait(DEADLINE)
        fd = os.open(new, OPEN_DIRECTORY)
        assert watch.emitter.cover("new", fd)
        listed = set(os.listdir(fd))
        os.close(fd)
    finally:
        enough.set()
        writer.join()
    watch.settle()
    reported = set().union(*(batch.names.get("new", {}) for batch in watch.handler.batches))
    assert set(made) <= listed | reported
    assert reported  # the writer did go on


def test_a_renamed_directory_takes_everything_below_to_its_new_place(watch: Watch, root: Path) -> None:
    before = watch.emitter.stats().watches
    (root / "a").rename(root / "b/moved")
    changes = watch.changes()
    assert changes.names == {"": {"a": False}, "b": {"moved": False}}
    assert changes.subtrees == ("b/moved",)
    (root / "b/moved/deep/deeper/file").touch()
    assert watch.changes().names == {"b/moved/deep/deeper": {"file": True}}
    assert watch.emitter.stats().watches == before


def test_renames_in_a_row_are_followed(watch: Watch, root: Path) -> None:
    for old, new in (("a", "x"), ("x", "b/y"), ("b/y/deep", "z"), ("b", "w")):
        (root / old).rename(root / new)
    watch.changes()
    (root / "z/deeper/file").touch()
    (root / "w/y/file").touch()
    assert watch.changes().names == {"z/deeper": {"file": True}, "w/y": {"file": True}}


def test_two_directories_that_are_exchanged_swap_paths(watch: Watch, root: Path) -> None:
    exchange(root / "a", root / "b")
    watch.changes()
    (root / "b/deep/deeper/was in a").touch()
    (root / "a/was in b").touch()
    assert watch.changes().names == {"b/deep/deeper": {"was in a": True}, "a": {"was in b": True}}


def test_a_directory_that_replaces_an_empty_one_takes_its_path(watch: Watch, root: Path) -> None:
    (root / "a").rename(root / "c")
    watch.changes()
    (root / "c/deep/file").touch()
    assert watch.changes().names == {"c/deep": {"file": True}}


def test_a_directory_that_moves_out_loses_its_watches(watch: Watch, root: Path, tmp_path: Path) -> None:
    before = watch.emitter.stats().watches
    (root / "a").rename(tmp_path / "elsewhere")
    assert watch.changes().names == {"": {"a": False}}
    assert watch.emitter.stats().watches == before - watch.watches(3)
    (tmp_path / "elsewhere/deep/file").touch()
    assert not watch.changes()


def test_a_directory_that_moves_out_and_back_is_watched_again_once_walked(
    watch: Watch, root: Path, tmp_path: Path
) -> None:
    (root / "a").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").rename(root / "a")
    changes = watch.changes()
    assert changes.subtrees == ("a",)
    watch.walk("a")
    (root / "a/deep/deeper/file").touch()
    assert watch.changes().names == {"a/deep/deeper": {"file": True}}


def test_a_directory_deleted_and_made_again_at_once_is_walked_and_watched(watch: Watch, root: Path) -> None:
    shutil.rmtree(root / "a")
    (root / "a/deep").mkdir(parents=True)
    changes = watch.changes()
    assert "a" in changes.subtrees
    watch.walk("a")
    (root / "a/deep/file").touch()
    assert watch.changes().names == {"a/deep": {"file": True}}


def test_a_directory_deleted_while_a_walker_has_it_open_leaves_nothing_behind(watch: Watch, root: Path) -> None:
    before = watch.emitter.stats().watches
    fd = os.open(root / "c", OPEN_DIRECTORY)
    (root / "c").rmdir()
    watch.emitter.cover("c", fd)
    (root / "c").mkdir()
    watch.settle()
    assert watch.walk("c") == {"c"}
    os.close(fd)
    (root / "c/file").touch()
    assert covers(watch.changes(), "c", "file")
    assert watch.emitter.stats().watches == before


def test_a_walker_that_comes_by_an_outdated_path_does_not_mislead(watch: Watch, root: Path) -> None:
    fd = os.open(root / "a", OPEN_DIRECTORY)
    (root / "a").rename(root / "new")
    watch.settle()
    assert watch.emitter.cover("a", fd)
    os.close(fd)
    watch.changes()
    (root / "new/deep/file").touch()
    assert watch.changes().names == {"new/deep": {"file": True}}


def test_a_walker_that_is_ahead_of_the_events_is_believed(root: Path, tmp_path: Path) -> None:
    watch = Watch(root, tmp_path / "cookies")
    watch.walk()
    (root / "a").rename(root / "new")  # not read yet: nothing is started
    watch.walk("new")
    assert watch.emitter.stats().watches == 6
    watch.observer.start()
    watch.changes()
    (root / "new/deep/file").touch()
    assert watch.changes().names == {"new/deep": {"file": True}}
    watch.observer.stop()


def test_a_subtree_renamed_while_it_is_walked_ends_up_at_its_new_place(watch: Watch, root: Path) -> None:
    def rename(path: str) -> None:
        if path == "b":
            (root / "a").rename(root / "aa")

    watch.walk(before_listing=rename)
    assert watch.changes().subtrees == ("aa",)
    watch.walk("aa")
    (root / "aa/deep/deeper/file").touch()
    assert watch.changes().names == {"aa/deep/deeper": {"file": True}}


def test_what_a_complete_pass_does_not_see_is_not_watched_any_more(root: Path, tmp_path: Path) -> None:
    watch = Watch(root, tmp_path / "cookies")
    watch.walk()
    (root / "a").rename(tmp_path / "elsewhere")
    assert watch.emitter._inotify.read()  # and so its events are lost
    watch.observer.start()
    watch.settle()
    before = watch.kernel_watches()
    assert watch.complete_pass() == 3
    deadline = time.monotonic() + DEADLINE
    while watch.kernel_watches() > before - 3:  # without any event
        assert time.monotonic() < deadline
    watch.changes()
    (tmp_path / "elsewhere/deep/file").touch()
    (root / "b/file").touch()
    assert watch.changes().names == {"b": {"file": True}}
    watch.observer.stop()


def test_a_watch_that_was_to_be_removed_is_kept_when_its_directory_turns_up_again(root: Path, tmp_path: Path) -> None:
    watch = Watch(root, tmp_path / "cookies")
    watch.walk()
    assert watch.emitter.end_pass(watch.emitter.begin_pass()) == 6  # nothing was seen; nothing drains yet
    watch.walk()
    watch.observer.start()
    watch.changes()
    (root / "a/deep/file").touch()
    assert watch.changes().names == {"a/deep": {"file": True}}
    watch.observer.stop()


@pytest.mark.parametrize("symlink", [False, True])
def test_a_walk_finds_what_was_renamed_while_events_were_lost(root: Path, tmp_path: Path, symlink: bool) -> None:
    watch = Watch(root, tmp_path / "cookies")
    watch.walk()
    (root / "a").rename(root / "new")
    if symlink:
        (root / "a").symlink_to("new")
    assert watch.emitter._inotify.read()  # and so its events are lost
    watch.observer.start()
    assert watch.complete_pass() == 0
    watch.changes()
    (root / "new/deep/file").touch()
    assert watch.changes().names == {"new/deep": {"file": True}}
    assert watch.emitter.stats().uncovered == 0
    watch.observer.stop()


def test_an_outdated_descriptor_does_not_push_the_right_directory_aside(watch: Watch, root: Path) -> None:
    fds = []
    for _ in range(3):
        (root / "made again").mkdir()
        fds.append(os.open(root / "made again", OPEN_DIRECTORY))
        (root / "made again").rmdir()
    (root / "made again").mkdir()
    right = os.open(root / "made again", OPEN_DIRECTORY)
    for fd in (fds[0], right, fds[1], fds[0], right, fds[0]):
        assert watch.emitter.cover("made again", fd)
    for fd in (*fds, right):
        os.close(fd)
    watch.changes()
    (root / "made again/file").touch()
    assert watch.changes().names == {"made again": {"file": True}}
    (root / "made again").rename(root / "new")
    watch.changes()
    (root / "new/another").touch()
    assert watch.changes().names == {"new": {"another": True}}


@pytest.mark.parametrize("emitter", [InotifyEmitter])  # to fanotify, all in a marked file system is covered
def test_only_directories_are_covered(watch: Watch, root: Path) -> None:
    (root / "file").touch()
    fd = os.open(root / "file", os.O_RDONLY)
    assert not watch.emitter.cover("file", fd)
    os.close(fd)
    assert watch.emitter.uncovered() == (["file"], True)
    watch.settle()
    assert "ENOTDIR" in watch.handler.explanations[0]


def test_what_could_not_be_listed_stays_watched(watch: Watch, root: Path) -> None:
    number = watch.emitter.begin_pass()
    for path in ("", "b", "c"):
        fd = os.open(root / path, OPEN_DIRECTORY)
        watch.emitter.cover(path, fd)
        os.close(fd)
    assert watch.emitter.end_pass(number, unseen=["a/deep"]) == watch.watches(1)  # only a itself
    (root / "a/deep/deeper/file").touch()
    assert watch.changes().names == {"a/deep/deeper": {"file": True}}


def test_a_pass_that_was_overtaken_drops_nothing(watch: Watch) -> None:
    number = watch.emitter.begin_pass()
    watch.emitter.begin_pass()
    assert watch.emitter.end_pass(number) == 0


def test_paths_beyond_path_max_are_watched(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    name = "d" * 250
    fd = os.open(root, OPEN_DIRECTORY)
    for _ in range(20):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    with watching(root, tmp_path / "cookies") as watch:
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        assert watch.changes().names == {"/".join([name] * 20): {"file": True}}
    os.close(fd)


def test_the_root_itself_is_reported(watch: Watch, root: Path, tmp_path: Path) -> None:
    root.chmod(0o700)
    assert watch.changes().directories == ("",)
    root.rename(tmp_path / "other")
    assert watch.handler.wait_for(lambda: watch.handler.root_changes == ["the root was renamed"])
    shutil.rmtree(tmp_path / "other")
    assert watch.handler.wait_for(lambda: watch.handler.root_changes[1:] == ["the root is gone"])


def test_a_root_that_was_replaced_is_watched_again_once_walked(watch: Watch, root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "old")
    root.mkdir()
    (tmp_path / "old/a").rename(root / "a")
    assert watch.complete_pass() == 1 + watch.watches(2)  # the old root, b and c
    watch.changes()
    (tmp_path / "old/b/file").touch()
    (root / "a/deep/file").touch()
    (root / "top").touch()
    assert watch.changes().names == {"a/deep": {"file": True}, "": {"top": True}}


def test_a_batch_that_waits_goes_on_growing(watch: Watch, root: Path) -> None:
    """A handler that is busy gets few large batches afterwards, and nothing piles up in the queue."""
    busy, go_on = threading.Event(), threading.Event()

    def block(batch: Batch) -> None:
        if not busy.is_set():
            busy.set()
            assert go_on.wait(DEADLINE)
        deliver(batch)

    deliver = watch.handler.dirty
    watch.handler.dirty = block  # type: ignore[method-assign]
    (root / "a/first").touch()
    assert busy.wait(DEADLINE)
    events = watch.emitter.stats().events
    for number in range(1_000):
        (root / f"a/file-{number}").touch()
    while watch.emitter.stats().events < events + 2_000:
        assert watch.observer.event_queue.qsize() <= 1
    go_on.set()
    assert len(watch.changes().names["a"]) == 1_001
