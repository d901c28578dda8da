"""Runs that need a process of their own: with mounts of its own, with other limits, or as an ordinary user."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.arena import Arena, Trial
from tests.tools.library import from_elsewhere

_VERDICTS = "verdicts"


def elsewhere(how: Callable[..., None], arena: Arena, run: Callable[..., None], *arguments: str) -> None:
    """Have a run in a process of its own; its verdicts come back.

    Args:
        how: ``apart``, ``privately``, ``networked`` or ``limited``, of ``tests.tools.private``.
        arena: for its place, its database and its trial.
        run: a function of the test module's top level, which is given such an arena, and
        arguments: these.
    """
    code = run.__code__
    trial = json.dumps(asdict(arena.trial))
    try:
        how(_inside, arena.place, from_elsewhere(arena.database), trial, code.co_filename, code.co_name, *arguments)
    finally:
        verdicts = arena.place / _VERDICTS
        if verdicts.exists():
            arena.rows += [(name, row) for name, row in json.loads(verdicts.read_text())]


def _inside(place: str, database: str, trial: str, file: str, name: str, *arguments: str) -> None:
    rows: list[tuple[str, Any]] = []
    arena = Arena(Path(place), database, Trial(**json.loads(trial)), rows)
    try:
        runpy.run_path(file)[name](arena, *arguments)
    finally:
        (arena.place / _VERDICTS).write_text(json.dumps(rows))
