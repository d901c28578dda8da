"""What an MP4 says of a track's codec: the sample description and the boxes inside it.

Sources: ISO/IEC 14496-12 8.5.2, 14496-15 (AVC, HEVC), Apple's QuickTime File Format (sound descriptions 0, 1 and 2),
the bindings of AV1, VP9, Opus, FLAC, ALAC and AC-3 to ISO base media files, and Dolby Vision's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from censusd.extractors.boxes import Box, body, boxes, find, inside
from censusd.extractors.media import bitstreams
from censusd.extractors.media.codecs import MP4, MP4_PRORES, MPEG4_OBJECTS, four, pcm
from censusd.extractors.media.facts import Track, TrackKind
from censusd.extractors.reading import FormatError, Reader

LONGEST: Final = 65_536
"""Bytes of a codec's own configuration."""


def describe(reader: Reader, entry: Box, track: Track) -> None:
    """Fill a track from its first sample entry."""
    kind = entry.kind
    if kind in {b"encv", b"enca", b"enct", b"drms", b"drmi", b"aavd", b"p608"}:
        track.encrypted = True
        kind = _original(reader, entry, track) or kind
    code = four(kind)
    track.codec = MP4.get(code)
    if track.kind is TrackKind.AUDIO:
        _sound(reader, entry, track, kind)
    elif track.kind is TrackKind.VIDEO:
        _picture(reader, entry, track, code)
    elif track.kind is TrackKind.SUBTITLE and kind == b"text":
        track.codec = "text"
    if track.codec is None and track.kind is not TrackKind.DATA:
        track.codec = code if code.isprintable() and code else None


def _original(reader: Reader, entry: Box, track: Track) -> bytes | None:
    """What an encrypted track is, when it is not (ISO/IEC 14496-12, 8.12)."""
    start = entry.body + (28 if track.kind is TrackKind.AUDIO else 78)
    box = find(reader, start, entry.end, b"sinf", b"frma")
    return reader.at(box.body, 4) if box else None


def _sound(reader: Reader, entry: Box, track: Track, kind: bytes) -> None:
    data = body(reader, entry, 72).ljust(72, b"\0")
    version = int.from_bytes(data[8:10], "big")
    track.channels = int.from_bytes(data[16:18], "big") or None
    bits = int.from_bytes(data[18:20], "big")
    track.sample_rate = int.from_bytes(data[24:26], "big") or None
    start = 28
    if version == 1:
        start = 44
    elif version == 2:
        rate = struct.unpack(">d", data[32:40])[0]
        track.sample_rate = int(rate) if 0 < rate < 1e7 else None
        track.channels = int.from_bytes(data[40:44], "big") or None
        bits = int.from_bytes(data[48:52], "big")
        flags = int.from_bytes(data[52:56], "big")
        start = 64
        if kind == b"lpcm":
            track.codec = pcm(bits, big=bool(flags & 2), floating=bool(flags & 1), unsigned=not flags & 4)
    if track.codec and track.codec.startswith("pcm"):
        track.bits_per_sample = {"in24": 24, "in32": 32, "fl32": 32, "fl64": 64}.get(four(kind), bits) or None
        if kind == b"raw ":
            track.codec = "pcm_u8"
    for box in boxes(reader, entry.body + start, entry.end):
        _sound_box(reader, box, track)
        if box.kind == b"wave":
            for inner in inside(reader, box):
                _sound_box(reader, inner, track)
    if kind == b"raw ":
        track.codec = "pcm_u8" if bits <= 8 else pcm(bits, big=True)


def _sound_box(reader: Reader, box: Box, track: Track) -> None:
    if box.kind == b"esds":
        _elementary(track, body(reader, box, LONGEST))
    elif box.kind == b"btrt":
        _bit_rates(track, body(reader, box, 12))
    elif box.kind == b"alac" and box.length >= 28:
        data = body(reader, box, 36)[4:]
        track.bits_per_sample, track.channels = data[5], data[9]
        track.sample_rate = int.from_bytes(data[20:24], "big") or track.sample_rate
    elif box.kind == b"dfLa" and box.length >= 42:
        bits = int.from_bytes(reader.at(box.body + 18, 8), "big")
        track.sample_rate, track.channels = bits >> 44, (bits >> 41 & 7) + 1
        track.bits_per_sample = (bits >> 36 & 31) + 1
    elif box.kind == b"dOps" and box.length >= 11:
        track.channels, track.sample_rate = reader.at(box.body + 1, 1)[0], 48_000
    elif box.kind == b"dac3" and box.length >= 3:
        bits = int.from_bytes(reader.at(box.body, 3), "big")
        track.channels = (2, 1, 2, 3, 3, 4, 4, 5)[bits >> 11 & 7] + (bits >> 10 & 1)
    elif box.kind == b"dec3" and box.length >= 5:
        bits = int.from_bytes(reader.at(box.body, 5), "big")
        track.bit_rate = (bits >> 27) * 1000 or track.bit_rate
        track.channels = (2, 1, 2, 3, 3, 4, 4, 5)[bits >> 9 & 7] + (bits >> 8 & 1)


