"""``censusd worker`` on a host with other mounts below the root: it does no harm to what it does not see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from censusd.filesystem.identity import Root, look_at_root
from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.library import Library, from_elsewhere
from tests.tools.private import mount, privately, unmount
from tests.tools.scanning import sha256
from tests.tools.waiting import until

IDLE = BUSY_IS_FINE + "workers = 1\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def fill(library: Library) -> dict[str, str]:
    """Files in the root and in directories, that have waited for long. Returns path -> content hash."""
    paths = (
        *(f"first {n}" for n in range(20)),
        *(f"sub/{n}" for n in range(6)),
        "sub/in/7",
        *(f"own/{n}" for n in range(6)),
    )
    made = {path: sha256(library.write(path, path)) for path in (*paths, *(f"z {n}" for n in range(20)))}
    (library.root / "empty").mkdir()
    library.reconcile()
    # A tree is known by what is at the ends of the key.
    library.query("UPDATE files SET id = id + CASE left(name, 1) WHEN 'z' THEN 20000 WHEN 'f' THEN 0 ELSE 10000 END")
    library.query("UPDATE files SET updated_at = now() - interval '30 days'")
    return made


def ask(database: str, statement: str) -> dict[str, object]:
    """The rows of a statement of two columns."""
    with psycopg.connect(database) as connection:
        return dict(connection.execute(statement).fetchall())


def hashes(database: str) -> dict[str, object]:
    """Path -> content hash on record, where there is one."""
    return ask(database, "SELECT file_path, content_hash FROM file_records WHERE content_hash IS NOT NULL")


def troubles(database: str) -> dict[str, object]:
    """The files that were put off, or could not be read, with why."""
    return ask(
        database,
        "SELECT d.path || '/' || f.name, c.last_error FROM deep_scan_claims c"
        " JOIN files f ON f.id = c.file_id JOIN directories d ON d.id = f.directory_id"
        " WHERE c.attempts > 0 OR c.put_off > 0 OR c.quarantined_at IS NOT NULL",
    )


def read_again(database: str) -> None:
    """Have everything looked at again, as if all of it had changed."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE files SET scan_phase = 0, content_hash = NULL, change_number = change_number + 1")
        connection.execute("UPDATE repositories SET change_number = change_number + 1")


def worker(root: Path, place: Path, database: str, *more: str) -> DaemonProcess:
    """A worker on this process's host."""
    config = "\n".join((IDLE, "[[repository]]", 'name = "library"', f'path = "{root}"', *more)) + "\n"
    return DaemonProcess(place, database, config, command="worker")


def says(process: DaemonProcess, text: str, *, after: int = 0) -> int:
    """Wait until its status says something. Returns how many messages it had sent by then."""
    assert process.notifications is not None
    return process.notifications.wait_for(lambda message: text in message, after)


def _begin_with_something_else_mounted(root: str, place: str, dsn: str, made: str) -> None:
    tree, database, known = Path(root), from_elsewhere(dsn), json.loads(made)
    mount("tmpfs", tree / "sub")
    (tree / "sub/1").write_text("not what it is")
    (tree / "sub/2").write_text("sub/2")
    mount("tmpfs", tree / "own", bind=tree / "own")  # the right files
    with worker(tree, Path(place), database, 'deep_scan_auto = ["sub/in"]') as process:
        says(process, "library:sub/ is left alone: something else is mounted there on this host: of 7 files on record")
        rest = {path: made for path, made in known.items() if not path.startswith("sub/")}
        until(lambda: hashes(database) == rest)
        unmount(tree / "sub")
        until(lambda: hashes(database) == known)
        assert troubles(database) == {}
        assert "back" in {event["event"] for event in process.log_events()}


def _have_something_else_mounted_meanwhile(root: str, place: str, dsn: str, made: str) -> None:
    tree, database, known = Path(root), from_elsewhere(dsn), json.loads(made)
    with worker(tree, Path(place), database) as process:
        until(lambda: hashes(database) == known)
        mount("tmpfs", tree / "sub")
        (tree / "sub").chmod(0)
        says(process, "library:sub/ is left alone")
        read_again(database)
        rest = {path: made for path, made in known.items() if not path.startswith("sub/")}
        until(lambda: hashes(database) == rest)
        # Empty as it is, nothing speaks for it.
        mount("tmpfs", tree / "empty")
        says(process, "library:empty/ is left alone: something is mounted there on this host only, and nothing is on")
        for directory in ("sub", "empty"):
            unmount(tree / directory)
        until(lambda: hashes(database) == known)
        assert troubles(database) == {}


def _miss_a_mount(root: str, place: str, dsn: str, made: str) -> None:
    """Mounted as the daemon has it; then not; then again."""
    tree, database, known = Path(root), from_elsewhere(dsn), json.loads(made)
    mount("tmpfs", tree / "sub", bind=tree / "sub")
    seen = look_at_root(tree, "")
    assert isinstance(seen, Root)
    identity = json.dumps({"mounts": seen.identity.mounts})
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE repositories SET identity = identity || %s::jsonb", (identity,))
    store = tree.with_name("store")
    store.mkdir()
    mount("tmpfs", store, bind=tree / "sub")
    with worker(tree, Path(place), database) as process:
        until(lambda: hashes(database) == known)
        unmount(tree / "sub")
        said = says(process, "library is left alone: nothing can be seen on sub, where")
        read_again(database)
        mount("tmpfs", tree / "sub", bind=store)
        says(process, "STATUS=deep scan", after=said)
        until(lambda: hashes(database) == known)
        assert troubles(database) == {}


@pytest.mark.parametrize(
    "happens", [_begin_with_something_else_mounted, _have_something_else_mounted_meanwhile, _miss_a_mount]
)
def test_what_is_mounted_otherwise_here_is_nobody_elses_trouble(
    library: Library, place: Path, database: str, happens: Callable[..., None]
) -> None:
    made = fill(library)
    privately(happens, library.root, place, database, json.dumps(made))
    assert library.query("SELECT count(*) FROM quarantined_files") == [(0,)]


def test_a_tree_of_which_a_known_mount_is_not_there_is_refused(library: Library, place: Path, database: str) -> None:
    fill(library)
    library.query('UPDATE repositories SET identity = identity || \'{"mounts": {"sub": "uuid:1"}}\'')
    file = place / "censusd.toml"
    file.write_text(f'{IDLE}[http]\nlisten = ""\n[[repository]]\nname = "library"\npath = "{library.root}"\n')
    (library.root / "sub").rename(library.root / "away")
    (library.root / "sub").mkdir()
    environment = {**os.environ, "CENSUSD_DATABASE": database, "STATE_DIRECTORY": str(place)}
    command = [sys.executable, "-m", "censusd", "worker", "--config", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "/sub is not library: of 7 files on record that were looked for in it, 7 are not there" in done.stderr
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]
