"""The database goes away, hangs, is slow, or breaks off just when something is committed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import product
from pathlib import Path

import pytest

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from tests.faults.arena import Arena, Trial, long_only, trials
from tests.faults.proxy import Mode, Proxy
from tests.tools.server_holder import FAST
from tests.tools.waiting import until

NAMED = 4_096
"""Names in a directory that are kept one by one; of more, the directory is what is kept."""

SLOWLY = 5
"""Transactions that have to go through a slow connection at least."""


@pytest.fixture
def proxy(arena: Arena) -> Iterator[Proxy]:
    """Between the arena's daemon and its database."""
    (arena.place / "proxy").mkdir()
    with Proxy(arena.place / "proxy", arena.database) as proxy:
        arena.daemon.dsn = proxy.conninfo
        yield proxy


@trials(seeds=3)
@pytest.mark.parametrize("mode", [Mode.REFUSING, Mode.HELD], ids=["refusing", "held"])
def test_away(arena: Arena, proxy: Proxy, mode: Mode) -> None:
    @contextmanager
    def away(arena: Arena) -> Iterator[None]:
        with proxy.while_it_is(mode):
            yield
            arena.lasts(40 if arena.trial.long else 3)

    verdict = arena.run(f"PostgreSQL {'refuses' if mode is Mode.REFUSING else 'does not answer'}", away)
    assert verdict.repair < 10, "however long it was away, it is not to be left alone for long when it is back"


@trials(seeds=3)
@pytest.mark.parametrize("mode", [Mode.BEFORE_COMMIT, Mode.AFTER_COMMIT], ids=["before", "after"])
def test_cut_at_commit(arena: Arena, proxy: Proxy, mode: Mode) -> None:
    chance = random.Random(arena.trial.seed)

    @contextmanager
    def cuts(arena: Arena) -> Iterator[None]:
        for _ in range(30 if arena.trial.long else 3):
            arena.workload.wait(chance.randrange(1, 30))
            assert proxy.cut_a_commit(mode, 60.0)
        arena.note = f"{proxy.cuts} cuts"
        yield

    arena.run(f"the connection is cut {mode.value}", cuts)


def written(arena: Arena) -> int:
    """How many transactions have written something of the repository, which its change number tells."""
    [(number,)] = arena.query("SELECT change_number FROM repositories")
    return int(number)


@trials(seeds=3)
def test_slow(arena: Arena, proxy: Proxy) -> None:
    @contextmanager
    def slow(arena: Arena) -> Iterator[None]:
        proxy.latency, proxy.rate = 0.05, 200_000
        before = written(arena)
        yield
        until(lambda: written(arena) >= before + SLOWLY)
        arena.note = f"{written(arena) - before} transactions meanwhile"
        proxy.latency = proxy.rate = 0

    arena.run("PostgreSQL is slow: 50 ms, 200 kB/s", slow)


class Server:
    """A PostgreSQL of one's own, with the means to treat it badly."""

    def __init__(self, directory: Path) -> None:
        self._embedded = EmbeddedServer.start(directory, settings=FAST)
        self.conninfo = self._embedded.conninfo

    def close(self) -> None:
        """Stop it."""
        self.go_on()
        self._embedded.close()

    def end(self, number: int) -> None:
        """Send a signal to the postmaster, and start it again once it has ended."""
        postmaster, *_ = self._pids()
        os.kill(postmaster, number)
        until(lambda: not Path(f"/proc/{postmaster}").exists() or _is_dead(postmaster))
        self._embedded.ensure_running()

    def crash(self) -> None:
        """Kill a process that serves a connection: PostgreSQL ends all of them, and recovers."""
        serving = [pid for pid in self._pids()[1:] if b"censusd censusd" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert serving, "no process serves the daemon"
        os.kill(serving[-1], signal.SIGKILL)

    def stop(self) -> None:
        """Let nothing of it run."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        postmaster = int((self._embedded.cluster.path / "postmaster.pid").read_text().split()[0])
        return [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]


def _is_dead(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    return True


@pytest.fixture
def server_of_ones_own(shared_path: Path) -> Iterator[Server]:
    """A PostgreSQL of the test's own, with the schema in its database."""
    server = Server(shared_path / "state")
    try:
        with Catalogue(server.conninfo) as catalogue:
            migrations.migrate(catalogue)
        yield server
    finally:
        server.close()


@contextmanager
def restarted(arena: Arena, server: Server) -> Iterator[None]:
    server.end(signal.SIGINT)
    yield


@contextmanager
def restarted_at_once(arena: Arena, server: Server) -> Iterator[None]:
    server.end(signal.SIGQUIT)
    yield


@contextmanager
def crashed(arena: Arena, server: Server) -> Iterator[None]:
    server.crash()
    yield


@contextmanager
def hung(arena: Arena, server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
        arena.lasts(40 if arena.trial.long else 3)
    finally:
        server.go_on()


@trials(seeds=3)
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("is restarted", restarted),
        long_only("is ended at once", restarted_at_once),
        ("crashes", crashed),
        ("is stopped", hung),
    ],
)
def test_the_server(
    trial: Trial,
    server_of_ones_own: Server,
    place: Path,
    request: pytest.FixtureRequest,
    name: str,
    what: Callable[[Arena, Server], AbstractContextManager[None]],
) -> None:
    arena = Arena(place, server_of_ones_own.conninfo, trial, request.node.user_properties)
    arena.run(f"PostgreSQL {name}", lambda arena: what(arena, server_of_ones_own))


@trials(seeds=1)
def test_away_for_long(arena: Arena, proxy: Proxy) -> None:
    """However much happens, what is to be looked at collapses into directories, and memory stays as it is."""
    directories, files, rounds = (6, NAMED + 900, 2) if arena.trial.long else (2, NAMED + 500, 2)
    places = [arena.root / f"bulk {number}" for number in range(directories)]
    for place in places:
        place.mkdir(parents=True)

    @contextmanager
    def away(arena: Arena) -> Iterator[None]:
        before, most = memory(arena), 0
        with proxy.while_it_is(Mode.REFUSING):
            with arena.workload.paused():
                for number, directory in product(range(rounds), range(directories)):
                    for file in range(files):
                        (places[directory] / f"{file}").write_text(f"{number} {directory} {file}")
                    most = max(most, marks(arena))
                # A mark for each directory, and one for each name that the workload has written to.
                bound = sum(1 for _ in os.walk(arena.root)) + len(arena.workload.stays)
                until(lambda: 0 < marks(arena) <= bound, lambda: f"{marks(arena)} marks, more than {bound}")
                left = marks(arena)
            assert most <= bound + NAMED, "names of more than one directory are kept"
            yield
            grown = max(0, memory(arena) - before)
        writes = f"{directories * files * rounds:,} writes are {left:,} marks, {most:,} at most"
        arena.note = f"{writes}; daemon {before >> 20} MiB and {grown >> 20} MiB more"
        assert grown < 24 << 20

    arena.run("PostgreSQL is away while much is written", away)


def marks(arena: Arena) -> int:
    """How many places wait to be looked at."""
    (one,) = arena.daemon.status()["repositories"]
    return int(one["dirty_marks"])


def memory(arena: Arena) -> int:
    """Bytes that the daemon has in memory."""
    assert arena.daemon.process is not None
    status = Path(f"/proc/{arena.daemon.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) << 10
