"""What an MP4 says of itself: iTunes' list, QuickTime's keys and user data, 3GPP's user data.

Sources: Apple's QuickTime File Format (user data, metadata), 3GPP TS 26.244 section 8, and for iTunes' list, which
nobody has specified, what iTunes, mp4v2, AtomicParsley, Picard, Mp3tag and tone write.
"""

from __future__ import annotations

import re
import struct
from itertools import islice
from typing import Final

from censusd.extractors.boxes import Box, body, find, inside
from censusd.extractors.media import mp4_chapters
from censusd.extractors.media.facts import LONGEST_VALUE, Media
from censusd.extractors.media.genres import GENRES
from censusd.extractors.media.places import set_place
from censusd.extractors.media.tags import add_free, decode_text, decode_utf16
from censusd.extractors.reading import Reader

_LONGEST: Final = 4 * LONGEST_VALUE
_MOST_ITEMS: Final = 1_000
_TEXTS: Final = {
    "©nam": "title", "©ART": "artist", "aART": "album_artist", "©alb": "album", "©wrt": "composer",
    "©com": "composer", "©nrt": "narrator", "©gen": "genre", "©day": "date", "©cmt": "comment", "©inf": "comment",
    "desc": "description", "ldes": "synopsis", "sdes": "synopsis", "©des": "description", "cprt": "copyright",
    "©cpy": "copyright", "©pub": "publisher", "©lab": "publisher", "rldt": "release_date", "©grp": "grouping",
    "©too": "encoder", "©swr": "software", "©enc": "encoded_by", "©lyr": "lyrics", "©mvn": "movement",
    "©st3": "subtitle", "©con": "conductor", "©dir": "director", "©prd": "producer", "©prf": "performer",
    "©arg": "arranger", "©wrk": "work", "keyw": "keywords", "catg": "category", "tvsh": "show", "tvnn": "network",
    "tven": "episode_id", "sonm": "title_sort", "soal": "album_sort", "soar": "artist_sort",
    "soaa": "album_artist_sort", "soco": "composer_sort", "CDEK": "asin", "asin": "asin", "©mak": "camera_make",
    "©mod": "camera_model", "©aut": "author", "©isr": "isrc", "©PRD": "producer", "©dis": "disclaimer",
    "©key": "keywords", "©url": "url",
}  # fmt: skip
_MOBILE: Final = {
    "titl": "title", "auth": "artist", "perf": "artist", "gnre": "genre", "dscp": "description", "cprt": "copyright",
    "albm": "album",
}  # fmt: skip
"""3GPP's, which are not built as the others are."""
_NUMBERS: Final = {"tmpo": "bpm", "©mvi": "movement_number", "tves": "episode", "tvsn": "season"}
_FLAGS: Final = {"cpil": "compilation", "pcst": "podcast", "shwm": "show_movement"}
_PODCAST: Final = 21
"""The media type (``stik``) of a podcast."""
_APPLE: Final = "com.apple.quicktime."
_SONY: Final = re.compile(rb'<Device\s[^>]{0,300}?manufacturer="([^"]{1,100})"[^>]{0,300}?modelName="([^"]{1,100})"')
_SONY_TIME: Final = re.compile(rb'<CreationDate\s[^>]{0,300}?value="([^"]{1,40})"')


def user_data(reader: Reader, udta: Box, media: Media) -> None:
    """A ``udta`` box: chapters, iTunes' list inside ``meta``, and QuickTime's or 3GPP's own texts."""
    for box in islice(inside(reader, udta), _MOST_ITEMS):
        name = box.kind.decode("latin-1")
        if box.kind == b"chpl":
            mp4_chapters.from_list(reader, box, media)
        elif box.kind == b"meta":
            metadata(reader, box, media)
        elif box.kind == b"loci":
            _location(media, body(reader, box, 1024))
        elif name == "©xyz":
            set_place(media, _quicktime_text(body(reader, box, 256)))
        elif name.startswith("©") and name in _TEXTS:
            media.tags.add(_TEXTS[name], _quicktime_text(body(reader, box, _LONGEST)))
        elif name in _MOBILE:
            media.tags.add(_MOBILE[name], _either(body(reader, box, _LONGEST)[6:]))
        elif name == "yrrc":
            media.tags.add("date", str(int.from_bytes(reader.at(box.body + 4, 2), "big")))


def track_name(reader: Reader, udta: Box) -> str | None:
    """What a track calls itself."""
    for box in inside(reader, udta):
        if box.kind == b"name":
            return decode_text(body(reader, box, 512)).strip("\0 ") or None
        if box.kind == b"titl":
            return _either(body(reader, box, 512)[6:]).strip("\0 ") or None
    return None


def metadata(reader: Reader, meta: Box, media: Media) -> None:
    """A ``meta`` box: iTunes' list of items, or QuickTime's with keys of its own, or the XML of a camera."""
    skip = 0 if reader.at(meta.body + 4, 4) == b"hdlr" else 4
    keys: list[str] = []
    for box in inside(reader, meta, skip):
        if box.kind == b"keys":
            keys = _keys(reader, box)
        elif box.kind == b"ilst":
            for item in islice(inside(reader, box), _MOST_ITEMS):
                number = int.from_bytes(item.kind[:4], "big")
                if keys and 0 < number <= len(keys):
                    _keyed(reader, item, keys[number - 1], media)
                else:
                    _item(reader, item, media)
        elif box.kind == b"xml ":
            _camera(media, body(reader, box, 65_536))


