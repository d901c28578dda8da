"""A PostgreSQL of a test's own, to be ill-treated: on a small disk, or with another idea of the time."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg.conninfo import make_conninfo

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded_binaries import locate_binaries, readable_binaries
from censusd.catalogue.embedded_user import choose_user
from tests.tools.waiting import until

_PORT: Final = 5432
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "shared_buffers": "8MB",
    "min_wal_size": "4MB",
    "max_wal_size": "8MB",
    "restart_after_crash": "on",
}


class OwnServer:
    """Runs from ``with`` to the end of it, with an empty catalogue.

    Args:
        directory: an existing one for everything; others may pass through the directories above it.
        environment: what is added to the server's environment.
        primary: a running one whose catalogue this one has as well, as its hot standby.

    Attributes:
        conninfo: how to reach the catalogue.
        data: the data directory.
        log: what the server says.
        process: the server, once it was started.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str] | None = None, *, primary: OwnServer | None = None
    ) -> None:
        self._environment = {"LC_ALL": "C", "PATH": os.environ["PATH"], **(environment or {})}
        self.data = directory / "data"
        self.log = directory / "log"
        self.conninfo = make_conninfo("", host=os.fspath(directory), port=_PORT, user="postgres", dbname="postgres")
        user = choose_user(directory, self.data, None)
        self._programs = readable_binaries(locate_binaries(), user).directory
        self._user = user.name if user.is_another else None
        self._directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self._is_standby = primary is not None
        if self._user:
            os.chown(directory, pwd.getpwnam(self._user).pw_uid, -1)
        how: tuple[str, ...]
        if primary is None:
            how = ("-U", "postgres", "--auth=trust", "--no-sync", "--wal-segsize=1", "--encoding=UTF8", "--locale=C")
            self._make("initdb", "-D", self.data, *how)
        else:
            how = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync")
            self._make("pg_basebackup", "-D", self.data, "-d", primary.conninfo, *how)

    def _make(self, program: str, *arguments: str | Path) -> None:
        """Have one of PostgreSQL's programs make the data directory."""
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            cwd="/",
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {**_SETTINGS, "unix_socket_directories": os.fspath(self._directory)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self.data),
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                env=self._environment,
                cwd="/",
            )
        until(self.answers, self.last_words)

    def answers(self) -> bool:
        """Whether a connection can be had."""
        try:
            psycopg.connect(self.conninfo, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def restart_if_ended(self) -> bool:
        """Start it again if it has given up. Says whether it had."""
        assert self.process is not None
        ended = self.process.poll() is not None
        if ended:
            self.start()
        until(self.answers, self.last_words)
        return ended

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def __enter__(self) -> Self:
        self.start()
        if not self._is_standby:
            with Catalogue(self.conninfo) as catalogue:
                migrations.migrate(catalogue)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
