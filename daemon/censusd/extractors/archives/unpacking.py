"""Unpacking piece by piece, so that no stream can make more memory than a piece of it takes.

Each function takes a packed stream in chunks and gives what comes out in pieces of ``PIECE`` bytes at most.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

PIECE: Final = 256 << 10
"""Bytes unpacked at a time."""
LARGEST_DICTIONARY: Final = 128 << 20

FAULTS: Final = (zlib.error, lzma.LZMAError, OSError, EOFError)
"""What these functions raise for a damaged stream."""


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What a bare Deflate stream holds (RFC 1951)."""
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    for chunk in chunks:
        left = chunk
        while left and not decompressor.eof:
            yield decompressor.decompress(left, PIECE)
            left = decompressor.unconsumed_tail


def unbzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What a bzip2 stream holds."""
    return _drained(bz2.BZ2Decompressor(), chunks)


def lzma1(chunks: Iterable[bytes], properties: bytes, size: int) -> Iterator[bytes]:
    """What a bare LZMA stream of so many bytes, unpacked, holds; the properties are those five bytes that go with it.

    Raises:
        lzma.LZMAError: there are no such properties.
    """
    if len(properties) != 5 or properties[0] >= 9 * 5 * 5:
        raise lzma.LZMAError("unknown properties")
    literal, rest = properties[0] % 9, properties[0] // 9
    dictionary = _dictionary(int.from_bytes(properties[1:], "little"), size)
    filters = {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": literal, "lp": rest % 5, "pb": rest // 5}
    return _drained(_raw(filters), chunks)


def lzma2(chunks: Iterable[bytes], properties: bytes, size: int) -> Iterator[bytes]:
    """What a bare LZMA2 stream of so many bytes, unpacked, holds; the properties are the one byte that goes with it.

    Raises:
        lzma.LZMAError: there are no such properties.
    """
    if len(properties) != 1 or properties[0] > 40:
        raise lzma.LZMAError("unknown properties")
    bits = properties[0]
    return _drained(
        _raw({"id": lzma.FILTER_LZMA2, "dict_size": _dictionary((2 | bits & 1) << (bits // 2 + 11), size)}), chunks
    )


def _dictionary(said: int, size: int) -> int:
    """Memory that is taken at once, and never needs to be larger than what comes out, whatever the file says."""
    return max(4096, min(said, size, LARGEST_DICTIONARY))


def _raw(filters: Mapping[str, int]) -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])


def _drained(decompressor: lzma.LZMADecompressor | bz2.BZ2Decompressor, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        left = chunk
        while not decompressor.eof and (left or not decompressor.needs_input):
            yield decompressor.decompress(left, PIECE)
            left = b""
