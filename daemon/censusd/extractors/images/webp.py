"""WebP (RFC 9649): chunks in a RIFF; the size of a simple file stands in its bit stream."""

from __future__ import annotations

from typing import Final

from censusd.extractors.images.found import LONGEST_TEXT, Found
from censusd.extractors.images.jpeg import EXIF, add_exif
from censusd.extractors.reading import FormatError, Reader

MIME_TYPE: Final = "image/webp"
MOST_CHUNKS: Final = 20_000
"""Each frame of an animation is one."""


def read(reader: Reader, found: Found) -> None:
    """Read all chunks but the picture's.

    Raises:
        FormatError: the file ends before it says it does.
    """
    end = 8 + int.from_bytes(reader.exactly(0, 12, "header")[4:8], "little")
    at, frames = 12, 0
    for _ in range(MOST_CHUNKS):
        if at + 8 > end:
            break
        head = reader.exactly(at, 8, "chunks, before the last")
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        body = at + 8
        if kind in {b"EXIF", b"XMP "} and length > LONGEST_TEXT:
            found.has_trouble(f"a text of {length >> 20} MiB in it is too long to look into")
        elif kind == b"EXIF":
            data = reader.exactly(body, length, "Exif data")
            add_exif(data[6:] if data.startswith(EXIF) else data, found)
        elif kind == b"XMP ":
            found.add_xmp(reader.exactly(body, length, "XMP"))
        elif kind == b"ANMF":
            frames += 1
            milliseconds = int.from_bytes(reader.at(body + 12, 3), "little")
            found.duration = round((found.duration or 0) + milliseconds / 1000, 3)
        else:
            _size(kind, reader.at(body, 10), found)
        at = body + length + length % 2
    found.frames = max(frames, 1)
    if end > reader.size:
        raise FormatError(f"it has {reader.size} bytes and says {end}")


def _size(kind: bytes, head: bytes, found: Found) -> None:
    if len(head) < 10:
        return
    if kind == b"VP8X":
        found.width = 1 + int.from_bytes(head[4:7], "little")
        found.height = 1 + int.from_bytes(head[7:10], "little")
    elif found.width is None and kind == b"VP8L" and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        found.width, found.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif found.width is None and kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        found.width = int.from_bytes(head[6:8], "little") & 0x3FFF
        found.height = int.from_bytes(head[8:10], "little") & 0x3FFF
