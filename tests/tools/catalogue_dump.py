"""Writes what a catalogue of this version looks like, for the tests of later versions: run it when one is released.

Usage: python -m tests.tools.catalogue_dump

The real daemon catalogues and deep-scans a part of the sample library, with files that have moved, gone, changed since,
and been given up. The dump goes to ``tests/data/catalogues``, under the number of its schema.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from censusd.catalogue import migrations
from censusd.catalogue.embedded import EmbeddedServer
from censusd.catalogue.embedded_binaries import locate_binaries
from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.sample_library import make_library
from tests.tools.waiting import until

DUMPS = Path(__file__).parents[1] / "data" / "catalogues"
_EACH = 9
_ROOT = "/srv/library"
"""What the dump calls the root: where it was made is nobody's business."""
_ELSEWHERE = re.compile(r"^(\\.*|SET .*|SELECT pg_catalog\.set_config.*|--.*|)\n", re.MULTILINE)
"""Lines that mean something to psql alone, or to some versions of PostgreSQL, or to nobody."""


def main() -> None:
    """Make the dump."""
    with tempfile.TemporaryDirectory(prefix="censusd-dump-") as name:
        place = Path(name)
        place.chmod(0o755)
        with EmbeddedServer.start(place / "server") as server:
            _fill(place, server.conninfo)
            content = _dump(server.conninfo)
    DUMPS.mkdir(exist_ok=True)
    file = DUMPS / f"{max(migrations.available()):04}.sql"
    file.write_text(_ELSEWHERE.sub("", content), encoding="utf-8")
    print(f"{file}: {file.stat().st_size:,} bytes")


def _fill(place: Path, dsn: str) -> None:
    root = place / "library"
    make_library(root)
    for number, file in enumerate(sorted(path for path in root.rglob("*") if path.is_file())):
        if number % _EACH:
            file.unlink()
    (root / os.fsdecode(b"not utf-8 \xff.txt")).write_text("x")
    repository = f'[[repository]]\nname = "library"\npath = "{root}"\n'
    with (
        DaemonProcess(place, dsn, BUSY_IS_FINE + repository) as daemon,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        daemon.sync("library")
        waiting = "SELECT 1 FROM files WHERE state = 0 AND scan_phase = 0"
        until(lambda: not connection.execute(waiting).fetchone())
        files = sorted(path for path in root.rglob("*") if path.is_file())
        files[0].unlink()
        files[1].rename(files[1].with_name("moved" + files[1].suffix))
        shutil.rmtree(root / "Research")
        daemon.sync("library")
        daemon.configure("[deep_scan]\nenabled = false\n" + repository)
        daemon.stop()
        daemon.start()
        files[2].write_bytes(files[2].read_bytes() + b"more")
        (root / "new.txt").write_text("new")
        daemon.sync("library")
        daemon.stop()
        connection.execute(
            "INSERT INTO deep_scan_claims (repository_id, file_id, change_number, attempts, quarantined_at, last_error)"
            " SELECT repository_id, id, change_number, 3, now(), 'it was ended by signal 9' FROM files"
            " WHERE name = 'new.txt'"
        )
        connection.execute("UPDATE repositories SET root = %s", (_ROOT,))


def _dump(dsn: str) -> str:
    program = locate_binaries().directory / "pg_dump"
    command = [os.fspath(program), "--no-owner", "--no-privileges", "--rows-per-insert=100", "--dbname", dsn]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
