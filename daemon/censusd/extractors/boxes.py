"""The boxes of the ISO base media file format, which QuickTime calls atoms: MP4, MOV, M4A, M4B, 3GP, HEIF, AVIF, CR3.

A box is a length of four bytes (1: the length follows the type in eight bytes; 0: to the end of the file), a type of
four bytes and a body, which may be boxes again (ISO/IEC 14496-12, 4.2). Bodies stay in the file until somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from censusd.extractors.reading import FormatError, Reader

MOST_BOXES: Final = 10_000
"""Boxes next to each other. A film in fragments of a second has as many."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Attributes:
        kind: its type, four bytes as they are in the file; of a ``uuid`` box those and the 16 bytes of the UUID.
        start: where it begins in the file.
        body: where what it holds begins.
        end: where it ends, or where what it is in ends, if that is before.
        cut: whether it says that it is longer than what it is in: the file was cut off, or lies.
    """

    kind: bytes
    start: int
    body: int
    end: int
    cut: bool = False

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.end - self.body


def boxes(reader: Reader, start: int, end: int, most: int = MOST_BOXES) -> Iterator[Box]:
    """The boxes from ``start`` to ``end``, one after the other, without those inside them.

    Ends quietly at fewer than eight bytes, at a type of zero (QuickTime closes some lists so) and after ``most`` boxes.

    Raises:
        FormatError: a length is smaller than what it counts.
    """
    end = min(end, reader.size)
    for _ in range(most):
        head = reader.at(start, 32)
        if start + 8 > end or len(head) < 8:
            return
        length, kind, used = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, used = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            if kind == b"\0\0\0\0":
                return
            length = end - start
        if kind == b"uuid":
            kind, used = kind + head[used : used + 16], used + 16
        if length < used:
            raise FormatError(f"box {kind[:4]!r} at byte {start} is {length} bytes long, with a header of {used}")
        yield Box(kind, start, min(start + used, end), min(start + length, end), start + length > end)
        start += length


def inside(reader: Reader, box: Box, skip: int = 0) -> Iterator[Box]:
    """The boxes that a box holds, after ``skip`` bytes of its own (4 for the version and flags of a full box)."""
    return boxes(reader, box.body + skip, box.end)


def find(reader: Reader, start: int, end: int, *path: bytes) -> Box | None:
    """The first box that can be reached by these types, each inside the one before, or None."""
    box = None
    for kind in path:
        box = next((each for each in boxes(reader, start, end) if each.kind == kind), None)
        if box is None:
            return None
        # `meta` is a full box in MP4 and HEIF and a plain one in QuickTime: there a box type follows the first length.
        full = kind == b"meta" and reader.at(box.body + 4, 4) != b"hdlr"
        start, end = box.body + (4 if full else 0), box.end
    return box


def body(reader: Reader, box: Box, longest: int) -> bytes:
    """What a box holds, but no more than ``longest`` bytes of it."""
    return reader.at(box.body, min(box.length, longest))
