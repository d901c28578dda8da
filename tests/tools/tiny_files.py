"""Small, real files of the kinds people keep, made with the standard library alone and the same on every run.

Each function returns the bytes of one file that ordinary programs open: the pictures show something, the sound plays,
the archives unpack, and the metadata is where the format's own readers look for it.
"""

from __future__ import annotations

import io
import json
import math
import struct
import wave
import zipfile
import zlib
from collections.abc import Mapping
from random import Random
from xml.sax.saxutils import escape

Picture = list[list[tuple[int, int, int]]]
"""Rows of red, green and blue, 0 to 255 each."""


def landscape(random: Random, columns: int = 40, rows: int = 30) -> Picture:
    """A sky, a sun and two ranges of hills."""
    sky, ground = [random.randrange(90, 230) for _ in range(3)], [random.randrange(20, 120) for _ in range(3)]
    sun = (random.uniform(0.1, 0.9) * columns, random.uniform(0.1, 0.4) * rows)
    waves = [(random.uniform(0.08, 0.3), random.uniform(0, 6), height) for height in (0.55, 0.75)]

    def colour(x: int, y: int) -> tuple[int, int, int]:
        hills = sum(y > rows * (height + 0.1 * math.sin(x * pitch + phase)) for pitch, phase, height in waves)
        if hills:
            red, green, blue = (value // hills for value in ground)
        elif math.dist((x, y), sun) < rows / 9:
            return 255, 240, 190
        else:
            red, green, blue = (min(255, value + 2 * y) for value in sky)
        return red, green, blue

    return [[colour(x, y) for x in range(columns)] for y in range(rows)]


def png(picture: Picture, text: Mapping[str, str] | None = None, scale: int = 4) -> bytes:
    """A PNG of ``scale`` pixels to a cell, with ``text`` in iTXt chunks (PNG specification, third edition)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(picture[0]) * scale, len(picture) * scale, 8, 2, 0, 0, 0)
    lines = [b"\0" + b"".join(bytes(cell) * scale for cell in row) for row in picture for _ in range(scale)]
    words = [key.encode() + b"\0\0\0\0\0" + value.encode() for key, value in (text or {}).items()]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            chunk(b"IHDR", header),
            *(chunk(b"iTXt", word) for word in words),
            chunk(b"IDAT", zlib.compress(b"".join(lines), 9)),
            chunk(b"IEND", b""),
        ]
    )


def jpeg(picture: Picture, make: str, model: str, taken: str) -> bytes:
    """A baseline JPEG (ITU-T T.81) of 8 by 8 pixels to a cell, with Exif metadata.

    A cell of one colour has nothing but its DC coefficient, so each block is one Huffman-coded difference and an
    end-of-block; that takes the simplest of tables and no cosine.

    Args:
        picture: what it shows.
        make: the camera's maker.
        model: the camera's model.
        taken: when, as ``2024:05:17 18:03:11``.
    """

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    quantize_by = 8  # the DC coefficient is eight times the value, so this leaves the value itself
    categories, category_bits = bytes(range(12)), 4  # twelve codes of four bits, in order
    bits: list[str] = []
    last = [0, 0, 0]
    for red, green, blue in (cell for row in picture for cell in row):
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        values = (round(luma - 128), round(0.564 * (blue - luma)), round(0.713 * (red - luma)))
        for channel, value in enumerate(values):
            difference, last[channel] = value - last[channel], value
            size = abs(difference).bit_length()
            bits.append(f"{size:0{category_bits}b}")
            if size:
                bits.append(f"{difference if difference > 0 else difference + 2**size - 1:0{size}b}")
            bits.append("0")  # end of block, the only code of the AC table
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    scan = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")

    components = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    frame = struct.pack(">BHHB", 8, len(picture) * 8, len(picture[0]) * 8, 3) + components
    selectors = b"".join(bytes((number, 0x00)) for number in (1, 2, 3))
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xE1, b"Exif\0\0" + _exif(make, model, taken)),
            segment(0xDB, b"\0" + bytes([quantize_by] * 64)),
            segment(0xC0, frame),
            segment(0xC4, b"\x00" + bytes([0, 0, 0, len(categories)]) + bytes(12) + categories),
            segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + b"\0"),
            segment(0xDA, b"\x03" + selectors + b"\x00\x3f\x00"),
            scan,
            b"\xff\xd9",
        ]
    )


def _exif(make: str, model: str, taken: str) -> bytes:
    """The camera and the time, as TIFF (Exif 2.3, JEITA CP-3451C): one directory, and a second one for the time."""

    def directory(start: int, texts: Mapping[int, str], pointer_tag: int | None) -> bytes:
        count = len(texts) + (pointer_tag is not None)
        data_at = start + 2 + count * 12 + 4
        entries, data = b"", b""
        for tag, text in sorted(texts.items()):
            value = text.encode("ascii") + b"\0"
            value += b"\0" * max(0, 5 - len(value))  # four bytes or fewer would have to stand in the entry itself
            entries += struct.pack("<HHII", tag, 2, len(value), data_at + len(data))
            data += value + b"\0" * (len(value) % 2)
        if pointer_tag is not None:
            entries += struct.pack("<HHII", pointer_tag, 4, 1, data_at + len(data))
        return struct.pack("<H", count) + entries + bytes(4) + data

    camera = directory(8, {0x010F: make, 0x0110: model, 0x0132: taken}, 0x8769)
    return b"II*\0" + struct.pack("<I", 8) + camera + directory(8 + len(camera), {0x9003: taken}, None)


def mp3(title: str, artist: str, album: str, track: int, year: int, seconds: float = 1.0) -> bytes:
    """Silence, 32 kbit/s mono (ISO 11172-3: all-zero side information decodes to zeros), with ID3v2.3 tags."""

    def frame(name: bytes, text: str) -> bytes:
        data = b"\x01" + text.encode("utf-16")
        return name + struct.pack(">IH", len(data), 0) + data

    values = {b"TIT2": title, b"TPE1": artist, b"TALB": album, b"TRCK": str(track), b"TYER": str(year)}
    tags = b"".join(frame(name, text) for name, text in values.items())
    size = bytes(len(tags) >> shift & 0x7F for shift in (21, 14, 7, 0))
    silence = b"\xff\xfb\x10\xc4".ljust(144 * 32_000 // 44_100, b"\0")
    return b"ID3\x03\0\0" + size + tags + silence * round(seconds * 44_100 / 1152)


def wav(pitch: float, seconds: float = 0.5, rate: int = 8000) -> bytes:
    """A soft tone of ``pitch`` hertz."""
    samples = [round(8000 * math.sin(2 * math.pi * pitch * n / rate)) for n in range(int(seconds * rate))]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return buffer.getvalue()


def pdf(title: str, author: str) -> bytes:
    """One page that says its title (ISO 32000-1, PDF 1.4)."""

    def text(value: str) -> bytes:
        return b"<FEFF" + value.encode("utf-16-be").hex().encode() + b">"

    words = "".join(letter if letter.isascii() and letter not in "()\\" else "?" for letter in title)
    resources = b"<< /Font << /F 5 0 R >> >>"
    page = f"BT /F 24 Tf 72 720 Td ({words}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources %s >>" % resources,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title %s /Author %s >>" % (text(title), text(author)),
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + trailer


def archive(members: Mapping[str, bytes | str]) -> bytes:
    """A ZIP of ``members`` in their order; the first is stored as it is, as EPUB wants its ``mimetype``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number, (name, data) in enumerate(members.items()):
            # An explicit entry has a fixed date, so the bytes are the same on every run.
            target.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED if number else zipfile.ZIP_STORED)
    return buffer.getvalue()


