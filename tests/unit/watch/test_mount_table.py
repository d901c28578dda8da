"""What is mounted and unmounted is told at once, whoever has it open, and only that."""

from __future__ import annotations

import threading
from pathlib import Path

from censusd.watch.mount_table import MountTableWatch
from tests.tools.private import mount, privately, unmount


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
