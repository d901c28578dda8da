"""PNG (W3C, third edition): chunks, of which those with text matter here, before and behind the picture."""

from __future__ import annotations

import binascii
import struct
import zlib
from typing import Final

from censusd.extractors.images.found import LONGEST_TEXT, Found
from censusd.extractors.images.iptc import IPTC_RESOURCE, resources
from censusd.extractors.images.jpeg import EXIF, add_exif
from censusd.extractors.reading import FormatError, Reader

MIME_TYPE: Final = "image/png"
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS: Final = 200_000
"""Some writers cut the picture into chunks of 8 KiB."""
LONGEST_CHUNK: Final = 1 << 31
"""No chunk may be longer, says the standard."""
_TEXT: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"comf", b"acTL", b"fcTL"})
_RAW_PROFILE: Final = "raw profile type "
_XMP: Final = "XML:com.adobe.xmp"


def read(reader: Reader, found: Found) -> None:
    """Read all chunks but the picture's.

    Raises:
        FormatError: the file ends, or goes astray, before its end chunk.
    """
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        head = reader.exactly(at, 8, "chunks, before the last")
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if not kind.isalpha() or length >= LONGEST_CHUNK:
            raise FormatError(f"at byte {at} there should be a PNG chunk, and is not")
        if kind == b"IEND":
            return
        if kind == b"IHDR":
            header = reader.exactly(at + 8, 13, "header")
            found.width, found.height = struct.unpack(">II", header[:8])
        elif kind in _TEXT:
            if length > LONGEST_TEXT:
                found.has_trouble(f"a text of {length >> 20} MiB in it is too long to look into")
            else:
                _chunk(kind, reader.exactly(at + 8, length, "text"), found)
        at += 12 + length
    raise FormatError("it has more chunks than any real PNG")


def _chunk(kind: bytes, data: bytes, found: Found) -> None:
    if kind == b"eXIf":
        add_exif(data[6:] if data.startswith(EXIF) else data, found)
        return
    if kind == b"acTL":
        found.mime_type = "image/apng"
        found.frames = max(int.from_bytes(data[:4], "big"), 1)
        return
    if kind == b"fcTL":
        if len(data) >= 24:
            above, below = struct.unpack(">HH", data[20:24])
            found.duration = round((found.duration or 0) + above / (below or 100), 6)
        return
    name, _, rest = data.partition(b"\0")
    keyword = name.decode("latin-1")
    try:
        if kind == b"zTXt":
            value = inflate(rest[1:])
        elif kind == b"iTXt":
            packed, rest = rest[:1] == b"\1", rest[2:]
            rest = rest.split(b"\0", 2)[-1]  # behind the language and the translated keyword
            value = inflate(rest) if packed else rest
        else:
            value = rest
        found.allow(len(value))
    except zlib.error as error:
        found.allow(0)
        found.has_trouble(f"its text {keyword[:80]!r} cannot be inflated: {error}")
        return
    if keyword == _XMP:
        found.add_xmp(value)
    elif keyword.lower().startswith(_RAW_PROFILE):
        _raw_profile(keyword.lower().removeprefix(_RAW_PROFILE), value, found)
    else:
        found.add_text(keyword, decode(value, international=kind == b"iTXt"))


def decode(value: bytes, *, international: bool) -> str:
    """Text that ought to be Latin-1, but is UTF-8 as often as not; or the other way round."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if international else value.decode("latin-1")


def inflate(data: bytes, longest: int = LONGEST_TEXT) -> bytes:
    """What was deflated, but no more than ``longest`` bytes of it, however much it would be.

    Raises:
        zlib.error: it was not.
    """
    return zlib.decompressobj().decompress(data, longest)


def _raw_profile(name: str, value: bytes, found: Found) -> None:
    """What ImageMagick writes: a name, a length and hexadecimal digits, in lines."""
    parts = value.split(None, 2)
    if len(parts) != 3:
        return
    try:
        data = binascii.unhexlify(parts[2].translate(None, b" \t\r\n"))
    except ValueError:
        found.has_trouble(f"its raw profile {name[:20]!r} is not hexadecimal")
        return
    if name in {"exif", "app1"} and data.startswith(EXIF):
        add_exif(data[6:], found)
    elif name == "xmp" or (name == "app1" and b"<x:xmpmeta" in data[:200]):
        found.add_xmp(data[data.find(b"<") :])
    elif name in {"iptc", "8bim"}:
        inner = [block for number, block in resources(data) if number == IPTC_RESOURCE]
        found.iptc += inner or [data]
