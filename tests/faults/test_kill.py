"""kill -9 at every point at which something is written for good: of the daemon, of workers, of the PostgreSQL below."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from tests.faults import failpoints, purging
from tests.faults.arena import REPOSITORY, Arena, Trial, trials
from tests.faults.failpoints import Plan
from tests.faults.occasions import ENDING, OCCASIONS, Scene, asked, long_missing, occasion_of
from tests.tools.daemon import DEADLINE, DaemonProcess
from tests.tools.server_holder import FAST
from tests.tools.vision_server import Model, VisionServer
from tests.tools.waiting import until

PATIENCE = 90.0
"""Seconds for a point to be passed."""

RARE = 'rehash_per_day = "1GiB"\n'
"""What a configuration has to have for some points to be passed."""

AT_ONCE = 4
"""Deaths between two judgements."""

OF_THE_DAEMON = (
    "before commit sync.run.Run.apply",
    "after commit sync.run.Run.finish#2",
    "before sync.withdrawal.withdraw_absent",
    "before commit deepscan.writer.Writer._write",
)
"""What the short form tries: a batch, marks that are set, marks that are about to be, hashes."""

OF_WORKERS_ALONE = ("catalogue.migrations.check", "service.assistant.Assistant._outdated", "service.trees.Trees.")
WITH_A_MODEL = ("describe.",)
IN_HUGE_DIRECTORIES = ("sync.huge.",)
"""What a daemon does not do, or only if it has pictures described, or a directory of more than 10,000 files."""

NOT_HERE = {
    "describe.describer.Describer._look_after_rows#2": "only once a daemon has been up for ten minutes",
    "service.trees.Trees._judge": "only of a worker that has mounts which its daemon has not, and it only reads",
}
"""Transactions whose commits nobody passes here, and why: all others have to be passed, by whoever passes them."""

CALLS = (
    "before os.remove service.http.server.HttpServer._remove_file",
    "before os.remove service.http.sockets._remove_stale",
    "before os.remove watch.barrier.CookieJar._remove",
)
"""Of a daemon that has no PostgreSQL of its own."""

OF_A_WORKER = ("before commit deepscan.writer.Writer._write",)
OF_A_SERVER = {"before commit catalogue.migrations.migrate#2": 1, "after commit sync.run.Run.apply": 20}
"""What nobody would notice who only looks after a database once the daemon is at work; and one of its first batches."""

OF_WORKER_PROCESSES = tuple(
    f"{when} {where[8:]}" for where in failpoints.IN_WORKER_PROCESSES for when in ("before", "after")
)


def commits(*rooms: str, but: tuple[str, ...] = ()) -> list[str]:
    """The points before and after every commit of these rooms, but for some of them."""
    transactions = sorted(failpoints.commits() - NOT_HERE.keys())
    found = [one for one in transactions if one.startswith(rooms) and not one.startswith(but)]
    assert found
    return [f"{when} commit {transaction}" for transaction in found for when in ("before", "after")]


def of_a_daemon() -> list[str]:
    """All points of a daemon that describes nothing, and knows no huge directories."""
    between = [f"{when} {where[8:]}" for where in failpoints.BETWEEN for when in ("before", "after")]
    return [*commits("", but=(*OF_WORKERS_ALONE, *WITH_A_MODEL, *IN_HUGE_DIRECTORIES)), *between, *CALLS]


def test_what_is_left_out_is_there() -> None:
    transactions = failpoints.commits()
    assert transactions >= NOT_HERE.keys()
    known = transactions | {failpoints.function_of(point) for point in (*transactions, *CALLS)}
    assert known >= OCCASIONS.keys()


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
        self._tried = self._all = 0
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
            asked(Scene(self._arena, self.daemon, self._has_ended))
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
        among, self._all = list(points), len(points)
        self._chance.shuffle(among)
        for number in range(0, len(among), AT_ONCE):
            some = among[number : number + AT_ONCE]
            self._arena.round(name, lambda _, some=some: self._deaths({one: points[one] for one in some}))
        assert not self._silent, f"these were not passed again: {self._silent}"
        if any(occasion_of(point) is long_missing for point in points):
            self._see_purged()

    def _see_purged(self) -> None:
        """What was missing for long is deleted in the end, and nothing else was."""
        if self._survives:
            # What was purged while the database was away is purged an hour later, or soon after the next start.
            self.daemon.kill()
            self.daemon.start()
        until(lambda: not purging.left(self._arena), lambda: f"{purging.left(self._arena)}")
        assert not (wrong := purging.wrongly_deleted(self._arena)), wrong
        deleted, journalled = purging.counted(self._arena)
        assert deleted == journalled, "the journal does not say how many"
        assert deleted

    @contextmanager
    def _deaths(self, points: Mapping[str, int]) -> Iterator[None]:
        """One after the other; in the end the daemon runs, and none is to come."""
        yield
        for point, count in points.items():
            self.daemon.kill()
            self.arm(point, self._chance.randint(1, max(1, min(count // 4, 10))))
            self.die(point)
            self._tried += 1
        if self._tried == self._all:
            self._arena.note = f"{self._all - len(self._silent)} of {self._all} points"
        if not self._survives:
            self.arm()
            self._arena.fault_is_over()
            self.daemon.start()

    def die(self, point: str) -> None:
        """Start what is armed, and wait for it to happen."""
        self.daemon.start_at_once()
        scene = Scene(self._arena, self.daemon, lambda: self.has_fired() or self._has_ended())
        deadline = time.monotonic() + PATIENCE
        while not self.has_fired() and time.monotonic() < deadline:
            if self._has_ended():
                self.daemon.start_at_once()
            try:
                occasion_of(point)(scene)
            except psycopg.OperationalError:
                scene.wait(seconds=0.1)  # the database may be what is killed, or not be there yet
        if not self.has_fired():
            self._silent.append(point)
            self.daemon.kill()
        if self._survives:
            self._arena.fault_is_over()
            if occasion_of(point) in ENDING and not self._has_ended():
                self.daemon.signal(signal.SIGTERM)
                assert self.daemon.process is not None
                self.daemon.process.wait(DEADLINE)
            if self._has_ended():
                self.daemon.start()
            self._arena.repaired()
        elif self.has_fired():
            assert self.daemon.process is not None
            assert self.daemon.process.wait(DEADLINE) == -signal.SIGKILL

    def _has_ended(self) -> bool:
        process = self.daemon.process
        return process is None or process.poll() is not None


@trials(seeds=3, minutes=40)
def test_the_daemon(arena: Arena) -> None:
    arena.settings += RARE
    arena.prepare()
    sweep = Sweep(arena, arena.daemon)
    with arena.daemon:
        points: Mapping[str, int] = Counter(OF_THE_DAEMON)
        if arena.trial.long:
            counts = sweep.points()
            assert counts.keys() <= set(of_a_daemon()), "a point that nobody knows of"
            points = {point: counts[point] for point in of_a_daemon()}
            arena.daemon.start()
        sweep.over(points, "kill -9 of the daemon")


@trials(seeds=2)
def test_a_daemon_with_a_huge_directory(arena: Arena) -> None:
    arena.prepare()
    huge = arena.root / "huge"
    huge.mkdir()
    for number in range(10_100):
        (huge / str(number)).touch()
    sweep = Sweep(arena, arena.daemon)
    with arena.daemon:
        points = commits(*IN_HUGE_DIRECTORIES)
        sweep.over(dict.fromkeys(points if arena.trial.long else points[:1], 1), "kill -9, a huge directory")


@trials(seeds=2, minutes=20)
def test_a_daemon_that_has_pictures_described(arena: Arena) -> None:
    arena.prepare()
    with VisionServer(Model()) as server:
        arena.settings = f'[describe]\nenabled = true\nurl = "{server.url}"\nmodel = "llava"\n{arena.settings}'
        arena.daemon.configure(arena.configuration())
        sweep = Sweep(arena, arena.daemon)
        with arena.daemon:
            points = commits(*WITH_A_MODEL)
            sweep.over(dict.fromkeys(points if arena.trial.long else points[-2:], 1), "kill -9 while describing")


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
        points = Counter(OF_A_WORKER)
        if arena.trial.long:
            points = sweep.points()
            assert points.keys() >= {*OF_A_WORKER, *commits(*OF_WORKERS_ALONE)}
        with worker:
            sweep.over(points, "kill -9 of `censusd worker`")


@trials(seeds=2, minutes=40)
@pytest.mark.parametrize("target", ["keeper", "postmaster"])
def test_the_private_postgresql(trial: Trial, shared_path: Path, request: pytest.FixtureRequest, target: str) -> None:
    with EmbeddedServer.start(shared_path / "state", settings=FAST) as server:
        with Catalogue(server.conninfo) as catalogue:
            migrations.migrate(catalogue)
        arena = Arena(shared_path, server.conninfo, trial, request.node.user_properties)
        arena.daemon.dsn = ""
        arena.settings += RARE
        arena.prepare()
    sweep = Sweep(arena, arena.daemon, target=target, cluster=str(server.cluster.path), survives=True)
    with arena.daemon:
        points: Mapping[str, int] = OF_A_SERVER
        if trial.long:
            counts = sweep.points()
            points = {point: counts[point] for point in of_a_daemon()}
            arena.daemon.start()
        sweep.over(points, f"kill -9 of the private PostgreSQL's {target}")
