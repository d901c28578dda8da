"""Writers that know no mercy: they never pause, replace what is being read, and rename and recreate all the time."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.faults.arena import REPOSITORY, Arena, trials

BARRIER_WITHIN: Final = 30.0
"""Seconds after which a barrier has to be there though somebody writes all the time."""

SIZE: Final = 8 << 20
"""Bytes of a file that takes a moment to hash."""


@contextmanager
def again_and_again(*works: Callable[[int], object]) -> Iterator[None]:
    """Do each of these in a thread of its own, with a growing number, while the block lasts."""
    over = threading.Event()
    failures: list[BaseException] = []

    def run(work: Callable[[int], object]) -> None:
        number = 0
        try:
            while not over.is_set():
                work(number)
                number += 1
        except BaseException as error:  # noqa: BLE001, told below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


@contextmanager
def barrier_is_had(arena: Arena) -> Iterator[None]:
    """The barrier is there in time, although nothing comes to rest."""
    yield
    began = time.monotonic()
    arena.daemon.sync(REPOSITORY)
    seconds = time.monotonic() - began
    assert seconds < BARRIER_WITHIN
    arena.note = f"barrier within {max(1, round(seconds))} s meanwhile"


# Never pausing -------------------------------------------------------------------------------------------------------


@trials()
def test_writers_that_never_pause(arena: Arena) -> None:
    busy = arena.root / "busy"
    busy.mkdir(parents=True)

    def append(number: int) -> None:
        """Opened, written, closed: an event each time."""
        with (busy / f"appended {number % 3}").open("ab") as file:
            file.write(b"%d\n" % number)

    def create(number: int) -> None:
        (busy / f"new {number % 500}").write_bytes(b"%d" % number)

    with (busy / "never closed").open("ab", buffering=0) as open_all_the_time:

        def write(number: int) -> None:
            """Without an event before it is closed in the end."""
            open_all_the_time.write(b"%d\n" % number)
            time.sleep(0.001)  # a pace, or it would fill the disk

        @contextmanager
        def restless(arena: Arena) -> Iterator[None]:
            with again_and_again(append, create, write), barrier_is_had(arena):
                yield
            open_all_the_time.close()

        arena.run("writers that never pause", restless)


# Torn reads ----------------------------------------------------------------------------------------------------------


def version(number: int) -> bytes:
    """The content of one version: no part of it belongs to another."""
    return b"%08d" % number * (SIZE // 8)


@trials()
def test_files_replaced_while_they_are_hashed(arena: Arena) -> None:
    arena.root.mkdir()
    files = [arena.root / f"replaced {which}" for which in range(3)]
    rewritten = arena.root / "rewritten"
    whole: set[str] = set()
    seen: set[str] = set()
    lock = threading.Lock()

    def known(number: int) -> bytes:
        content = version(number)
        with lock:
            whole.add(hashlib.sha256(content).hexdigest())
        return content

    def replace(number: int) -> None:
        """A new version under another name, renamed over the old one, as is right."""
        file = files[number % len(files)]
        content = known(number)
        temporary = file.with_name(f".{file.name}.tmp")
        temporary.write_bytes(content)
        temporary.rename(file)

    def rewrite(number: int) -> None:
        """In its place and of the same size; whoever reads meanwhile has some of both."""
        content = known(1_000_000 + number)
        with rewritten.open("r+b" if rewritten.exists() else "wb") as file:
            file.write(content)

    def look(_number: int) -> None:
        """Whatever is on record at any moment."""
        hashes = arena.query("SELECT encode(content_hash, 'hex') FROM files WHERE size = %s AND scan_phase = 1", SIZE)
        seen.update(found for (found,) in hashes)
        time.sleep(0.02)  # a pace: to ask without a pause would keep the database from everything else

    for number in range(len(files)):
        replace(number)
    rewrite(0)

    @contextmanager
    def replaced(arena: Arena) -> Iterator[None]:
        with again_and_again(replace, rewrite, look), barrier_is_had(arena):
            yield

    arena.run("files replaced while hashed", replaced)
    assert seen
    assert not seen - whole, "a hash of no whole version was on record"


# Renaming and recreating ---------------------------------------------------------------------------------------------


@trials()
def test_rename_storms(arena: Arena) -> None:
    storm = arena.root / "storm"
    for number in range(20):
        directory = storm / f"d{number}"
        directory.mkdir(parents=True)
        for file in range(5):
            (directory / f"{number} {file}").write_text(f"{number} {file}")

    def rotate_files(number: int) -> None:
        """Each to the place of the next, as log files are; in the end the last one is the first."""
        directory = storm / "d0"
        names = sorted(os.listdir(directory))
        (directory / names[-1]).rename(directory / "aside")
        for name, target in reversed(list(pairwise(names))):
            (directory / name).rename(directory / target)
        (directory / "aside").rename(directory / names[0])

    def rename_directory(number: int) -> None:
        which = number % 9 + 1
        (storm / f"d{which}").rename(storm / "in between")
        (storm / "in between").rename(storm / f"d{which}")

    def nest(number: int) -> None:
        """Into each other, and out again."""
        which = number % 8 + 11
        (storm / f"d{which}").rename(storm / f"d10/d{which}")
        (storm / f"d10/d{which}").rename(storm / f"d{which}")

    @contextmanager
    def stormy(arena: Arena) -> Iterator[None]:
        with again_and_again(rotate_files, rename_directory, nest), barrier_is_had(arena):
            yield

    arena.run("rename storms", stormy)


@trials()
def test_directories_removed_and_recreated(arena: Arena) -> None:
    home = arena.root / "recreated"
    home.mkdir(parents=True)

    def make(directory: Path, number: int) -> None:
        (directory / "below/deep").mkdir(parents=True)
        (directory / f"file {number % 3}").write_text(str(number))
        (directory / "below/deep/file").write_text(str(number))

    def recreate(number: int, milliseconds: int) -> None:
        directory = home / f"d{number % 4}"
        # The pauses are what is tried here: for how long there is none, and for how long there is one.
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(milliseconds / 1000)
        make(directory, number)
        time.sleep(milliseconds / 1000)

    arena.prepare()
    with arena.daemon:
        for milliseconds in (0, 1, 10, 100):

            @contextmanager
            def recreated(arena: Arena, milliseconds: int = milliseconds) -> Iterator[None]:
                with again_and_again(partial(recreate, milliseconds=milliseconds)), barrier_is_had(arena):
                    yield

            arena.round(f"directories recreated after {milliseconds} ms", recreated)
