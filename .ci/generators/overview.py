"""The dashboard to begin with: does the catalogue keep up with the disk, everywhere?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from censusd import metrics
from censusd.model import RepositoryState
from generators import meanings
from generators.boards import add, board
from generators.panels import (
    NONE_IS_FINE,
    NONE_IS_WANTED,
    ONE_IS_WANTED,
    SOURCE,
    AnyPanel,
    bands,
    dress,
    graph,
    meaning,
    number,
)
from generators.queries import Query, files, gauge, numbered, of_daemons, of_repositories

_RECORDED: Final = '{repository=~"$repository"}'
_COVERAGE: Final = f"max by (repository) (job_repository:censusd_deep_scan_coverage:ratio{_RECORDED})"
_LAG: Final = ((None, "green"), (5, "orange"), (30, "red"))


def overview() -> dashboard.Dashboard:
    """The dashboard."""
    made = board(
        "censusd-overview",
        "censusd / Overview",
        "Whether the catalogue keeps up with the disk, in every repository. "
        "The rules in etc/prometheus have to be loaded.",
    )
    add(made, "Now", _now())
    add(made, "Repositories", _repositories())
    add(made, "Keeping up", _keeping_up())
    add(made, "What is on record", _content())
    return made


def _now() -> list[AnyPanel]:
    held = of_repositories("censusd_repository_state", 'state=~"offline|held"')
    return [
        number(
            "Daemons",
            "censusd processes that Prometheus reaches.",
            'sum(up{job="censusd", instance=~"$instance"})',
            steps=ONE_IS_WANTED,
            runbooks=["CensusdDown", "CensusdInstanceDown"],
            width=3,
        ),
        number(
            "Looked after",
            "Repositories that a daemon owns at this moment.",
            f"count(max by (repository) ({of_repositories('censusd_repository_owned')}) == 1) or vector(0)",
            steps=ONE_IS_WANTED,
            runbooks=["CensusdRepositoryUnowned"],
            width=3,
        ),
        number(
            "Offline or held",
            "Repositories whose root is not there, or whose deletions wait for somebody to confirm them.",
            f"sum({held})",
            steps=NONE_IS_WANTED,
            runbooks=["CensusdRepositoryOffline", "CensusdBreakerHolding"],
            width=3,
        ),
        number(
            "Alerts",
            "Alerts of censusd that are firing.",
            'count(ALERTS{alertname=~"Censusd.*", alertstate="firing"}) or vector(0)',
            steps=NONE_IS_FINE,
            width=3,
        ),
        number(
            "Behind by",
            "For how long the oldest change that was noticed has waited to be on record.",
            f"max({of_repositories('censusd_dirty_oldest_seconds')})",
            unit="s",
            steps=_LAG,
            runbooks=["CensusdCatalogueStuck"],
            width=3,
        ),
        number(
            "Database",
            "Whether the last statement of each daemon reached PostgreSQL.",
            f"min({of_daemons('censusd_database_up')})",
            steps=ONE_IS_WANTED,
            meanings={"0": ("away", "red"), "1": ("there", "green")},
            runbooks=["CensusdDatabaseDown"],
            width=3,
        ),
        number("Files", "Files that are present.", f"sum({files('present')})", width=3),
        number("Size", "Bytes in them.", f"sum({gauge('censusd_files_bytes')})", unit="bytes", width=3),
    ]


def _repositories() -> list[AnyPanel]:
    phase = numbered("censusd_repository_phase", "phase", metrics.PHASES)
    return [
        _table(),
        bands(
            "What was done about each",
            "The phase of each repository's worker, of the daemon that owns it. Blue is work, red is trouble.",
            phase,
            meanings.phases(),
            runbooks=["CensusdRepositoryTroubled", "CensusdRepositoryOffline"],
        ),
    ]


def _table() -> table.Panel:
    """One line for each repository."""
    state = numbered("censusd_repository_state", "state", list(RepositoryState))
    last = f"time() - (max by (repository) ({of_repositories('censusd_last_pass_timestamp_seconds')}) > 0)"
    columns = (
        ("State", state, "short"),
        ("Files", files("present"), "short"),
        ("Size", gauge("censusd_files_bytes"), "bytes"),
        ("Missing", files("missing"), "short"),
        ("Waiting changes", gauge("censusd_dirty_marks"), "short"),
        ("Since last pass", last, "s"),
        ("Unreadable", gauge("censusd_problem_directories"), "short"),
        ("Not watched", gauge("censusd_uncovered_directories"), "short"),
        ("Deep-scanned", _COVERAGE, "percentunit"),
        ("Quarantined", gauge("censusd_deep_scan_quarantined_files"), "short"),
        ("Corrupt", gauge("censusd_corrupt_files"), "short"),
    )
    panel = dress(
        table.Panel(),
        "Every repository",
        "Missing: proved absent, and kept for the grace period. Unreadable and not watched: directories. "
        "The name leads to the repository's own dashboard.",
        [],
        size=(24, 8),
        runbooks=["CensusdDirectoriesUnreadable", "CensusdDirectoriesUncovered"],
    )
    names = {"repository": "Repository"}
    for letter, (title, expr, unit) in zip("ABCDEFGHIJK", columns, strict=True):
        target = prometheus.Dataquery().ref_id(letter).expr(expr).datasource(SOURCE)
        panel.with_target(target.format(PromQueryFormat.TABLE).instant())
        names[f"Value #{letter}"] = title
        panel.override_by_name(title, [DynamicConfigValue("unit", unit)])
    kept = "var-datasource=${datasource}&${__url_time_range}"
    link = {
        "title": "Its own dashboard",
        "url": f"/d/censusd-repository?{kept}&var-repository=${{__value.raw:percentencode}}",
    }
    panel.override_by_name("Repository", [DynamicConfigValue("links", [link])])
    panel.override_by_name("State", [DynamicConfigValue("mappings", [meaning(meanings.states())])])
    order = {name: position for position, name in enumerate(names)}
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        DataTransformerConfig(
            "organize", options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
        )
    )
    return panel


def _keeping_up() -> list[AnyPanel]:
    lag = "job_repository:censusd_event_to_commit_seconds"
    return [
        graph(
            "From change to commit, 99th percentile",
            "One change in a hundred takes longer than this from its first event until it is on record. About the "
            "debounce (half a second by default) is as fast as it gets. There are gaps where nothing changed.",
            [Query(f"max by (repository) ({lag}:p99_rate5m{_RECORDED})", "{{repository}}")],
            unit="s",
            steps=_LAG,
            runbooks=["CensusdCatalogueLagging"],
        ),
        graph(
            "Waiting changes",
            "Places that were reported as changed and are not on record yet.",
            [Query(gauge("censusd_dirty_marks"), "{{repository}}")],
            runbooks=["CensusdCatalogueStuck"],
        ),
        graph(
            "Changes a second",
            "Rows that were changed, by what happened to them.",
            [Query(f"sum by (change) (job_repository_change:censusd_changes:rate5m{_RECORDED})", "{{change}}")],
            unit="cps",
            stacked=True,
        ),
        graph(
            "Passes that are due",
            "Seconds until each repository's next reconciliation; below zero it is late.",
            [
                Query(
                    f"(max by (repository) ({of_repositories('censusd_next_reconciliation_timestamp_seconds')}) > 0)"
                    " - time()",
                    "{{repository}}",
                )
            ],
            unit="s",
            runbooks=["CensusdReconciliationOverdue"],
            from_zero=False,
        ),
    ]


def _content() -> list[AnyPanel]:
    return [
        graph(
            "Files",
            "Files that are present.",
            [
                Query(
                    f"sum by (repository) (job_repository_state_phase:censusd_files:max{_RECORDED[:-1]}, "
                    'state="present"})',
                    "{{repository}}",
                )
            ],
            stacked=True,
        ),
        graph(
            "Deep-scanned",
            "Which share of the files that are present have their hash and metadata.",
            [Query(_COVERAGE, "{{repository}}")],
            unit="percentunit",
            runbooks=["CensusdDeepScanBehind"],
        ).max(1),
    ]
