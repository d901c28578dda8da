"""What the readers of all kinds of archives give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from censusd.extractors.reading import FormatError

MOST_ENTRIES: Final = 50_000
"""Entries of one archive that are listed. The largest collections of comics in one file have some thousand."""


class UnreadableError(FormatError):
    """An entry is there, but cannot be read; the message says why, for people."""


@dataclass(slots=True)
class Entry:
    """One file in an archive; directories are not listed.

    Attributes:
        name: with its directories, joined by ``/``, as the archive has it.
        size: bytes, unpacked, as the archive says; -1 where it does not.
        packed: bytes it takes in the archive, -1 where it has none of its own.
        place: where its content is, as its reader understands it.
        method: how it is packed, as the archive's format numbers it.
        encrypted: whether a password is needed for its content.
    """

    name: str
    size: int
    packed: int
    place: int
    method: int = 0
    encrypted: bool = False


class Archive(ABC):
    """One archive that was listed.

    Attributes:
        container: the kind of archive, one short word.
        entries: its files, in its order; empty where even the names are encrypted.
        encrypted: whether a password is needed for the names, or for all of the content.
        fault: why the list is not complete, for people, or None.
    """

    container: str

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.encrypted = False
        self.fault: str | None = None

    def _keep(self, listing: Callable[[], None]) -> None:
        """Run what fills ``entries``; what it found before a fault is kept."""
        try:
            listing()
        except FormatError as error:
            if not self.entries:
                raise
            self.fault = str(error)

    @abstractmethod
    def read(self, entry: Entry, most: int) -> bytes:
        """The content of one of its entries.

        Args:
            entry: one of ``entries``.
            most: bytes that are wanted; of a longer entry nothing is given.

        Raises:
            UnreadableError: it is encrypted, packed in a way that is not known here, too long, or broken.
        """
