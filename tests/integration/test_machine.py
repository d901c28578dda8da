"""Random real file operations with the watcher running: after every barrier the catalogue equals the disk.

Half of the runs have no reconciliation after the first pass, so that the slow tier cannot hide faults of the fast one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from censusd.catalogue.connection import Catalogue
from tests.tools.operations import Operations
from tests.tools.world import World, dice, live

T = TypeVar("T")

OPERATIONS = sorted(name for name in vars(Operations) if not name.startswith("_"))


class Machine(RuleBasedStateMachine):
    """Hypothesis throws the dice; the rules of the game are in ``World``."""

    directory: Path
    catalogue: Catalogue
    numbers: Iterator[int]
    passes: bool
    world: World | None = None
    sound = True
    data: st.DataObject

    @initialize(ignore_files=st.booleans(), data=st.data())
    def begin(self, ignore_files: bool, data: st.DataObject) -> None:
        name = f"run{next(self.numbers)}"
        with self.playing(data):
            self.world = World(
                self.directory / name, self.catalogue, name, self.choose, passes=self.passes, ignore_files=ignore_files
            )

    @rule(names=st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=4), data=st.data())
    def operate(self, names: list[str], data: st.DataObject) -> None:
        with self.playing(data) as world:
            allowed = {operation.__name__: operation for operation in world.operations}
            for name in names:
                if name in allowed:
                    world.operate(allowed[name])

    @rule(data=st.data())
    def barrier(self, data: st.DataObject) -> None:
        with self.playing(data) as world:
            world.barrier()

    @rule(data=st.data())
    def move_directories(self, data: st.DataObject) -> None:
        with self.playing(data) as world:
            world.move_directories()

    @precondition(lambda self: self.passes)
    @rule(data=st.data())
    def pass_over(self, data: st.DataObject) -> None:
        with self.playing(data) as world:
            world.pass_over()

    @precondition(lambda self: self.passes)
    @rule(data=st.data())
    def subtree(self, data: st.DataObject) -> None:
        with self.playing(data) as world:
            world.subtree()

    @precondition(lambda self: self.passes)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        with self.playing(data) as world:
            world.restart()

    @precondition(lambda self: self.passes)
    @rule(data=st.data())
    def check_passes(self, data: st.DataObject) -> None:
        with self.playing(data) as world:
            world.check_passes()

    def teardown(self) -> None:
        if self.world is None:
            return
        note(" ".join(self.world.done))
        try:
            if self.sound:
                self.world.check_passes()
        finally:
            self.world.close()

    def choose(self, among: Sequence[T], /) -> T:
        """One of them."""
        return self.data.draw(st.sampled_from(among))

    @contextmanager
    def playing(self, data: st.DataObject) -> Iterator[World]:
        """The world, for one step."""
        self.data, self.sound = data, False
        yield self.world  # type: ignore[misc]
        self.sound = True


@pytest.mark.timeout(900)  # half a minute of work; many more beside other suites
@pytest.mark.parametrize("passes", [False, True])
def test_the_catalogue_equals_the_disk_after_every_barrier(tmp_path: Path, catalogue: Catalogue, passes: bool) -> None:
    attributes = {"directory": tmp_path, "catalogue": catalogue, "numbers": count(), "passes": passes}
    machine = type("Machine", (Machine,), attributes)
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=30))


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(24))
def test_a_long_life(tmp_path: Path, catalogue: Catalogue, seed: int) -> None:
    passes, ignore_files = bool(seed % 2), bool(seed // 2 % 2)
    world = World(tmp_path / "run", catalogue, "run", dice(seed), passes=passes, ignore_files=ignore_files)
    try:
        live(world, random.Random(seed), 300)
    except AssertionError as error:
        error.add_note(" ".join(world.done))
        raise
    finally:
        world.close()
