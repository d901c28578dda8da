"""What is mounted and unmounted is told at once, whoever has it open, and only that."""

from __future__ import annotations

import threading
from pathlib import Path

from censusd.watch.mount_table import MountTableWatch
from tests.tools.private import mount, privately, unmount
from tests.tools.waiting import until


def _told(scratch: str) -> None:
    told = threading.Event()
    watch = MountTableWatch(told.set)
    watch.start()
    try:
        point = Path(scratch)
        mount("tmpfs", point)
        assert told.wait(10)
        with (point / "in use").open("w"):
            for number in range(3):
                while told.wait(0.5):
                    told.clear()  # several changes may be told apart
                assert not told.is_set()
                if number % 2:
                    mount("tmpfs", point)
                else:
                    unmount(point)
                assert told.wait(10)
    finally:
        watch.stop()


def test_each_change_is_told(tmp_path: Path) -> None:
    privately(_told, tmp_path)


def test_it_may_be_stopped_at_once() -> None:
    watch = MountTableWatch(lambda: None)
    watch.start()
    watch.stop()


def _goes_on(scratch: str) -> None:
    told = threading.Event()
    faults = [OSError("once")]

    def tell() -> None:
        if faults:
            raise faults.pop()
        told.set()

    watch = MountTableWatch(tell)
    watch.start()
    try:
        mount("tmpfs", Path(scratch))
        until(lambda: not faults)
        mount("tmpfs", Path(scratch))
        assert told.wait(10)
    finally:
        watch.stop()


def test_it_outlives_a_fault_of_who_is_told(tmp_path: Path) -> None:
    privately(_goes_on, tmp_path)
