"""Two daemons and one repository: what an owner may still do that was away for longer than its lease."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults import failpoints
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


def sleep_in_turn(arena: Arena, other: DaemonProcess) -> None:
    """The owner, which sleeps, is woken up once the other one has taken over, which is the arena's from then on."""
    owner = arena.daemon
    until(lambda: owns(arena, other), "nobody has taken over", TAKEN_OVER_WITHIN)
    arena.workload.wait(100)
    seen = owner.log_text().count('"let go"')
    owner.signal(signal.SIGCONT)
    until(lambda: owner.log_text().count('"let go"') > seen, "whoever comes back has not noticed")
    arena.workload.wait(100)
    assert owns(arena, other), "whoever comes back does not take it away again"
    arena.daemon = other


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


@trials(seeds=2)
@pytest.mark.parametrize(
    "point", ["before commit sync.run.Run.apply", long_only("before sync.withdrawal.withdraw_absent")]
)
def test_an_owner_that_sleeps_in_a_transaction(arena: Arena, rival: DaemonProcess, point: str) -> None:
    """It has written, and not committed. What it holds locked must not keep the other from taking over for ever."""
    fired = arena.place / "fired"
    fired.write_bytes(bytes(4096))
    plan = Plan(str(arena.place / "points"), str(fired), point, 2, signal.SIGSTOP)

    @contextmanager
    def asleep(arena: Arena) -> Iterator[None]:
        arena.daemon.stop()
        until(lambda: owns(arena, rival), "nobody has taken over", TAKEN_OVER_WITHIN)
        arena.daemon.program, arena.daemon.environment = failpoints.program(), failpoints.environment(plan)
        arena.daemon.start()
        rival.stop()
        rival.start()
        until(lambda: fired.read_bytes()[0], "it has not fallen asleep")
        yield
        sleep_in_turn(arena, rival)

    with arena.daemon, rival:
        arena.round("an owner sleeps in a transaction", asleep)
