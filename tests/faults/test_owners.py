"""Two daemons and one repository: what an owner may still do that was away for longer than its lease."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults import failpoints, witness
from tests.faults.arena import REPOSITORY, Arena, long_only, trials
from tests.faults.failpoints import Plan
from tests.tools.daemon import DaemonProcess
from tests.tools.waiting import until

LEASE = 2.0
TAKEN_OVER_WITHIN = 30.0
"""Seconds, on a busy machine: a lease, or the four that are left to who says nothing more in a transaction."""


@pytest.fixture
def rival(arena: Arena) -> DaemonProcess:
    """Another daemon with the same configuration, as on another host; not started."""
    arena.settings = arena.settings.replace('lease_ttl = "5s"', f'lease_ttl = "{LEASE:.0f}s"')
    arena.prepare()
    (arena.place / "rival").mkdir()
    return DaemonProcess(arena.place / "rival", arena.database, arena.configuration())


def owns(arena: Arena, daemon: DaemonProcess) -> bool:
    """Whether it is the owner on record; its name is ``host/pid/...``."""
    assert daemon.process is not None
    ((owner,),) = arena.query("SELECT lease_owner FROM repositories WHERE name = %s", REPOSITORY)
    return str(owner).split("/")[1:2] == [str(daemon.process.pid)]


def sleep_in_turn(arena: Arena, other: DaemonProcess, operations: int = 100) -> None:
    """The owner, which sleeps, is woken up once the other one has taken over, which is the arena's from then on.

    Args:
        arena: where.
        other: who takes over.
        operations: of the workload, before the owner is woken up.
    """
    owner = arena.daemon
    until(lambda: owns(arena, other), "nobody has taken over", TAKEN_OVER_WITHIN)
    arena.workload.wait(operations)
    seen = len(lets_go(owner))
    owner.signal(signal.SIGCONT)
    until(lambda: len(lets_go(owner)) > seen, "whoever comes back has not noticed")
    arena.workload.wait(100)
    assert owns(arena, other), "whoever comes back does not take it away again"
    arena.daemon = other


def lets_go(daemon: DaemonProcess) -> list[str]:
    """Why it has let go of the repository, each time."""
    return [event["why"] for event in daemon.log_events() if event["event"] == "let go"]


@trials(seeds=3)
def test_an_owner_that_sleeps_past_its_lease(arena: Arena, rival: DaemonProcess) -> None:
    naps = 6 if arena.trial.long else 1

    @contextmanager
    def asleep(arena: Arena) -> Iterator[None]:
        yield
        other = rival
        for _ in range(naps):
            owner = arena.daemon
            assert owns(arena, owner)
            owner.signal(signal.SIGSTOP)
            sleep_in_turn(arena, other)
            other = owner
        arena.note = f"{naps} naps"

    with arena.daemon, rival:
        arena.round("an owner sleeps past its lease", asleep)


@contextmanager
def asleep_at(arena: Arena, rival: DaemonProcess, point: str, nth: int = 2) -> Iterator[None]:
    """The owner falls asleep at a point before the block begins; in the end the other one owns the repository."""
    fired = arena.place / "fired"
    fired.write_bytes(bytes(4096))
    plan = Plan(str(arena.place / "points"), str(fired), point, nth, signal.SIGSTOP)
    arena.daemon.stop()
    until(lambda: owns(arena, rival), "nobody has taken over", TAKEN_OVER_WITHIN)
    arena.daemon.program, arena.daemon.environment = failpoints.program(), failpoints.environment(plan)
    arena.daemon.start()
    rival.stop()
    rival.start()
    until(lambda: fired.read_bytes()[0], "it has not fallen asleep")
    yield


@trials(seeds=3)
def test_a_stale_write_is_refused_by_its_token(arena: Arena, rival: DaemonProcess) -> None:
    """The owner has looked at the disk and knows what is to be written, and is about to begin."""

    @contextmanager
    def asleep(arena: Arena) -> Iterator[None]:
        yield
        with asleep_at(arena, rival, "before catalogue.repositories.begin_write", arena.trial.seed + 4):
            before = witness.refused(arena.database)
            # At once, before the server has ended the session, in which it has read already.
            sleep_in_turn(arena, rival, operations=0)
            assert witness.refused(arena.database) > before
            arena.note = "refused by its token"

    with arena.daemon, rival:
        arena.round("an owner sleeps, and wakes up to write", asleep)


@trials(seeds=2)
@pytest.mark.parametrize(
    "point",
    [
        long_only("before sync.run.Run.apply"),
        "after catalogue.repositories.begin_write",  # a commit may have written nothing
        long_only("before sync.withdrawal.withdraw_absent"),
    ],
)
def test_an_owner_that_sleeps_in_its_work(arena: Arena, rival: DaemonProcess, point: str) -> None:
    """Before a transaction, or in it, with rows locked: that must not keep the other from taking over for ever."""
    writes = point != "before sync.run.Run.apply"

    @contextmanager
    def asleep(arena: Arena) -> Iterator[None]:
        with asleep_at(arena, rival, point, 4):
            assert not writes or arena.query(WRITTEN), "it holds nothing locked"
            yield
            owner = arena.daemon
            sleep_in_turn(arena, rival)
            # What it has written, the server has taken back, and tells it when it wants to commit.
            assert ("idle-in-transaction timeout" in owner.log_text()) is writes

    with arena.daemon, rival:
        arena.round(f"an owner sleeps {'in' if writes else 'before'} a transaction", asleep)


WRITTEN = """
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
    AND backend_xid IS NOT NULL
"""
"""Sessions that have written something, and wait to be told to commit it."""
