"""``censusd worker``: real processes that share one backlog through a real database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest

from censusd.config import Config, load
from censusd.errors import CensusError
from censusd.service.assistant import Assistant
from tests.faults.proxy import Proxy
from tests.tools.daemon import BUSY_IS_FINE, DEADLINE, DaemonProcess
from tests.tools.library import Library
from tests.tools.scanning import scanning, sha256, site
from tests.tools.waiting import until


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def configuration(root: Path, *more: str, name: str = "library", batch: int = 10) -> str:
    """A worker's part of a configuration, by which a machine that runs tests is hardly ever too busy."""
    repository = (f'name = "{name}"', f'path = "{root}"', *more)
    return "\n".join((BUSY_IS_FINE, "workers = 1", f"batch_size = {batch}", "[[repository]]", *repository)) + "\n"


def worker(place: Path, number: int, database: str, config: str) -> DaemonProcess:
    """A worker process that is still to be started."""
    directory = place / str(number)
    directory.mkdir(exist_ok=True)
    return DaemonProcess(directory, database, config, command="worker")


def fill(library: Library, count: int) -> dict[str, str]:
    """A backlog that has waited for so long that no busy machine holds it back. Returns path -> content hash."""
    made = {}
    for number in range(count):
        path = f"d{number % 9}/f{number}"
        made[path] = sha256(library.write(path, f"content {number}" * 100))
    library.reconcile()
    library.query("UPDATE files SET updated_at = now() - interval '30 days'")
    return made


def hashes(library: Library) -> dict[str, str]:
    """Path -> content hash on record, where there is one."""
    return dict(library.query("SELECT file_path, content_hash FROM file_records WHERE content_hash IS NOT NULL"))


def files_done(process: DaemonProcess) -> int:
    """How many files a worker's log says that it has done."""
    return sum(event["files"] for event in process.log_events() if event.get("work") == "deep_scan")


def claims(library: Library) -> list[tuple[object, ...]]:
    """Who holds how many claims."""
    return library.query("SELECT worker, count(*) FROM deep_scan_claims GROUP BY worker")


def is_looking(process: DaemonProcess) -> bool:
    """Whether its deep scan has begun to look for work."""
    return process.notifications is not None and any(
        message.startswith("STATUS=deep scan: ") for message in process.notifications.messages
    )


def test_two_workers_share_a_backlog(library: Library, place: Path, database: str) -> None:
    made = fill(library, 3000)
    # Nobody may begin before both are there.
    library.query("UPDATE repositories SET state = 'offline'")
    with ExitStack() as stack:
        both = [worker(place, number, database, configuration(library.root)) for number in (1, 2)]
        for process in both:
            stack.enter_context(process)
            until(partial(is_looking, process))
        library.query("UPDATE repositories SET state = 'active'")
        until(lambda: hashes(library) == made)
        until(lambda: claims(library) == [])
        assert [process.stop() for process in both] == [0, 0]
        done = [files_done(process) for process in both]
    assert sum(done) == len(made)
    assert min(done) > 0
    ((counted,),) = library.query(
        "SELECT sum(files_scanned)::int FROM sync_operations WHERE operation_type = 'deep_scan'"
    )
    assert counted == len(made)


@pytest.mark.parametrize("restarted", [True, False])
def test_a_killed_worker_loses_nothing(library: Library, place: Path, database: str, restarted: bool) -> None:
    made = fill(library, 1500)
    config = configuration(library.root, batch=100)
    with worker(place, 1, database, config) as first, worker(place, 2, database, config):
        until(lambda: hashes(library))
        assert first.process is not None
        dead = f"%/{first.process.pid}/%"
        first.kill()
        if restarted:
            first.start()  # as systemd does; what the dead one held goes on at once, because it is known to be dead
        else:
            # Else its leases have to run out, which takes minutes: they have done so now.
            library.query("UPDATE deep_scan_claims SET lease_expires_at = now() WHERE worker LIKE %s", dead)
        until(lambda: hashes(library) == made)
        until(lambda: claims(library) == [])
    assert library.query("SELECT count(*) FROM quarantined_files") == [(0,)]


