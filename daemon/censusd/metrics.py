"""Every metric, declared once: the names, the labels and the help texts that docs/metrics.md is made from.

Each repository's series exist with zeros from the moment it is configured, so that a rate has something to start from,
and disappear when it is retired; the only other labels are small, closed sets. Times are seconds, sizes bytes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from censusd.model import FileState, OperationStatus, OperationType, RepositoryState, ScanPhase

_R: Final = "repository"
_STATES: Final = (_R, "state")
_LAGS: Final = (0.1, 0.25, 0.5, 0.6, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_DURATIONS: Final = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0)
_ANSWERS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 1800.0)

disable_created_metrics()  # type: ignore[no-untyped-call] # the library gives it no types
# They double the number of series to say when each began, which process_start_time_seconds and zeros say as well.

BUILD: Final = Info("censusd_build", "The version of censusd that runs")
UP: Final = Gauge("censusd_ready", "1 once every repository is looked after, or offline and said so")
CONFIG_LOADED: Final = Gauge("censusd_config_last_reload_successful", "1 if the last configuration read was valid")
CONFIG_TIME: Final = Gauge("censusd_config_last_reload_success_timestamp_seconds", "When a valid one was last read")
LOOP_AGE: Final = Gauge("censusd_loop_age_seconds", "Since when a loop has not proved that it is alive", ("loop",))
HTTP_REQUESTS: Final = Counter("censusd_http_requests", "Requests answered over HTTP", ("route", "code"))

OWNED: Final = Gauge("censusd_repository_owned", "1 if this daemon holds the repository's lease", (_R,))
REPOSITORY_STATE: Final = Gauge("censusd_repository_state", "1 for the state that the catalogue has on record", _STATES)
PHASE: Final = Gauge("censusd_repository_phase", "1 for what this daemon is doing about a repository", (_R, "phase"))
DIRTY_SINCE: Final = Gauge(
    "censusd_repository_dirty_since_timestamp_seconds",
    "Since when something may have been missed that only a complete pass can find; 0 if nothing",
    (_R,),
)
FILES: Final = Gauge("censusd_files", "Files on record by state and phase", (_R, "state", "phase"))
BYTES: Final = Gauge("censusd_files_bytes", "Bytes in the files that are present", (_R,))
DIRECTORIES: Final = Gauge("censusd_directories", "Directories that are present", (_R,))
PROBLEM_DIRECTORIES: Final = Gauge("censusd_problem_directories", "Directories that cannot be read", (_R,))
PROBLEMS: Final = Counter("censusd_problems", "Looks at the disk that were refused or failed", (_R,))

OPERATIONS: Final = Counter("censusd_operations", "Settled pieces of work", (_R, "type", "status"))
OPERATION_SECONDS: Final = Histogram(
    "censusd_operation_duration_seconds", "How long pieces of work took", (_R, "type"), buckets=_DURATIONS
)
FILES_SCANNED: Final = Counter("censusd_files_scanned", "Files looked at on disk, counted when the work is done", (_R,))
CHANGES: Final = Counter("censusd_changes", "Rows that were changed, by what happened", (_R, "change"))
PASS_RUNNING: Final = Gauge("censusd_pass_running", "1 while a pass is running", (_R,))
PASS_FILES: Final = Gauge("censusd_pass_files", "Files that the running pass has looked at; 0 if there is none", (_R,))
LAST_PASS: Final = Gauge("censusd_last_pass_timestamp_seconds", "When the last complete pass began; 0 if never", (_R,))
LAST_DRIFT: Final = Gauge("censusd_last_pass_drift", "Changes that events had missed and the last pass found", (_R,))
NEXT_PASS: Final = Gauge(
    "censusd_next_reconciliation_timestamp_seconds", "When the next pass is due; 0 if unknown", (_R,)
)
INTERVAL: Final = Gauge("censusd_reconciliation_interval_seconds", "The interval as adapted to the drift", (_R,))

LAG: Final = Histogram(
    "censusd_event_to_commit_seconds", "From the first event of a change to its commit", (_R,), buckets=_LAGS
)
QUEUE: Final = Gauge("censusd_dirty_marks", "Places that wait to be looked at", (_R,))
OLDEST: Final = Gauge("censusd_dirty_oldest_seconds", "For how long the oldest of them has waited", (_R,))
WATCHES: Final = Gauge("censusd_watches_used", "Kernel watches held", (_R,))
WATCHES_NEEDED: Final = Gauge("censusd_watches_needed", "Kernel watches that full coverage takes", (_R,))
WATCH_LIMIT: Final = Gauge("censusd_watches_limit", "Kernel watches this user may hold, in all processes together")
UNCOVERED: Final = Gauge(
    "censusd_uncovered_directories", "Directories that are polled because they could not be watched", (_R,)
)
EVENTS: Final = Counter("censusd_events", "Events read from the kernel", (_R,))
OVERFLOWS: Final = Counter("censusd_overflows", "How often the kernel threw events away", (_R,))
TIER: Final = Gauge("censusd_watch_tier", "1 for the way changes are noticed", (_R, "tier"))

DEEP_FILES: Final = Counter("censusd_deep_scan_files", "Files whose content was looked at", (_R,))
DEEP_BYTES: Final = Counter("censusd_deep_scan_bytes", "Bytes that were hashed", (_R,))
DEEP_FAILURES: Final = Counter("censusd_deep_scan_failures", "Attempts to look at a file that failed", (_R,))
DEEP_BACKLOG: Final = Gauge(
    "censusd_deep_scan_backlog_files", "Files that wait to be looked at without anybody asking", (_R,)
)
DEEP_BACKLOG_BYTES: Final = Gauge("censusd_deep_scan_backlog_bytes", "Bytes in the files that wait", (_R,))
DEEP_ON_DEMAND: Final = Gauge(
    "censusd_deep_scan_on_demand_files", "Files that were not looked at and are only if somebody asks", (_R,)
)
DEEP_NEVER: Final = Gauge(
    "censusd_deep_scan_never_files", "Files that were not looked at and never are, by what is configured", (_R,)
)
DEEP_OLDEST: Final = Gauge(
    "censusd_deep_scan_oldest_seconds",
    "For how long the oldest file that is to be looked at without anybody asking has waited; 0 if there is none",
    (_R,),
)
QUARANTINED: Final = Gauge(
    "censusd_deep_scan_quarantined_files", "Files that were given up after three attempts", (_R,)
)
REHASH_FILES: Final = Counter("censusd_rehash_files", "Files whose content was read again", (_R,))
REHASH_BYTES: Final = Counter("censusd_rehash_bytes", "Bytes that were read again", (_R,))
REHASH_OLDEST: Final = Gauge(
    "censusd_rehash_oldest_seconds",
    "For how long the file that is to be read again next was not read; 0 if none is, or nobody knows",
    (_R,),
)
CORRUPT: Final = Gauge(
    "censusd_corrupt_files", "Files whose content is not the recorded one although nobody has changed them", (_R,)
)
DEEP_CONDITION: Final = Gauge("censusd_deep_scan_state", "1 for what is done about the backlog, or why not", ("state",))
DEEP_IN_FLIGHT: Final = Gauge("censusd_deep_scan_in_flight_files", "Files that are being looked at")
ENTITY_LOOKUPS: Final = Counter(
    "censusd_entity_cache_lookups", "Lookups of people, series and tags in memory", ("result",)
)
ENTITIES: Final = Gauge("censusd_entity_cache_entries", "People, series and tags that are kept in memory")

DESCRIBE_PICTURES: Final = Counter(
    "censusd_describe_pictures", "Pictures that were to be described, by what became of it", ("outcome",)
)
DESCRIBE_SECONDS: Final = Histogram(
    "censusd_describe_request_duration_seconds", "How long the server took, whatever it answered", buckets=_ANSWERS
)
DESCRIBE_STATE: Final = Gauge("censusd_describe_state", "1 for what is done about pictures, or why not", ("state",))
DESCRIBE_BREAKER: Final = Gauge(
    "censusd_describe_breaker",
    "1 for what is believed of the server: open if it fails again and again",
    ("state",),
)

DATABASE_UP: Final = Gauge("censusd_database_up", "1 if the last statement reached the database")
DATABASE_ERRORS: Final = Counter("censusd_database_errors", "Errors that PostgreSQL or its driver gave", ("sqlstate",))
POOL: Final = Gauge("censusd_database_pool_connections", "Connections that are open", ("state",))
POOL_LIMIT: Final = Gauge("censusd_database_pool_limit_connections", "Connections that may be open")
POOL_WAITING: Final = Gauge("censusd_database_pool_waiting", "Pieces of work that wait for a connection")

CHANGE_KINDS: Final = ("added", "updated", "moved", "removed", "ignored", "purged", "directories_moved")
"""The values of the label ``change``."""

TIERS: Final = ("fanotify", "inotify", "hybrid", "poll", "off")
"""The values of the label ``tier``."""

PHASES: Final = ("starting", "standby", "scanning", "watching", "offline", "waiting", "troubled", "stopped")
"""The values of the label ``phase`` of a repository."""

CONDITIONS: Final = ("working", "nothing to do", "off", "stuck", "database", "hours", "changes", "cpu", "io")
"""The values of the label ``state`` of the deep scan."""

DESCRIBE_OUTCOMES: Final = ("described", "failed", "given up", "put off", "skipped")
"""The values of the label ``outcome``."""

DESCRIBE_STATES: Final = ("working", "nothing to do", "off", "waiting", "server away")
"""The values of the label ``state`` of what describes pictures."""

BREAKER_STATES: Final = ("closed", "open", "half-open")
"""The values of the label ``state`` of its breaker."""

_OPERATION_METRICS: Final = (OPERATIONS, OPERATION_SECONDS, FILES_SCANNED, CHANGES)
_PASS_METRICS: Final = (PASS_RUNNING, PASS_FILES, LAST_PASS, LAST_DRIFT, NEXT_PASS, INTERVAL)
_DEEP_COUNTERS: Final = (DEEP_FILES, DEEP_BYTES, DEEP_FAILURES, REHASH_FILES, REHASH_BYTES)
_DEEP_GAUGES: Final = (
    *(DEEP_BACKLOG, DEEP_BACKLOG_BYTES, DEEP_ON_DEMAND, DEEP_NEVER, DEEP_OLDEST, QUARANTINED, REHASH_OLDEST, CORRUPT),
)

GROUPS: Final[Mapping[str, Sequence[MetricWrapperBase]]] = {
    "The daemon": (BUILD, UP, CONFIG_LOADED, CONFIG_TIME, LOOP_AGE, HTTP_REQUESTS),
    "Repositories": (
        *(OWNED, REPOSITORY_STATE, PHASE, DIRTY_SINCE, FILES, BYTES, DIRECTORIES, PROBLEM_DIRECTORIES, PROBLEMS),
    ),
    "Work": (*_OPERATION_METRICS, *_PASS_METRICS),
    "Noticing changes": (
        *(LAG, QUEUE, OLDEST, WATCHES, WATCHES_NEEDED, WATCH_LIMIT, UNCOVERED, EVENTS, OVERFLOWS, TIER),
    ),
    "Deep scan": (*(*_DEEP_COUNTERS, *_DEEP_GAUGES, DEEP_CONDITION, DEEP_IN_FLIGHT, ENTITY_LOOKUPS, ENTITIES),),
    "Descriptions": (DESCRIBE_PICTURES, DESCRIBE_SECONDS, DESCRIBE_STATE, DESCRIBE_BREAKER),
    "Database": (DATABASE_UP, DATABASE_ERRORS, POOL, POOL_LIMIT, POOL_WAITING),
}
"""Every metric of ours, in the order in which people read of them."""

_COUNTERS: Final = (FILES_SCANNED, PROBLEMS, EVENTS, OVERFLOWS, LAG, *_DEEP_COUNTERS)
_OWNERS_GAUGES: Final = (
    *(DIRTY_SINCE, BYTES, DIRECTORIES, PROBLEM_DIRECTORIES, *_PASS_METRICS),
    *(WATCHES, WATCHES_NEEDED, UNCOVERED),
    *(DEEP_BACKLOG, DEEP_BACKLOG_BYTES, DEEP_ON_DEMAND, DEEP_NEVER, QUARANTINED, CORRUPT),
)
_GAUGES: Final = (*_OWNERS_GAUGES, OWNED, QUEUE, OLDEST, DEEP_OLDEST, REHASH_OLDEST)
_LABELLED: Final = (REPOSITORY_STATE, PHASE, FILES, CHANGES, TIER, OPERATIONS, OPERATION_SECONDS)

_SQLSTATES: set[str] = set()
_MOST_SQLSTATES: Final = 40

_GUARD: Final = threading.Lock()
_FORGOTTEN: dict[str, float] = {}
_LATECOMERS: Final = 60.0

# What has no repository exists from the beginning, too.
DATABASE_ERRORS.labels("other")
for _value in ("idle", "busy"):
    POOL.labels(_value)
for _value in ("hit", "miss"):
    ENTITY_LOOKUPS.labels(_value)
for _value in CONDITIONS:
    DEEP_CONDITION.labels(_value)
for _value in DESCRIBE_OUTCOMES:
    DESCRIBE_PICTURES.labels(_value)
for _value in DESCRIBE_STATES:
    DESCRIBE_STATE.labels(_value)
for _value in BREAKER_STATES:
    DESCRIBE_BREAKER.labels(_value)
# Until somebody describes pictures.
DESCRIBE_STATE.labels("off").set(1)
DESCRIBE_BREAKER.labels("closed").set(1)


def prepare(repository: str) -> None:
    """Make every series of a repository, with zeros."""
    with _GUARD:
        _FORGOTTEN.pop(repository, None)
    for metric in (*_GAUGES, *_COUNTERS):
        metric.labels(repository)
    for change in CHANGE_KINDS:
        CHANGES.labels(repository, change)
    for phase in PHASES:
        PHASE.labels(repository, phase)
    for operation in OperationType:
        OPERATION_SECONDS.labels(repository, operation)
        for status in OperationStatus:
            if status is not OperationStatus.RUNNING:
                OPERATIONS.labels(repository, operation, status)
    disown(repository)


def disown(repository: str) -> None:
    """Zero what only the daemon that owns a repository knows: what it last knew is another's to tell from now on."""
    for gauge in _OWNERS_GAUGES:
        gauge.labels(repository).set(0)
    for state in RepositoryState:
        REPOSITORY_STATE.labels(repository, state).set(0)
    for file_state in FileState:
        for phase in ScanPhase:
            FILES.labels(repository, file_state.name.lower(), phase.name.lower()).set(0)
    for tier in TIERS:
        TIER.labels(repository, tier).set(0)


def forget(repository: str) -> None:
    """Remove every series of a repository that is not looked after any more."""
    with _GUARD:
        _FORGOTTEN[repository] = time.monotonic() + _LATECOMERS
        _remove(repository)


def sweep() -> None:
    """Remove what threads have counted that were still at it when a repository was forgotten."""
    for repository, until in list(_FORGOTTEN.items()):
        with _GUARD:
            if repository in _FORGOTTEN:
                _remove(repository)
                if time.monotonic() > until:
                    del _FORGOTTEN[repository]


def _remove(repository: str) -> None:
    for metric in (*_GAUGES, *_COUNTERS, *_LABELLED):
        metric.remove_by_labels({_R: repository})
    LOOP_AGE.remove_by_labels({"loop": repository})


def database_error(sqlstate: str) -> None:
    """Count an error; a bounded number of codes have a series of their own."""
    if len(_SQLSTATES) < _MOST_SQLSTATES:
        _SQLSTATES.add(sqlstate)
    DATABASE_ERRORS.labels(sqlstate if sqlstate in _SQLSTATES else "other").inc()
