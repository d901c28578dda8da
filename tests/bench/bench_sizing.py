"""How large the catalogue of a real tree gets, and how much memory the daemon takes: ``make bench ARGS=sizing``.

FILES (200000) and FILES_PER_DIRECTORY (50) in the environment make it smaller. Half of the files are pictures with EXIF
data. The tree and the database go to TMPDIR. The figures are those of docs/sizing.md.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg import Connection, connect
from psycopg.conninfo import make_conninfo

from censusd.catalogue.embedded import EmbeddedServer
from censusd.catalogue.embedded_binaries import locate_binaries
from tests.tools.daemon import DaemonProcess
from tests.tools.tiny_files import jpeg, landscape
from tests.tools.waiting import until

FILES = int(os.environ.get("FILES", "200000"))
PER_DIRECTORY = int(os.environ.get("FILES_PER_DIRECTORY", "50"))
_DEADLINE = 3600.0


def make_tree(root: Path) -> None:
    """Files with names as cameras give them, none like another."""
    picture = jpeg(landscape(random.Random(1)), "Canon", "EOS R6", "2024:05:01 12:00:00")
    for number in range(FILES):
        directory = root / str(2000 + number // PER_DIRECTORY % 25) / f"Holiday {number // PER_DIRECTORY:06}"
        if number % PER_DIRECTORY == 0:
            directory.mkdir(parents=True)
        if number % 2:
            (directory / f"IMG_{number:07}.jpg").write_bytes(picture + os.urandom(16))
        else:
            (directory / f"IMG_{number:07}.xyz").write_bytes(os.urandom(200))


def seconds_until(is_over: Callable[[], bool], daemon: DaemonProcess) -> float:
    """Wait, and say for how long."""
    began = time.monotonic()
    until(is_over, daemon.log_text, within=_DEADLINE)
    return time.monotonic() - began


def say_sizes(when: str, connection: Connection[Any]) -> None:
    """Print how large the tables are with their indexes, and what that is for a million files."""
    connection.execute("VACUUM ANALYZE")
    print(f"\n{when}: MB, and MB for a million files")
    rows = connection.execute(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_total_relation_size(oid) > 200000"
        " ORDER BY 2 DESC"
    ).fetchall()
    whole = connection.execute("SELECT 'the database', pg_database_size(current_database())").fetchall()
    for name, size in rows + whole:
        print(f"  {name:20} {size / 1e6:8.1f} {size / FILES:8.1f}")


def say_memory(daemon: DaemonProcess) -> None:
    """Print the most memory that the daemon's processes have had."""
    assert daemon.process is not None
    pid = daemon.process.pid
    family = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                family.append(int(stat.parent.name))
    peaks = []
    for one in family:
        with contextlib.suppress(OSError):
            lines = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
            peaks.append(f"{int(lines['VmHWM'].split()[0]) / 1024:.0f}")
    print(f"memory, MiB at most: daemon {peaks[0]}, its children {' '.join(peaks[1:]) or 'none'}")


def measure(daemon: DaemonProcess, connection: Connection[Any], dump: Path) -> None:
    """The figures of one tree, from the first pass on."""
    seconds = seconds_until(lambda: "quick_scan" in daemon.log_text(), daemon)
    print(f"first pass: {seconds:.1f} s")
    say_memory(daemon)
    say_sizes("after the first pass", connection)
    began = time.monotonic()
    daemon.ctl("deep-scan", "tree")
    left = "SELECT NOT EXISTS (SELECT FROM files WHERE scan_phase = 0)"
    seconds_until(lambda: connection.execute(left).fetchone() == (True,), daemon)
    print(f"\ndeep scan: {time.monotonic() - began:.1f} s")
    say_memory(daemon)
    say_sizes("after the deep scan", connection)
    for command in (("scan", "--wait"), ("scan", "--verify", "--wait")):
        print(daemon.ctl(*command).stdout.strip())
    program = locate_binaries().directory / "pg_dump"
    began = time.monotonic()
    subprocess.run([program, "--format=custom", f"--file={dump}", daemon.dsn], check=True)
    print(f"dump: {time.monotonic() - began:.1f} s, {dump.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Make the tree, catalogue it, deep-scan it, look again."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        place = Path(name)
        place.chmod(0o755)
        make_tree(place / "tree")
        with EmbeddedServer.start(place / "state") as server:
            with connect(server.conninfo, autocommit=True) as connection:
                connection.execute("CREATE DATABASE sizing")
            dsn = make_conninfo(server.conninfo, dbname="sizing")
            text = f'[deep_scan]\nenabled = false\n[[repository]]\nname = "tree"\npath = "{place / "tree"}"\n'
            with DaemonProcess(place, dsn, text) as daemon, connect(dsn, autocommit=True) as connection:
                measure(daemon, connection, place / "dump")
                daemon.stop()


if __name__ == "__main__":
    main()
