"""What the daemon finds around it when it starts: no database, strangers' traces, places that are full or closed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from tests.faults.arena import REPOSITORY, Arena, Trial, trials
from tests.tools.library import from_elsewhere
from tests.tools.server_holder import FAST


@pytest.fixture
def alone(trial: Trial, shared_path: Path, request: pytest.FixtureRequest) -> tuple[Arena, Path]:
    """An arena whose daemon has a private PostgreSQL, and where that keeps its data."""
    with EmbeddedServer.start(shared_path / "state", settings=FAST) as server:
        with Catalogue(server.conninfo) as catalogue:
            migrations.migrate(catalogue)
        arena = Arena(shared_path, server.conninfo, trial, request.node.user_properties)
        arena.daemon.dsn = ""
        arena.prepare()
    return arena, server.cluster.path


def refused(arena: Arena) -> str:
    """Start the daemon, which cannot. Returns what it says."""
    before = len(arena.daemon.log_text())
    arena.daemon.start_at_once()
    assert arena.daemon.process is not None
    assert arena.daemon.process.wait(60) == 1
    return arena.daemon.log_text()[before:]


@trials(seeds=2)
def test_the_private_postgresql_cannot_be_had(alone: tuple[Arena, Path]) -> None:
    arena, data = alone

    @contextmanager
    def hidden(arena: Arena) -> Iterator[None]:
        yield
        assert arena.daemon.stop() == 0
        # Closed to it, so that it must neither be taken for a new one nor for a broken one.
        data.chmod(0)
        if os.geteuid() != 0:
            assert str(data.parent) in refused(arena)
        data.chmod(0o700)
        # Something else is there.
        away = data.with_name("away")
        data.rename(away)
        data.write_text("not a cluster")
        assert str(data.parent) in refused(arena)
        data.unlink()
        # Nothing is there, because a disk is not mounted: what is there now is no directory.
        state = data.parent.parent
        state.rename(state.with_name("elsewhere"))
        state.write_text("")
        assert str(state) in refused(arena)
        state.unlink()
        state.with_name("elsewhere").rename(state)
        away.rename(data)
        arena.workload.wait(20)
        arena.daemon.start()

    with arena.daemon:
        arena.round("the private PostgreSQL's directory is gone, or something else", hidden)


@trials(seeds=2)
def test_a_pid_file_that_names_a_stranger(alone: tuple[Arena, Path]) -> None:
    arena, data = alone

    @contextmanager
    def stale(arena: Arena) -> Iterator[None]:
        pid_file = data / "postmaster.pid"
        text = pid_file.read_text()
        yield
        assert arena.daemon.stop() == 0
        with subprocess.Popen(["sleep", "1000"]) as stranger:
            try:
                pid_file.write_text("\n".join([str(stranger.pid), *text.split("\n")[1:]]))
                os.chown(pid_file, data.stat().st_uid, data.stat().st_gid)
                arena.workload.wait(20)
                arena.daemon.start()
                arena.daemon.sync(REPOSITORY)
                assert stranger.poll() is None
            finally:
                stranger.kill()

    with arena.daemon:
        arena.round("a stale pid file of a stranger's process", stale)


def in_own_mounts(arena: Arena, *script: str) -> None:
    """Have the daemon start with mounts of its own, which a few commands make first."""
    user = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
    unshare = ["unshare", *user, "--mount", "--propagation", "private"]
    if (probe := subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"namespaces are not permitted here: {probe.stderr.strip()}")
    arena.daemon.dsn = from_elsewhere(arena.database)
    commands = " && ".join([*script, 'exec "$@"'])
    arena.daemon.program = [*unshare, "sh", "-c", commands, "sh", *arena.daemon.program]


@trials(seeds=2)
def test_temporary_files_have_no_room(arena: Arena) -> None:
    # The tree and everything else is in /tmp, so another place is the one for temporary files.
    place = arena.place / "tmp"
    place.mkdir()
    arena.daemon.environment = {"TMPDIR": str(place)}
    in_own_mounts(arena, f"mount -t tmpfs -o size=4k tmpfs {place}", f"head -c 4096 /dev/zero > {place}/filler")

    @contextmanager
    def anew(arena: Arena) -> Iterator[None]:
        arena.daemon.kill()
        arena.daemon.start()
        assert arena.daemon.process is not None
        assert os.statvfs(f"/proc/{arena.daemon.process.pid}/root{place}").f_bavail == 0
        yield

    arena.run("a full place for temporary files", anew)


@trials(seeds=2)
def test_nobody_may_know_of_pressure(arena: Arena) -> None:
    if not Path("/proc/pressure").exists():
        pytest.skip("this kernel knows of no pressure")
    in_own_mounts(arena, "mount -t tmpfs -o size=4k,mode=0 tmpfs /proc/pressure")

    @contextmanager
    def blind(arena: Arena) -> Iterator[None]:
        assert arena.daemon.process is not None
        assert not os.path.exists(f"/proc/{arena.daemon.process.pid}/root/proc/pressure/io")
        yield

    arena.run("/proc/pressure cannot be read", blind)
