"""Ogg: Vorbis, Opus, FLAC, Speex and Theora (RFC 3533; each codec's mapping from its own specification).

Only the pages with headers and the last pages are read. A comment header may span many pages, because of a picture in
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.media import flac, vorbis
from censusd.extractors.media.facts import Media, Track, TrackKind
from censusd.extractors.reading import FormatError, Reader

_MOST_STREAMS: Final = 16
_MOST_PAGES: Final = 2_000
_LONGEST_HEADER: Final = 16 << 20
_TAIL: Final = 131_072
"""Bytes at the end in which the last pages must begin: a page has 65,307 at most."""


@dataclass(slots=True)
class _Stream:
    """One logical stream.

    Attributes:
        track: what it is.
        rate: granules per second.
        shift: how many low bits of a granule position count on from the rest.
        skip: granules at the beginning that are not played.
        before: bytes of its second packet before the comments.
        packet: that packet, as far as it is there.
        size: bytes of it.
        done: whether it is there, or will never be.
    """

    track: Track
    rate: float
    shift: int = 0
    skip: int = 0
    before: int = 0
    packet: list[bytes] = field(default_factory=list)
    size: int = 0
    done: bool = False


def parse(reader: Reader, media: Media) -> None:
    """Fill ``media`` from an Ogg file.

    Raises:
        FormatError: there is no stream in it that is known.
    """
    media.format, media.mime_type = "ogg", "audio/ogg"
    streams: dict[int, _Stream] = {}
    at = 0
    for _ in range(_MOST_PAGES):
        head = reader.at(at, 27 + 255)
        if head[:4] != b"OggS" or len(head) < 27:
            break
        serial = int.from_bytes(head[14:18], "little")
        sizes = head[27 : 27 + head[26]]
        body, at = at + 27 + head[26], at + 27 + head[26] + sum(sizes)
        if head[5] & 2 and len(streams) < _MOST_STREAMS:
            stream = _begin(reader.at(body, min(sum(sizes), 256)))
            if stream:
                streams[serial] = stream
                media.add_track(stream.track)
        elif serial in streams and not streams[serial].done:
            _collect(streams[serial], sizes, reader.at(body, sum(sizes)), media)
        if streams and all(stream.done for stream in streams.values()):
            break
    if not streams:
        raise FormatError("there is no stream in it that is known")
    _ends(reader, streams, media)
    if len(media.tracks) == 1 and not media.tracks[0].bit_rate and media.duration:
        media.tracks[0].bit_rate = round((reader.size - at) * 8 / media.duration)  # without the picture in its comments
    if media.of(TrackKind.VIDEO):
        media.mime_type = "video/ogg"


def _collect(stream: _Stream, sizes: bytes, body: bytes, media: Media) -> None:
    """Put the second packet together from a page: it ends with the first segment below 255 bytes (RFC 3533, 6)."""
    length = 0
    for size in sizes:
        length += size
        if size < 255:
            stream.done = True
            break
    stream.packet.append(body[:length])
    stream.size += length
    if stream.size > _LONGEST_HEADER:
        media.trouble("its comments are larger than any real file's")
        stream.done, stream.packet = True, []
    elif stream.done:
        whole = Reader.of(b"".join(stream.packet))
        stream.packet = []
        vorbis.parse(whole, stream.before, whole.size, media)


def _begin(packet: bytes) -> _Stream | None:
    """What a stream is, by its first packet."""
    if packet[:7] == b"\x01vorbis" and len(packet) >= 28:
        rate = int.from_bytes(packet[12:16], "little")
        track = Track(TrackKind.AUDIO, codec="vorbis", channels=packet[11], sample_rate=rate or None)
        nominal = int.from_bytes(packet[20:24], "little", signed=True)
        track.bit_rate = nominal if nominal > 0 else None
        return _Stream(track, rate, before=7)
    if packet[:8] == b"OpusHead" and len(packet) >= 19:
        track = Track(TrackKind.AUDIO, codec="opus", channels=packet[9], sample_rate=48_000)
        return _Stream(track, 48_000, skip=int.from_bytes(packet[10:12], "little"), before=8)
    if packet[:5] == b"\x7fFLAC" and len(packet) >= 51:
        track = Track(TrackKind.AUDIO, codec="flac")
        flac.stream_information(packet[17:51], track)
        return _Stream(track, track.sample_rate or 0, before=4)
    if packet[:8] == b"Speex   " and len(packet) >= 64:
        rate = int.from_bytes(packet[36:40], "little")
        track = Track(TrackKind.AUDIO, codec="speex", sample_rate=rate or None)
        track.channels = int.from_bytes(packet[48:52], "little") or None
        return _Stream(track, rate)
    if packet[:7] == b"\x80theora" and len(packet) >= 42:
        return _theora(packet)
    if packet[:8] == b"\x80kate\0\0\0":
        language = packet[32:48].rstrip(b"\0").decode("latin-1") or None
        return _Stream(Track(TrackKind.SUBTITLE, codec="kate", language=language), 0, done=True)
    return None


def _theora(packet: bytes) -> _Stream:
    """Theora's identification header (specification, section 6.2)."""
    number, base = int.from_bytes(packet[22:26], "big"), int.from_bytes(packet[26:30], "big")
    track = Track(TrackKind.VIDEO, codec="theora")
    track.width, track.height = int.from_bytes(packet[14:17], "big"), int.from_bytes(packet[17:20], "big")
    wide, high = int.from_bytes(packet[30:33], "big"), int.from_bytes(packet[33:36], "big")
    track.pixel_aspect = (wide, high) if wide and high else None
    track.frame_rate = number / base if number and base else None
    shift = int.from_bytes(packet[40:42], "big") >> 5 & 31
    return _Stream(track, number / base if base else 0, shift=shift, before=7)


def _ends(reader: Reader, streams: dict[int, _Stream], media: Media) -> None:
    """Durations, by the granule positions of the last pages, which are marked as the last."""
    data = reader.at(max(reader.size - _TAIL, 0), _TAIL)
    seen: set[int] = set()
    timed: set[int] = set()
    at = data.rfind(b"OggS")
    last = data[at:]
    whole = len(last) > 27 and 27 + last[26] + sum(last[27 : 27 + last[26]]) <= len(last)
    while at >= 0 and len(timed) < len(streams):
        head = data[at : at + 27]
        serial = int.from_bytes(head[14:18], "little")
        granule = int.from_bytes(head[6:14], "little", signed=True)
        if len(head) == 27 and serial in streams:
            whole = whole and (serial in seen or bool(head[5] & 4))
            seen.add(serial)
            if serial not in timed and granule >= 0:
                timed.add(serial)
                _set_duration(streams[serial], granule)
        at = data.rfind(b"OggS", 0, at)
    if not whole:
        media.trouble("its last page is not whole, or not marked as the last: it was cut off")
    media.duration = max((track.duration or 0 for track in media.tracks), default=0) or None


def _set_duration(stream: _Stream, granule: int) -> None:
    if stream.shift:
        granule = (granule >> stream.shift) + (granule & (1 << stream.shift) - 1)
    if stream.rate > 0:
        stream.track.duration = max(granule - stream.skip, 0) / stream.rate
