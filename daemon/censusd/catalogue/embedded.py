"""A private PostgreSQL for people who have none.

Every user of the server, a process or a part of one, holds an ``EmbeddedServer``: a shared flock that the kernel counts
and gives up when the user dies, however that happens. The first one to come makes the cluster if need be and starts the
server through a keeper process (see ``censusd.catalogue.keeper``); when the last one is gone, the keeper stops it. When
the keeper is killed, the kernel tells PostgreSQL to shut down. So there is never an orphan, and never a second server.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg.conninfo import make_conninfo

from censusd.catalogue import keeper
from censusd.catalogue.embedded_binaries import Binaries, locate_binaries, readable_binaries
from censusd.catalogue.embedded_cluster import (
    ADMINISTRATOR,
    DATABASE,
    PORT,
    Cluster,
    check_settings,
    check_version,
    create_cluster,
    remove_stale_pid_files,
    write_configuration,
)
from censusd.catalogue.embedded_launch import Launch, is_free, open_lock, try_flock, try_lock
from censusd.catalogue.embedded_user import choose_user, make_directories
from censusd.errors import EmbeddedServerError

START_TIMEOUT: Final = 60.0
"""Seconds without any sign of progress after which a start has failed."""

RECOVERY_TIMEOUT: Final = 900.0
"""Seconds in all, for as long as PostgreSQL says it is recovering from a crash, or a cluster is being made."""

STOP_TIMEOUT: Final = keeper.FAST_STOP + 15.0
"""Seconds to wait for a server that is stopping."""

_POLL: Final = 0.01
"""Seconds between two looks."""

Waiting = Callable[[str], None]
"""Called a few times a second, with what is waited for; whatever it raises ends the wait."""

_LONGEST_SOCKET: Final = 107
"""Bytes that a Unix socket's path may have (``sun_path`` in <linux/un.h>, less the final NUL)."""


def default_data_directory(environ: Mapping[str, str], euid: int) -> Path:
    """Where the private PostgreSQL lives unless the configuration says otherwise.

    Args:
        environ: the environment; systemd's STATE_DIRECTORY comes first (see systemd.exec(5)).
        euid: the user to ask for: /var/lib/censusd is root's; everybody else's is below XDG_STATE_HOME.

    Raises:
        EmbeddedServerError: the user has no home directory.
    """
    if state := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(state)
    if euid == 0:
        return Path("/var/lib/censusd")
    state = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # the specification says that relative ones are invalid
        return Path(state, "censusd")
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        try:
            home = pwd.getpwuid(euid).pw_dir
        except KeyError:
            raise EmbeddedServerError(
                "There is no home directory to keep the catalogue in; set HOME, XDG_STATE_HOME or the directory in the "
                "configuration."
            ) from None
    return Path(home, ".local", "state", "censusd")


