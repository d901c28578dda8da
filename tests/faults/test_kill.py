"""kill -9 at every point at which something is written for good: of the daemon, of workers, of the PostgreSQL below."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from tests.faults import failpoints
from tests.faults.arena import REPOSITORY, Arena, Trial, trials
from tests.faults.failpoints import Plan
from tests.tools.daemon import DEADLINE, DaemonProcess
from tests.tools.server_holder import FAST

ERRANDS = (("scan", REPOSITORY), ("deep-scan", REPOSITORY), ("scan", "--verify", REPOSITORY), ("retry", REPOSITORY))
"""What somebody asks for again and again, so that as many points as possible are passed."""

PATIENCE = 20.0
"""Seconds for a point to be passed."""

AT_ONCE = 4
"""Deaths between two judgements."""

OF_THE_DAEMON = (
    "before commit sync.run.Run.apply",
    "after commit sync.run.Run.finish",
    "before sync.withdrawal.withdraw_absent",
    "before commit deepscan.writer.Writer._write",
)
"""What the short form tries: a batch, marks that are set, marks that are about to be, hashes."""

ONCE = ("before commit sync.roots.RootGuard._adopt", "after commit sync.roots.RootGuard._adopt")
"""What a repository goes through only once."""

OF_A_WORKER = ("before commit deepscan.writer.Writer._write",)
OF_A_SERVER = ("before commit catalogue.migrations.migrate",)
"""What nobody would notice who only looks after a database once the daemon is at work."""

OF_WORKER_PROCESSES = tuple(
    f"{when} {where[8:]}" for where in failpoints.IN_WORKER_PROCESSES for when in ("before", "after")
)


class Sweep:
    """Kills a process at one point after the other.

    Args:
        arena: where.
        daemon: at whose points it happens.
        target: what is killed, see ``Plan``.
        cluster: PostgreSQL's data directory, for that.
        survives: whether the daemon goes on.
    """

    def __init__(
        self, arena: Arena, daemon: DaemonProcess, *, target: str = "self", cluster: str = "", survives: bool = False
    ) -> None:
        self.daemon = daemon
        self._arena = arena
        self._target = target
        self._cluster = cluster
        self._survives = survives
        self._chance = random.Random(arena.trial.seed)
        self._silent: list[str] = []
        self._log, self._fired = (daemon.directory / name for name in ("points", "fired"))
        daemon.program = failpoints.program()
        self.arm()

    def arm(self, point: str = "", nth: int = 1) -> None:
        """Choose where it is to happen in daemons that are started from now on."""
        self._fired.write_bytes(bytes(4096))
        plan = Plan(str(self._log), str(self._fired), point, nth, target=self._target, cluster=self._cluster)
        self.daemon.environment = failpoints.environment(plan)

    def points(self) -> Counter[str]:
        """Which points there are, by a run without a fault, and how often each was passed."""
        with self._arena.workload:
            if self.daemon.process is not None:
                self.daemon.kill()
            self.daemon.start()
            for errand in ERRANDS:
                self._arena.daemon.ctl(*errand)
            self._arena.workload.wait(300)
            self._arena.daemon.sync(REPOSITORY)
            assert self.daemon.stop() == 0
        return Counter(self._log.read_text().splitlines())

    def has_fired(self) -> bool:
        """Whether it has happened."""
        return self._fired.read_bytes()[0] > 0

    def over(self, points: Mapping[str, int], name: str) -> None:
        """Let it happen at every point, a few at a time, and judge after each few.

        Args:
            points: point -> how often it is passed in a while.
            name: the row of the table.
        """
        among = list(points)
        self._chance.shuffle(among)
        for number in range(0, len(among), AT_ONCE):
            some = among[number : number + AT_ONCE]
            if number + AT_ONCE >= len(among):
                self._arena.note = f"{len(points) - len(self._silent)} of {len(points)} points"
            self._arena.round(name, lambda _, some=some: self._deaths({one: points[one] for one in some}))
        assert len(self._silent) <= len(points) / 10, f"these were not passed again: {self._silent}"

    @contextmanager
    def _deaths(self, points: Mapping[str, int]) -> Iterator[None]:
        """One after the other; in the end the daemon runs, and none is to come."""
        yield
        for point, count in points.items():
            self.daemon.kill()
            self.arm(point, self._chance.randint(1, max(1, min(count // 4, 10))))
            self.die(point)
        if not self._survives:
            self.arm()
            self.daemon.start()

    def die(self, point: str) -> None:
        """Start what is armed, and wait for it to happen. Some points are passed too seldom, which is noted."""
        self.daemon.start_at_once()
        process = self.daemon.process
        assert process is not None
        deadline = time.monotonic() + PATIENCE
        for errand in cycle(ERRANDS):
            if self.has_fired() or process.poll() is not None:
                break
            if time.monotonic() > deadline:
                # Some points are passed by a process that ends.
                process.send_signal(signal.SIGTERM)
                process.wait(DEADLINE)
                break
            self._arena.daemon.ctl(*errand)
        if not self.has_fired():
            self._silent.append(point)
        if self._survives:
            if process.poll() is not None:
                self.daemon.start()
            self.daemon.sync(REPOSITORY)
        elif self.has_fired():
            assert process.wait(DEADLINE) == -signal.SIGKILL


@trials(seeds=3, minutes=20)
def test_the_daemon(arena: Arena) -> None:
    arena.prepare()
    sweep = Sweep(arena, arena.daemon)
    for point in ONCE if arena.trial.long else ():
        sweep.arm(point)
        sweep.die(point)
    sweep.arm()
    with arena.daemon:
        points = Counter(OF_THE_DAEMON)
        if arena.trial.long:
            points = sweep.points()
            assert points.keys() >= set(OF_THE_DAEMON)
            arena.daemon.start()
        sweep.over(points, "kill -9 of the daemon")


@trials(seeds=3)
def test_a_worker_process_of_the_deep_scan(arena: Arena) -> None:
    arena.prepare()
    sweep = Sweep(arena, arena.daemon, survives=True)
    with arena.daemon:
        points = OF_WORKER_PROCESSES if arena.trial.long else OF_WORKER_PROCESSES[1:3]
        sweep.over(dict.fromkeys(points, 20), "kill -9 of a worker process")


@trials(seeds=3, minutes=20)
def test_a_worker_on_another_host(arena: Arena) -> None:
    (arena.place / "worker").mkdir()
    arena.prepare()
    worker = DaemonProcess(arena.place / "worker", arena.database, arena.configuration(), "worker")
    arena.settings = arena.settings.replace("[deep_scan]", "[deep_scan]\nenabled = false")
    arena.daemon.configure(arena.configuration())
    sweep = Sweep(arena, worker)
    with arena.daemon:
        arena.daemon.sync(REPOSITORY)
        points = sweep.points() if arena.trial.long else Counter(OF_A_WORKER)
        assert points.keys() >= set(OF_A_WORKER)
        with worker:
            sweep.over(points, "kill -9 of `censusd worker`")


@trials(seeds=2, minutes=20)
@pytest.mark.parametrize("target", ["keeper", "postmaster"])
def test_the_private_postgresql(trial: Trial, shared_path: Path, request: pytest.FixtureRequest, target: str) -> None:
    with EmbeddedServer.start(shared_path / "state", settings=FAST) as server:
        with Catalogue(server.conninfo) as catalogue:
            migrations.migrate(catalogue)
        arena = Arena(shared_path, server.conninfo, trial, request.node.user_properties)
        arena.daemon.dsn = ""
        arena.prepare()
    sweep = Sweep(arena, arena.daemon, target=target, cluster=str(server.cluster.path), survives=True)
    with arena.daemon:
        points = Counter(OF_A_SERVER)
        if trial.long:
            points = sweep.points()
            arena.daemon.start()
        sweep.over(points, f"kill -9 of the private PostgreSQL's {target}")
