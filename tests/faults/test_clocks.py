"""Clocks that jump by two days, either way: the daemon's, the database's, and both."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from censusd.catalogue import deep_queue, repositories
from censusd.catalogue.connection import Catalogue
from censusd.model import Trigger
from censusd.sync.requests import Kind, Request
from tests.faults.arena import REPOSITORY, Arena, Trial, long_only, trials
from tests.faults.clocks import DAY, Clock, have_witness_tell_real_time
from tests.tools.library import take
from tests.tools.living import DEADLINE, LivingLibrary
from tests.tools.own_server import OwnServer
from tests.tools.waiting import until

OFTEN = 'reconcile_interval = "1s"\nreconcile_min = "1s"\nreconcile_max = "1s"\n'


@pytest.fixture
def clock(shared_path: Path) -> Clock:
    return Clock(shared_path / "clock")


@pytest.fixture
def jumpy(shared_path: Path, clock: Clock) -> Iterator[OwnServer]:
    """A PostgreSQL that lives by the clock."""
    (shared_path / "server").mkdir()
    with OwnServer(shared_path / "server", clock.environment) as server:
        yield server


@pytest.fixture
def catalogue(jumpy: OwnServer) -> Iterator[Catalogue]:
    with Catalogue(jumpy.conninfo) as opened:
        yield opened


def passes(arena: Arena) -> int:
    """How many scheduled passes there have been."""
    ((count,),) = arena.query("SELECT count(*) FROM sync_operations WHERE trigger = 'reconciliation'")
    return int(count)


def dated(arena: Arena, before: int) -> list[float]:
    """By how many days the daemon's clock was wrong, by the lines that it has logged after the first so many."""
    lines = list(arena.daemon.log_events())[before:]
    times = [datetime.fromisoformat(line["timestamp"]) for line in lines if "timestamp" in line]
    return [(at - datetime.now(UTC)).total_seconds() / DAY for at in times]


def jump(arena: Arena, clock: Clock, whose: str, days: int) -> None:
    """Put the clock forward or back, and see that those live by it who should, and nobody else."""
    before = len(list(arena.daemon.log_events()))
    clock.jump(days)
    arena.daemon.ctl("retry", REPOSITORY)  # an order, which is logged
    until(lambda: dated(arena, before), lambda: "nothing is logged\n" + arena.daemon.log_text()[-2000:])
    assert dated(arena, before)[-1] == pytest.approx(days if whose != "database" else 0, abs=0.1)
    if whose != "daemon":
        ((off,),) = arena.query("SELECT extract(epoch FROM clock_timestamp())::float8 - %s", time.time())
        assert off / DAY == pytest.approx(days, abs=0.1)


def goes_on(arena: Arena) -> None:
    """What is done by the clock is done as before: passes, and the renewal of the lease, which is still the first."""
    before = passes(arena)
    until(lambda: passes(arena) >= before + 3, lambda: "no pass is made any more\n" + arena.daemon.log_text()[-2000:])
    until(lambda: arena.query("SELECT FROM repositories WHERE lease_expires_at > now()"), "the lease has run out")
    assert arena.query("SELECT lease_token FROM repositories") == [(1,)]


@trials(seeds=2)
@pytest.mark.parametrize("days", [2, -2])
@pytest.mark.parametrize("whose", [long_only("daemon"), long_only("database"), "both"])
def test_a_clock_jumps(
    trial: Trial, shared_path: Path, clock: Clock, request: pytest.FixtureRequest, whose: str, days: int
) -> None:
    @contextmanager
    def wrong(arena: Arena) -> Iterator[None]:
        jump(arena, clock, whose, days)
        yield
        goes_on(arena)
        jump(arena, clock, whose, 0)
        arena.fault_is_over()
        arena.repaired()
        arena.workload.wait(trial.operations)
        goes_on(arena)

    with ExitStack() as stack:
        if whose == "daemon":
            database = request.getfixturevalue("database")
        else:
            (shared_path / "server").mkdir()
            server = stack.enter_context(OwnServer(shared_path / "server", clock.environment))
            database = server.conninfo
        arena = Arena(shared_path, database, trial, request.node.user_properties)
        arena.settings += OFTEN
        if whose != "database":
            arena.daemon.environment = clock.environment
        arena.prepare()
        if whose != "daemon":
            arena.imprecision = have_witness_tell_real_time(database)
        with arena.daemon:
            which = "clocks of daemon and database jump" if whose == "both" else f"the {whose}'s clock jumps"
            arena.round(f"{which} by {days:+d} days, and back", wrong)


