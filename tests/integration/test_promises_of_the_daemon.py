"""Promises 9, 10 and 12: nothing is lost quietly, the barrier, and one owner. See ``test_promises.py``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from censusd.catalogue.connection import Catalogue, PoolSettings
from censusd.errors import CensusError, LeaseLostError
from censusd.model import Scope, Trigger
from censusd.sync.requests import Kind, Request
from censusd.sync.standing import Phase
from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.inotify import InotifyEmitter
from tests.tools.library import Library, disk, from_elsewhere, take
from tests.tools.living import DEADLINE, LivingLibrary, living
from tests.tools.private import beside, limited
from tests.tools.waiting import until

FAST = PoolSettings(timeout=0.5)


@pytest.fixture
def library(tmp_path: Path, catalogue: Catalogue) -> Iterator[LivingLibrary]:
    """A repository that a worker looks after."""
    library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.05)
    with living(library):
        yield library


def write(library: LivingLibrary, path: str, content: str = "x") -> Path:
    file = library.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def recorded(library: LivingLibrary) -> bool:
    """Whether the catalogue is true."""
    return {path: stat[:4] for path, stat in library.records().items()} == disk(library.root)


def dirty(library: LivingLibrary) -> str | None:
    """The durable mark that something may have been missed."""
    reason: str | None
    [(reason,)] = library.query("SELECT dirty_reason FROM repositories WHERE name = %s", library.terms.rules.name)
    return reason


@contextmanager
def passes_held_up(database: str) -> Iterator[None]:
    """While the block lasts, no pass can begin: it would write a line in the journal."""
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE sync_operations IN EXCLUSIVE MODE")
        yield
        connection.rollback()


# 9. Nothing is lost quietly -----------------------------------------------------------------------------------------


def overflow(library: LivingLibrary, lost: Callable[[], object]) -> None:
    """Do something when the kernel's queue is full, so that no event tells of it."""
    watcher = library.watcher
    queue = "fanotify" if isinstance(watcher, FanotifyEmitter) else "inotify"
    most = int(Path(f"/proc/sys/fs/{queue}/max_queued_events").read_text())
    with watcher._lock:  # nobody reads the queue
        for number in range(most + 10):  # none of which can be merged with another
            (library.root / f"flood {number}").touch()
        lost()
    until(lambda: watcher.stats().overflows)


@pytest.fixture
def watched(emitter: type[InotifyEmitter], tmp_path: Path, catalogue: Catalogue) -> Iterator[LivingLibrary]:
    """A repository whose changes are heard of by inotify, and by fanotify.

    Looked at late enough for a full queue to be read to its end before.
    """
    way = "fanotify" if emitter is FanotifyEmitter else "inotify"
    library = LivingLibrary(tmp_path / "watched", catalogue, tmp_path / "cookies", watch=way, debounce=2.0)
    with living(library):
        yield library


def test_promise_9_an_overflow_leaves_a_durable_mark_and_repairs_itself(watched: LivingLibrary, database: str) -> None:
    write(watched, "d/f")
    watched.sync()
    assert dirty(watched) is None
    before = watched.watcher
    with passes_held_up(database):
        overflow(watched, lambda: write(watched, "d/lost"))
        until(lambda: dirty(watched) == "events were lost")
    until(lambda: dirty(watched) is None)
    assert recorded(watched)
    write(watched, "d/afterwards")
    watched.sync()
    assert recorded(watched)
    assert watched.watcher is before
    passes = watched.query("SELECT trigger, status FROM sync_operations WHERE operation_type = 'reconciliation'")
    assert set(passes) == {("overflow", "completed")}
    # Others fill fanotify's queue as well, or keep the kernel from telling where an event comes from: all who write on
    # the same file system.
    assert len(passes) == 1 or isinstance(before, FanotifyEmitter)


def test_promise_9_a_barrier_behind_an_overflow_waits_for_the_repair(watched: LivingLibrary) -> None:
    write(watched, "d/f")
    watched.sync()
    overflow(watched, lambda: write(watched, "d/lost"))
    watched.sync()
    assert "d/lost" in watched.records()


