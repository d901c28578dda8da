"""What a process may have is used up: file descriptors, address space, the memory of its control group."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.arena import Arena, trials
from tests.tools.waiting import until

MIB = 1 << 20
CGROUP = Path("/sys/fs/cgroup/memory")


def pid(arena: Arena) -> int:
    """The daemon's."""
    assert arena.daemon.process is not None
    return arena.daemon.process.pid


@contextmanager
def limited(arena: Arena, which: int, soft: int) -> Iterator[None]:
    """Another soft limit while the block lasts."""
    before = resource.prlimit(pid(arena), which)
    resource.prlimit(pid(arena), which, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid(arena), which, before)


def descriptors(arena: Arena) -> int:
    """The limit that leaves room for none but those that are open."""
    return 1 + max(int(name) for name in os.listdir(f"/proc/{pid(arena)}/fd"))


def address_space(arena: Arena) -> int:
    """Bytes."""
    return int(Path(f"/proc/{pid(arena)}/statm").read_text().split()[0]) * resource.getpagesize()


@trials(seeds=4)
@pytest.mark.parametrize("more", [0, 3])
def test_no_more_file_descriptors(arena: Arena, more: int) -> None:
    @contextmanager
    def exhausted(arena: Arena) -> Iterator[None]:
        with limited(arena, resource.RLIMIT_NOFILE, descriptors(arena) + more):
            for command in ("scan", "deep-scan"):
                ask(arena, command)
            yield

    arena.run(f"no file descriptors but {more}" if more else "no file descriptors", exhausted)


def ask(arena: Arena, command: str) -> None:
    """Give an order, which nobody may be able to take just now."""
    program = [sys.executable, "-m", "censusd.cli.censusctl", "--socket", str(arena.daemon.socket), command]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(program, capture_output=True, check=False, timeout=3)


@trials(seeds=2)
def test_started_with_few_file_descriptors(arena: Arena) -> None:
    @contextmanager
    def few(arena: Arena) -> Iterator[None]:
        yield
        arena.daemon.stop()
        program = arena.daemon.program
        arena.daemon.program = ["prlimit", "--nofile=24:4096", *program]
        arena.daemon.start_at_once()
        arena.workload.wait(arena.trial.operations)
        arena.daemon.program = program
        process = arena.daemon.process
        assert process is not None
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        else:
            assert "Too many open files" in arena.daemon.log_text()
            arena.daemon.start()

    arena.run("started with 24 file descriptors", few)


@trials(seeds=4)
@pytest.mark.parametrize("more", [0, 8])
def test_no_more_address_space(arena: Arena, more: int) -> None:
    @contextmanager
    def capped(arena: Arena) -> Iterator[None]:
        with limited(arena, resource.RLIMIT_AS, address_space(arena) + more * MIB):
            ask(arena, "scan")
            yield

    arena.run(f"no memory but {more} MiB" if more else "no memory (RLIMIT_AS)", capped)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group of its own, with a limit on memory."""
    group = CGROUP / f"censusd-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group for memory can be made: {error}")
    try:
        yield group
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), "processes are left in the control group")
        group.rmdir()


@trials(seeds=2)
def test_memory_of_a_control_group(arena: Arena, cgroup: Path) -> None:
    @contextmanager
    def capped(arena: Arena) -> Iterator[None]:
        (cgroup / "memory.limit_in_bytes").write_text(str(256 * MIB))
        (cgroup / "cgroup.procs").write_text(str(pid(arena)))
        yield
        (cgroup / "memory.limit_in_bytes").write_text("-1")

    try:
        arena.run("256 MiB for the control group", capped)
    finally:
        arena.daemon.kill()
