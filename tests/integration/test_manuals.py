"""What the manuals tell people to do is done here as it stands there, with the real programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from censusd.catalogue.embedded import EmbeddedServer
from censusd.catalogue.embedded_binaries import locate_binaries
from tests.tools.daemon import DaemonProcess
from tests.tools.library import fresh_database
from tests.tools.manuals import CHECKOUT, DOCS, Block, Terminal, alike, blocks
from tests.tools.private import apart, privately

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


README_CONFIGURATION: Final = """\
[[repository]]
name = "photos"
path = "/srv/photos"
"""


@pytest.mark.slow
def test_operating(place: Path) -> None:
    sections: dict[str, list[Block]] = {}
    for block in blocks(DOCS / "operating.md"):
        sections.setdefault(block.heading, []).append(block)
    with Installation(place) as host:
        host.write("photos/2024/one.jpg", "photos/2024/two.jpg", "photos/three.jpg")
        host.configure(README_CONFIGURATION)
        host.run("systemctl start censusd; censusctl sync photos")
        for heading in ("Every day", "Upgrade"):
            host.run(*sections.pop(heading))
        before = host.numbers("photos")
        assert sorted(before) == ["2024/one.jpg", "2024/two.jpg", "three.jpg"]

        host.run(*sections.pop("Backup"))
        host.write("photos/2024/four.jpg")
        (place / "srv" / "photos" / "three.jpg").unlink()
        host.run("censusctl sync photos", *sections.pop("Restore"), "censusctl sync photos")
        after = host.numbers("photos")
        assert sorted(after) == ["2024/four.jpg", "2024/one.jpg", "2024/two.jpg"]
        assert after.items() >= {(path, before[path]) for path in ("2024/one.jpg", "2024/two.jpg")}
        assert host.sql("SELECT file_path FROM missing_files") == "three.jpg"

        here, elsewhere, accept = sections.pop("A tree moves")
        host.run(here)
        host.until("censusctl sync photos")
        assert host.numbers("photos") == after
        (place / "mnt").mkdir()
        host.run(elsewhere)
        host.until("censusctl status | grep 'another directory is there than the one that was catalogued'")
        host.run(accept)
        assert host.numbers("photos") == after
        assert "/mnt/new" in host.sql("SELECT root FROM repositories")

        host.run(*sections.pop("A repository gets another name"), "censusctl sync pictures")
        assert host.numbers("pictures") == after

        database, restored, configuration, restart = sections.pop("To a PostgreSQL of your own")
        host.start_another_server()
        host.run(database)
        host.run('"$PGBIN"/pg_dump --format=custom --file=/root/censusd.dump censusd', restored)
        host.configure(configuration.text.replace("photos", "pictures").replace("/srv/pictures", "/mnt/new"))
        host.run(restart, "censusctl sync pictures")
        assert host.numbers("pictures", "other") == after

        (gone,) = sections.pop("A repository goes")
        (place / "srv" / "others").mkdir()
        host.configure(configuration.text.replace("photos", "others"))
        host.run("systemctl reload censusd")
        host.until("censusctl sync others")
        host.until(
            """test "$(psql -Atc "SELECT state FROM repositories WHERE name = 'pictures'")" = retired""", "other"
        )
        host.sql(gone.text, "other")
        assert host.sql("SELECT name FROM repositories", "other") == "others"
        assert host.sql("SELECT count(*) FROM files", "other") == "0"

        host.run(*sections.pop("More hosts for the deep scan"))
        assert (CHECKOUT / "systemd" / "censusd-worker@.service").exists()
        assert not sections


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


_SYSTEMCTL: Final = """\
start() {{
    {daemon} run --config {etc}/censusd.toml >>{place}/log 2>&1 &
    echo $! >{place}/pid
    for n in $(seq 300); do
        censusctl status 2>/dev/null | grep -q REPOSITORY && return
        kill -0 $(cat {place}/pid) || return
        sleep 0.1
    done
    return 1
}}
stop() {{
    kill $(cat {place}/pid)
    while kill -0 $(cat {place}/pid) 2>/dev/null; do sleep 0.1; done
}}
case "$*" in
    "start censusd") start ;;
    "stop censusd") stop ;;
    "restart censusd") stop; start ;;
    "reload censusd") kill -HUP $(cat {place}/pid) ;;
    "status censusd") kill -0 $(cat {place}/pid) ;;
    "enable --now censusd-worker@censusd") ;;
    *) exit 1 ;;
