"""TIFF's directories of tags, which Exif and nearly all raw formats are made of.

A directory (IFD) is a count, then entries of twelve bytes: tag, type, number of values, and the values themselves if
they fit into four bytes, else where they are; then where the next directory is (TIFF 6.0, section 2). BigTIFF has eight
bytes where TIFF has four. Olympus and Panasonic put other numbers where TIFF has 42.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.reading import FormatError, Reader

Value = bytes | tuple[float, ...]
"""A tag's values: bytes of the types BYTE, ASCII, SBYTE and UNDEFINED, else numbers; n/0 is not a number (NaN)."""
Tags = dict[int, Value]

MOST_ENTRIES: Final = 1_000
MOST_NUMBERS: Final = 256
"""Values of one tag. None of those that are looked at has more."""
LONGEST_VALUE: Final = 4 << 20
LONGEST_SHORT: Final = 16_384
LONG_TAGS: Final = frozenset({0x002E, 0x010D, 0x010E, 0x010F, 0x0110, 0x02BC, 0x83BB, 0x8649, 0x9286})
"""Tags that may hold more than ``LONGEST_SHORT``: those that generators hide JSON in, XMP, IPTC, pictures, comments."""

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES: Final = {3: "H", 4: "I", 5: "I", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_BYTES: Final = frozenset({1, 2, 6, 7})
_RATIONAL: Final = frozenset({5, 10})
_MAGIC: Final = {b"*\0", b"\0*", b"+\0", b"\0+", b"RO", b"RS", b"OR", b"SR", b"U\0", b"\0U"}
_NAN: Final = float("nan")


@dataclass(slots=True)
class Directories:
    """The directories of one block of Exif that say something about the picture.

    Attributes:
        image: tags of the first directory.
        exif: tags of the Exif directory.
        gps: tags of the GPS directory.
        little: whether numbers have their least significant byte first.
        following: where the directory behind the first is, 0 if there is none.
    """

    image: Tags = field(default_factory=dict)
    exif: Tags = field(default_factory=dict)
    gps: Tags = field(default_factory=dict)
    little: bool = True
    following: int = 0


class Tiff:
    """Reads directories. Each is read once: a file whose directories point to each other comes to an end.

    Attributes:
        first: where the first directory is.
        little: whether numbers have their least significant byte first.
        cut: whether something pointed behind the end.
    """

    __slots__ = ("_big", "_count", "_entry", "_order", "_prefix", "_reader", "_seen", "cut", "first", "little")

    def __init__(self, reader: Reader) -> None:
        """Begin to read.

        Raises:
            FormatError: it is no TIFF.
        """
        head = reader.at(0, 16)
        if len(head) < 8 or head[:2] not in {b"II", b"MM"} or head[2:4] not in _MAGIC:
            raise FormatError("its Exif data does not begin as TIFF does")
        self._reader = reader
        self.little = head[:2] == b"II"
        self._prefix = "<" if self.little else ">"
        self._big = b"+" in head[2:4]
        self._entry = struct.Struct(self._prefix + ("HHQ8s" if self._big else "HHI4s"))
        self._count = 8 if self._big else 2
        self._seen: set[int] = set()
        self.cut = False
        self.first = self._number(head[8:16] if self._big else head[4:8])

    def directory(self, offset: int, wanted: Collection[int]) -> tuple[Tags, int]:
        """The wanted tags of a directory, and where the next one is (0: there is none)."""
        if offset in self._seen or offset <= 0:
            return {}, 0
        self._seen.add(offset)
        count = self._number(self._reader.at(offset, self._count))
        # A count that no directory has is damage; what stands there need not be read as if it were one.
        if not 0 < count <= MOST_ENTRIES:
            self.cut = True
            return {}, 0
        size = self._entry.size
        table = self._reader.at(offset + self._count, count * size + (8 if self._big else 4))
        whole = len(table) // size * size
        tags: Tags = {}
        for tag, kind, number, inline in self._entry.iter_unpack(table[: min(whole, count * size)]):
            if tag in wanted and tag not in tags and kind in _SIZES:
                value = self._value(tag, kind, number, inline)
                if value is not None:
                    tags[tag] = value
        if len(table) < count * size:
            self.cut = True
            return tags, 0
        return tags, self._number(table[count * size :])

    def _value(self, tag: int, kind: int, number: int, inline: bytes) -> Value | None:
        length = number * _SIZES[kind]
        if kind in _BYTES:
            length = min(length, LONGEST_VALUE if tag in LONG_TAGS else LONGEST_SHORT)
        elif number > MOST_NUMBERS:
            return None
        if length <= len(inline):
            data = inline[:length]
        else:
            data = self._reader.at(self._number(inline), length)
            if len(data) < length:
                self.cut = True
        if kind in _BYTES:
            return data
        if kind in _RATIONAL:
            many = len(data) // 8
            numbers = struct.unpack(f"{self._prefix}{2 * many}{_CODES[kind]}", data[: many * 8])
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            return tuple(above / below if below else _NAN for above, below in pairs)
        many = len(data) // _SIZES[kind]
        return struct.unpack(f"{self._prefix}{many}{_CODES[kind]}", data[: many * _SIZES[kind]])

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self.little else "big")


def integer(value: Value | None) -> int | None:
    """A tag's first value as a whole number, if it has one."""
    if not value or math.isnan(value[0]):
        return None
    return int(value[0]) if abs(value[0]) < 1 << 53 else None
