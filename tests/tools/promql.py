"""Which metrics, labels and values a PromQL query speaks of, and whether there are such."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.tools.metrics import Family

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_NUMBER = re.compile(r"\b\d[\d.]*(?:e[+-]?\d+)?[a-z]*")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*(\{[^}]*\}|\()?")
_MATCHER = re.compile(r'([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')
_KEYWORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan", "by", "on"})
_SUFFIXES = ("_bucket", "_sum", "_count")

OF_EVERY_TARGET = frozenset({"job", "instance"})
"""The labels that Prometheus itself adds."""

FOREIGN: Mapping[str, frozenset[str]] = {
    "up": frozenset(),
    "process_start_time_seconds": frozenset(),
    "process_cpu_seconds_total": frozenset(),
    "process_resident_memory_bytes": frozenset(),
    "process_open_fds": frozenset(),
    "process_max_fds": frozenset(),
    "ALERTS": frozenset({"alertname", "alertstate", "severity", "repository"}),
}
"""Metrics that are not ours: of Prometheus and of the library that ours are made with."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of a query: a metric, and what its labels have to be."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def selectors(query: str) -> list[Selector]:
    """The selectors of a query, in order."""
    found = []
    strings: list[str] = []

    def keep(match: re.Match[str]) -> str:
        strings.append(match[0])
        return f'"{len(strings) - 1}"'

    text = _GROUPING.sub(" ", _STRING.sub(keep, query))
    text = _RANGE.sub(" ", text)
    for match in _SELECTOR.finditer(text):
        name, rest = match[1], match[2] or ""
        if (
            rest == "("
            or name in _KEYWORDS
            or _NUMBER.fullmatch(name)
            or text[match.start() - 1 : match.start()].isdigit()
        ):
            continue
        matchers = tuple(
            (label, operator, strings[int(value.strip('"'))][1:-1]) for label, operator, value in _MATCHER.findall(rest)
        )
        found.append(Selector(name, matchers))
    return found


def grouping(query: str) -> set[str]:
    """The labels that a query groups or joins by."""
    return {
        label.strip()
        for _, labels in _GROUPING.findall(_STRING.sub('""', query))
        for label in labels.split(",")
        if label.strip()
    }


def faults(query: str, families: Collection[Family], recorded: Mapping[str, frozenset[str]]) -> list[str]:
    """What a query speaks of that does not exist.

    Args:
        query: the query.
        families: the metrics of censusd.
        recorded: the labels of the series that rules record, by name.
    """
    known = {family.name: family for family in families}
    wrong, seen = [], set(OF_EVERY_TARGET)
    for selector in selectors(query):
        name = selector.metric
        base = next((name.removesuffix(one) for one in _SUFFIXES if name.removesuffix(one) in known), name)
        family = known.get(name) or (known[base] if base in known and known[base].type == "histogram" else None)
        if family is not None:
            labels = family.labels | ({"le"} if name.endswith("_bucket") else frozenset())
        elif name in recorded or name in FOREIGN:
            labels = recorded.get(name, FOREIGN.get(name, frozenset()))
        else:
            wrong.append(f"there is no metric {name}")
            continue
        seen |= labels
        for label, operator, value in selector.matchers:
            if label not in labels | OF_EVERY_TARGET:
                wrong.append(f"{name} has no label {label}")
            elif family is not None and label not in OPEN | OF_EVERY_TARGET and not value.startswith("$"):
                wanted = [value] if operator in {"=", "!="} else value.split("|")
                wrong += [f"{name} has no {label} {one}" for one in wanted if one not in family.values(label)]
    wrong += [f"nothing in the query has a label {label}" for label in sorted(grouping(query) - seen)]
    return wrong


OPEN = frozenset({"repository", "sqlstate", "route", "code", "loop", "version", "le"})
"""Labels whose values are not a closed set."""
