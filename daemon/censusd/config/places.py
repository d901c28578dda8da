"""Repository roots as they are on disk: which are there, and which overlap.

A root that is not there is no fault: the repository is offline until it appears. A root on a network share whose server
is gone may not even answer; so each is looked at by a thread of its own, and none is waited for longer than a moment.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ANSWER_WITHIN: Final = 5.0
"""Seconds that all roots together have to answer in."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is at a path.

    Attributes:
        real: the path without symlinks, as far as that can be told.
        identity: (device, inode) of the directory there, or None.
        fault: why it can never be a repository's root, or empty.
        warning: why it cannot be one now, or empty.
    """

    real: str
    identity: tuple[int, int] | None = None
    fault: str = ""
    warning: str = ""


def look_at(paths: Sequence[Path], within: float = ANSWER_WITHIN) -> list[Place]:
    """What is at each of the paths, after at most ``within`` seconds."""
    found: dict[Path, Place] = {}

    def look(path: Path) -> None:
        found[path] = _look(path)

    # Daemon threads: one that hangs in the kernel must not hold up the end of the process either.
    threads = [threading.Thread(target=look, args=(path,), daemon=True) for path in dict.fromkeys(paths)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [found.get(path) or _silent(path, within) for path in paths]


def overlaps(places: Sequence[Place]) -> Iterator[tuple[int, int, str]]:
    """Places that hold the same files, as ``(one, other, how)``: the index of one, that of the other, "is inside"."""
    by_real: dict[str, int] = {}
    by_identity: dict[tuple[int, int], int] = {}
    for one, place in enumerate(places):
        other = by_real.setdefault(place.real, one)
        if other == one and place.identity is not None:  # a bind mount has another path
            other = by_identity.setdefault(place.identity, one)
        if other != one:
            yield one, other, "is the same directory as"
    for one, place in enumerate(places):
        # A dictionary look-up for each ancestor, so that many repositories are not compared each with each.
        outer = next((by_real[str(p)] for p in Path(place.real).parents if str(p) in by_real), None)
        if outer is not None:
            yield one, outer, "is inside"


def _look(path: Path) -> Place:
    real = os.path.realpath(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Place(real, warning="does not exist; the repository is offline until it does")
    except OSError as error:
        return Place(real, warning=f"cannot be looked at: {error.strerror}; the repository is offline until it can")
    if not stat.S_ISDIR(status.st_mode):
        return Place(real, fault="expected a directory; found a file")
    return Place(real, (status.st_dev, status.st_ino))


def _silent(path: Path, within: float) -> Place:
    return Place(
        os.path.normpath(path),
        warning=f"did not answer within {within:g} s (a network share whose server is gone?); "
        "the repository is offline until it does",
    )
