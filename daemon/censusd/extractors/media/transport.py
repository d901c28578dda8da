"""MPEG transport streams (TS, M2TS of cameras and Blu-ray discs) and programme streams (MPG, VOB).

Source: ISO/IEC 13818-1. The beginning says what streams there are and holds their headers; the difference between the
first and the last time stamps is the duration.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from censusd.extractors.media import bitstreams, mpeg_audio
from censusd.extractors.media.codecs import BLU_RAY, REGISTERED, TRANSPORT
from censusd.extractors.media.facts import Media, Track, TrackKind
from censusd.extractors.reading import FormatError, Reader

HEAD: Final = 4 << 20
"""Bytes at the beginning that are looked through for tables and headers."""
TAIL: Final = 1 << 19
_ENOUGH: Final = {TrackKind.VIDEO: 65_536, TrackKind.AUDIO: 4_096}
"""Bytes of one stream that are kept to find its header in."""
_AC3_RATES: Final = (48_000, 44_100, 32_000)
_AC3_CHANNELS: Final = (2, 1, 2, 3, 3, 4, 4, 5)
_SUBTITLES: Final = frozenset(
    ("hdmv_pgs_subtitle", "hdmv_text_subtitle", "dvb_subtitle", "dvb_teletext", "dvd_subtitle")
)
_SOUNDS: Final = frozenset(
    ("mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "opus", "s302m", "pcm_bluray", "pcm_dvd")
)
_CLOCK: Final = 90_000
_WRAP: Final = 1 << 33
_SLOWEST: Final = 8_000
"""Bits per second below which there is neither sound nor picture."""


def packet_size(head: bytes) -> tuple[int, int] | None:
    """A transport stream's packet size and where its first packet begins, by the sync bytes; None if it is none."""
    for size, before in ((188, 0), (192, 4), (204, 0)):
        signs = head[before : before + 16 * size : size]
        if len(signs) >= 4 and not signs.strip(b"G"):
            return size, before
    return None


class _Transport:
    """What is known of a transport stream while it is read."""

    def __init__(self) -> None:
        self.programmes: set[int] = set()
        self.tracks: dict[int, Track] = {}
        self.data: dict[int, bytearray] = {}
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}

    def complete(self) -> bool:
        """Whether enough of each stream is there that has a header to find."""
        return all(
            len(self.data.get(number, b"")) >= _ENOUGH[track.kind] and number in self.first
            for number, track in self.tracks.items()
            if track.kind in _ENOUGH
        )