esac
"""
"""What systemctl does to the service, without systemd."""


class Installation:
    """censusd as the manuals have it installed, with every path below a directory, and a terminal beside it.

    Args:
        place: the directory.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.environment = programs(place)
        for name in ("etc", "lib", "srv"):
            (place / name).mkdir()
        shell = {"daemon": f"{sys.executable} -m censusd", "etc": place / "etc", "place": place}
        launcher(place / "bin" / "systemctl", _SYSTEMCTL.format(**shell))
        self.binaries = locate_binaries()
        self.environment |= {
            "CENSUSD_SOCKET": os.fspath(place / "run" / "control.sock"),
            "STATE_DIRECTORY": os.fspath(place / "lib"),
            "RUNTIME_DIRECTORY": os.fspath(place / "run"),
            "PGHOST": os.fspath(place / "lib" / "postgresql" / str(self.binaries.major)),
            "PGUSER": "censusd",
            "PGDATABASE": "censusd",
        }
        self._stack = ExitStack()
        self._other: EmbeddedServer | None = None

    def __enter__(self) -> Self:
        self._terminal = self._stack.enter_context(Terminal(CHECKOUT, self.environment))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._terminal.run(f"kill $(cat {self.place}/pid) && while kill -0 $(cat {self.place}/pid); do sleep 0.1; done")
        self._stack.close()

    def write(self, *paths: str) -> None:
        """Write some files below /srv, none like another."""
        for path in paths:
            (self.place / "srv" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.place / "srv" / path).write_text(path)

    def configure(self, text: str) -> None:
        """Write the configuration."""
        (self.place / "etc" / "censusd.toml").write_text('[http]\nlisten = ""\n' + self.translated(text))

    def translated(self, text: str) -> str:
        """What a manual says, in terms of what is here."""
        owner = "nobody" if os.geteuid() == 0 else ""
        words = {
            "/var/lib/censusd": f"{self.place}/lib",
            "/etc/censusd": f"{self.place}/etc",
            "postgresql/18": f"postgresql/{self.binaries.major}",
            "/root/": f"{self.place}/",
            "/srv/": f"{self.place}/srv/",
            "/mnt/": f"{self.place}/mnt/",
            "runuser -u censusd --": f"runuser -u {owner} --" if owner else "",
        }
        if self._other is not None:
            words["postgresql://censusd@db.example/censusd"] = self._address(self._other)
            words["sudo -u postgres"] = f"PGHOST={self._other.cluster.path} PGUSER=postgres"
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def run(self, *what: Block | str) -> str:
        """Do these things one after the other; each has to succeed. Returns what was printed last."""
        output = ""
        for one in what:
            status, output = self._terminal.run(self.translated(one.text if isinstance(one, Block) else one))
            assert status == 0, f"{one}: status {status}\n{output}\n{(self.place / 'log').read_text()}"
        return output

    def until(self, command: str, where: str = "") -> None:
        """Repeat a command until it succeeds."""
        deadline = time.monotonic() + _DEADLINE
        while self._terminal.run(f"{self._elsewhere(where)} {command}")[0]:
            assert time.monotonic() < deadline, (self.place / "log").read_text()
            time.sleep(0.1)

    def sql(self, text: str, where: str = "") -> str:
        """What a query finds, in the private PostgreSQL or in the other one."""
        return self.run(f"{self._elsewhere(where)} psql -At <<'END'\n{text};\nEND").strip()

    def numbers(self, repository: str, where: str = "") -> dict[str, str]:
        """Path -> number of every file on record."""
        query = f"SELECT file_path, file_id FROM file_records WHERE repository_name = '{repository}'"
        return dict(line.split("|") for line in self.sql(query, where).splitlines())

    def start_another_server(self) -> None:
        """Another PostgreSQL, as other people have it: without the role and database of the private one."""
        self._other = self._stack.enter_context(EmbeddedServer.start(self.place / "other"))
        with psycopg.connect(self._address(self._other), user="postgres", dbname="postgres", autocommit=True) as one:
            one.execute("DROP DATABASE censusd")
            one.execute("DROP ROLE censusd")

    def _elsewhere(self, where: str) -> str:
        return f"export PGHOST={self._other.cluster.path};" if where and self._other else ""

    @staticmethod
    def _address(server: EmbeddedServer) -> str:
        return f"postgresql:///censusd?host={quote(os.fspath(server.cluster.path), safe='')}&user=censusd"


def block_with(block: Block, old: str, new: str) -> Block:
    """A block in which something that differs here is what it is here."""
    return Block(block.page, block.line, block.language, block.text.replace(old, new), block.heading)


def programs(place: Path) -> dict[str, str]:
    """A PATH with the commands of the manuals, as they are installed here."""
    directory = place / "bin"
    directory.mkdir()
    for name, module in (("censusd", "censusd"), ("censusctl", "censusd.cli.censusctl")):
        launcher(directory / name, f'exec {sys.executable} -m {module} "$@"')
    launcher(directory / "sudo", 'exec "$@"')
    path = [os.fspath(directory), os.environ["PATH"], os.fspath(locate_binaries().directory)]
    return {"PATH": os.pathsep.join(path), "PYTHONPATH": os.fspath(CHECKOUT / "daemon"), "LC_ALL": "C.UTF-8"}


def launcher(path: Path, command: str) -> None:
    """Make a program."""
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


@contextmanager
def started(repository: Path, state: Path, environment: dict[str, str]) -> Iterator[None]:
    """What `make run REPO=...` starts, until the block is left and Ctrl-C is pressed."""
    assert "\nrun: setup" in (CHECKOUT / "Makefile").read_text()
    variables = {"REPO": os.fspath(repository), "STATE": os.fspath(state), "VENV": sys.prefix}
    with (state.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [CHECKOUT / ".ci" / "start"], env={**os.environ, **environment, **variables}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _DEADLINE
        while not counted(environment):
            assert process.poll() is None, (state.parent / "log").read_text()
            assert time.monotonic() < deadline, (state.parent / "log").read_text()
            time.sleep(0.1)
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
