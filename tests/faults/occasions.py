"""What has to happen for a daemon to pass a point, where being asked for everything in turn is not enough."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psycopg

from tests.faults.arena import REPOSITORY, Arena
from tests.faults.failpoints import function_of
from tests.faults.purging import MADE_UP
from tests.faults.workload import STAY
from tests.tools.daemon import DEADLINE, DaemonProcess
from tests.tools.describing import picture
from tests.tools.waiting import until

ERRANDS: Final = (
    *(("scan", REPOSITORY), ("deep-scan", REPOSITORY), ("scan", "--verify", REPOSITORY), ("retry", REPOSITORY)),
    ("sync", REPOSITORY),
)
"""What somebody asks for."""

WHILE: Final = 5.0
"""Seconds that an occasion lasts, if nothing comes of it; then there is another one."""

ENDLESS: Final = 64 << 30
"""Bytes of a file that nobody has done with soon; they are nowhere on disk."""


@dataclass(frozen=True)
class Scene:
    """Where an occasion is made.

    Attributes:
        arena: with its workload going on.
        daemon: whose point is to be passed; it has been started, and may end at any time.
        over: says whether the point was passed, or the daemon has ended.
    """

    arena: Arena
    daemon: DaemonProcess
    over: Callable[[], bool]

    def wait(self, what: Callable[[], object] = lambda: False, seconds: float = WHILE) -> None:
        """Wait until something is so, or it is over; not for ever."""
        with suppress(AssertionError):
            until(lambda: self.over() or what(), within=seconds)

    def tamper(self, *statements: str) -> None:
        """Write to the catalogue behind the daemon's back, at a moment when it does not."""
        with psycopg.connect(self.arena.database) as connection:
            for statement in ("SELECT FROM repositories FOR UPDATE", *statements):
                connection.execute(statement.encode())


Occasion = Callable[[Scene], None]
"""Makes one, and returns when it is over or nothing comes of it."""


def asked(scene: Scene) -> None:
    """Somebody asks for everything in turn."""
    for errand in ERRANDS:
        if scene.over():
            return
        scene.arena.daemon.ctl(*errand)


def asked_for_a_part(scene: Scene) -> None:
    """Somebody wants a directory read again, in which nothing waits to be read."""
    scene.wait(
        lambda: scene.arena.daemon.ctl("verify", "--content", f"{REPOSITORY}:{STAY.decode()}") is None, 2 * WHILE
    )


def left_alone(scene: Scene) -> None:
    """Nobody asks for anything."""
    scene.wait()


def at_rest(scene: Scene) -> None:
    """Nobody asks for anything, and no file changes."""
    with scene.arena.workload.paused():
        scene.wait(seconds=2 * WHILE)


def ended(scene: Scene) -> None:
    """It is asked to end, once it is at work."""
    scene.wait(lambda: scene.arena.daemon.ctl("sync", REPOSITORY).returncode == 0, DEADLINE)
    _end(scene)


def ended_with_work_in_hand(scene: Scene) -> None:
    """It is asked to end while it reads a file."""
    file = scene.arena.root / "endless"
    with file.open("wb") as opened:
        opened.truncate(ENDLESS)
    try:
        process = scene.daemon.process
        assert process is not None
        claimed = (
            "SELECT FROM deep_scan_claims c JOIN files f ON f.id = c.file_id"
            " WHERE f.name = 'endless' AND f.state = 0 AND split_part(c.worker, '/', 2) = %s"
        )
        scene.wait(lambda: scene.arena.query(claimed, str(process.pid)), DEADLINE)
        _end(scene)
    finally:
        file.unlink()


def ended_while_it_waits(scene: Scene) -> None:
    """It is asked to end, and what it wants to write is locked for longer than it has patience."""
    scene.wait(lambda: scene.arena.daemon.ctl("sync", REPOSITORY).returncode == 0, DEADLINE)
    with psycopg.connect(scene.arena.database) as other:
        other.execute("SELECT FROM repositories FOR UPDATE")
        scene.daemon.signal(signal.SIGTERM)
        scene.wait(seconds=DEADLINE)


def _end(scene: Scene) -> None:
    scene.daemon.signal(signal.SIGTERM)
    process = scene.daemon.process
    assert process is not None
    with suppress(subprocess.TimeoutExpired):
        process.wait(DEADLINE)


@contextmanager
def _rootless(scene: Scene) -> Iterator[None]:
    """The root is away while the block lasts."""
    aside = scene.arena.place / "aside"
    with scene.arena.workload.paused():
        scene.arena.root.rename(aside)
        try:
            yield
        finally:
            aside.rename(scene.arena.root)


def root_away(scene: Scene) -> None:
    """The root is gone for a moment."""
    offline = "SELECT FROM repositories WHERE state = 'offline'"
    with _rootless(scene):
        scene.wait(lambda: scene.arena.query(offline), DEADLINE)
    scene.wait(lambda: not scene.arena.query(offline))


