"""GIF (89a): blocks of sub-blocks. Its frames are counted, so it is read whole, if it is not too large."""

from __future__ import annotations

from typing import Final

from censusd.extractors.images.found import Found
from censusd.extractors.reading import FormatError, Reader

MIME_TYPE: Final = "image/gif"
LONGEST: Final = 32 << 20
"""Bytes that are walked through; what is behind them is not counted."""
MOST_BLOCKS: Final = 200_000
_COMMENT, _CONTROL, _APPLICATION = 0xFE, 0xF9, 0xFF
_XMP: Final = b"XMP DataXMP"
_XMP_TRAILER: Final = 258
"""Bytes that lead a program that does not know XMP out of it, as if it were sub-blocks."""


def read(reader: Reader, found: Found) -> None:
    """Read all blocks.

    Raises:
        FormatError: the file ends before its trailer.
    """
    head = reader.exactly(0, 13, "header")
    found.width, found.height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    data = reader.at(0, LONGEST)
    found.frames = 0
    try:
        _blocks(data, 13 + _palette(head[10]), found)
    except IndexError:
        if reader.size > LONGEST:
            found.frames, found.duration = 1, None  # not counted, rather than wrong
            return
        raise FormatError("it ends within its blocks") from None
    finally:
        found.frames = max(found.frames, 1)


def _blocks(data: bytes, at: int, found: Found) -> None:
    for _ in range(MOST_BLOCKS):
        kind = data[at]
        if kind == 0x3B:
            return
        if kind == 0x2C:
            found.frames += 1
            at = _skip(data, at + 11 + _palette(data[at + 9]))
        elif kind == 0x21:
            at = _extension(data, at + 1, found)
        elif kind == 0:  # some writers leave one block terminator too many
            at += 1
        else:
            raise FormatError(f"at byte {at} there should be a GIF block, and is not")
    raise FormatError("it has more blocks than any real GIF")


def _extension(data: bytes, at: int, found: Found) -> int:
    label, first = data[at], at + 1
    if label == _CONTROL and data[first] == 4:
        hundredths = int.from_bytes(data[first + 2 : first + 4], "little")
        if hundredths:
            found.duration = round((found.duration or 0) + hundredths / 100, 2)
    elif label == _COMMENT:
        end = _skip(data, first)
        found.add_text("comment", _join(data, first, end).decode("utf-8", "replace"))
        return end
    elif label == _APPLICATION and data[first + 1 : first + 12] == _XMP:
        end = _skip(data, first)  # its trailer makes that work
        found.add_xmp(data[first + 12 : max(first + 12, end - _XMP_TRAILER)])
        return end
    return _skip(data, first)


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip(data: bytes, at: int) -> int:
    while length := data[at]:
        at += 1 + length
    return at + 1


def _join(data: bytes, at: int, end: int) -> bytes:
    parts = []
    while at < end and (length := data[at]):
        parts.append(data[at + 1 : at + 1 + length])
        at += 1 + length
    return b"".join(parts)
