"""MP4, M4A, M4B, MOV, 3GP: the movie box, its tracks and what the file is as a whole.

Sources: ISO/IEC 14496-12 (boxes), 14496-14 (MP4), Apple's QuickTime File Format. The tables of samples, which are most
of a movie box, are not read: the number of samples stands at the beginning of one, and that and the duration give the
frame rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from censusd.extractors.boxes import Box, body, boxes, find, inside
from censusd.extractors.media import mp4_chapters, mp4_codecs, mp4_tags
from censusd.extractors.media.facts import MOST_TRACKS, Media, Track, TrackKind
from censusd.extractors.reading import FormatError, Reader, TooMuchError

_HANDLERS: Final = {
    b"soun": TrackKind.AUDIO, b"vide": TrackKind.VIDEO, b"auxv": TrackKind.COVER, b"pict": TrackKind.COVER,
    b"text": TrackKind.SUBTITLE, b"sbtl": TrackKind.SUBTITLE, b"subt": TrackKind.SUBTITLE, b"subp": TrackKind.SUBTITLE,
    b"clcp": TrackKind.SUBTITLE,
}  # fmt: skip
_TURNS: Final = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}
_EPOCH: Final = datetime(1904, 1, 1, tzinfo=UTC)
_QUICKTIME_LANGUAGES: Final = dict(
    enumerate(
        "en fr de it nl sv es da pt no he ja ar fi el is mt tr hr zh-TW ur hi th ko lt pl hu et lv se fo fa ru zh-CN"
        " nl-BE ga sq ro cs sk sl yi sr mk bg uk be uz kk az az hy ka mo ky tg tk mn mn ps ku ks sd bo ne sa mr bn as"
        " gu pa or ml kn ta te si my km lo vi id tl ms ms am ti om so sw rw rn ny mg eo".split()
    )
)


def parse(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a file of boxes.

    Raises:
        FormatError: it cannot be read any further.
    """
    media.format, media.mime_type = "mp4", "video/mp4"
    movie: Box | None = None
    fragment: Box | None = None
    indexed, samples = 0.0, 0
    for box in boxes(reader, 0, reader.size):
        if box.kind == b"ftyp":
            _brands(media, body(reader, box, 256))
        elif box.kind == b"moov" and movie is None:
            movie = box
        elif box.kind == b"moof":
            fragment = box
        elif box.kind == b"sidx":
            indexed = max(indexed, _indexed(body(reader, box, 1 << 20)))
        elif box.kind == b"mdat":
            samples += box.length
        elif box.kind == b"meta":
            mp4_tags.metadata(reader, box, media)
        if box.cut:
            _cut(media, box, reader.size)
    if movie is None:
        raise FormatError("there is no movie box: the recording was not finished, or the file was cut off")
    _movie(reader, movie, media)
    if fragment and not media.duration:
        media.duration = max(indexed, _fragmented(reader, movie, fragment))
    if len(media.tracks) == 1 and not media.tracks[0].bit_rate and media.duration:
        media.tracks[0].bit_rate = round(samples * 8 / media.duration) or None


def _cut(media: Media, box: Box, size: int) -> None:
    name = box.kind[:4].decode("latin-1")
    media.trouble(f"box {name!r} goes on past the end of the file, which has {size} bytes: it was cut off")


def _brands(media: Media, data: bytes) -> None:
    brand = data[:4].decode("latin-1").strip(" \0")
    media.brand = brand
    if brand == "qt":
        media.format, media.mime_type = "mov", "video/quicktime"
    elif brand.startswith("3g"):
        media.format, media.mime_type = "3gp", "video/3gpp2" if brand.startswith("3g2") else "video/3gpp"
    elif brand == "aax":
        media.mime_type = "audio/vnd.audible.aax"
    elif brand in {"M4A", "M4B", "M4P", "F4A", "F4B"}:
        media.mime_type = "audio/mp4"
    elif brand in {"M4V", "M4VH", "M4VP"}:
        media.mime_type = "video/x-m4v"


def _movie(reader: Reader, movie: Box, media: Media) -> None:
    found = _Movie()
    try:
        for box in inside(reader, movie):
            _part(reader, box, found, media)
    finally:
        _keep(reader, found, media)


@dataclass(slots=True)
class _Movie:
    """What is known of a movie while it is read: its ticks per second, its tracks, and which of them are chapters."""

    timescale: int = 0
    tracks: dict[int, tuple[Box, Track]] = field(default_factory=dict)
    chapters: set[int] = field(default_factory=set)


