"""Catalogues that earlier versions left behind, brought up to date by this one: nothing on record is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.errors import SchemaError
from tests.tools.catalogue_dump import DUMPS
from tests.tools.daemon import DaemonProcess
from tests.tools.library import fresh_database

EARLIER = sorted(DUMPS.glob("*.sql"))

_SHAPE = """
    SELECT 'column', c.relname::text, a.attname::text,
           format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || coalesce(k.collname, '') || ' '
           || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_collation k ON k.oid = a.attcollation
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
               WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT 'function', proname, '', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


@pytest.fixture(params=EARLIER, ids=lambda dump: dump.stem)
def left_behind(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """A database as the daemon of an earlier version left it: its connection string."""
    with fresh_database(server, "template0") as database:
        with psycopg.connect(database) as connection:
            # For what SQL functions and indexes say without naming a schema.
            connection.execute("SET check_function_bodies = off")
            connection.execute(request.param.read_bytes())
        yield database


def rows(database: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but the list of migrations."""
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return {
            table: [
                row for (row,) in connection.execute(f'SELECT to_jsonb(t) FROM "{table}" t ORDER BY to_jsonb(t)::text')
            ]
            for (table,) in tables
            if table != "schema_migrations"
        }


def shape(database: str) -> set[tuple[str, ...]]:
    """Tables, columns, indexes, constraints, views and functions."""
    with psycopg.connect(database) as connection:
        return set(connection.execute(_SHAPE))


def test_nothing_on_record_is_lost(left_behind: str) -> None:
    before = rows(left_behind)
    assert before["files"], "a dump without rows shows nothing"
    assert before["file_metadata"]
    with Catalogue(left_behind) as catalogue:
        migrations.migrate(catalogue)
        migrations.check(catalogue)
    after = rows(left_behind)
    for table, known in before.items():
        assert len(after[table]) == len(known), table
        old_columns = [{name: row.get(name) for name in known[0]} for row in after[table]] if known else []
        assert sorted(map(repr, old_columns)) == sorted(map(repr, known)), table


def test_it_is_the_schema_of_a_new_catalogue(left_behind: str, database: str) -> None:
    with Catalogue(left_behind) as catalogue:
        migrations.migrate(catalogue)
    assert shape(left_behind) == shape(database)


def test_the_daemon_goes_on_with_it(left_behind: str, shared_path: Path) -> None:
    with psycopg.connect(left_behind) as connection:
        path, known = connection.execute(
            "SELECT file_path, content_hash FROM file_records WHERE scan_phase = 1 AND file_path LIKE '%.jpg' LIMIT 1"
        ).fetchone() or ("", "")
    config = f'[[repository]]\nname = "library"\npath = "{shared_path}/library"\n'
    before = rows(left_behind)["files"]
    with DaemonProcess(shared_path, left_behind, config) as daemon:
        assert daemon.status()["repositories"][0]["phase"] == "offline", daemon.log_text()
        (row,) = json.loads(daemon.ctl("--json", "show", f"library:{path}").stdout)["rows"]
        assert row["content_hash"] == known
        assert row["scan_phase"] == "deep"
        daemon.stop()
    after = rows(left_behind)["files"]
    # Its disk is not there: every file, and what was found in it, stays as it was.
    assert [(row["id"], row["state"], row["content_hash"]) for row in after] == [
        (row["id"], row["state"], row["content_hash"]) for row in before
    ]


def test_a_step_that_was_released_is_never_changed() -> None:
    """Each dump was made with the steps up to its number; the numbers have no gaps."""
    steps = list(migrations.available())
    assert steps == list(range(1, len(steps) + 1))
    assert {int(dump.stem) for dump in EARLIER} <= set(steps)


def test_a_catalogue_of_a_newer_version_is_refused(left_behind: str) -> None:
    with psycopg.connect(left_behind) as connection:
        connection.execute("INSERT INTO schema_migrations (number, name) VALUES (9999, 'of the future')")
    with Catalogue(left_behind) as catalogue, pytest.raises(SchemaError, match="9999"):
        migrations.migrate(catalogue)
