"""Small pictures of every kind with metadata in the right places, written from the formats' descriptions.

They hold as much of a picture as says its size, so that ExifTool reads them as it reads real ones; only PNGs show
something. ``censusd`` has no writer of these formats, so what is tested with them is not tested against itself.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction


class Directory(dict[int, "Value"]):
    """A TIFF directory: tag -> value. Text is ASCII, bytes are UNDEFINED, a directory is a pointer to it."""


Value = int | str | bytes | Fraction | Directory | Sequence[int] | Sequence[Fraction] | Sequence[Directory]


def fractions(*values: str | int) -> list[Fraction]:
    """Some rationals."""
    return [Fraction(value) for value in values]


def tiff(*directories: Directory, order: str = "<", magic: bytes | None = None, gap: bytes = b"") -> bytes:
    """A TIFF of directories that follow each other (TIFF 6.0).

    Args:
        directories: the first is the picture's.
        order: ``<`` for Intel's, ``>`` for Motorola's.
        magic: the first four bytes, for formats that are TIFF in all but these.
        gap: what stands between the header and the first directory, as in CR2.
    """
    head = magic or (b"II*\0" if order == "<" else b"MM\0*")
    data = bytearray(head + struct.pack(order + "I", 8 + len(gap)) + gap)
    for number, directory in enumerate(directories):
        link = _add_directory(data, directory, order)
        if number + 1 < len(directories):
            data[link : link + 4] = struct.pack(order + "I", len(data))
    return bytes(data)


def _add_directory(data: bytearray, directory: Directory, order: str) -> int:
    """Append a directory and all that belongs to it; where the pointer to the next one stands."""
    start = len(data)
    link = start + 2 + 12 * len(directory)
    data += struct.pack(order + "H", len(directory)) + bytes(12 * len(directory) + 4)
    for number, (tag, value) in enumerate(sorted(directory.items())):
        kind, count, body = _encode(value, data, order)
        if len(body) > 4:
            place = len(data)
            data += body + b"\0" * (len(body) % 2)
            body = struct.pack(order + "I", place)
        at = start + 2 + 12 * number
        data[at : at + 12] = struct.pack(order + "HHI", tag, kind, count) + body.ljust(4, b"\0")
    return link


def _encode(value: Value, data: bytearray, order: str) -> tuple[int, int, bytes]:
    if isinstance(value, Directory):
        value = [value]
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return 2, len(text), text
    if isinstance(value, bytes):
        return 7, len(value), value
    if isinstance(value, (int, Fraction)):
        value = [value]  # type: ignore[assignment]
    assert isinstance(value, Sequence)
    if isinstance(value[0], Directory):
        places = []
        for each in value:
            places.append(len(data))
            _add_directory(data, each, order)  # type: ignore[arg-type]
        return 4, len(places), struct.pack(f"{order}{len(places)}I", *places)
    if isinstance(value[0], Fraction):
        signed = any(each < 0 for each in value)  # type: ignore[operator]
        pairs = [part for each in value for part in each.as_integer_ratio()]  # type: ignore[union-attr]
        return (10 if signed else 5), len(value), struct.pack(f"{order}{len(pairs)}{'i' if signed else 'I'}", *pairs)
    wide = any(each > 65_535 for each in value)  # type: ignore[operator]
    return (4 if wide else 3), len(value), struct.pack(f"{order}{len(value)}{'I' if wide else 'H'}", *value)


def camera(**changes: Value) -> Directory:
    """What a camera writes: the first directory, with those for Exif and GPS below it.

    Args:
        changes: more tags, or other values for them, as ``image_0x0132=...``, ``exif_0x9003=...``, ``gps_0x0001=...``.
    """
    exif = Directory(
        {
            0x829A: Fraction(1, 250),
            0x829D: Fraction(28, 10),
            0x8827: 400,
            0x9000: b"0232",
            0x9003: "2024:05:17 18:03:11",
            0x9011: "+02:00",
            0x9291: "250",
            0x9204: Fraction(-1, 3),
            0x9209: 0x19,
            0x920A: Fraction(35),
            0xA002: 64,
            0xA003: 48,
            0xA405: 52,
            0xA431: "0123456",
            0xA433: "Sample Optics",
            0xA434: "Sample 35mm f/1.8",
        }
    )
    gps = Directory(
        {
            0: b"\2\3\0\0",
            1: "S",
            2: fractions(33, 51, "2550/100"),
            3: "W",
            4: fractions(70, 30, 0),
            5: b"\0",
            6: Fraction(5205, 10),
            7: fractions(16, 3, "1125/100"),
            0x11: Fraction(2705, 10),
            0x1D: "2024:05:17",
        }
    )
    image = Directory(
        {0x010F: "Sample", 0x0110: "Sample X-1", 0x0112: 6, 0x0131: "Firmware 1.0", 0x0132: "2024:06:01 10:00:00"}
    )
    for name, value in changes.items():
        where, _, tag = name.partition("_")
        {"image": image, "exif": exif, "gps": gps}[where][int(tag, 16)] = value
    image[0x8769] = exif
    image[0x8825] = gps
    return image


def segment(marker: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def exif_segment(data: bytes) -> bytes:
    """The segment that holds Exif."""
    return segment(0xE1, b"Exif\0\0" + data)


def xmp_segment(packet: bytes) -> bytes:
    """The segment that holds XMP."""
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def iptc_segment(records: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The segment that holds IPTC, in one of Photoshop's image resources."""
    return segment(0xED, b"Photoshop 3.0\0" + image_resource(0x0404, iptc(records)))


