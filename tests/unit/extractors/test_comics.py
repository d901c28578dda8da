"""Comics: what the archive says, what stands beside it, what its place says, in that order; and no archive hurts."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.base import EntityKind, Extraction, Kind
from censusd.extractors.comics.extractor import Comics
from censusd.model import Problem
from tests.tools import tiny_files
from tests.tools.extracting import cuts, entities, extract, extraction, mutated
from tests.tools.tiny_archives import rar4_of, rar5_of, seven_zip_of, tar_of, zip_of

DATA = Path(__file__).parents[2] / "data" / "archives"
COMICS = Comics()
PAGES = {f"page {number}.jpg": b"\xff\xd8\xff" for number in (10, 2, 1)}

COMIC_INFO = """<?xml version="1.0"?>
<ComicInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Title>The  Title</Title><Series>Series &amp; Co</Series><Number>1.5</Number><Count>12</Count><Volume>2019</Volume>
  <AlternateSeries>Other</AlternateSeries><AlternateNumber>3</AlternateNumber><AlternateCount>-1</AlternateCount>
  <Summary>First line.
Second line.</Summary><Notes>Tagged</Notes><Year>2019</Year><Month>5</Month><Day>-1</Day>
  <Writer>Ada Marlowe, Robert Downey, Jr.,  Ada Marlowe</Writer><Penciller>P</Penciller><Inker>I</Inker>
  <Colorist>C</Colorist><Letterer>L</Letterer><CoverArtist>V, W</CoverArtist><Editor>E</Editor>
  <Translator>T</Translator><Publisher>Image, Inc.</Publisher><Imprint>Shadowline</Imprint><Genre>SF, Crime</Genre>
  <Tags>noir</Tags><Web>https://example.org/1 https://example.org/2</Web><PageCount>3</PageCount>
  <LanguageISO>en-us</LanguageISO><Format>TPB</Format><BlackAndWhite>No</BlackAndWhite>
  <Manga>YesAndRightToLeft</Manga><Characters>Batman, Robin</Characters><Teams>JLA</Teams><Locations>Gotham</Locations>
  <MainCharacterOrTeam>Batman</MainCharacterOrTeam><ScanInformation>me</ScanInformation>
  <StoryArc>Arc One, Arc Two</StoryArc><StoryArcNumber>2, 7</StoryArcNumber><SeriesGroup>G</SeriesGroup>
  <AgeRating>Teen</AgeRating><CommunityRating>4.5</CommunityRating><Review>Good.</Review><GTIN>9781234567897</GTIN>
  <Pages><Page Image="0" Type="FrontCover"/><Page Image="2" Bookmark="Chapter 2"/></Pages>
