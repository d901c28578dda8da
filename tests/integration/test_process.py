"""The real process: start, change files, SIGHUP, kill -9 at random moments, restart, compare."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.tools.daemon import DaemonProcess
from tests.tools.library import disk


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def configuration(root: Path, name: str = "tree", **settings: object) -> str:
    """A repository's part of a configuration."""
    lines = [f'name = "{name}"', f'path = "{root}"', *(f"{key} = {value!r}" for key, value in settings.items())]
    return "[[repository]]\n" + "\n".join(lines).replace("'", '"') + "\n"


def write(root: Path, path: str, content: str = "x") -> None:
    """Write a file, with the directories on the way."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def test_from_start_to_stop(place: Path, database: str) -> None:
    root = place / "tree"
    for number in range(50):
        write(root, f"{number % 5}/f{number}")
    with DaemonProcess(place, database, configuration(root)) as daemon:
        daemon.sync("tree")
        assert daemon.records("tree") == disk(root)
        write(root, "new/dir/file")
        (root / "1").rename(root / "moved")
        shutil.rmtree(root / "2")
        daemon.sync("tree")
        assert daemon.records("tree") == disk(root)
        assert daemon.stop() == 0
        assert daemon.notifications is not None
        assert "STOPPING=1" in daemon.notifications.messages
        with psycopg.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM sync_operations WHERE status = 'running'").fetchone() == (
                0,
            )
            assert connection.execute("SELECT lease_owner FROM repositories").fetchone() == (None,)
        write(root, "3/while-it-was-away")
        daemon.start()
        daemon.sync("tree")
        assert daemon.records("tree") == disk(root)


def test_reload_applies_differences_and_refuses_a_bad_configuration(place: Path, database: str) -> None:
    one, two = place / "one", place / "two"
    write(one, "a")
    write(two, "b")
    with DaemonProcess(place, database, configuration(one, "one")) as daemon:
        daemon.sync("one")
        notifications = daemon.notifications
        assert notifications is not None

        daemon.configure(configuration(one, "one") + configuration(two, "two"))
        seen = len(notifications.messages)
        daemon.signal(signal.SIGHUP)
        after = notifications.wait_for(lambda message: message.startswith("RELOADING=1\nMONOTONIC_USEC="), seen)
        notifications.wait_for(lambda message: message == "READY=1", after)
        daemon.sync("two")
        assert daemon.records("two") == disk(two)

        daemon.configure("this is = not TOML [")
        seen = len(notifications.messages)
        daemon.signal(signal.SIGHUP)
        notifications.wait_for(lambda message: message == "READY=1", seen)
        assert "not valid" in daemon.log_text()
        write(two, "c")
        daemon.sync("two")
        assert daemon.records("two") == disk(two)

        daemon.configure(configuration(two, "two", exclude=["c"]))
        seen = len(notifications.messages)
        daemon.signal(signal.SIGHUP)
        notifications.wait_for(lambda message: message == "READY=1", seen)
        daemon.sync("two")
        assert set(daemon.records("two")) == {"b"}
        retired = daemon.ctl("sync", "one")
        assert retired.returncode == 1
        assert "does not look after it" in retired.stderr
        assert daemon.ctl("sync", "neither").returncode == 2
        with psycopg.connect(database) as connection:
            rows = connection.execute("SELECT name, state FROM repositories ORDER BY name").fetchall()
        assert rows == [("one", "retired"), ("two", "active")]
        assert daemon.stop() == 0


def test_killed_at_random_moments(place: Path, database: str) -> None:
    root, chance = place / "tree", random.Random(4711)
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{chance.randrange(8)}/{chance.randrange(40)}"
            match chance.randrange(5):
                case 0 | 1:
                    write(root, name, "x" * chance.randrange(100))
                case 2:
                    (root / name).unlink(missing_ok=True)
                case 3 if (root / name).exists():
                    write(root, "z/y")
                    (root / name).rename(root / f"z/{number}")
                case 4 if chance.random() < 0.05:
                    shutil.rmtree(root / str(chance.randrange(8)), ignore_errors=True)
            stop.wait(0.002)

    for number in range(200):
        write(root, f"{number % 8}/{number}")
    writer = threading.Thread(target=change)
    writer.start()
    try:
        with DaemonProcess(place, database, configuration(root, debounce="20ms")) as daemon:
            for _ in range(6):
                stop.wait(chance.random() * 0.8)
                daemon.kill()
                daemon.start()
            stop.set()
            writer.join()
            daemon.sync("tree")
            assert daemon.records("tree") == disk(root)
            with psycopg.connect(database) as connection:
                running = connection.execute("SELECT count(*) FROM sync_operations WHERE status = 'running'").fetchone()
                assert running == (0,)
            assert daemon.stop() == 0
    finally:
        stop.set()
        writer.join()


def test_a_second_daemon_is_a_standby_and_takes_over(place: Path, database: str) -> None:
    root = place / "tree"
    write(root, "a")
    (place / "1").mkdir()
    (place / "2").mkdir()
    config = configuration(root)
    with DaemonProcess(place / "1", database, config) as first, DaemonProcess(place / "2", database, config) as second:
        first.sync("tree")
        assert second.status()["repositories"][0]["phase"] == "standby"
        first.kill()
        write(root, "b")
        second.sync("tree")
        assert second.records("tree") == disk(root)


def test_database_that_comes_later(place: Path, database: str, server: str) -> None:
    root = place / "tree"
    write(root, "a")
    info = psycopg.conninfo.conninfo_to_dict(database)
    absent = psycopg.conninfo.make_conninfo(database, dbname="not_there_yet")
    with (
        psycopg.connect(server, autocommit=True) as connection,
        DaemonProcess(place, absent, configuration(root)) as daemon,
    ):
        assert daemon.notifications is not None
        daemon.notifications.wait_for(lambda message: message.startswith("STATUS=waiting for the database"))
        connection.execute(f'CREATE DATABASE not_there_yet TEMPLATE "{info["dbname"]}"')
        try:
            daemon.sync("tree")
            assert daemon.records("tree") == disk(root)
        finally:
            daemon.stop()
            connection.execute("DROP DATABASE not_there_yet WITH (FORCE)")


def test_stop_in_the_middle_of_a_first_scan(place: Path, database: str) -> None:
    root = place / "tree"
    for number in range(60):
        directory = root / str(number)
        directory.mkdir(parents=True)
        for file in range(400):
            (directory / str(file)).touch()
    with DaemonProcess(place, database, configuration(root)) as daemon:
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 10
        daemon.start()
        daemon.sync("tree")
        assert daemon.records("tree") == disk(root)
        with psycopg.connect(database) as connection:
            statuses = connection.execute("SELECT DISTINCT status FROM sync_operations").fetchall()
        assert {status for (status,) in statuses} <= {"completed", "cancelled"}
