"""Windows Media: the header of an ASF file, as WMA and WMV have it.

Source: Microsoft's Advanced Systems Format specification, revision 01.20.03. Only the header object is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from censusd.extractors.media import riff_codecs
from censusd.extractors.media.facts import LONGEST_VALUE, Chapter, Media, Track, TrackKind
from censusd.extractors.media.genres import genre_names
from censusd.extractors.media.tags import add_free, add_number
from censusd.extractors.reading import FormatError, Reader

HEADER: Final = UUID("75B22630-668E-11CF-A6D9-00AA0062CE6C").bytes_le
_FILE: Final = UUID("8CABDCA1-A947-11CF-8EE4-00C00C205365").bytes_le
_STREAM: Final = UUID("B7DC0791-A9B7-11CF-8EE6-00C00C205365").bytes_le
_CONTENT: Final = UUID("75B22633-668E-11CF-A6D9-00AA0062CE6C").bytes_le
_MORE_CONTENT: Final = UUID("D2D0A440-E307-11D2-97F0-00A0C95EA850").bytes_le
_EXTENSION: Final = UUID("5FBF03B5-A92E-11CF-8EE3-00C00C205365").bytes_le
_METADATA: Final = UUID("C5F8CBEA-5BAF-4877-8467-AA8C44FA4CCA").bytes_le
_LIBRARY: Final = UUID("44231C94-9498-49D1-A141-1D134E457054").bytes_le
_LANGUAGES: Final = UUID("7C4346A9-EFE0-4BFC-B229-393EDE415C85").bytes_le
_STREAM_MORE: Final = UUID("14E6A5CB-C672-4332-8399-A96952065B5A").bytes_le
_MARKERS: Final = UUID("F487CD01-A951-11CF-8EE6-00C00C205365").bytes_le
_ENCRYPTED: Final = frozenset(
    UUID(text).bytes_le
    for text in ("2211B3FB-BD23-11D2-B4B7-00A0C955FC6E", "298AE614-2622-4C17-B935-DAE07EE9289C")
)  # fmt: skip
_AUDIO: Final = UUID("F8699E40-5B4D-11CF-A8FD-00805F5C442B").bytes_le
_VIDEO: Final = UUID("BC19EFC0-5B4D-11CF-A8FD-00805F5C442B").bytes_le

_LONGEST: Final = 4 * LONGEST_VALUE
_MOST: Final = 4_000
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_NAMES: Final = {
    "author": "artist", "title": "title", "description": "comment", "copyright": "copyright",
    "wm/albumtitle": "album", "wm/albumartist": "album_artist", "wm/artists": "artists", "wm/composer": "composer",
    "wm/conductor": "conductor", "wm/writer": "lyricist", "wm/publisher": "publisher", "wm/year": "date",
    "wm/originalreleaseyear": "original_date", "wm/language": "language", "wm/subtitle": "subtitle",
    "wm/contentgroupdescription": "grouping", "wm/encodingsettings": "encoder", "wm/toolname": "encoder",
    "wm/encodedby": "encoded_by", "wm/beatsperminute": "bpm", "wm/initialkey": "key", "wm/mood": "mood",
    "wm/isrc": "isrc", "wm/barcode": "barcode", "wm/catalogno": "catalog_number", "wm/lyrics": "lyrics",
    "wm/iscompilation": "compilation", "wm/titlesortorder": "title_sort", "wm/albumsortorder": "album_sort",
    "wm/artistsortorder": "artist_sort", "wm/albumartistsortorder": "album_artist_sort",
    "wm/composersortorder": "composer_sort", "wm/director": "director", "wm/producer": "producer",
    "wm/subtitledescription": "synopsis", "wm/authorurl": "url", "wm/modifiedby": "remixer", "wm/category": "category",
    "wm/originalartist": "original_artist", "wm/narrator": "narrator", "wm/media": "media",
}  # fmt: skip


@dataclass(slots=True)
class _Header:
    """What is known while the header is read: tracks by their number, languages in the order of their list."""

    media: Media
    streams: dict[int, Track] = field(default_factory=dict)
    languages: list[str] = field(default_factory=list)


def parse(reader: Reader, media: Media) -> None:
    """Fill ``media`` from an ASF file.

    Raises:
        FormatError: it is none.
    """
    media.format, media.mime_type = "asf", "video/x-ms-asf"
    head = reader.exactly(0, 30, "header")
    if head[:16] != HEADER:
        raise FormatError("it does not begin as Windows Media does")
    header = _Header(media)
    try:
        _objects(reader, 30, min(int.from_bytes(head[16:24], "little"), reader.size), header)
    finally:
        _keep(header)


def _keep(header: _Header) -> None:
    media = header.media
    for track in header.streams.values():
        if track.language:
            index = int(track.language)
            track.language = header.languages[index] if index < len(header.languages) else None
        media.add_track(track)
    if media.of(TrackKind.VIDEO):
        media.mime_type = "video/x-ms-wmv"
    elif media.of(TrackKind.AUDIO):
        media.mime_type = "audio/x-ms-wma"


def _objects(reader: Reader, at: int, end: int, header: _Header, *, inner: bool = False) -> None:
    """The objects from ``at`` to ``end``; inside a header extension there is no other."""
    for _ in range(_MOST):
        head = reader.at(at, 24)
        if at + 24 > end or len(head) < 24:
            return
        kind, length = head[:16], int.from_bytes(head[16:24], "little")
        if length < 24:
            raise FormatError(f"an object at byte {at} of its header is {length} bytes long, with a header of 24")
        body, last = at + 24, min(at + length, end)
        if kind != _EXTENSION:
            _object(reader, kind, body, last, header)
        elif not inner:
            _objects(reader, body + 22, last, header, inner=True)
        at += length


def _object(reader: Reader, kind: bytes, at: int, end: int, header: _Header) -> None:
    media = header.media
    if kind == _FILE:
        _file(reader.at(at, 80), media, reader.size)
    elif kind == _STREAM:
        _stream(reader.at(at, min(end - at, 4096)), header.streams)
    elif kind == _STREAM_MORE:
        _stream_more(reader.at(at, min(end - at, 4096)), header.streams)
    elif kind == _CONTENT:
        _content(reader, at, end, media)
    elif kind == _MORE_CONTENT:
        _descriptors(reader, at, end, media)
    elif kind in {_METADATA, _LIBRARY}:
        _library(reader, at, end, media)
    elif kind == _LANGUAGES:
        _language_list(reader.at(at, min(end - at, 65_536)), header.languages)
    elif kind == _MARKERS:
        _markers(reader.at(at, min(end - at, 1 << 20)), media)
    elif kind in _ENCRYPTED:
        media.facts["encrypted"] = True


def _file(data: bytes, media: Media, size: int) -> None:
    if len(data) < 80:
        return
    number = {at: int.from_bytes(data[at : at + 8], "little") for at in (16, 24, 40, 56)}
    broadcast = data[64] & 1
    media.facts["preroll"] = number[56]
    if 116_444_736_000_000_000 < number[24] < 160_000_000_000_000_000:
        media.container_time = (_EPOCH + timedelta(microseconds=number[24] // 10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if not broadcast:
        media.duration = max(number[40] / 1e7 - number[56] / 1e3, 0) or None
        if number[16] > size:
            media.trouble(f"the file has {size} bytes and says that it has {number[16]}: it was cut off")
    media.bit_rate = int.from_bytes(data[76:80], "little") or None


def _stream(data: bytes, streams: dict[int, Track]) -> None:
    if len(data) < 54:
        return
    length = int.from_bytes(data[40:44], "little")
    flags = int.from_bytes(data[48:50], "little")
    track = streams.setdefault(flags & 127, Track(TrackKind.DATA)) if len(streams) < 128 else Track(TrackKind.DATA)
    track.encrypted = bool(flags & 0x8000)
    special = data[54 : 54 + length]
    if data[:16] == _AUDIO:
        track.kind = TrackKind.AUDIO
        riff_codecs.wave_format(track, special)
    elif data[:16] == _VIDEO and len(special) >= 51:
        track.kind = TrackKind.VIDEO
        riff_codecs.bitmap_header(track, special[11:])


def _stream_more(data: bytes, streams: dict[int, Track]) -> None:
    """Extended stream properties: the bit rate, the language's number, the time of a picture."""
    if len(data) < 64 or len(streams) >= 128:
        return
    number = int.from_bytes(data[48:50], "little")
    track = streams.setdefault(number, Track(TrackKind.DATA))
    track.bit_rate = int.from_bytes(data[16:20], "little") or track.bit_rate
    track.language = str(int.from_bytes(data[50:52], "little"))
    each = int.from_bytes(data[52:60], "little")
    if 10_000 <= each <= 100_000_000:
        track.frame_rate = 1e7 / each
    at = 64
    for _ in range(int.from_bytes(data[60:62], "little")):
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "little")
        if at > len(data):
            return
    for _ in range(int.from_bytes(data[62:64], "little")):
        at += 22 + int.from_bytes(data[at + 18 : at + 22], "little")
        if at > len(data):
            return
    if len(data) >= at + 78:  # the stream properties themselves, if they are not among the header's other objects
        _stream(data[at + 24 :], streams)


