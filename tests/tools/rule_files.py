"""The rules in etc/prometheus, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tools import plain_yaml

PROMETHEUS = Path(__file__).parents[2] / "etc" / "prometheus"
RULE_FILES = tuple(sorted(PROMETHEUS.glob("*.rules.yml")) + sorted(PROMETHEUS.glob("*.alerts.yml")))
TEST_FILES = tuple(sorted(PROMETHEUS.glob("tests/*.test.yml")))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: of the alert, or of the series that it records.
        is_alert: whether it alerts.
        expr: the query.
        wait: for how long it has to hold before it alerts, such as 5m.
        labels: that an alert adds.
        annotations: of an alert.
    """

    name: str
    is_alert: bool
    expr: str
    wait: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def rules() -> list[Rule]:
    """Every rule there is."""
    return [_rule(entry) for path in RULE_FILES for group in _groups(path) for entry in group["rules"]]


def alerts() -> list[Rule]:
    """Every rule that alerts."""
    return [rule for rule in rules() if rule.is_alert]


def tested() -> set[str]:
    """The names that the rules' unit tests try: alerts that have to fire, and series that have to have a value."""
    names = set()
    for path in TEST_FILES:
        for test in plain_yaml.read(path.read_text())["tests"]:
            names |= {one["alertname"] for one in test.get("alert_rule_test", []) if one["exp_alerts"]}
            names |= {one["expr"].partition("{")[0] for one in test.get("promql_expr_test", []) if one["exp_samples"]}
    return names


def _groups(path: Path) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = plain_yaml.read(path.read_text())["groups"]
    return groups


def _rule(entry: dict[str, Any]) -> Rule:
    name = entry.get("alert") or entry["record"]
    return Rule(
        name,
        "alert" in entry,
        entry["expr"],
        entry.get("for", ""),
        entry.get("labels", {}),
        entry.get("annotations", {}),
    )
