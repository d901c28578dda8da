"""Tracks of Matroska and WebM (RFC 9559, 5.1.4), with what their codecs' own headers add."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from censusd.extractors.media import bitstreams, mp4_codecs, riff_codecs
from censusd.extractors.media.codecs import MATROSKA, MP4, four, pcm
from censusd.extractors.media.ebml import Element, elements, number, real, text
from censusd.extractors.media.facts import Track, TrackKind
from censusd.extractors.reading import FormatError, Reader

_KINDS: Final = {1: TrackKind.VIDEO, 2: TrackKind.AUDIO, 17: TrackKind.SUBTITLE}
_LONGEST: Final = 65_536
_DOLBY_VISION: Final = (int.from_bytes(b"dvcC", "big"), int.from_bytes(b"dvvC", "big"), int.from_bytes(b"dvwC", "big"))


def track(reader: Reader, entry: Element, *, web: bool) -> tuple[int, Track]:
    """A track with its unique number.

    A language that is not written is English, says the RFC; who writes WebM does not know that.
    """
    found = Track(TrackKind.DATA, default=True, language=None if web else "eng")
    uid = 0
    codec, private = "", b""
    for part in elements(reader, entry.body, entry.end, 500):
        if part.id == 0x83:
            found.kind = _KINDS.get(number(reader, part), TrackKind.DATA)
        elif part.id == 0x73C5:
            uid = number(reader, part)
        elif part.id == 0x86:
            codec = text(reader, part)
        elif part.id == 0x63A2:
            private = reader.at(part.body, min(part.length, _LONGEST))
        elif part.id == 0x22B59D:
            found.language = text(reader, part)[:64] or found.language
        elif part.id == 0x22B59C and found.language in {None, "eng"}:
            found.language = text(reader, part)[:64] or None
        else:
            _field(reader, part, found)
    _codec(found, codec, private)
    return uid, found


def _field(reader: Reader, part: Element, found: Track) -> None:
    if part.id == 0x536E:
        found.title = text(reader, part)[:500] or None
    elif part.id == 0x88:
        found.default = bool(number(reader, part))
    elif part.id == 0x55AA:
        found.forced = bool(number(reader, part))
    elif part.id == 0x23E383:
        each = number(reader, part)
        found.frame_rate = 1e9 / each if 1_000_000 <= each <= 20_000_000_000 else None
    elif part.id == 0xE0:
        _video(reader, part, found)
    elif part.id == 0xE1:
        _audio(reader, part, found)
    elif part.id == 0x41E4:
        _addition(reader, part, found)
    elif part.id == 0x6D80:
        for encoding in elements(reader, part.body, part.end, 20):
            if encoding.id == 0x6240:
                inner = elements(reader, encoding.body, encoding.end, 20)
                found.encrypted = found.encrypted or any(each.id == 0x5035 for each in inner)


def _video(reader: Reader, video: Element, found: Track) -> None:
    shown = {0x54B0: 0, 0x54BA: 0, 0x54B2: 0}
    for part in elements(reader, video.body, video.end, 100):
        if part.id == 0xB0:
            found.width = number(reader, part) or None
        elif part.id == 0xBA:
            found.height = number(reader, part) or None
        elif part.id in shown:
            shown[part.id] = number(reader, part)
        elif part.id == 0x9A:
            found.interlaced = {1: True, 2: False}.get(number(reader, part))
        elif part.id == 0x55B0:
            _colour(reader, part, found)
        elif part.id == 0x7670:
            found.rotation = _roll(reader, part)
    width, height, unit = shown.values()
    if unit in {0, 3} and width and height and found.width and found.height:
        found.pixel_aspect = (width * found.height, height * found.width)


def _roll(reader: Reader, projection: Element) -> int | None:
    """A projection's roll, which is counter-clockwise, as degrees clockwise."""
    for part in elements(reader, projection.body, projection.end, 20):
        if part.id == 0x7675:
            degrees = round(-real(reader, part)) % 360
            return degrees if degrees % 90 == 0 else None
    return None


def _colour(reader: Reader, colour: Element, found: Track) -> None:
    codes = {part.id: part for part in elements(reader, colour.body, colour.end, 50)}
    primaries, transfer, matrix, spread = (
        number(reader, codes[key]) if key in codes else 2 for key in (0x55BB, 0x55BA, 0x55B1, 0x55B9)
    )
    bitstreams.colours(
        found, primaries, transfer, matrix, full={1: False, 2: True}.get(spread if 0x55B9 in codes else 0)
    )
    found.mastering = 0x55D0 in codes
    found.max_cll = number(reader, codes[0x55BC]) if 0x55BC in codes else None
    found.max_fall = number(reader, codes[0x55BD]) if 0x55BD in codes else None
    if 0x55B2 in codes:
        found.bit_depth = number(reader, codes[0x55B2]) or None


def _audio(reader: Reader, audio: Element, found: Track) -> None:
    found.channels = 1
    rate, played = 8000.0, 0.0
    for part in elements(reader, audio.body, audio.end, 50):
        if part.id == 0xB5:
            rate = real(reader, part)
        elif part.id == 0x78B5:
            played = real(reader, part)
        elif part.id == 0x9F:
            found.channels = number(reader, part) or None
        elif part.id == 0x6264:
            found.bits_per_sample = number(reader, part) or None
    found.sample_rate = round(played or rate) or None


def _addition(reader: Reader, mapping: Element, found: Track) -> None:
    """What is added to each block: Dolby Vision's configuration."""
    kind, data = 0, b""
    for part in elements(reader, mapping.body, mapping.end, 20):
        if part.id == 0x41E7:
            kind = number(reader, part)
        elif part.id == 0x41ED:
            data = reader.at(part.body, min(part.length, 32))
    if kind in _DOLBY_VISION and len(data) >= 3:
        found.dolby_vision = data[2] >> 1


def _codec(found: Track, codec: str, private: bytes) -> None:
    """Name the codec, and read its own header."""
    found.codec = MATROSKA.get(codec) or MATROSKA.get(codec.upper())
    with suppress(FormatError, IndexError):
        if codec == "V_MS/VFW/FOURCC":
            riff_codecs.bitmap_header(found, private)
        elif codec == "V_QUICKTIME":
            found.codec = MP4.get(four(private[4:8]), four(private[4:8]))
        elif codec == "A_MS/ACM":
            riff_codecs.wave_format(found, private)
        elif codec.startswith("A_PCM/"):
            found.codec = pcm(found.bits_per_sample, big="BIG" in codec, floating="FLOAT" in codec, unsigned=True)
        elif found.codec == "h264":
            mp4_codecs.avc_record(found, private)
        elif found.codec == "hevc":
            mp4_codecs.hevc_record(found, private)
        elif found.codec == "av1":
            mp4_codecs.av1_record(found, private)
        elif found.codec == "aac" and private:
            bitstreams.aac_config(found, private)
    if found.codec is None and codec:
        found.codec = codec.partition("_")[2].lower()[:40] or codec[:40]
