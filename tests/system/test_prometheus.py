"""The rules and the dashboards with a real Prometheus and a real daemon. On Debian: apt install prometheus."""

from __future__ import annotations

import re
import shutil
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client.samples import Sample
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.tools import promql, rule_files
from tests.tools.daemon import BUSY_IS_FINE, DaemonProcess
from tests.tools.dashboards import Panel, boards, panels
from tests.tools.metrics import Family, parse
from tests.tools.prometheus import PROMETHEUS, PROMTOOL, Prometheus, promtool
from tests.tools.rule_files import Rule
from tests.tools.sample_library import make_library
from tests.tools.waiting import until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not (PROMETHEUS and PROMTOOL), reason="there is no prometheus: apt install prometheus"),
]

ONLY_IN_TROUBLE = {"May have missed something since"}
"""Panels that show something only while there is something to be said."""


def repository(name: str, root: Path) -> str:
    return f'[[repository]]\nname = "{name}"\npath = "{root}"\ndebounce = "50ms"\n'


def address(daemon: DaemonProcess) -> str:
    """Where its metrics are, which it says in its log."""
    found = re.search(r'"metrics": "http://([^/"]*)/metrics"', daemon.log_text())
    assert found, daemon.log_text()
    return found[1]


def exposed(daemon: DaemonProcess) -> list[Family]:
    """What a scrape gives."""
    with urllib.request.urlopen(f"http://{address(daemon)}/metrics", timeout=30) as answer:
        return parse(answer.read().decode())


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("p")