def iptc(records: Sequence[tuple[int, int, bytes]]) -> bytes:
    """IPTC-IIM: record, data set, value."""
    return b"".join(
        struct.pack(">BBBH", 0x1C, record, dataset, len(value)) + value for record, dataset, value in records
    )


def image_resource(number: int, data: bytes) -> bytes:
    """One of Photoshop's image resources, without a name."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def jpeg(*segments: bytes, width: int = 64, height: int = 48) -> bytes:
    """A JPEG up to its picture, which is grey."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    tables = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\0" + bytes(15) + b"\1\0")
    scan = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\0"
    return b"".join([b"\xff\xd8", *segments, tables, segment(0xC0, frame), scan, b"\xff\xd9"])


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text_chunk(keyword: str, text: str) -> bytes:
    """A ``tEXt`` chunk, Latin-1 as it should be, or UTF-8 as it often is."""
    try:
        return chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return chunk(b"tEXt", keyword.encode() + b"\0" + text.encode())


def international_chunk(keyword: str, text: str, *, packed: bool = False) -> bytes:
    """An ``iTXt`` chunk."""
    body = zlib.compress(text.encode()) if packed else text.encode()
    return chunk(b"iTXt", keyword.encode() + b"\0" + (b"\1\0" if packed else b"\0\0") + b"\0\0" + body)


def png(*chunks: bytes, width: int = 64, height: int = 48, rows: bytes | None = None, colour: int = 2) -> bytes:
    """A PNG with chunks before its picture.

    Args:
        chunks: made by ``chunk``.
        width: pixels.
        height: pixels.
        rows: filtered rows; black if there are none.
        colour: 2 for red, green and blue, 6 for those and alpha.
    """
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    if rows is None:
        rows = bytes((1 + width * (3 if colour == 2 else 4)) * height)
    data = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(data)


def webp(*chunks: tuple[bytes, bytes], width: int = 64, height: int = 48) -> bytes:
    """A WebP in the extended format, with chunks behind its picture."""
    flags = sum({b"EXIF": 8, b"XMP ": 4, b"ANMF": 2}.get(kind, 0) for kind in {kind for kind, _ in chunks})
    extended = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    bits = (width - 1) | (height - 1) << 14
    parts = [(b"VP8X", extended), (b"VP8L", b"\x2f" + bits.to_bytes(4, "little") + bytes(5)), *chunks]
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif(*blocks: bytes, width: int = 64, height: int = 48, frames: int = 1, hundredths: int = 10) -> bytes:
    """A GIF of ``frames`` frames that show nothing."""
    control = b"\x21\xf9\4\0" + struct.pack("<H", hundredths) + b"\0\0"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x44\1\0"
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + bytes(6)
        + b"".join(blocks)
        + (control + frame) * frames
        + b"\x3b"
    )


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of the ISO base media file format."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version and flags."""
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *parts)


def heif(
    exif: bytes = b"",
    xmp: bytes = b"",
    *,
    brand: bytes = b"heic",
    size: tuple[int, int] = (64, 48),
    turns: bytes = b"",
    inside: bool = False,
) -> bytes:
    """A HEIC or AVIF: one picture, one thumbnail, Exif and XMP.

    Args:
        exif: a TIFF.
        xmp: an XMP packet.
        brand: what it says it is.
        size: width and height of the picture.
        turns: more of the picture's properties, ``irot`` and ``imir``, at most two.
        inside: whether the items stand in the list itself, in an ``idat`` box.
    """
    kind = b"av01" if brand == b"avif" else b"hvc1"
    items = [(1, kind, b"picture"), (2, b"Exif", b"\0\0\0\6Exif\0\0" + exif), (3, b"mime", xmp), (4, kind, b"small")]
    entries = [
        full_box(
            b"infe",
            struct.pack(">HH", number, 0),
            kind,
            b"\0",
            b"application/rdf+xml\0" if kind == b"mime" else b"",
            version=2,
        )
        for number, kind, _ in items
    ]
    sizes = [full_box(b"ispe", struct.pack(">II", *each)) for each in ((16, 12), size)]
    more = turns.count(b"irot") + turns.count(b"imir")
    used = struct.pack(">I", 2) + b"\0\1" + bytes([1 + more, 0x82, *range(0x83, 0x83 + more)]) + b"\0\4\1\1"
    properties = box(b"iprp", box(b"ipco", *sizes, turns), full_box(b"ipma", used))

    def meta(start: int) -> bytes:
        places, at = b"", 0 if inside else start
        for number, _, data in items:
            method = struct.pack(">H", 1) if inside else b""
            places += struct.pack(">H", number) + method + struct.pack(">HHII", 0, 1, at, len(data))
            at += len(data)
        return full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(">H", 1)),
            full_box(b"iloc", b"\x44\0", struct.pack(">H", len(items)), places, version=1 if inside else 0),
            full_box(b"iinf", struct.pack(">H", len(items)), *entries),
            properties,
            box(b"idat", contents) if inside else b"",
        )

    contents = b"".join(data for _, _, data in items)
    head = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + (b"" if inside else box(b"mdat", contents))


