"""A disk that loses a bit: said wherever people look, overwritten by nothing, and over once the file is restored."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import psycopg
import pytest

from tests.tools.daemon import DaemonProcess
from tests.tools.disks import make_disk
from tests.tools.private import privately
from tests.tools.scanning import sha256
from tests.tools.waiting import until

CONFIG = '[defaults]\ndebounce = "100ms"\nmax_latency = "500ms"\n[[repository]]\nname = "photos"\npath = "{}"\n'


def notes(daemon: DaemonProcess) -> list[str]:
    """What the status has to say of the repository."""
    (one,) = daemon.status()["repositories"]
    found: list[str] = one["notes"]
    return found


def counted(daemon: DaemonProcess) -> bool:
    """Whether the metric counts one corrupt file."""
    (page,) = [event["metrics"] for event in daemon.log_events() if event.get("event") == "serving"]
    with urllib.request.urlopen(page) as answer:
        return b'censusd_corrupt_files{repository="photos"} 1.0' in answer.read().splitlines()


def on_record(database: str) -> dict[str, tuple[int, str]]:
    """Path -> row and content hash."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT file_path, file_id, content_hash FROM file_records").fetchall()
    return {path: (number, made) for path, number, made in rows}


def corrupt(database: str) -> list[tuple[str, ...]]:
    """Path, hash on record and hash found of what the view lists."""
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT file_path, content_hash, found_hash FROM corrupt_files").fetchall()


def _lose_a_bit_and_restore_it(scratch: str, database: str) -> None:
    place = Path(scratch)
    store, root, backup = place / "store", place / "disk", place / "backup"
    root.mkdir()
    make_disk(store)
    done = subprocess.run(["mount", "-o", "loop", store, root], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr.strip()}")
    try:
        for name in ("bad.raw", "good.raw"):
            (root / name).write_text(f"what nobody writes to: {name} " * 1000)
        shutil.copy2(root / "bad.raw", backup)
        (place / "daemon").mkdir()
        with DaemonProcess(place / "daemon", database, CONFIG.format(root)) as daemon:
            daemon.sync("photos")
            done = daemon.ctl("deep-scan", "photos", "--wait")
            assert done.returncode == 0, done.stderr
            known = on_record(database)
            assert notes(daemon) == []
            subprocess.run(["sync", "--file-system", root], check=True)
            with store.open("r+b") as disk:
                disk.seek(store.read_bytes().index(b"what nobody writes to: bad"))
                disk.write(b"W")
            _is_said(daemon, database, known, root)
            _is_overwritten_by_nothing(daemon, database, known, root)
            _is_over_once_it_is_restored(daemon, database, known, root, backup)
            daemon.stop()
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)


def _is_said(daemon: DaemonProcess, database: str, known: dict[str, tuple[int, str]], root: Path) -> None:
    done = daemon.ctl("verify", "--content", "photos")
    assert done.returncode == 1
    assert "photos: 1 file is corrupt (censusctl problems photos)" in done.stderr
    row = ("bad.raw", known["bad.raw"][1], sha256(root / "bad.raw"))
    assert corrupt(database) == [row]
    assert all(part in daemon.ctl("problems").stdout for part in row)
    until(lambda: counted(daemon), daemon.log_text)
    until(lambda: any("1 file is corrupt" in note for note in notes(daemon)), daemon.log_text)


def _is_overwritten_by_nothing(
    daemon: DaemonProcess, database: str, known: dict[str, tuple[int, str]], root: Path
) -> None:
    before = corrupt(database)
    for order in ("scan --wait", "verify photos", "verify photos:bad.raw"):
        assert daemon.ctl(*order.split()).returncode == 0
    (root / "bad.raw").chmod(0o600)
    daemon.sync("photos")
    for order in ("deep-scan photos --wait", "verify --content photos"):
        daemon.ctl(*order.split())
    assert corrupt(database) == before
    assert on_record(database) == known


def _is_over_once_it_is_restored(
    daemon: DaemonProcess, database: str, known: dict[str, tuple[int, str]], root: Path, backup: Path
) -> None:
    shutil.copy2(backup, root / "bad.raw")
    daemon.sync("photos")
    daemon.ctl("deep-scan", "photos", "--wait")
    until(lambda: on_record(database) == known)
    assert corrupt(database) == []
    until(lambda: notes(daemon) == [] and not counted(daemon), daemon.log_text)
    (said,) = [event["why"] for event in daemon.log_events() if event.get("event") == "no longer corrupt"]
    assert said == "it holds again what was recorded"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk that can be damaged")
def test_what_a_disk_loses_is_said_kept_and_over_once_it_is_restored(shared_path: Path, database: str) -> None:
    privately(_lose_a_bit_and_restore_it, shared_path, database)
