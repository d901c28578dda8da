"""The pool, transactions, and the one place where the driver's errors become the project's own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakSet

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from censusd.errors import CatalogueError, CatalogueUnavailableError

Cursor = psycopg.Cursor[tuple[Any, ...]]
"""A binary cursor in an open transaction."""

_LONGEST_REASON: Final = 300
_UNAVAILABLE_CLASSES: Final = ("08", "53", "57", "58", "25P03")
_READ_ONLY: Final = "25006"


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How connections are made and kept.

    Attributes:
        smallest: connections kept open.
        largest: the most connections open at once.
        timeout: seconds to wait for a connection.
        statement_timeout: seconds after which the server gives a statement up.
        idle_timeout: seconds after which the server gives a transaction up in which nothing is asked of it. What an
            owner has locked that was put to sleep would otherwise be locked for as long as it sleeps.
    """

    smallest: int = 1
    largest: int = 8
    timeout: float = 10.0
    statement_timeout: float = 300.0
    idle_timeout: float = 120.0


class Catalogue:
    """The database, as the rest of the program may use it.

    Args:
        conninfo: a libpq connection string or URI.
        settings: how connections are made and kept.
        on_error: told the SQLSTATE (or a class name) of each error, for the metrics.
    """

    def __init__(
        self, conninfo: str, settings: PoolSettings | None = None, on_error: Callable[[str], None] = lambda _: None
    ) -> None:
        settings = settings or PoolSettings()
        self._on_error = on_error
        self._attempts = _Attempts()
        self._pool = ConnectionPool(
            conninfo,
            connection_class=_connection_class(self._attempts),
            min_size=settings.smallest,
            max_size=settings.largest,
            timeout=settings.timeout,
            # Waiters beyond the pool are other threads of this process; there are few, but a bound costs nothing.
            max_waiting=64,
            # A connection that died while it lay in the pool must not cost a piece of work.
            check=ConnectionPool.check_connection,
            # For so long the pool tries, ever more slowly; after that it begins anew, at once, when the next one asks.
            # A longer time would keep everybody waiting when the database is back after an outage.
            reconnect_timeout=settings.timeout,
            name="catalogue",
            open=False,
            kwargs={
                "application_name": "censusd",
                "connect_timeout": max(2, round(settings.timeout)),
                # Whose host vanishes is given up after a minute: by who has sent something, and by who waits for an
                # answer, who sends nothing but these.
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "tcp_user_timeout": 60_000,
                "options": f"-c statement_timeout={round(settings.statement_timeout * 1000)}"
                f" -c idle_in_transaction_session_timeout={round(settings.idle_timeout * 1000)} -c timezone=UTC",
            },
        )

    def open(self) -> None:
        """Start the pool. Does not wait for the database: it may come up later than the daemon."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection. May be called twice."""
        self._pool.close(timeout=5.0)

    def break_off(self) -> None:
        """Release whoever waits for the database, in whichever thread, and let nobody wait for it again.

        For the end of a process whose database does not answer: nothing else ends a wait for an answer.
        """
        self._pool.close(timeout=0.0)
        for connection in self._attempts.connections():
            # By a descriptor of its own, because the connection closes the other one.
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    def resize(self, settings: PoolSettings) -> None:
        """Keep another number of connections from now on."""
        self._pool.resize(settings.smallest, settings.largest)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            CatalogueUnavailableError: the database cannot be reached or broke off. Whether a commit that was under way
                took effect is then unknown: whoever retries must look at the disk and the catalogue again.
            CatalogueError: the database refused a statement.
        """
        with self._translated(), self._writable() as connection, connection.cursor(binary=True) as cursor:
            yield cursor

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """One connection without a transaction of its own, for what must not run inside one.

        Raises:
            CatalogueError: as for ``transaction``.
        """
        with self._translated(), self._writable() as connection:
            connection.autocommit = True
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.autocommit = False

    def statistics(self) -> dict[str, int]:
        """The pool's own counters, by the names that psycopg_pool documents."""
        return self._pool.get_stats()

    @contextmanager
    def _writable(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection; not used again if its server takes no writes, because the next may lead to one that does."""
        with self._pool.connection() as connection:
            try:
                yield connection
            except psycopg.errors.ReadOnlySqlTransaction:
                connection.close()
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (PoolTimeout, PoolClosed) as error:
            self._on_error(type(error).__name__)
            why = f": {self._attempts.failure}" if self._attempts.failure else ""
            raise CatalogueUnavailableError(f"no connection to the database could be had in time{why}") from error
        except psycopg.Error as error:
            self._on_error(error.sqlstate or type(error).__name__)
            raise _translate(error) from error


class _Attempts:
    """The last attempt to connect, and the connections that came of all of them.

    Attributes:
        failure: why it failed, which the pool keeps to itself; empty if it did not.
    """

    def __init__(self) -> None:
        self.failure = ""
        self._lock = threading.Lock()
        self._made: WeakSet[psycopg.Connection[tuple[Any, ...]]] = WeakSet()

    def succeeded(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """There is a connection."""
        self.failure = ""
        with self._lock:
            self._made.add(connection)

    def connections(self) -> list[psycopg.Connection[tuple[Any, ...]]]:
        """Those that there still are."""
        with self._lock:
            return list(self._made)


def _connection_class(attempts: _Attempts) -> type[psycopg.Connection[tuple[Any, ...]]]:
    """Connections that note how connecting went."""

    class Connection(psycopg.Connection[tuple[Any, ...]]):
        @classmethod
        def connect(cls, conninfo: str = "", **options: Any) -> Self:
            try:
                connection = super().connect(conninfo, **options)
            except psycopg.OperationalError as error:
                attempts.failure = _reason(error)
                raise
            attempts.succeeded(connection)
            return connection

    return Connection


def _reason(error: psycopg.OperationalError) -> str:
    """What libpq or the server says of a failed attempt, in one line. Neither ever quotes the password."""
    # Several addresses are told one by one after the last one of them.
    text = str(error).partition("\nMultiple connection attempts failed")[0]
    lines = [line.strip() for line in text.splitlines()]
    told = "; ".join(line for line in lines if line and not line.startswith("Is the server running"))
    return told.removeprefix("connection failed: ").removeprefix("connection is bad: ")[:_LONGEST_REASON]


def _translate(error: psycopg.Error) -> CatalogueError:
    # The primary message names tables and constraints; the detail would quote the values, which may be private.
    message = error.diag.message_primary or type(error).__name__
    state = error.sqlstate or ""
    if state == _READ_ONLY:
        # As a database that is away: a server that recovers, or a standby, will be or lead to one that takes writes.
        return CatalogueUnavailableError(
            f"the database takes no writes now: {message} (it is a standby, or default_transaction_read_only is on)"
        )
    if state.startswith(_UNAVAILABLE_CLASSES) or (
        not state and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    ):
        return CatalogueUnavailableError(f"the database is not available: {message}")
    return CatalogueError(f"the database refused a statement: {message} (SQLSTATE {state or 'unknown'})")
