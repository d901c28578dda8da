"""The schema, in numbered steps that are only ever added to and only ever run forward."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.resources import files
from typing import Final, LiteralString

from censusd.catalogue.connection import Catalogue, Cursor
from censusd.errors import SchemaError

_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_OLDEST_SERVER: Final = 150_000
# Any constant does, as long as nothing else in the database uses it: "census" in ASCII.
_LOCK: Final = 0x63656E737573


def available() -> dict[int, tuple[str, LiteralString]]:
    """Every step this version knows: number -> (name, statements)."""
    steps: dict[int, tuple[str, LiteralString]] = {}
    for file in (files(__package__) / "sql" / "migrations").iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            steps[int(match[1])] = (match[2], file.read_text(encoding="utf-8"))
    return dict(sorted(steps.items()))


def migrate(catalogue: Catalogue) -> list[int]:
    """Bring the schema up to date, each step in a transaction of its own, under a lock that other daemons wait for.

    Returns:
        The numbers of the steps that were run now.

    Raises:
        SchemaError: the server is too old, or the schema is newer than this version.
        CatalogueError: a step failed; the steps before it stay.
    """
    steps = available()
    done: list[int] = []
    with catalogue.transaction() as cursor:
        _check_server(cursor)
    for number, (name, statements) in steps.items():
        with catalogue.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            # A step may take as long as it needs on a large catalogue.
            cursor.execute("SET LOCAL statement_timeout = 0")
            applied = _applied(cursor)
            _refuse_newer(applied, steps)
            if number not in applied:
                # Several statements at once need the simple protocol, which a binary cursor does not speak.
                cursor.connection.execute(statements)
                cursor.execute("INSERT INTO schema_migrations (number, name) VALUES (%s, %s)", (number, name))
                done.append(number)
    return done


def check(catalogue: Catalogue) -> None:
    """See that the schema is the one that this version works with, and change nothing.

    Raises:
        SchemaError: it is not.
        CatalogueError: the database refused, or is away.
    """
    steps = available()
    with catalogue.transaction() as cursor:
        _check_server(cursor)
        cursor.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")
        if cursor.fetchone() != (True,):
            raise SchemaError("there is no catalogue in this database yet: start censusd, which makes it")
        cursor.execute("SELECT number FROM schema_migrations")
        applied = {number for (number,) in cursor}
    _refuse_newer(applied, steps)
    if steps.keys() - applied:
        raise SchemaError(
            f"the database has schema {max(applied, default=0)}, this version of censusd needs {max(steps)}: "
            "start the daemon of this version first, which brings it up to date"
        )


def _refuse_newer(applied: set[int], steps: Collection[int]) -> None:
    newest = max(applied, default=0)
    if newest > max(steps):
        raise SchemaError(
            f"the database has schema {newest}, this version of censusd knows {max(steps)}: "
            "it was used by a newer version; install that version again, or restore a backup"
        )


def _check_server(cursor: Cursor) -> None:
    version = cursor.connection.info.server_version
    if version < _OLDEST_SERVER:
        raise SchemaError(
            f"the database server is PostgreSQL {version // 10_000}; censusd needs {_OLDEST_SERVER // 10_000} or newer"
        )


def _applied(cursor: Cursor) -> set[int]:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    cursor.execute("SELECT number FROM schema_migrations")
    return {number for (number,) in cursor}
