"""Waiting for the control room: bounded, in nobody's way, and over when the daemon stops."""

from __future__ import annotations

import signal
import time

import pytest

from tests.tools.control_room import DEADLINE, ControlRoom, busy
from tests.tools.living import LivingLibrary
from tests.tools.waiting import until


def test_waiting_ends_at_its_time_and_the_work_goes_on(room: ControlRoom, photos: LivingLibrary, database: str) -> None:
    with busy(database, "photos"):
        (photos.root / "new").write_text("x")
        for command in (["scan", "photos", "--wait"], ["sync", "photos"]):
            began = time.monotonic()
            _, err = room.ctl(*command, "--timeout", "300ms", code=1)
            assert "in time: it is " in err
            assert time.monotonic() - began < 10.0
        assert room.ask("POST", "/v1/repositories/photos/sync", {"timeout": 0.1}).code == 504
    room.ctl("sync", "photos")
    assert "new" in room.names("photos")


def test_those_who_wait_keep_nobody_else_waiting(room: ControlRoom, photos: LivingLibrary, database: str) -> None:
    with busy(database, "photos"):
        (photos.root / "new").write_text("x")
        # More than may wait: the others are told so at once.
        waiting = [room.start_ctl("scan", "photos", "--wait") for _ in range(18)]
        refused = 0
        while refused < 2:
            for process in [one for one in waiting if one.poll() is not None]:
                assert b"16 requests are waiting for scans already" in process.communicate()[1]
                waiting.remove(process)
                refused += 1
        for _ in range(10):
            began = time.monotonic()
            room.get("/v1/status")
            assert time.monotonic() - began < 10.0
    for process in waiting:
        assert b"photos:" in process.communicate(timeout=DEADLINE)[0]
        assert process.returncode == 0


def test_who_hangs_up_makes_room(room: ControlRoom, photos: LivingLibrary, database: str) -> None:
    with busy(database, "photos"):
        (photos.root / "new").write_text("x")
        for _ in range(3):
            waiting = [room.connect_http() for _ in range(16)]
            for connection in waiting:
                connection.request("POST", "/v1/repositories/photos/scan", b'{"wait": true}')
            until(lambda: waiting_for_orders(room) == 16)
            for connection in waiting:
                connection.close()
            until(lambda: waiting_for_orders(room) == 0)


@pytest.mark.parametrize("order", ["scan", "sync"])
def test_waiting_ends_when_the_daemon_stops(
    room: ControlRoom, photos: LivingLibrary, database: str, order: str
) -> None:
    with busy(database, "photos"):
        (photos.root / "new").write_text("x")
        process = room.start_ctl(order, "photos", *(["--wait"] if order == "scan" else ["--timeout", "1h"]))
        until(lambda: waiting_for_orders(room) == 1)
        room.unix.close()
        _, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 1
        assert err == b"censusctl: the daemon is being stopped\n"


def test_ctrl_c_is_no_traceback(room: ControlRoom, photos: LivingLibrary, database: str) -> None:
    with busy(database, "photos"):
        (photos.root / "new").write_text("x")
        process = room.start_ctl("scan", "photos", "--wait")
        until(lambda: waiting_for_orders(room) == 1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=DEADLINE) == (b"", b"")
        assert process.returncode == 130


def waiting_for_orders(room: ControlRoom) -> int:
    """How many requests wait for what they ordered."""
    orders = room.controls._orders
    return orders._waiting.taken + 16 - orders._syncs._slots._value
