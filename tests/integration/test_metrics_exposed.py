"""/metrics of a real daemon, as others rely on it: names, types, labels, and their values where those are few."""

from __future__ import annotations

import re
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.metrics import Family, parse
from tests.tools.promql import OPEN
from tests.tools.waiting import until

GOLDEN = Path(__file__).with_name("metrics.txt")


def scrape(daemon: DaemonProcess) -> tuple[str, Message]:
    """What a scrape gives, and its headers."""
    found = re.search(r'"metrics": "(http://[^"]*/metrics)"', daemon.log_text())
    assert found, daemon.log_text()
    with urllib.request.urlopen(found[1], timeout=30) as answer:
        return answer.read().decode(), answer.headers


def described(family: Family) -> str:
    """A family in a line."""
    labels = sorted(family.labels)
    parts = [f"{label}={'*' if label in OPEN else '|'.join(family.values(label))}" for label in labels]
    return " ".join([family.name, family.type, *parts])


@pytest.fixture
def daemon(shared_path: Path, database: str) -> DaemonProcess:
    (shared_path / "tree").mkdir()
    (shared_path / "tree" / "a.txt").write_text("a")
    config = f'{BUSY_IS_FINE}[[repository]]\nname = "photos"\npath = "{shared_path / "tree"}"\ndebounce = "20ms"\n'
    return DaemonProcess(shared_path, database, config)


def test_the_metrics_are_those_that_others_rely_on(daemon: DaemonProcess) -> None:
    """Whoever changes one changes this file by hand, and says so in the changelog."""
    with daemon:
        daemon.sync("photos")
        until(lambda: 'loop="photos"' in scrape(daemon)[0])
        text, headers = scrape(daemon)
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "\n".join(map(described, parse(text))) + "\n" == GOLDEN.read_text()
    assert "_created" not in text


def test_the_values_say_what_is_on_disk(daemon: DaemonProcess) -> None:
    def value(name: str, **labels: str) -> float:
        families = parse(scrape(daemon)[0])
        wanted = {"repository": "photos", **labels}
        (found,) = [
            sample.value
            for one in families
            for sample in one.samples
            if sample.name == name and sample.labels == wanted
        ]
        return found

    with daemon:
        daemon.sync("photos")
        until(
            lambda: (
                value("censusd_files", state="present", phase="quick")
                + value("censusd_files", state="present", phase="deep")
            )
        )
        (daemon.directory / "tree" / "b.txt").write_text("bb")
        daemon.sync("photos")
        assert value("censusd_changes_total", change="added") == 2
        # Creating and closing it may fall into two commits.
        assert value("censusd_event_to_commit_seconds_count") in {1, 2}
        assert 0.02 <= value("censusd_event_to_commit_seconds_sum") < 10
        until(lambda: value("censusd_repository_phase", phase="watching") == 1)
        assert value("censusd_repository_owned") == 1
        assert value("censusd_watch_tier", tier="inotify") == 1
        assert value("censusd_next_reconciliation_timestamp_seconds") > value("censusd_last_pass_timestamp_seconds")
        # What was created and then closed in another commit is read twice, if it was read in between.
        until(lambda: value("censusd_deep_scan_files_total") in {2, 3})
        until(lambda: value("censusd_files_bytes") == 3)
        until(lambda: value("censusd_deep_scan_backlog_files") == 0)
