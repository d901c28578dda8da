"""The pictures of one repository that wait to be described, the last changes first. Bounded, whatever its size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from censusd.catalogue.descriptions import Picture, Position

_MOST_STRETCHES: Final = 16

Look = Callable[[int, Position], tuple[Position | None, list[Picture]]]
"""Gives the next page of files: how far it has come, and the pictures to describe; see ``descriptions.page``."""


@dataclass(slots=True)
class _Stretch:
    """Changes that were not looked at.

    Attributes:
        after: the change number at which they end.
        position: where they begin: everything before it is done.
    """

    after: int
    position: Position


@dataclass(slots=True)
class Feed:
    """A way through a repository's files, from the last change to the first, that begins anew with each new change.

    What it holds of the files themselves is one page at most; it may forget that at any time.
    """

    _seen: int = -1
    _stretches: list[_Stretch] = field(default_factory=list)
    _page: deque[Picture] = field(default_factory=deque)
    _page_end: Position | None = None

    def notice(self, change_number: int) -> None:
        """The repository has come to this change number."""
        if change_number <= self._seen:
            return
        self._stretches.append(_Stretch(self._seen, Position(until=change_number)))
        self._seen = change_number
        self._page.clear()
        if len(self._stretches) > _MOST_STRETCHES:
            # What lies between the two is looked at once more, and found to be done.
            first, second = self._stretches[:2]
            self._stretches[:2] = [_Stretch(first.after, second.position)]

    @property
    def is_empty(self) -> bool:
        """Whether everything was looked at."""
        return not self._stretches

    def next(self, look: Look) -> Picture | None:
        """The next picture; None if this page has none, so that others may have a turn, or if nothing is left."""
        if not self._stretches:
            return None
        stretch = self._stretches[-1]
        if not self._page:
            self._page_end, found = look(stretch.after, stretch.position)
            if self._page_end is None:
                self._stretches.pop()
                return None
            self._page.extend(found)
        picture = self._page.popleft() if self._page else None
        if picture is not None and self._page:
            stretch.position = Position(picture.change_number, picture.id)
        elif self._page_end is not None:
            stretch.position = self._page_end
        return picture
