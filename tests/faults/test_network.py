"""A network between the daemon and its database, whose cable is pulled: nobody says that a connection has ended."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest

from tests.faults.arena import Arena, trials
from tests.faults.elsewhere import elsewhere
from tests.faults.proxy import Proxy
from tests.tools.private import networked
from tests.tools.waiting import until

SERVER: Final = ("10.77.0.1", 5432)
DAEMON: Final = "10.77.0.2"

NOTICED_WITHIN: Final = 80.0
"""Seconds after which a connection is given up that nothing comes through: a minute, and what it takes to look."""

WAITS: Final = {"trying again", "waiting for the database"}

WAITING: Final = """
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND strpos(query, 'change_number + 1') > 0
"""
"""Sessions that want to write to a repository, which somebody has locked."""


@contextmanager
def host_of_its_own(arena: Arena) -> Iterator[None]:
    """The daemon has a network of its own, and a cable leads from there to the one of this process."""
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline()
        there = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        ip("link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(holder.pid))
        for prefix, link, address in (([], "here", SERVER[0]), (there, "there", DAEMON)):
            ip("address", "add", f"{address}/24", "dev", link, prefix=prefix)
            for each in ("lo", link):
                ip("link", "set", each, "up", prefix=prefix)
        arena.daemon.program = [*there, *arena.daemon.program]
        try:
            yield
        finally:
            arena.daemon.kill()
            holder.stdin.close()


def ip(*what: str, prefix: list[str] | None = None) -> None:
    """Change something about a network."""
    done = subprocess.run([*(prefix or []), "ip", *what], capture_output=True, text=True, check=False)
    if done.returncode and "veth" in what:
        pytest.skip(f"no cable can be laid here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@contextmanager
def pulled() -> Iterator[None]:
    """The cable is pulled: whatever is sent is lost, and neither side is told."""
    ip("link", "set", "here", "down")
    try:
        yield
    finally:
        ip("link", "set", "here", "up")


def notices(arena: Arena) -> str:
    """Wait until the daemon says that the database is away. Returns after how many seconds."""
    began = time.monotonic()
    until(lambda: phase(arena) in WAITS, arena.daemon.log_text, NOTICED_WITHIN)
    return f"{time.monotonic() - began:.0f} s"


def phase(arena: Arena) -> str:
    """What the daemon says that it is doing about the tree."""
    (one,) = arena.daemon.status()["repositories"]
    return str(one["phase"])


def _half_open(arena: Arena) -> None:
    @contextmanager
    def cut(arena: Arena) -> Iterator[None]:
        with pulled():
            yield
            arena.lasts(3)
            if arena.trial.long:
                arena.note = f"noticed after {notices(arena)}"

    @contextmanager
    def answer_is_lost(arena: Arena) -> Iterator[None]:
        """What was asked has arrived, so that only silence tells that no answer will."""
        with psycopg.connect(arena.database) as other:
            other.execute("SELECT FROM repositories FOR UPDATE")
            until(lambda: arena.query(WAITING))
            # That it has arrived may be said a moment later.
            arena.lasts(0.5)
            with pulled():
                other.rollback()
                yield
                arena.note = f"noticed after {notices(arena)}"

    with host_of_its_own(arena), Proxy(SERVER, arena.database) as proxy:
        arena.daemon.dsn = proxy.conninfo
        arena.prepare()
        with arena.daemon:
            arena.round("the cable to PostgreSQL is pulled", cut)
            if arena.trial.long:
                arena.round("the cable is pulled before an answer comes", answer_is_lost)


@trials(seeds=2)
def test_a_half_open_connection(arena: Arena) -> None:
    if shutil.which("ip") is None:
        pytest.skip("ip is not there (Debian package iproute2)")
    elsewhere(networked, arena, _half_open)
