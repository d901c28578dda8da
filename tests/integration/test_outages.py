"""The database goes away while files change: the worker goes on, and nothing is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from censusd.catalogue.connection import Catalogue, PoolSettings
from censusd.errors import CatalogueError, CatalogueUnavailableError, CensusError
from censusd.sync import reconciler
from censusd.sync.standing import Phase
from tests.tools.living import DEADLINE, LivingLibrary
from tests.tools.storm import Gate, Storm
from tests.tools.waiting import until

IMPATIENT = PoolSettings(smallest=1, largest=8, timeout=1.0)
BACKENDS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


class Database:
    """The means to take a database away, from a connection to another one."""

    def __init__(self, server: str, database: str) -> None:
        self._server = server
        self._name = str(conninfo_to_dict(database)["dbname"])

    def cut(self) -> int:
        """End every connection; how many there were."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            return connection.execute(BACKENDS, [self._name]).rowcount

    @contextmanager
    def away(self) -> Iterator[None]:
        """No connection, and no way to get one."""
        self._allow(False)
        self.cut()
        try:
            yield
        finally:
            self._allow(True)

    def _allow(self, allowed: bool) -> None:
        statement = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(self._name), sql.Literal(allowed)))


@pytest.fixture
def shaky(server: str, database: str) -> Database:
    return Database(server, database)


@pytest.fixture
def library(tmp_path: Path, database: str) -> Iterator[LivingLibrary]:
    """A tree whose worker gives the database up soon; not started."""
    with Catalogue(database, IMPATIENT) as catalogue:
        library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=0.01)
        (library.root / "anchor").touch()
        yield library
        library.stop()


@pytest.fixture
def halted(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LivingLibrary, Gate]]:
    """The same in the middle of its first pass, at a gate that lets it go on once it is opened."""
    monkeypatch.setattr(reconciler, "_DIRECTORIES_AT_ONCE", 1)
    gate = Gate()
    with Catalogue(database, IMPATIENT) as catalogue:
        library = LivingLibrary(tmp_path / "tree", catalogue, tmp_path / "cookies", debounce=0.01, beat=gate)
        for number in range(5):
            (library.root / f"d{number}").mkdir()
            (library.root / f"d{number}/f").touch()
        try:
            gate.close()
            library.start_at_once()
            while library.worker.phase is not Phase.SCANNING:
                gate.step()
            while not library.records():
                gate.step()
            yield library, gate
        finally:
            gate.open()
            library.stop()


def again(what: Callable[[], object]) -> None:
    """Do it until the database is there for it."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            what()
            return
        except CatalogueError:
            assert time.monotonic() < deadline


@pytest.mark.parametrize("seed", range(2))
def test_connections_that_break_off_at_any_moment(
    library: LivingLibrary, shaky: Database, tmp_path: Path, seed: int
) -> None:
    library.start()
    cut, pause = 0, threading.Event()
    with Storm(library.root, tmp_path / "outside", seed) as storm:
        for number in range(15):
            seen = storm.count
            if number % 4 == 0:
                threading.Thread(target=_try, args=(library.look,)).start()
            while storm.count < seen + 13:
                pause.wait(0.0007 * (number + 1))
            cut += shaky.cut()
    assert cut
    again(library.sync)
    again(library.sync)
    library.check()
    library.check_passes()
    ((dirty,),) = library.query("SELECT dirty_since FROM repositories")
    assert dirty is None


def test_a_database_that_is_away_for_a_while(library: LivingLibrary, shaky: Database, tmp_path: Path) -> None:
    library.start()
    with Storm(library.root, tmp_path / "outside", 7) as storm:
        with shaky.away():
            until(lambda: library.worker.phase is Phase.WAITING)
            seen = storm.count
            until(lambda: storm.count > seen + 100)
        until(lambda: library.worker.phase is Phase.WATCHING)
    again(library.sync)
    library.check()
    library.check_passes()


def test_a_database_that_goes_away_in_the_middle_of_a_pass(halted: tuple[LivingLibrary, Gate], shaky: Database) -> None:
    library, gate = halted
    with shaky.away():
        gate.open()
        until(lambda: library.worker.phase is Phase.WAITING)
    assert library.first_pass.wait(DEADLINE)
    library.sync()
    library.check()
    library.check_passes()
    statuses = library.query("SELECT status, error_message FROM sync_operations ORDER BY id LIMIT 1")
    assert statuses == [("failed", "interrupted: its daemon is gone, or lost the database")]


def _try(what: Callable[[], object]) -> None:
    with suppress(CensusError, TimeoutError):
        what()


def test_a_database_and_a_root_that_go_away_together(
    halted: tuple[LivingLibrary, Gate], shaky: Database, tmp_path: Path
) -> None:
    """The journal's row of the pass cannot be closed then, and must not stand in the way of the next one."""
    library, gate = halted
    elsewhere = tmp_path / "elsewhere"
    with shaky.away():
        library.root.rename(elsewhere)
        gate.open()
        until(lambda: library.worker.phase is Phase.OFFLINE)
    elsewhere.rename(library.root)
    assert library.first_pass.wait(DEADLINE), library.worker.why
    library.sync()
    library.check()


def test_who_waits_for_a_database_that_hangs_can_be_released(catalogue: Catalogue) -> None:
    waiting, failures = threading.Event(), list[Exception]()

    def wait() -> None:
        try:
            with catalogue.transaction() as cursor:
                waiting.set()
                cursor.execute("SELECT pg_sleep(600)")
        except CatalogueUnavailableError as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    catalogue.break_off()
    thread.join(DEADLINE)
    assert len(failures) == 1
    with pytest.raises(CatalogueUnavailableError), catalogue.transaction():
        pass
