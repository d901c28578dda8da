"""Fixtures for tests of several rooms."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from censusd.catalogue.connection import Catalogue
from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.inotify import InotifyEmitter
from tests.tools.control_room import ControlRoom
from tests.tools.living import LivingLibrary
from tests.tools.watching import fanotify_refusal


@pytest.fixture
def own_log() -> Iterator[None]:
    """What is run here may set the process's log up; other tests have theirs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def room(tmp_path: Path, catalogue: Catalogue) -> Iterator[ControlRoom]:
    """A control room without repositories."""
    with ControlRoom(tmp_path, catalogue) as opened:
        yield opened


@pytest.fixture
def photos(room: ControlRoom) -> LivingLibrary:
    """A repository of three files in the control room, after its first pass."""
    return room.add("photos", files={"a/one.txt": "1", "a/b/two.txt": "22", "three.txt": "333"})


@pytest.fixture(params=[InotifyEmitter, FanotifyEmitter], ids=["inotify", "fanotify"])
def emitter(request: pytest.FixtureRequest, tmp_path: Path) -> type[InotifyEmitter]:
    """Each way of hearing of changes, as far as this machine grants it."""
    kind: type[InotifyEmitter] = request.param
    if kind is FanotifyEmitter and (why := fanotify_refusal(tmp_path)):
        pytest.skip(f"no fanotify here: {why}")
    return kind
