"""How fast and how small the watch is: ``PYTHONPATH=daemon python -m tests.bench.bench_watch`` in a checkout."""

from __future__ import annotations

import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from censusd.filesystem.names import text_of
from censusd.watch.barrier import CookieJar
from censusd.watch.coalesce import Coalescer, Pending
from censusd.watch.debounce import DirtySet
from censusd.watch.kernel import IN_CLOSE_WRITE, IN_CREATE, IN_MOVED_FROM, IN_MOVED_TO, READ_SIZE
from censusd.watch.tree import WatchTree
from tests.tools.watching import Watch, record, walk_and_cover

DIRECTORIES = 20_000


def rate(buffers: list[bytes], directories: int) -> tuple[float, float]:
    """Seconds to parse and coalesce; seconds from there into the dirty set."""
    tree = WatchTree()
    for wd in range(1, directories + 1):
        tree.place(f"directory-{wd}", wd)
    coalescer = Coalescer(tree, CookieJar("unused"), text_of, lambda wds: None)
    dirty_set = DirtySet()
    parsing = adding = 0.0
    for buffer in buffers:
        start = time.perf_counter()
        coalescer.absorb(buffer)
        parsed = time.perf_counter()
        pending, coalescer.pending = coalescer.pending, Pending()
        batch = pending.settle({spot: spot.paths for spot in pending.spots()}, text_of)
        dirty_set.add_many(batch.names, renames=batch.renames, subtrees=batch.subtrees)
        parsing += parsed - start
        adding += time.perf_counter() - parsed
    return parsing, adding


def synthetic(events: int, directories: int, make: Callable[[int, int], bytes]) -> list[bytes]:
    """Records, cut as the kernel would."""
    buffers, buffer = [], b""
    for number in range(events):
        piece = make(number % directories + 1, number)
        if len(buffer) + len(piece) > READ_SIZE:
            buffers.append(buffer)
            buffer = b""
        buffer += piece
    return [*buffers, buffer]


def main() -> None:
    def created(wd: int, number: int) -> bytes:
        name = b"picture-%d.jpeg" % number
        return record(wd, IN_CREATE, 0, name) + record(wd, IN_CLOSE_WRITE, 0, name)

    def renamed(wd: int, number: int) -> bytes:
        return record(wd, IN_MOVED_FROM, number, b"%d.part" % number) + record(wd, IN_MOVED_TO, number, b"%d" % number)

    for what, make in (("create and close", created), ("rename", renamed)):
        for directories in (10, 1_000):
            parsing, adding = rate(synthetic(100_000, directories, make), directories)
            print(
                f"{what}, {directories:,} directories: {200_000 / parsing:,.0f} events/s parsed and coalesced,"
                f" {200_000 / (parsing + adding):,.0f} events/s into the dirty set"
            )

    names = {f"directory-{i}": {f"picture-{j}.jpeg": True for j in range(600)} for i in range(100)}
    start = time.perf_counter()
    DirtySet(most_names=100_000).add_many(names)
    print(f"adding 60,000 names: {time.perf_counter() - start:.3f} s")
    start = time.perf_counter()
    DirtySet().add_many(names)
    print(f"adding 60,000 names beyond the bound: {time.perf_counter() - start:.3f} s")
    start = time.perf_counter()
    DirtySet().add_many({}, subtrees=[f"a/{i % 150}/{i}" for i in range(15_000)])
    print(f"adding 15,000 subtrees beyond the bound: {time.perf_counter() - start:.3f} s")

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "tree")
        for number in range(DIRECTORIES):
            os.makedirs(root / f"shelf-{number // 100}" / f"directory-{number}")
        watch = Watch(root, Path(scratch, "cookies"))
        cost = [0.0]

        def cover(path: str, fd: int) -> bool:
            start = time.perf_counter()
            covered = watch.emitter.cover(path, fd)
            cost[0] += time.perf_counter() - start
            return covered

        tracemalloc.start()
        watched = sum(1 for _ in walk_and_cover(root, watch.emitter.cover))
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        print(f"{size / watched:.0f} bytes of Python per watched directory, {watched:,} of them")
        for _ in walk_and_cover(root, cover):
            pass
        print(f"cover() of {watched:,} directories again: {cost[0]:.3f} s")
        watch.observer.stop()
        watch = Watch(root, Path(scratch, "cookies"))
        cost[0] = 0.0
        for _ in walk_and_cover(root, cover):
            pass
        print(f"cover() of {watched:,} directories for the first time: {cost[0]:.3f} s")
        watch.observer.stop()


if __name__ == "__main__":
    main()
