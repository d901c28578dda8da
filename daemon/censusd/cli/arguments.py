"""What the arguments of ``censusctl`` mean."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from censusd.cli.tables import visible
from censusd.filesystem.names import text_of_native

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|min|h|d)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_LONGEST_WAIT: Final = 7 * 86400.0


class Place(NamedTuple):
    """What a command is about: a repository, a path in it, or a path on disk whose repository is to be found."""

    repository: str | None
    path: str | None


def place(text: str) -> Place:
    """``REPO`` or ``REPO:PATH``; what begins like ``/x``, ``./x`` or ``../x`` is a path on disk."""
    if text.startswith(("/", "./", "../")) or text in {".", ".."}:
        return Place(None, text)
    name, colon, path = text.partition(":")
    if not _NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(
            f"{visible(text_of_native(text))} is not REPO, REPO:PATH or a path such as ./PATH"
        )
    return Place(name, text_of_native(path) if colon else None)


def file_or_place(text: str) -> Place:
    """A path on disk, or ``REPO:PATH``; ``./a:b`` is a path whatever ``a`` is."""
    name, colon, path = text.partition(":")
    if colon and _NAME.fullmatch(name):
        return Place(name, text_of_native(path))
    if not text:
        raise argparse.ArgumentTypeError("a file's name is not empty")
    return Place(None, text)


def repository(text: str) -> str:
    """A repository's name."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{visible(text_of_native(text))} cannot be a repository's name")
    return text


def seconds(text: str) -> float:
    """A time to wait at most, in seconds."""
    match = _DURATION.fullmatch(text)
    given = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < given <= _LONGEST_WAIT:
        raise argparse.ArgumentTypeError(f'expected a time such as "30s", "5min" or "2h", at most 7 days; got {text!r}')
    return given


def number(most: int) -> Callable[[str], int]:
    """How many of something, up to ``most``."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
            raise argparse.ArgumentTypeError(f"expected a number from 1 to {most}; got {text!r}")
        return int(text)

    return read
