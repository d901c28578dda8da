"""TIFF, and the cameras' raw formats, which nearly all are TIFF with a maker's own ideas of where the picture is.

CR2, NEF, ARW, DNG, PEF and more are TIFF: the first directory is a small picture, the large one in a sub-directory.
ORF and RW2 have another number where TIFF has 42. RAF has a header of its own and a JPEG in it; CR3 is ISO boxes with
pieces of TIFF in them (as ExifTool's and LibRaw's authors found out: the makers publish nothing but DNG 1.7).
"""

from __future__ import annotations

from typing import Final

from censusd.extractors.boxes import boxes, find, inside
from censusd.extractors.images import jpeg
from censusd.extractors.images.exif import (
    EXIF_TAGS,
    GPS_TAGS,
    IMAGE_TAGS,
    IPTC,
    MAKE,
    PHOTOSHOP,
    XMP,
    directories,
    text,
)
from censusd.extractors.images.found import LONGEST_TEXT, Found
from censusd.extractors.images.iptc import IPTC_RESOURCE, resources
from censusd.extractors.images.tiff import Directories, Tags, Tiff, integer
from censusd.extractors.reading import FormatError, Reader

TIFF: Final = "image/tiff"
RAF: Final = "image/x-fujifilm-raf"
CR3: Final = "image/x-canon-cr3"
RAF_MAGIC: Final = b"FUJIFILMCCD-RAW "
TIFF_MAGICS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
CR3_BRAND: Final = b"ftypcrx "

MIME_TYPES: Final = {
    "arw": "image/x-sony-arw",
    "cr2": "image/x-canon-cr2",
    "dng": "image/x-adobe-dng",
    "nef": "image/x-nikon-nef",
    "nrw": "image/x-nikon-nrw",
    "pef": "image/x-pentax-pef",
    "sr2": "image/x-sony-sr2",
    "srw": "image/x-samsung-srw",
    "3fr": "image/x-hasselblad-3fr",
    "fff": "image/x-hasselblad-fff",
    "iiq": "image/x-phaseone-iiq",
    "kdc": "image/x-kodak-kdc",
    "rwl": "image/x-leica-rwl",
}
"""Raw formats that are plain TIFF, by extension; when a file is raw at all, its content says."""
_MAKERS: Final = {"canon": "cr2", "nikon": "nef", "sony": "arw", "pentax": "pef", "samsung": "srw"}
_RAW_COMPRESSIONS: Final = frozenset({34713, 32767, 32770, 65535})  # Nikon, Sony, Samsung, Pentax
_RAW_COLOURS: Final = frozenset({32803, 34892})  # colour filter array, linear raw
_MOST_PARTS: Final = 64
_MOST_DIRECTORIES: Final = 1_000
_SIZE_TAGS: Final = frozenset({0x00FE, 0x0100, 0x0101, 0x0103, 0x0106, 0xC620})
_PANASONIC: Final = frozenset({*range(1, 8), 0x2E})
_CANON_PARTS: Final = {b"CMT1": ("image", IMAGE_TAGS), b"CMT2": ("exif", EXIF_TAGS), b"CMT4": ("gps", GPS_TAGS)}
_LONGEST_PREVIEW: Final = 1 << 20
"""Bytes of an embedded JPEG that are read: more than all its metadata."""
_LONGEST_SHORT: Final = 16_384
_CANON_DATA: Final = b"uuid\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48"
_CANON_XMP: Final = b"uuid\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac"


def read_tiff(reader: Reader, found: Found) -> None:
    """Read a TIFF, or a raw format that is one.

    Raises:
        FormatError: it is none.
    """
    magic = reader.at(0, 12)
    tiff = Tiff(reader)
    tags = directories(tiff)
    found.directories.append(tags)
    _add_packets(tags.image, found)
    if magic[2:4] in {b"RO", b"RS", b"OR"}:
        found.mime_type = "image/x-olympus-orf"
        found.width, found.height = _size(tags.image)
    elif magic[2:4] == b"U\0":
        found.mime_type = "image/x-panasonic-rw2"
        _panasonic(reader, found)
    else:
        pictures = _pictures(tiff, tags)
        found.mime_type = _mime_type(magic, tags.image, pictures, found.name)
        if found.mime_type == TIFF:
            full = [each for each in pictures if not (integer(each.get(0x00FE)) or 0) & 1]
            found.width, found.height = _size((full or pictures)[0])
            found.frames = max(len(full), 1)
        else:
            found.width, found.height = _raw_size(pictures, tags)
    if tiff.cut:
        found.has_trouble("it is cut off, or points behind its end")


def _add_packets(image: Tags, found: Found) -> None:
    if isinstance(packet := image.get(XMP), bytes):
        found.add_xmp(packet)
    if isinstance(block := image.get(PHOTOSHOP), bytes):
        found.iptc += [data for number, data in resources(block) if number == IPTC_RESOURCE]
    if isinstance(block := image.get(IPTC), bytes) and not found.iptc:
        found.iptc.append(block)


def _pictures(tiff: Tiff, tags: Directories) -> list[Tags]:
    """The directories of all pictures in the file: the first, those below it, and those that follow."""
    pictures = [tags.image]
    below = tags.image.get(0x014A)
    if below and not isinstance(below, bytes):
        pictures += [tiff.directory(at, _SIZE_TAGS)[0] for number in below[:16] if (at := integer((number,)))]
    at = tags.following
    while at and len(pictures) < _MOST_DIRECTORIES:
        page, at = tiff.directory(at, _SIZE_TAGS)
        if page:
            pictures.append(page)
    return pictures


