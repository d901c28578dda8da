"""IPTC-IIM, what news agencies and the photo programs of the 1990s write into pictures, and the box it comes in.

A record is 0x1C, the record's and the data set's number and a length (IIM 4.2, 1.6). In JPEG, and often in TIFF, it is
inside one of Photoshop's image resources: ``8BIM``, a number, a name and a length (Photoshop File Formats).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from censusd.extractors.images.exif import iso_time
from censusd.extractors.images.found import Facts

MOST_RECORDS: Final = 2_000
IPTC_RESOURCE: Final = 0x0404

_TITLE, _KEYWORD, _DATE, _TIME, _CREATOR, _COPYRIGHT, _CAPTION = 5, 25, 55, 60, 80, 116, 120
_PLACES: Final = {90: "city", 92: "location", 95: "state", 101: "country", 105: "headline"}
_UTF8: Final = b"\x1b%G"


def resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Photoshop's image resources: their numbers and contents, as far as they are whole."""
    at = 0
    for _ in range(MOST_RECORDS):
        if data[at : at + 4] != b"8BIM" or at + 12 > len(data):
            return
        name = (data[at + 6] + 2) & ~1  # its length, one byte, and padding to an even number
        length = int.from_bytes(data[at + 6 + name : at + 10 + name], "big")
        start = at + 10 + name
        if start + length > len(data):
            return
        yield int.from_bytes(data[at + 4 : at + 6], "big"), data[start : start + length]
        at = start + length + length % 2


def records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Record, data set and value, as far as they are whole."""
    at = 0
    for _ in range(MOST_RECORDS):
        if at + 5 > len(data) or data[at] != 0x1C:
            return
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if length & 0x8000 or at + 5 + length > len(data):  # extended lengths are for pictures
            return
        yield data[at + 1], data[at + 2], data[at + 5 : at + 5 + length]
        at += 5 + length


def facts(data: bytes) -> Facts:
    """What a block of IPTC says."""
    one: dict[int, str] = {}
    many: dict[int, list[str]] = {_KEYWORD: [], _CREATOR: []}
    utf8 = False
    for record, dataset, value in records(data):
        if (record, dataset) == (1, 90):
            utf8 = value.startswith(_UTF8)
        elif record == 2:
            words = _decode(value, utf8=utf8)
            if words and dataset in many:
                many[dataset].append(words)
            elif words:
                one.setdefault(dataset, words)
    result: Facts = {name: one[number] for number, name in _PLACES.items() if number in one}
    for number, name in ((_TITLE, "title"), (_CAPTION, "description"), (_COPYRIGHT, "copyright")):
        if number in one:
            result[name] = one[number]
    if many[_KEYWORD]:
        result["keywords"] = many[_KEYWORD]
    if many[_CREATOR]:
        result["creators"] = many[_CREATOR]
    date, time = one.get(_DATE, ""), one.get(_TIME, "")
    if len(date) == 8:
        clock = f" {time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}" if len(time) in {6, 11} else ""
        created = iso_time(f"{date[:4]}-{date[4:6]}-{date[6:]}{clock}")
        if created:
            result["created"] = created
    return result


def _decode(value: bytes, *, utf8: bool) -> str:
    value = value.strip(b"\0 \r\n")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if utf8 else value.decode("latin-1")