def _part(reader: Reader, box: Box, found: _Movie, media: Media) -> None:
    try:
        if box.kind == b"mvhd":
            found.timescale = _movie_header(media, body(reader, box, 32))
        elif box.kind == b"trak" and len(found.tracks) < MOST_TRACKS:
            _track(reader, box, found)
        elif box.kind == b"cmov":
            media.trouble("its movie box is compressed, which nobody has written since the nineties")
        elif box.kind == b"udta":
            mp4_tags.user_data(reader, box, media)
        elif box.kind == b"meta":
            mp4_tags.metadata(reader, box, media)
        elif box.kind == b"mvex" and found.timescale and not media.duration:
            media.duration = _announced(reader, box) / found.timescale
    except TooMuchError:
        raise
    except FormatError as error:  # the other parts may be whole
        media.trouble(str(error))


def _announced(reader: Reader, extends: Box) -> int:
    """How long a file of fragments will be in the end, in the movie's ticks; 0 if it was not known."""
    header = find(reader, extends.body, extends.end, b"mehd")
    data = body(reader, header, 12) if header else b""
    return int.from_bytes(data[4:12] if data[:1] == b"\1" else data[4:8], "big")


def _keep(reader: Reader, found: _Movie, media: Media) -> None:
    """Keep the tracks, but for those that hold the chapters' titles and pictures."""
    for number, (_, track) in found.tracks.items():
        if number in found.chapters and track.kind is TrackKind.VIDEO:
            track.kind = TrackKind.COVER
        if number not in found.chapters or track.kind is not TrackKind.SUBTITLE:
            media.add_track(track)
    if not media.duration:
        media.duration = max((track.duration or 0 for track in media.tracks), default=0) or media.duration
    for number in found.chapters:
        if number in found.tracks and found.tracks[number][1].kind is TrackKind.SUBTITLE:
            mp4_chapters.from_track(reader, found.tracks[number][0], media)


def _movie_header(media: Media, data: bytes) -> int:
    """The movie's duration and when it was made; returns its ticks per second."""
    wide = data[:1] == b"\1"
    made = int.from_bytes(data[4:12] if wide else data[4:8], "big")
    media.container_time = apple_time(made)
    timescale = int.from_bytes(data[20:24] if wide else data[12:16], "big")
    duration = int.from_bytes(data[24:32] if wide else data[16:20], "big")
    if timescale and 0 < duration < (1 << 64 if wide else 1 << 32) - 1:
        media.duration = duration / timescale
    return timescale


def apple_time(seconds: int) -> str | None:
    """Seconds since 1904, in UTC, as ISO 8601; None for what no camera or program writes on purpose."""
    if not 2_082_844_800 < seconds < 6_000_000_000:
        return None
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _track(reader: Reader, trak: Box, found: _Movie) -> None:
    """Add a track by its number, and the numbers of tracks that hold its chapters."""
    track = Track(TrackKind.DATA)
    number = -1 - len(found.tracks)
    try:
        for box in inside(reader, trak):
            if box.kind == b"tkhd":
                number = _track_header(track, body(reader, box, 96))
            elif box.kind == b"mdia":
                _media(reader, box, track)
            elif box.kind == b"tref":
                found.chapters.update(_chapter_tracks(reader, box))
            elif box.kind == b"udta":
                track.title = mp4_tags.track_name(reader, box) or track.title
    finally:
        found.tracks.setdefault(number, (trak, track))


def _chapter_tracks(reader: Reader, references: Box) -> Iterator[int]:
    for reference in inside(reader, references):
        if reference.kind == b"chap":
            data = body(reader, reference, 64)
            yield from (int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4))


def _track_header(track: Track, data: bytes) -> int:
    wide = data[:1] == b"\1"
    track.default = bool(data[3] & 1) if len(data) > 3 else None
    at = 52 if wide else 40
    if len(data) >= at + 36:
        a, b, _, c, d = (int.from_bytes(data[at + 4 * i : at + 4 * i + 4], "big", signed=True) for i in range(5))
        turn = tuple((value > 0) - (value < 0) for value in (a, b, c, d))
        track.rotation = _TURNS.get((turn[0], turn[1], turn[2], turn[3]))
    return int.from_bytes(data[20:24] if wide else data[12:16], "big")


def _media(reader: Reader, mdia: Box, track: Track) -> None:
    timescale = 0
    for box in inside(reader, mdia):
        if box.kind == b"mdhd":
            data = body(reader, box, 36)
            wide = data[:1] == b"\1"
            timescale = int.from_bytes(data[20:24] if wide else data[12:16], "big")
            duration = int.from_bytes(data[24:32] if wide else data[16:20], "big")
            if timescale and 0 < duration < (1 << 64 if wide else 1 << 32) - 1:
                track.duration = duration / timescale
            track.language = _language(int.from_bytes(data[32:34] if wide else data[20:22], "big"))
        elif box.kind == b"hdlr":
            track.kind = _HANDLERS.get(reader.at(box.body + 8, 4), TrackKind.DATA)
        elif box.kind == b"minf":
            samples = find(reader, box.body, box.end, b"stbl")
            if samples:
                _samples(reader, samples, track)


