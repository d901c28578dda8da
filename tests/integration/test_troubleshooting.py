"""The symptoms in docs/troubleshooting.md, brought about: the daemon says what stands there."""

from __future__ import annotations

import grp  # noqa: F401 - censusctl imports it when it needs it, and then nobody may not be able to read it
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Final

import pytest

from censusd.cli import censusctl
from tests.tools.daemon import DaemonProcess
from tests.tools.manuals import DOCS, blocks, prose
from tests.tools.private import apart, become_nobody
from tests.tools.waiting import until

_PAGE: Final = DOCS / "troubleshooting.md"
_MESSAGES: Final = [line for block in blocks(_PAGE, "text") for line in block.text.splitlines()]
_MESSAGES_IN_TABLES: Final = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\|.*\n", prose(_PAGE), re.MULTILINE)))
_DEADLINE: Final = 60.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket, with a tree in it."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        Path(name).chmod(0o755)
        (Path(name) / "photos").mkdir()
        for number in range(20):
            (Path(name) / "photos" / f"{number}.jpg").write_text(str(number))
        yield Path(name)


def documented(message: str, output: str) -> bool:
    """Whether a message of the page, the one that has these words in it, is in some output."""
    (line,) = {line for line in _MESSAGES + _MESSAGES_IN_TABLES if message in line}
    return re.search(".*".join(map(re.escape, line.split("…"))), output) is not None


def repository(place: Path, *more: str) -> str:
    """The configuration of the tree."""
    return "\n".join(["[[repository]]", 'name = "photos"', f'path = "{place / "photos"}"', *more, ""])


def censusd(*arguments: str | Path, **environment: str) -> str:
    """What the command says that it cannot do."""
    done = subprocess.run(
        [sys.executable, "-m", "censusd", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    assert done.returncode in {1, 2}
    return done.stderr


def test_configurations_that_cannot_be_used(place: Path) -> None:
    file = place / "censusd.toml"
    file.write_text('[defaults]\nreconcile_intervall = "1h"\n[[repository]]\nname = "photos"\npath = "srv/photos"\n')
    said = censusd("check-config", "--config", file)
    assert documented("is not a key", said)
    assert documented("expected an absolute path", said)
    file.write_text(repository(place) + f'[[repository]]\nname = "more"\npath = "{place}/photos/x"\n')
    assert documented("do not overlap", censusd("check-config", "--config", file))
    file.write_text("")
    assert documented("there is no repository to look after", censusd("run", "--config", file))


def test_places_that_are_taken(place: Path, database: str) -> None:
    with DaemonProcess(place, database, repository(place)) as daemon:
        assert documented(
            "another daemon (process", censusd("run", "--config", daemon.config, CENSUSD_DATABASE=database)
        )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon.config.write_text(
            f'[control]\nsocket = "{place}/s"\n[http]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n'
            + repository(place)
        )
        assert documented(
            "another program listens", censusd("run", "--config", daemon.config, CENSUSD_DATABASE=database)
        )


def test_nobody_answers(place: Path) -> None:
    daemon = DaemonProcess(place, "", repository(place))
    assert documented("there is no such socket", daemon.ctl("status").stderr)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(daemon.socket))
        assert documented("nobody listens there", daemon.ctl("status").stderr)
        daemon.socket.chmod(0o600)
        if os.geteuid() == 0:
            apart(ask_as_nobody, place)


def ask_as_nobody(directory: str) -> None:
    become_nobody()
    # In this process: nobody may not be able to start another Python.
    with redirect_stderr(io.StringIO()) as said:
        assert censusctl.main(["--socket", f"{directory}/control.sock", "status"]) == 1
    assert documented("only its owner may", said.getvalue())


def test_no_database(place: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    text = '[database]\nconnect_timeout = "1s"\n' + repository(place)
    with DaemonProcess(place, nowhere, text) as daemon:
        until(lambda: documented("waiting for the database", daemon.ctl("status").stdout))


def test_reloads(place: Path, database: str) -> None:
    with DaemonProcess(place, database, repository(place)) as daemon:
        daemon.sync("photos")
        daemon.configure(repository(place, "watch = 1"))
        daemon.signal(signal.SIGHUP)
        until(lambda: documented("the new configuration is not valid", daemon.ctl("status").stdout))
        daemon.configure('[daemon]\nstate_directory = "/tmp"\n' + repository(place))
        daemon.signal(signal.SIGHUP)
        until(lambda: documented("takes effect when", daemon.log_text()))


def test_roots_that_are_not_the_root(place: Path, database: str) -> None:
    root, away = place / "photos", place / "away"
    (root / ".censusd-root").touch()
    with DaemonProcess(place, database, repository(place, 'marker = ".censusd-root"')) as daemon:

        def await_saying(reason: str) -> None:
            until(lambda: documented(reason, daemon.ctl("status").stdout))

        daemon.sync("photos")
        (root / ".censusd-root").unlink()
        await_saying("the marker file is not there")
        daemon.configure(repository(place))
        daemon.signal(signal.SIGHUP)
        daemon.sync("photos")
        root.rename(away)
        await_saying("there is nothing at this path")
        root.mkdir()
        await_saying("another directory is there")
        root.rmdir()
        away.rename(root)
        daemon.sync("photos")
        before = daemon.records("photos")
        daemon.stop()
        away.mkdir()
        for file in root.iterdir():
            file.rename(away / file.name)
        daemon.start()
        await_saying("it is empty, and was not")
        assert daemon.records("photos") == before


def test_deletions_that_are_held(place: Path, database: str) -> None:
    with DaemonProcess(place, database, repository(place, "breaker_files = 5")) as daemon:
        daemon.sync("photos")
        for number in range(10):
            (place / "photos" / f"{number}.jpg").unlink()
        until(lambda: documented("deletions are held back", daemon.ctl("status").stdout))
        assert len(daemon.records("photos")) == 20
        done = daemon.ctl("release", "photos", "--wait")
        assert done.returncode == 0, done.stderr
        assert len(daemon.records("photos")) == 10


def test_a_second_daemon_and_a_worker_too_many(place: Path, database: str) -> None:
    other = place / "other"
    other.mkdir()
    with (
        DaemonProcess(place, database, repository(place)) as first,
        DaemonProcess(other, database, repository(place)) as second,
    ):
        first.sync("photos")
        until(lambda: documented("standby: …", second.ctl("status").stdout))
        file = place / "worker.toml"
        file.write_text('[http]\nlisten = ""\n' + repository(place).replace('"photos"', '"pictures"'))
        variables = {"CENSUSD_DATABASE": database, "RUNTIME_DIRECTORY": str(place / "w")}
        assert documented("is not in the catalogue", censusd("worker", "--config", file, **variables))
        (place / "elsewhere").mkdir()
        file.write_text(repository(place).replace(f"{place}/photos", f"{place}/elsewhere"))
        file.write_text('[http]\nlisten = ""\n' + file.read_text())
        assert documented("in it, … are not there", censusd("worker", "--config", file, **variables))
