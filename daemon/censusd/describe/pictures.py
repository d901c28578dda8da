"""What is sent of a picture: what is to be seen, and nothing else.

Where a picture was taken, with what, by whom, what it was made from, thumbnails, the short film behind it: all of that
is left out, by copying only what shows the picture. Nothing is decoded, and no length that a file tells is trusted.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from censusd.describe.trouble import UnfitError

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND"})

_JPEG: Final = b"\xff\xd8"
_SOS, _EOI = 0xDA, 0xD9
_JPEG_LEFT_OUT: Final = frozenset({*range(0xE0, 0xF0), 0xFE})
_JPEG_KEPT: Final = ((0xE0, b"JFIF\0"), (0xEE, b"Adobe"))
"""Of the application's segments, those that say how the colours are to be understood."""
_JPEG_MARKER: Final = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
"""In a scan, what is neither a byte of data (FF 00) nor a restart: ITU-T T.81, B.1.1."""

_WEBP_KEPT: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_ANIMATED: Final = 0x02
_WEBP_METADATA: Final = 0x20 | 0x08 | 0x04  # a colour profile, Exif, XMP


def bare(content: bytes, orientation: int = 1) -> tuple[str, bytes]:
    """The MIME type of a picture and the picture without its metadata.

    Args:
        content: of the file.
        orientation: how it has to be turned, as Exif numbers it. All that a JPEG keeps of its Exif.

    Raises:
        UnfitError: it is not a JPEG, PNG or WebP, it is animated, or it is cut off before there is anything to see.
    """
    if content.startswith(_JPEG):
        return "image/jpeg", b"".join(_jpeg(content, orientation))
    if content.startswith(_PNG):
        return "image/png", b"".join(_png(content))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp", _webp(content)
    raise UnfitError("its content is that of neither a JPEG nor a PNG nor a WebP")


def _jpeg(content: bytes, orientation: int) -> Iterator[bytes]:
    yield _JPEG
    if 1 < orientation <= 8:
        yield _exif(orientation)
    position = 2
    while True:
        match = _JPEG_MARKER.match(content, position)
        if match is None or (match.end() + 2 > len(content) and match[1][0] != _EOI):
            raise UnfitError("it is not a JPEG throughout, or is cut off before its picture")
        marker, start = match[1][0], match.end()
        if marker == _EOI:
            yield b"\xff\xd9"
            return
        end = start + struct.unpack_from(">H", content, start)[0]
        if end < start + 2 or end > len(content):
            raise UnfitError("it is not a JPEG throughout, or is cut off before its picture")
        segment = content[start:end]
        if marker not in _JPEG_LEFT_OUT or any(
            marker == kept and segment.startswith(name, 2) for kept, name in _JPEG_KEPT
        ):
            yield bytes((0xFF, marker)) + segment
        position = end
        if marker == _SOS:
            next_marker = _JPEG_MARKER.search(content, end)
            position = next_marker.start() if next_marker else len(content)
            yield content[end:position]
            if next_marker is None:
                # Its end is missing, as of a download that broke off. What is there can be seen.
                return


def _exif(orientation: int) -> bytes:
    """An Exif segment that holds an orientation alone (TIFF 6.0: tag 274, SHORT, one value)."""
    body = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _png(content: bytes) -> Iterator[bytes]:
    yield _PNG
    position = len(_PNG)
    seen = False
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            break
        if kind in _PNG_KEPT:
            yield content[position:end]
            seen = seen or kind == b"IDAT"
        if kind == b"IEND":
            break
        position = end
    if not seen:
        raise UnfitError("it is not a PNG throughout, or is cut off before its picture")


def _webp(content: bytes) -> bytes:
    parts = []
    position, last = 12, min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    while position + 8 <= last:
        kind, length = struct.unpack_from("<4sI", content, position)
        end = position + 8 + length + length % 2
        body = content[position + 8 : position + 8 + length]
        if kind == b"VP8X" and body:
            if body[0] & _WEBP_ANIMATED:
                raise UnfitError("it is animated")
            body = bytes((body[0] & ~_WEBP_METADATA,)) + body[1:]
        if kind in _WEBP_KEPT and len(body) == length:
            parts.append(struct.pack("<4sI", kind, length) + body + b"\0" * (length % 2))
        position = end
    if not any(part.startswith((b"VP8 ", b"VP8L")) for part in parts):
        raise UnfitError("it is not a WebP throughout, or is cut off before its picture")
    frames = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(frames)) + frames


def nobodys_picture() -> bytes:
    """A picture of nobody's, to see whether a server describes pictures: a PNG, light with a dark square."""
    side, inner = 96, range(24, 72)
    rows = (bytes(40 if x in inner and y in inner else 220 for x in range(side)) for y in range(side))
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return _PNG + b"".join(_chunk(*one) for one in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
