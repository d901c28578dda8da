"""Walking a tree in tests, whichever part of the daemon does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from censusd.filesystem.crew import Help, Walk
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.walk import Cover
from censusd.model import ROOT, Listing, Observation, join

ALONE = Help(most=0)


def observations(
    root: Path,
    *start: str,
    policy: IgnorePolicy | None = None,
    cover: Cover | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    terms: Help = ALONE,
) -> Iterator[Observation]:
    """The observations of a walk over the given subtrees, or over everything."""
    with Walk(root, policy or IgnorePolicy(), start or (ROOT,), cover=cover, cancelled=cancelled, terms=terms) as walk:
        yield from walk


def entries(observed: Iterator[Observation]) -> set[str]:
    """The paths of all files in these observations, and those of all directories, which end in a slash."""
    found: set[str] = set()
    for observation in observed:
        assert isinstance(observation.seen, Listing), observation
        found |= {join(observation.path, entry[0]) for entry in observation.seen.files()}
        found |= {join(observation.path, name) + "/" for name, _ in observation.seen.subdirectories}
    return found
