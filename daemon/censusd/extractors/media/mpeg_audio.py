"""MP3 and its kin: frames of MPEG audio (layers I to III) and of AAC in ADTS, with ID3 and APE tags around them.

Sources: ISO/IEC 11172-3 and 13818-3 (headers), 14496-3 1.A.2 (ADTS); Xing's and LAME's first frame and Fraunhofer's
VBRI are as those encoders write them. Where no such frame tells how many there are, some hundred frames in sixteen
places are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from censusd.extractors.media import ape, id3
from censusd.extractors.media.bitstreams import AAC_CHANNELS, AAC_PROFILES, AAC_RATES
from censusd.extractors.media.facts import Media, Track, TrackKind
from censusd.extractors.reading import FormatError, Reader

_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KILOBITS: Final = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (2.5 as 2) and layer as the header's bits have them."""
_SEARCH: Final = 131_072
"""Bytes in which a first frame must be found: some files have padding, or a second tag nobody knows, before it."""
_PAGE: Final = 16_384
_PLACES: Final = 16
_SHORT: Final = 524_288
_MOST_FRAMES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's header.

    Attributes:
        codec: ``mp1``, ``mp2``, ``mp3`` or ``aac``.
        length: bytes of the whole frame.
        samples: per channel.
        rate: hertz.
        channels: of sound.
        bit_rate: bits per second; 0 for AAC, whose frames do not say it.
        side: bytes of a layer III frame before its data, where the encoder's information may be.
        profile: of AAC.
        likeness: what all frames of a stream have in common.
    """

    codec: str
    length: int
    samples: int
    rate: int
    channels: int
    bit_rate: int = 0
    side: int = 0
    profile: str | None = None
    likeness: tuple[int, ...] = ()


def frame(head: bytes) -> Frame | None:
    """The frame that begins with these bytes (at least 7), or None."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return _adts(head)
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate_code, bits_code = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 0 or rate_code == 3 or bits_code in {0, 15}:
        return None
    rate = _RATES[version][rate_code]
    kilobits = _KILOBITS[3 if version == 3 else 2, layer][bits_code - 1]
    padding = head[2] >> 1 & 1
    mono = head[3] >> 6 == 3
    if layer == 3:
        samples, length = 384, (12 * kilobits * 1000 // rate + padding) * 4
    else:
        samples = 576 if layer == 1 and version != 3 else 1152
        length = samples // 8 * kilobits * 1000 // rate + padding
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return Frame(
        codec=f"mp{4 - layer}", length=length, samples=samples, rate=rate, channels=1 if mono else 2,
        bit_rate=kilobits * 1000, side=side, likeness=(version, layer, rate_code),
    )  # fmt: skip


def _adts(head: bytes) -> Frame | None:
    rate_code = head[2] >> 2 & 15
    channels = (head[2] & 1) << 2 | head[3] >> 6
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate_code >= len(AAC_RATES) or length < 8:
        return None
    kind = (head[2] >> 6) + 1
    return Frame(
        codec="aac", length=length, samples=1024 * ((head[6] & 3) + 1), rate=AAC_RATES[rate_code],
        channels=AAC_CHANNELS[channels], profile=AAC_PROFILES.get(kind), likeness=(kind, rate_code, channels),
    )  # fmt: skip


def first_frame(data: bytes, frames: int = 3) -> tuple[int, Frame] | None:
    """The first place in ``data`` where a frame begins that others follow, as far as there is data to see them."""
    at = data.find(0xFF)
    while at >= 0:
        found = frame(data[at : at + 7])
        if found and _followed(data, at, found, frames):
            return at, found
        at = data.find(0xFF, at + 1)
    return None


def _followed(data: bytes, at: int, first: Frame, frames: int) -> bool:
    one = first
    for seen in range(1, frames):
        at += one.length
        if at + 7 > len(data):
            return seen > 1 or at == len(data)
        following = frame(data[at : at + 7])
        if following is None or following.likeness != first.likeness:
            return False
        one = following
    return True


def parse(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a file of frames, with tags before and after.

    Raises:
        FormatError: there are none.
    """
    media.format, media.mime_type = "mp3", "audio/mpeg"
    start = 0
    for _ in range(8):
        length = id3.tag_length(reader, start)
        if not length:
            break
        id3.parse(reader, start, media)
        start += length
    end = reader.size
    if reader.at(end - 128, 3) == b"TAG":
        end -= 128
    end = ape.parse_tag(reader, end, media)
    id3.parse_version_1(reader, media)
    found = first_frame(reader.at(start, _PAGE)) or first_frame(reader.at(start, _SEARCH))
    if found is None:
        raise FormatError("no MPEG audio frames follow its tags")
    place, first = found
    start += place
    track = Track(
        TrackKind.AUDIO, codec=first.codec, sample_rate=first.rate, channels=first.channels, profile=first.profile
    )
    media.add_track(track)
    media.format = first.codec
    media.mime_type = "audio/aac" if first.codec == "aac" else "audio/mpeg"
    if not _counted(reader, start, end, first, media, track):
        _sampled(reader, start, end, first, media, track)
    track.duration, media.bit_rate = media.duration, track.bit_rate


def _counted(reader: Reader, start: int, end: int, first: Frame, media: Media, track: Track) -> bool:
    """What the encoder says in a first frame without sound; whether there is one."""
    data = reader.at(start, min(first.length, 2048))
    at = 4 + first.side
    frames = size = 0
    gap = 0
    if data[at : at + 4] in {b"Xing", b"Info"}:
        flags = int.from_bytes(data[at + 4 : at + 8], "big")
        constant = data[at : at + 4] == b"Info"
        frames = int.from_bytes(data[at + 8 : at + 12], "big") if flags & 1 else 0
        size = int.from_bytes(data[at + 12 : at + 16], "big") if flags & 1 and flags & 2 else 0
        lame = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
        encoder = data[lame : lame + 9].strip(b"\0 ")
        if encoder[:4].isalnum() and encoder.isascii():
            media.tags.add("encoder", encoder.decode())
            delay = int.from_bytes(data[lame + 21 : lame + 24], "big")
            gap = (delay >> 12) + (delay & 0xFFF)
    elif data[36:40] == b"VBRI":
        constant = False
        size, frames = int.from_bytes(data[46:50], "big"), int.from_bytes(data[50:54], "big")
    if not frames:
        return False
    samples = frames * first.samples
    media.duration = (samples - gap if gap < samples else samples) / first.rate
    media.facts["bit_rate_mode"] = "constant" if constant else "variable"
    track.bit_rate = round((size or end - start) * 8 * first.rate / samples)
    if size > end - start + 1024:
        media.trouble(f"the file has {end - start} bytes of sound, and its first frame says {size}: it was cut off")
    return True


def _sampled(reader: Reader, start: int, end: int, first: Frame, media: Media, track: Track) -> None:
    """A bit rate and the duration: of a short file from all of its frames, of a long one from frames here and there."""
    whole = end - start <= _SHORT
    samples = size = 0
    rates: set[int] = set()
    for place in range(1 if whole else _PLACES):
        at = start + (end - start) * place // _PLACES
        data = reader.at(at, min(_SHORT if whole else _PAGE, end - at))
        for one in _frames(data, first):
            samples, size = samples + one.samples, size + one.length
            rates.add(one.bit_rate)
    constant = len(rates) == 1 and first.bit_rate > 0
    track.bit_rate = first.bit_rate if constant else round(size * 8 * first.rate / samples) if samples else None
    if whole:
        media.duration = samples / first.rate
    elif track.bit_rate:
        media.duration = (end - start) * 8 / track.bit_rate
        media.estimated = not constant
    media.facts["bit_rate_mode"] = "constant" if constant else "variable"


def _frames(data: bytes, first: Frame) -> Iterator[Frame]:
    """Frames like the first that follow one another, from wherever they begin in ``data``."""
    found = first_frame(data)
    if found is None:
        return
    at, one = found
    for _ in range(_MOST_FRAMES):
        yield one
        at += one.length
        following = frame(data[at : at + 7])
        if following is None or following.likeness != first.likeness:
            return
        one = following
