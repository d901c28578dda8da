"""docs/metrics.md says what is declared."""

from __future__ import annotations

from pathlib import Path

from generators.metrics_page import metrics_page
from tests.tools.metrics import declared

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_the_one_that_is_generated() -> None:
    assert PAGE.read_text() == metrics_page(), "run make generate"


def test_every_metric_is_on_the_page() -> None:
    text = PAGE.read_text()
    with declared() as found:
        for family in found:
            assert f"| `{family.name}` | {family.type} | {family.help} |" in text
            assert all(f"`{label}`: " in text for label in family.labels)
