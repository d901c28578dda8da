"""What is read off now and then, and what must not stay behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

from prometheus_client import REGISTRY

from censusd.catalogue.connection import Catalogue
from censusd.service.collector import Collector
from censusd.service.heartbeat import Heartbeats
from censusd.sync.watching import Watching
from censusd.sync.worker import Worker
from tests.tools.living import LivingLibrary


def test_a_database_that_is_away_is_told_though_nothing_is_owned(catalogue: Catalogue) -> None:
    collector = Collector(dict, catalogue, Heartbeats())
    collector.collect()
    assert REGISTRY.get_sample_value("censusd_database_up") == 1
    catalogue.close()
    collector.collect()
    assert REGISTRY.get_sample_value("censusd_database_up") == 0


def watched(
    directory: Path, catalogue: Catalogue, collect: Callable[[dict[str, Worker]], None]
) -> weakref.ref[Watching]:
    """Look after a repository for a while. Gives its watch, which ends with it."""
    library = LivingLibrary(directory / "tree", catalogue, directory / "cookies")
    library.start()
    upkeep = library.worker.upkeep
    assert upkeep is not None
    assert upkeep.watching is not None
    collect({library.worker.name: library.worker})
    seen = weakref.ref(upkeep.watching)
    library.stop()
    return seen


def test_nothing_is_kept_of_a_watch_that_has_ended(tmp_path: Path, catalogue: Catalogue) -> None:
    workers: dict[str, Worker] = {}
    collector = Collector(lambda: workers, catalogue, Heartbeats())

    def collect(now: dict[str, Worker]) -> None:
        workers.update(now)
        collector.collect()
        workers.clear()

    seen = watched(tmp_path, catalogue, collect)
    collector.collect()
    gc.collect()
    assert seen() is None
