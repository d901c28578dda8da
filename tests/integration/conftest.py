"""Fixtures for tests of several rooms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from tests.tools.control_room import ControlRoom
from tests.tools.living import LivingLibrary


@pytest.fixture
def room(tmp_path: Path, catalogue: Catalogue) -> Iterator[ControlRoom]:
    """A control room without repositories."""
    with ControlRoom(tmp_path, catalogue) as opened:
        yield opened


@pytest.fixture
def photos(room: ControlRoom) -> LivingLibrary:
    """A repository of three files in the control room, after its first pass."""
    return room.add("photos", files={"a/one.txt": "1", "a/b/two.txt": "22", "three.txt": "333"})
