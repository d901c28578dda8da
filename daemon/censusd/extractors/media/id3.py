"""ID3 tags, versions 2.2 to 2.4 and 1, wherever they stand: before MP3 and FLAC, inside WAV and AIFF.

Sources: id3.org's informal standards 2.2.0, 2.3.0, 2.4.0, and the chapter addendum 1.0. Frames of pictures and other
weight are stepped over; of the rest no more is kept than ``facts.LONGEST_VALUE``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from censusd.extractors.media.facts import LONGEST_VALUE, Chapter, Media, Tags
from censusd.extractors.media.genres import GENRES, genre_names
from censusd.extractors.media.tags import add_free, add_number, decode_text
from censusd.extractors.reading import Reader

_LONGEST: Final = 4 * LONGEST_VALUE + 1_024
_MOST_FRAMES: Final = 4_000
_MOST_SCRAMBLED: Final = 16 << 20
"""Bytes of a tag that is unsynchronised as a whole, which has to be put right before anything in it can be found."""

_TEXTS: Final = {
    "TIT1": "grouping", "TIT2": "title", "TIT3": "subtitle", "TPE1": "artist", "TPE2": "album_artist",
    "TPE3": "conductor", "TPE4": "remixer", "TOPE": "original_artist", "TCOM": "composer", "TEXT": "lyricist",
    "TALB": "album", "TPUB": "publisher", "TCOP": "copyright", "TLAN": "language", "TENC": "encoded_by",
    "TSSE": "encoder", "TBPM": "bpm", "TKEY": "key", "TSRC": "isrc", "TMED": "media", "TMOO": "mood",
    "TDRC": "date", "TYER": "date", "TDOR": "original_date", "TORY": "original_date", "TDRL": "release_date",
    "TCMP": "compilation", "TSOT": "title_sort", "TSOA": "album_sort", "TSOP": "artist_sort",
    "TSO2": "album_artist_sort", "TSOC": "composer_sort", "MVNM": "movement", "MVIN": "movement_number",
    "TDES": "description", "TCAT": "category", "TKWD": "keywords", "GRP1": "grouping", "TSST": "disc_subtitle",
    "TIPL": "involved", "IPLS": "involved", "TMCL": "musicians", "TRSN": "station", "TOAL": "original_album",
}  # fmt: skip
_OLD: Final = {
    "TT1": "TIT1", "TT2": "TIT2", "TT3": "TIT3", "TP1": "TPE1", "TP2": "TPE2", "TP3": "TPE3", "TP4": "TPE4",
    "TCM": "TCOM", "TXT": "TEXT", "TAL": "TALB", "TPB": "TPUB", "TCR": "TCOP", "TLA": "TLAN", "TEN": "TENC",
    "TSS": "TSSE", "TBP": "TBPM", "TKE": "TKEY", "TRC": "TSRC", "TMT": "TMED", "TYE": "TYER", "TDA": "TDAT",
    "TOR": "TORY", "TCP": "TCMP", "TST": "TSOT", "TSA": "TSOA", "TSP": "TSOP", "TS2": "TSO2", "TSC": "TSOC",
    "TCO": "TCON", "TRK": "TRCK", "TPA": "TPOS", "TXX": "TXXX", "COM": "COMM", "ULT": "USLT", "PIC": "APIC",
    "TOA": "TOPE", "MVN": "MVNM", "MVI": "MVIN", "PCS": "PCST", "RVA": "RVAD", "TOT": "TOAL", "TRD": "TDRC",
}  # fmt: skip


def tag_length(reader: Reader, start: int) -> int:
    """How many bytes the tag that begins at ``start`` takes, its header and footer included; 0 if none does."""
    head = reader.at(start, 10)
    if len(head) < 10 or head[:3] != b"ID3" or head[3] not in {2, 3, 4} or max(head[6:10]) > 127:
        return 0
    return 10 + _syncsafe(head[6:10]) + (10 if head[3] == 4 and head[5] & 0x10 else 0)


def parse(reader: Reader, start: int, media: Media) -> None:
    """Fill ``media`` from the tag that begins at ``start``, which ``tag_length`` has found."""
    head = reader.at(start, 10)
    version, flags = head[3], head[5]
    first, end = start + 10, start + 10 + _syncsafe(head[6:10])
    if version < 4 and flags & 0x80:
        scrambled = reader.at(first, min(end - first, _MOST_SCRAMBLED))
        reader = Reader.of(scrambled.replace(b"\xff\0", b"\xff"))
        first, end = 0, reader.size
    if version > 2 and flags & 0x40:
        size = reader.at(first, 4)
        first += _syncsafe(size) if version == 4 else 4 + int.from_bytes(size, "big")
    if end > reader.size:
        media.trouble("the file ends within its ID3 tag")
    chapters: list[Chapter] = []
    _frames(reader, first, min(end, reader.size), version, media, chapters)
    day = media.tags.first("day_and_month")
    year = media.tags.first("date")
    if day and year and len(year) == 4 and len(day) == 4 and day.isdecimal():
        media.facts.setdefault("full_date", f"{year}-{day[2:]}-{day[:2]}")
    media.set_chapters(chapters, "id3")


def _syncsafe(data: bytes) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def _frames(reader: Reader, at: int, end: int, version: int, media: Media, chapters: list[Chapter]) -> None:
    width = 6 if version == 2 else 10
    for _ in range(_MOST_FRAMES):
        head = reader.at(at, width)
        if at + width > end or len(head) < width or head[0] == 0:
            return
        name, length = _frame_head(reader, head, at, end, version)
        if not name.isalnum() or not name.isascii():
            return
        name = _OLD.get(name, name)
        body = at + width
        if name == "APIC" and length > 16:
            media.has_cover = True
        elif name in _WANTED and length:
            flags = head[9] if version > 2 else 0
            data = reader.at(body, min(length, end - body, _LONGEST if name != "CHAP" else 65_536))
            plain = _plain(data, flags, version)
            if plain is not None and name == "CHAP":
                _keep_chapter(plain, version, chapters)
            elif plain is not None:
                _frame(name, plain, media)
        at = body + length


def _frame_head(reader: Reader, head: bytes, at: int, end: int, version: int) -> tuple[str, int]:
    if version == 2:
        return head[:3].decode("latin-1"), int.from_bytes(head[3:6], "big")
    name, length = head[:4].decode("latin-1"), int.from_bytes(head[4:8], "big")
    if version == 4 and length > 127 and max(head[4:8]) < 128:
        # iTunes has long written plain lengths into version 2.4: believe what leads to another frame, or to the end.
        right = _syncsafe(head[4:8])
        if _fits(reader, at + 10 + right, end) or not _fits(reader, at + 10 + length, end):
            length = right
    return name, length


def _fits(reader: Reader, at: int, end: int) -> bool:
    name = reader.at(at, 4)
    return at == end or (at < end and (name[:1] == b"\0" or (len(name) == 4 and name.isalnum() and name.isupper())))


def _plain(data: bytes, flags: int, version: int) -> bytes | None:
    """A frame without compression and unsynchronisation, or None if it is encrypted or broken."""
    if version == 2 or not flags:
        return data
    if version == 3:
        packed, encrypted, skip = flags & 0x80, flags & 0x40, (4 if flags & 0x80 else 0) + (1 if flags & 0x20 else 0)
        scrambled = 0
    else:
        packed, encrypted, scrambled = flags & 0x08, flags & 0x04, flags & 0x02
        skip = (1 if flags & 0x40 else 0) + (4 if flags & 0x01 else 0)
    if encrypted:
        return None
    data = data[skip:]
    if scrambled:
        data = data.replace(b"\xff\0", b"\xff")
    if packed:
        try:
            data = zlib.decompressobj().decompress(data, _LONGEST)
        except zlib.error:
            return None
    return data


def _frame(name: str, data: bytes, media: Media) -> None:
    handler = _HANDLERS.get(name)
    if handler:
        handler(data, media.tags)
    else:
        for text in _texts(data):
            media.tags.add(_TEXTS[name], text)


def _own(data: bytes, tags: Tags) -> None:
    """A text with a name of somebody's own."""
    name, *values = _texts(data)
    for value in values:
        add_free(tags, name or "text", value)


