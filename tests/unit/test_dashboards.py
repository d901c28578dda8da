"""The dashboards for Grafana in etc/grafana, as far as no Prometheus is needed; tests/system has the rest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from generators.dashboards import dashboards
from tests.tools import plain_yaml, promql, rule_files
from tests.tools.dashboards import DASHBOARDS, GRAFANA, Panel, boards, panels
from tests.tools.metrics import Family, declared
from tests.unit.test_rules import LINK, RUNBOOKS, recorded

BUILT_IN = {"__rate_interval", "__value", "__url_time_range"}


@pytest.fixture(name="declared", scope="module")
def _declared() -> Iterator[list[Family]]:
    with declared() as found:
        yield found


def by_title(panel: Panel) -> str:
    return f"{panel.board}, {panel.json['id']}, {panel.title}"


@pytest.mark.parametrize("panel", panels(), ids=by_title)
def test_every_metric_and_label_exists(panel: Panel, declared: list[Family]) -> None:
    for query in panel.queries:
        assert promql.faults(query.replace("[$__rate_interval]", "[5m]"), declared, recorded()) == []


@pytest.mark.parametrize("panel", panels(), ids=by_title)
def test_a_panel_says_what_it_shows(panel: Panel) -> None:
    assert panel.json["description"].endswith(".")
    assert panel.queries
    letters = [target["refId"] for target in panel.json["targets"]]
    assert len(set(letters)) == len(letters)
    assert panel.json["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all(target["datasource"] == panel.json["datasource"] for target in panel.json["targets"])


@pytest.mark.parametrize("panel", panels(), ids=by_title)
def test_a_number_has_a_unit_or_a_meaning(panel: Panel) -> None:
    if panel.json["type"] in {"timeseries", "stat"} and panel.json.get("options", {}).get("textMode") != "name":
        defaults = panel.json["fieldConfig"]["defaults"]
        assert defaults["unit"]
        assert panel.json["type"] == "timeseries" or defaults["thresholds"]["steps"]


@pytest.mark.parametrize("panel", panels(), ids=by_title)
def test_a_panel_leads_to_runbooks_that_there_are(panel: Panel) -> None:
    for link in panel.json.get("links", []):
        name = link["url"].removeprefix("${runbooks}")
        assert (RUNBOOKS / name).exists(), name
        assert link["title"] == f"Runbook: {name.removesuffix('.md')}"


def test_every_alert_is_one_step_from_a_panel() -> None:
    linked = {link["title"].removeprefix("Runbook: ") for panel in panels() for link in panel.json.get("links", [])}
    assert {rule.name for rule in rule_files.alerts()} == linked


def test_every_metric_is_shown_or_alerted_on(declared: list[Family]) -> None:
    queries = [query for panel in panels() for query in panel.queries] + [rule.expr for rule in rule_files.rules()]
    used = {re.sub("_bucket$", "", one.metric) for query in queries for one in promql.selectors(query)}
    assert {family.name for family in declared} - used == set()


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_variables_are_those_that_are_used(board: dict[str, Any]) -> None:
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names == ["datasource", "instance", "repository", "runbooks"]
    parts = [panel.json for panel in panels() if panel.board == board["uid"]]
    used = set(re.findall(r"\$\{?(\w+)", str(parts))) - BUILT_IN
    assert used <= set(names)
    (runbooks,) = [variable for variable in board["templating"]["list"] if variable["name"] == "runbooks"]
    assert runbooks["query"] == LINK


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_panels_lie_side_by_side_and_never_on_each_other(board: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    cells = [
        (x, y)
        for place in places
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    assert len(cells) == len(set(cells))
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))


def test_dashboards_have_names_of_their_own_and_find_each_other() -> None:
    uids = [board["uid"] for board in boards()]
    assert sorted(path.stem for path in DASHBOARDS.glob("*.json")) == sorted(uids)
    assert all(board["tags"] == ["censusd"] == board["links"][0]["tags"] for board in boards())
    targets = re.findall(r"/d/([\w-]+)", "".join(path.read_text() for path in DASHBOARDS.glob("*.json")))
    assert set(targets) <= set(uids)


def test_provisioning_is_read_as_meant() -> None:
    (source,) = plain_yaml.read((GRAFANA / "provisioning/datasources/censusd.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = plain_yaml.read((GRAFANA / "provisioning/dashboards/censusd.yml").read_text())["providers"]
    assert provider["options"]["path"].endswith("/grafana/dashboards")


def test_the_committed_dashboards_are_those_that_are_generated() -> None:
    made = dict(dashboards())
    assert set(made) == {path.name for path in DASHBOARDS.glob("*.json")}
    for name, text in made.items():
        assert (DASHBOARDS / name).read_text() == text, "run make generate"


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_grafana_s_own_model_reads_them_whole(board: dict[str, Any]) -> None:
    again = JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board))
    assert again == JSONEncoder(sort_keys=True).encode(board)