def test_from_start_to_stop(library: Library, place: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    (library.root / "huge").write_bytes(os.urandom(1 << 20) * 200)
    fill(library, 20)
    with worker(place, 1, database, configuration(library.root)) as process:
        assert process.notifications is not None
        process.notifications.wait_for(lambda message: message == "WATCHDOG=1")
        until(lambda: len(hashes(library)) >= 1)
        (address,) = [event["metrics"] for event in process.log_events() if event.get("event") == "serving"]
        with urllib.request.urlopen(address) as answer:
            text = answer.read().decode()
        assert 'censusd_deep_scan_files_total{repository="library"}' in text
        with urllib.request.urlopen(address.replace("/metrics", "/-/ready")) as answer:
            assert answer.read() == b"ready\n"
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 10
        assert "STOPPING=1" in process.notifications.messages
    assert library.query("SELECT count(*) FROM deep_scan_claims WHERE lease_expires_at > now()") == [(0,)]
    assert library.query("SELECT lease_owner FROM repositories") == [("test",)]
    # It compares nothing: the only pass is the test's own.
    assert library.query("SELECT operation_type FROM sync_operations WHERE operation_type <> 'deep_scan'") == [
        ("quick_scan",)
    ]


def test_what_is_refused_ends_the_process_before_it_is_ready(library: Library, place: Path, database: str) -> None:
    fill(library, 1)
    file = place / "censusd.toml"
    file.write_text('[http]\nlisten = ""\n' + configuration(library.root, name="fotos"))
    environment = {**os.environ, "CENSUSD_DATABASE": database, "STATE_DIRECTORY": str(place)}
    command = [sys.executable, "-m", "censusd", "worker", "--config", str(file)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.bind(str(place / "notify"))
        environment["NOTIFY_SOCKET"] = str(place / "notify")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
        said = notifications.recv(1000, socket.MSG_DONTWAIT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "censusd: fotos is not in the catalogue (there: library): start the daemon that looks after it first, with the "
        "same name and the same database"
    )
    assert "Traceback" not in done.stderr
    assert said == b"STOPPING=1"


def refusal(place: Path, database: str, config: str) -> str:
    """Why a worker cannot begin."""
    file = place / "censusd.toml"
    file.write_text('[http]\nlisten = ""\n' + config)
    environment = {"CENSUSD_DATABASE": database, "STATE_DIRECTORY": str(place)}
    with (
        pytest.raises(CensusError) as caught,
        Assistant(load([file], environment), lambda: None) as assistant,
    ):
        assistant.prepare(threading.Event())
    return str(caught.value)


def test_what_cannot_be_helped_with_is_refused(library: Library, place: Path, database: str, server: str) -> None:
    fill(library, 40)
    root = library.root
    assert "fotos is not in the catalogue" in refusal(place, database, configuration(root, name="fotos"))
    assert "library is in the catalogue, but its root was never seen" in refusal_without_identity(
        library, place, database
    )
    assert "there is nothing at this path" in refusal(place, database, configuration(place / "nothing"))
    empty = place / "empty"
    empty.mkdir()
    assert refusal(place, database, configuration(empty)) == (
        f"{empty} is not library: of 32 files on record that were looked for in it, 32 are not there"
    )
    copy = place / "copy"
    shutil.copytree(root, copy)
    said = refusal(place, database, configuration(copy))
    assert (
        f"{copy} is not library: of 32 files on record that were looked for in it, 32 have other inode numbers" in said
    )
    assert "the marker file .mark is not there" in refusal(place, database, configuration(root, 'marker = ".mark"'))
    assert "there is no repository to deep-scan" in refusal(place, database, configuration(root, 'deep_scan = "never"'))
    assert "a worker shares its work with a daemon through a PostgreSQL" in refusal(place, "", configuration(root))
    # The server's own database has no catalogue in it.
    assert "there is no catalogue in this database yet" in refusal(place, server, configuration(root))
    library.query("UPDATE repositories SET state = 'retired'")
    assert "library is retired" in refusal(place, database, configuration(root))
    library.query("UPDATE repositories SET state = 'active'")
    library.query("INSERT INTO deep_scan_extractors SELECT id, 'images', 1000 FROM repositories")
    assert "library is not for this version: its files are read with version 1000 of the extractor images" in refusal(
        place, database, configuration(root)
    )
    library.query("INSERT INTO schema_migrations (number, name) VALUES (9999, 'of a newer version')")
    assert "the database has schema 9999, this version of censusd knows" in refusal(
        place, database, configuration(root)
    )
    library.query("DELETE FROM schema_migrations WHERE number > 1")
    assert "start the daemon of this version first" in refusal(place, database, configuration(root))
    assert hashes(library) == {}
    assert claims(library) == []


def refusal_without_identity(library: Library, place: Path, database: str) -> str:
    """What is said of a repository whose root its daemon has not seen yet."""
    ((identity,),) = library.query("SELECT identity::text FROM repositories")
    library.query("UPDATE repositories SET identity = NULL")
    said = refusal(place, database, configuration(library.root))
    library.query("UPDATE repositories SET identity = %s::jsonb", identity)
    return said


def test_the_tree_may_be_mounted_elsewhere_and_otherwise(library: Library, place: Path, database: str) -> None:
    made = fill(library, 40)
    # What the daemon's host says of its own disk does not hold here; and files go on changing.
    library.query('UPDATE repositories SET identity = identity || \'{"filesystem": "uuid:1", "type": "xfs"}\'')
    changed = next(iter(made))
    (library.root / changed).write_text("changed meanwhile")
    (place / "mount").symlink_to(library.root)
    del made[changed]
    with worker(place, 1, database, configuration(place / "mount")):
        until(lambda: hashes(library) == made)


def test_a_tree_that_goes_away_is_left_alone_until_it_is_back(
    library: Library, make_library: Callable[..., Library], place: Path, database: str
) -> None:
    fill(library, 40)
    other = make_library(place / "tree", "other")
    elsewhere = library.root.with_name("elsewhere")
    two = configuration(library.root) + f'[[repository]]\nname = "other"\npath = "{other.root}"\n'
    other.write("first")
    other.reconcile()
    with worker(place, 1, database, two) as process:
        until(lambda: len(hashes(library)) == 41)
        library.root.rename(elsewhere)
        (library.root / "d1").mkdir(parents=True)
        assert process.notifications is not None
        process.notifications.wait_for(
            lambda message: "library is left alone: another directory is there than the one that was" in message
        )
        again = "UPDATE files SET scan_phase = 0, content_hash = NULL, change_number = change_number + 1"
        library.query(again)
        library.query("UPDATE repositories SET change_number = change_number + 1")
        # It goes on with the other one, and does not so much as try this one.
        until(lambda: set(hashes(library)) == {"first"})
        assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]
        shutil.rmtree(library.root)
        elsewhere.rename(library.root)
        until(lambda: len(hashes(library)) == 41)


def contains(text: str) -> Callable[[str], bool]:
    """Whether a message has a text in it."""
    return lambda message: text in message


def test_a_newer_version_elsewhere_ends_the_work_of_an_old_one(library: Library, place: Path, database: str) -> None:
    fill(library, 20)
    with worker(place, 1, database, configuration(library.root)) as process:
        notifications = process.notifications
        assert notifications is not None
        until(lambda: len(hashes(library)) == 20)
        newer = "INSERT INTO deep_scan_extractors SELECT id, 'new', 1 FROM repositories"
        older = "DELETE FROM deep_scan_extractors WHERE extractor = 'new'"
        schema = "INSERT INTO schema_migrations (number, name) VALUES (9999, 'new')"
        for change, says in ((newer, "version 1 of the extractor new"), (schema, "the database has schema 9999")):
            seen = len(notifications.messages)
            library.query(change)
            seen = notifications.wait_for(contains(says), seen)
            library.query(older)
            library.query("DELETE FROM schema_migrations WHERE number = 9999")
            notifications.wait_for(lambda message: "left alone" not in message, seen)
        library.write("new")
        library.reconcile()
        until(lambda: len(hashes(library)) == 21)


def test_a_reload_that_cannot_be_is_refused(library: Library, place: Path, database: str) -> None:
    fill(library, 20)
    with worker(place, 1, database, configuration(library.root)) as process:
        notifications = process.notifications
        assert notifications is not None
        until(lambda: len(hashes(library)) == 20)
        process.configure(configuration(place))
        seen = len(notifications.messages)
        process.signal(signal.SIGHUP)
        notifications.wait_for(lambda message: message == "READY=1", seen)
        assert "the configuration cannot be used: the old one stays in force" in process.log_text()
        library.write("new")
        library.reconcile()
        until(lambda: len(hashes(library)) == 21)
        process.configure(configuration(library.root, batch=50))
        seen = len(notifications.messages)
        process.signal(signal.SIGHUP)
        notifications.wait_for(lambda message: message == "READY=1", seen)
        assert "deep_scan changed: batch_size" in process.log_text()


def test_a_worker_waits_for_the_database(library: Library, place: Path, database: str, server: str) -> None:
    made = fill(library, 20)
    info = psycopg.conninfo.conninfo_to_dict(database)
    absent = psycopg.conninfo.make_conninfo(database, dbname="not_there_yet_either")
    library.repository.catalogue.close()
    with (
        psycopg.connect(server, autocommit=True) as connection,
        worker(place, 1, absent, configuration(library.root)) as process,
    ):
        assert process.notifications is not None
        process.notifications.wait_for(lambda message: message.startswith("STATUS=waiting for the database"))
        connection.execute(f'CREATE DATABASE not_there_yet_either TEMPLATE "{info["dbname"]}"')
        try:

            def count() -> int:
                with psycopg.connect(absent) as there:
                    row = there.execute("SELECT count(*) FROM files WHERE scan_phase = 1").fetchone()
                return row[0] if row else 0

            until(lambda: count() == len(made))
        finally:
            process.stop()
            connection.execute("DROP DATABASE not_there_yet_either WITH (FORCE)")


class Paused(Assistant):
    """A worker that pauses when it has looked at everything, before it begins."""

    def __init__(self, config: Config) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        super().__init__(config, lambda: None)

    def _outdated(self) -> dict[str, str]:
        found = super()._outdated()
        self.reached.set()
        self.go_on.wait()
        return found


@pytest.mark.usefixtures("own_log")
def test_a_reload_in_the_middle_of_the_start_is_looked_at_too(library: Library, place: Path, database: str) -> None:
    fill(library, 1)
    (place / "fotos").mkdir()
    file, refusals = place / "censusd.toml", list[str]()

    def configured(root: Path, name: str) -> Config:
        file.write_text('[http]\nlisten = ""\n' + configuration(root, name=name))
        return load([file], {"CENSUSD_DATABASE": database, "STATE_DIRECTORY": str(place)})

    def prepare() -> None:
        try:
            assistant.prepare(threading.Event())
        except CensusError as error:
            refusals.append(str(error))

    with Paused(configured(library.root, "library")) as assistant:
        starting = threading.Thread(target=prepare)
        starting.start()
        assistant.reached.wait()
        assistant.reload(configured(place / "fotos", "fotos"))
        assistant.go_on.set()
        starting.join()
        assert not assistant._prepared
    assert len(refusals) == 1
    assert "fotos is not in the catalogue" in refusals[0]


def weaker(process: DaemonProcess) -> DaemonProcess:
    """The same, but it may read no more than the files' modes say, also as root."""
    if os.geteuid() == 0:
        process.program = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *process.program]
    return process


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root needs setpriv to be somebody less")
def test_what_only_this_worker_may_not_read_is_left_to_others(library: Library, place: Path, database: str) -> None:
    made = fill(library, 40)
    # A tree is known by what is at the ends of the key.
    closed = [f"d{number % 9}/f{number}" for number in range(18, 24)]
    for path in closed:
        (library.root / path).chmod(0)
    library.reconcile()
    library.query("UPDATE files SET updated_at = now() - interval '30 days'")
    with (
        Proxy(place, database) as proxy,
        weaker(worker(place, 1, proxy.conninfo, configuration(library.root))) as process,
    ):
        rest = {path: content for path, content in made.items() if path not in closed}
        until(lambda: hashes(library) == rest, process.log_text)
        until(lambda: [kept for _, kept in claims(library)] == [len(closed)], process.log_text)
        until(lambda: claims(library) == [(None, len(closed))], process.log_text)
        assert process.stop() == 0
        said = [event for event in process.log_events() if event["event"].startswith("left to others")]
        assert [event["file"] in closed for event in said] == [True], "once is enough"
    assert library.query("SELECT DISTINCT attempts, put_off, last_error FROM deep_scan_claims") == [(0, 0, None)]
    for path in closed:
        (library.root / path).chmod(0o600)
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root)):
        until(lambda: hashes(library) == made)
