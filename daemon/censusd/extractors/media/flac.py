"""FLAC: metadata blocks (RFC 9639, section 8)."""

from __future__ import annotations

from typing import Final

from censusd.extractors.media import id3, vorbis
from censusd.extractors.media.facts import MOST_CHAPTERS, Chapter, Media, Track, TrackKind
from censusd.extractors.reading import FormatError, Reader

_MOST_BLOCKS: Final = 1_000


def parse(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a FLAC file, which may begin with an ID3 tag.

    Raises:
        FormatError: it is none, or has no stream information.
    """
    media.format, media.mime_type = "flac", "audio/flac"
    at = id3.tag_length(reader, 0)
    if at:
        id3.parse(reader, 0, media)
    if reader.at(at, 4) != b"fLaC":
        raise FormatError("it does not begin as FLAC does")
    track = Track(TrackKind.AUDIO, codec="flac")
    media.add_track(track)
    at += 4
    for _ in range(_MOST_BLOCKS):
        head = reader.exactly(at, 4, "metadata")
        kind, length, at = head[0] & 127, int.from_bytes(head[1:], "big"), at + 4
        if at + length > reader.size:
            media.trouble("the file ends within its metadata")
        if kind == 0:
            stream_information(reader.exactly(at, 34, "stream information"), track)
            media.duration = track.duration
        elif kind == 4:
            vorbis.parse(reader, at, min(at + length, reader.size), media)
        elif kind == 5:
            media.set_chapters(_cue_sheet(reader.at(at, length), track.sample_rate or 0), "cue sheet")
        elif kind == 6:
            media.has_cover = media.has_cover or length > 32
        at += length
        if head[0] & 128 or at >= reader.size:
            break
    if track.duration:
        track.bit_rate = round(max(reader.size - at, 0) * 8 / track.duration)


def stream_information(data: bytes, track: Track) -> None:
    """Fill a track from a STREAMINFO block.

    Raises:
        FormatError: it is too short.
    """
    if len(data) < 18:
        raise FormatError("its FLAC stream information is too short")
    bits = int.from_bytes(data[10:18], "big")
    track.sample_rate = bits >> 44 or None
    track.channels, track.bits_per_sample = (bits >> 41 & 7) + 1, (bits >> 36 & 31) + 1
    samples = bits & (1 << 36) - 1
    if track.sample_rate and samples:
        track.duration = samples / track.sample_rate


def _cue_sheet(data: bytes, rate: int) -> list[Chapter]:
    """A CUESHEET block: 396 bytes, then tracks of 36 bytes, each with index points of 12."""
    chapters: list[Chapter] = []
    at = 396
    for _ in range(data[395] if len(data) > 395 else 0):
        if at + 36 > len(data) or not rate or len(chapters) >= MOST_CHAPTERS:
            break
        offset, number, points = int.from_bytes(data[at : at + 8], "big"), data[at + 8], data[at + 35]
        first = {
            data[row + 8]: int.from_bytes(data[row : row + 8], "big")
            for row in range(at + 36, min(at + 36 + 12 * points, len(data) - 11), 12)
        }
        if number not in {170, 255}:
            chapters.append(Chapter((offset + first.get(1, 0)) / rate, f"Track {number}"))
        at += 36 + 12 * points
    return chapters
