"""RIFF: WAV (RF64 and BW64 too) and AVI, and its sister AIFF, whose numbers are the other way round.

Sources: Microsoft's Multimedia Programming Interface 1.0 and AVI 1.0, Matrox's OpenDML 1.02, EBU Tech 3285 (``bext``)
and 3306 (RF64), Apple's AIFF 1.3 and AIFF-C.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.media import id3
from censusd.extractors.media.codecs import MP4, four, pcm
from censusd.extractors.media.facts import LONGEST_VALUE, Chapter, Media, Track, TrackKind
from censusd.extractors.media.genres import genre_names
from censusd.extractors.media.riff_codecs import bitmap_header, video_codec, wave_format
from censusd.extractors.media.tags import add_number, decode_text
from censusd.extractors.reading import FormatError, Reader

_MOST: Final = 4_000
_LONGEST: Final = 4 * LONGEST_VALUE
_INFO: Final = {
    b"INAM": "title", b"IART": "artist", b"IPRD": "album", b"IALB": "album", b"ICMT": "comment", b"ICRD": "date",
    b"ICOP": "copyright", b"ISFT": "encoder", b"IENG": "engineer", b"ITCH": "encoded_by", b"IPUB": "publisher",
    b"ISBJ": "description", b"IKEY": "keywords", b"IMUS": "composer", b"IWRI": "writer", b"IAAR": "album_artist",
    b"ISTR": "actor", b"IPRO": "producer", b"IDIR": "director", b"ILNG": "language", b"TITL": "title", b"IBPM": "bpm",
}  # fmt: skip
_DATE: Final = re.compile(r"(?:\w{3} )?(\w{3})\s+(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, where its body begins and ends, and whether it says that it goes on past the end."""

    kind: bytes
    body: int
    end: int
    cut: bool


def chunks(
    reader: Reader, start: int, end: int, order: str = "little", data_length: int | None = None
) -> Iterator[Chunk]:
    """The chunks from ``start`` to ``end``; ``data_length`` counts where RF64's ``data`` says 2^32 - 1."""
    end = min(end, reader.size)
    for _ in range(_MOST):
        head = reader.at(start, 8)
        if start + 8 > end or len(head) < 8 or not any(head):
            return
        length = int.from_bytes(head[4:], "big" if order == "big" else "little")
        if length == 0xFFFF_FFFF:
            length = data_length if data_length is not None else end - start - 8
        body = start + 8
        yield Chunk(head[:4], body, min(body + length, end), body + length > end)
        start = body + length + (length & 1)


@dataclass(slots=True)
class _Wave:
    """What a WAV file's chunks say."""

    track: Track
    length: int = 0
    samples: int = 0
    marks: dict[int, int] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)


