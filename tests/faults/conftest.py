"""Fixtures of the fault suite, and the table that it prints in the end."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.faults.arena import Arena, Trial

_HEAD = ("fault", "runs", "seeds", "lost", "wrongly missing", "ids changed", "time to repair", "")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        yield Path(name)


@pytest.fixture
def arena(request: pytest.FixtureRequest, place: Path, database: str, trial: Trial) -> Arena:
    """A place for one run; see ``arena.trials`` for the test's parameter ``trial``."""
    return Arena(place, database, trial, request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of faults, and what was skipped."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    skipped: dict[tuple[str, str], None] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties if report.when == "call" or outcome == "skipped" else ():
                if name == "fault" and isinstance(value, dict):
                    rows[value["fault"]].append(value)
            if outcome == "skipped" and "tests/faults/" in report.nodeid and isinstance(report.longrepr, tuple):
                name = report.nodeid.partition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
                skipped[name, report.longrepr[2].removeprefix("Skipped: ")] = None
    if not rows and not skipped:
        return
    table = [_HEAD, *(_line(fault, runs) for fault, runs in rows.items())]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEAD))]
    terminalreporter.section("faults")
    for line in table:
        terminalreporter.line("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    runs = [run for some in rows.values() for run in some]
    for why in dict.fromkeys(run["unseconded"] for run in runs if run["unseconded"]):
        skipped["the second referee", why] = None
    agreed = sum(not run["unseconded"] for run in runs)
    terminalreporter.line(f"the second referee, mtree, was asked after {agreed} of {len(runs)} runs")
    for name, why in skipped:
        terminalreporter.line(f"skipped: {name}: {why}")


def _line(fault: str, runs: list[dict[str, Any]]) -> tuple[str, ...]:
    """A row of the table: sums, and the median and longest time to repair."""
    repairs = [run["repair"] for run in runs]
    return (
        *(fault, str(len(runs)), _ranges({run["seed"] for run in runs})),
        *(str(sum(run[column] for run in runs)) for column in ("lost", "wrongly_missing", "ids_changed")),
        f"{median(repairs):.1f} s, at most {max(repairs):.1f} s",
        "; ".join(dict.fromkeys(run["note"] for run in runs if run["note"])),
    )


def _ranges(seeds: set[int]) -> str:
    """1,2,3,7 as 1-3, 7."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and parts[-1][-1] == seed - 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