def test_a_jump_ends_no_grace_period(tmp_path: Path, catalogue: Catalogue, clock: Clock) -> None:
    library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=0.02, missing_grace=DAY)
    for name in ("kept", "gone", "later", "directory/file"):
        (library.root / name).parent.mkdir(exist_ok=True)
        (library.root / name).touch()
    library.start()
    try:
        (library.root / "gone").unlink()
        shutil.rmtree(library.root / "directory")
        library.sync()
        age(library, hours=23)
        assert purge(library) == {"gone", "directory/file"}
        clock.jump(2)
        (library.root / "later").unlink()
        library.sync()
        assert purge(library) == {"gone", "later", "directory/file"}
        clock.jump(0)
        assert purge(library) == {"gone", "later", "directory/file"}
        clock.jump(-2)
        assert purge(library) == {"gone", "later", "directory/file"}
        assert library.query("SELECT FROM missing_files WHERE missing_since > now()") == []
        age(library, hours=25)
        assert purge(library) == set()
        assert library.query("SELECT path FROM directories") == [("",)]
    finally:
        library.stop()


def age(library: LivingLibrary, hours: float) -> None:
    """Have what is missing be missing for longer."""
    for table in ("files", "directories"):
        library.query(f"UPDATE {table} SET missing_since = missing_since - make_interval(secs => %s)", hours * 3600)


def purge(library: LivingLibrary) -> set[str]:
    """Purge what may be purged. Returns what is missing then."""
    library.worker.submit(Request(Kind.PURGE, Trigger.RECONCILIATION)).wait(DEADLINE)
    return {path for (path,) in library.query("SELECT file_path FROM missing_files")}


def test_a_lease_from_before_the_clock_was_put_back_does_not_last_for_days(catalogue: Catalogue, clock: Clock) -> None:
    with catalogue.transaction() as cursor:
        number = repositories.register(cursor, "library", "/library")
        assert repositories.acquire(cursor, number, "elsewhere/1", 5.0)
    with catalogue.transaction() as cursor:
        assert not repositories.acquire(cursor, number, "here/2", 5.0)
    clock.jump(-2)
    with catalogue.transaction() as cursor:
        assert repositories.acquire(cursor, number, "here/2", 5.0)


def test_what_the_deep_scan_has_put_off_does_not_wait_for_days(
    tmp_path: Path, catalogue: Catalogue, clock: Clock
) -> None:
    library = take(catalogue, tmp_path / "tree")
    for name in ("held", "put off", "failed"):
        library.write(name)
    library.reconcile()
    number = library.repository.id
    with catalogue.transaction() as cursor:
        claim = deep_queue.claim(cursor, number, "elsewhere", deep_queue.Selection(), most=3, lease=120.0)
        files = {file.name: file.id for file in claim.files}
        deep_queue.put_off(cursor, number, "elsewhere", {files["put off"]: "it changed"})
        deep_queue.fail(cursor, number, "elsewhere", {files["failed"]: "it could not be read"})
    clock.jump(-2)
    with catalogue.transaction() as cursor:
        assert deep_queue.expire(cursor, []) == 1
        claim = deep_queue.claim(cursor, number, "here", deep_queue.Selection(), most=3, lease=120.0)
        assert len(claim.files) == 3
        (overview,) = deep_queue.overview(cursor, [library.repository.rules.name])
        assert overview.quiet is None