class EmbeddedServer:
    """One user's hold on the private PostgreSQL of a state directory; made by ``EmbeddedServer.start``.

    Its methods may be called from any thread. A process forked while it is held keeps the server running, too; children
    made with exec (``subprocess``, multiprocessing's ``spawn`` and ``forkserver``) do not.

    Attributes:
        conninfo: libpq connection string of the database ``censusd`` for the role ``censusd``, which owns it and may
            create others. It does not change while this object is held, whoever starts the server again.
        cluster: where everything lies, and who the server runs as.
        binaries: the PostgreSQL that runs, or would run if it had to be started now.
    """

    def __init__(self, cluster: Cluster, binaries: Binaries, settings: Mapping[str, str]) -> None:
        self.cluster = cluster
        self.binaries = binaries
        self._settings = dict(settings)
        self._mutex = threading.Lock()
        self._closing = False
        self._process = os.getpid()
        self._users_lock = -1
        self._directory = -1
        self._refusal = ""
        self.conninfo = ""

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        user: str | None = None,
        settings: Mapping[str, str] | None = None,
        waiting: Waiting = lambda _: None,
    ) -> Self:
        """Hold the server of ``directory``: make it, start it or join it, whatever it takes.

        Warm, with the cluster made, that takes about 0.1 s; cold less than 1 s; after a crash as long as recovery
        takes. Any number of threads and processes may do so at the same time.

        Args:
            directory: the state directory; made if it is missing.
            user: who PostgreSQL runs as if this is root; default: the directory's owner, or ``nobody`` if that is root.
            settings: settings of PostgreSQL that differ from the defaults. They count when this call starts the
                server; one that runs keeps its own.
            waiting: called while it is waited for.

        Raises:
            EmbeddedServerError: it cannot be; the text says what is in the way, with PostgreSQL's last words.
        """
        directory = Path(os.path.abspath(directory))
        settings = settings or {}
        check_settings(settings)
        binaries = locate_binaries()
        try:
            chosen = choose_user(directory, directory / "postgresql" / str(binaries.major), user)
            cluster = Cluster(directory, binaries.major, chosen)
            check_version(cluster, binaries)
            make_directories(cluster.home)
            server = cls(cluster, binaries, settings)
            server._join(waiting)
        except OSError as error:
            raise _cannot_be_kept(directory, error) from error
        try:
            server.ensure_running(waiting)
        except BaseException:
            server.close()
            raise
        return server

    def ensure_running(self, waiting: Waiting = lambda _: None) -> None:
        """See that the server answers; start it again if it has died, by itself or with its keeper.

        Cheap while all is well (one connection, some 5 ms), so it is what to call when the database is unavailable,
        before trying again. Waits while recovery goes on.

        Args:
            waiting: called meanwhile.

        Raises:
            EmbeddedServerError: it does not start, or this hold has been closed, before or meanwhile.
        """
        with self._mutex:
            limit = time.monotonic() + RECOVERY_TIMEOUT
            deadline = time.monotonic() + START_TIMEOUT
            launch: Launch | None = None
            try:
                while True:
                    if self._closing:
                        raise EmbeddedServerError("This hold on the private PostgreSQL has been closed.")
                    if self._answers():
                        return
                    is_under_way = not self.cluster.path.exists() or self.cluster.state() == "starting"
                    if launch is None:
                        launch = self._launch()
                        is_under_way |= launch is not None
                    elif launch.has_ended():
                        raise self._failure("did not start", launch.output)
                    if is_under_way:
                        deadline = min(time.monotonic() + START_TIMEOUT, limit)
                    if time.monotonic() > deadline:
                        raise self._failure("does not answer", self._refusal)
                    waiting("the private PostgreSQL is starting; after a crash it recovers first")
                    time.sleep(_POLL)
            finally:
                if launch is not None:
                    launch.close()

    def close(self) -> None:
        """Let go. If nobody else uses the server, wait until it has stopped. May be called twice.

        Connections should be closed before: a server that stops breaks them off.
        """
        if os.getpid() != self._process:
            return  # a forked child must not unlock what its parent holds
        self._closing = True
        with self._mutex:
            lock, self._users_lock = self._users_lock, -1
            directory, self._directory = self._directory, -1
        try:
            if lock >= 0:
                self._leave(lock)
        finally:
            for descriptor in (lock, directory):
                if descriptor >= 0:
                    os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _join(self, waiting: Waiting) -> None:
        """Become one of the users. A server that is just stopping for want of users is waited for."""
        deadline = time.monotonic() + STOP_TIMEOUT
        lock = open_lock(self.cluster.users_lock)
        try:
            while not try_flock(lock, fcntl.LOCK_SH):
                if time.monotonic() > deadline:
                    raise self._failure("has been stopping for too long", "")
                waiting("the private PostgreSQL is still stopping, and is started again then")
                time.sleep(_POLL)
        except BaseException:
            os.close(lock)
            raise
        self._users_lock = lock

    def _leave(self, lock: int) -> None:
        """Give the users' lock up, and wait for the end of the server if nobody else holds it."""
        deadline = time.monotonic() + STOP_TIMEOUT
        while time.monotonic() < deadline:
            # If others use the server, a shared lock is to be had, and an exclusive one is not. Before the keeper has
            # noticed that nobody does, both are; while it stops the server, neither.
            is_shared = not try_flock(lock, fcntl.LOCK_EX) and try_flock(lock, fcntl.LOCK_SH)
            fcntl.flock(lock, fcntl.LOCK_UN)
            if is_shared or is_free(self.cluster.server_lock):
                return
            time.sleep(_POLL)

    def _answers(self) -> bool:
        """Whether a real connection can be made; makes role and database if they are missing."""
        if self.cluster.state() != "ready":
            return False
        try:
            with psycopg.connect(
                self._address(dbname="postgres", user=ADMINISTRATOR, connect_timeout="5"), autocommit=True
            ) as connection:
                _create_database(connection)
        except psycopg.OperationalError as error:
            self._refusal = f"It says: {error}"
            return False
        except psycopg.Error as error:
            raise self._failure("cannot make the catalogue's database", f"It says: {error}") from error
        self.conninfo = self._address(dbname=DATABASE, user=DATABASE)
        return True

    def _address(self, **more: str) -> str:
        """How to reach the server's socket, quoted for libpq.

        libpq separates several hosts by commas, takes UTF-8 only, and the kernel limits the length; where the path
        does not fit, a descriptor of the directory does. ``requirepeer`` makes libpq check who listens there.
        """
        host = os.fspath(self.cluster.path)
        try:
            fits = len(f"{host}/.s.PGSQL.{PORT}".encode()) <= _LONGEST_SOCKET and "," not in host
        except UnicodeEncodeError:
            fits = False
        if not fits:
            if self._directory < 0:
                self._directory = os.open(self.cluster.path, os.O_PATH | os.O_DIRECTORY)
            host = f"/proc/{os.getpid()}/fd/{self._directory}"
        return make_conninfo("", host=host, port=PORT, requirepeer=self.cluster.user.name, **more)

    def _launch(self) -> Launch | None:
        """Start the server unless somebody does or has: make the cluster if need be, configure it, run the keeper."""
        try:
            server_lock = try_lock(self.cluster.server_lock)
            if server_lock is None:
                return None
            try:
                binaries = readable_binaries(self.binaries, self.cluster.user)
                create_cluster(self.cluster, binaries, self._settings, server_lock)
                write_configuration(self.cluster, self._settings)
                remove_stale_pid_files(self.cluster)
                return Launch(self.cluster, binaries, server_lock)
            finally:
                os.close(server_lock)  # without unlocking it: it is the keeper's now
        except OSError as error:
            raise _cannot_be_kept(self.cluster.directory, error) from error

    def _failure(self, what: str, output: str) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"The private PostgreSQL {self.binaries.version} in {self.cluster.path} {what}. {output}\n"
            f"Its log is {self.cluster.log}."
        )


def _cannot_be_kept(directory: Path, error: OSError) -> EmbeddedServerError:
    return EmbeddedServerError(f"The private PostgreSQL cannot be kept in {directory}: {error}")


def _create_database(connection: psycopg.Connection[Any]) -> None:
    """Make the catalogue's role and its empty database if they are missing; whoever comes first does it."""
    missing = "SELECT to_regrole('censusd') IS NULL, NOT EXISTS (SELECT FROM pg_database WHERE datname = 'censusd')"
    if connection.execute(missing).fetchone() == (False, False):
        return
    connection.execute("SELECT pg_advisory_lock(hashtext('censusd: create role and database'))")
    role_is_missing, database_is_missing = connection.execute(missing).fetchone() or (False, False)
    if role_is_missing:
        connection.execute("CREATE ROLE censusd LOGIN CREATEDB")
    if database_is_missing:
        connection.execute("CREATE DATABASE censusd OWNER censusd")