def another_root(scene: Scene) -> None:
    """There is another directory in the place of the root when it starts."""
    with _rootless(scene):
        scene.daemon.kill()
        scene.arena.root.mkdir()
        scene.daemon.start_at_once()
        scene.wait(seconds=2 * WHILE)
        scene.arena.root.rmdir()


def cut_off(scene: Scene) -> None:
    """All its connections to the database end."""
    scene.arena.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    scene.wait(seconds=1)


def unreadable_before(scene: Scene) -> None:
    """A directory could not be read, they say, so that it is looked at again after a while."""
    scene.arena.daemon.ctl("sync", REPOSITORY)
    scene.tamper(
        "UPDATE directories SET problem_kind = 'io', problem = 'made up', problem_since = now()"
        f" WHERE path = '{STAY.decode()}'"
    )
    scene.arena.daemon.ctl("scan", f"{REPOSITORY}:{next(scene.arena.root.glob('*/')).name}")
    with scene.arena.workload.paused():
        scene.wait(seconds=15)


def turned_up_elsewhere(scene: Scene) -> None:
    """A file is gone, and another has its content."""
    with scene.arena.workload.paused():
        waiting = "SELECT FROM files WHERE scan_phase = 0 AND state = 0"
        scene.wait(lambda: scene.arena.daemon.ctl("sync", REPOSITORY).returncode == 0, DEADLINE)
        scene.wait(lambda: not scene.arena.query(waiting))
        for _ in range(3):
            scene.arena.workload.copy_away()
        scene.wait()


def much_has_changed(scene: Scene) -> None:
    """PostgreSQL is told that it knows no more what is in its tables: every row was written often."""
    scene.tamper(*["UPDATE files SET size = size"] * 20)
    # The database's sessions tell of what they have done when they end, or a second later.
    scene.wait(seconds=1)
    asked(scene)


def converted(scene: Scene) -> None:
    """The root's file system is of another type than on record, as one that was converted in its place."""
    scene.tamper("""UPDATE repositories SET identity = jsonb_set(identity, '{type}', '"made up"')""")
    scene.arena.daemon.ctl("scan", REPOSITORY)
    scene.wait(seconds=1)


def long_missing(scene: Scene) -> None:
    """The grace period of some files and directories is over, and that of others is not."""
    scene.tamper(*MADE_UP)
    scene.wait()
    if not scene.over():
        # There is a purge soon after it has started, and then none for an hour.
        scene.daemon.kill()
        scene.daemon.start_at_once()
        scene.wait()


def picture_comes(scene: Scene) -> None:
    """There is a new picture, and then nothing changes for a while."""
    number = len(list(scene.arena.root.glob("*.png")))
    (scene.arena.root / f"{number}.png").write_bytes(picture(number))
    at_rest(scene)


OCCASIONS: Final[dict[str, Occasion]] = {
    "catalogue.maintenance.analyze": much_has_changed,
    "deepscan.orders.Orders._lane_to": asked_for_a_part,
    "deepscan.rolling.fill": at_rest,
    "deepscan.twins.look": turned_up_elsewhere,
    "deepscan.work.Work._let_go": ended_with_work_in_hand,
    "deepscan.work.Work.rehash": at_rest,
    "describe.describer.Describer._look_after_rows": at_rest,
    "describe.finder.Finder._due": picture_comes,
    "describe.finder.Finder._page": picture_comes,
    "describe.finder.Finder.look_around": at_rest,
    "describe.work.Work._write": picture_comes,
    "describe.work.Work.describe": picture_comes,
    "service.http.server.HttpServer._remove_file": ended,
    "service.patience.break_off_if_silent.<locals>.ask": ended_while_it_waits,
    "sync.adoption.adopt": turned_up_elsewhere,
    "sync.links.Elsewhere.next": left_alone,
    "sync.purge.purge": long_missing,
    "sync.roots.RecordedRoot.of": root_away,
    "sync.roots.RootGuard._adopt": root_away,
    "sync.roots.RootGuard._offline": another_root,
    "sync.roots.RootGuard._renumbered": root_away,
    "sync.roots.RootGuard.settle#2": converted,
    "sync.upkeep.Upkeep._mark_dirty": cut_off,
    "sync.upkeep.Upkeep.look_again": unreadable_before,
    "sync.upkeep.Upkeep.recover": cut_off,
    "sync.upkeep.Upkeep.set_state": root_away,
    "sync.worker.Worker._finish": ended,
}
"""Function at whose points something happens, or one of its transactions -> what makes it be called.

For all others somebody asks.
"""


ENDING: Final = frozenset({ended, ended_with_work_in_hand, ended_while_it_waits})
"""Those in which it is asked to end, or is about to be when the point is passed."""


def occasion_of(point: str) -> Occasion:
    """What makes a daemon pass a point."""
    return OCCASIONS.get(point.rsplit(maxsplit=1)[-1]) or OCCASIONS.get(function_of(point), asked)
