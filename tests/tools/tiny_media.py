"""Files of sound and moving pictures, made byte by byte, so that a test says what is in them and what is wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence

MP3_FRAME = b"\xff\xfb\x90\xc0" + bytes(413)
"""A frame of MPEG-1 layer III at 128 kbit/s and 44.1 kHz, mono, without sound: 417 bytes, 1152 samples."""
TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def mp3(tag: bytes = b"", frames: int = 38, after: bytes = b"") -> bytes:
    """An MP3 of about a second."""
    return tag + MP3_FRAME * frames + after


def syncsafe(number: int) -> bytes:
    """A number in four bytes of seven bits."""
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def frame(name: str, body: bytes, version: int = 4, flags: int = 0) -> bytes:
    """A frame of ID3 2.3 or 2.4."""
    length = syncsafe(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name.encode() + length + flags.to_bytes(2, "big") + body


def text_frame(name: str, *values: str, version: int = 4, encoding: int = 3) -> bytes:
    """A frame with one or more texts."""
    coding, stop = {0: ("latin-1", b"\0"), 1: ("utf-16", b"\0\0"), 2: ("utf-16-be", b"\0\0"), 3: ("utf-8", b"\0")}[
        encoding
    ]
    return frame(name, bytes([encoding]) + stop.join(value.encode(coding) for value in values), version)


def own_frame(label: str, *values: str, version: int = 4) -> bytes:
    """A TXXX frame."""
    return text_frame("TXXX", label, *values, version=version)


def chapter_frame(start: int, end: int, title: str, version: int = 4) -> bytes:
    """A CHAP frame; milliseconds."""
    times = struct.pack(">IIII", start, end, 0xFFFFFFFF, 0xFFFFFFFF)
    return frame("CHAP", f"c{start}".encode() + b"\0" + times + text_frame("TIT2", title, version=version), version)


def id3(*frames: bytes, version: int = 4, flags: int = 0) -> bytes:
    """An ID3 tag."""
    body = b"".join(frames)
    if flags & 0x80 and version < 4:
        body = body.replace(b"\xff", b"\xff\0")
    return b"ID3" + bytes([version, 0, flags]) + syncsafe(len(body)) + body


def id3v1(title: str, artist: str, album: str, year: str, track: int, genre: int) -> bytes:
    """An ID3v1.1 tag."""
    texts = struct.pack("30s30s30s4s28s", *(text.encode("latin-1") for text in (title, artist, album, year, "")))
    return b"TAG" + texts + bytes([0, track, genre])


def ape_tag(items: dict[str, bytes]) -> bytes:
    """An APEv2 tag with its footer only."""
    body = b"".join(struct.pack("<II", len(value), 0) + key.encode() + b"\0" + value for key, value in items.items())
    return body + b"APETAGEX" + struct.pack("<IIII8x", 2000, len(body) + 32, len(items), 0)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of MP4."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def item(kind: str, *values: str) -> bytes:
    """An item of iTunes' list with texts."""
    return box(kind.encode("latin-1"), *(box(b"data", struct.pack(">II", 1, 0), value.encode()) for value in values))


def own_item(name: str, *values: str) -> bytes:
    """An item with a name of one's own."""
    head = box(b"mean", bytes(4), b"com.apple.iTunes") + box(b"name", bytes(4), name.encode())
    return box(b"----", head, *(box(b"data", struct.pack(">II", 1, 0), value.encode()) for value in values))


def number_item(kind: str, data: bytes) -> bytes:
    """An item with a number in bytes."""
    return box(kind.encode("latin-1"), box(b"data", struct.pack(">II", 21, 0), data))


def itunes(*items: bytes) -> bytes:
    """User data with iTunes' list."""
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    return box(b"udta", box(b"meta", bytes(4), handler, box(b"ilst", *items)))


def sound_entry(kind: bytes = b"mp4a", channels: int = 2, rate: int = 44_100, *inner: bytes) -> bytes:
    """A sample entry for sound."""
    return box(kind, bytes(6), b"\0\1", bytes(8), struct.pack(">HHHHI", channels, 16, 0, 0, rate << 16), *inner)


