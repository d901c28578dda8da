"""When a file was born: the one thing that statx(2) tells and Python's ``os.stat`` does not (on Linux, to 3.14)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Final

_AT_EMPTY_PATH: Final = 0x1000
_STATX_BTIME: Final = 0x800
_SIZE: Final = 256
# struct statx in <linux/stat.h>: stx_mask is the first __u32; stx_btime is at offset 80, {__s64 tv_sec; __u32 tv_nsec}.
_MASK: Final = struct.Struct("=I")
_BIRTH: Final = struct.Struct("=qI")
_BIRTH_OFFSET: Final = 80

_MOST: Final = (1 << 63) - 1
_LEAST: Final = -(1 << 63)

# Absent from a C library older than glibc 2.28 or musl 1.2.
_statx: Callable[..., int] | None = getattr(ctypes.CDLL(None), "statx", None)


def birth_ns(fd: int) -> int:
    """When the file open as ``fd`` was created, in nanoseconds since the epoch; 0 where nobody knows."""
    if _statx is None:
        return 0
    buffer = ctypes.create_string_buffer(_SIZE)
    if _statx(fd, b"", _AT_EMPTY_PATH, ctypes.c_uint(_STATX_BTIME), buffer) != 0:
        return 0
    if not _MASK.unpack_from(buffer)[0] & _STATX_BTIME:
        return 0
    seconds, nanoseconds = _BIRTH.unpack_from(buffer, _BIRTH_OFFSET)
    return fit(int(seconds) * 1_000_000_000 + int(nanoseconds))


def fit(nanoseconds: int) -> int:
    """A time that fits the catalogue's column. File systems can hold years before 1677 and after 2262."""
    return nanoseconds if _LEAST <= nanoseconds <= _MOST else max(_LEAST, min(_MOST, nanoseconds))
