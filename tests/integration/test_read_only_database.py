"""A database that takes no writes for a while, as a standby does before it is promoted, is waited for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.tools.daemon import DaemonProcess
from tests.tools.own_server import OwnServer
from tests.tools.waiting import until

READ_ONLY = "STATUS=waiting for the database: the database takes no writes now"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for sockets, that others may pass through."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def daemon(place: Path, server: OwnServer) -> DaemonProcess:
    """A daemon over a tree of one file."""
    root, own = place / "tree", place / "daemon"
    for directory in (root, own):
        directory.mkdir()
    (root / "one").touch()
    return DaemonProcess(own, server.conninfo, f'[[repository]]\nname = "tree"\npath = "{root}"\n')


def execute(server: OwnServer, *statements: str) -> None:
    """Execute statements that take no transaction, whatever the server's default is."""
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(server.conninfo, autocommit=True, options=options) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_standby_is_waited_for_until_it_is_promoted(place: Path) -> None:
    for name in ("primary", "standby"):
        (place / name).mkdir()
    with (
        OwnServer(place / "primary") as primary,
        OwnServer(place / "standby", primary=primary) as standby,
    ):
        process = daemon(place, standby)
        process.start_at_once()
        try:
            assert process.notifications is not None
            process.notifications.wait_for(lambda message: message.startswith(READ_ONLY))
            execute(standby, "SELECT pg_promote()")
            until(lambda: process.records("tree").keys() == {"one"}, process.log_text)
        finally:
            process.stop()


def test_a_database_that_takes_no_writes_for_a_while(place: Path) -> None:
    (place / "server").mkdir()
    with OwnServer(place / "server") as server, daemon(place, server) as process:
        process.sync("tree")
        execute(server, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        (place / "tree/two").touch()
        until(lambda: "waiting for the database" in process.log_text(), process.log_text)
        execute(server, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        process.sync("tree")
        assert process.records("tree").keys() == {"one", "two"}
        assert "refused" not in process.log_text()
        process.stop()
