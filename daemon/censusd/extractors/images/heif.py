"""HEIC and AVIF (ISO/IEC 23008-12): boxes, of which ``meta`` lists items: the picture, its Exif data, its XMP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from censusd.extractors.boxes import Box, body, boxes, inside
from censusd.extractors.images.found import LONGEST_TEXT, Found
from censusd.extractors.images.jpeg import add_exif
from censusd.extractors.reading import FormatError, Reader

BRANDS: Final = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
}
MOST_PARTS: Final = 64
"""Boxes that a file consists of. Sequences have some more than pictures."""
MOST_ITEMS: Final = 4_096
"""The largest pictures consist of some hundred tiles, each an item."""
LONGEST_TABLE: Final = 1 << 20

# Quarter turns anticlockwise, and a mirror (0: upside down, 1: left and right) behind them, as Exif numbers the two.
_TURNED: Final = {0: 1, 1: 8, 2: 3, 3: 6}
_MIRRORED: Final = {(0, 0): 4, (0, 1): 5, (0, 2): 2, (0, 3): 7, (1, 0): 2, (1, 1): 7, (1, 2): 4, (1, 3): 5}


def mime_type(head: bytes) -> str | None:
    """The type of a file that begins with a ``ftyp`` box, or None if it is no picture: films begin so, too."""
    if head[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = BRANDS.get(head[8:12])
    if major not in {"image/heif", "image/heif-sequence"}:
        return major
    named = (BRANDS.get(head[at : at + 4]) for at in range(16, size - 3, 4))
    return next((each for each in named if each and "heif" not in each), major)


def read(reader: Reader, found: Found) -> None:
    """Find the size, the orientation, and the items with metadata.

    Raises:
        FormatError: there is no list of items, or it cannot be.
    """
    parts = list(boxes(reader, 0, reader.size, MOST_PARTS))
    if any(part.cut for part in parts):
        found.has_trouble("it is cut off")
    meta = next((part for part in parts if part.kind == b"meta"), None)
    if meta is None:
        raise FormatError("it has no list of what is in it")
    children = {box.kind: box for box in inside(reader, meta, 4)}
    primary = _primary(reader, children.get(b"pitm"))
    if b"iprp" in children:
        _properties(reader, children[b"iprp"], primary, found)
    if b"iinf" not in children or b"iloc" not in children:
        return
    wanted = dict(_metadata_items(reader, children[b"iinf"]))
    base = children[b"idat"].body if b"idat" in children else 0
    for number, extents in _locations(body(reader, children[b"iloc"], LONGEST_TABLE), base):
        kind = wanted.get(number)
        if kind:
            _item(reader, kind, extents, found)


def _item(reader: Reader, kind: bytes, extents: list[tuple[int, int]], found: Found) -> None:
    if sum(length for _, length in extents) > LONGEST_TEXT:
        found.has_trouble("its metadata is too long to look into")
        return
    data = b"".join(reader.exactly(at, length, "metadata") for at, length in extents)
    if kind == b"Exif":
        skip = 4 + int.from_bytes(data[:4], "big")  # to where TIFF begins
        add_exif(data[skip:] if skip < len(data) else data[4:], found)
    else:
        found.add_xmp(data)


def _primary(reader: Reader, box: Box | None) -> int:
    if box is None:
        return 0
    data = body(reader, box, 8)
    return int.from_bytes(data[4:8] if data[:1] != b"\0" else data[4:6], "big")


def _metadata_items(reader: Reader, box: Box) -> Iterator[tuple[int, bytes]]:
    """Number and type of the items that hold Exif or XMP."""
    wide = reader.at(box.body, 1) != b"\0"
    for entry in boxes(reader, box.body + (8 if wide else 6), box.end, MOST_ITEMS):
        data = body(reader, entry, 512)
        if entry.kind != b"infe" or len(data) < 12 or data[0] < 2:
            continue
        size = 2 if data[0] == 2 else 4
        number, kind = int.from_bytes(data[4 : 4 + size], "big"), data[6 + size : 10 + size]
        content = data[10 + size :].split(b"\0")  # behind the name, for MIME
        if kind == b"Exif" or (kind == b"mime" and b"application/rdf+xml" in content[1:2]):
            yield number, kind


def _locations(data: bytes, base: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Number and extents (offset in the file, length) of each item (8.11.3)."""
    version = data[0] if data else 0
    if version > 2 or len(data) < 8:
        return
    offset_size, length_size = data[4] >> 4, data[4] & 15
    base_size, index_size = data[5] >> 4, data[5] & 15 if version else 0
    at = 6

    def number(size: int) -> int:
        nonlocal at
        value = int.from_bytes(data[at : at + size], "big")
        at += size
        return value

    wide = 4 if version == 2 else 2
    for _ in range(min(number(wide), MOST_ITEMS)):
        if at >= len(data):
            return
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)  # which file: this one
        start = number(base_size) + (base if method == 1 else 0)
        extents = []
        for _ in range(min(number(2), 64)):
            number(index_size)
            extents.append((start + number(offset_size), number(length_size)))
        if method < 2:
            yield item, extents


def _properties(reader: Reader, box: Box, primary: int, found: Found) -> None:
    """The picture's size and how it is turned: its properties are in one box, and which are its in another."""
    parts = {each.kind: each for each in inside(reader, box)}
    if b"ipco" not in parts:
        return
    shared = list(boxes(reader, parts[b"ipco"].body, parts[b"ipco"].end, MOST_ITEMS))
    used = _used(body(reader, parts[b"ipma"], LONGEST_TABLE), primary) if b"ipma" in parts else []
    chosen = [shared[index - 1] for index in used if 0 < index <= len(shared)]
    turned, mirrored = 0, None
    for each in chosen or shared:
        data = reader.at(each.body, 12)
        if each.kind == b"ispe" and len(data) == 12 and (chosen or found.width is None):
            found.width = int.from_bytes(data[4:8], "big")
            found.height = int.from_bytes(data[8:12], "big")
        elif each.kind == b"irot" and data and chosen:
            turned = data[0] & 3
            # What stands first is done first (6.5.1); a mirror before a quarter turn is the other mirror behind it.
            mirrored = mirrored ^ (turned & 1) if mirrored is not None else None
        elif each.kind == b"imir" and data and chosen:
            mirrored = data[0] & 1
    found.orientation = _TURNED[turned] if mirrored is None else _MIRRORED[mirrored, turned]


def _used(data: bytes, primary: int) -> list[int]:
    """Which properties the primary item has, by their place from 1 (8.11.14)."""
    if len(data) < 8:
        return []
    wide, long = (4 if data[0] else 2), data[3] & 1
    at = 8
    for _ in range(min(int.from_bytes(data[4:8], "big"), MOST_ITEMS)):
        item, count = int.from_bytes(data[at : at + wide], "big"), data[at + wide : at + wide + 1]
        at += wide + 1
        if not count:
            break
        size = 2 if long else 1
        if item == primary:
            mask = 0x7FFF if long else 0x7F
            ends = range(at, min(at + count[0] * size, len(data)), size)
            return [int.from_bytes(data[each : each + size], "big") & mask for each in ends]
        at += count[0] * size
    return []