def parse_transport(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a transport stream.

    Raises:
        FormatError: there is no programme in it.
    """
    media.format, media.mime_type = "mpegts", "video/mp2t"
    found = packet_size(reader.at(0, 4096))
    if found is None:
        raise FormatError("its packets are not where they should be")
    size, before = found
    state = _Transport()
    at = 0
    while at < min(reader.size, HEAD):
        block = reader.at(at, size * 512)
        for place in range(before, len(block) - 187, size):
            if block[place] == 0x47:
                _packet(state, block[place : place + 188], state.first)
        at += size * 512
        if state.tracks and state.complete():
            break
    if not state.tracks:
        raise FormatError("it has no table of its programme's streams")
    start = max(reader.size - TAIL, 0) // size * size
    block = reader.at(start, TAIL + size)
    for place in range(before, len(block) - 187, size):
        if block[place] == 0x47:
            _packet(state, block[place : place + 188], state.last)
    for number, track in state.tracks.items():
        with suppress(FormatError, IndexError):
            _header(track, bytes(state.data.get(number, b"")))
        media.add_track(track)
    media.duration = _span(state.first, state.last, reader.size, media)


def _packet(state: _Transport, packet: bytes, times: dict[int, int]) -> None:
    number = (packet[1] & 31) << 8 | packet[2]
    begins, control = packet[1] & 64, packet[3] >> 4 & 3
    at = 4
    if control & 2:
        at = 5 + packet[4]
    if not control & 1 or at >= 188:
        return
    body = packet[at:]
    if number == 0 and begins:
        _programmes(state, body)
    elif number in state.programmes and begins:
        _streams(state, body)
    elif number in state.tracks:
        if begins and body[:3] == b"\0\0\1":
            time = _time(body)
            if time is not None:
                _keep_time(times, number, time, latest=times is state.last)
            body = body[9 + body[8] :] if len(body) > 8 else b""
        if times is state.first:
            kept = state.data.setdefault(number, bytearray())
            if len(kept) < _ENOUGH.get(state.tracks[number].kind, 0):
                kept += body


def _section(body: bytes) -> bytes:
    """A table's body without header and checksum, as far as it is in the packet in which it begins."""
    at = 1 + body[0] if body else 0
    table = body[at:]
    length = int.from_bytes(table[1:3], "big") & 0xFFF if len(table) > 8 else 0
    return table[8 : max(3 + length - 4, 8)]


def _programmes(state: _Transport, body: bytes) -> None:
    table = _section(body)
    for at in range(0, len(table) - 3, 4):
        if int.from_bytes(table[at : at + 2], "big") and len(state.programmes) < 16:
            state.programmes.add(int.from_bytes(table[at + 2 : at + 4], "big") & 0x1FFF)


def _streams(state: _Transport, body: bytes) -> None:
    table = _section(body)
    if len(table) < 4:
        return
    length = int.from_bytes(table[2:4], "big") & 0xFFF
    blu_ray = b"\x05\x04HDMV" in table[4 : 4 + length]
    at = 4 + length
    while at + 5 <= len(table) and len(state.tracks) < 64:
        kind, number = table[at], int.from_bytes(table[at + 1 : at + 3], "big") & 0x1FFF
        length = int.from_bytes(table[at + 3 : at + 5], "big") & 0xFFF
        if number not in state.tracks:
            state.tracks[number] = _track(kind, table[at + 5 : at + 5 + length], blu_ray=blu_ray)
        at += 5 + length


def _track(kind: int, descriptors: bytes, *, blu_ray: bool) -> Track:
    track = Track(TrackKind.DATA)
    track.codec = (
        (BLU_RAY.get(kind) if blu_ray else None) or TRANSPORT.get(kind) or BLU_RAY.get(kind if kind != 0x80 else 0)
    )
    at = 0
    while at + 2 <= len(descriptors):
        tag, body = descriptors[at], descriptors[at + 2 : at + 2 + descriptors[at + 1]]
        if tag == 0x05 and kind == 0x06:
            track.codec = REGISTERED.get(body[:4], track.codec)
        elif tag in {0x6A, 0x7A, 0x7B, 0x59, 0x56}:
            track.codec = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts", 0x59: "dvb_subtitle", 0x56: "dvb_teletext"}[tag]
        if tag in {0x0A, 0x59, 0x56} and len(body) >= 3 and track.language is None:
            track.language = body[:3].decode("latin-1")
        at += 2 + descriptors[at + 1]
    if track.codec in _SOUNDS:
        track.kind = TrackKind.AUDIO
    elif track.codec in _SUBTITLES:
        track.kind = TrackKind.SUBTITLE
    elif track.codec and track.codec not in {"klv", "timed_id3"}:
        track.kind = TrackKind.VIDEO
    return track


def _time(body: bytes) -> int | None:
    """A packet's presentation time, in 1/90,000 s."""
    if len(body) < 14 or not body[7] & 0x80:
        return None
    data = body[9:14]
    return (data[0] >> 1 & 7) << 30 | data[1] << 22 | (data[2] >> 1) << 15 | data[3] << 7 | data[4] >> 1


def _keep_time(times: dict[int, int], number: int, time: int, *, latest: bool) -> None:
    """Keep a stream's first time, or its latest: pictures do not come in the order in which they are shown."""
    if number not in times or (latest and (time - times[number]) % _WRAP < _WRAP // 2):
        times[number] = time


def _span(first: dict[int, int], last: dict[int, int], size: int, media: Media) -> float | None:
    """From the first time of any stream to the last, which is when something begins that lasts a frame.

    None if that would be slower than any real stream: then the clock jumps, as in what was cut from a broadcast.
    """
    if not first:
        return None
    start = min(first.values())
    longest = max(((time - start) % _WRAP for number, time in last.items() if number in first), default=0)
    rate = next((track.frame_rate for track in media.tracks if track.frame_rate), None)
    if not longest:
        return None
    seconds = longest / _CLOCK
    if size * 8 < seconds * _SLOWEST:
        media.trouble("its time stamps jump, so that nothing says how long it is")
        return None
    return seconds + (1 / rate if rate else 0)


def _header(track: Track, data: bytes) -> None:
    """Find a codec's header in the first bytes of its stream, and read it."""
    if track.codec in {"h264", "hevc"}:
        at = data.find(b"\0\0\1")
        while 0 <= at < len(data) - 4:
            unit = data[at + 3 : at + 3 + bitstreams.LONGEST_SET]
            if track.codec == "h264" and unit[0] & 31 == 7:
                return bitstreams.avc_sequence(track, unit)
            if track.codec == "hevc" and unit[0] >> 1 & 63 == 33:
                return bitstreams.hevc_sequence(track, unit)
            at = data.find(b"\0\0\1", at + 3)
    elif track.codec in {"mpeg1video", "mpeg2video"}:
        at = data.find(b"\0\0\1\xb3")
        if at >= 0:
            bitstreams.mpeg_sequence(track, data[at : at + 512])
    elif track.codec in {"ac3", "eac3"}:
        _ac3(track, data)
    elif track.codec in {"mp1", "mp2", "mp3", "aac"}:
        found = mpeg_audio.first_frame(data[:16_384], 2)
        if found:
            frame = found[1]
            track.codec, track.sample_rate, track.channels, track.profile = (
                frame.codec,
                frame.rate,
                frame.channels,
                frame.profile,
            )
            track.bit_rate = frame.bit_rate or None
    return None


def _ac3(track: Track, data: bytes) -> None:
    """A frame of AC-3 or E-AC-3 (ETSI TS 102 366, 4.4 and E.1.2)."""
    at = data.find(b"\x0b\x77")
    head = data[at : at + 8] if at >= 0 else b""
    if len(head) < 8:
        return
    version, rate = head[5] >> 3, head[4] >> 6
    if version > 10:
        track.sample_rate = _AC3_RATES[rate] if rate < 3 else None
        track.channels = _AC3_CHANNELS[head[4] >> 1 & 7] + (head[4] & 1)
    elif rate < 3:
        mode = head[6] >> 5
        skip = (2 if mode & 1 and mode != 1 else 0) + (2 if mode & 4 else 0) + (2 if mode == 2 else 0)
        bits = int.from_bytes(head[6:8], "big")
        track.sample_rate = _AC3_RATES[rate]
        track.channels = _AC3_CHANNELS[mode] + (bits >> (12 - skip) & 1)


def parse_programme(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a programme stream: packs, and packets with a stream's number each.

    Raises:
        FormatError: there is no stream in it that is known.
    """
    media.format, media.mime_type = "mpeg", "video/mpeg"
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    data: dict[int, bytearray] = {}
    _packets(reader.at(0, min(HEAD, 1 << 20)), first, data, keep_first=True)
    _packets(reader.at(max(reader.size - TAIL, 0), TAIL), last, None, keep_first=False)
    for number, content in sorted(data.items()):
        track = _programme_track(number)
        with suppress(FormatError, IndexError):
            _header(track, bytes(content))
        media.add_track(track)
    if not media.tracks:
        raise FormatError("there is no stream in it that is known")
    media.duration = _span(first, last, reader.size, media)


def _packets(block: bytes, times: dict[int, int], data: dict[int, bytearray] | None, *, keep_first: bool) -> None:
    at = block.find(b"\0\0\1")
    while 0 <= at < len(block) - 16:
        number = block[at + 3]
        if number < 0xBC or number == 0xBE:
            at = block.find(b"\0\0\1", at + 3)
            continue
        length = int.from_bytes(block[at + 4 : at + 6], "big")
        body = block[at : at + 6 + length]
        if len(body) > 9 and (number == 0xBD or 0xC0 <= number < 0xF0):
            content, time = _payload(body)
            if number == 0xBD:
                number = content[0] if content else 0
                content = content[4:] if 0x80 <= number < 0xB0 else content[1:]
            if time is not None:
                _keep_time(times, number, time, latest=not keep_first)
            if data is not None and len(data) < 64:
                kept = data.setdefault(number, bytearray())
                if len(kept) < _ENOUGH[TrackKind.VIDEO]:
                    kept += content
        at = block.find(b"\0\0\1", at + 6 + length)


def _payload(packet: bytes) -> tuple[bytes, int | None]:
    """A packet's content and its time: MPEG-2's header says its own length, MPEG-1's has to be felt along."""
    if packet[6] >> 6 == 2:
        return packet[9 + packet[8] :], _time(packet)
    at = 6
    while at < len(packet) and packet[at] == 0xFF and at < 22:
        at += 1
    if packet[at : at + 1] and packet[at] >> 6 == 1:
        at += 2
    marker = packet[at] >> 4 if at < len(packet) else 0
    if marker in {2, 3}:
        data = packet[at : at + 5].ljust(5, b"\0")
        time = (data[0] >> 1 & 7) << 30 | data[1] << 22 | (data[2] >> 1) << 15 | data[3] << 7 | data[4] >> 1
        return packet[at + (5 if marker == 2 else 10) :], time
    return packet[at + 1 :], None


def _programme_track(number: int) -> Track:
    if 0xE0 <= number < 0xF0:
        return Track(TrackKind.VIDEO, codec="mpeg2video")
    if 0xC0 <= number < 0xE0:
        return Track(TrackKind.AUDIO, codec="mp2")
    if 0x80 <= number < 0x88:
        return Track(TrackKind.AUDIO, codec="ac3")
    if 0x88 <= number < 0x90:
        return Track(TrackKind.AUDIO, codec="dts")
    if 0xA0 <= number < 0xA8:
        return Track(TrackKind.AUDIO, codec="pcm_dvd")
    if 0x20 <= number < 0x40:
        return Track(TrackKind.SUBTITLE, codec="dvd_subtitle")
    return Track(TrackKind.DATA)
