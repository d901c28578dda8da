"""The rules for Prometheus in etc/prometheus, as far as no Prometheus is needed; tests/system has the rest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields

import pytest

from censusd.cli.censusctl import _parser as parser
from censusd.config.repository import RepositoryConfig
from censusd.config.schema import TABLES
from tests.tools import plain_yaml, promql, rule_files
from tests.tools.metrics import Family, declared
from tests.tools.rule_files import PROMETHEUS, Rule

RUNBOOKS = PROMETHEUS.parents[1] / "docs" / "runbooks"
POSTGRESQL_SETTINGS = {"max_connections", "shared_buffers"}
LINK = "file:///usr/share/doc/censusd/docs/runbooks/"


@pytest.fixture(name="declared", scope="module")
def _declared() -> Iterator[list[Family]]:
    with declared() as found:
        yield found


def recorded() -> dict[str, frozenset[str]]:
    """The labels of what rules record: those that the first part of the name says."""
    return {
        rule.name: frozenset(rule.name.partition(":")[0].split("_")) for rule in rule_files.rules() if not rule.is_alert
    }


def by_name(rule: Rule) -> str:
    return rule.name


@pytest.mark.parametrize("rule", rule_files.rules(), ids=by_name)
def test_every_metric_and_label_exists(rule: Rule, declared: list[Family]) -> None:
    assert promql.faults(rule.expr, declared, recorded()) == []


@pytest.mark.parametrize("rule", rule_files.rules(), ids=by_name)
def test_every_rule_is_tested(rule: Rule) -> None:
    assert rule.name in rule_files.tested()


@pytest.mark.parametrize("rule", rule_files.alerts(), ids=by_name)
def test_an_alert_says_what_is_the_matter_and_what_to_do(rule: Rule) -> None:
    """As the mixins have it: https://monitoring.mixins.dev/#guidelines-for-alert-names-labels-and-annotations."""
    assert re.fullmatch(r"Censusd([A-Z][a-z]+)+", rule.name)
    assert rule.wait
    assert rule.labels["severity"] in {"critical", "warning", "info"}
    assert set(rule.annotations) == {"summary", "description", "runbook_url"}
    assert "{{" not in rule.annotations["summary"], "it has to be the same for all that are grouped under it"
    assert rule.annotations["runbook_url"] == f"{LINK}{rule.name}.md"


@pytest.mark.parametrize("rule", rule_files.alerts(), ids=by_name)
def test_a_description_speaks_of_labels_that_the_alert_has(rule: Rule, declared: list[Family]) -> None:
    spoken = set(re.findall(r"\$labels\.(\w+)", rule.annotations["description"]))
    known = {family.name: family.labels for family in declared} | recorded()
    for selector in promql.selectors(rule.expr)[:1]:
        has = known.get(selector.metric, frozenset()) | promql.OF_EVERY_TARGET
        assert spoken <= has
        if rule.expr.startswith(("max by", "sum by")):
            assert spoken <= {label.strip() for label in rule.expr.partition("(")[2].partition(")")[0].split(",")}


@pytest.mark.parametrize("rule", rule_files.alerts(), ids=by_name)
def test_an_alert_has_a_runbook(rule: Rule) -> None:
    text = (RUNBOOKS / f"{rule.name}.md").read_text()
    assert text.startswith(f"# {rule.name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule.name for rule in rule_files.alerts()}


def test_no_two_rules_have_a_name() -> None:
    names = [rule.name for rule in rule_files.rules()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("censusd_filez", "there is no metric censusd_filez"),
        ("censusd_operations", "there is no metric censusd_operations"),
        ("censusd_files_bucket", "there is no metric censusd_files_bucket"),
        ('rate(censusd_files{who="x"}[5m])', "censusd_files has no label who"),
        ('censusd_files{state="lost"} > 0', "censusd_files has no state lost"),
        ('censusd_files{state=~"present|lost"}', "censusd_files has no state lost"),
        ("sum by (job, who) (censusd_ready)", "nothing in the query has a label who"),
    ],
)
def test_a_query_of_what_does_not_exist_is_noticed(query: str, fault: str, declared: list[Family]) -> None:
    assert promql.faults(query, declared, {}) == [fault]


def test_a_query_is_read_right() -> None:
    query = (
        'sum by (le) (rate(a:b_bucket{x="1 by (y) {z}", y!~"$q"}[5m] offset 1h)) / on (job) 1e3 * (up > bool 6 * 3600)'
    )
    assert promql.selectors(query) == [
        promql.Selector("a:b_bucket", (("x", "=", "1 by (y) {z}"), ("y", "!~", "$q"))),
        promql.Selector("up", ()),
    ]
    assert promql.grouping(query) == {"le", "job"}


def test_the_example_loads_the_rules_and_scrapes_the_name_that_they_go_by() -> None:
    example = plain_yaml.read((PROMETHEUS / "prometheus.yml").read_text())
    assert set(example["rule_files"]) == {path.name for path in rule_files.RULE_FILES}
    assert [job["job_name"] for job in example["scrape_configs"]] == ["censusd"]


@pytest.mark.parametrize("text", ["a: {b: c}", "a: &x 1", "a: b: c", "- a\nb: c", 'a: "\\n"', "a: 1\na: 2", "a\n"])
def test_what_the_reader_does_not_know_it_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        plain_yaml.read(text)


def runbooks() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(RUNBOOKS.glob("*.md"))}


@pytest.mark.parametrize("name", runbooks())
def test_a_runbook_names_orders_that_there_are(name: str) -> None:
    for code in re.findall(r"```sh\n(.*?)```|`(censusctl [^`]*)`", runbooks()[name], re.DOTALL):
        for line in "".join(code).splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["censusctl"]:
                assert parser().parse_args(words[1:]).command == words[1]


@pytest.mark.parametrize("name", runbooks())
def test_a_runbook_names_keys_metrics_and_pages_that_there_are(name: str, declared: list[Family]) -> None:
    text = runbooks()[name]
    keys = {table: {field.name for field in fields(kind)} for table, kind in TABLES.items()}
    every = set().union(*keys.values()) | {field.name for field in fields(RepositoryConfig)} | POSTGRESQL_SETTINGS
    for table, key in re.findall(r"`(\w+)\.(\w+)(?: = [^`]*)?`", text):
        assert key in keys.get(table, ()) or f"{table}.{key}" == "censusd.toml"
    for key in re.findall(r"`([a-z]+_[a-z_]+)(?: = [^`]*)?`", text):
        assert key in every or key.startswith("censusd_")
    known = {family.name for family in declared}
    for metric in re.findall(r"\bcensusd_\w+", text):
        assert metric in known
    for page in re.findall(r"\]\(([^)]*)\)", text):
        assert (RUNBOOKS / page).exists()