def hold_up_events(library: LivingLibrary, then: Callable[[Any], None] = lambda _: None) -> Callable[[], bool]:
    """Keep a barrier's event from being read. What is returned lets it be read when it is called twice, after ``then``.

    Nothing else is kept: the watch is locked meanwhile, and no barrier could be placed.
    """
    watcher = library.watcher
    absorb, calls, read_on = watcher._coalescer.absorb, [], threading.Event()

    def absorb_later(buffer: bytes) -> None:
        assert b"cookie-" not in buffer or read_on.wait(DEADLINE)
        absorb(buffer)

    def again() -> bool:
        calls.append(1)
        if len(calls) == 2:
            then(watcher)
            read_on.set()
        return False

    watcher._coalescer.absorb = absorb_later
    return again


def asked(library: LivingLibrary) -> int:
    """How often everything was looked at because somebody asked."""
    ((number,),) = library.query("SELECT count(*) FROM sync_operations WHERE trigger = 'manual'")
    return int(number)


def test_promise_10_a_barrier_is_waited_for_until_it_comes_through(library: LivingLibrary) -> None:
    (library.root / "d").mkdir()
    library.sync()
    given_up = hold_up_events(library)
    library.worker.sync(DEADLINE / 4, given_up)
    write(library, "d/f")
    library.sync()
    assert recorded(library)
    assert asked(library) == 0


def test_promise_10_where_the_watch_ends_under_a_barrier_the_disk_is_asked(library: LivingLibrary) -> None:
    given_up = hold_up_events(library, lambda watcher: watcher._cookies.close())  # as it is when a watch is stopped
    library.worker.sync(DEADLINE / 4, given_up)
    assert asked(library) == 1


def test_promise_12_whoever_is_stopped_before_he_could_begin_lets_go_of_the_lease(library: LivingLibrary) -> None:
    library.stop()
    library.query("ALTER TABLE sync_operations RENAME TO elsewhere")
    try:
        library.start_at_once()
        until(lambda: library.worker.phase is Phase.TROUBLED)
        assert library.query("SELECT lease_owner FROM repositories") == [(library.terms.owner,)]
        library.stop()
    finally:
        library.query("ALTER TABLE elsewhere RENAME TO sync_operations")
    assert library.query("SELECT lease_owner FROM repositories") == [(None,)]


def _too_few_watches(scratch: str, database: str) -> None:
    Path("/proc/sys/user/max_inotify_watches").write_text("10")
    with Catalogue(from_elsewhere(database)) as catalogue:
        library = LivingLibrary(Path(scratch) / "library", catalogue, Path(scratch) / "cookies", debounce=0.05)
        library.terms = replace(library.terms, watch=replace(library.terms.watch, poll_interval=0.3))
        for number in range(30):
            write(library, f"{number:02}/f")
        with living(library):
            assert library.worker.upkeep is not None
            watching = library.worker.upkeep.watching
            assert watching is not None
            stats = watching.stats()
            assert stats is not None
            assert stats.uncovered >= 31 - 10
            assert watching.polls
            write(library, "29/unwatched")
            library.sync()  # the barrier knows that the watch does not tell everything
            assert recorded(library)
            write(library, "28/unwatched")
            until(lambda: recorded(library))  # nobody asks for it
            Path("/proc/sys/user/max_inotify_watches").write_text("1000")
            library.look()
            stats = watching.stats()
            assert stats is not None
            assert stats.uncovered == 0
            assert not watching.polls


def test_promise_9_directories_beyond_the_watch_limit_are_polled_and_watched_later(
    tmp_path: Path, database: str
) -> None:
    limited(_too_few_watches, tmp_path, database)


def _too_few_instances(scratch: str, database: str) -> None:
    Path("/proc/sys/user/max_inotify_instances").write_text("0")
    with Catalogue(from_elsewhere(database)) as catalogue:
        library = LivingLibrary(Path(scratch) / "library", catalogue, Path(scratch) / "cookies", debounce=0.05)
        library.terms = replace(library.terms, watch=replace(library.terms.watch, poll_interval=0.3))
        with living(library):
            upkeep = library.worker.upkeep
            assert upkeep is not None
            assert upkeep.watching is not None
            assert "max_inotify_instances" in upkeep.watching.decision.reason
            assert upkeep.watching.polls
            write(library, "unwatched")
            until(lambda: recorded(library))  # nobody asks for it
            Path("/proc/sys/user/max_inotify_instances").write_text("100")
            until(lambda: upkeep.watching is not None and not upkeep.watching.polls)
            library.look()
            write(library, "watched")
            until(lambda: recorded(library))


