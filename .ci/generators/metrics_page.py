"""docs/metrics.md, from the declaration of the metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from censusd import metrics

_HEAD: Final = """\
# Metrics

What censusd measures, for Prometheus, at `/metrics` of `http.listen` (by default http://127.0.0.1:9764/metrics). This
page is made from their one declaration, `daemon/censusd/metrics.py`, by `.ci/generate.py`.

- Rules for recording and alerting are in `etc/prometheus/`, dashboards for Grafana in `etc/grafana/`, and what to do
  about each alert in [runbooks](runbooks/).
- Times are seconds, sizes are bytes, times of day are Unix times; 0 stands for never.
- Every series of a repository exists with zeros from the moment it is configured, and goes away when it is not any
  more: {each} for each repository, so 100 repositories have {hundred:,}.
- A repository has one owner. In a standby its series are zeros, so `max by (repository)` of a gauge and
  `sum by (repository)` of a counter's rate tell the owner's values.
- Beside these there are `process_*` and `python_*`, from the library prometheus_client.
"""

_OPEN: Final = {
    "repository": "the repository's name",
    "loop": "the repository's name, or deep scan",
    "route": "as in the table of routes, or other",
    "code": "the HTTP status",
    "sqlstate": "PostgreSQL's code or the driver's name for the error; 40 of them at most, then other",
    "version": "the version",
    "le": "",
}
_EXAMPLE: Final = "example"


def metrics_page() -> str:
    """The page's text."""
    metrics.prepare(_EXAMPLE)
    try:
        each = sum(
            1
            for group in metrics.GROUPS.values()
            for metric in group
            for family in metric.collect()
            for sample in family.samples
            if sample.labels.get("repository") == _EXAMPLE
        )
        parts = [_HEAD.format(each=each, hundred=100 * each)]
        for title, group in metrics.GROUPS.items():
            parts.append(f"\n## {title}\n\n| metric | type | what it says | labels |\n|---|---|---|---|\n")
            parts += [_row(metric) for metric in group]
    finally:
        metrics.forget(_EXAMPLE)
    return "".join(parts)


def _row(metric: MetricWrapperBase) -> str:
    (family,) = metric.collect()
    suffix = {Counter: "_total", Gauge: "", Histogram: ""}.get(type(metric), "_info")
    kind = "gauge" if suffix == "_info" else family.type
    labels = metric._labelnames if suffix != "_info" else ("version",)  # noqa: SLF001 - it has no public name
    said = "<br>".join(f"`{label}`: {_values(metric, label)}" for label in labels)
    return f"| `{family.name}{suffix}` | {kind} | {family.documentation} | {said} |\n"


def _values(metric: MetricWrapperBase, label: str) -> str:
    if label in _OPEN:
        return _OPEN[label]
    found = dict.fromkeys(
        sample.labels[label] for family in metric.collect() for sample in family.samples if label in sample.labels
    )
    return ", ".join(found)
