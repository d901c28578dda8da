"""What this process asks of the kernel, as Python's audit events tell it: see the manual's table of audit events."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_RECORDERS: list[tuple[str, list[str]]] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    """Such a hook can never be removed again, so it does nothing while nobody records."""
    for wanted, record in _RECORDERS:
        if event == wanted:
            place = arguments[0]
            record.append(os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else os.fsdecode(place))


sys.addaudithook(_note)


@contextmanager
def audited(event: str) -> Iterator[list[str]]:
    """The paths of all events of a kind, such as ``os.scandir`` and ``open``, while the block lasts."""
    record: list[str] = []
    entry = (event, record)
    _RECORDERS.append(entry)
    try:
        yield record
    finally:
        _RECORDERS.remove(entry)
