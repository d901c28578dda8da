"""Writes what is made from declarations and committed: docs/metrics.md, docs/man/censusd.toml.5, and the dashboards.

make generate                 writes what has changed
make generate ARGS=--check    only says what would change; the exit status is 1 if anything would
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from generators.configuration_page import configuration_page
from generators.dashboards import dashboards
from generators.metrics_page import metrics_page

CHECKOUT = Path(__file__).resolve().parent.parent


def generated() -> Iterator[tuple[str, str]]:
    """Path in the checkout and text of every file that is generated."""
    yield "docs/metrics.md", metrics_page()
    yield "docs/man/censusd.toml.5", configuration_page()
    for name, text in dashboards():
        yield f"etc/grafana/dashboards/{name}", text


def main(arguments: list[str]) -> int:
    """Write, or compare. Returns the exit status."""
    changed = 0
    for name, text in generated():
        path = CHECKOUT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        changed += 1
        print(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int("--check" in arguments and changed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
