"""ZIP archives: the list at the end of the file, and single small entries.

The standard library's zipfile takes twice as long for a list of twenty names, reads a list as long as the file says,
and gives nothing for a file that was cut off. Source: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from itertools import islice
from typing import Final

from censusd.extractors.archives.archive import MOST_ENTRIES, Archive, Entry, UnreadableError
from censusd.extractors.archives.unpacking import FAULTS, PIECE, lzma1
from censusd.extractors.reading import FormatError, Reader

SIGNATURES: Final = (b"PK\3\4", b"PK\5\6")
"""How a ZIP begins: with an entry, or with the end of an empty list."""

LONGEST_DIRECTORY: Final = 16 << 20
_TAIL: Final = 22 + 65_535
_SHORT_TAIL: Final = 8192  # holds the list of a common archive, too, so that one read is enough
_END: Final = struct.Struct("<4s6xHIIH")
_END64: Final = struct.Struct("<4s28xQQQ")
_LISTED: Final = struct.Struct("<4s4xHH8xIIHHH8xI")
_LOCAL: Final = struct.Struct("<4s2xHH8xIIHH")
_FULL: Final = 0xFFFFFFFF
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 1, 8, 1 << 11
_METHODS: Final = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 96: "JPEG", 98: "PPMd", 99: "AES"}


class Zip(Archive):
    """A ZIP archive.

    Raises:
        FormatError: it is none, or nothing can be made of it.
    """

    container = "zip"

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self._shift = 0  # how far the archive begins behind what its own offsets count from
        found = self._find_directory()
        if found is None:
            self._keep(self._walk)
            return
        start, length = found
        self._list(self._reader.at(start, min(length, LONGEST_DIRECTORY)), length)
        self.encrypted = bool(self.entries) and all(entry.encrypted for entry in self.entries)

    def _find_directory(self) -> tuple[int, int] | None:
        """Where the list is, and how long; None where the file has none, because it was cut off."""
        end = self._find_end(_SHORT_TAIL) or self._find_end(_TAIL)
        if end is None:
            return None
        at, record = end
        _, count, length, offset, _ = _END.unpack(record)
        if count == 0xFFFF or _FULL in (length, offset):
            at, length, offset = self._zip64(at) or (at, length, offset)
        if length > at:
            return None
        # Something may stand before the archive, which its offsets do not know of: a program that unpacks it.
        self._shift = at - length - offset
        if length and self._reader.at(at - length, 4) != b"PK\1\2":
            self._shift = 0
            if self._reader.at(offset, 4) != b"PK\1\2":
                return None
            return offset, length
        return at - length, length

    def _find_end(self, tail: int) -> tuple[int, bytes] | None:
        tail = min(tail, self._reader.size)
        data = self._reader.at(self._reader.size - tail, tail)
        found = data.rfind(b"PK\5\6")
        while found >= 0:
            record = data[found : found + _END.size]
            if len(record) == _END.size:
                return self._reader.size - tail + found, record
            found = data.rfind(b"PK\5\6", 0, found)
        return None

    def _zip64(self, end: int) -> tuple[int, int, int] | None:
        """Where the larger end record is, and the list's length and offset as it says; None if there is none."""
        locator = self._reader.at(end - 20, 20)
        if locator[:4] != b"PK\6\7":
            return None
        # Where the locator points is wrong if something stands before the archive; the record ends where it begins.
        for at in (int.from_bytes(locator[8:16], "little"), end - 20 - _END64.size):
            record = self._reader.at(at, _END64.size)
            if len(record) == _END64.size and record[:4] == b"PK\6\6":
                _, _, length, offset = _END64.unpack(record)
                return at, length, offset
        return None

    def _list(self, data: bytes, length: int) -> None:
        entries, at, unpack, size = self.entries, 0, _LISTED.unpack_from, _LISTED.size
        while at + size <= len(data):
            mark, flags, method, packed, unpacked, name_length, extra_length, comment_length, offset = unpack(data, at)
            if mark != b"PK\1\2":
                break
            if len(entries) >= MOST_ENTRIES:
                self.fault = f"it has more than {MOST_ENTRIES:,} entries"
                return
            name_end = at + size + name_length
            name = _name(data[at + size : name_end], flags)
            if _FULL in (packed, unpacked, offset):
                extra = data[name_end : name_end + extra_length]
                unpacked, packed, offset = _large(extra, unpacked, packed, offset)
            at = name_end + extra_length + comment_length
            if not name.endswith("/"):
                entries.append(Entry(name, unpacked, packed, offset, method, bool(flags & _ENCRYPTED)))
        if at < min(length, len(data)) or length > len(data):
            self.fault = "its list of entries is damaged"

    def _walk(self) -> None:
        """List what can be found without the list at the end, from one entry to the next."""
        at = 0
        self.fault = "it was cut off: the list of entries at its end is missing"
        while len(self.entries) < MOST_ENTRIES:
            header = self._reader.at(at, _LOCAL.size)
            if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
                break
            _, flags, method, packed, unpacked, name_length, extra_length = _LOCAL.unpack(header)
            rest = self._reader.at(at + _LOCAL.size, name_length + extra_length)
            name = _name(rest[:name_length], flags)
            if _FULL in (packed, unpacked):
                unpacked, packed, _ = _large(rest[name_length:], unpacked, packed, 0)
            end = at + _LOCAL.size + name_length + extra_length + packed
            if end > self._reader.size:
                break
            if not name.endswith("/"):
                self.entries.append(Entry(name, unpacked, packed, at, method, bool(flags & _ENCRYPTED)))
            if flags & _SIZES_FOLLOW and not packed:
                break  # only unpacking it would tell where it ends
            at = end
        if not self.entries:
            raise FormatError("it is no ZIP archive, or one that was cut off in its first entry")

    def read(self, entry: Entry, most: int) -> bytes:
        """See ``Archive.read``."""
        if entry.size > most or entry.packed > most:
            raise UnreadableError(f"{entry.name} is longer than {most:,} bytes")
        content = _unpacked(entry, self._packed(entry, entry.packed), most + 1)
        if len(content) > most:  # it is longer than it says
            raise UnreadableError(f"{entry.name} is longer than {most:,} bytes")
        return content

    def begin(self, entry: Entry, most: int) -> bytes:
        """The beginning of an entry, or all of a short one; as ``read``, but no entry is too long."""
        return _unpacked(entry, self._packed(entry, min(entry.packed, most)), most)[:most]

    def _packed(self, entry: Entry, length: int) -> bytes:
        if entry.encrypted:
            raise UnreadableError(f"{entry.name} is encrypted")
        at = entry.place + self._shift
        header = self._reader.at(at, _LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
            raise UnreadableError(f"{entry.name} is not where the list of entries says")
        name_length, extra_length = _LOCAL.unpack(header)[-2:]
        data = self._reader.at(at + _LOCAL.size + name_length + extra_length, length)
        if len(data) < length:
            raise UnreadableError(f"{entry.name} is cut off")
        return data


def _unpacked(entry: Entry, data: bytes, most: int) -> bytes:
    """What packed bytes of an entry hold, ``most`` bytes of it at least, if there are so many.

    Raises:
        UnreadableError: nothing that can be read.
    """
    try:
        match entry.method:
            case 0:
                return data
            case 8:
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
            case 12:
                return bz2.BZ2Decompressor().decompress(data, most)
            case 14:
                # Two bytes of version, two of the length of the properties, these, and a bare stream (5.8.8).
                return b"".join(islice(lzma1([data[9:]], data[4:9], most), 1 + most // PIECE))
    except FAULTS as error:
        raise UnreadableError(f"{entry.name} is damaged ({error})") from error
    how = _METHODS.get(entry.method, f"method {entry.method}")
    raise UnreadableError(f"{entry.name} is packed with {how}, which is not read here")


def _name(raw: bytes, flags: int) -> str:
    """A name as text: many tools write UTF-8 without saying so, and the others mean code page 437."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = raw.decode("utf-8", "replace") if flags & _UTF8 else raw.decode("cp437")
    return name.replace("\\", "/") if "\\" in name else name


def _large(extra: bytes, unpacked: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset from the extra field of ZIP64, for those that do not fit (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [int.from_bytes(extra[at + 4 + i : at + 12 + i], "little") for i in range(0, min(length, 24), 8)]
            numbers = [values.pop(0) if each == _FULL and values else each for each in (unpacked, packed, offset)]
            return numbers[0], numbers[1], numbers[2]
        at += 4 + length
    return unpacked, packed, offset
