"""The few headers of coded video and sound that say what a container leaves out.

AVC and HEVC sequence parameter sets (ITU-T H.264 7.3.2.1, H.265 7.3.2.2), MPEG-1/2 sequence headers (ISO/IEC 13818-2
6.2.2), AAC's AudioSpecificConfig and ADTS (ISO/IEC 14496-3 1.6.2, 1.A.2), AC-3 and E-AC-3 (ETSI TS 102 366).
"""

from __future__ import annotations

from typing import Final

from censusd.extractors.media.facts import Track
from censusd.extractors.reading import FormatError

LONGEST_SET: Final = 4_096
"""Bytes of a parameter set that are looked at."""
MOST_CODE: Final = 1 << 31

AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_CHANNELS: Final = (0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8)
AAC_PROFILES: Final = {
    1: "Main", 2: "LC", 3: "SSR", 4: "LTP", 5: "HE-AAC", 23: "LD", 29: "HE-AACv2", 39: "ELD", 42: "xHE-AAC",
}  # fmt: skip
H264_PROFILES: Final = {
    66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2",
    244: "High 4:4:4 Predictive", 44: "CAVLC 4:4:4", 118: "Multiview High", 128: "Stereo High",
}  # fmt: skip
HEVC_PROFILES: Final = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Rext"}
_ASPECTS: Final = (
    (0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11),
    (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
_MPEG_RATES: Final = (0.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)
_MPEG_SHAPES: Final = {2: (4, 3), 3: (16, 9), 4: (221, 100)}


class Bits:
    """Reads bits, the highest first."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number.

        Raises:
            FormatError: there are not so many.
        """
        self._left -= count
        if self._left < 0:
            raise FormatError("a codec header ends too early")
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.take(1) == 1

    def golomb(self) -> int:
        """An Exp-Golomb code, ``ue(v)`` of H.264."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise FormatError("a codec header is not one")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb code, ``se(v)``."""
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def avc_sequence(track: Track, unit: bytes) -> None:
    """Fill a track from a sequence parameter set of H.264, with its header byte."""
    bits = Bits(_plain(unit[1:LONGEST_SET]))
    profile, constraints = bits.take(8), bits.take(8)
    bits.take(8)
    bits.golomb()
    track.profile = H264_PROFILES.get(profile)
    if profile == 66 and constraints & 0x40:
        track.profile = "Constrained Baseline"
    chroma, separate, depth = 1, False, 8
    if profile in {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}:
        chroma = bits.golomb()
        separate = chroma == 3 and bits.flag()
        depth = 8 + bits.golomb()
        bits.golomb()
        bits.flag()
        if bits.flag():
            for index in range(12 if chroma == 3 else 8):
                if bits.flag():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()
    _skip_picture_order(bits)
    bits.golomb()
    bits.flag()
    width, height = (bits.golomb() + 1) * 16, (bits.golomb() + 1) * 16
    frames_only = bits.flag()
    fields = 1 if frames_only else 2
    if not frames_only:
        bits.flag()
    bits.flag()
    left = right = top = bottom = 0
    if bits.flag():
        left, right, top, bottom = (bits.golomb() for _ in range(4))
    wide, high = (1, 1) if separate or chroma in {0, 3} else (2, 2 if chroma == 1 else 1)
    _size(track, width - (left + right) * wide, height * fields - (top + bottom) * high * fields)
    track.bit_depth, track.interlaced = depth, not frames_only
    if bits.flag():
        _usability(track, bits)
        if bits.flag():
            units, scale = bits.take(32), bits.take(32)
            _rate(track, scale, units * 2)


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed() + 256) % 256
        last = following or last


def _skip_picture_order(bits: Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()


def _usability(track: Track, bits: Bits) -> None:
    """The part of the video usability information that AVC and HEVC have in common (annex E)."""
    if bits.flag():
        code = bits.take(8)
        shape = (bits.take(16), bits.take(16)) if code == 255 else _ASPECTS[code] if code < len(_ASPECTS) else (0, 0)
        if all(shape) and track.pixel_aspect is None:
            track.pixel_aspect = shape
    if bits.flag():
        bits.flag()
    if bits.flag():
        bits.take(3)
        full = bits.flag()
        if bits.flag():
            colours(track, bits.take(8), bits.take(8), bits.take(8), full=full)
    if bits.flag():
        bits.golomb()
        bits.golomb()


def hevc_sequence(track: Track, unit: bytes) -> None:
    """Fill a track from a sequence parameter set of H.265, with its two header bytes."""
    bits = Bits(_plain(unit[2:LONGEST_SET]))
    bits.take(4)
    layers = bits.take(3)
    bits.flag()
    bits.take(3)
    track.profile = HEVC_PROFILES.get(bits.take(5))
    bits.take(32 + 48 + 8)
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 if profile else 0)
        bits.take(8 if level else 0)
    bits.golomb()
    chroma = bits.golomb()
    if chroma == 3:
        bits.flag()
    width, height = bits.golomb(), bits.golomb()
    left = right = top = bottom = 0
    if bits.flag():
        left, right, top, bottom = (bits.golomb() for _ in range(4))
    wide, high = (2 if chroma in {1, 2} else 1), (2 if chroma == 1 else 1)
    _size(track, width - (left + right) * wide, height - (top + bottom) * high)
    track.bit_depth = 8 + bits.golomb()
    bits.golomb()
    _hevc_rest(track, bits, layers)


def _hevc_rest(track: Track, bits: Bits, layers: int) -> None:
    """From ``log2_max_pic_order_cnt_lsb_minus4`` to the usability information."""
    order = bits.golomb() + 4
    for _ in range(layers + 1 if bits.flag() else 1):
        _golombs(bits, 3)
    _golombs(bits, 6)
    if bits.flag() and bits.flag():
        for size in range(4):
            for _ in range(2 if size == 3 else 6):
                if not bits.flag():
                    bits.golomb()
                else:
                    if size > 1:
                        bits.signed()
                    _golombs(bits, min(64, 1 << (4 + (size << 1))))
    bits.take(2)
    if bits.flag():
        bits.take(8)
        _golombs(bits, 2)
        bits.flag()
    if not _skip_reference_sets(bits):
        return
    if bits.flag():
        for _ in range(min(bits.golomb(), 32)):
            bits.take(min(order, 16) + 1)
    bits.take(2)
    if bits.flag():
        _usability(track, bits)
        _hevc_timing(track, bits)


def _hevc_timing(track: Track, bits: Bits) -> None:
    bits.take(1)
    track.interlaced = bits.flag()
    bits.take(1)
    if bits.flag():
        _golombs(bits, 4)
    if bits.flag():
        units, scale = bits.take(32), bits.take(32)
        _rate(track, scale, units)


def _skip_reference_sets(bits: Bits) -> bool:
    """The short-term reference picture sets (7.3.7); False if they are of a kind that is not worth following."""
    sets = bits.golomb()
    if sets > 64:
        return False
    deltas = 0
    for index in range(sets):
        if index and bits.flag():
            bits.flag()
            bits.golomb()
            kept = 0
            for _ in range(deltas + 1):
                used = bits.flag()
                kept += used or bits.flag()
            deltas = kept
        else:
            before, after = bits.golomb(), bits.golomb()
            deltas = before + after
            if deltas > 32:
                return False
            for _ in range(deltas):
                bits.golomb()
                bits.flag()
    return True


def mpeg_sequence(track: Track, data: bytes) -> None:
    """Fill a track from a sequence header of MPEG-1 or MPEG-2 video, from its start code on."""
    bits = Bits(data[4:12].ljust(8, b"\0"))
    width, height, shape, rate = bits.take(12), bits.take(12), bits.take(4), bits.take(4)
    bit_rate = bits.take(18)
    _size(track, width, height)
    second = data.find(b"\0\0\1\xb5", 12)
    if second >= 0 and data[second + 4 : second + 5] and data[second + 4] >> 4 == 1:
        track.codec = "mpeg2video"
        bits = Bits(data[second + 4 : second + 10].ljust(6, b"\0"))
        bits.take(4)
        track.profile = {1: "High", 4: "Main", 5: "Simple"}.get(bits.take(8) >> 4 & 7)
        track.interlaced = not bits.flag()
        if shape in _MPEG_SHAPES and height:
            wide, high = _MPEG_SHAPES[shape]
            track.pixel_aspect = (wide * height, high * width)
    else:
        track.codec = "mpeg1video"
    if 0 < rate < len(_MPEG_RATES):
        track.frame_rate = _MPEG_RATES[rate]
    if 0 < bit_rate < 0x3FFFF:
        track.bit_rate = bit_rate * 400


def aac_config(track: Track, data: bytes) -> None:
    """Fill a track from an AudioSpecificConfig."""
    bits = Bits(data[:64])
    kind, rate, channels = _aac_object(bits), _aac_rate(bits), bits.take(4)
    track.profile = AAC_PROFILES.get(kind)
    if kind in {5, 29}:
        rate = _aac_rate(bits)
    if rate:
        track.sample_rate = rate
    if kind == 29:
        track.channels = 2
    elif channels < len(AAC_CHANNELS) and AAC_CHANNELS[channels]:
        track.channels = AAC_CHANNELS[channels]


def _aac_object(bits: Bits) -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == 31 else kind


def _aac_rate(bits: Bits) -> int:
    code = bits.take(4)
    if code == 15:
        return bits.take(24)
    return AAC_RATES[code] if code < len(AAC_RATES) else 0


def colours(track: Track, primaries: int, transfer: int, matrix: int, *, full: bool | None = None) -> None:
    """Note H.273 codes, if they say anything (2 says that nobody knows) and nothing was said before."""
    if track.primaries is None and primaries not in {0, 2}:
        track.primaries = primaries
    if track.transfer is None and transfer not in {0, 2}:
        track.transfer = transfer
    if track.matrix is None and matrix != 2:
        track.matrix = matrix
    if track.full_range is None:
        track.full_range = full


def _plain(unit: bytes) -> bytes:
    """A network abstraction layer unit without the bytes that keep start codes out of it."""
    return unit.replace(b"\0\0\3", b"\0\0")


def _size(track: Track, width: int, height: int) -> None:
    if track.width is None and 0 < width <= 65_536 and 0 < height <= 65_536:
        track.width, track.height = width, height


def _rate(track: Track, scale: int, units: int) -> None:
    if track.frame_rate is None and units and 0.1 <= scale / units <= 1000:
        track.frame_rate = scale / units


def _golombs(bits: Bits, count: int) -> None:
    for _ in range(count):
        bits.golomb()
