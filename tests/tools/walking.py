"""Walking a tree in tests, whichever part of the daemon does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.walk import Cover, Tree, walk
from censusd.model import ROOT, Listing, Observation, join


def observations(
    root: Path,
    *start: str,
    policy: IgnorePolicy | None = None,
    cover: Cover | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Observation]:
    """The observations of a walk over the given subtrees, or over everything."""
    with Tree(root, policy or IgnorePolicy()) as tree:
        yield from walk(tree, start or (ROOT,), cover=cover, cancelled=cancelled)


def entries(observed: Iterator[Observation]) -> set[str]:
    """The paths of all files in these observations, and those of all directories, which end in a slash."""
    found: set[str] = set()
    for observation in observed:
        assert isinstance(observation.seen, Listing), observation
        found |= {join(observation.path, entry[0]) for entry in observation.seen.files()}
        found |= {join(observation.path, name) + "/" for name, _ in observation.seen.subdirectories}
    return found
