"""Archives are listed by their content, whatever they are called, and small entries of them are read."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.archives.archive import Archive, UnreadableError
from censusd.extractors.archives.kinds import kind_of
from censusd.extractors.archives.rar import _name4
from censusd.extractors.archives.zip import Zip
from censusd.extractors.reading import Reader
from tests.tools.tiny_archives import rar4_of, rar5_of, seven_zip_of, tar_of, zip_of

DATA = Path(__file__).parents[2] / "data" / "archives"
FILES = {"a/p2.jpg": b"two", "a/p10.jpg": b"ten" * 100, "ComicInfo.xml": b"<ComicInfo/>", "é 日本.txt": b"text"}
MAKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zip_of,
    "rar4": rar4_of,
    "rar5": rar5_of,
    "7z": seven_zip_of,
    "tar": tar_of,
}
MOST = 1 << 20


def opened(data: bytes) -> Archive:
    kind = kind_of(data[:512])
    assert kind is not None
    return kind(Reader.of(data))


def names(archive: Archive) -> list[str]:
    return [entry.name for entry in archive.entries]


def content(archive: Archive, name: str) -> bytes:
    return archive.read(next(entry for entry in archive.entries if entry.name == name), MOST)


@pytest.mark.parametrize("kind", MAKERS)
def test_names_and_contents_come_back(kind: str) -> None:
    archive = opened(MAKERS[kind](FILES))
    assert archive.container == kind.rstrip("45")
    assert archive.fault is None
    assert not archive.encrypted
    assert names(archive) == list(FILES)
    assert {name: content(archive, name) for name in names(archive)} == FILES
    assert [entry.size for entry in archive.entries] == [len(each) for each in FILES.values()]


@given(
    st.dictionaries(
        st.text("abcé日/. ", min_size=1, max_size=12).filter(lambda name: name[-1] not in "/ ."),
        st.binary(min_size=1, max_size=50),
        min_size=1,
        max_size=6,
    )
)
def test_any_files_come_back_from_any_kind(files: dict[str, bytes]) -> None:
    for make in MAKERS.values():
        archive = opened(make(files))
        assert [(entry.name, archive.read(entry, MOST)) for entry in archive.entries] == list(files.items())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods(method: int) -> None:
    assert content(opened(zip_of(FILES, method)), "a/p10.jpg") == FILES["a/p10.jpg"]


def test_zip64_and_a_comment_and_something_before_it() -> None:
    target = io.BytesIO(b"#!/bin/sh\nexit\n" + bytes(5000))
    target.seek(0, io.SEEK_END)
    with zipfile.ZipFile(target, "a") as archive:
        with archive.open("large.jpg", "w", force_zip64=True) as entry:
            entry.write(b"page")
        archive.comment = b"c" * 60_000
    data = target.getvalue()
    assert content(Zip(Reader.of(data)), "large.jpg") == b"page"
    # The same with the end records of ZIP64, which zipfile writes only for 65,536 entries or 4 GiB.
    end = data.rfind(b"PK\5\6")
    _, count, length, offset, comment = struct.unpack("<4s6xHIIH", data[end : end + 22])
    assert (count, comment) == (1, 60_000)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    ending = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert content(Zip(Reader.of(data[:end] + record + locator + ending)), "large.jpg") == b"page"


def test_offsets_that_do_not_know_of_what_stands_before() -> None:
    data = b"a program that unpacks what follows" + zip_of(FILES)
    assert content(Zip(Reader.of(data)), "ComicInfo.xml") == b"<ComicInfo/>"


def test_sizes_and_offsets_in_the_extra_field_of_zip64() -> None:
    data = zip_of({"first": b"1", "p.jpg": b"page"}, zipfile.ZIP_STORED)
    end = data.rindex(b"PK\5\6")
    at = data.rindex(b"PK\1\2")
    (offset,) = struct.unpack_from("<I", data, at + 42)
    extra = struct.pack("<HHH", 0x5455, 2, 0) + struct.pack("<HHQQQ", 1, 24, 4, 4, offset)
    entry = bytearray(data[at:end])
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
    ending = bytearray(data[end:])
    struct.pack_into("<I", ending, 12, struct.unpack_from("<I", ending, 12)[0] + len(extra))
    archive = Zip(Reader.of(data[:at] + bytes(entry) + extra + bytes(ending)))
    assert [entry.size for entry in archive.entries] == [1, 4]
    assert content(archive, "p.jpg") == b"page"


def test_an_empty_zip_is_empty() -> None:
    archive = opened(zip_of({}))
    assert archive.entries == []
    assert archive.fault is None


def test_a_zip_without_its_list_is_read_entry_by_entry() -> None:
    data = zip_of(FILES)
    archive = opened(data[: data.find(b"PK\1\2")])
    assert names(archive) == list(FILES)
    assert content(archive, "ComicInfo.xml") == b"<ComicInfo/>"
    assert archive.fault is not None
    assert "cut off" in archive.fault


def test_old_names_are_read_as_their_makers_meant_them() -> None:
    data = zip_of({"caf\u00e9.jpg": b"1"})
    raw, flags = "caf\u00e9.jpg".encode(), struct.pack("<H", 0x0800)
    plain = data.replace(flags, bytes(2))
    assert names(opened(plain)) == ["caf\u00e9.jpg"]  # UTF-8 that does not say so
    shorter = plain.replace(raw, b"caf\x82x.jpg")
    assert names(opened(shorter)) == ["caf\u00e9x.jpg"]  # code page 437
    assert names(opened(data.replace(raw, b"a\\bcd.jpg"))) == ["a/bcd.jpg"]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_in_tar(form: int) -> None:
    name = "/".join(["directory" * 8] * 6) + "/é.jpg"
    assert names(opened(tar_of({name: b"1", "b.jpg": b"2"}, form))) == [name, "b.jpg"]


def test_tar_with_a_prefix_and_a_size_in_base_256() -> None:
    name = "d" * 90 + "/" + "n" * 60
    data = bytearray(tar_of({name: b"12345"}, tarfile.USTAR_FORMAT))
    data[124:136] = b"\x80" + bytes(10) + b"\5"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    assert content(opened(bytes(data)), name) == b"12345"


@pytest.mark.parametrize("name", ["lzma", "lzma2", "deflate", "bzip2", "copy"])
def test_7z_methods(name: str) -> None:
    archive = opened((DATA / f"{name}.7z").read_bytes())
    assert names(archive) == ["ComicInfo.xml", "p1.jpg", "p10.jpg"]
    assert [entry.size for entry in archive.entries] == [64, 7, 9]
    assert content(archive, "p10.jpg") == b"a page 2\n"
    assert b"Packed" in content(archive, "ComicInfo.xml")


@pytest.mark.parametrize(
    ("name", "listed", "reason"),
    [
        ("ppmd.7z", "ComicInfo.xml", "method 030401"),
        ("deflate64.zip", "ComicInfo.xml", "Deflate64"),
        ("rar3-solid.rar", "stest1.txt", "only unrar"),
        ("rar5-solid.rar", "stest1.txt", "only unrar"),
        ("encrypted.7z", "ComicInfo.xml", "is encrypted"),
        ("encrypted.zip", "ComicInfo.xml", "is encrypted"),
        ("rar3-comment-psw.rar", "file1.txt", "is encrypted"),
        ("rar5-psw.rar", "stest1.txt", "is encrypted"),
    ],
)
def test_what_cannot_be_read_is_listed_and_says_why(name: str, listed: str, reason: str) -> None:
    archive = opened((DATA / name).read_bytes())
    assert archive.fault is None
    assert archive.encrypted == ("encrypted" in reason)
    with pytest.raises(UnreadableError, match=reason):
        content(archive, listed)


@pytest.mark.parametrize("name", ["encrypted-names.7z", "rar3-comment-hpsw.rar", "rar5-hpsw.rar"])
def test_encrypted_names_are_said(name: str) -> None:
    archive = opened((DATA / name).read_bytes())
    assert archive.encrypted
    assert archive.entries == []
    assert archive.fault is None


def test_sizes_in_a_7z_whose_contents_go_through_two_methods() -> None:
    archive = opened((DATA / "encrypted.7z").read_bytes())
    assert [(entry.name, entry.size) for entry in archive.entries] == [
        ("ComicInfo.xml", 64),
        ("p1.jpg", 7),
        ("p10.jpg", 9),
    ]


def test_a_7z_of_several_streams_some_with_a_checksum_of_their_own() -> None:
    folder = b"\1\1\0"
    header = b"".join(
        [
            b"\1\4\6\0\2\x09\3\4\0",
            b"\7\x0b\2\0" + folder * 2 + b"\x0c\3\4\x0a\0\x80" + b"crc1" + b"\0",
            b"\x08\x0d\1\2\x09\1\x0a\1" + b"crc2crc3" + b"\0",
            b"\0\5\4\x0e\1\x40\x11\x19\0" + "a\0d\0b\0c\0".encode("utf-16-le").ljust(24, b"\0") + b"\0\0",
        ]
    )
    where = struct.pack("<QQI", 7, len(header), zlib.crc32(header))
    archive = opened(b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(where)) + where + b"AAABCCC" + header)
    assert {name: content(archive, name) for name in names(archive)} == {"a": b"AAA", "b": b"B", "c": b"CCC"}


@pytest.mark.parametrize(
    ("packed", "name"),
    [
        (b"\0\xaa" + "日本.j".encode("utf-16-le") + b"\0" + b"pg", "日本.jpg"),  # two bytes each, then one each
        (b"\4\x55" + b"\x10\x11\x12\x13", "\u0410\u0411\u0412\u0413"),  # one byte and the common high one
        (b"\0\xc0" + b"\x03", "plain"),  # a run of the plain name
        (b"\4\xc0" + b"\x83\xa0", "".join(chr(0x400 | (byte + 0xA0) & 0xFF) for byte in b"plain")),  # the same, moved
        (b"", ""),
        (b"\4\xff", ""),
    ],
)
def test_each_way_of_rars_own_encoding(packed: bytes, name: str) -> None:
    assert _name4(b"plain\0" + packed, unicode=True) == name
    assert _name4(b"plain\0" + packed, unicode=False) == "plain"


def test_a_flag_says_that_a_name_is_in_rars_own_encoding() -> None:
    assert names(opened(rar4_of({"a\0\4@\x10": b""}, file_flags=0x200))) == ["\u0410"]
    assert names(opened(rar4_of({"a\0\4@\x10": b""}))) == ["a"]


def test_names_in_rars_own_encoding() -> None:
    assert names(opened((DATA / "rar3-unicode.rar").read_bytes())) == ["уииоотивл.txt", "𝐀𝐁𝐁𝐂.txt"]
    assert "sub/üȵĩöḋè/file.txt" in names(opened((DATA / "rar3-subdirs.rar").read_bytes()))


@pytest.mark.parametrize(("make", "flags"), [(rar4_of, 2), (rar4_of, 1), (rar5_of, 16), (rar5_of, 8)])
def test_one_part_of_several_says_so(make: Callable[..., bytes], flags: int) -> None:
    archive = opened(make({"p.jpg": b"x"}, file_flags=flags))
    assert archive.fault is not None
    assert "one part of several" in archive.fault
    assert len(archive.entries) == (flags in (2, 16))


@pytest.mark.skipif(shutil.which("bsdtar") is None, reason="bsdtar (libarchive-tools) is not installed")
def test_the_same_names_as_libarchive() -> None:
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    compared = 0
    for path in sorted(DATA.iterdir()):
        command = ["bsdtar", "-tvf", str(path)]
        listing = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
        if listing.returncode == 0:
            files = [line.split(None, 8)[8] for line in listing.stdout.splitlines() if not line.startswith("d")]
            assert names(opened(path.read_bytes())) == files, path.name
            compared += 1
    assert compared >= 10
