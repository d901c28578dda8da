"""The deep scan: what it does, what holds it back, and how long it will take."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from generators.boards import add, board
from generators.panels import NONE_IS_FINE, AnyPanel, graph, number, word
from generators.queries import Query, files, gauge, increase, of_daemons, of_repositories, rate


def deep_scan() -> dashboard.Dashboard:
    """The dashboard."""
    made = board(
        "censusd-deep-scan",
        "censusd / Deep scan",
        "Hashes and metadata: how much is done, how much waits, and what holds it back.",
    )
    add(made, "Now", _now())
    add(made, "Backlog", _backlog())
    add(made, "Pace", _pace())
    add(made, "Reading again", _again())
    add(made, "Descriptions of pictures", _descriptions())
    return made


def _now() -> list[AnyPanel]:
    backlog = f"sum({gauge('censusd_deep_scan_backlog_files')})"
    pace = f"sum(rate({of_repositories('censusd_deep_scan_files_total')}[30m]))"
    deep = f"sum({gauge('censusd_files', _DEEP)})"
    return [
        word(
            "The backlog",
            "What is done about what waits, or what holds it back: others that use the machine (cpu, io, database), "
            "the hours that are allowed, files that are being changed.",
            f"max by (state) ({of_daemons('censusd_deep_scan_state')})",
            "state",
            runbooks=["CensusdDeepScanBacklogGrowing", "CensusdDeepScanStuck"],
        ),
        number("Files that wait", "Files that wait to be looked at without anybody asking.", backlog),
        number("Bytes that wait", "Bytes in them.", f"sum({gauge('censusd_deep_scan_backlog_bytes')})", unit="bytes"),
        number(
            "Done",
            "Which share of the files that are present have their hash and metadata.",
            f"{deep} / (sum({files('present')}) - sum({gauge('censusd_deep_scan_never_files')}) > 0)",
            unit="percentunit",
        ).decimals(1),
        number(
            "Time left",
            "At the pace of the last half hour.",
            f"{backlog} / ({pace} > 0)",
            unit="s",
        ).no_value("unknown"),
        number(
            "Quarantined",
            "Files that were given up after three attempts: censusctl problems.",
            f"sum({gauge('censusd_deep_scan_quarantined_files')})",
            steps=NONE_IS_FINE,
            runbooks=["CensusdFilesQuarantined"],
        ),
    ]


def _backlog() -> list[AnyPanel]:
    return [
        graph(
            "Files that wait",
            "To be looked at without anybody asking; not those that were given up.",
            [Query(gauge("censusd_deep_scan_backlog_files"), "{{repository}}")],
            stacked=True,
            runbooks=["CensusdDeepScanBacklogGrowing"],
        ),
        graph(
            "Bytes that wait",
            "Bytes in them.",
            [Query(gauge("censusd_deep_scan_backlog_bytes"), "{{repository}}")],
            unit="bytes",
            stacked=True,
        ),
        graph(
            "The oldest of them has waited",
            "Of those that are looked at without anybody asking. After deep_scan.staleness (7 days) it is looked at on "
            "a busy machine, too.",
            [Query(gauge("censusd_deep_scan_oldest_seconds"), "{{repository}}")],
            unit="s",
            steps=((None, "green"), (7 * 86400, "orange"), (10 * 86400, "red")),
            runbooks=["CensusdDeepScanBehind"],
        ),
        graph(
            "What is done about it, and what holds it back",
            "For which share of the time.",
            [
                Query(
                    f"avg by (state) (avg_over_time({of_daemons('censusd_deep_scan_state')}[$__rate_interval]))",
                    "{{state}}",
                )
            ],
            unit="percentunit",
            stacked=True,
        ).max(1),
        graph(
            "Files that wait for somebody to ask",
            "What is looked at with censusctl deep-scan only.",
            [Query(gauge("censusd_deep_scan_on_demand_files"), "{{repository}}")],
            stacked=True,
        ),
    ]


def _pace() -> list[AnyPanel]:
    lookups = of_daemons("censusd_entity_cache_lookups_total")
    hits = of_daemons("censusd_entity_cache_lookups_total", 'result="hit"')
    return [
        graph(
            "Files a second",
            "Files that were looked at.",
            [Query(rate("censusd_deep_scan_files_total"), "{{repository}}")],
            unit="cps",
            stacked=True,
        ),
        graph(
            "Bytes a second",
            "Bytes that were hashed.",
            [Query(rate("censusd_deep_scan_bytes_total"), "{{repository}}")],
            unit="Bps",
            stacked=True,
        ),
        graph(
            "Failures",
            "Attempts to look at a file that failed. After three it is quarantined.",
            [Query(increase("censusd_deep_scan_failures_total"), "{{repository}}")],
            stacked=True,
            runbooks=["CensusdDeepScanFailing"],
        ),
        graph(
            "At work",
            "Files that are being looked at.",
            [Query(of_daemons("censusd_deep_scan_in_flight_files"), "{{instance}}")],
        ),
        graph(
            "Lookups answered from memory",
            "Which share of the people, series and tags that files name was in memory.",
            [
                Query(
                    f"sum by (instance) (rate({hits}[$__rate_interval]))"
                    f" / (sum by (instance) (rate({lookups}[$__rate_interval])) > 0)",
                    "{{instance}}",
                )
            ],
            unit="percentunit",
        ).max(1),
        graph(
            "Kept in memory",
            "People, series and tags.",
            [Query(of_daemons("censusd_entity_cache_entries"), "{{instance}}")],
        ),
    ]


def _again() -> list[AnyPanel]:
    return [
        graph(
            "Corrupt files",
            "Files whose content is not the recorded one although nobody has changed them: censusctl problems.",
            [Query(gauge("censusd_corrupt_files"), "{{repository}}")],
            steps=NONE_IS_FINE,
            runbooks=["CensusdFilesCorrupt"],
        ),
        graph(
            "Files read again a second",
            "To see whether they are still what they were: rehash_per_day, censusctl verify --content.",
            [Query(rate("censusd_rehash_files_total"), "{{repository}}")],
            unit="cps",
            stacked=True,
        ),
        graph(
            "Bytes read again a second",
            "Bytes in them.",
            [Query(rate("censusd_rehash_bytes_total"), "{{repository}}")],
            unit="Bps",
            stacked=True,
        ),
        graph(
            "Since the next one was read",
            "For how long the file that was not read for longest was not: at this pace, a round takes so long.",
            [Query(gauge("censusd_rehash_oldest_seconds"), "{{repository}}")],
            unit="s",
        ),
    ]


def _descriptions() -> list[AnyPanel]:
    pictures = of_daemons("censusd_describe_pictures_total")
    seconds = of_daemons("censusd_describe_request_duration_seconds_bucket")
    return [
        word(
            "Pictures",
            "What is done about pictures that are to be described, or what holds it back.",
            f"max by (state) ({of_daemons('censusd_describe_state')})",
            "state",
            width=12,
        ),
        word(
            "The server",
            "Open: it fails again and again, and is left alone for a while. Half-open: it is tried once more.",
            f"max by (state) ({of_daemons('censusd_describe_breaker')})",
            "state",
            runbooks=["CensusdDescribeServerAway"],
            width=12,
        ),
        graph(
            "Pictures a second",
            "By what became of them.",
            [Query(f"sum by (outcome) (rate({pictures}[$__rate_interval]))", "{{outcome}}")],
            unit="cps",
            stacked=True,
        ),
        graph(
            "How long the server takes",
            "Half of its answers, and nine in ten, take no longer.",
            [
                Query(f"histogram_quantile({share}, sum by (le) (rate({seconds}[$__rate_interval])))", name)
                for share, name in ((0.5, "half"), (0.9, "90 %"))
            ],
            unit="s",
        ),
    ]


_DEEP = 'state="present", phase="deep"'
