"""What a process may have is used up: file descriptors, address space, the memory of its control group."""

from __future__ import annotations

import itertools
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.arena import Arena, trials
from tests.tools.waiting import DEADLINE, until

MIB = 1 << 20
CGROUPS = Path("/sys/fs/cgroup")
NO_DESCRIPTORS = ("EMFILE", "Too many open files")
CROWD = 30
"""Connections, each with a thread, and that with a stack of usually 8 MiB."""


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


def descriptors(arena: Arena, more: int) -> int:
    """The limit that leaves room for so many more. It is one on numbers, of which the lowest is taken that is free."""
    taken = set(map(int, os.listdir(f"/proc/{pid(arena)}/fd")))
    free = (number for number in itertools.count() if number not in taken)
    return next(itertools.islice(free, more, None))


@contextmanager
def reached(arena: Arena, *words: str) -> Iterator[None]:
    """The log says in one of these words that there is no more, before the block is left."""
    before = len(arena.daemon.log_text())

    def lines() -> list[str]:
        return [line for line in arena.daemon.log_text()[before:].splitlines() if any(word in line for word in words)]

    yield
    until(lines, lambda: f"the limit was never reached\n{arena.daemon.log_text()[before:][-3000:]}")
    arena.note = f"limit reached: {len(lines()):,} times in the log"


def address_space(arena: Arena) -> int:
    """Bytes."""
    return int(Path(f"/proc/{pid(arena)}/statm").read_text().split()[0]) * resource.getpagesize()


@contextmanager
def crowd(arena: Arena) -> Iterator[Callable[[], int]]:
    """Many connections that ask for nothing. Tells how many were ended at once, without an answer."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(CROWD)]
        for each in sockets:
            each.settimeout(DEADLINE)
            each.connect(os.fspath(arena.daemon.socket))

        def refused() -> int:
            readable, _, _ = select.select(sockets, [], [], 0)
            return sum(is_over(each) for each in readable)

        yield refused


def is_over(connection: socket.socket) -> bool:
    """Whether the other side has said nothing before it ended a connection."""
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True


@trials(seeds=4)
@pytest.mark.parametrize("more", [0, 3])
def test_no_more_file_descriptors(arena: Arena, more: int) -> None:
    @contextmanager
    def exhausted(arena: Arena) -> Iterator[None]:
        with (
            limited(arena, resource.RLIMIT_NOFILE, descriptors(arena, more)),
            reached(arena, *NO_DESCRIPTORS),
        ):
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
        with reached(arena, *NO_DESCRIPTORS):
            arena.daemon.start_at_once()
            arena.workload.wait(arena.trial.operations)
        arena.daemon.program = program
        process = arena.daemon.process
        assert process is not None
        if process.poll() is None:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        else:
            arena.daemon.start()

    arena.run("started with 24 file descriptors", few)


@trials(seeds=4)
@pytest.mark.parametrize("more", [0, 8])
def test_no_more_address_space(arena: Arena, more: int) -> None:
    @contextmanager
    def capped(arena: Arena) -> Iterator[None]:
        with (
            limited(arena, resource.RLIMIT_AS, address_space(arena) + more * MIB),
            crowd(arena) as refused,
        ):
            ask(arena, "scan")
            yield
            until(refused, "there was room for every connection")
            arena.note = f"limit reached: {refused()} of {CROWD} connections refused"

    arena.run(f"no memory but {more} MiB" if more else "no memory (RLIMIT_AS)", capped)


@dataclass(frozen=True)
class Group:
    """A control group with a limit on memory, in version 1 or 2 of their files (cgroups(7)).

    Attributes:
        place: its directory.
        limit: the name of the file with the limit, in bytes.
        usage: the name of the one with what is used.
        unlimited: what stands in it for none.
        hits: says how often the limit was reached.
    """

    place: Path
    limit: str
    usage: str
    unlimited: str
    hits: Callable[[], int]

    def cap(self, size: int | None) -> None:
        """Set the limit, or none."""
        (self.place / self.limit).write_text(self.unlimited if size is None else str(size))

    def used(self) -> int:
        """Bytes."""
        return int((self.place / self.usage).read_text())

    def running(self, *program: str) -> list[str]:
        """How to run a program in it."""
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', os.fspath(self.place), *program]


def make_group() -> Group:
    """A group beside those that there are, by the version that has the machine's memory.

    Raises:
        OSError: none can be made.
    """
    name = f"censusd-test-{os.getpid()}"
    if (CGROUPS / "memory/memory.limit_in_bytes").exists():
        place = CGROUPS / "memory" / name
        place.mkdir()
        hits = place / "memory.failcnt"
        return Group(place, "memory.limit_in_bytes", "memory.usage_in_bytes", "-1", lambda: int(hits.read_text()))
    place = CGROUPS / name
    with suppress(OSError):
        # As systemd has it anyway.
        (CGROUPS / "cgroup.subtree_control").write_text("+memory")
    place.mkdir()
    if not (place / "memory.max").exists():
        place.rmdir()
        raise FileNotFoundError("there is no controller for memory")
    events = place / "memory.events"

    def count() -> int:
        return int(dict(line.split() for line in events.read_text().splitlines())["max"])

    return Group(place, "memory.max", "memory.current", "max", count)


@pytest.fixture
def cgroup() -> Iterator[Group]:
    """A control group of its own, for memory."""
    try:
        group = make_group()
    except OSError as error:
        pytest.skip(f"no control group for memory can be made: {error}")
    try:
        yield group
    finally:
        until(lambda: not (group.place / "cgroup.procs").read_text(), "processes are left in the control group")
        group.place.rmdir()


@trials(seeds=2)
def test_memory_of_a_control_group(arena: Arena, cgroup: Group) -> None:
    """There is no more than is in use already. Whom the kernel kills for it, is started again, as systemd does it."""
    arena.daemon.program = cgroup.running(*arena.daemon.program)

    @contextmanager
    def capped(arena: Arena) -> Iterator[None]:
        cgroup.cap(cgroup.used() + 2 * MIB)
        try:
            for command in ("scan", "deep-scan"):
                ask(arena, command)
            yield
            until(cgroup.hits, "the limit was never reached")
        finally:
            hits = cgroup.hits()
            cgroup.cap(None)
        assert arena.daemon.process is not None
        is_killed = arena.daemon.process.poll() is not None
        if is_killed:
            assert arena.daemon.process.returncode == -signal.SIGKILL
            arena.daemon.start()
        arena.note = f"limit reached {hits:,} times" + (", daemon killed" if is_killed else "")

    try:
        arena.run("memory of the control group is used up", capped)
    finally:
        arena.daemon.kill()
