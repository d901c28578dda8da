"""Chapters of an MP4: Nero's list, and QuickTime's track of texts.

Sources: Apple's QuickTime File Format (chapter lists, sample tables); Nero's ``chpl`` is as mp4v2 and ffmpeg write it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from censusd.extractors.boxes import Box, body, find, inside
from censusd.extractors.media.facts import MOST_CHAPTERS, Chapter, Media
from censusd.extractors.media.tags import decode_text, decode_utf16
from censusd.extractors.reading import Reader

_TABLE: Final = 16 + 16 * MOST_CHAPTERS
"""Bytes of a table that are read: enough for as many samples as are kept."""


def from_list(reader: Reader, box: Box, media: Media) -> None:
    """Chapters from a ``chpl`` box: times in units of 100 ns, titles of up to 255 bytes."""
    data = body(reader, box, 1 << 20)
    at = 8 if data[:1] == b"\1" else 4
    count = data[at] if at < len(data) else 0
    at += 1
    chapters = []
    for _ in range(count):
        if at + 9 > len(data):
            break
        start, length = int.from_bytes(data[at : at + 8], "big"), data[at + 8]
        chapters.append(Chapter(start / 1e7, decode_text(data[at + 9 : at + 9 + length]).strip("\0 ") or None))
        at += 9 + length
    media.set_chapters(chapters, "mp4 list")


def from_track(reader: Reader, trak: Box, media: Media) -> None:
    """Chapters from a track whose samples are their titles, and last as long as they do."""
    times = find(reader, trak.body, trak.end, b"mdia", b"mdhd")
    table = find(reader, trak.body, trak.end, b"mdia", b"minf", b"stbl")
    if not times or not table:
        return
    at = 20 if reader.at(times.body, 1) == b"\1" else 12
    timescale = int.from_bytes(reader.at(times.body + at, 4), "big")
    tables = {box.kind: body(reader, box, _TABLE) for box in inside(reader, table) if box.kind != b"stsd"}
    if not timescale or b"stsz" not in tables:
        return
    count = int.from_bytes(tables[b"stsz"][8:12], "big")
    chapters, ticks = [], 0
    rows = zip(_durations(tables.get(b"stts", b"")), _places(tables), strict=False)
    for duration, (place, length) in islice(rows, MOST_CHAPTERS):
        end = ticks + duration
        chapters.append(Chapter(ticks / timescale, _title(reader.at(place, min(length, 1024))), end / timescale))
        ticks = end
    # iTunes closes the list with a chapter of no length and no name.
    if chapters and chapters[-1].title is None and chapters[-1].end == chapters[-1].start:
        chapters.pop()
    media.set_chapters(chapters, "mp4 track", min(count, 1_000_000) if count > MOST_CHAPTERS else None)


def _durations(table: bytes) -> Iterator[int]:
    """How long each sample lasts (``stts``)."""
    for at in range(8, min(len(table), 8 + 8 * int.from_bytes(table[4:8], "big")) - 7, 8):
        count, duration = int.from_bytes(table[at : at + 4], "big"), int.from_bytes(table[at + 4 : at + 8], "big")
        for _ in range(min(count, MOST_CHAPTERS)):
            yield duration


def _lengths(table: bytes) -> Iterator[int]:
    """How long each sample is in bytes (``stsz``)."""
    same, count = int.from_bytes(table[4:8], "big"), int.from_bytes(table[8:12], "big")
    for index in range(min(count, MOST_CHAPTERS)):
        yield same or int.from_bytes(table[12 + 4 * index : 16 + 4 * index], "big")


def _places(tables: dict[bytes, bytes]) -> Iterator[tuple[int, int]]:
    """Where each sample is in the file, and how long (``stco`` or ``co64``, ``stsc``, ``stsz``)."""
    wide = b"co64" in tables
    chunks = tables.get(b"co64") or tables.get(b"stco", b"")
    groups = tables.get(b"stsc", b"")
    lengths = _lengths(tables[b"stsz"])
    width = 8 if wide else 4
    group, per_chunk = 8, 1
    for index in range(min(int.from_bytes(chunks[4:8], "big"), MOST_CHAPTERS)):
        if int.from_bytes(groups[group : group + 4], "big") == index + 1:
            per_chunk = int.from_bytes(groups[group + 4 : group + 8], "big")
            group += 12
        place = int.from_bytes(chunks[8 + width * index : 8 + width * (index + 1)], "big")
        for length in islice(lengths, per_chunk):
            yield place, length
            place += length


def _title(sample: bytes) -> str | None:
    """A text sample: a length of two bytes, then UTF-8, or UTF-16 with a byte order mark."""
    text = sample[2 : 2 + int.from_bytes(sample[:2], "big")]
    plain = decode_utf16(text) if text[:2] in {b"\xfe\xff", b"\xff\xfe"} else decode_text(text)
    return plain.strip("\0 ") or None
