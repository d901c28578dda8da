"""Archives that lie, explode, were cut off or never were any: bounded time and memory, and a reason."""

from __future__ import annotations

import lzma
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.archives.archive import MOST_ENTRIES, Archive, UnreadableError
from censusd.extractors.archives.kinds import kind_of
from censusd.extractors.reading import FormatError, Reader
from tests.tools.extracting import cuts, mutated, peak_memory
from tests.tools.tiny_archives import rar4_of, rar5_of, seven_zip_of, tar_of, zip_of

DATA = Path(__file__).parents[2] / "data" / "archives"
FILES = {"a/p2.jpg": b"two", "ComicInfo.xml": b"<ComicInfo/>", "é 日本.txt": b"text"}
MAKERS = (zip_of, rar4_of, rar5_of, seven_zip_of, tar_of)
MOST = 1 << 20


def opened(data: bytes) -> Archive:
    kind = kind_of(data[:512])
    assert kind is not None
    return kind(Reader.of(data))


def content(archive: Archive, name: str) -> bytes:
    return archive.read(next(entry for entry in archive.entries if entry.name == name), MOST)


def test_an_entry_longer_than_wanted_is_refused() -> None:
    for make in MAKERS:
        archive = opened(make({"a": bytes(5000), "b": b"1"}))
        with pytest.raises(UnreadableError, match="longer than 4,000"):
            archive.read(archive.entries[0], 4000)


def test_a_bomb_that_lies_about_its_length_costs_no_memory() -> None:
    bomb = zip_of({"ComicInfo.xml": bytes(200 << 20)})
    directory = bomb.find(b"PK\1\2")
    lying = bomb[: directory + 24] + struct.pack("<I", 100) + bomb[directory + 28 :]

    def read() -> None:
        with pytest.raises(UnreadableError, match="longer"):
            content(opened(lying), "ComicInfo.xml")

    assert peak_memory(read) < 16 * MOST


def test_a_dictionary_larger_than_the_content_is_not_allocated() -> None:
    stream = lzma.compress(b"x" * 100, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}])
    header = seven_zip_of({"a": stream})[32 + len(stream) :]
    header = header.replace(
        b"\1\0\x0c" + b"\xff" + struct.pack("<Q", len(stream)), b"\x21\x21\1\x28\x0c" + b"\xff" + struct.pack("<Q", 100)
    )
    where = struct.pack("<QQI", len(stream), len(header), zlib.crc32(header))
    archive = opened(b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(where)) + where + stream + header)
    assert content(archive, "a") == b"x" * 100


def test_too_many_entries_end_the_list() -> None:
    one = tar_of({"p.jpg": b""})[:512]
    start = time.process_time()
    archive = opened(one * (MOST_ENTRIES + 10) + bytes(1024))
    assert len(archive.entries) <= MOST_ENTRIES
    assert archive.fault is not None
    assert time.process_time() - start < 20


ORIGINALS = [make(FILES) for make in MAKERS] + [path.read_bytes() for path in sorted(DATA.iterdir())]


def survives(data: bytes) -> None:
    """Whatever is done to an archive, it is listed and read, or there is a reason; and it takes no time."""
    kind = kind_of(data[:512])
    start = time.process_time()
    if kind is not None:
        with suppress(FormatError):
            archive = kind(Reader.of(data))
            for entry in archive.entries[:50]:
                with suppress(UnreadableError):
                    assert len(archive.read(entry, MOST)) <= MOST
    assert time.process_time() - start < 20


def test_cut_off_anywhere() -> None:
    for original in ORIGINALS:
        for data in cuts(original, 7):
            survives(data)


@given(mutated(ORIGINALS))
def test_mutated(data: bytes) -> None:
    survives(data)


@given(
    st.sampled_from([b"PK\3\4", b"PK\5\6", b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00", b"7z\xbc\xaf\x27\x1c"]),
    st.binary(max_size=400),
)
def test_any_bytes_after_a_signature(signature: bytes, data: bytes) -> None:
    survives(signature + data)


def test_a_number_without_an_end_takes_no_time() -> None:
    for start in (b"Rar!\x1a\x07\x01\x00", b"Rar!\x1a\x07\x00", b"7z\xbc\xaf\x27\x1c", b"PK\3\4"):
        begin = time.process_time()
        survives(start + b"\xff" * (4 << 20))
        assert time.process_time() - begin < 5
