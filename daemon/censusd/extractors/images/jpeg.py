"""JPEG (ITU-T T.81): segments up to the picture itself, which is not looked at."""

from __future__ import annotations

from typing import Final

from censusd.extractors.images.exif import directories
from censusd.extractors.images.found import Found
from censusd.extractors.images.iptc import IPTC_RESOURCE, resources
from censusd.extractors.images.tiff import Tiff
from censusd.extractors.reading import FormatError, Reader

MIME_TYPE: Final = "image/jpeg"
FIRST_READ: Final = 65_536
"""Nearly always all segments before the picture, in one read."""
MOST_SEGMENTS: Final = 4_000

EXIF: Final = b"Exif\0"
XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
PHOTOSHOP: Final = b"Photoshop 3.0\0"
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_WANTED: Final = frozenset({0xE1, 0xED, 0xFE})


def read(reader: Reader, found: Found) -> None:
    """Read what stands before the picture.

    Raises:
        FormatError: the file ends or goes astray before the picture.
    """
    reader.at(0, FIRST_READ)
    photoshop: list[bytes] = []
    try:
        _segments(reader, found, photoshop)
    finally:
        # A block longer than a segment goes on in the next.
        found.iptc += [data for number, data in resources(b"".join(photoshop)) if number == IPTC_RESOURCE]


def _segments(reader: Reader, found: Found, photoshop: list[bytes]) -> None:
    at = 2
    for _ in range(MOST_SEGMENTS):
        head = reader.exactly(at, 4, "header, before the picture")
        marker = head[1]
        if head[0] != 0xFF:
            raise FormatError(f"at byte {at} there should be a JPEG marker, and is not")
        if marker == 0xFF or marker in _ALONE:  # a byte to fill up, or a marker without a length
            at += 1 if marker == 0xFF else 2
            continue
        if marker in {0xDA, 0xD9}:
            return
        length = head[2] << 8 | head[3]
        if length < 2:
            raise FormatError(
                f"the JPEG segment at byte {at} is {length} bytes long, which is less than its own length"
            )
        if marker in _FRAMES:
            frame = reader.exactly(at + 4, 5, "header, before the picture")
            found.height = (frame[1] << 8 | frame[2]) or None  # 0: it is told after the first scan, which is rare
            found.width = (frame[3] << 8 | frame[4]) or None
        elif marker in _WANTED:
            _segment(marker, reader.at(at + 4, length - 2), found, photoshop)
        at += 2 + length
    raise FormatError("it has more segments than any real JPEG")


def _segment(marker: int, data: bytes, found: Found, photoshop: list[bytes]) -> None:
    if marker == 0xFE:
        found.add_text("comment", data.rstrip(b"\0").decode("utf-8", "replace"))
    elif marker == 0xED:
        if data.startswith(PHOTOSHOP):
            found.allow(len(data))
            photoshop.append(data[len(PHOTOSHOP) :])
    elif data.startswith(EXIF):
        add_exif(data[6:], found)
    elif data.startswith(XMP):
        found.add_xmp(data[len(XMP) :])


def add_exif(data: bytes, found: Found) -> None:
    """Read a block of Exif that stands in a picture. One that cannot be read is no reason to leave the rest."""
    found.allow(len(data))
    try:
        tiff = Tiff(Reader.of(data))
        found.directories.append(directories(tiff))
        if tiff.cut:
            found.has_trouble("its Exif data is cut off or damaged")
    except FormatError as error:
        found.has_trouble(str(error))