</ComicInfo>"""

METRON_INFO = """<MetronInfo><IDS><ID source="Comic Vine" primary="true">290431</ID></IDS>
<Publisher id="1"><Name>Titan</Name><Imprint>Hard Case Crime</Imprint></Publisher>
<Series id="65478" lang="en"><Name>Gun Honey</Name><SortName>Gun Honey</SortName><Volume>1</Volume>
<IssueCount>4</IssueCount><VolumeCount>2</VolumeCount><Format>Limited Series</Format>
<StartYear>2021</StartYear></Series>
<Number>2</Number><Stories><Story>One</Story><Story>Two</Story></Stories><Summary>What happens</Summary>
<CoverDate>2021-09-14</CoverDate><StoreDate>2021-08-01</StoreDate><PageCount>36</PageCount>
<Genres><Genre id="1">Crime</Genre></Genres><Tags><Tag>spy</Tag></Tags>
<Arcs><Arc id="1"><Name>The Arc</Name><Number>3</Number></Arc></Arcs>
<Characters><Character>Joanna Tan</Character></Characters>
<GTIN><ISBN>9781787738324</ISBN><UPC>76</UPC></GTIN><AgeRating>Mature</AgeRating>
<URLs><URL primary="true">https://m/1</URL></URLs>
<Credits><Credit><Creator id="1">Charles Ardai</Creator><Roles><Role>Writer</Role><Role>Cover</Role></Roles></Credit>
<Credit><Creator>Ang Hor Kheng</Creator><Roles><Role>Artist</Role></Roles></Credit></Credits></MetronInfo>"""


def test_all_of_comic_info() -> None:
    found = extraction(COMICS, zip_of({**PAGES, "ComicInfo.xml": COMIC_INFO.encode()}), "x.cbz")
    assert (found.kind, found.mime_type, found.problem) == (Kind.COMIC, "application/vnd.comicbook+zip", None)
    assert (found.title, found.pages, found.created, found.language) == ("The Title", 3, "2019-05", "en-US")
    assert found.details == {
        "series": "Series & Co", "number": "1.5", "count": 12, "volume": "2019", "alternate_series": "Other",
        "alternate_number": "3", "summary": "First line.\nSecond line.", "notes": "Tagged",
        "publisher": "Image, Inc.", "imprint": "Shadowline", "web": ["https://example.org/1", "https://example.org/2"],
        "stated_pages": 3, "format": "TPB", "black_and_white": False, "manga": True, "reading_direction": "rtl",
        "age_rating": "Teen", "community_rating": 4.5, "main_character_or_team": "Batman", "scan_information": "me",
        "series_groups": ["G"], "review": "Good.", "gtin": "9781234567897", "cover_page": 0, "cover": "page 1.jpg",
        "bookmarks": [{"page": 2, "title": "Chapter 2"}], "sources": ["ComicInfo.xml"], "container": "zip",
    }  # fmt: skip
    assert {role: entities(found, role) for role in dict.fromkeys(entity.role for entity in found.entities)} == {
        "series": ["Series & Co"], "writer": ["Ada Marlowe", "Robert Downey, Jr."], "penciller": ["P"], "inker": ["I"],
        "colorist": ["C"], "letterer": ["L"], "cover_artist": ["V", "W"], "editor": ["E"], "translator": ["T"],
        "genre": ["SF", "Crime"], "tag": ["noir"], "character": ["Batman", "Robin"], "team": ["JLA"],
        "location": ["Gotham"], "publisher": ["Image, Inc."], "imprint": ["Shadowline"],
        "story_arc": ["Arc One", "Arc Two"],
    }  # fmt: skip
    assert [entity.position for entity in found.entities if entity.kind is EntityKind.SERIES] == [1.5, 2, 7]


def test_metron_info_comes_before_comic_info() -> None:
    files = {**PAGES, "ComicInfo.xml": COMIC_INFO.encode(), "MetronInfo.xml": METRON_INFO.encode()}
    found = extraction(COMICS, zip_of(files), "x.cbz")
    assert (found.title, found.created, found.language) == ("One / Two", "2021-09-14", "en")
    expected = {
        "series": "Gun Honey", "number": "2", "count": 4, "volume_count": 2, "format": "Limited Series",
        "series_year": 2021, "series_volume": 1, "publisher": "Titan", "imprint": "Hard Case Crime",
        "gtin": "9781787738324", "age_rating": "Mature", "store_date": "2021-08-01", "web": ["https://m/1"],
        "identifiers": {"comic_vine": "290431"}, "sources": ["MetronInfo.xml", "ComicInfo.xml"],
        "review": "Good.",  # ComicInfo completes it
    }  # fmt: skip
    assert {name: found.details[name] for name in expected} == expected
    assert entities(found, "writer") == ["Charles Ardai"]
    assert entities(found, "cover_artist") == ["Charles Ardai"]
    assert entities(found, "artist") == ["Ang Hor Kheng"]
    assert entities(found, "inker") == ["I"]
    assert [(entity.name, entity.position) for entity in found.entities if entity.role == "story_arc"] == [
        ("The Arc", 3)
    ]


def test_what_the_archive_does_not_say_the_series_and_the_place_do() -> None:
    series = {
        "version": "1.0.2",
        "metadata": {
            "type": "comicSeries", "name": "Saga", "publisher": "Image", "imprint": None, "comicid": 48837,
            "year": 2012, "total_issues": 54, "status": "Continuing", "publication_run": "2012 - Present",
            "description_text": "Two soldiers.", "booktype": "Print",
        },
    }  # fmt: skip
    found = extraction(
        COMICS,
        zip_of({**PAGES, "ComicInfo.xml": b"<ComicInfo><Writer>B. K. Vaughan</Writer></ComicInfo>"}),
        "Saga 003 - Title (2012) (Digital) (Group).cbz",
        ["Comics", "Image", "Saga (2012)"],
        {"series.json": json.dumps(series).encode()},
    )
    assert (found.title, found.created, found.pages) == ("Title", "2012", 3)
    expected = {
        "series": "Saga", "number": "3", "series_year": 2012, "count": 54, "series_status": "Continuing",
        "series_description": "Two soldiers.", "publisher": "Image", "category": "Image",
        "identifiers": {"comic_vine_volume": "48837"}, "scan_information": "Digital, Group",
        "from_name": ["number", "title", "created", "scan_information"],
    }  # fmt: skip
    assert {name: found.details[name] for name in expected} == expected
    assert entities(found, "series") == ["Saga"]
    assert entities(found, "publisher") == ["Image"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"metadata": 3}', b'{"metadata": {"name": ["x"]}}', b"[" * 100_000]
)
def test_a_strange_series_json_does_no_harm(content: bytes) -> None:
    found = extraction(COMICS, zip_of(PAGES), "Series 3.cbz", siblings={"Series.JSON": content})
    assert found.details["series"] == "Series"


def test_the_content_says_what_kind_of_archive_it_is() -> None:
    files = {**PAGES, "ComicInfo.xml": b"<ComicInfo><Series>S</Series></ComicInfo>"}
    for make, container in ((zip_of, "zip"), (rar4_of, "rar"), (rar5_of, "rar"), (seven_zip_of, "7z"), (tar_of, "tar")):
        for name in ("x.cbr", "x.CBZ", "x.cb7", "x.cbt"):
            found = extraction(COMICS, make(files), name)
            assert (found.details["container"], found.details["series"], found.pages) == (container, "S", 3)
            assert found.problem is None


def test_what_is_taken() -> None:
    comic = zip_of({"ComicInfo.xml": b"<ComicInfo/>", **PAGES})
    assert COMICS.takes(comic, "no extension")
    assert COMICS.takes(b"<html>", "download.cbz")
    assert not COMICS.takes(zip_of(PAGES), "holiday.zip")
    assert not COMICS.takes(b"%PDF-1.4", "really.cbz")
    assert not COMICS.takes(tiny_files.epub("T", "A", "en", b""), "x.epub")
    assert not COMICS.takes(b"", "x.txt")


def test_only_pages_count() -> None:
    files = {
        "01.JPG": b"", "sub/02.png": b"", "sub/03.webp": b"", "04.avif": b"", "05.jxl": b"", "__MACOSX/._01.jpg": b"",
        ".hidden.jpg": b"", "sub/.thumbs/1.jpg": b"", "Thumbs/1.jpg": b"", "Thumbs.db": b"", "@eaDir/1.jpg": b"",
        "notes.txt": b"", "ComicInfo.xml": b"<ComicInfo/>", "a.jpg/": b"", "thumbs up.jpg": b"",
    }  # fmt: skip
    found = extraction(COMICS, zip_of(files), "x.cbz")
    assert found.pages == 6
    assert found.details["cover"] == "01.JPG"


def test_the_cover_is_the_first_page_as_people_count() -> None:
    found = extraction(COMICS, zip_of({"p10.jpg": b"", "P2.jpg": b"", "p11.jpg": b""}), "x.cbz")
    assert found.details["cover"] == "P2.jpg"


@pytest.mark.parametrize(
    ("name", "position"),
    [("S 012.cbz", 12), ("S v03.cbz", 3), ("S v2019.cbz", 0), ("S v2019 007.cbz", 7), ("S #½.cbz", 0.5), ("S.cbz", 0)],
)
def test_the_place_in_a_series(name: str, position: float) -> None:
    found = extraction(COMICS, zip_of(PAGES), name)
    assert [entity.position for entity in found.entities if entity.role == "series"] == [position]


def test_of_several_documents_the_uppermost_counts() -> None:
    def named(series: str) -> bytes:
        return f"<ComicInfo><Series>{series}</Series></ComicInfo>".encode()

    files = {
        "__MACOSX/ComicInfo.xml": b"\0",
        "a/b/comicinfo.xml": named("deep"),
        "a/COMICINFO.XML": named("high"),
        **PAGES,
    }
    assert extraction(COMICS, zip_of(files), "x.cbz").details["series"] == "high"


@pytest.mark.parametrize(
    ("name", "pages"),
    [
        ("encrypted.zip", 2),
        ("encrypted.7z", 2),
        ("encrypted-names.7z", None),
        ("rar3-comment-hpsw.rar", None),
        ("rar5-hpsw.rar", None),
    ],
)
def test_an_encrypted_archive_is_said_and_no_problem(name: str, pages: int | None) -> None:
    found = extraction(COMICS, (DATA / name).read_bytes(), "Series 3.cbz")
    assert found.details["encrypted"] is True
    assert found.pages == pages
    assert found.details["series"] == "Series"
    assert found.problem is None


def test_a_document_that_cannot_be_unpacked_is_a_problem_and_the_pages_are_kept() -> None:
    found = extraction(COMICS, (DATA / "ppmd.7z").read_bytes(), "Series 3.cb7")
    assert found.pages == 2
    assert found.problem is not None
    assert "ComicInfo.xml cannot be read" in found.problem.detail
    found = extraction(COMICS, rar4_of({"ComicInfo.xml": b"packed", **PAGES}, method=0x33), "Series 3.cbr")
    assert found.pages == 3
    assert found.problem is not None
    assert "only unrar" in found.problem.detail


def test_broken_xml_keeps_what_came_before_the_fault() -> None:
    xml = b"<ComicInfo><Series>Tom & Jerry</Series><Number>3</Number><Writer>A</Wri"
    found = extraction(COMICS, zip_of({**PAGES, "ComicInfo.xml": xml}), "x.cbz")
    assert found.details["series"] == "Tom & Jerry"
    assert found.details["number"] == "3"
    assert found.problem is not None
    assert found.problem.detail.startswith("ComicInfo.xml: it is not well-formed")


def test_a_document_as_long_as_a_bomb_is_refused() -> None:
    found = extraction(COMICS, zip_of({**PAGES, "ComicInfo.xml": bytes(50 << 20)}), "x.cbz")
    assert found.pages == 3
    assert found.problem is not None
    assert "longer than" in found.problem.detail


def test_a_file_that_was_cut_off_says_so_and_its_name_counts() -> None:
    data = zip_of({**PAGES, "ComicInfo.xml": COMIC_INFO.encode()})
    found = extraction(COMICS, data[: data.index(b"PK\1\2")], "Other 7.cbz")
    assert found.details["series"] == "Series & Co"
    assert found.pages == 3
    assert found.problem is not None
    assert "cut off" in found.problem.detail
    found = extraction(COMICS, data[:40], "Other 7.cbz")
    assert (found.details["series"], found.details["number"], found.pages) == ("Other", "7", None)


@pytest.mark.parametrize("data", [b"", b"<html>404</html>", b"\0" * 10_000, b"PK", b"Rar!"])
def test_what_is_no_archive_is_a_problem(data: bytes) -> None:
    assert COMICS.takes(data, "x.cbz")
    found = extract(COMICS, data, "x.cbz")
    assert isinstance(found, Problem)
    assert "no comic" in found.detail


def test_the_librarys_own_sample() -> None:
    page = tiny_files.png(tiny_files.landscape(Random(1), 20, 30))
    found = extraction(
        COMICS, tiny_files.cbz("わたしの庭", 3, 2013, "森 あおい", [page] * 3), "わたしの庭 #003 (2013).cbz"
    )
    assert (found.pages, found.created, found.details["series"], found.details["number"]) == (
        3,
        "2013",
        "わたしの庭",
        "3",
    )
    assert entities(found, "writer") == ["森 あおい"]


ORIGINALS = [
    make({**PAGES, "ComicInfo.xml": COMIC_INFO.encode(), "MetronInfo.xml": METRON_INFO.encode()})
    for make in (zip_of, rar4_of, rar5_of, seven_zip_of, tar_of)
]


def test_cut_off_anywhere() -> None:
    for original in ORIGINALS:
        for data in cuts(original, 37):
            extract(COMICS, data, "Series 3.cbz")


@given(mutated(ORIGINALS))
def test_mutated(data: bytes) -> None:
    extract(COMICS, data, "Series 3.cbz", ["a", "b"])


@given(mutated([COMIC_INFO.encode(), METRON_INFO.encode()]), st.sampled_from(["ComicInfo.xml", "MetronInfo.xml"]))
def test_mutated_documents(data: bytes, name: str) -> None:
    found = extract(COMICS, zip_of({name: data, **PAGES}), "Series 3.cbz")
    assert isinstance(found, Extraction)
    assert found.pages == 3


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    extract(COMICS, data, "Series 3.cbz", siblings={"series.json": data})