def _language(code: int) -> str | None:
    if 0x400 <= code < 0x7FFF:
        return "".join(chr(0x60 + (code >> shift & 31)) for shift in (10, 5, 0))
    return _QUICKTIME_LANGUAGES.get(code) if code else None


def _samples(reader: Reader, stbl: Box, track: Track) -> None:
    for box in inside(reader, stbl):
        if box.kind == b"stsd":
            entry = next(boxes(reader, box.body + 8, box.end), None)
            if entry:
                mp4_codecs.describe(reader, entry, track)
        elif box.kind in {b"stsz", b"stz2"} and track.kind is TrackKind.VIDEO and track.duration:
            count = int.from_bytes(reader.at(box.body + 8, 4), "big")
            if count == 1 and track.codec in {"mjpeg", "png"}:
                track.kind = TrackKind.COVER
            elif 0.05 <= count / track.duration <= 1000:
                track.frame_rate = count / track.duration


def _indexed(data: bytes) -> float:
    """When what a segment index is about ends (ISO/IEC 14496-12, 8.16.3); 0 if it does not say."""
    timescale = int.from_bytes(data[8:12], "big")
    wide = data[:1] == b"\1"
    start = int.from_bytes(data[12:20] if wide else data[12:16], "big")
    at = 28 if wide else 20
    count = int.from_bytes(data[at + 2 : at + 4], "big")
    rows = range(at + 4, min(at + 4 + 12 * count, len(data) - 11), 12)
    total = sum(int.from_bytes(data[row + 4 : row + 8], "big") for row in rows)
    return (start + total) / timescale if timescale and total else 0


def _fragmented(reader: Reader, movie: Box, fragment: Box) -> float:
    """The end of the last fragment: when its first sample is decoded, and how long its samples are."""
    end = 0.0
    for piece in inside(reader, fragment):
        if piece.kind != b"traf":
            continue
        header = find(reader, piece.body, piece.end, b"tfhd")
        start = find(reader, piece.body, piece.end, b"tfdt")
        if not header or not start:
            continue
        number = int.from_bytes(reader.at(header.body + 4, 4), "big")
        data = body(reader, start, 12)
        ticks = int.from_bytes(data[4:12] if data[:1] == b"\1" else data[4:8], "big")
        timescale, each = _track_times(reader, movie, number)
        ticks += sum(_run(reader, run, header, each) for run in inside(reader, piece) if run.kind == b"trun")
        if timescale:
            end = max(end, ticks / timescale)
    return end


def _track_times(reader: Reader, movie: Box, number: int) -> tuple[int, int]:
    """A track's ticks per second, and how many a sample lasts if nothing else is said."""
    timescale = each = 0
    for box in inside(reader, movie):
        if box.kind == b"trak":
            header = find(reader, box.body, box.end, b"tkhd")
            times = find(reader, box.body, box.end, b"mdia", b"mdhd")
            if header and times:
                at = 20 if reader.at(header.body, 1) == b"\1" else 12
                if int.from_bytes(reader.at(header.body + at, 4), "big") == number:
                    at = 20 if reader.at(times.body, 1) == b"\1" else 12
                    timescale = int.from_bytes(reader.at(times.body + at, 4), "big")
        elif box.kind == b"mvex":
            for extends in inside(reader, box):
                data = body(reader, extends, 24)
                if extends.kind == b"trex" and int.from_bytes(data[4:8], "big") == number:
                    each = int.from_bytes(data[12:16], "big")
    return timescale, each


def _run(reader: Reader, run: Box, header: Box, each: int) -> int:
    """How many ticks a run of samples lasts (ISO/IEC 14496-12, 8.8.7 and 8.8.8)."""
    flags = int.from_bytes(reader.at(header.body + 1, 3), "big")
    if flags & 8:
        at = header.body + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
        each = int.from_bytes(reader.at(at, 4), "big")
    data = body(reader, run, 1 << 20)
    flags, count = int.from_bytes(data[1:4], "big"), int.from_bytes(data[4:8], "big")
    if not flags & 0x100:
        return min(count, 1 << 24) * each
    at = 8 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
    step = 4 * (flags >> 8 & 15).bit_count()
    return sum(int.from_bytes(data[row : row + 4], "big") for row in range(at, min(at + count * step, len(data)), step))