def cbz(series: str, number: int, year: int, writer: str, pages: list[bytes]) -> bytes:
    """A comic: PNG pages, and ComicInfo.xml as comic readers write it."""
    fields = {"Series": series, "Number": number, "Year": year, "Writer": writer, "PageCount": len(pages)}
    info = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in fields.items())
    names = {f"page {index:02}.png": page for index, page in enumerate(pages, start=1)}
    return archive(names | {"ComicInfo.xml": f'<?xml version="1.0" encoding="utf-8"?><ComicInfo>{info}</ComicInfo>'})


def epub(title: str, author: str, language: str, cover: bytes) -> bytes:
    """A book of one chapter (EPUB 3.3)."""
    title, author = escape(title), escape(author)
    page = '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">{}</html>'
    names = "urn:oasis:names:tc:opendocument:xmlns:container"
    head = f"<head><title>{title}</title></head>"
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'<container xmlns="{names}" version="1.0">'
            '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
            "</container>",
            "book.opf": '<package version="3.0" unique-identifier="id" xmlns="http://www.idpf.org/2007/opf">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f'<dc:identifier id="id">urn:censusd:{title}</dc:identifier><dc:title>{title}</dc:title>'
            f"<dc:creator>{author}</dc:creator><dc:language>{language}</dc:language>"
            '<meta property="dcterms:modified">2024-01-01T00:00:00Z</meta></metadata><manifest>'
            '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
            '<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="cover" href="cover.png" media-type="image/png" properties="cover-image"/>'
            '</manifest><spine><itemref idref="one"/></spine></package>',
            "nav.xhtml": page.format(
                f'{head}<body><nav epub:type="toc"><ol><li><a href="one.xhtml">{title}</a></li></ol></nav></body>'
            ),
            "one.xhtml": page.format(f"{head}<body><h1>{title}</h1><p>{author}</p></body>"),
            "cover.png": cover,
        }
    )


def generation(prompt: str, seed: int) -> dict[str, str]:
    """What an image generator writes into its PNG: the parameters in words, as AUTOMATIC1111's web UI does."""
    settings = f"Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: {seed}, Size: 160x120, Model: dreamworks_v4"
    return {"parameters": f"{prompt}\nNegative prompt: blurry, extra fingers\n{settings}"}


def workflow(prompt: str, seed: int) -> dict[str, str]:
    """The same, as ComfyUI does: its graph of nodes, as JSON."""
    model = {"ckpt_name": "dreamworks_v4.safetensors"}
    sampler = {"seed": seed, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "model": ["1", 0], "positive": ["2", 0]}
    nodes = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": model},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["1", 1]}},
        "3": {"class_type": "KSampler", "inputs": sampler},
    }
    return {"prompt": json.dumps(nodes)}
