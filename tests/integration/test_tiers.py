"""Every way of noticing changes leads to the same catalogue."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.model import Trigger
from censusd.sync.reconciler import Options
from censusd.sync.requests import Kind, Request
from censusd.sync.standing import Phase
from tests.tools.living import DEADLINE, LivingLibrary, living
from tests.tools.operations import ANCHOR, Operations
from tests.tools.oracle import look_at
from tests.tools.private import mount, privately, unmount, unmount_between_uses
from tests.tools.tiny_fuse import tiny_fuse
from tests.tools.waiting import until
from tests.tools.watching import fanotify_refusal
from tests.tools.world import World, dice, live

OPERATIONS = 300
BETWEEN_BARRIERS = 10


@pytest.fixture(params=["fanotify", "inotify", "poll"])
def tier(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    tier: str = request.param
    if tier == "fanotify" and (why := fanotify_refusal(tmp_path)):
        pytest.skip(f"no fanotify here: {why}")
    return tier


def replay(tree: Path, seed: int, barrier: Callable[[], None] = lambda: None) -> None:
    """Do the operations of one trace, which are the same ones for the same seed, wherever the tree is."""
    outside = tree.with_name(f"{tree.name} outside")
    outside.mkdir()
    operations = Operations(tree, outside, dice(seed))
    # What is written under one of a file's names is reported under that name only, by whichever tier.
    among = [each for each in operations.all if each.__name__ != "link"]
    choose = dice(seed + 1_000_000)
    for number in range(1, OPERATIONS + 1):
        with contextlib.suppress(OSError):  # a tree may have become too deep for its paths
            choose(among)()
        if number % BETWEEN_BARRIERS == 0:
            barrier()


def sizes(tree: Path) -> dict[str, int]:
    """Path -> size of every file that belongs on record."""
    return {path: stat[0] for path, stat in look_at(tree).files.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_trace_gives_the_same_catalogue(catalogue: Catalogue, tmp_path: Path, tier: str, seed: int) -> None:
    """As it is on disk after each few operations, and in the end as where the same was done and nobody looked."""
    unwatched = tmp_path / "unwatched"
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", watch=tier, debounce=0.02)
    for tree in (unwatched, library.root):
        tree.mkdir(exist_ok=True)
        (tree / ANCHOR.decode()).touch()
    replay(unwatched, seed)

    def barrier() -> None:
        library.sync()
        library.check()

    with living(library):
        upkeep = library.worker.upkeep
        assert upkeep is not None
        assert upkeep.watching is not None
        assert upkeep.watching.name == tier
        replay(library.root, seed, barrier)
        assert {path: size for path, (size, *_) in library.records().items()} == sizes(unwatched)
        library.check_passes()
        stats = upkeep.watching.stats()
        assert (stats.events > 0) if stats else tier == "poll"


def test_a_mount_without_events_is_polled_and_nothing_else(tmp_path: Path, database: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system in user space for others to see")
    privately(mount_below, tmp_path, database)


def tier_of(library: LivingLibrary) -> str:
    upkeep = library.worker.upkeep
    return upkeep.watching.name if upkeep and upkeep.watching else ""


def mount_below(directory: str, database: str) -> None:
    """A file system in user space below the root comes, changes, stands between two others, and goes."""
    scratch = Path(directory)
    with Catalogue(database) as catalogue:
        library = LivingLibrary(scratch / "tree", catalogue, scratch / "cookies", watch="auto", debounce=0.02)
        library.terms = replace(library.terms, watch=replace(library.terms.watch, poll_interval=0.2))
        alone = LivingLibrary(
            library.root, catalogue, scratch / "more cookies", name="alone", watch="auto", cross_mounts=False
        )
        (library.root / "plain").mkdir()
        (library.root / "plain/file").touch()
        for name in ("memory", "fuse"):
            (library.root / name).mkdir()
        mount("tmpfs", library.root / "memory")
        (library.root / "memory/file").touch()

        def polls() -> set[str]:
            """The scopes of what was looked at by itself."""
            rows = library.query("SELECT DISTINCT scope FROM sync_operations WHERE trigger = 'reconciliation'")
            return {scope for (scope,) in rows}

        with living(library):
            usual = tier_of(library)
            assert usual in {"fanotify", "inotify"}
            with tiny_fuse(library.root / "fuse", {"entries": {"d": {"entries": {}}}}):
                until(lambda: tier_of(library) == "hybrid")
                assert library.worker.upkeep is not None
                assert library.worker.upkeep.watching is not None
                assert "fuse (fuse.tiny) is another file system without all events" in (
                    library.worker.upkeep.watching.decision.reason
                )
                until(lambda: "fuse/" in polls())
                assert polls() == {"fuse/"}
                with living(alone):  # to which no mount belongs
                    assert tier_of(alone) == usual
                (library.root / "plain/another").touch()
                until(lambda: "plain/another" in library.records())
                unmount_between_uses(library.root / "fuse")  # it is looked at all the time
            # It is on record, so its absence is nobody's to judge but an operator's.
            until(lambda: library.worker.phase is Phase.OFFLINE)
            release = Request(Kind.RECONCILE, Trigger.MANUAL, options=Options(released=True))
            library.worker.submit(release).wait(DEADLINE)
            assert tier_of(library) == usual
            assert set(library.records()) == {"plain/file", "plain/another", "memory/file"}
        unmount(library.root / "memory")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("tier", ["fanotify"], indirect=True)
@pytest.mark.parametrize("seed", range(12))
def test_a_long_life_with_fanotify(tmp_path: Path, catalogue: Catalogue, tier: str, seed: int) -> None:
    """As ``test_a_long_life``, which is with inotify."""
    passes, ignore_files = bool(seed % 2), bool(seed // 2 % 2)
    world = World(tmp_path / "run", catalogue, "run", dice(seed), passes=passes, ignore_files=ignore_files, watch=tier)
    try:
        live(world, random.Random(seed), 300)
    except AssertionError as error:
        error.add_note(" ".join(world.done))
        raise
    finally:
        world.close()
