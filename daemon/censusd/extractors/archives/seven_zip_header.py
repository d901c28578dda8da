"""The list of files of a 7z archive, and how their contents lie in it. Source: 7zFormat.txt of the LZMA SDK."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from censusd.extractors.archives.archive import MOST_ENTRIES
from censusd.extractors.reading import FormatError

HEADER: Final = 1
ENCODED_HEADER: Final = 23
AES: Final = b"\x06\xf1\x07\x01"

_END, _PROPERTIES, _MORE_STREAMS, _STREAMS, _FILES = 0, 2, 3, 4, 5
_PACKED, _FOLDERS, _SUBSTREAMS, _SIZE, _CRC, _FOLDER = 6, 7, 8, 9, 10, 11
_UNPACKED_SIZE, _COUNT, _EMPTY, _NAMES = 12, 13, 14, 17
_MOST_CODERS: Final = 32


@dataclass(slots=True)
class Stream:
    """One packed stream, which 7z calls a folder; it holds the contents of several files one after the other.

    Attributes:
        coders: what it was packed with: method and properties of each.
        ends: how many packed pieces it is in.
        outputs: how many sizes are noted for it: one for each output of a coder.
        last: which of these is the size of what comes out in the end.
        place: where in the file its first packed piece begins.
        packed: bytes of that.
        size: bytes that come out in the end.
        checked: whether one checksum is noted for all that comes out.
        contents: the sizes of the contents in it.
    """

    coders: list[tuple[bytes, bytes]]
    ends: int
    outputs: int
    last: int
    place: int = 0
    packed: int = 0
    size: int = 0
    checked: bool = False
    contents: list[int] = field(default_factory=list)

    @property
    def encrypted(self) -> bool:
        """Whether a password is needed."""
        return any(method == AES for method, _ in self.coders)


class Fields:
    """Reads the list field by field.

    Raises:
        FormatError: it ends too early, or a number in it cannot be.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """The next byte."""
        return self._take(1)[0]

    def header(self) -> tuple[list[Stream], list[str], list[bool]]:
        """The streams, the names of the files, and for each whether it has no content."""
        streams: list[Stream] = []
        kind = self.byte()
        if kind == _PROPERTIES:
            while self.byte() != _END:
                self._take(self._number())
            kind = self.byte()
        if kind == _MORE_STREAMS:
            self.streams()
            kind = self.byte()
        if kind == _STREAMS:
            streams = self.streams()
            kind = self.byte()
        return streams, *(self._files() if kind == _FILES else ([], []))

    def streams(self) -> list[Stream]:
        """The streams, with what is in them and where they are."""
        streams: list[Stream] = []
        place, packed = 0, [0]
        kind = self.byte()
        if kind == _PACKED:
            place, packed = self._packed()
            kind = self.byte()
        if kind == _FOLDERS:
            streams = self._folders()
            kind = self.byte()
        left = iter(packed)
        for stream in streams:
            pieces = list(islice(left, stream.ends))
            stream.place, stream.packed = place, pieces[0] if pieces else 0
            place += sum(pieces)
        if kind == _SUBSTREAMS:
            self._contents(streams)
            kind = self.byte()
        else:
            for stream in streams:
                stream.contents = [stream.size]
        if kind != _END:
            raise FormatError("its list of files is damaged")
        return streams

    def _take(self, length: int) -> bytes:
        data = self._data[self._at : self._at + length]
        if len(data) < length:
            raise FormatError("its list of files ends too early")
        self._at += length
        return data

    def _number(self) -> int:
        """A number whose first byte says by its leading ones how many follow."""
        first, value, mask = self.byte(), 0, 0x80
        for shift in range(0, 64, 8):
            if not first & mask:
                return value | (first & (mask - 1)) << shift
            value |= self.byte() << shift
            mask >>= 1
        return value

    def _count(self, most: int = MOST_ENTRIES) -> int:
        number = self._number()
        if number > most:
            raise FormatError(f"its list of files has more than {most:,} of a kind")
        return number

    def _bits(self, count: int) -> list[bool]:
        data = self._take((count + 7) // 8)
        return [bool(data[i >> 3] & (0x80 >> (i & 7))) for i in range(count)]

    def _checksums(self, count: int) -> list[bool]:
        """Which of so many have a checksum; the checksums are passed over."""
        defined = [True] * count if self.byte() else self._bits(count)
        self._take(4 * sum(defined))
        return defined

    def _packed(self) -> tuple[int, list[int]]:
        place, count, sizes = 32 + self._number(), self._count(), [0]
        while (kind := self.byte()) != _END:
            if kind == _SIZE:
                sizes = [self._number() for _ in range(count)]
            elif kind == _CRC:
                self._checksums(count)
            else:
                raise FormatError("its list of files is damaged")
        return place, sizes

    def _folders(self) -> list[Stream]:
        if self.byte() != _FOLDER:
            raise FormatError("its list of files is damaged")
        count = self._count()
        if self.byte():
            raise FormatError("its list of files is in several pieces, which is not read here")
        streams = [self._folder() for _ in range(count)]
        while (kind := self.byte()) != _END:
            if kind == _UNPACKED_SIZE:
                for stream in streams:
                    stream.size = [self._number() for _ in range(stream.outputs)][stream.last]
            elif kind == _CRC:
                for stream, checked in zip(streams, self._checksums(count), strict=True):
                    stream.checked = checked
            else:
                raise FormatError("its list of files is damaged")
        return streams

    def _folder(self) -> Stream:
        coders, inputs, outputs = [], 0, 0
        for _ in range(self._count(_MOST_CODERS)):
            flags = self.byte()
            method = self._take(flags & 0x0F)
            inputs += self._count(_MOST_CODERS) if flags & 0x10 else 1
            outputs += self._count(_MOST_CODERS) if flags & 0x10 else 1
            coders.append((method, self._take(self._number()) if flags & 0x20 else b""))
        if not outputs:
            raise FormatError("its list of files is damaged")
        bound = set()
        for _ in range(outputs - 1):
            self._number()
            bound.add(self._number())
        ends = inputs - (outputs - 1)
        if ends > 1:
            for _ in range(ends):
                self._number()
        last = next((output for output in range(outputs) if output not in bound), 0)
        return Stream(coders, max(ends, 0), outputs, last)

    def _contents(self, streams: list[Stream]) -> None:
        counts = [1] * len(streams)
        kind = self.byte()
        if kind == _COUNT:
            counts = [self._count() for _ in streams]
            if sum(counts) > MOST_ENTRIES:
                raise FormatError(f"it has more than {MOST_ENTRIES:,} entries")
            kind = self.byte()
        for stream, count in zip(streams, counts, strict=True):
            if count:
                # The last one's size is what the others leave.
                sizes = [self._number() for _ in range(count - 1)] if kind == _SIZE else [0] * (count - 1)
                stream.contents = [*sizes, max(0, stream.size - sum(sizes))]
        if kind == _SIZE:
            kind = self.byte()
        # A stream with one file in it and a checksum of its own needs none for the file.
        unchecked = sum(n for stream, n in zip(streams, counts, strict=True) if n != 1 or not stream.checked)
        while kind != _END:
            if kind != _CRC:
                raise FormatError("its list of files is damaged")
            self._checksums(unchecked)
            kind = self.byte()

    def _files(self) -> tuple[list[str], list[bool]]:
        count = self._count()
        names: list[str] = []
        empty = [False] * count
        while (kind := self._number()) != _END:
            length = self._number()
            end = self._at + length
            if kind == _EMPTY:
                empty = self._bits(count)
            elif kind == _NAMES:
                if self.byte():
                    raise FormatError("its list of files is in several pieces, which is not read here")
                names = self._take(length - 1).decode("utf-16-le", "replace").split("\0")[:count]
            self._at = end
        return names, empty