def cr3(image: Directory, exif: Directory, gps: Directory, xmp: bytes) -> bytes:
    """A Canon CR3 without its pictures."""
    parts = [box(kind, tiff(each)) for kind, each in ((b"CMT1", image), (b"CMT2", exif), (b"CMT4", gps))]
    canon = box(b"uuid", bytes.fromhex("85c0b687820f11e08111f4ce462b6a48"), *parts)
    packet = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), xmp)
    head = box(b"ftyp", b"crx ", b"\0\0\0\1", b"crx isom")
    return head + box(b"moov", canon) + packet + box(b"mdat", bytes(16))


def raf(preview: bytes, width: int, height: int) -> bytes:
    """A Fujifilm RAF without its sensor's data."""
    table = struct.pack(">I", 1) + struct.pack(">HHHH", 0x0111, 4, height, width)
    head = b"FUJIFILMCCD-RAW 0201FF383501" + b"Sample".ljust(32, b"\0") + b"0100" + bytes(20)
    offsets = struct.pack(">IIIIII", 160, len(preview), 160 + len(preview), len(table), 0, 0)
    return (head + offsets).ljust(160, b"\0") + preview + table


def xmp(attributes: Mapping[str, str] | None = None, elements: str = "", *, padding: bool = True) -> bytes:
    """An XMP packet.

    Args:
        attributes: simple properties, by their usual prefixes, as attributes.
        elements: more properties, as XML.
        padding: whether it has the white space that lets programs edit it in place.
    """
    spaces = {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "exifEX": "http://cipa.jp/exif/1.0/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "aux": "http://ns.adobe.com/exif/1.0/aux/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "digiKam": "http://www.digikam.org/ns/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
        "GCamera": "http://ns.google.com/photos/1.0/camera/",
    }
    declared = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in spaces.items())
    given = " ".join(f'{name}="{value}"' for name, value in (attributes or {}).items())
    body = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {declared}><rdf:Description rdf:about="" {given}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>'
        f'{" " * 2048 if padding else ""}<?xpacket end="w"?>'
    )
    return body.encode()


def rdf_list(name: str, kind: str, *values: str) -> str:
    """A property with a list of values: a ``Bag``, a ``Seq`` or, of one text in languages, an ``Alt``."""
    items = "".join(
        f"<rdf:li{' xml:lang=' + chr(34) + 'x-default' + chr(34) if kind == 'Alt' else ''}>{each}</rdf:li>"
        for each in values
    )
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def user_comment(text: str, encoding: str = "utf-16-be") -> bytes:
    """A UserComment as the web UIs write it, big-endian whatever the file's order is."""
    return b"UNICODE\0" + text.encode(encoding)


def stealth_png(text: str, *, mode: str = "alpha", packed: bool = True, width: int = 64, height: int = 256) -> bytes:
    """A PNG with a text in the lowest bits of its pixels, each row filtered in another way."""
    data = gzip.compress(text.encode()) if packed else text.encode()
    mark = f"stealth_{'png' if mode == 'alpha' else 'rgb'}{'comp' if packed else 'info'}"
    payload = mark.encode() + struct.pack(">I", len(data) * 8) + data
    bits = [byte >> shift & 1 for byte in payload for shift in range(7, -1, -1)]
    places = (3,) if mode == "alpha" else (0, 1, 2)
    assert len(bits) <= width * height * len(places)
    pixels = [[bytearray((x * 7 & 255, y * 5 & 255, (x * y) & 255, 255)) for x in range(width)] for y in range(height)]
    for number, bit in enumerate(bits):
        pixel, channel = divmod(number, len(places))
        x, y = divmod(pixel, height)
        value = pixels[y][x]
        value[places[channel]] = value[places[channel]] & 0xFE | bit
    rows, above = b"", bytes(width * 4)
    for y, row in enumerate(pixels):
        plain = b"".join(map(bytes, row))
        rows += bytes([y % 5]) + _filtered(plain, above, y % 5)
        above = plain
    return png(rows=rows, width=width, height=height, colour=6)


def _filtered(row: bytes, above: bytes, kind: int) -> bytes:
    """A row as PNG's filters leave it (9.2)."""
    result = bytearray()
    for at, value in enumerate(row):
        left = row[at - 4] if at >= 4 else 0
        up, corner = above[at], above[at - 4] if at >= 4 else 0
        paeth = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
        guess = (0, left, up, (left + up) // 2, paeth)[kind]
        result.append((value - guess) & 0xFF)
    return bytes(result)
