"""The dashboards in etc/grafana, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[2] / "etc" / "grafana"
DASHBOARDS = GRAFANA / "dashboards"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel that shows something.

    Attributes:
        board: its dashboard's uid.
        title: its title.
        json: all of it.
    """

    board: str
    title: str
    json: dict[str, Any]

    @property
    def queries(self) -> list[str]:
        """Its queries, with variables in them."""
        return [target["expr"] for target in self.json["targets"]]


def boards() -> list[dict[str, Any]]:
    """Every dashboard."""
    return [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]


def panels() -> list[Panel]:
    """Every panel of every dashboard, but for the titles of rows."""
    return [
        Panel(board["uid"], panel["title"], panel)
        for board in boards()
        for panel in board["panels"]
        if panel["type"] != "row"
    ]