def test_promise_9_without_an_inotify_instance_it_polls_until_there_is_one(tmp_path: Path, database: str) -> None:
    limited(_too_few_instances, tmp_path, database)


def test_promise_9_a_watch_that_breaks_down_is_set_up_again(library: LivingLibrary) -> None:
    broken = library.watcher

    def fail(_: bytes) -> None:
        raise OSError("nothing works")

    broken._coalescer.absorb = fail
    write(library, "d/f")

    def is_set_up_again() -> bool:
        watching = library.worker.upkeep.watching if library.worker.upkeep else None
        return watching is not None and library.watcher not in {None, broken} and watching.complete

    until(is_set_up_again)
    assert recorded(library)
    write(library, "d/g")
    library.sync()
    assert recorded(library)


@contextmanager
def outage(server: str, database: str) -> Iterator[None]:
    """A database that ends every connection and takes no new one while the block lasts."""
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(server, autocommit=True) as connection:
        identifier = sql.Identifier(str(name))
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(identifier))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(identifier))


def test_promise_9_an_outage_of_the_database_is_survived_and_made_up_for(
    tmp_path: Path, server: str, database: str
) -> None:
    with Catalogue(database, FAST) as catalogue:
        library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.05)
        for number in range(20):
            write(library, f"d{number % 5}/f{number}")
        with living(library):
            with outage(server, database):
                (library.root / "d0").rename(library.root / "moved")
                shutil.rmtree(library.root / "d1")
                for number in range(5_000):
                    write(library, f"d2/new-{number}")
                until(lambda: library.worker.phase is Phase.WAITING)
                assert "database" in library.worker.why
                # However long it lasts: many changes in a directory are one mark.
                until(lambda: 0 < len(library.worker.dirty_set) < 100)
            until(lambda: library.worker.phase is Phase.WATCHING and dirty(library) is None)
            assert recorded(library)
            write(library, "d2/afterwards")
            library.sync()
            library.check()
            reasons = library.query("SELECT error_message FROM sync_operations WHERE status NOT IN ('completed')")
            assert reasons == []


# 10. Barrier --------------------------------------------------------------------------------------------------------


def test_promise_10_every_change_before_the_call_is_committed(library: LivingLibrary) -> None:
    for turn in range(15):
        write(library, f"d{turn % 3}/f{turn}", "x" * turn)
        if turn % 4 == 1:
            (library.root / f"d{turn % 3}").rename(library.root / f"e{turn}")
        if turn % 5 == 2:
            shutil.rmtree(library.root / f"d{turn % 3}")
        library.sync()
        assert recorded(library)


def test_promise_10_a_barrier_holds_while_others_go_on_writing(library: LivingLibrary) -> None:
    stop = threading.Event()

    def noise() -> None:
        number = 0
        while not stop.is_set():
            write(library, f"noise/{number % 50}", str(number))
            number += 1

    writer = threading.Thread(target=noise)
    writer.start()
    try:
        for turn in range(10):
            write(library, f"d/f{turn}")
            library.sync()
            assert f"d/f{turn}" in library.records()
    finally:
        stop.set()
        writer.join()
    library.sync()
    assert recorded(library)


