"""Bad input of every sort: a clear error or a recorded problem, a daemon that goes on with the rest, nothing lost.

What is about one part alone has its tests there: TOML in ``tests/unit/config``, a second daemon and a database that
comes later in ``test_process.py``, an outage in ``test_promises_of_the_daemon.py``.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from censusd.catalogue.connection import Catalogue, PoolSettings
from censusd.errors import CensusError
from censusd.sync import upkeep
from censusd.sync.standing import Phase
from tests.tools.daemon import DaemonProcess
from tests.tools.library import disk, from_elsewhere
from tests.tools.living import LivingLibrary, living
from tests.tools.private import apart, become_nobody, privately, unmount
from tests.tools.tiny_fuse import tiny_fuse
from tests.tools.waiting import until

# In the configuration -----------------------------------------------------------------------------------------------


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def repository(name: str, path: Path) -> str:
    return f'[[repository]]\nname = "{name}"\npath = "{path}"\n'


def refused(config: Path) -> str:
    """What the daemon says when it does not even start."""
    command = [sys.executable, "-m", "censusd", "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode not in {0, -6, -9, -11}
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[repository]\nname = 1\n", ["censusd.toml", "line 1"]),
        (b"\xff\xfe", ["censusd.toml", "UTF-8"]),
        (b'[[repository]]\nname = "a"\npath = "relative"\n', ["repository[a].path", "relative"]),
        (b'[[repository]]\nname = "a"\npath = "/srv"\ncolour = "red"\n', ["repository[a].colour"]),
    ],
    ids=["syntax", "encoding", "relative path", "unknown key"],
)
def test_a_bad_configuration_is_refused_with_file_and_key(place: Path, content: bytes, words: list[str]) -> None:
    config = place / "censusd.toml"
    config.write_bytes(content)
    said = refused(config)
    for word in words:
        assert word in said


def test_overlapping_repositories_are_refused(place: Path) -> None:
    (place / "tree/inner").mkdir(parents=True)
    config = place / "censusd.toml"
    config.write_text(repository("outer", place / "tree") + repository("inner", place / "tree/inner"))
    assert "expected directories that do not overlap" in refused(config)


def test_a_path_that_is_a_file_is_refused(place: Path) -> None:
    (place / "a-file").touch()
    config = place / "censusd.toml"
    config.write_text(repository("a", place / "a-file"))
    assert f"repository[a].path: expected a directory; found a file at {place}/a-file" in refused(config)


def test_a_daemon_goes_on_with_the_repositories_that_are_in_order(place: Path, database: str) -> None:
    good, late = place / "good", place / "late"
    good.mkdir()
    (good / "file").touch()
    with DaemonProcess(place, database, repository("good", good) + repository("late", late)) as daemon:
        daemon.sync("good")
        assert daemon.records("good") == disk(good)
        until(lambda: _state(database, "late")[0] == "offline")
        assert "there is nothing at this path" in (_state(database, "late")[1] or "")
        done = daemon.ctl("sync", "late")
        assert done.returncode != 0
        assert "there is nothing at this path" in done.stdout + done.stderr
        late.mkdir()
        (late / "file").touch()
        daemon.sync("late")
        assert daemon.records("late") == disk(late)
        assert _state(database, "late") == ("active", None)
        (good / "another").touch()
        daemon.sync("good")
        assert daemon.records("good") == disk(good)
        assert daemon.stop() == 0


def _state(database: str, name: str) -> tuple[str, str | None]:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT state, state_reason FROM repositories WHERE name = %s", (name,)).fetchone()
        return row or ("unknown", None)


def test_a_database_that_cannot_be_reached_is_waited_for(tmp_path: Path) -> None:
    nowhere = f"host={tmp_path} dbname=nothing user=nobody connect_timeout=2"
    with Catalogue(nowhere, PoolSettings(timeout=0.2)) as catalogue:
        library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies")
        library.start_at_once()
        until(lambda: library.worker.phase is Phase.WAITING)
        assert library.worker.why.startswith("no connection to the database could be had in time: ")
        assert library.worker.why.endswith("No such file or directory")
        with pytest.raises((TimeoutError, CensusError)):
            library.worker.sync(0.2)
        library.stop()  # however long the database is away


# In a repository ----------------------------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path, catalogue: Catalogue) -> Iterator[LivingLibrary]:
    """A repository that a worker looks after, with a file in it before anything goes wrong."""
    library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.02)
    (library.root / "good").mkdir()
    (library.root / "good/before").touch()
    with living(library):
        yield library


def goes_on(library: LivingLibrary, name: str) -> None:
    """The daemon still does its work."""
    (library.root / "good" / name).touch()
    library.sync()
    assert f"good/{name}" in library.records()
    assert library.worker.phase in {Phase.WATCHING, Phase.SCANNING}


def _names(at: Path) -> set[str]:
    for name in (b"\xff\xfe", b"new\nline", b"\x1b[2J", b"x" * 255):
        os.close(os.open(os.fsencode(at) + b"/" + name, os.O_CREAT | os.O_WRONLY))
    return {"\uefff\ueffe", "new\nline", "\x1b[2J", "x" * 255}


def _special_files(at: Path) -> set[str]:
    os.mkfifo(at / "fifo")
    (at / "loop").symlink_to("loop")
    (at / "out").symlink_to("/")
    fd = os.open(at, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{fd}/socket")
    os.close(fd)
    if os.geteuid() == 0:
        os.mknod(at / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    (at / "file").touch()
    return {"file"}


def _deep(at: Path) -> set[str]:
    fd = os.open(at, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 100, dir_fd=fd)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    return {"/".join(["d" * 100] * 60) + "/file"}


def _ignore_file_that_is_none(at: Path) -> set[str]:
    (at / ".censusignore").mkdir()
    (at / "file").touch()
    return {"file"}


@pytest.mark.parametrize("mess", [_names, _special_files, _deep, _ignore_file_that_is_none])
def test_a_mess_is_dealt_with(library: LivingLibrary, mess: Callable[[Path], set[str]]) -> None:
    (library.root / "mess").mkdir()
    expected = {f"mess/{name}" for name in mess(library.root / "mess")}
    goes_on(library, "after-the-mess")
    assert {path for path in library.records() if path.startswith("mess/")} == expected
    assert library.query("SELECT * FROM directory_problems") == []
    library.look(verify=True)
    assert {path for path in library.records() if path.startswith("mess/")} == expected
    subprocess.run(["rm", "-rf", library.root / "mess"], check=True)
    goes_on(library, "in-the-end")
    assert library.records().keys() == {"good/before", "good/after-the-mess", "good/in-the-end"}


def test_an_ignore_file_that_is_too_large_is_a_recorded_problem(library: LivingLibrary) -> None:
    (library.root / "mess").mkdir()
    (library.root / "mess/file").touch()
    goes_on(library, "before-the-mess")
    (library.root / "mess/.censusignore").write_bytes(b"x\n" * 5_000_000)
    library.look()
    [(kind, problem)] = library.query("SELECT problem_kind, problem FROM directory_problems WHERE path = 'mess'")
    assert kind == "other"
    assert problem.startswith("its ignore file .censusignore has more than")
    goes_on(library, "after-the-mess")
    assert "mess/file" in library.records()  # nothing is known, so nothing is lost
    (library.root / "mess/.censusignore").write_bytes(b"x\n")
    library.sync()
    assert library.query("SELECT * FROM directory_problems") == []


def _closed(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    cookies = Path(scratch) / "cookies"
    with Catalogue(database) as catalogue:
        library = LivingLibrary(root, catalogue, cookies, debounce=0.02)
        with catalogue.transaction() as cursor:  # while we may still reach the server
            cursor.execute("SELECT 1")
        become_nobody(root, cookies)
        for directory in ("good", "closed"):
            (root / directory).mkdir()
            (root / directory / "file").touch()
        with living(library):
            (root / "closed").chmod(0)
            library.sync()
            library.look()
            [(path, kind)] = library.query("SELECT path, problem_kind FROM directory_problems")
            assert (path, kind) == ("closed", "permission")
            goes_on(library, "after-the-mess")
            assert "closed/file" in library.records()
            (root / "closed").chmod(0o755)
            library.sync()  # its ATTRIB event says that it is worth another look
            assert library.query("SELECT * FROM directory_problems") == []


def test_an_unreadable_directory_is_a_recorded_problem(shared_path: Path, database: str) -> None:
    apart(_closed, shared_path, database)


def _many_closed(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    upkeep._LOOKS_AT_ONCE, upkeep._BETWEEN_LOOKS, upkeep._FIRST_LOOK_AGAIN = 4, 0.1, 0.2  # type: ignore[misc]
    with Catalogue(database) as catalogue:
        # No event tells that they can be read by now.
        library = LivingLibrary(root, catalogue, Path(scratch) / "cookies", watch="off")
        with catalogue.transaction() as cursor:  # while we may still reach the server
            cursor.execute("SELECT 1")
        become_nobody(root)
        directories = [root / f"{number:02}" for number in range(10)]
        for directory in directories:
            directory.mkdir()
            (directory / "file").touch()
            directory.chmod(0)
        with living(library):
            assert len(library.query("SELECT path FROM directory_problems")) == len(directories)
            directories[-1].chmod(0o755)
            until(lambda: set(library.records()) == {"09/file"})
            for directory in directories:
                directory.chmod(0o755)
            until(lambda: len(library.records()) == len(directories))
            assert library.query("SELECT * FROM directory_problems") == []
            library.sync()  # the pass that has found it may still be at work
            library.check()


def test_each_unreadable_directory_is_looked_at_again_however_many_there_are(shared_path: Path, database: str) -> None:
    apart(_many_closed, shared_path, database)


def _dying_disk(scratch: str, database: str) -> None:
    root = Path(scratch) / "library"
    (root / "disk").mkdir(parents=True)
    (root / "good").mkdir()
    served: dict[str, Any] = {"entries": {"file": {}, "bad": {"entries": {}, "list_error": errno.EIO}}}
    with Catalogue(from_elsewhere(database)) as catalogue, tiny_fuse(root / "disk", served) as server:
        library = LivingLibrary(root, catalogue, Path(scratch) / "cookies", debounce=0.02)
        with living(library):
            assert "disk/file" in library.records()
            assert library.query("SELECT path, problem_kind FROM directory_problems") == [("disk/bad", "io")]
            server.kill()
            server.wait()
            library.look()
            problems = dict(library.query("SELECT path, problem_kind FROM directory_problems"))
            assert problems["disk"] == "disconnected"
            goes_on(library, "after-the-mess")
            assert "disk/file" in library.records()
            unmount(root / "disk")
            until(lambda: library.worker.phase is Phase.OFFLINE)
            assert "nothing can be seen on disk" in library.worker.why
            assert "disk/file" in library.records()


def test_a_disk_that_dies_is_a_recorded_problem_and_one_that_is_gone_takes_the_root_offline(
    tmp_path: Path, database: str
) -> None:
    privately(_dying_disk, tmp_path, database)


def test_a_root_that_vanishes_and_comes_back(library: LivingLibrary) -> None:
    goes_on(library, "one")
    before = library.records()
    away = library.root.parent / "away"
    library.root.rename(away)
    until(lambda: library.worker.phase is Phase.OFFLINE)
    assert library.worker.why.endswith("there is nothing at this path")
    library.root.write_text("a file in its place")
    with pytest.raises(CensusError, match="is offline"):
        library.worker.sync(1.0)
    assert library.records() == before
    library.root.unlink()
    (away / "good/while-it-was-away").touch()
    away.rename(library.root)
    until(lambda: library.worker.phase is Phase.WATCHING)
    assert library.records().keys() == before.keys() | {"good/while-it-was-away"}
    goes_on(library, "two")
