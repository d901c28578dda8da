"""Books: EPUB 2 and 3, MOBI and its kin, FictionBook; what they say, and what they do when they are broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.base import Extraction, Kind
from censusd.extractors.books.extractor import Books
from censusd.extractors.identifiers import isbn13
from censusd.model import Problem
from tests.tools import tiny_files
from tests.tools.extracting import cuts, entities, extract, extraction, mutated
from tests.tools.tiny_archives import zip_of
from tests.tools.tiny_documents import epub, mobi, package

DATA = Path(__file__).parents[2] / "data" / "books"
BOOKS = Books()

EPUB_3 = package(
    """
    <dc:title id="t1">The Title</dc:title><meta refines="#t1" property="title-type">main</meta>
    <meta refines="#t1" property="file-as">Title, The</meta>
    <dc:title id="t2">A Subtitle</dc:title><meta refines="#t2" property="title-type">subtitle</meta>
    <dc:creator id="c1">Émile Zola</dc:creator><meta refines="#c1" property="role" scheme="marc:relators">aut</meta>
    <meta refines="#c1" property="file-as">Zola, Émile</meta>
    <dc:creator id="c2">Ada Marlowe</dc:creator><meta refines="#c2" property="role">ill</meta>
    <meta refines="#c2" property="role">trl</meta>
    <dc:contributor id="c3">calibre (6.13.0)</dc:contributor><meta refines="#c3" property="role">bkp</meta>
    <dc:contributor>Somebody</dc:contributor>
    <dc:identifier id="id">urn:uuid:A1B2C3D4-0000-4000-8000-00000000ABCD</dc:identifier>
    <dc:identifier id="i2">978-0-306-40615-7</dc:identifier>
    <meta refines="#i2" property="identifier-type" scheme="onix:codelist5">15</meta>
    <dc:identifier>doi:10.1000/182</dc:identifier>
    <dc:language>fr-FR</dc:language><dc:language>en</dc:language><dc:publisher>Pub &amp; Co</dc:publisher>
    <dc:date>1885-03-02</dc:date><meta property="dcterms:modified">2020-01-02T03:04:05Z</meta>
    <dc:subject>Fiction</dc:subject><dc:subject>Mines</dc:subject><dc:rights>Public domain</dc:rights>
    <dc:description>&lt;p&gt;Miners &amp;amp; masters.&lt;/p&gt;&lt;p&gt;A&lt;br/&gt;strike.&lt;/p&gt;</dc:description>
    <meta property="belongs-to-collection" id="s1">Les Rougon-Macquart</meta>
    <meta refines="#s1" property="collection-type">series</meta><meta refines="#s1" property="group-position">13</meta>
    <meta property="schema:numberOfPages">592</meta><meta property="rendition:layout">pre-paginated</meta>
    """,
    rest='<manifest><item id="x" href="im%20ages/c.jpg" media-type="image/jpeg" properties="cover-image"/></manifest>'
    '<spine page-progression-direction="rtl"/>',
)

EPUB_2 = package(
    """
    <dc:title>Germinal</dc:title><dc:creator opf:role="aut" opf:file-as="Zola, Émile">Émile Zola</dc:creator>
    <dc:contributor opf:role="trl">H. Ellis</dc:contributor>
    <dc:identifier id="id" opf:scheme="uuid">a1b2c3d4-0000-4000-8000-00000000abcd</dc:identifier>
    <dc:identifier opf:scheme="ISBN">0-306-40615-2</dc:identifier>
    <dc:identifier opf:scheme="GOODREADS">28407</dc:identifier>
    <dc:identifier opf:scheme="ISBN">12345</dc:identifier>
    <dc:date opf:event="modification">2020-01-02</dc:date><dc:date opf:event="publication">1885</dc:date>
    <dc:language>fre</dc:language>
    <meta name="calibre:series" content="Les Rougon-Macquart"/><meta name="calibre:series_index" content="13.0"/>
    <meta name="calibre:title_sort" content="Germinal"/><meta name="calibre:rating" content="8.0"/>
    <meta name="cover" content="cov"/>
    """,
    version="2.0",
    rest='<manifest><item id="cov" href="cover.png" media-type="image/png"/></manifest>',
)


def test_all_of_epub_3() -> None:
    found = extraction(BOOKS, epub(EPUB_3, {"OEBPS/im ages/c.jpg": b"\xff\xd8"}), "x.epub")
    assert (found.kind, found.mime_type, found.problem) == (Kind.BOOK, "application/epub+zip", None)
    assert (found.title, found.created, found.language, found.pages) == ("The Title", "1885-03-02", "fr-FR", 592)
    assert found.details == {
        "version": "3.0", "title_sort": "Title, The", "subtitle": "A Subtitle", "producer": "calibre (6.13.0)",
        "series": "Les Rougon-Macquart", "series_position": 13.0, "publisher": "Pub & Co", "rights": "Public domain",
        "languages": ["fr-FR", "en"], "description": "Miners & masters.\nA\nstrike.",
        "unique_identifier": "urn:uuid:A1B2C3D4-0000-4000-8000-00000000ABCD",
        "identifiers": {
            "uuid": "a1b2c3d4-0000-4000-8000-00000000abcd", "isbn": "9780306406157", "doi": "10.1000/182",
        },
        "modified": "2020-01-02T03:04:05Z", "fixed_layout": True, "reading_direction": "rtl",
        "cover": "OEBPS/im ages/c.jpg", "has_cover": True,
    }  # fmt: skip
    people = [(entity.name, entity.role, entity.sort_name) for entity in found.entities if entity.kind == "person"]
    assert people == [
        ("Émile Zola", "author", "Zola, Émile"),
        ("Ada Marlowe", "illustrator", None),
        ("Ada Marlowe", "translator", None),
        ("Somebody", "contributor", None),
    ]
    assert entities(found, "subject") == ["Fiction", "Mines"]
    assert entities(found, "publisher") == ["Pub & Co"]
    assert [(entity.name, entity.position) for entity in found.entities if entity.role == "series"] == [
        ("Les Rougon-Macquart", 13)
    ]


def test_all_of_epub_2() -> None:
    found = extraction(BOOKS, epub(EPUB_2, {"OEBPS/cover.png": b""}), "x.epub")
    assert (found.title, found.created, found.language) == ("Germinal", "1885", "fr")
    assert found.details == {
        "version": "2.0", "title_sort": "Germinal", "series": "Les Rougon-Macquart", "series_position": 13.0,
        "rating": 4.0, "modified": "2020-01-02", "cover": "OEBPS/cover.png", "has_cover": True,
        "unique_identifier": "a1b2c3d4-0000-4000-8000-00000000abcd",
        "identifiers": {
            "uuid": "a1b2c3d4-0000-4000-8000-00000000abcd", "isbn": "9780306406157", "goodreads": "28407",
            "invalid_isbn": "12345",
        },
    }  # fmt: skip
    assert [(entity.name, entity.role, entity.sort_name) for entity in found.entities if entity.kind == "person"] == [
        ("Émile Zola", "author", "Zola, Émile"),
        ("H. Ellis", "translator", None),
    ]


def test_sort_names_that_calibre_puts_together() -> None:
    both = 'opf:role="aut" opf:file-as="Zola, Émile &amp; Marlowe, Ada"'
    opf = package(f"<dc:creator {both}>Émile Zola</dc:creator><dc:creator {both}>Ada Marlowe</dc:creator>")
    found = extraction(BOOKS, epub(opf), "x.epub")
    assert [entity.sort_name for entity in found.entities] == ["Zola, Émile", "Marlowe, Ada"]
    one = package('<dc:creator opf:file-as="Unknown">A &amp; B</dc:creator>')
    assert [entity.sort_name for entity in extraction(BOOKS, epub(one), "x.epub").entities] == [None]


def test_the_oldest_package_documents() -> None:
    opf = b"""<package><metadata><dc-metadata xmlns:dc="x">
    <dc:Title>Old</dc:Title><dc:Creator role="aut">A B</dc:Creator>
    </dc-metadata><x-metadata><meta name="cover" content="none"/></x-metadata></metadata></package>"""
    found = extraction(BOOKS, epub(opf), "x.epub")
    assert found.title == "Old"
    assert entities(found, "author") == ["A B"]
    assert found.details["has_cover"] is False


@pytest.mark.parametrize(
    ("mark", "scheme"),
    [
        ("META-INF/rights.xml", "adobe_adept"),
        ("META-INF/sinf.xml", "apple_fairplay"),
        ("META-INF/license.lcpl", "readium_lcp"),
        ("x", "unknown"),
    ],
)
def test_a_protected_book_is_said_and_no_problem(mark: str, scheme: str) -> None:
    encryption = b"""<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>
    <enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></enc:EncryptedData></encryption>"""
    found = extraction(BOOKS, epub(EPUB_3, {"META-INF/encryption.xml": encryption, mark: b"<r/>"}), "x.epub")
    assert (found.details["encrypted"], found.details["drm"]) == (True, scheme)
    assert found.title == "The Title"
    assert found.problem is None


def test_obfuscated_fonts_are_no_protection() -> None:
    encryption = b"""<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/>
    </EncryptedData></encryption>"""
    found = extraction(BOOKS, epub(EPUB_3, {"META-INF/encryption.xml": encryption}), "x.epub")
    assert "encrypted" not in found.details


def test_a_book_that_is_not_quite_one() -> None:
    without_container = zip_of({"book.opf": EPUB_2})
    found = extraction(BOOKS, without_container, "x.epub")
    assert found.title == "Germinal"
    found = extraction(BOOKS, zip_of({"readme.txt": b""}), "x.epub")
    assert found.problem is not None
    assert "no package document" in found.problem.detail
    assert not BOOKS.takes(without_container, "x.zip")
    broken = epub(EPUB_2.replace(b"</metadata>", b""))
    found = extraction(BOOKS, broken, "x.epub")
    assert found.title == "Germinal"
    assert found.problem is not None
    assert "not well-formed" in found.problem.detail


def test_what_is_taken() -> None:
    assert BOOKS.takes(epub(EPUB_2), "no extension")
    assert BOOKS.takes(mobi([]), "x.bin")
    assert BOOKS.takes(b"<?xml version='1.0'?>\n<FictionBook xmlns='x'>", "x.xml")
    assert BOOKS.takes(zip_of({"Book.FB2": b""}), "x.zip")
    assert BOOKS.takes(b"damaged", "x.epub")
    assert not BOOKS.takes(b"%PDF-1.4", "x.epub")
    assert not BOOKS.takes(zip_of({"a.txt": b""}), "x.mobi")
    assert not BOOKS.takes(b"text", "x.txt")
    assert isinstance(extract(BOOKS, b"damaged", "x.epub"), Problem)


def test_the_librarys_own_sample() -> None:
    found = extraction(BOOKS, tiny_files.epub("Germinal", "Émile Zola", "fr", tiny_files.png([[(1, 2, 3)]])), "x.epub")
    assert (found.title, found.language, found.details["has_cover"]) == ("Germinal", "fr", True)
    assert entities(found, "author") == ["Émile Zola"]


def test_all_of_mobi() -> None:
    found = extraction(
        BOOKS,
        mobi(
            [
                (100, "Zola, Émile".encode()), (100, b"Second"), (517, b"Zola, E."), (101, b"Pub"),
                (103, b"<b>Text</b>"),
                (104, b"9780306406157"), (105, b"Fiction"), (105, b"Mines"), (106, b"1885-03-02T00:00:00+00:00"),
                (108, b"calibre (6.13.0)"), (109, b"Free"), (113, b"B000FA5ZEG"), (122, b"true"), (201, b"\0\0\0\0"),
                (501, b"EBOK"), (503, b"Germinal"), (524, b"fr"), (527, b"rtl"),
            ]
        ),
        "x.mobi",
    )  # fmt: skip
    assert (found.mime_type, found.title, found.created, found.language) == (
        "application/x-mobipocket-ebook", "Germinal", "1885-03-02", "fr",
    )  # fmt: skip
    assert found.details == {
        "version": "MOBI 6", "producer": "calibre (6.13.0)", "publisher": "Pub", "description": "Text",
        "rights": "Free", "document_type": "EBOK", "fixed_layout": True, "reading_direction": "rtl", "has_cover": True,
        "identifiers": {"isbn": "9780306406157", "asin": "B000FA5ZEG"},
    }  # fmt: skip
    assert [(entity.name, entity.sort_name) for entity in found.entities if entity.role == "author"] == [
        ("Zola, Émile", "Zola, E."),
        ("Second", None),
    ]
    assert entities(found, "subject") == ["Fiction", "Mines"]


def test_kinds_and_states_of_mobi() -> None:
    assert extraction(BOOKS, mobi([], title="Ünï".encode("cp1252"), encoding=1252, locale=7), "x.prc").title == "Ünï"
    plain = extraction(BOOKS, mobi([], locale=7 | 4 << 10), "x.mobi")
    assert (plain.title, plain.language, plain.details["version"]) == ("Full name", "de", "MOBI 6")
    both = extraction(BOOKS, mobi([(121, b"\0\0\0\x20")]), "x.mobi")
    assert both.details["version"] == "MOBI+KF8"
    assert extraction(BOOKS, mobi([(121, b"\xff\xff\xff\xff")]), "x.mobi").details["version"] == "MOBI 6"
    newer = extraction(BOOKS, mobi([], version=8), "x.azw3")
    assert (newer.mime_type, newer.details["version"]) == ("application/vnd.amazon.mobi8-ebook", "KF8")
    protected = extraction(BOOKS, mobi([(503, b"T")], encryption=2), "x.azw")
    assert (protected.title, protected.details["encrypted"], protected.details["drm"]) == ("T", True, "kindle")
    assert protected.problem is None
    palm = bytearray(mobi([]))
    palm[60:68] = b"TEXtREAd"
    assert extraction(BOOKS, bytes(palm), "x.pdb").title == "Palm name"
    lying = extraction(
        BOOKS, mobi([(503, b"T")]).replace(b"EXTH\0\0\0\x15\0\0\0\1", b"EXTH\0\0\0\x15\xff\xff\xff\xff"), "x.mobi"
    )
    assert lying.title == "T"
    assert lying.problem is not None


FB2 = """<?xml version="1.0" encoding="{encoding}"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink"><description>
<title-info><genre>prose_rus_classic</genre><author><first-name>Лев</first-name><middle-name>Николаевич</middle-name>
<last-name>Толстой</last-name></author><author><nickname>anon</nickname></author><book-title>Анна Каренина</book-title>
<annotation><p>Первый.</p><p>Второй.</p></annotation><keywords>roman, classic</keywords>
<date value="1877-01-01">1877</date>
<coverpage><image l:href="#c.jpg"/></coverpage><lang>ru</lang><src-lang>fr</src-lang>
<translator><first-name>A</first-name><last-name>B</last-name></translator>
<sequence name="Серия" number="2"/></title-info>
<document-info><program-used>Tool</program-used><id>a1b2c3d4-0000-4000-8000-00000000abcd</id>
<version>1.1</version></document-info>
<publish-info><publisher>Наука</publisher><city>Москва</city><year>1970</year>
<isbn>978-0-306-40615-7</isbn></publish-info>
</description><body><section><p>{body}</p></section></body></FictionBook>"""


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "utf-16"])
@pytest.mark.parametrize("zipped", [False, True])
def test_all_of_fiction_book(encoding: str, zipped: bool) -> None:
    data = FB2.format(encoding=encoding, body="т" * 1_000_000).encode(encoding)
    found = extraction(BOOKS, zip_of({"книга.fb2": data}) if zipped else data, "x.fb2.zip" if zipped else "x.fb2")
    assert (found.title, found.language, found.created, found.problem) == ("Анна Каренина", "ru", "1970", None)
    assert found.details == {
        "series": "Серия", "series_position": 2.0, "description": "Первый.\nВторой.", "original_language": "fr",
        "written": "1877-01-01", "has_cover": True, "publisher": "Наука", "city": "Москва", "version": "1.1",
        "producer": "Tool", "identifiers": {"isbn": "9780306406157", "uuid": "a1b2c3d4-0000-4000-8000-00000000abcd"},
    }  # fmt: skip
    authors = [(entity.name, entity.sort_name) for entity in found.entities if entity.role == "author"]
    assert authors == [("Лев Николаевич Толстой", "Толстой, Лев Николаевич"), ("anon", None)]
    assert entities(found, "genre") == ["prose_rus_classic"]
    assert entities(found, "keyword") == ["roman", "classic"]
    assert entities(found, "translator") == ["A B"]


def test_a_fiction_book_without_an_end_to_its_description() -> None:
    data = FB2.format(encoding="utf-8", body="").replace("<annotation>", "<annotation><p>" + "x" * 2_000_000 + "</p>")
    found = extraction(BOOKS, data.encode(), "x.fb2")
    assert found.title == "Анна Каренина"
    assert found.problem is not None


@pytest.mark.skipif(shutil.which("ebook-meta") is None, reason="ebook-meta (calibre) is not installed")
def test_the_same_as_calibre(tmp_path: Path) -> None:
    # calibre takes the last ISBN, whether it is one or not.
    epub_2 = epub(EPUB_2.replace(b'<dc:identifier opf:scheme="ISBN">12345</dc:identifier>', b""))
    files = {"3.epub": epub(EPUB_3), "2.epub": epub_2, "x.fb2": FB2.format(encoding="utf-8", body="").encode()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}
    for path in (*(tmp_path / name for name in files), *sorted(DATA.glob("calibre.*"))):
        command = ["ebook-meta", str(path)]
        shown = subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout
        calibre = dict(re.findall(r"^(\S[^:]*?)\s*: (.*)$", shown, re.MULTILINE))
        found = extraction(BOOKS, path.read_bytes(), path.name)
        subtitle = found.details.get("subtitle")
        assert calibre["Title"] == (f"{found.title}: {subtitle}" if subtitle else found.title), path.name
        authors = re.sub(r" \[.*?\]", "", calibre["Author(s)"]).split(" & ")
        assert entities(found, "author")[:1] == authors[:1], path.name
        identifiers = found.details["identifiers"]
        assert isinstance(identifiers, dict)
        if isbn := re.search(r"isbn:([\dXx-]+)", calibre.get("Identifiers", "")):
            assert isbn13(isbn[1]) == identifiers["isbn"], path.name
        if "Series" in calibre and path.suffix != ".azw3":
            assert calibre["Series"] == f"{found.details['series']} #{found.details['series_position']:g}", path.name


@pytest.mark.parametrize("name", ["calibre.mobi", "calibre.azw3"])
def test_books_that_calibre_made(name: str) -> None:
    found = extraction(BOOKS, (DATA / name).read_bytes(), name)
    assert (found.title, found.language, found.created) == ("The Ünï Title", "fr", "2011-05-01")
    assert entities(found, "author") == ["Émile Zola", "Ada Q. Marlowe"]
    assert entities(found, "subject") == ["Fiction", "Réalisme"]
    assert found.details["description"] == "Hello there\nBye"


ORIGINALS = [
    epub(EPUB_3), epub(EPUB_2), mobi([(100, b"A"), (503, b"T"), (121, b"\0\0\0\1")]),
    (DATA / "calibre.azw3").read_bytes(),
    FB2.format(encoding="utf-8", body="x").encode(), zip_of({"x.fb2": FB2.format(encoding="utf-8", body="x").encode()}),
]  # fmt: skip


@pytest.mark.parametrize("name", ["x.epub", "x.mobi", "x.fb2", "x.fb2.zip"])
def test_cut_off_anywhere(name: str) -> None:
    for original in ORIGINALS:
        for data in cuts(original, 71):
            extract(BOOKS, data, name)


@given(mutated(ORIGINALS), st.sampled_from(["x.epub", "x.mobi", "x.fb2"]))
def test_mutated(data: bytes, name: str) -> None:
    extract(BOOKS, data, name)


@given(mutated([EPUB_2, EPUB_3]))
def test_mutated_package_documents(data: bytes) -> None:
    assert isinstance(extract(BOOKS, epub(data), "x.epub"), Extraction)


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    extract(BOOKS, data, "x.epub")
    extract(BOOKS, mobi([])[:78] + data, "x.mobi")
    extract(BOOKS, b"<FictionBook>" + data, "x.fb2")