def picture_entry(kind: bytes, width: int, height: int, *inner: bytes) -> bytes:
    """A sample entry for pictures."""
    size = struct.pack(">HH", width, height)
    return box(kind, bytes(6), b"\0\1", bytes(16), size, bytes(50), *inner)


def track(
    number: int,
    handler: bytes,
    entry: bytes,
    *,
    seconds: float = 60,
    samples: int = 0,
    turn: int = 0,
    more: bytes = b"",
) -> bytes:
    """A track with a timescale of 1000 and no samples."""
    a, b, c, d = (value << 16 for value in TURNS[turn])
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    header = box(
        b"tkhd", b"\0\0\0\1", struct.pack(">III4xI", 0, 0, number, int(seconds * 1000)), bytes(16), matrix, bytes(8)
    )
    times = box(b"mdhd", bytes(12), struct.pack(">II", 1000, int(seconds * 1000)), b"\x15\xc7\0\0")
    tables = box(b"stsd", bytes(4), b"\0\0\0\1", entry) + box(b"stsz", bytes(8), struct.pack(">I", samples))
    media = box(b"mdia", times, box(b"hdlr", bytes(8), handler, bytes(13)), box(b"minf", box(b"stbl", tables)))
    return box(b"trak", header, media, more)


def movie(*parts: bytes, brand: bytes = b"M4B ", seconds: float = 60, made: int = 0, data: bytes = b"") -> bytes:
    """A file with a movie box of these parts, tracks and user data."""
    times = box(b"mvhd", bytes(4), struct.pack(">IIII", made, made, 1000, int(seconds * 1000)), bytes(80))
    return box(b"ftyp", brand, bytes(4)) + box(b"moov", times, *parts) + box(b"mdat", data)


def comments(*lines: str) -> bytes:
    """A block of Vorbis comments."""
    encoded = [line.encode() for line in lines]
    body = b"".join(struct.pack("<I", len(line)) + line for line in encoded)
    return struct.pack("<I", 4) + b"tiny" + struct.pack("<I", len(lines)) + body


def flac(*blocks: tuple[int, bytes], rate: int = 44_100, seconds: float = 60) -> bytes:
    """A FLAC file of metadata blocks, in stereo and 16 bits, without sound."""
    bits = rate << 44 | 1 << 41 | 15 << 36 | int(rate * seconds)
    stream = bytes(10) + bits.to_bytes(8, "big") + bytes(16)
    all_blocks = [(0, stream), *blocks]
    data = b"fLaC"
    for index, (kind, body) in enumerate(all_blocks):
        last = 128 if index == len(all_blocks) - 1 else 0
        data += bytes([kind | last]) + len(body).to_bytes(3, "big") + body
    return data


def ebml(number: int, *parts: bytes) -> bytes:
    """An element of EBML, its length in eight bytes."""
    body = b"".join(parts)
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + b"\1" + len(body).to_bytes(7, "big") + body


def matroska(*parts: bytes, kind: bytes = b"matroska") -> bytes:
    """A file with a segment of these parts."""
    return ebml(0x1A45DFA3, ebml(0x4282, kind)) + ebml(0x18538067, *parts)


def chunk(kind: bytes, *parts: bytes) -> bytes:
    """A chunk of RIFF."""
    body = b"".join(parts)
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def wave(*chunks: bytes, rate: int = 8_000, samples: int = 8_000) -> bytes:
    """A WAV file of 8-bit mono, with more chunks behind its sound."""
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, rate, 1, 8))
    return chunk(b"RIFF", b"WAVE", form, chunk(b"data", bytes(samples)), *chunks)


def mutations(data: bytes, patches: Sequence[bytes], step: int) -> list[bytes]:
    """The file with each patch written over it at every ``step`` bytes."""
    return [data[:at] + patch + data[at + len(patch) :] for at in range(0, len(data), step) for patch in patches]
