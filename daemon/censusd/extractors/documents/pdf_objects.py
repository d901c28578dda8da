"""Finds single objects in a PDF: the catalog, and the XMP packet that it points to, which PDFium does not give.

No PDF is parsed here: one object is looked up in the cross-reference tables or streams, and its dictionary is searched
for the few keys that matter. What cannot be found so (a damaged table, an encrypted stream) is not found.
Source: ISO 32000-1, 7.5.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

from censusd.extractors.reading import Reader, TooMuchError

LONGEST_OBJECT: Final = 64 << 10
"""Bytes of an object's dictionary that are looked at."""
LONGEST_STREAM: Final = 4 << 20
LONGEST_PACKET: Final = 32 << 20
"""Bytes of XMP. Illustrator and Photoshop have written some MiB, with small pictures and the history of layers."""
_LONGEST_TABLE: Final = 16 << 20
_MOST_SECTIONS: Final = 64
"""Updates of a file, each with a table of its own, and the parts of a table."""

_START: Final = re.compile(rb"startxref\s+(\d{1,12})")
_OBJECT: Final = re.compile(rb"\s*(\d{1,10})\s+(\d{1,5})\s+obj\b")
_SUBSECTION: Final = re.compile(rb"\s*(\d{1,10})\s+(\d{1,10})[ \t]*\r?\n?")
_ENTRY: Final = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
_WIDTHS: Final = re.compile(rb"/W\s*\[\s*(\d)\s+(\d)\s+(\d)\s*\]")
_INDEX: Final = re.compile(rb"/Index\s*\[([\d\s]{1,4000})\]")
_STREAM: Final = re.compile(rb"stream\r?\n")


@dataclass(slots=True)
class _Section:
    """One cross-reference table or stream: where objects are, and the trailer's dictionary."""

    trailer: bytes
    table: list[tuple[int, int, int]]  # first number, count, where in the file the entries begin
    rows: bytes = b""
    widths: tuple[int, int, int] = (0, 0, 0)
    index: tuple[int, ...] = ()