def _text(data: bytes) -> str:
    return data[: len(data) & ~1].decode("utf-16-le", "replace").strip("\0")


def _content(reader: Reader, at: int, end: int, media: Media) -> None:
    sizes = [int.from_bytes(reader.at(at + i, 2), "little") for i in range(0, 10, 2)]
    at += 10
    for name, size in zip(("title", "artist", "copyright", "comment"), sizes, strict=False):
        media.tags.add(name, _text(reader.at(at, min(size, max(end - at, 0)))))
        at += size


def _descriptors(reader: Reader, at: int, end: int, media: Media) -> None:
    count = int.from_bytes(reader.at(at, 2), "little")
    at += 2
    for _ in range(min(count, _MOST)):
        length = int.from_bytes(reader.at(at, 2), "little")
        name = _text(reader.at(at + 2, length))
        head = reader.at(at + 2 + length, 4)
        size = int.from_bytes(head[2:4], "little")
        at += 6 + length
        if len(head) < 4 or at + size > end:
            return
        _value(name, int.from_bytes(head[:2], "little"), reader.at(at, size), media)
        at += size


def _library(reader: Reader, at: int, end: int, media: Media) -> None:
    count = int.from_bytes(reader.at(at, 2), "little")
    at += 2
    for _ in range(min(count, _MOST)):
        head = reader.at(at, 12)
        length, size = int.from_bytes(head[4:6], "little"), int.from_bytes(head[8:12], "little")
        body = at + 12 + length
        if len(head) < 12 or body + size > end:
            return
        name = _text(reader.at(at + 12, length))
        _value(name, int.from_bytes(head[6:8], "little"), reader.at(body, min(size, _LONGEST)), media)
        at = body + size


