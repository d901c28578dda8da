"""Windows' descriptions of sound and pictures, which WAV, AVI, ASF and Matroska share: WAVEFORMATEX and
BITMAPINFOHEADER."""

from __future__ import annotations

from censusd.extractors.media.codecs import WINDOWS_AUDIO, WINDOWS_VIDEO, four, pcm
from censusd.extractors.media.facts import Track


def wave_format(track: Track, data: bytes) -> None:
    """Fill a track from a WAVEFORMATEX (mmreg.h)."""
    if len(data) < 14:
        return
    code = int.from_bytes(data[:2], "little")
    bits = int.from_bytes(data[14:16], "little")
    if code == 0xFFFE and len(data) >= 26:  # extensible: the format is the beginning of a GUID
        bits = int.from_bytes(data[18:20], "little") or bits
        code = int.from_bytes(data[24:26], "little")
    name = WINDOWS_AUDIO.get(code, f"0x{code:04x}")
    if name in {"pcm", "pcm_float"}:
        name = pcm(bits, floating=name == "pcm_float", unsigned=True)
        track.bits_per_sample = bits or None
    track.codec = name
    track.channels = int.from_bytes(data[2:4], "little") or None
    track.sample_rate = int.from_bytes(data[4:8], "little") or None
    track.bit_rate = int.from_bytes(data[8:12], "little") * 8 or None
    if name == "wmalossless":
        track.bits_per_sample = bits or None


def bitmap_header(track: Track, data: bytes) -> None:
    """Fill a track from a BITMAPINFOHEADER (wingdi.h); a negative height only says which line comes first."""
    if len(data) < 20:
        return
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (4, 8))
    if 0 < width <= 65_536 and 0 < abs(height) <= 65_536:
        track.width, track.height = width, abs(height)
    track.codec = video_codec(data[16:20])


def video_codec(code: bytes) -> str | None:
    """The codec that a four-character code of Windows means."""
    if code in {b"\0\0\0\0", b"\3\0\0\0"}:
        return "rawvideo"
    plain = four(code)
    return WINDOWS_VIDEO.get(plain, plain if plain.isprintable() and plain else None)