def test_promise_10_a_barrier_that_cannot_be_says_so(library: LivingLibrary, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE directories, files IN ACCESS EXCLUSIVE MODE")
        write(library, "d/f")
        with pytest.raises(TimeoutError):
            library.worker.sync(0.3)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            library.worker.sync(DEADLINE, given_up=lambda: True)  # who asked has gone away
        assert time.monotonic() < began + DEADLINE / 2
        connection.rollback()
    library.sync()
    library.root.rename(library.root.parent / "away")
    until(lambda: library.worker.phase is Phase.OFFLINE)
    with pytest.raises(CensusError, match="there is nothing at this path"):
        library.worker.sync(1.0)
    (library.root.parent / "away").rename(library.root)
    until(lambda: library.worker.phase is Phase.WATCHING)
    write(library, "d/g")
    library.sync()
    assert recorded(library)


# 12. One owner ------------------------------------------------------------------------------------------------------


def standby(library: LivingLibrary, cookies: Path) -> LivingLibrary:
    """Another daemon with the same configuration."""
    other = LivingLibrary(library.root, library.catalogue, cookies, debounce=0.05, lease_ttl=1.0)
    other.terms = replace(other.terms, owner=f"elsewhere-{other.terms.owner}")
    return other


def test_promise_12_a_second_daemon_waits_and_takes_over_after_the_first(
    library: LivingLibrary, tmp_path: Path
) -> None:
    write(library, "d/f")
    library.sync()
    other = standby(library, tmp_path / "other-cookies")
    other.start_at_once()
    try:
        until(lambda: other.worker.phase is Phase.STANDBY)
        assert f"process {os.getpid()}" in other.worker.why
        with pytest.raises(CensusError, match="standby"):
            other.worker.sync(1.0)
        # Nor is anything that was asked for before left to wait for what may never be.
        with pytest.raises(CensusError, match="standby"):
            other.worker.submit(Request(Kind.FLUSH, Trigger.MANUAL)).wait(DEADLINE)
        write(library, "d/g")
        library.sync()  # the first goes on as before
        library.stop()
        write(library, "d/while-nobody-looked")
        until(lambda: other.worker.phase is Phase.WATCHING)
        assert recorded(other)
        write(library, "d/h")
        other.sync()
        assert recorded(other)
    finally:
        other.stop()


def _be_owner(scratch: str, database: str) -> None:
    with Catalogue(database) as catalogue:
        library = LivingLibrary(Path(scratch) / "library", catalogue, Path(scratch) / "their-cookies", debounce=0.05)
        library.start()
        sys.stdout.write("owner\n")
        sys.stdout.flush()
        sys.stdin.read()


def test_promise_12_a_daemon_that_was_killed_is_replaced_at_once(
    tmp_path: Path, catalogue: Catalogue, database: str
) -> None:
    library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.05)
    write(library, "d/f")
    with beside(_be_owner, tmp_path, database) as owner:
        [(token, running)] = library.query("SELECT lease_token, lease_owner FROM repositories")
        assert str(owner.pid) in running
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        write(library, "d/g")
        with living(library):  # long before the lease of 30 seconds has run out
            assert recorded(library)
            [(later, now)] = library.query("SELECT lease_token, lease_owner FROM repositories")
            assert later == token + 1
            assert str(os.getpid()) in now


def test_promise_12_who_has_lost_the_lease_writes_nothing(
    tmp_path: Path, catalogue: Catalogue, make_library: Callable[..., Library]
) -> None:
    stale = make_library(tmp_path / "library")
    stale.write("d/f")
    stale.write("d/gone")
    stale.reconcile()
    fresh = take(catalogue, stale.root)
    assert fresh.repository.lease.token == stale.repository.lease.token + 1
    stale.write("d/new")
    (stale.root / "d/gone").unlink()
    before = fresh.rows(), fresh.query("SELECT * FROM sync_operations"), fresh.query("SELECT * FROM repositories")
    for scope in (Scope.whole(), Scope(names={"d": {"new": True, "gone": False}})):
        with pytest.raises(LeaseLostError):
            stale.reconcile(scope, Trigger.REALTIME if scope.names else Trigger.MANUAL)
    assert (
        fresh.rows(),
        fresh.query("SELECT * FROM sync_operations"),
        fresh.query("SELECT * FROM repositories"),
    ) == before
    fresh.reconcile()
    assert fresh.records() == disk(stale.root)


def test_promise_12_a_worker_that_has_lost_the_lease_lets_go(tmp_path: Path, catalogue: Catalogue) -> None:
    library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.05, lease_ttl=1.0)
    with living(library):
        write(library, "d/f")
        library.sync()
        library.query("UPDATE repositories SET lease_owner = 'somebody/1/x/x/1', lease_token = lease_token + 1")
        write(library, "d/g")
        until(lambda: library.worker.phase is Phase.STANDBY)
        assert "d/g" not in library.records()
        library.query("UPDATE repositories SET lease_owner = NULL, lease_expires_at = NULL")
        until(lambda: library.worker.phase is Phase.WATCHING)
        assert recorded(library)
