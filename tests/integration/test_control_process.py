"""What can be asked of the real daemon, as a process with a configuration of its own, and ordered."""

from __future__ import annotations

import http.client
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.daemon import DaemonProcess
from tests.tools.waiting import until


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


def configuration(root: Path, *more: str, deep_scan: str = "", http: str = "") -> str:
    """A daemon's configuration, with more lines for [http], [deep_scan] and the repository."""
    lines = (http, "[deep_scan]", deep_scan, "[[repository]]", 'name = "tree"', f'path = "{root}"', *more)
    return "\n".join(lines) + "\n"


def ask(daemon: DaemonProcess, path: str, host: str) -> http.client.HTTPResponse:
    """Ask over TCP under a name of one's own."""
    (page,) = [event["status_page"] for event in daemon.log_events() if event.get("event") == "serving"]
    connection = http.client.HTTPConnection(page.removeprefix("http://").rstrip("/"), timeout=30)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse()


def test_it_answers_to_the_names_that_are_allowed(place: Path, database: str) -> None:
    (place / "tree").mkdir()
    allowed = configuration(place / "tree", http='allowed_hosts = ["Census.Example.org"]')
    with DaemonProcess(place, database, allowed) as daemon:
        for host in ("census.example.org", "census.example.org:443", "localhost"):
            assert ask(daemon, "/-/healthy", host).status == 200
        refused = ask(daemon, "/-/healthy", "evil.example.org")
        assert refused.status == 403
        assert "allowed_hosts in [http]" in json.loads(refused.read())["hint"]


def test_the_deep_scan_of_a_daemon_takes_orders(place: Path, database: str) -> None:
    root = place / "tree"
    (root / "a").mkdir(parents=True)
    for name in ("a/one", "two"):
        (root / name).write_text(name)
    with DaemonProcess(place, database, configuration(root, deep_scan="enabled = false")) as daemon:
        daemon.sync("tree")
        until(lambda: daemon.status()["deep_scan"]["condition"] == "off")
        # Counted now and then.
        until(lambda: daemon.status()["deep_scan"]["backlog"] == 2)
        assert (
            "deep scan: off (it is switched off)\n  2 files are still to be read (8 B)\n" in daemon.ctl("status").stdout
        )
        done = daemon.ctl("deep-scan", "tree:a", "--wait")
        assert (done.returncode, done.stdout[:26]) == (0, "tree:a/: 1 file read, 5 B ")
        until(lambda: daemon.status()["deep_scan"]["backlog"] == 1)
        assert daemon.ctl("retry").stdout == "tree: no file has failed\n"
        text = ask(daemon, "/metrics", "localhost").read().decode()
        assert 'censusd_deep_scan_state{state="off"} 1.0' in text
        assert 'censusd_deep_scan_files_total{repository="tree"} 1.0' in text
        assert daemon.stop() == 0