def _comment(data: bytes, tags: Tags) -> None:
    """A comment: an encoding, a language, a label, a text. Labels are names too, to some tools."""
    label, _, text = _decode(data[0] if data else 0, data[4:]).partition("\0")
    if not label:
        tags.add("comment", text)
    elif not label.startswith(("iTun", "ID3v1")):
        add_free(tags, label, text)


def _genres(data: bytes, tags: Tags) -> None:
    for text in _texts(data):
        for genre in genre_names(text):
            tags.add("genre", genre)


def _gain(data: bytes, tags: Tags) -> None:
    """Relative volume adjustment of version 2.4: for whom, then a channel and 1/512 dB."""
    label, _, rest = data.partition(b"\0")
    if len(rest) >= 3 and rest[0] == 1 and label.lower() in {b"track", b"album"}:
        gain = int.from_bytes(rest[1:3], "big", signed=True) / 512
        tags.add(f"replaygain_{label.decode().lower()}_gain", f"{gain:.2f} dB")


def _people(data: bytes, tags: Tags) -> None:
    """Roles and names in turn."""
    texts = _texts(data)
    for role, name in zip(texts[::2], texts[1::2], strict=False):
        if name and role.lower() in {"narrator", "reader", "producer", "translator", "director", "conductor"}:
            add_free(tags, role, name)


