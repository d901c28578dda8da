"""One line on how the repositories stand, for ``systemctl status``: what is not as it should be comes first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from censusd.sync.standing import Phase

_MOST_NAMED: Final = 8
"""Repositories; where there are more, those of which there is nothing to tell are only counted."""

_TROUBLE_FIRST: Final = (
    *(Phase.OFFLINE, Phase.WAITING, Phase.TROUBLED, Phase.STOPPED),
    *(Phase.SCANNING, Phase.STARTING, Phase.STANDBY, Phase.WATCHING),
)
_NOTHING_TO_TELL: Final = frozenset({Phase.STANDBY, Phase.WATCHING})


class Repository(NamedTuple):
    """What there is to tell of one.

    Attributes:
        name: its name.
        phase: what its worker is doing.
        files: how many a pass has looked at so far, if there is one.
        files_per_second: how fast it is.
    """

    name: str
    phase: Phase
    files: int | None = None
    files_per_second: float = 0.0

    def __str__(self) -> str:
        if self.files is None:
            return f"{self.name} {self.phase}"
        return f"{self.name} scanning: {self.files:,} files, {self.files_per_second:,.0f}/s"


def parts(repositories: Iterable[Repository]) -> list[str]:
    """What to say of the repositories: of each one, or, where they are many, of those of which there is something."""
    every = sorted(repositories, key=lambda one: _TROUBLE_FIRST.index(one.phase))
    if len(every) <= _MOST_NAMED:
        return [str(one) for one in every]
    quiet = [one.phase for one in every if one.files is None and one.phase in _NOTHING_TO_TELL]
    counts = [f"{quiet.count(phase)} {phase}" for phase in dict.fromkeys(quiet)]
    return [*(str(one) for one in every if one.files is not None or one.phase not in _NOTHING_TO_TELL), *counts]
