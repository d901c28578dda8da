"""What a runbook says to ask the database can be asked."""

from __future__ import annotations

import re

import pytest

from censusd.catalogue.connection import Catalogue
from tests.unit.test_rules import runbooks

QUERIES = [
    (name, query)
    for name, text in runbooks().items()
    for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    for query in block.split(";")
    if query.strip()
]


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[f"{name}, {n}" for n, (name, _) in enumerate(QUERIES)])
def test_every_query_in_a_runbook_runs(name: str, query: str, catalogue: Catalogue) -> None:
    with catalogue.transaction() as cursor:
        cursor.execute(query.encode())
        assert cursor.description, name
