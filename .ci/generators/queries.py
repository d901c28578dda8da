"""The queries of the dashboards.

Gauges are asked for with max over instances, counters with sums of rates: a repository has one owner, and a standby's
series are zeros, so that both tell the owner's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_INSTANCES: Final = 'instance=~"$instance"'
_REPOSITORIES: Final = 'instance=~"$instance", repository=~"$repository"'


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and what its series are called in the legend."""

    expr: str
    legend: str = ""


def of_daemons(metric: str, matchers: str = "") -> str:
    """A selector of a metric that belongs to no repository."""
    return _selector(metric, _INSTANCES, matchers)


def of_repositories(metric: str, matchers: str = "") -> str:
    """A selector of a metric that belongs to repositories."""
    return _selector(metric, _REPOSITORIES, matchers)


def gauge(metric: str, matchers: str = "", by: str = "repository") -> str:
    """A gauge of repositories, as their owner has it."""
    return f"max by ({by}) ({of_repositories(metric, matchers)})"


def rate(metric: str, matchers: str = "", by: str = "repository") -> str:
    """By how much a counter of repositories grows a second."""
    return f"sum by ({by}) (rate({of_repositories(metric, matchers)}[$__rate_interval]))"


def increase(metric: str, matchers: str = "", by: str = "repository") -> str:
    """By how much a counter of repositories grows from one point of the graph to the next."""
    return f"sum by ({by}) (increase({of_repositories(metric, matchers)}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "repository") -> str:
    """A quantile of a histogram of repositories."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', by=f'{by}, le' if by else 'le')})"


def files(state: str) -> str:
    """How many files of each repository are in a state, looked at or not."""
    selector = of_repositories("censusd_files", f'state="{state}"')
    return f"sum by (repository) (max by (repository, phase) ({selector}))"


def numbered(metric: str, label: str, values: Sequence[str]) -> str:
    """Which of a label's values has the 1, as its number from 1 on; 0 if none has."""
    selectors = (of_repositories(metric, f'{label}="{value}"') for value in values)
    one = "\n  or ".join(f"{selector} * {number}" for number, selector in enumerate(selectors, 1))
    return f"max by (repository) (\n  {one}\n)"


def _selector(metric: str, first: str, more: str) -> str:
    return f"{metric}{{{first}, {more}}}" if more else f"{metric}{{{first}}}"
