"""A disk that does not answer: it holds up nobody but those who want something of it, and is said to."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.faults.arena import REPOSITORY, Arena, trials
from tests.faults.elsewhere import elsewhere
from tests.tools.daemon import DaemonProcess
from tests.tools.private import privately
from tests.tools.tiny_fuse import go_on, hang, tiny_fuse
from tests.tools.waiting import until

HANGING: Final = "hanging"

FILE: Final = {"content": "what a worker process of the deep scan reads"}
SERVED: Final[dict[str, Any]] = {
    "entries": {
        str(number): {"entries": {"file": dict(FILE), "deep": {"entries": {"file": dict(FILE)}}}}
        for number in range(50)
    }
}

SAID_WITHIN: Final = 30.0
"""Seconds after which status says what does not answer."""

ENDED_WITHIN: Final = 20.0
"""Seconds after which the daemon has ended that was asked to; systemd waits for 90 by default."""


def _hanging(arena: Arena) -> None:
    disk = arena.place / "disk"
    disk.mkdir()
    arena.settings += 'watch = "auto"\n'
    arena.prepare()
    arena.daemon.configure(f'{arena.configuration()}[[repository]]\nname = "{HANGING}"\npath = "{disk}"\n')
    arena.daemon.environment = {"WATCHDOG_USEC": "2000000"}
    with tiny_fuse(disk, SERVED) as server, arena.daemon:
        arena.daemon.sync(HANGING)
        assert len(arena.daemon.records(HANGING)) == 100

        @contextmanager
        def without_an_answer(arena: Arena) -> Iterator[None]:
            until(lambda: not arena.query(UNREAD, HANGING), arena.daemon.log_text)
            hang(server)
            since = time.monotonic()
            order = arena.daemon.ordered
            with order("scan", HANGING), order("verify", "--content", HANGING):
                yield
                others_go_on(arena)
                others_are_read(arena)
                said = says_what_hangs(arena.daemon)
                ended = ends_in_time(arena.daemon)
            arena.daemon.start()
            if arena.trial.long:
                others_go_on(arena)
                reloads(arena.daemon)
            go_on(server)
            arena.daemon.sync(HANGING)
            arena.note = f"said after {said - since:.0f} s, ended within {ended:.0f} s"

        arena.round("a disk that hangs", without_an_answer)
        assert len(arena.daemon.records(HANGING)) == 100
        until(lambda: not arena.query("SELECT 1 FROM directory_problems"))
    assert not arena.query("SELECT 1 FROM witness WHERE what = 'file' AND state IS DISTINCT FROM 0 AND name = 'file'")


UNREAD: Final = "SELECT FROM file_records WHERE repository_name = %s AND scan_phase = 0"


def others_are_read(arena: Arena) -> None:
    """The deep scan goes on in the other repository, though files that it is at do not answer."""
    at_files = "SELECT FROM deep_scan_claims c JOIN repositories r ON r.id = c.repository_id WHERE r.name = %s"
    until(lambda: arena.query(at_files, HANGING), arena.daemon.log_text)
    (arena.root / "meanwhile").write_text("It is read while others hang.")
    read = "SELECT FROM file_records WHERE repository_name = %s AND file_path = 'meanwhile' AND scan_phase = 1"
    until(lambda: arena.query(read, REPOSITORY), arena.daemon.log_text)
    assert arena.query(at_files, HANGING)


def others_go_on(arena: Arena) -> None:
    """The other repository is looked after, and systemd hears that all is well."""
    daemon = arena.daemon
    assert daemon.notifications is not None
    heard = len(daemon.notifications.messages)
    for _ in range(3):
        arena.daemon.sync(REPOSITORY)
        heard = daemon.notifications.wait_for(lambda message: message == "WATCHDOG=1", heard)


def reloads(daemon: DaemonProcess) -> None:
    """The configuration is read again, though a root of it does not answer."""
    assert daemon.notifications is not None
    heard = len(daemon.notifications.messages)
    daemon.signal(signal.SIGHUP)
    heard = daemon.notifications.wait_for(lambda message: message == "READY=1", heard)
    daemon.notifications.wait_for(lambda message: message == "WATCHDOG=1", heard)


def says_what_hangs(daemon: DaemonProcess) -> float:
    """Wait for it. Returns the time."""

    def is_said() -> bool:
        [status] = [one for one in daemon.status()["repositories"] if one["name"] == HANGING]
        return any("answer" in note for note in status["notes"])

    until(is_said, daemon.log_text, within=SAID_WITHIN)
    assert daemon.notifications is not None
    daemon.notifications.wait_for(lambda message: f"{HANGING}: no answer" in message)
    return time.monotonic()


def ends_in_time(daemon: DaemonProcess) -> float:
    """SIGTERM. Returns the seconds that it took."""
    began = time.monotonic()
    assert daemon.stop() == 0
    seconds = time.monotonic() - began
    assert seconds < ENDED_WITHIN
    return seconds


@trials(seeds=2)
def test_a_disk_that_hangs(arena: Arena) -> None:
    elsewhere(privately, arena, _hanging)
