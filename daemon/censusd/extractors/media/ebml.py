"""EBML (RFC 8794): elements of a number, a length and a body, of which Matroska and WebM are made."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from censusd.extractors.reading import FormatError, Reader

MOST_ELEMENTS: Final = 10_000
LONGEST_TEXT: Final = 65_536


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    Attributes:
        id: its number, with the bits that mark its length, as the specification writes it.
        body: where what it holds begins.
        end: where it ends, or where what it is in ends, if that is before or its length is unknown.
        cut: whether it says that it is longer than what it is in.
        endless: whether it does not say how long it is.
    """

    id: int
    body: int
    end: int
    cut: bool = False
    endless: bool = False

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.end - self.body


def element(reader: Reader, at: int, end: int) -> Element | None:
    """The element that begins at ``at``, or None where there is none.

    Raises:
        FormatError: the bytes are no element.
    """
    head = reader.at(at, 12)
    if at + 2 > end or len(head) < 2:
        return None
    width = 9 - head[0].bit_length()
    if width > 4 or len(head) <= width:
        raise FormatError(f"there is no element where one should be, at byte {at}")
    first = head[width]
    size_width = 9 - first.bit_length()
    if size_width > 8 or len(head) < width + size_width:
        raise FormatError(f"an element at byte {at} has no length")
    size = int.from_bytes(head[width : width + size_width], "big") & (1 << 7 * size_width) - 1
    body = at + width + size_width
    number = int.from_bytes(head[:width], "big")
    if size == (1 << 7 * size_width) - 1:
        return Element(number, body, end, endless=True)
    return Element(number, body, min(body + size, end), cut=body + size > end)


def elements(reader: Reader, start: int, end: int, most: int = MOST_ELEMENTS) -> Iterator[Element]:
    """The elements from ``start`` to ``end``, without those inside them.

    Raises:
        FormatError: as ``element``.
    """
    end = min(end, reader.size)
    for _ in range(most):
        found = element(reader, start, end)
        if found is None:
            return
        yield found
        start = found.end


def number(reader: Reader, found: Element) -> int:
    """An unsigned integer."""
    return int.from_bytes(reader.at(found.body, min(found.length, 8)), "big")


def signed(reader: Reader, found: Element) -> int:
    """A signed integer."""
    return int.from_bytes(reader.at(found.body, min(found.length, 8)), "big", signed=True)


def real(reader: Reader, found: Element) -> float:
    """A float of 4 or 8 bytes; 0 for what is none."""
    data = reader.at(found.body, min(found.length, 8))
    if len(data) not in {4, 8}:
        return 0.0
    value: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return value if abs(value) < 1e18 else 0.0  # not for NaN either


def text(reader: Reader, found: Element) -> str:
    """A string, up to its first NUL."""
    data = reader.at(found.body, min(found.length, LONGEST_TEXT))
    return data.partition(b"\0")[0].decode("utf-8", "replace")