_HANDLERS: Final[dict[str, Callable[[bytes, Tags], None]]] = {
    "TXXX": _own,
    "COMM": _comment,
    "TCON": _genres,
    "TRCK": lambda data, tags: add_number(tags, "track", _texts(data)[0]),
    "TPOS": lambda data, tags: add_number(tags, "disc", _texts(data)[0]),
    "MVIN": lambda data, tags: add_number(tags, "movement_number", _texts(data)[0]),
    "TDAT": lambda data, tags: tags.add("day_and_month", _texts(data)[0]),
    "PCST": lambda data, tags: tags.add("podcast", "1"),
    "WFED": lambda data, tags: tags.add("podcast", "1"),
    "USLT": lambda data, tags: tags.add("lyrics", "yes"),
    "RVA2": _gain,
    "TIPL": _people,
    "IPLS": _people,
    "TMCL": _people,
}
_WANTED: Final = frozenset((*_TEXTS, *_HANDLERS, "CHAP"))


def _texts(data: bytes) -> list[str]:
    """A text frame's values: NUL stands between them; there is always one, which may be empty."""
    return _decode(data[0] if data else 0, data[1:]).rstrip("\0").split("\0")


def _decode(encoding: int, data: bytes) -> str:
    if encoding == 1:
        return _utf16(data)
    if encoding == 2:
        return data[: len(data) & ~1].decode("utf-16-be", "replace")
    if encoding == 3:
        return data.decode("utf-8", "replace")
    return decode_text(data)  # Latin-1 by the standard; UTF-8 or Windows-1252 as it is written


def _utf16(data: bytes) -> str:
    """UTF-16 with a byte order mark, which may be there again before each value."""
    big = data.startswith(b"\xfe\xff")
    text = data[: len(data) & ~1].decode("utf-16-be" if big else "utf-16-le", "replace")
    return text.replace("\ufeff", "")


def _keep_chapter(data: bytes, version: int, chapters: list[Chapter]) -> None:
    """A chapter: a name for machines, times in milliseconds, offsets in bytes, and frames of its own."""
    _, _, rest = data.partition(b"\0")
    if len(rest) < 16:
        return
    start, end = int.from_bytes(rest[:4], "big"), int.from_bytes(rest[4:8], "big")
    inner = Media()
    inside = Reader.of(rest[16:])
    at = 0
    for _ in range(10):
        head = inside.at(at, 10)
        if len(head) < 10 or not head[:4].isalnum():
            break
        name, length = _frame_head(inside, head, at, inside.size, version)
        if name in {"TIT2", "TIT3"}:
            plain = _plain(inside.at(at + 10, length), head[9], version)
            if plain is not None:
                _frame(name, plain, inner)
        at += 10 + length
    chapters.append(Chapter(start / 1000, inner.tags.first("title", "subtitle"), end / 1000))


def parse_version_1(reader: Reader, media: Media) -> None:
    """Fill in from an ID3v1 tag, the last 128 bytes, what no better tag has said."""
    data = reader.at(reader.size - 128, 128)
    if len(data) < 128 or data[:3] != b"TAG":
        return
    fields = {
        "title": data[3:33], "artist": data[33:63], "album": data[63:93], "date": data[93:97],
        "comment": data[97:127],
}  # fmt: skip
    if data[125] == 0 and data[126]:
        fields["comment"] = data[97:125]
        if "track" not in media.tags:
            media.tags.add("track", str(data[126]))
    for name, value in fields.items():
        if name not in media.tags:
            media.tags.add(name, decode_text(value.partition(b"\0")[0]))
    if data[127] < len(GENRES) and "genre" not in media.tags and (data[127] or "title" in media.tags):
        media.tags.add("genre", GENRES[data[127]])
