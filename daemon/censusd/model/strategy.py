"""Whether the content of a file is looked at, by where the file is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from censusd.model.disk import ROOT, is_below, split


class Strategy(StrEnum):
    """When files are looked at."""

    AUTO = "auto"
    """Without anybody asking."""
    ON_DEMAND = "on-demand"
    """If somebody asks."""
    NEVER = "never"


UNASKED: Final = frozenset({Strategy.AUTO})
"""What is looked at without anybody asking."""

ASKED: Final = frozenset({Strategy.AUTO, Strategy.ON_DEMAND})
"""What is looked at if somebody asks."""


@dataclass(frozen=True, slots=True)
class Places:
    """What is done in a repository: of the places that are named, the innermost one that a directory lies in decides.

    Attributes:
        otherwise: what is done where none is named.
        named: relative directories, each once, with what is done there and below.
    """

    otherwise: Strategy = Strategy.AUTO
    named: tuple[tuple[str, Strategy], ...] = ()

    def decider(self, directory: str) -> tuple[str, Strategy]:
        """The place that says what is done about the files in a directory, and what that is."""
        strategies = dict(self.named)
        for place in _upwards(directory):
            if place in strategies:
                return place, strategies[place]
        return ROOT, self.otherwise

    def strategy_of(self, directory: str) -> Strategy:
        """What is done about the files in a directory."""
        return self.decider(directory)[1]

    def has(self, wanted: Collection[Strategy], below: str = ROOT) -> bool:
        """Whether one of these is done anywhere in a directory or below."""
        return self.strategy_of(below) in wanted or any(
            strategy in wanted and is_below(place, below) for place, strategy in self.named
        )

    def without(self, directories: Collection[str]) -> Places:
        """The same, but for these directories, in which nothing is ever looked at, whatever is named in there."""
        kept = [one for one in self.named if not any(is_below(one[0], directory) for directory in directories)]
        return Places(self.otherwise, (*kept, *((directory, Strategy.NEVER) for directory in directories)))

    def pairs(self) -> tuple[tuple[str, Strategy], ...]:
        """All there is to say, for a statement in SQL: the root is a place as any other."""
        return ((ROOT, self.otherwise), *self.named)


EVERYTHING: Final = Places()
"""Everything is looked at without anybody asking."""


def _upwards(directory: str) -> Iterator[str]:
    """A directory, the one it is in, and so on, without the root."""
    while directory != ROOT:
        yield directory
        directory, _ = split(directory)