class Objects:
    """Looks up objects.

    Attributes:
        trailer: the newest trailer's dictionary.
        catalog: the catalog's dictionary, empty where it was not found.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._shift = max(0, reader.at(0, 1024).find(b"%PDF-"))  # offsets count from there
        self._sections = self._read_sections()
        self.trailer = self._sections[0].trailer if self._sections else b""
        root = next((number for section in self._sections if (number := reference(section.trailer, b"Root"))), None)
        self.catalog = (self.lookup(root) or b"") if root is not None else b""

    @property
    def is_encrypted(self) -> bool:
        """Whether strings and streams are encrypted."""
        return any(b"/Encrypt" in section.trailer for section in self._sections)

    def metadata(self) -> bytes | None:
        """The XMP packet of the document as a whole, or None.

        Raises:
            TooMuchError: it is longer than any real one.
        """
        number = reference(self.catalog, b"Metadata")
        at = self._place(number) if number is not None else None
        if at is None:
            return None
        data = self._stream(at, LONGEST_PACKET + 1)
        if data and len(data) > LONGEST_PACKET:
            raise TooMuchError("its XMP packet is longer than any real one")
        return data if data and (b"xmpmeta" in data or b"RDF" in data or b"\0R\0D\0F" in data) else None

    def lookup(self, number: int) -> bytes | None:
        """The beginning of an object, with its dictionary, or None."""
        for section in self._sections:
            entry = self._entry(section, number)
            if entry is None:
                continue
            kind, first, second = entry
            if kind == 1:
                data = self._object(first + self._shift, number)
                return data.partition(b"endobj")[0] if data is not None else None
            return self._from_stream(first, second, number) if kind == 2 else None
        return None

    def _place(self, number: int) -> int | None:
        """Where an object that is not in a stream begins."""
        for section in self._sections:
            entry = self._entry(section, number)
            if entry is not None:
                return entry[1] + self._shift if entry[0] == 1 else None
        return None

    def _object(self, at: int, number: int | None = None) -> bytes | None:
        data = self._reader.at(at, LONGEST_OBJECT)
        head = _OBJECT.match(data)
        return data[head.end() :] if head and number in (None, int(head[1])) else None

    def _read_sections(self) -> list[_Section]:
        tail = self._reader.at(max(0, self._reader.size - 2048), 2048)
        starts = _START.findall(tail)
        waiting = [int(starts[-1])] if starts else []
        sections: list[_Section] = []
        seen: set[int] = set()
        while waiting and len(sections) < _MOST_SECTIONS:
            at = waiting.pop(0)
            if at in seen:
                continue
            seen.add(at)
            section = self._table(at + self._shift) or self._cross_reference_stream(at + self._shift)
            if section is None:
                break
            sections.append(section)
            waiting.extend(
                number for key in (b"XRefStm", b"Prev") if (number := whole_number(section.trailer, key)) is not None
            )
        return sections

    def _table(self, at: int) -> _Section | None:
        """A table: lines of twenty bytes, so that the one of an object can be found without reading the others."""
        start = re.match(rb"\s*xref\s*", self._reader.at(at, 64))
        if not start:
            return None
        at += start.end()
        section = _Section(b"", [])
        for _ in range(_MOST_SECTIONS * 16):
            part = _SUBSECTION.match(self._reader.at(at, 64))
            if part is None:
                break
            at += part.end()
            section.table.append((int(part[1]), int(part[2]), at))
            at += 20 * int(part[2])
        # Some tools write lines of nineteen bytes; then the trailer is not where it should be.
        data = self._reader.at(max(0, at - 32), LONGEST_OBJECT)
        found = data.find(b"trailer")
        if found < 0:
            return None
        section.trailer = data[found:].partition(b"startxref")[0]
        return section

    def _cross_reference_stream(self, at: int) -> _Section | None:
        dictionary = self._object(at)
        if dictionary is None:
            return None
        dictionary = dictionary.partition(b"stream")[0]
        widths = _WIDTHS.search(dictionary)
        rows = self._stream(at, _LONGEST_TABLE)
        if widths is None or rows is None:
            return None
        index = _INDEX.search(dictionary)
        numbers = (
            tuple(int(each) for each in index[1].split()) if index else (0, whole_number(dictionary, b"Size") or 0)
        )
        return _Section(dictionary, [], rows, (int(widths[1]), int(widths[2]), int(widths[3])), numbers)

    def _entry(self, section: _Section, number: int) -> tuple[int, int, int] | None:
        """Kind (0: free, 1: in the file, 2: in a stream) and place of an object, or None if this section is silent."""
        for first, count, at in section.table:
            if first <= number < first + count:
                entry = _ENTRY.match(self._reader.at(at + 20 * (number - first), 20))
                return (int(entry[3] == b"n"), int(entry[1]), 0) if entry else None
        width, before = sum(section.widths), 0
        for first, count in zip(section.index[::2], section.index[1::2], strict=False):
            if first <= number < first + count:
                row = section.rows[(before + number - first) * width :][:width]
                if len(row) < width or not width:
                    return None
                one, two, _ = section.widths
                kind = int.from_bytes(row[:one], "big") if one else 1
                return kind, int.from_bytes(row[one : one + two], "big"), int.from_bytes(row[one + two :], "big")
            before += count
        return None

    def _stream(self, at: int, most: int) -> bytes | None:
        """What a stream holds, if it is not packed or packed with Flate."""
        data = self._object(at)
        begin = _STREAM.search(data) if data is not None else None
        if data is None or begin is None:
            return None
        dictionary = data[: begin.start()]
        head = len(self._reader.at(at, LONGEST_OBJECT)) - len(data)
        length = whole_number(dictionary, b"Length")
        if (number := reference(dictionary, b"Length")) is not None:
            said = re.match(rb"\s*(\d{1,10})", self.lookup_plain(number) or b"")
            length = int(said[1]) if said else None
        if length is None or length > most:
            return None
        content = self._reader.at(at + head + begin.end(), length)
        if b"/Filter" not in dictionary:
            return content
        if not re.search(rb"/Filter\s*\[?\s*/(?:FlateDecode|Fl)\b\s*\]?\s*(?![\s/]*/\w+Decode)", dictionary):
            return None
        try:
            content = zlib.decompressobj().decompress(content, most)
        except zlib.error:
            return None
        predictor = whole_number(dictionary, b"Predictor") or 1
        return content if predictor < 10 else _unpredicted(content, whole_number(dictionary, b"Columns") or 1)

    def lookup_plain(self, number: int) -> bytes | None:
        """As ``lookup``, but not in streams, which may need this very number to be read."""
        at = self._place(number)
        return self._object(at, number) if at is not None else None

    def _from_stream(self, holder: int, place: int, number: int) -> bytes | None:
        """An object that is in an object stream (7.5.7)."""
        at = self._place(holder)
        dictionary = self._object(at, holder) if at is not None else None
        if at is None or dictionary is None:
            return None
        dictionary = dictionary.partition(b"stream")[0]
        first = whole_number(dictionary, b"First")
        data = self._stream(at, LONGEST_STREAM)
        if first is None or data is None:
            return None
        numbers = data[:first].split()[: 2 * (place + 2)]
        pair = numbers[2 * place : 2 * place + 2]
        if len(pair) < 2 or not all(each.isdigit() and len(each) < 12 for each in pair) or int(pair[0]) != number:
            return None
        return data[first + int(pair[1]) :][:LONGEST_OBJECT]


def reference(dictionary: bytes, key: bytes) -> int | None:
    """The number of the object that a key refers to, or None."""
    found = re.search(rb"/" + key + rb"\s+(\d{1,10})\s+\d{1,5}\s+R\b", dictionary)
    return int(found[1]) if found else None


def whole_number(dictionary: bytes, key: bytes) -> int | None:
    """The number under a key, or None; not one of a reference."""
    found = re.search(rb"/" + key + rb"\s+(\d{1,12})(?!\s+\d+\s+R\b)\b", dictionary)
    return int(found[1]) if found else None


def _unpredicted(data: bytes, columns: int) -> bytes:
    """Rows that were coded as differences to the row above, or to the left (7.4.4.4, and the PNG specification)."""
    if not 0 < columns <= 64:
        return b""
    rows, above = [], bytes(columns)
    for at in range(0, len(data) - columns, columns + 1):
        kind, row = data[at], data[at + 1 : at + 1 + columns]
        if kind == 2:
            row = bytes((one + two) & 0xFF for one, two in zip(row, above, strict=True))
        elif kind == 1:
            left = bytearray(row)
            for place in range(1, columns):
                left[place] = (left[place] + left[place - 1]) & 0xFF
            row = bytes(left)
        elif kind:
            return b""
        rows.append(row)
        above = row
    return b"".join(rows)
