"""The declaration of the metrics: conventions, closed sets of labels, and what becomes of a repository's series."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from censusd import metrics
from censusd.deepscan.idle import Condition
from censusd.sync.standing import Phase
from tests.tools.metrics import Family, families

DECLARED = [metric for group in metrics.GROUPS.values() for metric in group]


@pytest.fixture
def repository() -> Iterator[str]:
    name = "of a test"
    metrics.prepare(name)
    yield name
    metrics.forget(name)


def series(name: str) -> dict[str, list[float]]:
    """The values of every series of a repository, by family."""
    return {
        family.name: values
        for family in families()
        if (values := [sample.value for sample in family.samples if name in sample.labels.values()])
    }


def test_every_metric_is_in_the_one_list_of_them() -> None:
    listed = {collector for collector in vars(metrics).values() if isinstance(collector, MetricWrapperBase)}
    assert listed == set(DECLARED)
    assert len(DECLARED) == len(set(DECLARED))


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_names_follow_the_conventions(family: Family) -> None:
    """https://prometheus.io/docs/practices/naming/: base units at the end, _total for what accumulates only."""
    assert re.fullmatch(r"censusd(_[a-z]+)+", family.name)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|days|kb|mb|gb|percent)(_|$)", family.name)
    assert family.name.endswith("_total") == (family.type == "counter")
    assert family.type != "histogram" or family.name.endswith("_seconds")
    assert "timestamp" not in family.name or family.name.endswith("_timestamp_seconds")
    assert family.help[0].isupper() or family.help[0].isdigit()
    assert not family.help.endswith(".")


def test_the_closed_sets_are_those_of_the_code() -> None:
    assert tuple(phase.name.lower() for phase in Phase) == metrics.PHASES
    assert tuple(Condition) == metrics.CONDITIONS


def test_a_repository_has_all_its_series_from_the_beginning(repository: str) -> None:
    of_repositories = {metric for metric in DECLARED if "repository" in metric._labelnames}
    assert len(series(repository)) == len(of_repositories)
    assert all(isinstance(metric, Counter | Gauge | Histogram) for metric in of_repositories)
    assert {value for values in series(repository).values() for value in values} == {0.0}


def test_what_another_daemon_looks_after_is_not_counted_twice(repository: str) -> None:
    metrics.FILES.labels(repository, "present", "deep").set(7)
    metrics.REPOSITORY_STATE.labels(repository, "active").set(1)
    metrics.LAST_PASS.labels(repository).set(1e9)
    metrics.CHANGES.labels(repository, "added").inc(7)
    metrics.disown(repository)
    assert set(series(repository)["censusd_files"]) == {0.0}
    assert set(series(repository)["censusd_repository_state"]) == {0.0}
    assert series(repository)["censusd_last_pass_timestamp_seconds"] == [0.0]
    assert 7.0 in series(repository)["censusd_changes_total"], "a counter only grows"


def test_nothing_is_left_of_a_repository_that_is_forgotten() -> None:
    metrics.prepare("gone")
    metrics.LOOP_AGE.labels("gone").set(1)
    metrics.forget("gone")
    assert series("gone") == {}


def test_what_is_counted_late_goes_away_too() -> None:
    metrics.prepare("late")
    metrics.forget("late")
    metrics.EVENTS.labels("late").inc()
    metrics.sweep()
    assert series("late") == {}
    metrics.prepare("late")
    metrics.sweep()
    assert series("late"), "it is back"
    metrics.forget("late")


def test_errors_have_a_bounded_number_of_series() -> None:
    for number in range(200):
        metrics.database_error(f"T{number:04}")
    (family,) = [one for one in families() if one.name == "censusd_database_errors_total"]
    assert len({sample.labels["sqlstate"] for sample in family.samples}) <= 41
    assert [sample.value >= 160 for sample in family.samples if sample.labels["sqlstate"] == "other"] == [True]


def test_a_hundred_repositories_are_few_enough_series() -> None:
    """A Prometheus takes a million; a scrape of this size takes milliseconds."""
    before = sum(len(family.samples) for family in families())
    names = [f"repository {number}" for number in range(100)]
    try:
        for name in names:
            metrics.prepare(name)
        each = (sum(len(family.samples) for family in families()) - before) / len(names)
        assert each == round(each), "each has as many as the others"
        assert each < 200
    finally:
        for name in names:
            metrics.forget(name)
    assert sum(len(family.samples) for family in families()) == before
