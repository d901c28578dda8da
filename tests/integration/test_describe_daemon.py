"""Describing pictures, end to end: the real daemon, its real worker processes, commands and metrics."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.describing import numbers, picture
from tests.tools.pictures import heif
from tests.tools.vision_server import Model, VisionServer, answering
from tests.tools.waiting import until

KEY = "sk-hunter2"

CONFIG = (
    BUSY_IS_FINE
    + """[describe]
enabled = {enabled}
url = "{url}"
model = "llava"
key = "{key}"
[[repository]]
name = "photos"
path = "{root}"
debounce = "20ms"
deep_scan_never = ["private"]
"""
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path, for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_daemon_has_pictures_described(directory: Path, database: str) -> None:
    root = directory / "tree"
    (root / "private").mkdir(parents=True)
    for number, name in enumerate(("a.png", "copy of b.png", "private/c.png")):
        (root / name).write_bytes(picture(number))
    (root / "b.png").write_bytes(picture(1))
    (root / "d.heic").write_bytes(heif())
    (root / "notes.txt").write_text("no picture")

    def described() -> set[str]:
        with psycopg.connect(database) as connection:
            return {path for (path,) in connection.execute("SELECT file_path FROM file_descriptions")}

    with VisionServer(Model()) as server:

        def config(enabled: str = "true") -> str:
            return CONFIG.format(enabled=enabled, url=server.url, key=KEY, root=root)

        with DaemonProcess(directory, database, config()) as daemon:
            until(lambda: len(described()) == 3, daemon.log_text)
            assert described() == {"a.png", "b.png", "copy of b.png"}
            assert sorted(number for number in numbers(server) if number is not None) == [0, 1]
            shown = daemon.ctl("show", "photos:b.png").stdout
            assert "described by llava" in shown
            assert "A cat on a mat." in shown
            # What has just been dropped in follows.
            (root / "e.png").write_bytes(picture(5))
            until(lambda: "e.png" in described(), daemon.log_text)

            server.converse = answering(400, b'{"error": "no eyes"}')
            (root / "f.png").write_bytes(picture(6))
            until(lambda: "no eyes" in daemon.ctl("problems").stdout, daemon.log_text)
            assert "f.png" in daemon.ctl("problems", "photos").stdout

            # Off means off, without a restart.
            daemon.configure(config("false"))
            daemon.signal(signal.SIGHUP)
            until(lambda: daemon.status()["describe"]["state"] == "off", daemon.log_text)
            asked = len(server.requests)
            server.converse = Model()
            (root / "g.png").write_bytes(picture(7))
            daemon.sync("photos")
            retried = daemon.ctl("retry", "photos:f.png")
            assert "1 picture will be described after all" in retried.stdout, retried
            assert len(server.requests) == asked

            daemon.configure(config())
            daemon.signal(signal.SIGHUP)
            until(lambda: described() >= {"f.png", "g.png"}, daemon.log_text)
            until(lambda: daemon.status()["describe"]["state"] == "nothing to do", daemon.log_text)
            assert "describing: nothing to do" in daemon.ctl("status").stdout
            assert daemon.stop() == 0
            log = daemon.log_text()
    assert "private/c.png" not in described()
    assert 2 not in numbers(server)
    assert KEY not in log
    assert KEY not in json.dumps(list(daemon.log_events()))
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
    with psycopg.connect(database) as connection:
        ((skipped,),) = connection.execute("SELECT why FROM undescribed_files WHERE file_path = 'd.heic'")
    assert skipped == "image/heic is not sent: only JPEG, PNG and WebP are"
