"""The process itself: resources, the database, the port, loops, watches."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard

from generators.boards import add, board
from generators.meanings import YES
from generators.panels import ONE_IS_WANTED, AnyPanel, graph, number, word
from generators.queries import Query, of_daemons, of_repositories, rate

_JOB: Final = 'job="censusd"'
_RATE: Final = "[$__rate_interval]"


def internals() -> dashboard.Dashboard:
    """The dashboard."""
    made = board(
        "censusd-internals",
        "censusd / Internals",
        "The processes: whether they run, what they use, and how their database, their loops and their port do.",
    )
    add(made, "Now", _now())
    add(made, "Process", _process())
    add(made, "Database", _database())
    add(made, "Events and requests", _traffic())
    return made


def _now() -> list[AnyPanel]:
    started = of_daemons("process_start_time_seconds", _JOB)
    return [
        word("Version", "What runs.", f"max by (version) ({of_daemons('censusd_build_info')})", "version"),
        number(
            "Ready",
            "Whether every daemon looks after its repositories, or says why not.",
            f"min({of_daemons('censusd_ready')})",
            steps=ONE_IS_WANTED,
            meanings=YES,
            runbooks=["CensusdNotReady"],
        ),
        number(
            "Configuration valid",
            "Whether the last one that was read was valid. Else the one before it is in force.",
            f"min({of_daemons('censusd_config_last_reload_successful')})",
            steps=ONE_IS_WANTED,
            meanings=YES,
            runbooks=["CensusdConfigurationRejected"],
        ),
        number(
            "Configuration read",
            "Since the last valid one was read.",
            f"time() - max({of_daemons('censusd_config_last_reload_success_timestamp_seconds')})",
            unit="s",
        ),
        number("Running for", "Since the youngest process was started.", f"time() - max({started})", unit="s"),
        number(
            "Starts in 24 h",
            "How often a process was started.",
            f"sum(changes({started}[24h]))",
            steps=((None, "green"), (3, "orange"), (10, "red")),
            runbooks=["CensusdRestarting"],
        ),
    ]


def _process() -> list[AnyPanel]:
    return [
        graph(
            "Processor",
            "Processors in use by the daemon; its deep scan's worker processes are not counted.",
            [Query(f"rate({of_daemons('process_cpu_seconds_total', _JOB)}{_RATE})", "{{instance}}")],
            unit="short",
        ),
        graph(
            "Memory",
            "Resident memory of the daemon. It stays below 150 MiB while it first scans a million files.",
            [Query(of_daemons("process_resident_memory_bytes", _JOB), "{{instance}}")],
            unit="bytes",
        ),
        graph(
            "Open files",
            "File descriptors, and how many there may be.",
            [
                Query(of_daemons("process_open_fds", _JOB), "{{instance}}"),
                Query(of_daemons("process_max_fds", _JOB), "{{instance}}, limit"),
            ],
        ),
        graph(
            "Silence of the loops",
            "For how long each has not proved that it is alive. Some seconds are usual.",
            [Query(f"max by (instance, loop) ({of_daemons('censusd_loop_age_seconds')})", "{{loop}}")],
            unit="s",
            steps=((None, "green"), (60, "orange"), (300, "red")),
            runbooks=["CensusdLoopSilent"],
        ),
    ]


def _database() -> list[AnyPanel]:
    pool = of_daemons("censusd_database_pool_connections")
    errors = of_daemons("censusd_database_errors_total")
    return [
        graph(
            "Connections",
            "Open ones by what they do, and how many there may be.",
            [
                Query(f"sum by (state) ({pool})", "{{state}}"),
                Query(f"sum({of_daemons('censusd_database_pool_limit_connections')})", "limit"),
            ],
            runbooks=["CensusdDatabaseBusy"],
        ),
        graph(
            "Work that waits for a connection",
            "More than none for long means that the database or the pool is too small.",
            [Query(of_daemons("censusd_database_pool_waiting"), "{{instance}}")],
            runbooks=["CensusdDatabaseBusy"],
        ),
        graph(
            "Errors",
            "By SQLSTATE, or the driver's name for what has none.",
            [Query(f"sum by (sqlstate) (increase({errors}{_RATE}))", "{{sqlstate}}")],
            stacked=True,
            runbooks=["CensusdDatabaseErrors"],
        ),
        graph(
            "Reachable",
            "Whether the last statement reached the database.",
            [Query(of_daemons("censusd_database_up"), "{{instance}}")],
            runbooks=["CensusdDatabaseDown"],
        ).max(1),
    ]


def _traffic() -> list[AnyPanel]:
    requests = of_daemons("censusd_http_requests_total")
    used = of_repositories("censusd_watches_used")
    return [
        graph(
            "Requests a second",
            "Over HTTP, on the port and on the control socket.",
            [Query(f"sum by (route, code) (rate({requests}{_RATE}) > 0)", "{{route}}, {{code}}")],
            unit="reqps",
            stacked=True,
        ),
        graph(
            "Watches in use",
            "Which share of the kernel watches that its user may hold each daemon holds.",
            [
                Query(
                    f"sum by (instance) ({used}) / on (instance) {of_daemons('censusd_watches_limit')}",
                    "{{instance}}",
                )
            ],
            unit="percentunit",
            steps=((None, "green"), (0.9, "orange")),
            runbooks=["CensusdWatchesRunningOut"],
        ).max(1),
        graph(
            "Events a second",
            "Events that were read from the kernel.",
            [Query(rate("censusd_events_total"), "{{repository}}")],
            unit="cps",
            stacked=True,
        ),
        graph(
            "Files looked at on disk a second",
            "Counted when the work that looked at them is done, so a pass is one peak.",
            [Query(rate("censusd_files_scanned_total"), "{{repository}}")],
            unit="cps",
            stacked=True,
        ),
    ]
