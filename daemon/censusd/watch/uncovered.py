"""The account of directories that the kernel would not watch."""

from __future__ import annotations

from typing import Final

_MOST_REMEMBERED: Final = 10_000


class Uncovered:
    """Counts them exactly per complete pass, and remembers a bounded number of them by path.

    Between passes it learns what it can: a directory that is refused is added, one that is covered is taken off if it
    is remembered. While a pass is under way, its own account is kept apart; it replaces the old one in the end.

    Not locked: its owner sees to that.

    Attributes:
        reason: why the last one was refused.
    """

    def __init__(self, remembered: int = _MOST_REMEMBERED) -> None:
        self._remembered = remembered
        self._paths: dict[str, None] = {}
        self._beyond = 0
        self._fresh: dict[str, None] | None = None
        self._fresh_beyond = 0
        self._reported = False
        self.reason = ""

    def __len__(self) -> int:
        """How many there are: by the last complete pass, or the present one if that has found more already."""
        fresh = len(self._fresh) + self._fresh_beyond if self._fresh is not None else 0
        return max(len(self._paths) + self._beyond, fresh)

    def add(self, path: str, reason: str) -> None:
        """The directory at ``path`` was refused."""
        self.reason = reason
        paths = self._paths if self._fresh is None else self._fresh
        if path in paths or len(paths) < self._remembered:
            paths[path] = None
        elif self._fresh is None:
            self._beyond += 1
        else:
            self._fresh_beyond += 1

    def discard(self, path: str) -> None:
        """The directory at ``path`` is watched."""
        self._paths.pop(path, None)
        if self._fresh is not None:
            self._fresh.pop(path, None)

    def begin_pass(self) -> None:
        """A complete walk begins."""
        self._fresh, self._fresh_beyond = {}, 0

    def abandon_pass(self) -> None:
        """The walk, if there was one, will not be completed: what it refused counts if it is more than was known."""
        if self._fresh is not None and len(self._fresh) + self._fresh_beyond > len(self._paths) + self._beyond:
            self.end_pass()
        self._fresh = None

    def end_pass(self) -> None:
        """The walk is complete: what it did not refuse is watched, or gone."""
        if self._fresh is not None:
            self._paths, self._beyond = self._fresh, self._fresh_beyond
            self._fresh = None

    def paths(self) -> tuple[list[str], bool]:
        """Those that are remembered, and whether they are all."""
        if self._fresh is None or len(self._paths) + self._beyond >= len(self._fresh) + self._fresh_beyond:
            return list(self._paths), not self._beyond
        return list(self._fresh), not self._fresh_beyond

    def take_report(self) -> bool:
        """Whether people have to be told now: once, with the numbers of a complete pass where one is under way."""
        if not len(self):
            self._reported = False
        if self._reported or self._fresh is not None or not len(self):
            return False
        self._reported = True
        return True
