"""Small archives of the kinds that the standard library cannot make: RAR of both generations, and 7z.

Contents are stored, not packed; what is packed comes from files under ``tests/data/archives``.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping

Files = Mapping[str, bytes]


def zip_of(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tar_of(files: Files, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A TAR."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def rar4_of(files: Files, *, main_flags: int = 0, file_flags: int = 0, method: int = 0x30) -> bytes:
    """A RAR as versions 1.5 to 4 made them; whatever ``method`` it names, the contents are stored."""

    def block(kind: int, flags: int, body: bytes) -> bytes:
        rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest

    blocks = [b"Rar!\x1a\x07\x00", block(0x73, main_flags, bytes(6))]
    for name, content in files.items():
        raw = name.encode()
        size = len(content)
        body = struct.pack("<IIBIIBBHI", size, size, 3, zlib.crc32(content), 0, 20, method, len(raw), 0) + raw
        blocks += [block(0x74, 0x8000 | file_flags, body), content]
    return b"".join([*blocks, block(0x7B, 0, b"")])


def rar5_of(files: Files, *, file_flags: int = 0) -> bytes:
    """A RAR as versions 5 to 7 make them."""

    def number(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    def block(body: bytes) -> bytes:
        rest = number(len(body)) + body
        return struct.pack("<I", zlib.crc32(rest)) + rest

    blocks = [b"Rar!\x1a\x07\x01\x00", block(number(1) + number(0) + number(0))]
    for name, content in files.items():
        raw = name.encode()
        body = number(2) + number(2 | file_flags) + number(len(content))
        body += number(4) + number(len(content)) + number(0) + struct.pack("<I", zlib.crc32(content))
        body += number(0) + number(1) + number(len(raw)) + raw
        blocks += [block(body), content]
    return b"".join([*blocks, block(number(5) + number(0) + number(0))])


def seven_zip_of(files: Files) -> bytes:
    """A 7z with all contents in one stream, and its list as it is."""

    def number(value: int) -> bytes:
        return b"\xff" + struct.pack("<Q", value)

    contents = b"".join(files.values())
    sizes = [len(content) for content in files.values()]
    names = "".join(f"{name}\0" for name in files).encode("utf-16-le")
    header = b"".join(
        [
            b"\1\4",
            b"\6" + number(0) + number(1) + b"\x09" + number(len(contents)) + b"\0",
            b"\7\x0b" + number(1) + b"\0" + number(1) + b"\1\0" + b"\x0c" + number(len(contents)) + b"\0",
            b"\x08\x0d" + number(len(files)) + b"\x09" + b"".join(number(size) for size in sizes[:-1]) + b"\0",
            b"\0\5" + number(len(files)),
            b"\x11" + number(1 + len(names)) + b"\0" + names,
            b"\0\0",
        ]
    )
    where = struct.pack("<QQI", len(contents), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(where)) + where + contents + header
