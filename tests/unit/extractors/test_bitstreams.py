"""Headers of coded video and sound as encoders write them; what is expected is what ffprobe says of the stream."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.media import bitstreams, mpeg_audio
from censusd.extractors.media.facts import Track, TrackKind
from censusd.extractors.reading import FormatError

NTSC = 30_000 / 1001

# x264: profile, width, height, bits, interlaced, aspect, rate, primaries
AVC = {
    "67640028acd940780227e5c044000003000400000300c83c60c658": ("High", 1920, 1080, 8, False, "1", 25, None),
    "67640015acd9444fcb808800000300080000030190f8a14cb0": ("High", 64, 48, 8, True, "1", 25, None),
    "677a000ab6cd947279e5c05a808080a000007d20001d4c01e244b2c0": ("High 4:2:2", 100, 60, 10, False, "1", NTSC, 1),
    "67f4000a919b288f6022000003000200000300641e244b2c": ("High 4:4:4 Predictive", 64, 48, 8, False, "1", 25, None),
    "6742c00ad9047b011000000300100000030320f1226480": ("Constrained Baseline", 64, 48, 8, False, "1", 25, None),
    "674d401eeca05a0937fe0080005a20000003002000000641e2c5b2c0": ("Main", 720, 576, 8, False, "64/45", 25, None),
}
# x265: profile, width, height, bits, aspect, rate, transfer
HEVC = {
    "420101016000000300900000030000030078a003c08010e596566924caf0168080000003008000000c84": (
        *("Main", 1920, 1080, 8, "1", 25, None),
    ),
    "420101040800000300990800000300001eb03481077294a5959ae4caf016a122412080000003008000000c84": (
        *("Rext", 100, 60, 12, "1", 25, 18),
    ),
    "4201010408000003009e0800000300001e90041062cb2b35c995e02d0100000303e90000753008": (
        *("Rext", 64, 48, 8, "1", NTSC, None),
    ),
    "42010102200000030090000003000003001ea024839c92365990ab932bc39a020000030002000003007810": (
        *("Main 10", 66, 50, 10, "4/3", 60, None),
    ),
    "4201010408000003009fc800000300001ec08204165959a4932bc05a020000030002000003003210": (
        *("Rext", 64, 64, 8, "1", 25, None),
    ),
}


def video() -> Track:
    return Track(TrackKind.VIDEO)


@pytest.mark.parametrize("unit", AVC)
def test_reads_sequences_of_h264(unit: str) -> None:
    track = video()
    bitstreams.avc_sequence(track, bytes.fromhex(unit))
    profile, width, height, bits, interlaced, aspect, rate, primaries = AVC[unit]
    assert (track.profile, track.width, track.height, track.bit_depth) == (profile, width, height, bits)
    assert (track.interlaced, track.primaries) == (interlaced, primaries)
    assert Fraction(*(track.pixel_aspect or (1, 1))) == Fraction(aspect)
    assert track.frame_rate == pytest.approx(rate)


@pytest.mark.parametrize("unit", HEVC)
def test_reads_sequences_of_h265(unit: str) -> None:
    track = video()
    bitstreams.hevc_sequence(track, bytes.fromhex(unit))
    profile, width, height, bits, aspect, rate, transfer = HEVC[unit]
    assert (track.profile, track.width, track.height, track.bit_depth) == (profile, width, height, bits)
    assert (track.interlaced, track.transfer) == (False, transfer)
    assert Fraction(*(track.pixel_aspect or (1, 1))) == Fraction(aspect)
    assert track.frame_rate == pytest.approx(rate)


@given(data=st.binary(max_size=200), cut=st.integers(0, 40), unit=st.sampled_from([*AVC, *HEVC]))
def test_broken_sequences_end(data: bytes, cut: int, unit: str) -> None:
    for read in (bitstreams.avc_sequence, bitstreams.hevc_sequence):
        for each in (data, bytes.fromhex(unit)[:cut] + data):
            try:
                read(video(), each)
            except FormatError:
                continue


@pytest.mark.parametrize(
    ("config", "profile", "rate", "channels"),
    [
        ("1210", "LC", 44_100, 2),
        ("1208", "LC", 44_100, 1),
        ("11b0", "LC", 48_000, 6),
        ("2b11880000", "HE-AAC", 48_000, 2),
        ("eb098800", "HE-AACv2", 48_000, 2),
        ("f94644008000", "xHE-AAC", 48_000, 2),
    ],
)
def test_reads_configurations_of_aac(config: str, profile: str, rate: int, channels: int) -> None:
    track = Track(TrackKind.AUDIO)
    bitstreams.aac_config(track, bytes.fromhex(config))
    assert (track.profile, track.sample_rate, track.channels) == (profile, rate, channels)


@pytest.mark.parametrize(
    ("head", "codec", "length", "samples", "rate", "channels", "bit_rate"),
    [
        ("fffb9064000000", "mp3", 417, 1152, 44_100, 2, 128_000),
        ("fffb92c4000000", "mp3", 418, 1152, 44_100, 1, 128_000),
        ("fff384c4000000", "mp3", 192, 576, 24_000, 1, 64_000),
        ("ffe318c4000000", "mp3", 72, 576, 8_000, 1, 8_000),
        ("fffda400000000", "mp2", 576, 1152, 48_000, 2, 192_000),
        ("ffff8400000000", "mp1", 256, 384, 48_000, 2, 256_000),
        ("fff15080020ffc", "aac", 16, 1024, 44_100, 2, 0),
    ],
)
def test_reads_frames(
    head: str, codec: str, length: int, samples: int, rate: int, channels: int, bit_rate: int
) -> None:
    frame = mpeg_audio.frame(bytes.fromhex(head))
    assert frame is not None
    assert (frame.codec, frame.length, frame.samples) == (codec, length, samples)
    assert (frame.rate, frame.channels, frame.bit_rate) == (rate, channels, bit_rate)


@pytest.mark.parametrize(
    "head", ["fffbf064000000", "fffb0064000000", "fffb9c64000000", "ffeb9064000000", "fff9", "feff"]
)
def test_what_is_no_frame(head: str) -> None:
    assert mpeg_audio.frame(bytes.fromhex(head)) is None


def test_mpeg_2_says_its_shape_and_rate() -> None:
    track = video()
    # 720 x 576, 16:9, 25 a second, 16 Mbit/s; main profile, interlaced
    bitstreams.mpeg_sequence(track, bytes.fromhex("000001b32d0240332710e18000000001b5148200010000"))
    assert (track.codec, track.width, track.height, track.frame_rate) == ("mpeg2video", 720, 576, 25)
    assert (track.profile, track.interlaced, track.pixel_aspect) == ("Main", True, (16 * 576, 9 * 720))
    assert track.bit_rate == 16_001_200
