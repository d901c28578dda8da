"""7z archives: the list of files, and single entries that are packed with LZMA, LZMA2, Deflate, bzip2 or not at all.

The library py7zr would bring nine more, most of them compiled, and 20 MB, in order to list names.
Source: 7zFormat.txt of the LZMA SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from censusd.extractors.archives.archive import Archive, Entry, UnreadableError
from censusd.extractors.archives.seven_zip_header import ENCODED_HEADER, HEADER, Fields, Stream
from censusd.extractors.archives.unpacking import FAULTS, PIECE, inflated, lzma1, lzma2, unbzipped
from censusd.extractors.reading import FormatError, Reader

SIGNATURE: Final = b"7z\xbc\xaf\x27\x1c"

MOST_UNPACKED: Final = 128 << 20
"""Bytes that are unpacked to get at an entry: 7z packs many files as one stream, and all before it has to go first."""
_LONGEST_HEADER: Final = 8 << 20


class SevenZip(Archive):
    """A 7z archive.

    Raises:
        FormatError: it is none, or its list of files is damaged or missing.
    """

    container = "7z"

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self._streams: list[Stream] = []
        start = reader.exactly(0, 32, "first header")
        if not start.startswith(SIGNATURE):
            raise FormatError("it is no 7z archive")
        offset, length = (int.from_bytes(start[at : at + 8], "little") for at in (12, 20))
        if length:
            self._list(32 + offset, length)
        if self.entries:
            self.encrypted = all(entry.encrypted for entry in self.entries)

    def _list(self, at: int, length: int) -> None:
        if length > _LONGEST_HEADER:
            raise FormatError("its list of files is longer than any real one")
        if at + length > self._reader.size:
            raise FormatError("it was cut off: the list of files at its end is missing")
        data = self._reader.exactly(at, length, "list of files")
        for _ in range(4):  # a list may be packed, and the list in there, too
            fields = Fields(data)
            kind = fields.byte()
            if kind == HEADER:
                self._match(*fields.header())
                return
            streams = fields.streams() if kind == ENCODED_HEADER else []
            if not streams:
                break
            if streams[0].encrypted:
                self.encrypted = True
                return
            if streams[0].size > _LONGEST_HEADER:
                raise FormatError("its list of files is longer than any real one")
            data = self._unpack(streams[0], 0, streams[0].size)
        raise FormatError("its list of files is damaged")

    def _match(self, streams: list[Stream], names: list[str], empty: list[bool]) -> None:
        """Give each file that has content the next content there is."""
        self._streams = streams
        contents = (
            (number, end - size, size)
            for number, stream in enumerate(streams)
            for size, end in zip(stream.contents, accumulate(stream.contents), strict=True)
        )
        for name, is_empty in zip(names, empty, strict=False):
            if is_empty:
                continue  # a directory, or a file of no length, which is no page and says nothing
            number, offset, size = next(contents, (-1, 0, 0))
            if number < 0:
                self.fault = "its list of files names more than there is"
                return
            self.entries.append(Entry(name, size, -1, offset, number, streams[number].encrypted))

    def read(self, entry: Entry, most: int) -> bytes:
        """See ``Archive.read``."""
        if entry.encrypted:
            raise UnreadableError(f"{entry.name} is encrypted")
        if entry.size > most:
            raise UnreadableError(f"{entry.name} is longer than {most:,} bytes")
        if entry.place + entry.size > MOST_UNPACKED:
            raise UnreadableError(f"more than {MOST_UNPACKED:,} bytes would have to be unpacked to read {entry.name}")
        try:
            return self._unpack(self._streams[entry.method], entry.place, entry.size)
        except UnreadableError as error:
            raise UnreadableError(f"{entry.name} cannot be read: {error}") from error

    def _unpack(self, stream: Stream, offset: int, size: int) -> bytes:
        """So many bytes of a stream, from an offset in what comes out of it."""
        kept, at = bytearray(), 0
        try:
            for piece in self._pieces(stream):
                kept += piece[max(0, offset - at) : max(0, offset + size - at)]
                at += len(piece)
                if at >= offset + size:
                    break
        except FAULTS as error:
            raise UnreadableError(f"it is damaged ({error})") from error
        if len(kept) < size:
            raise UnreadableError("it is cut off")
        return bytes(kept)

    def _pieces(self, stream: Stream) -> Iterator[bytes]:
        """What comes out of a stream.

        Raises:
            UnreadableError: it is packed in a way that is not known here.
        """
        if len(stream.coders) != 1:
            raise UnreadableError("it is packed with several methods in a row, which is not read here")
        method, properties = stream.coders[0]
        end = stream.place + stream.packed
        chunks = (self._reader.at(at, min(PIECE, end - at)) for at in range(stream.place, end, PIECE))
        match method:
            case b"\0":
                return chunks
            case b"\x03\x01\x01":
                return lzma1(chunks, properties, stream.size)
            case b"\x21":
                return lzma2(chunks, properties, stream.size)
            case b"\x04\x01\x08":
                return inflated(chunks)
            case b"\x04\x02\x02":
                return unbzipped(chunks)
        raise UnreadableError(f"it is packed with method {method.hex()}, which is not read here")
