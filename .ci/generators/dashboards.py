"""The dashboards as files."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from generators.deep_scan import deep_scan
from generators.internals import internals
from generators.one_repository import one_repository
from generators.overview import overview


def dashboards() -> Iterator[tuple[str, str]]:
    """Name and text of each dashboard's file."""
    for make in (overview, one_repository, deep_scan, internals):
        built = make().build()
        # Numbers of its own, so that links to a panel go on leading there when Grafana loads the file anew.
        for number, panel in enumerate(built.panels or [], 1):
            panel.id_val = number
        text = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(built)
        yield f"{built.uid}.json", text + "\n"
