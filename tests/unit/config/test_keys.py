"""A key that nothing reads would be a promise that nobody keeps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import censusd
from censusd.config.repository import RepositoryConfig
from censusd.config.schema import TABLES
from censusd.config.settings import settings_of

PACKAGE = Path(censusd.__file__).parent
READERS = "\n".join(
    file.read_text(encoding="utf-8") for room in ("service", "cli") for file in PACKAGE.glob(f"{room}/**/*.py")
)
"""The rooms that see the configuration; what the others need, they are given by these."""

COMPLETES = {"state_directory"}
"""What other keys are completed with when the configuration is loaded."""


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (name, key)
        for name, table in {**TABLES, "repository": RepositoryConfig}.items()
        for key in settings_of(table)
        if key not in COMPLETES
    ],
)
def test_every_key_is_read_by_somebody(table: str, key: str) -> None:
    assert re.search(rf"\.{key}\b", READERS), f"{table}.{key}"
