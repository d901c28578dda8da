"""TAR archives: the list of files, and single small entries.

The standard library's tarfile loops for ever on a negative length in versions of Python that are in use
(CVE-2025-8194), and reads headers as long as they say.
Sources: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

from typing import Final

from censusd.extractors.archives.archive import MOST_ENTRIES, Archive, Entry, UnreadableError
from censusd.extractors.reading import FormatError, Reader

_BLOCK: Final = 512
_LONGEST_NAME: Final = 64 << 10
_FILES: Final = frozenset(b"\x000 7")
_LONG_NAME, _PAX = ord("L"), ord("x")


def is_tar(head: bytes) -> bool:
    """Whether these first bytes are a TAR's: by the checksum, because the oldest kind has no signature."""
    return len(head) >= _BLOCK and _checked(head[:_BLOCK])


class Tar(Archive):
    """A TAR archive, not compressed as a whole.

    Raises:
        FormatError: it is none.
    """

    container = "tar"

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        if not is_tar(reader.at(0, _BLOCK)):
            raise FormatError("it is no TAR archive")
        self._keep(self._list)

    def read(self, entry: Entry, most: int) -> bytes:
        """See ``Archive.read``."""
        if entry.size > most:
            raise UnreadableError(f"{entry.name} is longer than {most:,} bytes")
        data = self._reader.at(entry.place, entry.size)
        if len(data) < entry.size:
            raise UnreadableError(f"{entry.name} is cut off")
        return data

    def _list(self) -> None:
        at, said_name, said_size = 0, None, None
        while True:
            header = self._reader.at(at, _BLOCK)
            if not header.strip(b"\0"):
                if not header:
                    self.fault = "it was cut off" if at > self._reader.size else self.fault
                return
            if len(header) < _BLOCK or not _checked(header):
                self.fault = f"its header at byte {at} is damaged"
                return
            size, kind, place = _number(header[124:136]), header[156], at + _BLOCK
            if kind == _LONG_NAME:
                said_name = _text(self._reader.at(place, min(size, _LONGEST_NAME)))
            elif kind == _PAX:
                records = _pax(self._reader.at(place, min(size, _LONGEST_NAME)))
                said_name = records.get("path", said_name)
                digits = records.get("size", "")
                said_size = int(digits) if digits.isdecimal() and len(digits) < 20 else None
            else:
                size, said_size = (size if said_size is None else said_size), None
                name, said_name = said_name or _name(header), None
                if kind in _FILES and not name.endswith("/"):
                    if len(self.entries) >= MOST_ENTRIES:
                        self.fault = f"it has more than {MOST_ENTRIES:,} entries"
                        return
                    self.entries.append(Entry(name, size, size, place))
            at = place + -(-size // _BLOCK) * _BLOCK


def _checked(header: bytes) -> bool:
    said = header[148:156].strip(b" \0")
    if not said or not said.isdigit() or len(said) > 7:
        return False
    try:
        return int(said, 8) == sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    except ValueError:  # not octal
        return False


def _number(field: bytes) -> int:
    """A number in octal, or in base 256 where the first byte's top bit is set; never a negative one."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else 0
    digits = field.strip(b" \0")
    try:
        return max(0, int(digits, 8)) if digits else 0
    except ValueError:
        return 0


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _pax(data: bytes) -> dict[str, str]:
    """Records of the form ``LENGTH KEY=VALUE``, each with a newline that the length covers."""
    records, at = {}, 0
    while at < len(data):
        digits, space, _ = data[at : at + 8].partition(b" ")
        if not space or not digits.isdigit() or int(digits) <= len(digits) + 1:
            break
        key, _, value = data[at + len(digits) + 1 : at + int(digits)].rstrip(b"\n").partition(b"=")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        at += int(digits)
    return records
