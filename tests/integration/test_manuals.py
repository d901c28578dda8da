"""What the manuals tell people to do is done here as it stands there, with the real programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.tools.daemon import DaemonProcess
from tests.tools.installation import programs
from tests.tools.library import fresh_database
from tests.tools.manuals import CHECKOUT, DOCS, Block, Terminal, alike, blocks
from tests.tools.private import apart, privately
from tests.tools.waiting import until

_DEADLINE: Final = 60.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket, that other users may pass through."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_tutorial(place: Path) -> None:
    # Only root may mount, and only root has somebody else to run PostgreSQL as in a namespace of its own.
    (privately if os.geteuid() == 0 else apart)(follow_the_tutorial, place)


def follow_the_tutorial(directory: str) -> None:
    place = Path(directory)
    home, state = place / "home", place / "state"
    home.mkdir()
    environment = programs(place) | {
        "HOME": os.fspath(home),
        "CENSUSD_SOCKET": os.fspath(state / "run" / "control.sock"),
    }
    sections: dict[str, list[Block]] = {}
    for block in blocks(DOCS / "tutorial.md"):
        sections.setdefault(block.heading, []).append(block)
    with Terminal(CHECKOUT, environment) as first:
        for block in sections.pop("Some files to look after"):
            done(first, block)
    begin, *rest = sections.pop("Start it")
    assert begin.text == 'make run REPO="$HOME/census/photos"\n'
    with started(home / "census" / "photos", state, environment), Terminal(CHECKOUT, environment) as second:
        sections["Start it"] = [block_with(block, "STATE=$PWD/.state", f"STATE={state}") for block in rest]
        for heading in ("Start it", "A query", "A directory moves", "A disk goes away"):
            section = sections.pop(heading)
            if heading == "A disk goes away" and os.geteuid() != 0:
                continue
            follow(second, section, home)
    assert list(sections) == ["Clean up"]
    if os.geteuid() == 0:
        with Terminal(CHECKOUT, environment) as last:
            done(last, *sections["Clean up"])
        assert not (home / "census").exists()


def test_migration(place: Path, server: str) -> None:
    table, tags, rename, own_schema, compare, carry_over, clean_up, old_names, drop = (
        block.text for block in blocks(DOCS / "migration.md", "sql")
    )
    root = place / "photos"
    written = ("a/one.jpg", "a/two.jpg", "three.jpg", ".hidden")
    for path in written:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    with fresh_database(server, "template1") as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(table + tags)
        for path in (*written, "gone.jpg"):
            connection.execute(
                "INSERT INTO file_records (repository_id, file_path, file_size, mod_time)"
                " VALUES (1, %s, %s, to_timestamp(%s))",
                (path, len(path), (root / path).stat().st_mtime if path in written else 0.0),
            )
        connection.execute("INSERT INTO tags SELECT id, file_path FROM file_records WHERE file_path LIKE '%.jpg'")
        daemon = DaemonProcess(place, dsn, f'[[repository]]\nname = "photos"\npath = "{root}"\n')
        refusal = 'the database refused a statement: relation "file_records" already exists'
        assert f"`{refusal}`" in (DOCS / "migration.md").read_text()
        ended = subprocess.run(
            [sys.executable, "-m", "censusd", "run", "--config", daemon.config],
            env={**os.environ, "CENSUSD_DATABASE": dsn, "RUNTIME_DIRECTORY": os.fspath(place / "run")},
            capture_output=True,
            text=True,
            timeout=_DEADLINE,
            check=False,
        )
        assert ended.returncode == 1
        assert refusal in ended.stderr

        connection.execute(rename)
        with daemon:
            daemon.sync("photos")
            assert last_rows(connection.execute(compare)) == [(0, 2, 0)]
            connection.execute(carry_over)
            (root / "a").rename(root / "b")
            (root / "three.jpg").unlink()
            daemon.sync("photos")
            connection.execute(clean_up)
            tagged = (
                "SELECT file_path, tag FROM tags LEFT JOIN file_records USING (repository_id, file_id) ORDER BY tag"
            )
            assert connection.execute(tagged).fetchall() == [
                ("b/one.jpg", "a/one.jpg"),
                ("b/two.jpg", "a/two.jpg"),
                (None, "three.jpg"),  # missing, for the grace period
            ]
            connection.execute(old_names)
            connection.execute("SET search_path = application, public")
            as_before = "SELECT file_size FROM file_records WHERE repository_id = 1 AND file_path = 'b/one.jpg'"
            assert connection.execute(as_before).fetchone() == (9,)
            connection.execute(drop)
        assert "CREATE SCHEMA" in own_schema


def test_the_catalogue_in_a_schema_of_its_own(place: Path, server: str) -> None:
    (own_schema,) = (block.text for block in blocks(DOCS / "migration.md", "sql") if "search_path" in block.text)
    with fresh_database(server, "template1") as dsn:
        name = conninfo_to_dict(dsn)["dbname"]
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE public.file_records ()")
            connection.execute(own_schema.replace("library", f'"{name}"'))
        (place / "photos").mkdir()
        (place / "photos" / "one.jpg").touch()
        with (
            DaemonProcess(place, dsn, f'[[repository]]\nname = "photos"\npath = "{place / "photos"}"\n') as daemon,
            psycopg.connect(dsn) as connection,
        ):
            daemon.sync("photos")
            assert connection.execute("SELECT file_path FROM census.file_records").fetchall() == [("one.jpg",)]


def last_rows(cursor: psycopg.Cursor[Any]) -> list[Any]:
    """What the last of several statements has found."""
    while cursor.nextset():
        pass
    return cursor.fetchall()


def follow(terminal: Terminal, section: list[Block], home: Path) -> None:
    """Do what a section says; where output is shown, it has to be what is printed."""
    output = ""
    for block in section:
        if block.language == "sh":
            output = done(terminal, block)
            continue
        assert alike(block.text, output.replace(os.fspath(home), "/home/you")), f"{block} shows\n{block.text}\n{output}"


def done(terminal: Terminal, block: Block) -> str:
    """Do what a block says. Returns what was printed."""
    status, output = terminal.run(block.text)
    assert status == 0, f"{block}: status {status}\n{output}"
    return output


def block_with(block: Block, old: str, new: str) -> Block:
    """A block in which something that differs here is what it is here."""
    return Block(block.page, block.line, block.language, block.text.replace(old, new), block.heading)


@contextmanager
def started(repository: Path, state: Path, environment: dict[str, str]) -> Iterator[None]:
    """What `make run REPO=...` starts, until the block is left and Ctrl-C is pressed."""
    assert "\nrun: setup" in (CHECKOUT / "Makefile").read_text()
    variables = {"REPO": os.fspath(repository), "STATE": os.fspath(state), "VENV": sys.prefix}
    # Its reader has not the power that fanotify takes; the tests may.
    as_reader = ["setpriv", "--bounding-set=-sys_admin"] if os.geteuid() == 0 else []
    with (state.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [*as_reader, CHECKOUT / ".ci" / "start"],
            env={**os.environ, **environment, **variables},
            stdout=log,
            stderr=log,
        )
    try:
        until(
            lambda: counted(environment) or process.poll() is not None,
            (state.parent / "log").read_text,
            within=_DEADLINE,
        )
        assert process.poll() is None, (state.parent / "log").read_text()
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait(_DEADLINE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(state, ignore_errors=True)


def counted(environment: dict[str, str]) -> bool:
    """Whether the first pass is over and what it found was counted, as it is every few seconds."""
    command = [sys.executable, "-m", "censusd.cli.censusctl", "--json", "status"]
    asked = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False)
    repositories = json.loads(asked.stdout).get("repositories", []) if asked.stdout else []
    return bool(repositories) and all(one["totals"] for one in repositories)
