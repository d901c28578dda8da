"""Audiobooks: what is one, and why; who wrote and who reads it; the series it is part of; its chapters."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from censusd.extractors.base import EntityKind, Extraction
from censusd.extractors.media.extractor import MediaExtractor
from tests.tools import tiny_media as tiny
from tests.tools.extracting import entities, extraction

MEDIA = MediaExtractor()
SOUND = tiny.track(1, b"soun", tiny.sound_entry())


def details(found: Extraction) -> dict[str, Any]:
    return dict(found.details)


def of_mp3(*frames: bytes) -> Extraction:
    return extraction(MEDIA, tiny.mp3(tiny.id3(*frames)), "a.mp3")


def of_book(*items: bytes, more: bytes = b"", brand: bytes = b"M4B ") -> Extraction:
    return extraction(MEDIA, tiny.movie(SOUND, more, tiny.itunes(*items), brand=brand), "a.m4a")


@pytest.mark.parametrize(
    ("data", "name", "directories", "reason"),
    [
        (tiny.movie(SOUND), "a.m4a", (), "its brand is M4B"),
        (tiny.movie(SOUND, brand=b"mp42"), "a.m4b", (), "its name ends as those of audiobooks do"),
        (
            tiny.movie(SOUND, tiny.itunes(tiny.number_item("stik", b"\2")), brand=b"M4A "),
            "a.m4a",
            (),
            "its media type is",
        ),
        (tiny.mp3(tiny.id3(tiny.text_frame("TCON", "Hörbuch"))), "a.mp3", (), "its genre says so"),
        (tiny.mp3(tiny.id3(tiny.own_frame("NARRATOR", "Somebody"))), "a.mp3", (), "it has a narrator"),
        (tiny.mp3(tiny.id3(tiny.own_frame("ASIN", "B0"))), "a.mp3", (), "it has the number of a book"),
        (
            tiny.mp3(tiny.id3(tiny.own_frame("SERIES", "S"), tiny.own_frame("SERIES-PART", "1"))),
            "a.mp3",
            (),
            "it is part of",
        ),
        (tiny.mp3(), "a.mp3", ("Media", "Audiobooks", "Author"), "it lies in a directory of audiobooks"),
        (
            tiny.mp3(tiny.id3(tiny.chapter_frame(0, 500, "One"), tiny.chapter_frame(500, 900, "Two"))),
            "a.mp3",
            (),
            "it has chapters and no genre of music",
        ),
    ],
)
def test_says_why_something_is_an_audiobook(data: bytes, name: str, directories: tuple[str, ...], reason: str) -> None:
    found = extraction(MEDIA, data, name, directories)
    assert found.details["audiobook"] is True
    assert str(found.details["audiobook_because"]).startswith(reason)


def test_what_is_no_audiobook() -> None:
    chapters = tiny.chapter_frame(0, 500, "One"), tiny.chapter_frame(500, 900, "Two")
    assert of_mp3(*chapters, tiny.text_frame("TCON", "Techno")).details["audiobook"] is False
    record = of_mp3(tiny.own_frame("ASIN", "B000"), tiny.own_frame("MusicBrainz Album Id", "8b1"))
    assert record.details["audiobook"] is False
    podcast = of_mp3(*chapters, tiny.text_frame("TCON", "Podcast"))
    assert podcast.details["audiobook"] is False
    assert of_mp3(*chapters, tiny.frame("PCST", bytes(4))).details["podcast"] is True
    assert of_book(tiny.number_item("stik", b"\x15"), brand=b"M4A ").details["podcast"] is True
    sheet = 'TRACK 01 AUDIO\n TITLE "One"\n INDEX 01 00:00:00\nTRACK 02 AUDIO\n TITLE "Two"\n INDEX 01 03:30:00'
    image = extraction(MEDIA, tiny.flac((4, tiny.comments(f"CUESHEET={sheet}"))), "a.flac")
    assert image.details["audiobook"] is False
    assert details(image)["chapters"] == [
        {"start": 0.0, "end": 210.0, "title": "One"},
        {"start": 210.0, "title": "Two"},
    ]


@pytest.mark.parametrize(
    ("artist", "album_artist", "composer", "authors", "narrators"),
    [
        ("Ann Author, Ned Narrator", "Ann Author", "Ned Narrator", ["Ann Author"], ["Ned Narrator"]),  # Mp3tag, Audible
        ("Ann Author, Ned Narrator", None, "Ned Narrator", ["Ann Author"], ["Ned Narrator"]),
        ("Ann Author", "Ned Narrator", "Ned Narrator", ["Ann Author"], ["Ned Narrator"]),  # as some rip CDs
        ("Ann Author", None, "Ann Author", ["Ann Author"], ["Ann Author"]),  # she reads her own book
        ("Ann Author", "Various Artists", None, ["Ann Author"], []),
        ("Ann A & Abe B; Three", None, "A B, C D and E F", ["Ann A", "Abe B", "Three"], ["A B", "C D", "E F"]),
        ("King, Stephen", None, None, ["King, Stephen"], []),
    ],
)
def test_finds_authors_and_narrators(
    artist: str, album_artist: str | None, composer: str | None, authors: list[str], narrators: list[str]
) -> None:
    texts = {"TPE1": artist, "TPE2": album_artist, "TCOM": composer, "TCON": "Audiobook"}
    found = of_mp3(*(tiny.text_frame(name, text) for name, text in texts.items() if text))
    assert (entities(found, "author"), entities(found, "narrator")) == (authors, narrators)


def test_finds_translators_among_authors() -> None:
    found = of_mp3(tiny.text_frame("TPE2", "Homer, Robert Fagles - translator"), tiny.text_frame("TCON", "Audiobook"))
    assert (entities(found, "author"), entities(found, "translator")) == (["Homer"], ["Robert Fagles"])


def test_narrators_own_tags_come_first() -> None:
    mp3 = of_mp3(tiny.own_frame("NARRATOR", "Nan N", "Ned N"), tiny.text_frame("TCOM", "Some Composer"))
    assert entities(mp3, "narrator") == ["Nan N", "Ned N"]
    assert entities(mp3, "composer") == ["Some Composer"]
    mp4 = of_book(
        tiny.item("\xa9nrt", "Nan N; Ned N"), tiny.item("\xa9wrt", "Some Composer"), tiny.item("\xa9ART", "Ann A")
    )
    assert (entities(mp4, "narrator"), entities(mp4, "author")) == (["Nan N", "Ned N"], ["Ann A"])
    vorbis = tiny.comments("GENRE=Audiobook", "ARTIST=Ann A", "PERFORMER=Nan N", "PERFORMER=Ned N")
    assert entities(extraction(MEDIA, tiny.flac((4, vorbis)), "a.flac"), "narrator") == ["Nan N", "Ned N"]


@pytest.mark.parametrize(
    ("items", "series"),
    [
        ([tiny.own_item("SERIES", "Saga"), tiny.own_item("SERIES-PART", "2.5")], [("Saga", 2.5)]),
        ([tiny.item("\xa9mvn", "Saga"), tiny.number_item("©mvi", b"\0\3")], [("Saga", 3)]),
        ([tiny.item("tvsh", "Saga"), tiny.own_item("PART", "4")], [("Saga", 4)]),
        ([tiny.own_item("series", "Saga, Book 5")], [("Saga", 5)]),
        ([tiny.item("\xa9grp", "Saga, Book 6")], [("Saga", 6)]),
        ([tiny.item("\xa9grp", "Saga #7; Other World #1-2")], [("Saga", 7), ("Other World", 1)]),
        ([tiny.item("\xa9grp", "Saga 8")], [("Saga", 8)]),
        ([tiny.item("\xa9grp", "Nonfiction")], []),
    ],
)
def test_finds_the_series(items: list[bytes], series: list[tuple[str, float]]) -> None:
    found = of_book(*items)
    assert [(entity.name, entity.position) for entity in found.entities if entity.kind is EntityKind.SERIES] == series


def test_movements_of_music_are_no_series() -> None:
    found = of_book(tiny.item("\xa9mvn", "Allegro"), tiny.number_item("©mvi", b"\0\1"), brand=b"M4A ")
    assert details(found)["audiobook"] is False
    assert details(found)["movement"] == "Allegro"
    assert not [entity for entity in found.entities if entity.kind is EntityKind.SERIES]


def test_reads_all_of_itunes_list() -> None:
    found = of_book(
        tiny.item("\xa9nam", "Title"),
        tiny.item("\xa9alb", "Book"),
        tiny.item("aART", "Ann A", "Abe B"),
        tiny.item("\xa9day", "2019-05-01T07:00:00Z"),
        tiny.item("ldes", "<p>Long</p><p>more</p>"),
        tiny.item("desc", "Short"),
        tiny.item("\xa9pub", "House"),
        tiny.item("CDEK", "B017"),
        tiny.number_item("trkn", b"\0\0\0\3\0\x0c\0\0"),
        tiny.number_item("disk", b"\0\0\0\1\0\2"),
        tiny.number_item("gnre", b"\0\x12"),
        tiny.number_item("cpil", b"\1"),
        tiny.number_item("tmpo", b"\0\x78"),
        tiny.item("apID", "buyer@example.com"),
        tiny.own_item("LANGUAGE", "German"),
        tiny.own_item("iTunNORM", " 00000"),
        box_with_cover(),
    )
    got = details(found)
    assert (found.title, got["book_title"], found.created, found.language) == (
        "Title",
        "Book",
        "2019-05-01T07:00:00Z",
        "de",
    )
    assert (got["synopsis"], got["description"], got["identifiers"]) == ("Long\nmore", "Short", {"asin": "B017"})
    assert (got["track"], got["track_total"], got["disc"], got["disc_total"], got["bpm"]) == (3, 12, 1, 2, 120)
    assert entities(found, "genre") == ["Rock"]
    assert (entities(found, "author"), entities(found, "publisher")) == (["Ann A", "Abe B"], ["House"])
    assert (got["has_cover"], got["compilation"]) == (True, True)
    assert "buyer" not in repr(found)
    assert "other" not in got


def box_with_cover() -> bytes:
    return tiny.box(b"covr", tiny.box(b"data", struct.pack(">II", 13, 0), b"\xff\xd8\xff"))


def test_reads_neros_chapters() -> None:
    entries = b"".join(
        struct.pack(">QB", at * 10_000_000, len(title)) + title for at, title in ((0, b"One"), (30, b"Zwei \xc3\xbc"))
    )
    chapters = tiny.box(b"udta", tiny.box(b"chpl", b"\1\0\0\0", bytes(4), b"\2", entries))
    got = details(of_book(more=chapters))
    assert got["chapters"] == [
        {"start": 0.0, "end": 30.0, "title": "One"},
        {"start": 30.0, "end": 60.0, "title": "Zwei ü"},
    ]
    assert got["chapter_source"] == "mp4 list"


def test_reads_overdrives_markers_without_what_goes_on() -> None:
    markers = (
        "<Markers><Marker><Name>Chapter 1 &amp; more</Name><Time>0:00.000</Time></Marker>"
        "<Marker><Name>Chapter 1 (03:25)</Name><Time>3:25.500</Time></Marker>"
        "<Marker><Name>Chapter 2</Name><Time>1:00:01.250</Time></Marker></Markers>"
    )
    got = details(of_mp3(tiny.own_frame("OverDrive MediaMarkers", markers)))
    assert [(each["start"], each["title"]) for each in got["chapters"]] == [
        (0.0, "Chapter 1 & more"),
        (3601.25, "Chapter 2"),
    ]
    assert got["audiobook"] is True


def test_says_the_series_as_books_do() -> None:
    got = details(of_book(tiny.item("\xa9grp", "Saga #7; Other World #1-2")))
    assert (got["series"], got["series_position"], "series_part" in got) == ("Saga", 7, False)
    got = details(of_book(tiny.own_item("SERIES", "Saga"), tiny.own_item("SERIES-PART", "1-3")))
    assert (got["series"], got["series_position"], got["series_part"]) == ("Saga", 1, "1-3")


def test_isbns_are_as_books_have_them() -> None:
    assert details(of_mp3(tiny.own_frame("ISBN", "0-306-40615-2")))["identifiers"] == {"isbn": "9780306406157"}
    assert details(of_mp3(tiny.own_frame("ISBN", "123")))["identifiers"] == {"invalid_isbn": "123"}


def test_nobody_has_a_role_twice() -> None:
    found = of_book(
        tiny.item("aART", "Homer, Robert Fagles - translator"),
        tiny.own_item("TRANSLATOR", "Robert Fagles"),
        tiny.item("\xa9grp", "Saga #1; Saga #2"),
    )
    assert entities(found, "translator") == ["Robert Fagles"]
    assert [(each.name, each.position) for each in found.entities if each.role == "series"] == [("Saga", 1)]
