"""A clock that can be put forward or back, for some processes only: libfaketime."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import psycopg
import pytest

DAY: Final = 86400.0

_LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib")

_REAL_TIME: Final = """
CREATE FUNCTION real_time() RETURNS double precision LANGUAGE sql AS $$
    SELECT {boot} + split_part(pg_read_file('/proc/uptime'), ' ', 1)::double precision
$$;
ALTER TABLE witness ALTER at SET DEFAULT real_time();
"""


class Clock:
    """The clock of all processes that are started with its environment; right until it is told otherwise.

    Intervals and the files' times stay right, as they do when a machine's clock is set.

    Args:
        file: where it is kept; to be read by whoever lives by it.

    Attributes:
        environment: for those processes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.environment = {
            "LD_PRELOAD": os.fspath(_library()),
            "FAKETIME_TIMESTAMP_FILE": os.fspath(file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.jump(0)

    def jump(self, days: float) -> None:
        """Be wrong by so many days from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{days * DAY:+.0f}\n")
        new.chmod(0o644)
        new.rename(self._file)


def have_witness_tell_real_time(database: str) -> float:
    """Have the witness in a database look at another clock than the database's, which is the one that jumps.

    Returns:
        By how many seconds that one may be wrong: the kernel tells hundredths, here and there.
    """
    with Path("/proc/uptime").open() as uptime:
        boot = time.time() - float(uptime.read().split()[0])
    with psycopg.connect(database) as connection:
        connection.execute(_REAL_TIME.format(boot=boot).encode())
    return 0.02


def _library() -> Path:
    for directory in _LIBRARIES:
        for found in sorted(Path(directory).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    pytest.skip("libfaketime is not there (Debian package faketime)")
