"""Everything about one repository."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from censusd import metrics
from censusd.model import RepositoryState
from generators import meanings
from generators.boards import add, board
from generators.panels import NONE_IS_FINE, AnyPanel, bands, cloud, graph, number, word
from generators.queries import Query, files, gauge, increase, numbered, quantile, rate


def one_repository() -> dashboard.Dashboard:
    """The dashboard."""
    made = board(
        "censusd-repository",
        "censusd / Repository",
        "How one repository stands: what is done about it, how far it is behind, and what is on record.",
        one_repository=True,
    )
    add(made, "Now", _now())
    add(made, "What is on record", _content())
    add(made, "Keeping up", _keeping_up())
    add(made, "Passes and other work", _work())
    add(made, "Watch", _watch())
    return made


def _now() -> list[AnyPanel]:
    since = gauge("censusd_last_pass_timestamp_seconds")
    due = gauge("censusd_next_reconciliation_timestamp_seconds")
    missed = gauge("censusd_repository_dirty_since_timestamp_seconds")
    return [
        number(
            "Worker",
            "What the daemon that owns it is doing about it.",
            numbered("censusd_repository_phase", "phase", metrics.PHASES),
            meanings=meanings.phases(),
            runbooks=["CensusdRepositoryTroubled", "CensusdRepositoryUnowned"],
        ),
        number(
            "State",
            "What the catalogue has on record. Held: deletions wait for censusctl release.",
            numbered("censusd_repository_state", "state", list(RepositoryState)),
            meanings=meanings.states(),
            runbooks=["CensusdRepositoryOffline", "CensusdBreakerHolding"],
        ),
        word(
            "Changes are noticed by",
            "fanotify, inotify: at once. hybrid: some directories are polled. poll: all. off: at reconciliations only.",
            gauge("censusd_watch_tier", by="repository, tier"),
            "tier",
            runbooks=["CensusdDirectoriesUncovered"],
        ),
        number(
            "Since the last pass",
            "Since the last look at everything began.",
            f"time() - ({since} > 0)",
            unit="s",
        ).no_value("never"),
        number(
            "Until the next",
            "Until everything is looked at again; below zero it is late.",
            f"({due} > 0) - time()",
            unit="s",
            steps=((None, "red"), (-3600, "orange"), (0, "green")),
            runbooks=["CensusdReconciliationOverdue"],
        ).no_value("unknown"),
        number(
            "May have missed something since",
            "Events were lost, and no complete pass has looked for what they said yet.",
            f"time() - ({missed} > 0)",
            unit="s",
            steps=((None, "orange"), (6 * 3600, "red")),
            runbooks=["CensusdChangesMissed"],
        ).no_value("no"),
    ]


def _content() -> list[AnyPanel]:
    of = "repository, state, phase"
    return [
        number("Files", "Files that are present.", files("present")),
        number("Size", "Bytes in them.", gauge("censusd_files_bytes"), unit="bytes"),
        number("Directories", "Directories that are present.", gauge("censusd_directories")),
        number("Missing", "Files that are proved absent, and kept for the grace period.", files("missing")),
        number(
            "Unreadable",
            "Directories that cannot be read: what is on record below them stays as it was.",
            gauge("censusd_problem_directories"),
            steps=NONE_IS_FINE,
            runbooks=["CensusdDirectoriesUnreadable"],
        ),
        number(
            "Quarantined",
            "Files that failed three times in the deep scan.",
            gauge("censusd_deep_scan_quarantined_files"),
            steps=NONE_IS_FINE,
            runbooks=["CensusdFilesQuarantined"],
        ),
        graph(
            "Files by state",
            "Quick: only the stat is known. Deep: hash and metadata, too.",
            [Query(gauge("censusd_files", by=of), "{{state}}, {{phase}}")],
            stacked=True,
        ),
        graph(
            "Changes a second",
            "Rows that were changed, by what happened to them.",
            [Query(rate("censusd_changes_total", by="change"), "{{change}}")],
            unit="cps",
            stacked=True,
        ),
    ]


def _keeping_up() -> list[AnyPanel]:
    return [
        cloud(
            "From change to commit",
            "How many changes took how long from their first event until they were on record.",
            "censusd_event_to_commit_seconds",
            runbooks=["CensusdCatalogueLagging"],
        ),
        graph(
            "From change to commit, quantiles",
            "Half of the changes, and all but one in a hundred, are on record within this time.",
            [
                Query(quantile(0.5, "censusd_event_to_commit_seconds"), "half"),
                Query(quantile(0.99, "censusd_event_to_commit_seconds"), "99 %"),
            ],
            unit="s",
            steps=((None, "green"), (5, "orange"), (30, "red")),
            runbooks=["CensusdCatalogueLagging"],
        ),
        graph(
            "Waiting changes",
            "Places that were reported as changed and are not on record yet.",
            [Query(gauge("censusd_dirty_marks"), "places")],
        ),
        graph(
            "The oldest of them has waited",
            "More than max_latency (5 seconds by default) means that something is in the way.",
            [Query(gauge("censusd_dirty_oldest_seconds"), "oldest")],
            unit="s",
            steps=((None, "green"), (60, "orange"), (300, "red")),
            runbooks=["CensusdCatalogueStuck"],
        ),
    ]


def _work() -> list[AnyPanel]:
    kind = "repository, type"
    return [
        bands(
            "What was done",
            "The phase of its worker.",
            numbered("censusd_repository_phase", "phase", metrics.PHASES),
            meanings.phases(),
        ),
        graph(
            "Work",
            "Pieces of work that came to an end, by kind.",
            [Query(increase("censusd_operations_total", 'status="completed"', by="type"), "{{type}}")],
            stacked=True,
        ),
        graph(
            "Work that did not succeed",
            "Failed: tried again. Cancelled: the daemon was stopped. Held: deletions wait to be confirmed.",
            [
                Query(
                    increase("censusd_operations_total", 'status!="completed"', by="type, status"),
                    "{{type}}, {{status}}",
                )
            ],
            stacked=True,
            runbooks=["CensusdWorkFailing"],
        ),
        graph(
            "How long it takes",
            "Nine pieces of work in ten take no longer, by kind.",
            [Query(quantile(0.9, "censusd_operation_duration_seconds", by=kind), "{{type}}")],
            unit="s",
        ),
        graph(
            "Progress of the running pass",
            "Files that it has looked at; a saw-tooth from pass to pass.",
            [Query(gauge("censusd_pass_files"), "files")],
            runbooks=["CensusdPassStuck"],
        ),
        graph(
            "Found by the last pass",
            "Changes that events had missed. Many of them make the next interval shorter.",
            [Query(gauge("censusd_last_pass_drift"), "changes")],
        ),
        graph(
            "Interval between passes",
            "As adapted to what they find, within reconcile_min and reconcile_max.",
            [Query(gauge("censusd_reconciliation_interval_seconds"), "interval")],
            unit="s",
        ),
    ]


def _watch() -> list[AnyPanel]:
    return [
        graph(
            "Events a second",
            "Events that were read from the kernel.",
            [Query(rate("censusd_events_total"), "events")],
            unit="cps",
        ),
        graph(
            "Overflows",
            "How often the kernel threw events away. Each costs a complete pass.",
            [Query(increase("censusd_overflows_total"), "overflows")],
            runbooks=["CensusdEventsOverflowing"],
        ),
        graph(
            "Watches",
            "What is held, and what full coverage takes.",
            [Query(gauge("censusd_watches_used"), "held"), Query(gauge("censusd_watches_needed"), "needed")],
        ),
        graph(
            "Not watched, not readable",
            "Directories that are polled because the kernel's limit is reached, and directories that cannot be read.",
            [
                Query(gauge("censusd_uncovered_directories"), "not watched"),
                Query(gauge("censusd_problem_directories"), "not readable"),
                Query(rate("censusd_problems_total"), "refused looks a second"),
            ],
            runbooks=["CensusdDirectoriesUncovered", "CensusdDirectoriesUnreadable"],
        ),
    ]
