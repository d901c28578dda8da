"""Bounded reads, boxes and elements, dates of people and languages: what parsers stand on."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.boxes import Box, body, boxes, find, inside
from censusd.extractors.languages import language_tag
from censusd.extractors.media.ebml import elements
from censusd.extractors.media.people import iso_date, parse_series, position, split_names, whole
from censusd.extractors.reading import PAGE, FormatError, Reader, TooMuchError
from tests.tools import tiny_media as tiny


class Counting(io.BytesIO):
    reads = 0

    def read(self, length: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(length)


@given(
    data=st.binary(max_size=300), places=st.lists(st.tuples(st.integers(-5, 400), st.integers(-5, 400)), max_size=20)
)
def test_reads_what_is_there(data: bytes, places: list[tuple[int, int]]) -> None:
    reader = Reader.of(data)
    for offset, length in places:
        expected = data[offset : offset + length] if offset >= 0 and length > 0 else b""
        assert reader.at(offset, length) == expected


def test_small_reads_next_to_each_other_are_one() -> None:
    file = Counting(bytes(3 * PAGE))
    reader = Reader(file, 3 * PAGE)
    for at in range(0, PAGE, 16):
        assert len(reader.at(at, 16)) == 16
    assert file.reads == 1


def test_the_allowance_ends() -> None:
    reader = Reader(io.BytesIO(bytes(1000)), 1000, reads=5)
    for _ in range(5):
        reader.at(0, 1)
    with pytest.raises(TooMuchError):
        reader.at(0, 1)
    reader = Reader(io.BytesIO(bytes(100_000)), 100_000, most=50_000)
    reader.at(0, 40_000)
    with pytest.raises(TooMuchError):
        reader.at(60_000, 20_000)


def test_says_what_is_missing() -> None:
    with pytest.raises(FormatError, match="within its header"):
        Reader.of(b"abc").exactly(1, 3, "header")


def test_a_file_that_is_shorter_than_it_was_ends() -> None:
    assert Reader(io.BytesIO(b"abc"), 100).at(0, 50) == b"abc"


def test_walks_boxes() -> None:
    large = b"\0\0\0\1wide" + (19).to_bytes(8, "big") + b"xyz"
    own = b"\0\0\0\x1cuuid" + bytes(range(16)) + b"body"
    last = b"\0\0\0\0mdatrest"
    data = tiny.box(b"ftyp", b"isom") + large + own + last
    reader = Reader.of(data)
    found = list(boxes(reader, 0, reader.size))
    assert [(box.kind[:4], body(reader, box, 99), box.cut) for box in found] == [
        (b"ftyp", b"isom", False), (b"wide", b"xyz", False), (b"uuid", b"body", False), (b"mdat", b"rest", False),
    ]  # fmt: skip
    assert found[2].kind == b"uuid" + bytes(range(16))


def test_a_box_that_is_longer_than_the_file_is_cut_and_one_that_is_shorter_than_itself_is_refused() -> None:
    reader = Reader.of(b"\0\0\1\0moovabc")
    assert list(boxes(reader, 0, reader.size)) == [Box(b"moov", 0, 8, 11, cut=True)]
    with pytest.raises(FormatError, match="7 bytes long"):
        list(boxes(Reader.of(b"\0\0\0\7freexxxxxxxx"), 0, 16))
    assert [box.kind for box in boxes(Reader.of(tiny.box(b"udta", b"") + bytes(4)), 0, 12)] == [b"udta"]


def test_finds_boxes_inside_meta_of_either_kind() -> None:
    handler = tiny.box(b"hdlr", bytes(20))
    plain = tiny.box(b"meta", handler, tiny.box(b"ilst", b"q"))
    full = tiny.box(b"meta", bytes(4), handler, tiny.box(b"ilst", b"i"))
    for data, letter in ((plain, b"q"), (full, b"i")):
        reader = Reader.of(tiny.box(b"udta", data))
        box = find(reader, 0, reader.size, b"udta", b"meta", b"ilst")
        assert box is not None
        assert body(reader, box, 9) == letter
    assert find(Reader.of(plain), 0, 99, b"udta") is None
    assert [box.kind for box in inside(Reader.of(full), Box(b"meta", 0, 8, len(full)), 4)] == [b"hdlr", b"ilst"]


def test_walks_elements() -> None:
    data = b"\xec\x82ab" + tiny.ebml(0x1549A966, b"xyz") + b"\x1f\x43\xb6\x75\xff" + b"rest"
    reader = Reader.of(data)
    found = list(elements(reader, 0, reader.size))
    assert [(each.id, reader.at(each.body, each.length), each.endless) for each in found] == [
        (0xEC, b"ab", False), (0x1549A966, b"xyz", False), (0x1F43B675, b"rest", True),
    ]  # fmt: skip
    for broken in (b"\0\0\0", b"\x08\0\0\0\0\0\0", b"\xec\0aaaaaaaaaaaaaa"):
        with pytest.raises(FormatError):
            list(elements(Reader.of(broken), 0, len(broken)))


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("ger", "de"),
        ("deu", "de"),
        ("eng", "en"),
        ("en-GB", "en-GB"),
        ("EN_us", "en-US"),
        ("English", "en"),
        ("Deutsch", "de"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("gsw", "gsw"),
        ("und", None),
        ("", None),
        ("zxx", None),
        ("XXX", None),
        ("Middle English", None),
        ("```", None),
        ("\0\0\0", None),
        ("e" * 1000, None),
    ],
)
def test_brings_languages_into_one_form(text: str, tag: str | None) -> None:
    assert language_tag(text) == tag


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2019", "2019"),
        ("2019-05", "2019-05"),
        ("20190501", "2019-05-01"),
        ("2019-05-01 12:13:14", "2019-05-01T12:13:14"),
        ("2021-06-05T12:00:00+0200", "2021-06-05T12:00:00+02:00"),
        ("01/05/2019", "2019"),
        ("(c) 1999 by", "1999"),
        ("", None),
        ("0000", None),
        ("not a date", None),
        ("2019-13-45", "2019"),
        (None, None),
    ],
)
def test_reads_dates(text: str | None, date: str | None) -> None:
    assert iso_date(text) == date


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("Discworld, Book 5", ("Discworld", "5")),
        ("Discworld #5", ("Discworld", "5")),
        ("Saga Vol. 2.5", ("Saga", "2.5")),
        ("Reihe, Band 12", ("Reihe", "12")),
        ("(Jack Reacher, Book 3)", ("Jack Reacher", "3")),
        ("A, Book 1-2", ("A", "1-2")),
        ("Just a name", None),
        ("Book 3", None),
        ("1984", None),
        ("", None),
        ("#", None),
        (", Book 3", None),
    ],
)
def test_reads_series(text: str, series: tuple[str, str] | None) -> None:
    assert parse_series(text) == series


def test_reads_names_and_numbers() -> None:
    assert split_names(["Ann A; Bob B / Cy C", "Ann A"]) == [("Ann A", None), ("Bob B", None), ("Cy C", None)]
    assert split_names(["Ned N (narrator)", "X Y - Editor"]) == [("Ned N", "narrator"), ("X Y", "editor")]
    assert (position("2.5"), position("Book 3"), position("1-3"), position("x"), position(None)) == (
        2.5,
        3,
        1,
        None,
        None,
    )
    assert (whole("007"), whole("7a"), whole("9" * 20), whole(None)) == (7, None, None, None)