def parse_wav(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a WAV file.

    Raises:
        FormatError: it has no description of its sound.
    """
    media.format, media.mime_type = "wav", "audio/wav"
    wave = _Wave(Track(TrackKind.AUDIO))
    track = wave.track
    media.add_track(track)
    for chunk in chunks(reader, 12, reader.size, data_length=_large(reader)):
        _wave_chunk(reader, chunk, wave, media)
    if track.codec is None:
        raise FormatError("it does not say what kind of sound it has")
    counted = wave.samples and wave.samples != 0xFFFF_FFFF and not track.codec.startswith("pcm")
    if counted and track.sample_rate:
        media.duration = wave.samples / track.sample_rate
    elif track.bit_rate:
        media.duration = wave.length * 8 / track.bit_rate
    track.duration = media.duration
    if track.sample_rate and wave.labels:
        rate = track.sample_rate
        chapters = [Chapter(at / rate, wave.labels.get(mark)) for mark, at in wave.marks.items()]
        media.set_chapters(chapters, "wav cue points")


def _wave_chunk(reader: Reader, chunk: Chunk, wave: _Wave, media: Media) -> None:
    size = chunk.end - chunk.body
    if chunk.kind == b"fmt ":
        wave_format(wave.track, reader.at(chunk.body, min(size, 64)))
    elif chunk.kind == b"data":
        wave.length = size
        if chunk.cut:
            media.trouble("its sound goes on past the end of the file: it was cut off")
    elif chunk.kind == b"fact":
        wave.samples = int.from_bytes(reader.at(chunk.body, 4), "little")
    elif chunk.kind == b"LIST":
        _list(reader, chunk, media, wave.labels)
    elif chunk.kind in {b"id3 ", b"ID3 "}:
        _inner_id3(reader, chunk, media)
    elif chunk.kind == b"bext":
        _broadcast(reader.at(chunk.body, min(size, 602)), media)
    elif chunk.kind == b"cue ":
        data = reader.at(chunk.body, min(size, 24_004))
        for at in range(4, len(data) - 23, 24):
            wave.marks[int.from_bytes(data[at : at + 4], "little")] = int.from_bytes(data[at + 20 : at + 24], "little")


def _large(reader: Reader) -> int | None:
    """The length of RF64's sound, which does not fit into its chunk's header."""
    head = reader.at(12, 24)
    return int.from_bytes(head[16:24], "little") if head[:4] == b"ds64" and len(head) == 24 else None


def _inner_id3(reader: Reader, chunk: Chunk, media: Media) -> None:
    if id3.tag_length(reader, chunk.body):
        id3.parse(reader, chunk.body, media)


def _list(reader: Reader, chunk: Chunk, media: Media, labels: dict[int, str]) -> None:
    kind = reader.at(chunk.body, 4)
    if kind == b"INFO":
        for item in chunks(reader, chunk.body + 4, chunk.end):
            information(item.kind, reader.at(item.body, min(item.end - item.body, _LONGEST)), media)
    elif kind == b"adtl":
        for item in chunks(reader, chunk.body + 4, chunk.end):
            if item.kind == b"labl":
                data = reader.at(item.body, min(item.end - item.body, 1024))
                labels[int.from_bytes(data[:4], "little")] = decode_text(data[4:]).strip("\0 ")


def information(kind: bytes, data: bytes, media: Media) -> None:
    """Keep an item of an INFO list."""
    text = decode_text(data.partition(b"\0")[0])
    if kind == b"IGNR":
        for genre in genre_names(text):
            media.tags.add("genre", genre)
    elif kind in {b"ITRK", b"IPRT", b"TRCK"}:
        add_number(media.tags, "track", text)
    elif kind in _INFO:
        media.tags.add(_INFO[kind], text)


def _broadcast(data: bytes, media: Media) -> None:
    """A broadcast extension: a description, an originator, a reference, a date and a time, and more."""
    media.tags.add("description", decode_text(data[:256].partition(b"\0")[0]))
    media.tags.add("encoded_by", decode_text(data[256:288].partition(b"\0")[0]))
    date = data[320:330].decode("latin-1").replace(":", "-").replace("_", "-")
    time = data[330:338].decode("latin-1").replace("-", ":").replace("_", ":")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", date) and re.fullmatch(r"\d\d:\d\d:\d\d", time):
        media.facts.setdefault("capture_time", f"{date}T{time}")


def parse_avi(reader: Reader, media: Media) -> None:
    """Fill ``media`` from an AVI file.

    Raises:
        FormatError: its header has no stream.
    """
    media.format, media.mime_type = "avi", "video/x-msvideo"
    part = next(chunks(reader, 0, reader.size), None)  # OpenDML's further RIFF chunks have frames only
    if part:
        if part.cut:
            media.trouble("it goes on past the end of the file: it was cut off")
        for chunk in chunks(reader, part.body + 4, part.end):
            kind = reader.at(chunk.body, 4) if chunk.kind == b"LIST" else b""
            if kind == b"hdrl":
                _avi_header(reader, chunk, media)
            elif kind == b"INFO":
                _list(reader, chunk, media, {})
            elif chunk.kind == b"IDIT":
                _avi_date(reader.at(chunk.body, min(chunk.end - chunk.body, 64)), media)
    if not media.tracks:
        raise FormatError("its header describes no stream")
    media.duration = max((track.duration or 0 for track in media.tracks), default=0) or media.duration


def _avi_header(reader: Reader, header: Chunk, media: Media) -> None:
    for chunk in chunks(reader, header.body + 4, header.end):
        if chunk.kind == b"avih":
            data = reader.at(chunk.body, 40).ljust(40, b"\0")
            each, frames = int.from_bytes(data[:4], "little"), int.from_bytes(data[16:20], "little")
            media.duration = each * frames / 1e6 or None
        elif chunk.kind == b"LIST" and reader.at(chunk.body, 4) == b"strl":
            media.add_track(_avi_stream(reader, chunk))
        elif chunk.kind == b"IDIT":
            _avi_date(reader.at(chunk.body, min(chunk.end - chunk.body, 64)), media)


def _avi_stream(reader: Reader, part: Chunk) -> Track:
    track = Track(TrackKind.DATA)
    handler = b""
    for chunk in chunks(reader, part.body + 4, part.end):
        data = reader.at(chunk.body, min(chunk.end - chunk.body, 1024))
        if chunk.kind == b"strh" and len(data) >= 36:
            handler = data[4:8]
            kinds = {b"vids": TrackKind.VIDEO, b"auds": TrackKind.AUDIO, b"txts": TrackKind.SUBTITLE}
            track.kind = kinds.get(data[:4], TrackKind.DATA)
            scale, rate, length = (int.from_bytes(data[at : at + 4], "little") for at in (20, 24, 32))
            if scale and rate:
                track.duration = length * scale / rate or None
                if track.kind is TrackKind.VIDEO and rate / scale <= 1000:
                    track.frame_rate = rate / scale
        elif chunk.kind == b"strf" and track.kind is TrackKind.VIDEO:
            bitmap_header(track, data)
            if track.codec == "rawvideo" and data[16:20] == b"\0\0\0\0" and any(handler):
                track.codec = video_codec(handler)
        elif chunk.kind == b"strf" and track.kind is TrackKind.AUDIO:
            wave_format(track, data)
        elif chunk.kind == b"strn":
            track.title = decode_text(data).strip("\0 ") or None
        elif chunk.kind == b"vprp" and len(data) >= 24:
            wide, high = int.from_bytes(data[22:24], "little"), int.from_bytes(data[20:22], "little")
            if wide and high and track.width and track.height:
                track.pixel_aspect = (wide * track.height, high * track.width)
    return track


def _avi_date(data: bytes, media: Media) -> None:
    """When it was taken: ``Sun Aug 31 12:15:22 2008``, or ISO with other signs."""
    text = decode_text(data).strip("\0\n ")
    found = _DATE.fullmatch(text)
    if found and found[1].lower() in _MONTHS:
        month = _MONTHS.index(found[1].lower()) + 1
        media.facts.setdefault("capture_time", f"{found[4]}-{month:02}-{int(found[2]):02}T{found[3]}")
    elif re.fullmatch(r"\d{4}[-:/]\d\d[-:/]\d\d \d\d:\d\d:\d\d", text):
        media.facts.setdefault("capture_time", re.sub(r"[:/]", "-", text[:10]) + "T" + text[11:])


def parse_aiff(reader: Reader, media: Media) -> None:
    """Fill ``media`` from an AIFF or AIFF-C file.

    Raises:
        FormatError: it has no description of its sound.
    """
    media.format, media.mime_type = "aiff", "audio/aiff"
    track = Track(TrackKind.AUDIO)
    media.add_track(track)
    names = {b"NAME": "title", b"AUTH": "artist", b"(c) ": "copyright", b"ANNO": "comment"}
    for chunk in chunks(reader, 12, reader.size, "big"):
        size = min(chunk.end - chunk.body, _LONGEST)
        if chunk.kind == b"COMM":
            _common(
                reader.exactly(chunk.body, 18, "description"), reader.at(chunk.body + 18, 4 if size >= 22 else 0), track
            )
        elif chunk.kind in names:
            media.tags.add(names[chunk.kind], decode_text(reader.at(chunk.body, size)))
        elif chunk.kind in {b"ID3 ", b"id3 "}:
            _inner_id3(reader, chunk, media)
        elif chunk.kind == b"SSND" and chunk.cut:
            media.trouble("its sound goes on past the end of the file: it was cut off")
    if track.codec is None:
        raise FormatError("it does not say what kind of sound it has")
    media.duration = track.duration


def _common(data: bytes, kind: bytes, track: Track) -> None:
    """A COMM chunk; the sample rate is an 80-bit float."""
    track.channels, frames = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:6], "big")
    bits = int.from_bytes(data[6:8], "big")
    exponent, mantissa = int.from_bytes(data[8:10], "big"), int.from_bytes(data[10:18], "big")
    shift = 16383 + 63 - exponent
    rate = mantissa >> shift if 0 <= shift < 64 else 0
    code = four(kind) if kind else "none"
    track.codec = {"none": pcm(bits, big=True), "sowt": pcm(bits)}.get(code, MP4.get(code, code))
    track.bits_per_sample = bits or None
    if 0 < rate < 10_000_000:
        track.sample_rate, track.duration = rate, frames / rate
        if track.codec.startswith("pcm"):
            track.bit_rate = rate * track.channels * bits
