"""Text that is hidden in the lowest bits of a PNG's pixels: NovelAI's, and that of the web UIs' "stealth pnginfo".

One bit a pixel in the alpha channel, or three in red, green and blue, column after column from the left: fifteen
letters that say which, then 32 bits with the number of bits that follow, then the text, gzipped or not
(NovelAI/novelai-image-metadata, nai_meta.py). A pixel's filter looks only to the left and up (PNG, 9.2), so the few
columns that hold the text are unfiltered and nothing else; and an ordinary picture is told by its first rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from censusd.extractors.images.png import SIGNATURE
from censusd.extractors.reading import FormatError, Reader

MOST_PIXELS: Final = 64 << 20
"""Bytes of pixels that are inflated: of a picture of 16 megapixels with alpha."""
LONGEST: Final = 1 << 20
"""Bytes of hidden text."""
LONGEST_NAME: Final = 15
_MARKS: Final = {
    b"stealth_pnginfo": ("alpha", False),
    b"stealth_pngcomp": ("alpha", True),
    b"stealth_rgbinfo": ("rgb", False),
    b"stealth_rgbcomp": ("rgb", True),
}
_CHANNELS: Final = {2: 3, 6: 4}


def read(reader: Reader) -> str | None:
    """The hidden text of a PNG, or None if there is none.

    Raises:
        FormatError: there is, but it is damaged.
    """
    header = reader.at(len(SIGNATURE), 25)
    if len(header) < 25 or header[4:8] != b"IHDR":
        return None
    width, height = int.from_bytes(header[8:12], "big"), int.from_bytes(header[12:16], "big")
    channels = _CHANNELS.get(header[17])
    # 8 bits each, not interlaced, and large enough for the mark and some text.
    if channels is None or header[16] != 8 or header[20] or min(width, height) < 8:
        return None
    if (1 + width * channels) * height > MOST_PIXELS:
        return None
    for kind, wanted in (("alpha", range(3, 4)), ("rgb", range(3))):
        if wanted.stop > channels:
            continue
        columns = _Columns(reader, width, height, channels, wanted)
        # Nearly every picture is told by its first letter; few of the others by what more there is in the first column.
        if columns.may_begin(8) and columns.may_begin(8 * LONGEST_NAME):
            text = _text(columns, kind)
            if text is not None:
                return text
    return None


def _text(columns: _Columns, kind: str) -> str | None:
    mark = columns.take(LONGEST_NAME)
    where, packed = _MARKS.get(mark, ("", False))
    if where != kind:
        return None
    length = int.from_bytes(columns.take(4), "big") // 8
    if not 0 < length <= LONGEST:
        raise FormatError("the length of its hidden text cannot be")
    data = columns.take(length)
    if packed:
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, LONGEST)
        except zlib.error as error:
            raise FormatError(f"its hidden text cannot be unpacked: {error}") from None
    return data.decode("utf-8", "replace").strip("\0") or None


class _Columns:
    """The lowest bits of some channels, column after column, each column unfiltered when it is needed."""

    def __init__(self, reader: Reader, width: int, height: int, channels: int, wanted: range) -> None:
        self._reader = reader
        self._width, self._height, self._channels, self._wanted = width, height, channels, wanted
        self._rows: list[bytes] | None = None
        self._left: list[list[int]] = [[0] * height for _ in wanted]
        self._column = 0
        self._bits: list[int] = []

    def may_begin(self, most: int) -> bool:
        """Whether the first bits may be a mark's: up to ``most`` of them, those in the first column."""
        rows = min(-(-most // len(self._wanted)), self._height)
        self._rows = list(_inflate(self._reader, 1 + self._width * self._channels, rows))
        found = self._unfilter(0)[:most]
        self._rows = None
        self._left = [[0] * self._height for _ in self._wanted]
        return len(found) == min(most, rows * len(self._wanted)) and any(
            found == [mark[at >> 3] >> 7 - (at & 7) & 1 for at in range(len(found))] for mark in _MARKS
        )

    def take(self, length: int) -> bytes:
        """The next bytes.

        Raises:
            FormatError: there are not as many.
        """
        if self._rows is None:
            self._rows = list(_inflate(self._reader, 1 + self._width * self._channels, self._height))
        while len(self._bits) < length * 8:
            if self._column >= self._width:
                raise FormatError("its hidden text is longer than the picture has room for")
            self._bits += self._unfilter(self._column)
            self._column += 1
        taken, self._bits = self._bits[: length * 8], self._bits[length * 8 :]
        return int("".join(map(str, taken)), 2).to_bytes(length, "big")

    def _unfilter(self, column: int) -> list[int]:
        """The lowest bits of the next column, row after row (PNG 9.2 to 9.4)."""
        rows = self._rows or []
        channels = []
        for number, channel in enumerate(self._wanted):
            at = 1 + column * self._channels + channel
            left_column = self._left[number]
            values = []
            above = corner = 0
            for row, left in zip(rows, left_column, strict=False):
                kind = row[0]
                value = row[at]
                if kind == 1:
                    value += left
                elif kind == 2:
                    value += above
                elif kind == 3:
                    value += (left + above) >> 1
                elif kind == 4:
                    value += _paeth(left, above, corner)
                above, corner = value & 0xFF, left
                values.append(above)
            self._left[number] = values
            channels.append(values)
        return [value & 1 for pixel in zip(*channels, strict=True) for value in pixel]


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    by_left, by_above, by_corner = abs(estimate - left), abs(estimate - above), abs(estimate - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner


def _inflate(reader: Reader, stride: int, rows: int) -> Iterator[bytes]:
    """The first filtered rows, fewer if the file ends before."""
    inflater = zlib.decompressobj()
    waiting = bytearray()
    for data in _data(reader):
        left = data
        while left:
            try:
                waiting += inflater.decompress(left, 1 << 20)
            except zlib.error:
                return
            left = inflater.unconsumed_tail
            whole = len(waiting) // stride
            for number in range(min(whole, rows)):
                yield bytes(waiting[number * stride : (number + 1) * stride])
            rows -= whole
            if rows <= 0 or inflater.eof:
                return
            del waiting[: whole * stride]


def _data(reader: Reader) -> Iterator[bytes]:
    """The picture's data, piece by piece."""
    at = len(SIGNATURE)
    while len(head := reader.at(at, 8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IDAT":
            for start in range(at + 8, at + 8 + length, 1 << 16):
                piece = reader.at(start, min(1 << 16, at + 8 + length - start))
                if not piece:
                    return
                yield piece
        elif kind == b"IEND" or not kind.isalpha():
            return
        at += 12 + length
