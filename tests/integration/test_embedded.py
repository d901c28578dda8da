"""The life of the private PostgreSQL: who starts it, who keeps it, and what ends it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from censusd.catalogue import keeper
from censusd.catalogue.embedded import EmbeddedServer
from censusd.catalogue.embedded_launch import is_free
from censusd.errors import EmbeddedServerError
from tests.tools.server_holder import FAST, Holder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        yield server


def query(server: EmbeddedServer, statement: str) -> object:
    with psycopg.connect(server.conninfo) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def fill(server: EmbeddedServer) -> None:
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")


def home(directory: Path, name: str) -> Path:
    """What has this name in the directory of clusters, whatever the major version."""
    (path,) = (directory / "postgresql").glob(name)
    return path


def postmaster(directory: Path) -> int:
    return int(home(directory, "*/postmaster.pid").read_text().split()[0])


def parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def wait_until_gone(directory: Path) -> None:
    """Wait for the kernel's word that no process of the server is left; the test's timeout is the deadline."""
    with home(directory, "*.server.lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within 30 s"
        threading.Event().wait(0.001)


def test_it_is_as_the_catalogue_needs_it(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path / "missing" / "so far") as server:
        assert query(server, "SELECT current_user || ' ' || current_database()") == "censusd censusd"
        assert query(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "autovacuum": "on",
            "listen_addresses": "",
            "max_wal_size": "2GB",
            "server_encoding": "UTF8",
            "unix_socket_permissions": "0700",
        }.items():
            assert query(server, f"SHOW {name}") == value, name
        assert query(server, "SELECT 'Z' < 'a'") is True, "names are ordered by their bytes"
        assert server.cluster.path.stat().st_mode & 0o777 == 0o700


def test_databases_can_be_made_in_it(server: EmbeddedServer) -> None:
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("CREATE DATABASE another")
        connection.execute("DROP DATABASE another WITH (FORCE)")


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        fill(server)
    assert not (server.cluster.path / "postmaster.pid").exists(), "close waits for a shutdown in good order"
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        assert query(server, "SELECT count(*) FROM kept") == 1000


def test_closing_twice_is_closing_once(server: EmbeddedServer) -> None:
    server.close()
    server.close()
    with pytest.raises(EmbeddedServerError, match="has been closed"):
        server.ensure_running()


def test_many_at_once_share_one_server(tmp_path: Path) -> None:
    holders = [Holder(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(lambda _: EmbeddedServer.start(tmp_path, settings=FAST), range(4)))
    try:
        addresses = {server.conninfo for server in servers} | {holder.conninfo() for holder in holders}
        assert len(addresses) == 1
        names = {path.name for path in (tmp_path / "postgresql").iterdir()}
        major = str(servers[0].binaries.major)
        assert names == {major, f"{major}.server.lock", f"{major}.users.lock"}
        assert servers[0].cluster.log.read_text().count("ready to accept connections") == 1
    finally:
        for server in servers:
            server.close()
        assert all("still here" in holder.let_go() for holder in holders)


def test_a_killed_user_takes_nothing_from_the_others(server: EmbeddedServer) -> None:
    with psycopg.connect(server.conninfo) as connection, Holder(server.cluster.directory) as holder:
        holder.conninfo()
        holder.kill()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_stops_when_all_its_users_were_killed(tmp_path: Path) -> None:
    with Holder(tmp_path) as first, Holder(tmp_path) as second:
        first.conninfo()
        second.conninfo()
        first.kill()
        second.kill()
        wait_until_gone(tmp_path)
    assert "database system is shut down" in home(tmp_path, "*/log/server.log").read_text()


def test_a_forked_child_that_closes_its_copy_takes_nothing_from_its_parent(tmp_path: Path) -> None:
    script = """if True:
        import os, sys
        from pathlib import Path
        import psycopg
        from censusd.catalogue.embedded import EmbeddedServer
        with EmbeddedServer.start(Path(sys.argv[1])) as server, psycopg.connect(server.conninfo) as connection:
            child = os.fork()
            if not child:
                server.close()
                os._exit(0)
            os.waitpid(child, 0)
            with EmbeddedServer.start(Path(sys.argv[1])):  # joins; if the lock were lost, it would be a new server
                pass
            print(connection.execute("SELECT 'still here'").fetchone())
    """
    command = [sys.executable, "-c", script, os.fspath(tmp_path)]
    assert "still here" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_ends_with_its_keeper_and_can_be_had_again(server: EmbeddedServer) -> None:
    fill(server)
    address = server.conninfo
    os.kill(parent(postmaster(server.cluster.directory)), signal.SIGKILL)
    wait_until_gone(server.cluster.directory)
    with pytest.raises(psycopg.OperationalError):
        query(server, "SELECT 1")
    server.ensure_running()
    assert server.conninfo == address
    assert query(server, "SELECT count(*) FROM kept") == 1000


def test_a_new_server_waits_for_the_end_of_the_old_one(server: EmbeddedServer) -> None:
    with psycopg.connect(server.conninfo) as connection:
        straggler = connection.info.backend_pid
        os.kill(straggler, signal.SIGSTOP)
        try:
            os.kill(parent(postmaster(server.cluster.directory)), signal.SIGKILL)
            eventually(lambda: server.cluster.state() == "stopping", "the shutdown")
            assert not is_free(server.cluster.server_lock)
        finally:
            os.kill(straggler, signal.SIGCONT)
    server.ensure_running()
    assert query(server, "SELECT 1") == 1


def test_it_recovers_when_the_server_is_killed(server: EmbeddedServer) -> None:
    fill(server)
    os.kill(postmaster(server.cluster.directory), signal.SIGKILL)
    eventually(lambda: _restarts(server), "a new server")
    assert query(server, "SELECT count(*) FROM kept") == 1000


def _restarts(server: EmbeddedServer) -> bool:
    server.ensure_running()
    return server.cluster.log.read_text().count("ready to accept connections") == 2


def test_a_directory_that_went_away_is_an_error_until_it_comes_back(server: EmbeddedServer) -> None:
    os.kill(parent(postmaster(server.cluster.directory)), signal.SIGKILL)
    wait_until_gone(server.cluster.directory)
    elsewhere = server.cluster.directory / "elsewhere"
    server.cluster.home.rename(elsewhere)
    with pytest.raises(EmbeddedServerError, match=r"cannot be kept in .*No such file or directory"):
        server.ensure_running()
    elsewhere.rename(server.cluster.home)
    server.ensure_running()
    assert query(server, "SELECT 1") == 1


def test_it_recovers_when_everything_was_killed_at_once(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder.conninfo()
        victims = [holder.process.pid, postmaster(tmp_path), parent(postmaster(tmp_path))]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in victims:
                os.kill(process, number)
        holder.process.wait()
        wait_until_gone(tmp_path)
    with EmbeddedServer.start(tmp_path, settings=FAST) as again:
        assert query(again, "SELECT 1") == 1
        assert "automatic recovery in progress" in again.cluster.log.read_text()


def test_asking_for_it_while_it_runs_changes_nothing(server: EmbeddedServer) -> None:
    before = query(server, "SELECT pg_postmaster_start_time()")
    server.ensure_running()
    assert query(server, "SELECT pg_postmaster_start_time()") == before


def test_a_stale_pid_file_that_names_a_stranger(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        path = server.cluster.path / "postmaster.pid"
        content = path.read_text()
        owner = server.cluster.user
    as_owner: dict[str, Any] = owner.run_as()  # else PostgreSQL itself sees that it is none of its own
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, **as_owner) as stranger:
        path.write_text(content.replace(content.split()[0], str(stranger.pid), 1))
        os.chown(path, owner.uid, owner.gid)
        with EmbeddedServer.start(tmp_path, settings=FAST):
            assert postmaster(tmp_path) != stranger.pid
        assert stranger.poll() is None
        stranger.communicate()


def test_signals_meant_for_the_daemon_do_not_reach_it(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder.conninfo()
        keeper_process = parent(postmaster(tmp_path))
        assert os.getsid(keeper_process) != os.getsid(holder.process.pid)
        holder.interrupt()
        os.kill(keeper_process, signal.SIGTERM)  # as systemd does to a whole control group
        assert "still here" in holder.let_go()


def test_it_holds_none_of_its_starters_pipes(tmp_path: Path) -> None:
    with Holder(tmp_path) as first:
        first.conninfo()
        with Holder(tmp_path) as second:
            second.conninfo()
            first.kill()
            assert first.process.stdout is not None
            assert first.process.stdout.read() == ""  # the end of it comes while the server runs on
            assert "still here" in second.let_go()


def test_an_interrupted_initdb_leaves_nothing(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        eventually(lambda: list(tmp_path.glob("postgresql/*.initdb-*/base")), "initdb at work")
        holder.kill()
    # Of the cluster, that is; what initdb itself runs may have left one in its own directory.
    assert not list(tmp_path.glob("postgresql/[0-9][0-9]/postmaster.pid"))
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        assert query(server, "SELECT 1") == 1
    assert not list(tmp_path.glob("postgresql/*.initdb-*"))


def test_settings_reach_it_quoted(tmp_path: Path) -> None:
    settings = {**FAST, "work_mem": "7MB", "censusd.text": r"it's a \n"}
    with EmbeddedServer.start(tmp_path, settings=settings) as server:
        assert query(server, "SHOW work_mem") == "7MB"
        assert query(server, "SHOW censusd.text") == r"it's a \n"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("listen_addresses", "*", "cannot be changed"),
        ("Port", "1", "cannot be changed"),
        ("work_mem", "1MB'\nport = 1", "is not a setting"),
        ("no such setting", "1", "is not a setting"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(EmbeddedServerError, match=words):
        EmbeddedServer.start(tmp_path, settings={name: value})
    assert not list(tmp_path.iterdir())


def test_a_setting_that_postgresql_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match='unrecognized configuration parameter "work_memory"'):
        EmbeddedServer.start(tmp_path, settings={**FAST, "work_memory": "1MB"})
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:  # and it is mended by mending the setting
        assert query(server, "SELECT 1") == 1


def test_the_log_is_bounded(tmp_path: Path) -> None:
    talker = f"for n in range(3 * {keeper.LOG_LIMIT} // 100): print(n, 'x' * 100)"
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    directory = os.open(tmp_path, os.O_RDONLY)
    numbers = [str(lock), str(lock), str(directory)]
    with (tmp_path / "lock").open() as user:
        fcntl.flock(user, fcntl.LOCK_SH)
        subprocess.run(
            [sys.executable, "-m", "censusd.catalogue.keeper", *numbers, "", sys.executable, "-c", talker],
            check=True,
            capture_output=True,  # returns when the keeper has ended, too
            pass_fds=(lock, directory),
        )
    os.close(lock)
    os.close(directory)
    log, before = tmp_path / "log" / "server.log", tmp_path / "log" / "server.log.1"
    assert keeper.LOG_LIMIT // 2 < before.stat().st_size <= keeper.LOG_LIMIT
    assert 0 < log.stat().st_size <= keeper.LOG_LIMIT
    assert {path.name for path in log.parent.iterdir()} == {log.name, before.name}


def test_the_keeper_says_how_it_is_called() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "censusd.catalogue.keeper"], check=False, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr.startswith("usage: ")
