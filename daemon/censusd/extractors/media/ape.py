"""APE tags, and the two formats that use nothing else: Monkey's Audio and WavPack.

Sources: the APEv2 specification of the Hydrogenaudio wiki, the WavPack 5 file format, Monkey's Audio's ``APEHeader.h``.
"""

from __future__ import annotations

from typing import Final

from censusd.extractors.media.facts import LONGEST_VALUE, Media, Track, TrackKind
from censusd.extractors.media.tags import add_free
from censusd.extractors.reading import FormatError, Reader

_LONGEST_TAG: Final = 16 << 20
_MOST_ITEMS: Final = 1_000
_WAVPACK_RATES: Final = (
    6000, 8000, 9600, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000, 192000, 0,
)  # fmt: skip


def parse_tag(reader: Reader, end: int, media: Media) -> int:
    """Fill ``media`` from the APE tag that ends at ``end``; where it begins, or ``end`` if there is none."""
    foot = reader.at(end - 32, 32)
    if foot[:8] != b"APETAGEX":
        return end
    size, count = int.from_bytes(foot[12:16], "little"), int.from_bytes(foot[16:20], "little")
    flags = int.from_bytes(foot[20:24], "little")
    start = end - size
    if size < 32 or start < 0 or size > _LONGEST_TAG:
        media.trouble("its APE tag says that it is longer than the file, or than any tag")
        return end - 32
    at = start
    for _ in range(min(count, _MOST_ITEMS)):
        head = reader.at(at, 8 + 256)
        name, _, _ = head[8:].partition(b"\0")
        length, kind = int.from_bytes(head[:4], "little"), head[4] >> 1 & 3 if len(head) > 4 else 0
        body = at + 8 + len(name) + 1
        if len(name) < 2 or body + length > end - 32:
            break
        label = name.decode("latin-1")
        if kind == 1 and label.lower().startswith("cover art"):
            media.has_cover = True
        elif kind == 0:
            text = reader.at(body, min(length, 4 * LONGEST_VALUE)).decode("utf-8", "replace")
            for value in text.split("\0"):
                add_free(media.tags, label, value)
        at = body + length
    return start - 32 if flags & 0x8000_0000 else start


def parse_wavpack(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a WavPack file.

    Raises:
        FormatError: its first block is not one.
    """
    media.format, media.mime_type = "wavpack", "audio/x-wavpack"
    head = reader.exactly(0, 32, "first block")
    flags = int.from_bytes(head[24:28], "little")
    total = int.from_bytes(head[12:16], "little") | head[11] << 32
    rate = _WAVPACK_RATES[flags >> 23 & 15]
    track = Track(TrackKind.AUDIO, codec="wavpack", sample_rate=rate or None, channels=1 if flags & 4 else 2)
    track.bits_per_sample = ((flags & 3) + 1) * 8 - (flags >> 13 & 31)
    media.facts["lossless"] = not flags & 8
    _wavpack_blocks(reader, int.from_bytes(head[4:8], "little") + 8, track)
    if track.sample_rate and total & 0xFFFF_FFFF != 0xFFFF_FFFF:
        media.duration = track.duration = total / track.sample_rate
    media.add_track(track)
    parse_tag(reader, reader.size, media)


def _wavpack_blocks(reader: Reader, length: int, track: Track) -> None:
    """The channels and the sample rate that do not fit into the first block's header."""
    at = 32
    for _ in range(64):
        head = reader.at(at, 4)
        if len(head) < 2 or at >= length:
            return
        kind, used = head[0], 2
        size = head[1] * 2
        if kind & 0x80 and len(head) == 4:
            size, used = int.from_bytes(head[1:4], "little") * 2, 4
        data = reader.at(at + used, min(size, 8))
        if kind & 0x3F == 0x0D and data:
            track.channels = data[0] or track.channels
        elif kind & 0x3F == 0x27 and len(data) >= 3:
            track.sample_rate = int.from_bytes(data[:3], "little") or track.sample_rate
        at += used + size


def parse_monkey(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a file of Monkey's Audio, version 3.98 or later.

    Raises:
        FormatError: it is older, or no such file.
    """
    media.format, media.mime_type = "ape", "audio/x-ape"
    parse_tag(reader, reader.size, media)
    head = reader.exactly(0, 76, "header")
    if int.from_bytes(head[4:6], "little") < 3980:
        raise FormatError("it was made by Monkey's Audio before 3.98, whose header is another one")
    start = int.from_bytes(head[8:12], "little")
    data = reader.exactly(start, 24, "header")
    per_frame, last, frames = (int.from_bytes(data[at : at + 4], "little") for at in (4, 8, 12))
    rate = int.from_bytes(data[20:24], "little")
    track = Track(TrackKind.AUDIO, codec="ape", sample_rate=rate or None)
    track.bits_per_sample, track.channels = int.from_bytes(data[16:18], "little"), int.from_bytes(data[18:20], "little")
    if rate and frames:
        media.duration = track.duration = ((frames - 1) * per_frame + last) / rate
    media.add_track(track)