def _mime_type(magic: bytes, image: Tags, pictures: list[Tags], name: str) -> str:
    if magic[8:10] == b"CR":
        return MIME_TYPES["cr2"]
    if 0xC612 in image:
        return MIME_TYPES["dng"]
    raw = any(
        integer(tags.get(0x0106)) in _RAW_COLOURS or integer(tags.get(0x0103)) in _RAW_COMPRESSIONS for tags in pictures
    )
    if not raw:
        return TIFF
    maker = (text(image.get(MAKE)) or "").lower()
    guess = next((kind for start, kind in _MAKERS.items() if maker.startswith(start)), "")
    return MIME_TYPES.get(name.rpartition(".")[2].lower()) or MIME_TYPES.get(guess) or "image/x-raw"


def _size(tags: Tags) -> tuple[int | None, int | None]:
    return integer(tags.get(0x0100)), integer(tags.get(0x0101))


def _area(tags: Tags) -> int:
    width, height = _size(tags)
    return (width or 0) * (height or 0)


def _raw_size(pictures: list[Tags], tags: Directories) -> tuple[int | None, int | None]:
    """The size of the developed picture: what a DNG or the Exif data says, if that is about all that the sensor saw."""
    large = max(pictures, key=_area)
    width, height = _size(large)
    crop = large.get(0xC620)
    if crop and not isinstance(crop, bytes) and len(crop) == 2 and all(0 < each < 1 << 20 for each in crop):
        return round(crop[0]), round(crop[1])
    across, down = integer(tags.exif.get(0xA002)), integer(tags.exif.get(0xA003))
    if across and down and across * down >= 0.8 * _area(large):
        return across, down
    return width, height


def _panasonic(reader: Reader, found: Found) -> None:
    """Panasonic's own tags are in the first directory, and a JPEG with the whole of Exif in one of them."""
    tiff = Tiff(reader)
    tags, _ = tiff.directory(tiff.first, _PANASONIC)
    top, left, bottom, right = (integer(tags.get(tag)) or 0 for tag in (4, 5, 6, 7))
    if bottom > top and right > left:
        found.width, found.height = right - left, bottom - top
    else:
        found.width, found.height = integer(tags.get(2)), integer(tags.get(3))
    preview = tags.get(0x2E)
    if isinstance(preview, bytes):
        _add_preview(preview, found)


def _add_preview(preview: bytes, found: Found) -> None:
    """Take the metadata of the JPEG that a raw file has in it, but not its size. It may be cut off."""
    inner = Found(jpeg.MIME_TYPE)
    try:
        jpeg.read(Reader.of(preview), inner)
    except FormatError as error:
        if not inner.directories:
            found.has_trouble(f"of the JPEG in it: {error}")
    found.directories += inner.directories
    found.xmp += inner.xmp
    found.iptc += inner.iptc


def read_raf(reader: Reader, found: Found) -> None:
    """Read Fujifilm's format: where the JPEG is stands at byte 84, where the sensor's tags are at byte 92.

    Raises:
        FormatError: it ends too early.
    """
    head = reader.exactly(84, 16, "header")
    offsets = [int.from_bytes(head[at : at + 4], "big") for at in range(0, 16, 4)]
    _add_preview(reader.at(offsets[0], min(offsets[1], _LONGEST_PREVIEW)), found)
    table = reader.at(offsets[2], min(offsets[3], _LONGEST_SHORT))
    if max(offsets[0] + offsets[1], offsets[2] + offsets[3]) > reader.size:
        found.has_trouble("it is cut off")
    at = 4
    for _ in range(min(int.from_bytes(table[:4], "big"), 256)):
        tag, length = int.from_bytes(table[at : at + 2], "big"), int.from_bytes(table[at + 2 : at + 4], "big")
        if tag in {0x0100, 0x0111} and length == 4 and (found.width is None or tag == 0x0111):
            found.height = int.from_bytes(table[at + 4 : at + 6], "big") or None
            found.width = int.from_bytes(table[at + 6 : at + 8], "big") or None
        at += 4 + length
    if not found.directories:
        raise FormatError("the JPEG in it has no Exif data")


def read_cr3(reader: Reader, found: Found) -> None:
    """Read Canon's format: ``CMT1`` holds the first directory, ``CMT2`` the Exif directory, ``CMT4`` the GPS directory.

    Raises:
        FormatError: Canon's box is not there.
    """
    parts = list(boxes(reader, 0, reader.size, _MOST_PARTS))
    if any(part.cut for part in parts):
        found.has_trouble("it is cut off")
    canon = find(reader, 0, reader.size, b"moov", _CANON_DATA)
    if canon is None:
        raise FormatError("it has no box with Canon's metadata")
    whole = Directories()
    for box in inside(reader, canon):
        if box.kind in _CANON_PARTS and box.length <= LONGEST_TEXT:
            found.allow(box.length)
            tiff = Tiff(Reader.of(reader.exactly(box.body, box.length, "metadata")))
            name, wanted = _CANON_PARTS[box.kind]
            setattr(whole, name, tiff.directory(tiff.first, wanted)[0])
            whole.little = tiff.little
    found.directories.append(whole)
    found.width, found.height = _raw_size([whole.image], whole)
    for box in parts:
        if box.kind == _CANON_XMP and box.length <= LONGEST_TEXT:
            found.add_xmp(reader.at(box.body, box.length))
