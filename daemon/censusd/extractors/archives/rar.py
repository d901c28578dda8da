"""RAR archives of versions 1.5 to 4 and 5: the list of files, and entries that are stored as they are.

What is packed with RAR's own methods is not unpacked: there is no free and well-kept library for that with wheels, and
censusd does not start programs on files. So such an entry is said to be unreadable. The library rarfile is not used:
it starts unrar by itself for a packed comment of the archive, and takes quadratic time for a hostile one.
Sources: technote.txt of RAR 4.20; https://www.rarlab.com/technote.htm for RAR 5.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from censusd.extractors.archives.archive import MOST_ENTRIES, Archive, Entry, UnreadableError
from censusd.extractors.reading import FormatError, Reader

SIGNATURES: Final = (b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00")

_LONGEST_HEADER: Final = 2 << 20
_STORED4, _STORED5 = 0x30, 0
_BLOCK4: Final = struct.Struct("<HBHH")
_FILE4: Final = struct.Struct("<IIBIIBBHI")
_MAIN4, _FILE_TYPE4, _END4 = 0x73, 0x74, 0x7B
_MAIN5, _FILE_TYPE5, _ENCRYPTION5, _END5 = 1, 2, 4, 5


class Rar(Archive):
    """A RAR archive.

    Raises:
        FormatError: it is none.
    """

    container = "rar"

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        start = reader.at(0, 8)
        if not start.startswith(SIGNATURES):
            raise FormatError("it is no RAR archive")
        self._stored = _STORED4 if start.startswith(SIGNATURES[0]) else _STORED5
        self._keep(self._list4 if self._stored == _STORED4 else self._list5)
        if self.entries:
            self.encrypted = all(entry.encrypted for entry in self.entries)

    def read(self, entry: Entry, most: int) -> bytes:
        """See ``Archive.read``."""
        if entry.encrypted:
            raise UnreadableError(f"{entry.name} is encrypted")
        if entry.method != self._stored:
            raise UnreadableError(f"{entry.name} is packed with RAR's own method, which only unrar unpacks")
        if entry.packed > most:
            raise UnreadableError(f"{entry.name} is longer than {most:,} bytes")
        data = self._reader.at(entry.place, entry.packed)
        if len(data) < entry.packed or entry.size > entry.packed:
            raise UnreadableError(f"{entry.name} is cut off")
        return data

    def _note(self, entry: Entry, *, continues: bool, continued: bool) -> bool:
        """Add an entry, unless it is the rest of one in the part before; False where there are too many."""
        if len(self.entries) >= MOST_ENTRIES:
            self.fault = f"it has more than {MOST_ENTRIES:,} entries"
            return False
        if continues or continued:
            self.fault = "it is one part of several, of which only this one was read"
        if not continues:
            self.entries.append(entry)
        return True

    def _list4(self) -> None:
        at, ended = len(SIGNATURES[0]), False
        while not ended:
            header = self._reader.at(at, _BLOCK4.size)
            if len(header) < _BLOCK4.size:
                break  # the block that says the end came with version 3
            check, kind, flags, length = _BLOCK4.unpack(header)
            if length < _BLOCK4.size:
                self.fault = f"its block at byte {at} is damaged"
                return
            header = self._reader.at(at, length)
            data_length = int.from_bytes(header[7:11], "little") if flags & 0x8000 or kind == _FILE_TYPE4 else 0
            if kind == _MAIN4 and flags & 0x80:
                self.encrypted = True
                return
            if kind == _FILE_TYPE4:
                # With a comment in the header, the checksum does not cover all of it.
                if len(header) < length or (not flags & 8 and zlib.crc32(header[2:]) & 0xFFFF != check):
                    self.fault = f"its block at byte {at} is damaged"
                    return
                entry, data_length = _file4(header, flags, at + length)
                if (flags & 0xE0) != 0xE0 and not self._note(
                    entry, continues=bool(flags & 1), continued=bool(flags & 2)
                ):
                    return
            ended = kind == _END4
            at += length + data_length
        if at > self._reader.size:
            self.fault = "it was cut off"

    def _list5(self) -> None:
        at, ended = len(SIGNATURES[1]), False
        while not ended:
            start = self._reader.at(at, 16)
            if len(start) < 7:
                self.fault = "it was cut off"
                return
            length, body = _vint(start, 4)
            header = self._reader.at(at + body, length) if length <= _LONGEST_HEADER else b""
            whole = start[4:body] + header
            if len(header) < length or not header or zlib.crc32(whole) != int.from_bytes(start[:4], "little"):
                cut = at + body + length > self._reader.size
                self.fault = "it was cut off" if cut else f"its block at byte {at} is damaged"
                return
            kind, place = _vint(header, 0)
            flags, place = _vint(header, place)
            extra, place = _vint(header, place) if flags & 1 else (0, place)
            data_length, place = _vint(header, place) if flags & 2 else (0, place)
            if kind == _ENCRYPTION5:
                self.encrypted = True
                return
            if kind == _FILE_TYPE5:
                entry = _file5(header, place, max(0, length - extra), at + body + length, data_length)
                if entry and not self._note(entry, continues=bool(flags & 8), continued=bool(flags & 16)):
                    return
            ended = kind == _END5
            at += body + length + data_length


def _file4(header: bytes, flags: int, place: int) -> tuple[Entry, int]:
    """The entry that a file block of version 4 describes, and how many bytes of content follow it."""
    if len(header) < 7 + _FILE4.size:
        raise FormatError("one of its file blocks is too short")
    packed, unpacked, _, _, _, _, method, name_length, _ = _FILE4.unpack_from(header, 7)
    at = 7 + _FILE4.size
    if flags & 0x100:
        packed |= int.from_bytes(header[at : at + 4], "little") << 32
        unpacked |= int.from_bytes(header[at + 4 : at + 8], "little") << 32
        at += 8
    name = _name4(header[at : at + name_length], unicode=bool(flags & 0x200))
    return Entry(name, unpacked, packed, place, method, bool(flags & 4)), packed


def _name4(raw: bytes, *, unicode: bool) -> str:
    plain, mark, packed = raw.partition(b"\0")
    if unicode and mark:
        name = _unpacked_name(plain, packed)
    else:
        try:
            name = plain.decode()
        except UnicodeDecodeError:
            name = plain.decode("cp1252", "replace")
    return name.replace("\\", "/")


def _unpacked_name(plain: bytes, packed: bytes) -> str:
    """A name in RAR's own encoding of UTF-16: two bits say how each of the characters is made.

    Zero: a byte; one: a byte below the common high byte; two: two bytes; three: a run of characters as in the plain
    name, with a correction and the high byte if the count's top bit is set.
    """
    characters: list[int] = []
    high = packed[0] if packed else 0
    at, bits, left = 1, 0, 0
    while at < len(packed) and len(characters) < 2048:
        if not left:
            bits, left, at = packed[at], 8, at + 1
        left -= 2
        operands = packed[at : at + 2]
        match (bits >> left) & 3:
            case 0 if operands:
                characters.append(operands[0])
                at += 1
            case 1 if operands:
                characters.append(operands[0] | high << 8)
                at += 1
            case 2 if len(operands) == 2:
                characters.append(operands[0] | operands[1] << 8)
                at += 2
            case 3 if operands:
                count = (operands[0] & 0x7F) + 2
                corrected = operands[0] & 0x80 and len(operands) == 2
                at += 2 if corrected else 1
                run = plain[len(characters) : len(characters) + count]
                characters += [((byte + operands[1]) & 0xFF) | high << 8 for byte in run] if corrected else run
            case _:
                break
    return struct.pack(f"<{len(characters)}H", *characters).decode("utf-16-le", "replace")


def _file5(header: bytes, at: int, end: int, place: int, packed: int) -> Entry | None:
    """The entry that a file block of version 5 describes, or None for a directory.

    Args:
        header: the block without its checksum and length.
        at: where what is special to files begins.
        end: where the extra records begin.
        place: where the file's content is.
        packed: how many bytes that has.
    """
    flags, at = _vint(header, at)
    size, at = _vint(header, at)
    _, at = _vint(header, at)
    at += 4 * bool(flags & 2) + 4 * bool(flags & 4)
    packing, at = _vint(header, at)
    _, at = _vint(header, at)
    name_length, at = _vint(header, at)
    if flags & 1:
        return None
    name = header[at : min(at + name_length, end)].decode("utf-8", "replace").replace("\0", "")
    encrypted = False
    while end < len(header):
        length, start = _vint(header, end)
        kind, _ = _vint(header, start)
        encrypted = encrypted or kind == 1
        end = start + length
    return Entry(name, -1 if flags & 8 else size, packed, place, (packing >> 7) & 7, encrypted)


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise FormatError("one of its blocks is too short")
