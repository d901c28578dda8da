"""The daemon and its private PostgreSQL, while that takes its time to recover."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from censusd.catalogue.embedded import EmbeddedServer
from censusd.catalogue.embedded_cluster import Cluster
from censusd.config import load
from censusd.service.application import Application
from tests.tools.daemon import DaemonProcess
from tests.tools.server_holder import FAST
from tests.tools.waiting import until

_AT_ONCE = 20.0
"""Seconds; it would be fifteen minutes, and systemd would have killed it long before."""


def recover_for_ever(cluster: Cluster) -> None:
    """Have the next start recover from an archive that never answers: as long a recovery as anybody could have."""
    for name, text in {
        "postgresql.auto.conf": "restore_command = 'sleep 600'\n",
        "recovery.signal": "",
    }.items():
        (cluster.path / name).write_text(text)
        os.chown(cluster.path / name, cluster.user.uid, cluster.user.gid)


def kill_server(cluster: Cluster) -> None:
    """End PostgreSQL and its keeper as a lack of memory does."""
    postmaster = int((cluster.path / "postmaster.pid").read_text().split()[0])
    status = Path(f"/proc/{postmaster}/status").read_text()
    for process in (int(status.split("PPid:")[1].split()[0]), postmaster):
        os.kill(process, signal.SIGKILL)


def server_processes(cluster: Cluster) -> list[int]:
    """PostgreSQL's first process, and all that it has begun."""
    postmaster = int((cluster.path / "postmaster.pid").read_text().split()[0])
    return [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]


def stopped_within(daemon: DaemonProcess, seconds: float) -> bool:
    began = time.monotonic()
    return daemon.stop() == 0 and time.monotonic() - began < seconds


def test_a_start_that_waits_for_recovery_says_so_and_can_be_stopped(shared_path: Path) -> None:
    with EmbeddedServer.start(shared_path / "state", settings=FAST) as server:
        cluster = server.cluster
    recover_for_ever(cluster)
    daemon = DaemonProcess(shared_path, "", f'[[repository]]\nname = "tree"\npath = "{shared_path}/tree"\n')
    daemon.start_at_once()
    try:
        assert daemon.notifications is not None
        daemon.notifications.wait_for(lambda message: message.startswith("STATUS=") and "PostgreSQL" in message)
        until(lambda: cluster.state() == "starting", "it does not recover")
        assert stopped_within(daemon, _AT_ONCE)
        assert "STOPPING=1" in daemon.notifications.messages
        assert "READY=1" not in daemon.notifications.messages
    finally:
        daemon.__exit__(None, None, None)


@pytest.mark.slow
def test_a_daemon_whose_database_recovers_can_be_stopped(shared_path: Path) -> None:
    (shared_path / "tree").mkdir()
    daemon = DaemonProcess(shared_path, "", f'[[repository]]\nname = "tree"\npath = "{shared_path}/tree"\n')
    with daemon, EmbeddedServer.start(shared_path / "state", settings=FAST) as server:
        daemon.sync("tree")
        cluster = server.cluster
        server.close()
        recover_for_ever(cluster)
        kill_server(cluster)
        until(lambda: cluster.state() == "starting", "it was not started again")
        assert stopped_within(daemon, _AT_ONCE)
        assert "Traceback" not in daemon.log_text()


@pytest.mark.slow
def test_a_daemon_whose_database_hangs_can_be_stopped(shared_path: Path) -> None:
    (shared_path / "tree").mkdir()
    with EmbeddedServer.start(shared_path / "server", settings=FAST) as server:
        daemon = DaemonProcess(
            shared_path, server.conninfo, f'[[repository]]\nname = "tree"\npath = "{shared_path}/tree"\n'
        )
        with daemon:
            daemon.sync("tree")
            processes = server_processes(server.cluster)
            try:
                for process in processes:
                    os.kill(process, signal.SIGSTOP)
                until(lambda: "did not answer" in daemon.ctl("status").stdout, "nobody waits for it")
                assert stopped_within(daemon, 30.0)
            finally:
                for process in processes:
                    os.kill(process, signal.SIGCONT)


def test_a_server_that_dies_while_the_daemon_starts_is_started_again(shared_path: Path) -> None:
    file, state = shared_path / "censusd.toml", str(shared_path / "state")
    file.write_text('[http]\nlisten = ""\n')
    config = load([file], {"STATE_DIRECTORY": state, "RUNTIME_DIRECTORY": str(shared_path)})
    stopping = threading.Event()
    with EmbeddedServer.start(shared_path / "state", settings=FAST) as server:
        cluster = server.cluster
        with Application(config, lambda: None) as application:
            server.close()
            kill_server(cluster)
            starting = threading.Thread(target=application.prepare, args=(stopping,))
            starting.start()
            try:
                starting.join(_AT_ONCE)
                assert not application.trouble
                assert not starting.is_alive()
            finally:
                stopping.set()
                starting.join()