@pytest.fixture(scope="module")
def dsn(server: str, template: str) -> Iterator[str]:
    """A database that the tests of this module share."""
    name = "for_prometheus"
    with psycopg.connect(server, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    yield make_conninfo(server, dbname=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def daemon(directory: Path, dsn: str) -> Iterator[DaemonProcess]:
    """A daemon at work on two libraries."""
    config = BUSY_IS_FINE
    for name in ("photos", "books"):
        make_library(directory / name)
        config += repository(name, directory / name)
    with DaemonProcess(directory, dsn, config) as process:
        process.sync("photos", "books")
        yield process


@pytest.fixture(scope="module")
def prometheus(directory: Path, daemon: DaemonProcess) -> Iterator[Prometheus]:
    """A Prometheus that has watched the daemon at all kinds of work."""
    place = directory / "prometheus"
    place.mkdir()
    with Prometheus(place, [address(daemon)]) as process:
        until(lambda: process.query("censusd_ready"))
        # Counters have to grow while somebody looks.
        shutil.copytree(directory / "books" / "Books", directory / "photos" / "more")
        daemon.sync("photos")
        assert daemon.ctl("scan", "photos").returncode == 0
        until(lambda: process.query('sum(changes(censusd_changes_total{change="added"}[1m])) > 0'))
        until(lambda: process.query('changes(censusd_deep_scan_files_total{repository="photos"}[1m]) > 0'))
        until(lambda: process.query("sum(changes(censusd_entity_cache_lookups_total[1m])) > 0"))
        until(lambda: process.query("min(job_repository:censusd_deep_scan_coverage:ratio) > 0"))
        yield process


def of_this_minute(query: str) -> str:
    """A panel's query as Grafana asks it when everything is chosen."""
    return re.sub(r"\$\{?(instance|repository)\}?", ".*", query.replace("$__rate_interval", "1m"))


def test_promtool_finds_no_fault_with_the_rules() -> None:
    done = promtool("check", "rules", *map(str, rule_files.RULE_FILES))
    assert done.returncode == 0, done.stdout + done.stderr
    done = promtool("check", "config", str(rule_files.PROMETHEUS / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", rule_files.TEST_FILES, ids=lambda path: path.name)
def test_every_rule_does_what_its_tests_say(path: Path) -> None:
    done = promtool("test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_finds_no_fault_with_the_metrics(daemon: DaemonProcess) -> None:
    with urllib.request.urlopen(f"http://{address(daemon)}/metrics", timeout=30) as answer:
        # What python_gc_objects_collected is called is not ours to say.
        lines = [line for line in answer.read().decode().splitlines() if "python_" not in line]
    done = promtool("check", "metrics", text="\n".join(lines) + "\n")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_prometheus_reaches_the_daemon_and_evaluates_every_rule(prometheus: Prometheus) -> None:
    assert [target["health"] for target in prometheus.targets()] == ["up"]
    until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()))
    assert {rule["name"] for rule in prometheus.rules()} == {rule.name for rule in rule_files.rules()}
    assert [rule for rule in prometheus.rules() if rule["health"] != "ok"] == []


def test_nothing_alerts_where_all_is_well(prometheus: Prometheus) -> None:
    assert prometheus.query("ALERTS") == []


@pytest.mark.parametrize("rule", rule_files.rules(), ids=lambda rule: rule.name)
def test_there_is_data_for_every_rule(rule: Rule, prometheus: Prometheus) -> None:
    if not rule.is_alert:
        until(lambda: prometheus.query(rule.name))
    for selector in promql.selectors(rule.expr):
        matchers = ", ".join(f'{label}{operator}"{value}"' for label, operator, value in selector.matchers)
        query = f"{selector.metric}{{{matchers}}}"
        if 'status="failed"' not in query:
            assert prometheus.query(query), query
        assert prometheus.query(f"count({selector.metric})"), selector.metric


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: f"{panel.board}, {panel.json['id']}, {panel.title}")
def test_there_is_data_for_every_panel(panel: Panel, prometheus: Prometheus) -> None:
    for asked in map(of_this_minute, panel.queries):
        query = asked.replace(" > 0)", ")") if panel.title in ONLY_IN_TROUBLE else asked
        assert prometheus.query(query), query


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_there_is_something_to_choose_for_every_variable(board: dict[str, object], prometheus: Prometheus) -> None:
    variables = re.findall(r"label_values\((\w+), (\w+)\)", str(board))
    assert len(variables) == 2
    for metric, label in variables:
        assert all(sample["metric"][label] for sample in prometheus.query(metric))


def test_trouble_is_alerted_on(shared_path: Path, database: str) -> None:
    """That the alerts are about to fire; for how long they wait before that is in the rules' own tests."""
    config = ""
    for name in ("gone", "emptied"):
        (shared_path / name).mkdir()
        for number in range(20):
            (shared_path / name / f"{number}.txt").write_text(str(number))
        config += repository(name, shared_path / name)
    config += 'watch = "off"\nbreaker_files = 1\nbreaker_percent = 1\n'
    with DaemonProcess(shared_path, database, config) as process, Prometheus(shared_path, [address(process)]) as asked:

        def alerting() -> set[tuple[str, str]]:
            labels = [sample["metric"] for sample in asked.query("ALERTS")]
            return {(one["alertname"], one.get("repository", "")) for one in labels}

        process.sync("gone", "emptied")
        until(lambda: asked.query("min(censusd_repository_owned) == 1"))
        (shared_path / "gone").rename(shared_path / "elsewhere")
        until(lambda: ("CensusdRepositoryOffline", "gone") in alerting())
        for number in range(15):
            (shared_path / "emptied" / f"{number}.txt").unlink()
        process.ctl("scan", "emptied")
        until(lambda: ("CensusdBreakerHolding", "emptied") in alerting())
        process.configure("[nonsense]\n")
        process.ctl("reload")
        until(lambda: ("CensusdConfigurationRejected", "") in alerting())
        (shared_path / "elsewhere").rename(shared_path / "gone")
        process.ctl("release", "emptied")
        process.configure(config)
        process.ctl("reload")
        until(lambda: not alerting())
        process.stop()
        until(lambda: {("CensusdDown", ""), ("CensusdInstanceDown", "")} <= alerting())


def test_a_hundred_repositories_stay_within_bounds_and_leave_nothing_behind(shared_path: Path, database: str) -> None:
    names = [f"number-{number}" for number in range(100)]
    parts = []
    for name in names:
        (shared_path / name).mkdir()
        parts.append(repository(name, shared_path / name))
    with DaemonProcess(shared_path, database, parts[0]) as process:
        process.sync(names[0])
        process.configure("".join(parts))
        assert process.ctl("reload").returncode == 0
        until(lambda: owned(process) == 100)
        assert len(series_of(names, process)) == len(names) * len(series_of(names[:1], process))
        assert sum(len(family.samples) for family in exposed(process)) < 20_000
        process.configure(parts[0])
        assert process.ctl("reload").returncode == 0
        until(lambda: not series_of(names[1:], process))
        assert series_of(names[:1], process)


def series_of(names: Collection[str], daemon: DaemonProcess) -> list[Sample]:
    """The series that speak of any of these repositories."""
    wanted = set(names)
    return [
        sample for family in exposed(daemon) for sample in family.samples if wanted.intersection(sample.labels.values())
    ]


def owned(daemon: DaemonProcess) -> float:
    """How many repositories it owns."""
    (family,) = [family for family in exposed(daemon) if family.name == "censusd_repository_owned"]
    return sum(sample.value for sample in family.samples)
