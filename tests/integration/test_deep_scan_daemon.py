"""The real daemon is killed in the middle of its deep scan: nothing is lost, and nothing is done twice for good."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.scanning import sha256
from tests.tools.waiting import until

WHENEVER = BUSY_IS_FINE + "batch_size = 20\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def configuration(root: Path) -> str:
    """The repository ``tree``, deep-scanned at any time."""
    return f'{WHENEVER}[[repository]]\nname = "tree"\npath = "{root}"\n'


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def test_kill_9_at_random_moments_loses_nothing(place: Path, database: str) -> None:
    root, chance = place / "tree", random.Random(4711)
    for number in range(2000):
        path = root / f"{number % 10}/file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randrange(1, 20_000)))
    (root / "large").write_bytes(bytes(100 << 20))
    with (
        DaemonProcess(place, database, configuration(root)) as daemon,
        psycopg.connect(database, autocommit=True) as connection,
    ):

        def rows(statement: str) -> list[tuple[Any, ...]]:
            return connection.execute(statement).fetchall()

        in_the_middle = 0
        for _ in range(8):
            time.sleep(chance.random())  # nothing to wait for: that it may be any moment is what is tested
            in_the_middle += rows("SELECT FROM files WHERE scan_phase = 0 LIMIT 1") != []
            assert daemon.process is not None
            if chance.random() < 0.5:
                daemon.kill()
                daemon.start()
            else:
                for pid in children(daemon.process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        assert in_the_middle >= 2
        # What was at hand when a worker was killed is tried again a while later.
        daemon.ctl("retry", "tree")
        until(lambda: rows("SELECT count(*) FROM files WHERE scan_phase = 0") == [(0,)])
        daemon.sync("tree")
        assert dict(rows("SELECT file_path, content_hash FROM file_records")) == {
            os.fspath(path.relative_to(root)): sha256(path) for path in root.rglob("*") if path.is_file()
        }
        assert rows("SELECT count(*) FROM deep_scan_claims") == [(0,)]
        # However often something was begun, it was written once.
        assert rows("SELECT sum(files_scanned) FROM sync_operations WHERE operation_type = 'deep_scan'") == [(2001,)]
        assert daemon.stop() == 0