def _keys(reader: Reader, box: Box) -> list[str]:
    names = islice(inside(reader, box, 8), _MOST_ITEMS)
    return [body(reader, name, 256).decode("utf-8", "replace") for name in names]


def _keyed(reader: Reader, item: Box, key: str, media: Media) -> None:
    """An item of QuickTime's list, by the name that its key has."""
    for text in _values(reader, item):
        name = key.removeprefix(_APPLE)
        if name == "location.ISO6709" or key in {"location", "location-eng"}:
            set_place(media, text)
        elif name == "creationdate":
            media.facts.setdefault("capture_time", text[:40])
        elif name == "artwork":
            media.has_cover = True
        elif name == "displayname":
            media.tags.add("title", text)
        elif name == "author":
            media.tags.add("artist", text)
        else:
            add_free(media.tags, name, text)


def _item(reader: Reader, item: Box, media: Media) -> None:
    """An item of iTunes' list."""
    name = item.kind.decode("latin-1")
    if name == "covr":
        media.has_cover = True
    elif name == "----":
        _own(reader, item, media)
    elif name in _TEXTS:
        for text in _values(reader, item):
            media.tags.add(_TEXTS[name], text)
    else:
        for data in _data(reader, item, 8):
            _binary(name, data, media)


def _own(reader: Reader, item: Box, media: Media) -> None:
    """An item with a name of somebody's own."""
    key = find(reader, item.body, item.end, b"name")
    if key:
        label = body(reader, key, 200)[4:].decode("utf-8", "replace")
        for text in _values(reader, item):
            add_free(media.tags, label, text)


def _binary(name: str, data: bytes, media: Media) -> None:
    """An item that is a number, a flag, or two numbers."""
    number = int.from_bytes(data, "big")
    if name in {"trkn", "disk"}:
        key = "track" if name == "trkn" else "disc"
        for label, value in ((key, data[2:4]), (f"{key}_total", data[4:6])):
            if any(value):
                media.tags.add(label, str(int.from_bytes(value, "big")))
    elif name == "gnre" and 0 < number <= len(GENRES):
        media.tags.add("genre", GENRES[number - 1])
    elif name == "stik":
        media.facts.setdefault("media_type", number)
        if number == _PODCAST:
            media.tags.add("podcast", "1")
    elif name in _FLAGS:
        media.tags.add(_FLAGS[name], str(int(any(data))))
    elif name in _NUMBERS and number:
        media.tags.add(_NUMBERS[name], str(number))


def _data(reader: Reader, item: Box, longest: int) -> list[bytes]:
    parts = islice(inside(reader, item), 50)
    return [body(reader, part, longest + 8)[8:] for part in parts if part.kind == b"data"]


def _values(reader: Reader, item: Box) -> list[str]:
    """An item's values as text: types 1 (UTF-8), 2 (UTF-16), 0 (nobody knows), 21 and 22 (integers), 23 (a float)."""
    values = []
    for box in islice(inside(reader, item), 100):
        if box.kind != b"data" or box.length < 8:
            continue
        head = reader.at(box.body, 8)
        kind = int.from_bytes(head[1:4], "big")
        data = reader.at(box.body + 8, min(box.length - 8, _LONGEST))
        if kind in {1, 4}:
            values.append(decode_text(data))
        elif kind in {2, 5}:
            values.append(data.decode("utf-16-be", "replace"))
        elif kind == 0 and b"\0" not in data:
            values.append(decode_text(data))
        elif kind in {21, 22, 65, 66, 67, 74, 75, 76, 77, 78} and len(data) <= 8:
            values.append(str(int.from_bytes(data, "big", signed=kind in {21, 65, 66, 67, 74})))
        elif kind == 23 and len(data) == 4:
            values.append(f"{struct.unpack('>f', data)[0]:g}")
    return values


def _quicktime_text(data: bytes) -> str:
    """QuickTime's text: two bytes of length, two of language, the text; from some programs a ``data`` box."""
    if data[4:8] == b"data":
        return decode_text(data[16:])
    length = int.from_bytes(data[:2], "big")
    return decode_text(data[4 : 4 + length])


def _either(data: bytes) -> str:
    """3GPP's text: UTF-16 if it begins with a byte order mark, else UTF-8."""
    return decode_utf16(data) if data[:2] in {b"\xfe\xff", b"\xff\xfe"} else decode_text(data.partition(b"\0")[0])


def _location(media: Media, data: bytes) -> None:
    """3GPP's place: a name, then longitude, latitude and altitude in 16.16."""
    wide = data[6:8] == b"\xfe\xff"
    end = data.find(b"\0\0" if wide else b"\0", 6)
    at = end + (3 if wide else 2)
    if end < 0 or len(data) < at + 12:
        return
    longitude, latitude, altitude = (
        int.from_bytes(data[at + i : at + i + 4], "big", signed=True) / 65536 for i in (0, 4, 8)
    )
    if media.latitude is None and abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
        media.latitude, media.longitude, media.altitude = latitude, longitude, altitude


def _camera(media: Media, data: bytes) -> None:
    """The few facts worth having of the XML that Sony's cameras write (and no XML parser for them)."""
    device, time = _SONY.search(data), _SONY_TIME.search(data)
    if device:
        media.tags.add("camera_make", decode_text(device[1]))
        media.tags.add("camera_model", decode_text(device[2]))
    if time:
        media.facts.setdefault("capture_time", decode_text(time[1]))
