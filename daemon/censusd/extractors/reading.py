"""Bounded reads: no number in a file makes an extractor read, keep or repeat more than it may.

Every parser of a binary format reads through a ``Reader``. It gives what is there, remembers the last page so that many
small reads next to each other are one, and counts: a file whose tables point back into themselves, or that has ten
million elements of no length, comes to the end of its allowance and not to the end of the worker's time.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import BinaryIO, Final, Self

PAGE: Final = 16_384
"""Bytes that are read at least: what one page fault of the kernel brings in anyway."""
MOST_READS: Final = 50_000
MOST_BYTES: Final = 128 << 20
"""What one file may make an extractor read. The longest tags seen in real files are pictures, and those are skipped."""


class FormatError(ValueError):
    """A file is not what its format asks for; the message says what is wrong, for people."""


class TooMuchError(FormatError):
    """A file asks for more work than any real file does."""


class Reader:
    """Reads a file here and there, within an allowance.

    Attributes:
        size: bytes in the file.
    """

    __slots__ = ("_at", "_bytes_left", "_file", "_page", "_reads_left", "size")

    def __init__(self, file: BinaryIO, size: int, *, reads: int = MOST_READS, most: int = MOST_BYTES) -> None:
        self._file = file
        self._page = b""
        self._at = 0
        self._reads_left = reads
        self._bytes_left = most
        self.size = size

    @classmethod
    def of(cls, data: bytes) -> Self:
        """A reader of bytes in memory."""
        return cls(BytesIO(data), len(data))

    def at(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer, or none, where the file ends before.

        Raises:
            TooMuchError: the allowance is used up.
        """
        self._reads_left -= 1
        if self._reads_left < 0:
            raise TooMuchError("it has more parts than any real file of its kind")
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        skip = offset - self._at
        if skip >= 0 and skip + length <= len(self._page):
            return self._page[skip : skip + length]
        wanted = min(max(length, PAGE), self.size - offset)
        self._bytes_left -= wanted
        if self._bytes_left < 0:
            raise TooMuchError("its parts are larger than those of any real file of its kind")
        self._file.seek(offset, os.SEEK_SET)
        self._page = self._read(wanted)
        self._at = offset
        return self._page[:length]

    def exactly(self, offset: int, length: int, what: str) -> bytes:
        """As ``at``, for what must be there whole.

        Raises:
            FormatError: it is not; ``what`` names it.
        """
        data = self.at(offset, length)
        if len(data) < length:
            raise FormatError(f"it ends within its {what}")
        return data

    def _read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) == length or not data:
            return data
        parts = [data]  # a file opened without a buffer may give less than is there
        left = length - len(data)
        while left > 0 and (data := self._file.read(left)):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)