def _elementary(track: Track, data: bytes) -> None:
    """An ``esds`` box: descriptors of ISO/IEC 14496-1, 7.2.6, of which two matter."""
    at = 4
    end = len(data)
    for _ in range(8):
        tag, at, length = _descriptor(data, at)
        if tag == 3:
            flags = data[at + 2] if at + 2 < end else 0
            at += 3 + (2 if flags & 0x80 else 0)
            if flags & 0x40:
                at += 1 + (data[at] if at < end else 0)
            at += 2 if flags & 0x20 else 0
        elif tag == 4:
            if at + 13 > end:
                return
            track.codec = MPEG4_OBJECTS.get(data[at], track.codec)
            track.bit_rate = int.from_bytes(data[at + 9 : at + 13], "big") or track.bit_rate
            at += 13
        elif tag == 5:
            if track.codec == "aac":
                bitstreams.aac_config(track, data[at : at + length])
            return
        else:
            at += length
        if at >= end:
            return


def _descriptor(data: bytes, at: int) -> tuple[int, int, int]:
    """A descriptor's tag, where its body begins, and its length, which is written seven bits a byte."""
    tag = data[at] if at < len(data) else 0
    at, length = at + 1, 0
    for _ in range(4):
        byte = data[at] if at < len(data) else 0
        at, length = at + 1, length << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return tag, at, length


def _bit_rates(track: Track, data: bytes) -> None:
    if track.bit_rate is None and len(data) == 12:
        track.bit_rate = int.from_bytes(data[8:12], "big") or None


def _picture(reader: Reader, entry: Box, track: Track, code: str) -> None:
    data = body(reader, entry, 78).ljust(78, b"\0")
    track.width = int.from_bytes(data[24:26], "big") or None
    track.height = int.from_bytes(data[26:28], "big") or None
    track.profile = MP4_PRORES.get(code)
    for box in boxes(reader, entry.body + 78, entry.end):
        try:
            _picture_box(reader, box, track)
        except (FormatError, IndexError):
            continue  # a codec's header that is odd says nothing about the rest


def _picture_box(reader: Reader, box: Box, track: Track) -> None:
    data = body(reader, box, LONGEST)
    if box.kind in _RECORDS:
        _RECORDS[box.kind](track, data)
    elif box.kind in {b"dvcC", b"dvvC", b"dvwC"} and len(data) >= 3:
        track.dolby_vision = data[2] >> 1
    elif box.kind in {b"mdcv", b"SmDm"}:
        track.mastering = True
    elif box.kind in {b"clli", b"CoLL"}:
        _light(track, data[4:] if box.kind == b"CoLL" else data)
    elif box.kind == b"fiel" and data:
        track.interlaced = data[0] == 2


def _light(track: Track, data: bytes) -> None:
    """Content light levels, in nits."""
    if len(data) >= 4:
        track.max_cll, track.max_fall = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")


def _shape(track: Track, data: bytes) -> None:
    wide, high = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    track.pixel_aspect = (wide, high) if wide and high else None


def _colours(track: Track, data: bytes) -> None:
    """A ``colr`` box: nclx and QuickTime's nclc have H.273's codes; the container's word counts, not the codec's."""
    if data[:4] in {b"nclx", b"nclc"} and len(data) >= 10:
        track.primaries = track.transfer = track.matrix = None
        primaries, transfer, matrix = (int.from_bytes(data[at : at + 2], "big") for at in (4, 6, 8))
        full = bool(data[10] & 0x80) if data[:4] == b"nclx" and len(data) > 10 else None
        bitstreams.colours(track, primaries, transfer, matrix, full=full)


def _vp9_record(track: Track, data: bytes) -> None:
    """A VPCodecConfigurationRecord (VP Codec ISO Media File Format Binding 1.0)."""
    if len(data) >= 10:
        track.profile, track.bit_depth = f"Profile {data[4]}", data[6] >> 4
        bitstreams.colours(track, data[7], data[8], data[9], full=bool(data[6] & 1))


def avc_record(track: Track, data: bytes) -> None:
    """An AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3): the first sequence parameter set in it."""
    if len(data) > 8 and data[5] & 31:
        length = int.from_bytes(data[6:8], "big")
        bitstreams.avc_sequence(track, data[8 : 8 + length])


def hevc_record(track: Track, data: bytes) -> None:
    """An HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3): the first sequence parameter set in it."""
    if len(data) < 23:
        return
    track.profile = bitstreams.HEVC_PROFILES.get(data[1] & 31)
    track.bit_depth = (data[17] & 7) + 8
    at = 23
    for _ in range(data[22]):
        kind, count = data[at] & 63, int.from_bytes(data[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            length = int.from_bytes(data[at : at + 2], "big")
            if kind == 33:
                bitstreams.hevc_sequence(track, data[at + 2 : at + 2 + length])
                return
            at += 2 + length
            if at >= len(data):
                return


def av1_record(track: Track, data: bytes) -> None:
    """An AV1CodecConfigurationRecord (AV1 Codec ISO Media File Format Binding, 2.3.3)."""
    if len(data) >= 3:
        track.profile = {0: "Main", 1: "High", 2: "Professional"}.get(data[1] >> 5)
        track.bit_depth = (12 if data[2] & 0x20 else 10) if data[2] & 0x40 else 8


_RECORDS: Final[dict[bytes, Callable[[Track, bytes], None]]] = {
    b"avcC": avc_record,
    b"hvcC": hevc_record,
    b"lhvC": hevc_record,
    b"av1C": av1_record,
    b"vpcC": _vp9_record,
    b"esds": _elementary,
    b"btrt": _bit_rates,
    b"pasp": _shape,
    b"colr": _colours,
}