def _value(name: str, kind: int, data: bytes, media: Media) -> None:
    """A value: 0 text, 1 bytes, 2 a truth, 3 to 5 numbers."""
    lower = name.lower()
    if lower == "wm/picture":
        media.has_cover = True
        return
    if kind == 0:
        text = _text(data)
    elif 2 <= kind <= 5 and len(data) <= 8:
        text = str(int.from_bytes(data, "little"))
    else:
        return
    if lower in {"wm/tracknumber", "wm/partofset"}:
        add_number(media.tags, "track" if lower == "wm/tracknumber" else "disc", text)
    elif lower == "wm/genre":
        for genre in genre_names(text):
            media.tags.add("genre", genre)
    elif lower in _NAMES:
        media.tags.add(_NAMES[lower], text)
    elif kind == 0 and not lower.startswith(
        ("wmfsdk", "wm/mediaprimary", "wm/mediasecondary", "wm/wmcollection", "devicec")
    ):
        add_free(media.tags, name.removeprefix("WM/"), text)


def _language_list(data: bytes, languages: list[str]) -> None:
    at = 2
    for _ in range(min(int.from_bytes(data[:2], "little"), 200)):
        length = data[at] if at < len(data) else 0
        languages.append(_text(data[at + 1 : at + 1 + length]))
        at += 1 + length


def _markers(data: bytes, media: Media) -> None:
    """Markers: an offset, a time in units of 100 ns from the beginning with the preroll, and a name."""
    chapters = []
    preroll = int(media.facts.get("preroll", 0))
    at = 24 + int.from_bytes(data[22:24], "little")
    for _ in range(min(int.from_bytes(data[16:20], "little"), 100_000)):
        if at + 30 > len(data):
            break
        letters = int.from_bytes(data[at + 26 : at + 30], "little")
        title = _text(data[at + 30 : at + 30 + 2 * letters])
        time = int.from_bytes(data[at + 8 : at + 16], "little") / 1e7 - preroll / 1e3
        chapters.append(Chapter(max(time, 0), title or None))
        at += 18 + int.from_bytes(data[at + 16 : at + 18], "little")
    media.set_chapters(chapters, "asf markers")
