"""Files that are cut off, broken, or lie: the parsers of media end soon and keep little, and all can be stored."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censusd.extractors.base import Extraction, Source
from censusd.extractors.media.extractor import MediaExtractor
from censusd.extractors.media.facts import Media
from censusd.extractors.media.people import parse_series, split_names, split_values
from censusd.extractors.media.places import set_place
from tests.tools import tiny_media as tiny
from tests.tools.extracting import check, cuts, extract, mutated, peak_memory

DATA = Path(__file__).parents[2] / "data" / "media"
NAMES = sorted(path.name for path in DATA.iterdir() if path.suffix != ".sh")
MEDIA = MediaExtractor()
SOON = 2.0
"""Seconds of a processor that no file may take; the worst of these take a tenth of one."""
LITTLE = 48 << 20


@pytest.mark.parametrize("name", NAMES)
def test_cut_off_anywhere(name: str) -> None:
    data = (DATA / name).read_bytes()
    for part in cuts(data, max(len(data) // 120, 7)):
        extract(MEDIA, part, name)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_lie_anywhere(name: str) -> None:
    data = (DATA / name).read_bytes()[:4096]
    for lie in tiny.mutations(data, (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x01\0\0\0"), 97):
        extract(MEDIA, lie, name)


@settings(max_examples=300)
@given(data=mutated([(DATA / name).read_bytes() for name in NAMES]), name=st.sampled_from(NAMES))
def test_mutated(data: bytes, name: str) -> None:
    extract(MEDIA, data, name)


@settings(max_examples=150)
@given(data=st.binary(max_size=3000), name=st.sampled_from(NAMES))
def test_anything(data: bytes, name: str) -> None:
    extract(MEDIA, data, name)
    beginning = (DATA / name).read_bytes()[:64]
    extract(MEDIA, beginning + data, name)


@settings(max_examples=100)
@given(
    texts=st.lists(
        st.text(max_size=60) | st.sampled_from(["\0", "\ud800", "\ufeff", "; ;", "1" * 50, " / "]), max_size=6
    ),
    name=st.sampled_from(["TIT2", "TPE1", "TCON", "TRCK", "TXXX", "TLAN", "TDRC", "TCOM", "TIT1"]),
)
def test_any_text_in_tags(texts: list[str], name: str) -> None:
    body = b"\3" + "\0".join(texts).encode("utf-8", "surrogatepass")
    extract(MEDIA, tiny.mp3(tiny.id3(tiny.frame(name, body), tiny.text_frame("TCON", "Audiobook"))), "a.mp3")


class Endless:
    """A file that says that it has terabytes, and gives a pattern wherever it is read. It counts what it gives."""

    def __init__(self, head: bytes, pattern: bytes) -> None:
        self.head = head
        self.pattern = pattern
        self.at = 0
        self.given = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        assert whence == 0
        self.at = offset
        return offset

    def read(self, length: int = -1) -> bytes:
        assert 0 <= length <= 32 << 20
        self.given += length
        out = self.head[self.at : self.at + length]
        start = max(self.at, len(self.head))
        missing = length - len(out)
        shift = (start - len(self.head)) % len(self.pattern)
        repeated = self.pattern * (missing // len(self.pattern) + 2)
        self.at += length
        return out + repeated[shift : shift + missing]


def _moov(*inner: bytes) -> bytes:
    """A head whose movie box has no end."""
    return tiny.box(b"ftyp", b"M4A ", bytes(4)) + b"\0\0\0\1moov" + (1 << 41).to_bytes(8, "big") + b"".join(inner)


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "boxes.mp4": (_moov(), tiny.box(b"free")),
    "tracks.mp4": (_moov(), tiny.track(1, b"soun", tiny.sound_entry())),
    "user-data.mp4": (
        _moov(b"\0\0\0\1udta" + (1 << 40).to_bytes(8, "big")),
        tiny.box(b"\xa9nam", struct.pack(">HH", 500, 0), b"x" * 500),
    ),
    "fragments.mp4": (
        tiny.box(b"ftyp", b"iso5", bytes(4)),
        tiny.box(b"moof", bytes(3000)) + tiny.box(b"mdat", bytes(9)),
    ),
    "frames.mp3": (b"ID3\4\0\0\x7f\x7f\x7f\x7f", tiny.text_frame("TIT2", "x" * 50)),
    "empty-frames.mp3": (b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"TIT2" + bytes(6)),
    "chapters.mp3": (b"ID3\4\0\0\x7f\x7f\x7f\x7f", tiny.chapter_frame(0, 1, "t")),
    "scrambled.mp3": (b"ID3\3\0\x80\x7f\x7f\x7f\x7f", b"\xff\0"),
    "sync.mp3": (b"ID3\4\0\0\0\0\0\0", b"\xff\xfb\x90\xc0"),
    "all-sync.mp3": (b"\xff\xfb\x90\xc0", b"\xff"),
    "blocks.flac": (b"fLaC\0\0\0\x22" + bytes(34), b"\1\0\0\0"),
    "comments.flac": (
        b"fLaC\0\0\0\x22" + bytes(34) + b"\x84\xff\xff\xff\4\0\0\0tiny\xff\xff\xff\xff",
        b"\5\0\0\0a=b;c",
    ),
    "pages.ogg": (b"", b"OggS\0\2" + bytes(20) + b"\1\x1e\x01vorbis" + bytes(23)),
    "lacing.ogg": (
        b"OggS\0\2" + bytes(20) + b"\1\x1e\x01vorbis" + bytes(23),
        b"OggS\0\0" + bytes(20) + b"\xff" + b"\xff" * 255 + bytes(255 * 255),
    ),
    "objects.wma": (
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\xff" * 7 + bytes(7),
        bytes(16) + b"\x18" + bytes(7),
    ),
    "chunks.wav": (b"RIFF\xff\xff\xff\xffWAVE", b"LIST\4\0\0\0INFO"),
    "chunks.avi": (
        b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl",
        tiny.chunk(b"LIST", b"strl", tiny.chunk(b"strh", bytes(40))),
    ),
    "chunks.aiff": (b"FORM\xff\xff\xff\xffAIFF", b"NAME\0\0\0\4name"),
    "elements.mkv": (tiny.ebml(0x1A45DFA3) + b"\x18\x53\x80\x67\x01" + b"\xff" * 7, b"\xec\x80"),
    "tags.mkv": (
        tiny.ebml(0x1A45DFA3) + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x12\x54\xc3\x67\x01" + b"\xff" * 7,
        tiny.ebml(0x7373, tiny.ebml(0x67C8, tiny.ebml(0x45A3, b"X"), tiny.ebml(0x4487, b"y" * 900))),
    ),
    "seeks.mkv": (
        tiny.ebml(0x1A45DFA3) + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x11\x4d\x9b\x74\x01" + b"\xff" * 7,
        tiny.ebml(0x4DBB, tiny.ebml(0x53AB, b"\x11\x4d\x9b\x74"), tiny.ebml(0x53AC, b"\0")),
    ),
    "packets.ts": (b"", b"\x47\x40\0\x10\0\0\xb0\x0d\0\1\xc1\0\0\0\1\xf0\0" + bytes(171)),
    "packs.mpg": (b"\0\0\1\xba", b"\0\0\1"),
    "packets.mpg": (b"\0\0\1\xba", b"\0\0\1\xe0\0\0"),
    "zeros.mp4": (tiny.box(b"ftyp", b"isom", bytes(4)), b"\0"),
    "zeros.mkv": (b"\x1a\x45\xdf\xa3", b"\0"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_does(name: str) -> None:
    file = Endless(*ENDLESS[name])
    start = time.process_time()
    found = MEDIA.extract(Source(cast("BinaryIO", file), name, (), 1 << 42))
    assert time.process_time() - start < SOON
    assert file.given <= 160 << 20
    check(found)


@pytest.mark.parametrize(
    "name", ["user-data.mp4", "chapters.mp3", "scrambled.mp3", "comments.flac", "lacing.ogg", "tags.mkv", "packets.ts"]
)
def test_what_never_ends_is_not_kept(name: str) -> None:
    file = Endless(*ENDLESS[name])
    peak = peak_memory(lambda: MEDIA.extract(Source(cast("BinaryIO", file), name, (), 1 << 42)))
    assert peak < LITTLE, f"{peak >> 20} MiB"


BOMBS: dict[str, Callable[[], bytes]] = {
    "zlib.mp3": lambda: tiny.mp3(
        tiny.id3(*[tiny.frame("TIT2", bytes(4) + zlib.compress(b"\3" + b"x" * (64 << 20), 1), 4, flags=0x09)] * 20)
    ),
    "people.mp3": lambda: tiny.mp3(
        tiny.id3(
            tiny.text_frame("TCON", "Audiobook"),
            *(
                tiny.text_frame(name, *("a" + " " * 8000 + "b & c, " * 900,) * 5)
                for name in ("TPE1", "TPE2", "TCOM", "TIT1")
            ),
        )
    ),
    "sheet.flac": lambda: tiny.flac((4, tiny.comments("CUESHEET=" + "TRACK 01 AUDIO\nINDEX 01 00:00:00\n" * 9000))),
    "markers.mp3": lambda: tiny.mp3(tiny.id3(tiny.own_frame("OverDrive MediaMarkers", "<Marker><Name>" * 100_000))),
    "genres.mp3": lambda: tiny.mp3(tiny.id3(tiny.text_frame("TCON", "(17)" * 100_000))),
    "numbers.mp3": lambda: tiny.mp3(
        tiny.id3(tiny.text_frame("TRCK", "9" * 60_000), tiny.text_frame("TDRC", "9" * 60_000))
    ),
    "many.mp3": lambda: tiny.mp3(tiny.id3(*(tiny.own_frame(f"name {index}", "v" * 900) for index in range(5000)))),
    "chapters.mp3": lambda: tiny.mp3(tiny.id3(*(tiny.chapter_frame(n, n + 1, "\u4e2d" * 3000) for n in range(1500)))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    data = BOMBS[name]()
    start = time.process_time()
    found = extract(MEDIA, data, name)
    assert time.process_time() - start < SOON
    peak = peak_memory(lambda: extract(MEDIA, data, name))
    assert peak < LITTLE, f"{peak >> 20} MiB"
    assert isinstance(found, Extraction)


@pytest.mark.parametrize(
    "text", ["a" + " " * 100_000 + "b", "a, " * 50_000, "a & " * 50_000, "(" * 100_000, "x - " * 50_000, "#1 " * 50_000]
)
def test_names_are_taken_apart_in_little_time(text: str) -> None:
    start = time.process_time()
    split_values([text] * 50)
    split_names([text] * 50)
    parse_series(text, loose=True)
    set_place(Media(), text)
    assert time.process_time() - start < SOON


def test_figures_that_no_file_has_are_dropped() -> None:
    track = tiny.ebml(
        0xAE,
        tiny.ebml(0x83, b"\1"),
        tiny.ebml(0x86, b"V_VP8"),
        tiny.ebml(0xE0, tiny.ebml(0xB0, b"\xff" * 8), tiny.ebml(0xBA, b"\xff" * 8)),
    )
    sound = tiny.ebml(
        0xAE, tiny.ebml(0x83, b"\2"), tiny.ebml(0x86, b"A_OPUS"), tiny.ebml(0xE1, tiny.ebml(0x9F, b"\xff" * 8))
    )
    info = tiny.ebml(0x1549A966, tiny.ebml(0x4489, struct.pack(">d", 1e15)))
    found = extract(MEDIA, tiny.matroska(info, tiny.ebml(0x1654AE6B, track, sound)), "a.mkv")
    assert isinstance(found, Extraction)
    assert (found.width, found.height, found.duration) == (None, None, None)
    assert found.problem is not None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -5.0])
def test_durations_that_are_no_numbers(bad: float) -> None:
    info = tiny.ebml(0x1549A966, tiny.ebml(0x4489, struct.pack(">d", bad)))
    track = tiny.ebml(0x1654AE6B, tiny.ebml(0xAE, tiny.ebml(0x83, b"\2"), tiny.ebml(0x86, b"A_OPUS")))
    found = extract(MEDIA, tiny.matroska(info, track), "a.mka")
    assert isinstance(found, Extraction)
    assert found.duration is None


def test_a_file_without_a_buffer_is_read_all_the_same() -> None:
    class Drop(io.BytesIO):
        def read(self, length: int | None = -1, /) -> bytes:
            return super().read(min(length or 0, 7))

    data = (DATA / "film.mp4").read_bytes()
    found = MEDIA.extract(Source(Drop(data), "film.mp4", (), len(data)))
    assert found == MEDIA.extract(Source(io.BytesIO(data), "film.mp4", (), len(data)))
