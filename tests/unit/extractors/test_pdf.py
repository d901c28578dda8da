"""PDF: what PDFium and the XMP packet say, with and without passwords, and what broken and hostile files do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censusd.extractors.base import Kind
from censusd.extractors.documents.pdf import Pdf
from censusd.extractors.documents.pdf_facts import pdf_date, people
from censusd.extractors.documents.pdf_objects import Objects
from censusd.extractors.documents.pdf_xmp import read_packet
from censusd.extractors.reading import Reader
from censusd.model import Problem
from tests.tools import tiny_files
from tests.tools.extracting import cuts, entities, extract, extraction, mutated
from tests.tools.tiny_documents import XMP, pdf, stream, two_pages

DATA = Path(__file__).parents[2] / "data" / "documents"
PDF = Pdf()
INFORMED = {
    "subject": "Notes", "keywords": "engines, looms", "creator": "A writer", "producer": "A producer",
    "modified": "2020-01-02T03:04:05Z", "page_width": 595.28, "page_height": 841.89, "paper": "A4",
}  # fmt: skip
FROM_XMP = {"rights": "CC BY", "conformance": ["PDF/A-2b"], "identifiers": {"doi": "10.1000/182"}}


def read(name: str) -> bytes:
    return (DATA / name).read_bytes()


@pytest.mark.parametrize(
    "data",
    [two_pages(), read("linearized.pdf"), read("object-streams.pdf")],
    ids=["plain", "linearized", "object streams"],
)
def test_all_of_a_pdf(data: bytes) -> None:
    found = extraction(PDF, data, "x.pdf")
    assert (found.kind, found.mime_type, found.problem) == (Kind.DOCUMENT, "application/pdf", None)
    assert (found.title, found.pages, found.created, found.language) == (
        "Étude",
        2,
        "2019-05-01T12:30:00+02:00",
        "en-GB",
    )
    assert found.details == {"version": "1.6", **INFORMED, **FROM_XMP}
    assert entities(found, "author") == ["Lovelace, Ada", "Bob Smith"]
    assert entities(found, "keyword") == ["engines", "looms, too"]


def test_either_place_is_enough() -> None:
    found = extraction(PDF, two_pages(xmp=None), "x.pdf")
    assert (found.title, found.details) == ("Étude", {"version": "1.6", **INFORMED})
    assert entities(found, "author") == ["Ada Lovelace", "Bob Smith"]
    assert entities(found, "keyword") == ["engines", "looms"]
    found = extraction(PDF, two_pages(information=b"<< >>"), "x.pdf")
    assert (found.title, found.created) == ("The Packet", "2019-05-01T12:30:00+02:00")
    assert found.details["producer"] == "A producer"
    silent = extraction(PDF, two_pages(xmp=None, information=b"<< >>"), "x.pdf")
    assert (silent.title, silent.created, silent.pages, silent.problem, silent.entities) == (None, None, 2, None, ())


@pytest.mark.parametrize("name", ["encrypted-owner-40.pdf", "encrypted-owner-256.pdf"])
def test_what_is_encrypted_without_a_password_is_read(name: str) -> None:
    found = extraction(PDF, read(name), "x.pdf")
    assert (found.title, found.pages, found.problem) == ("Étude", 2, None)
    assert found.details == {"version": "1.7" if "256" in name else "1.6", **INFORMED, "encrypted": True}
    assert entities(found, "author") == ["Ada Lovelace", "Bob Smith"]


@pytest.mark.parametrize("name", ["encrypted-user-128.pdf", "encrypted-user-256.pdf"])
def test_what_needs_a_password_is_said_and_no_problem(name: str) -> None:
    found = extraction(PDF, read(name), "x.pdf")
    assert found.details == {"version": "1.7" if "256" in name else "1.6", "encrypted": True, "needs_password": True}
    assert (found.title, found.pages, found.problem) == (None, None, None)


def test_a_packet_in_clear_beside_encrypted_pages_is_read() -> None:
    found = extraction(PDF, read("encrypted-user-clear-metadata.pdf"), "x.pdf")
    assert (found.title, found.pages, found.problem) == ("The Packet", None, None)
    assert found.details == {
        "version": "1.7", "encrypted": True, "needs_password": True, "producer": "A producer", **FROM_XMP,
    }  # fmt: skip


def test_an_updated_file_says_what_its_last_part_says() -> None:
    first = two_pages()
    catalog = b"<< /Type /Catalog /Pages 3 0 R /Metadata 7 0 R /Version /2.0 >>"
    newer = stream(XMP.replace(b"CC BY", b"Changed"), b"/Type /Metadata /Subtype /XML")
    at_1 = len(first)
    data = first + b"1 0 obj\n%s\nendobj\n" % catalog
    at_7 = len(data)
    data += b"7 0 obj\n%s\nendobj\n" % newer
    previous = re.findall(rb"startxref\n(\d+)", first)[-1]
    table = b"xref\n1 1\n%010d 00000 n \n7 1\n%010d 00000 n \n" % (at_1, at_7)
    end = b"trailer << /Size 8 /Root 1 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (previous, len(data))
    found = extraction(PDF, data + table + end, "x.pdf")
    assert (found.pages, found.details["rights"], found.details["version"]) == (2, "Changed", "2.0")


def test_a_packed_packet_and_a_packet_without_a_fixed_length() -> None:
    packed = stream(zlib.compress(XMP), b"/Type /Metadata /Filter /FlateDecode")
    pages = [b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>", b"<< /Type /Page /Parent 3 0 R /MediaBox [0 0 10 10] >>"]
    catalog = b"<< /Type /Catalog /Pages 3 0 R /Metadata 5 0 R >>"
    found = extraction(PDF, pdf([catalog, b"<< >>", *pages, packed]), "x.pdf")
    assert found.title == "The Packet"
    referred = packed.replace(b"/Length %d" % len(zlib.compress(XMP)), b"/Length 6 0 R")
    found = extraction(PDF, pdf([catalog, b"<< >>", *pages, referred, b"%d" % len(zlib.compress(XMP))]), "x.pdf")
    assert found.title == "The Packet"


def test_something_before_the_beginning() -> None:
    found = extraction(PDF, b"\r\n\0junk" + two_pages(), "x.pdf")
    assert (found.title, found.details["rights"]) == ("Étude", "CC BY")


def test_what_is_taken() -> None:
    assert PDF.takes(two_pages(), "no extension")
    assert PDF.takes(b"damaged", "x.PDF")
    assert not PDF.takes(b"PK\3\4", "x.pdf")
    assert not PDF.takes(b"text", "x.txt")
    assert isinstance(extract(PDF, b"damaged", "x.pdf"), Problem)


def test_the_librarys_own_sample() -> None:
    found = extraction(PDF, tiny_files.pdf("Heizung – Bedienungsanleitung", "The manufacturer"), "x.pdf")
    assert (found.title, found.pages, found.problem) == ("Heizung – Bedienungsanleitung", 1, None)
    assert entities(found, "author") == ["The manufacturer"]


def test_a_damaged_file_is_a_problem_and_keeps_what_was_read() -> None:
    data = two_pages()
    without_table = data[: data.rindex(b"xref\n0")]
    repaired = extraction(PDF, without_table + b"trailer << /Root 1 0 R /Info 2 0 R >>", "x.pdf")
    assert (repaired.title, repaired.pages) == ("Étude", 2)
    broken = extraction(PDF, data.replace(b"/Type /Page", b"/Type /Rage"), "x.pdf")
    assert broken.details["rights"] == "CC BY"
    cut = extraction(PDF, data[:300], "x.pdf")
    assert cut.problem is not None
    assert cut.details["version"] == "1.6"


def test_lies_cost_nothing() -> None:
    huge = two_pages().replace(b"/Count 2", b"/Count 2000000000")
    assert extraction(PDF, huge, "x.pdf").pages in (None, 2)
    cyclic = two_pages().replace(b"/Kids [4 0 R 5 0 R]", b"/Kids [3 0 R 3 0 R]")
    extraction(PDF, cyclic, "x.pdf")
    looping = re.sub(rb"/Size 7", b"/Prev %d /Size 7" % two_pages().rindex(b"xref\n0"), two_pages())
    assert extraction(PDF, looping, "x.pdf").title == "Étude"
    bomb = stream(zlib.compress(bytes(64 << 20)), b"/Type /Metadata /Filter /FlateDecode")
    found = extraction(PDF, pdf([b"<< /Type /Catalog /Metadata 3 0 R >>", b"<< /Title (T) >>", bomb]), "x.pdf")
    assert found.problem is not None
    assert "XMP packet is longer" in found.problem.detail
    page = two_pages().replace(b"[0 0 595.28 841.89]", b"[0 0 3000000 84200]")
    assert "page_width" not in extraction(PDF, page, "x.pdf").details


def test_without_the_library_it_is_said() -> None:
    program = (
        "import sys; sys.modules['pypdfium2'] = None\n"
        "from tests.tools.extracting import extract\n"
        "from tests.tools.tiny_documents import two_pages\n"
        "from censusd.extractors.documents.pdf import Pdf\n"
        "print(extract(Pdf(), two_pages(), 'x.pdf').detail)\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, env=environment)
    assert "without the library pypdfium2" in shown.stdout


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys; from censusd.extractors.documents.pdf import Pdf; Pdf(); print('pypdfium2' in sys.modules)"
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, env=environment)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("D:20190501123000+02'00'", "2019-05-01T12:30:00+02:00"),
        ("D:20190501123000+02'00", "2019-05-01T12:30:00+02:00"),
        ("D:20190501123000Z00'00'", "2019-05-01T12:30:00Z"), ("D:20190501123000", "2019-05-01T12:30:00"),
        ("D:201905011230", "2019-05-01T12:30:00"), ("D:20190501", "2019-05-01"), ("D:2019", "2019"),
        ("D:20191345", "2019"), ("2019-05-01 and so on", "2019-05-01"),
        ("2019-05-01T12:30:00+02:00", "2019-05-01T12:30:00+02:00"),
        ("Wed May  1 12:30:00 2019", None), ("1 May 2019", "2019-05-01"), ("D:", None), ("", None), (None, None),
        ("D:00000101000000Z", None),
    ],
)  # fmt: skip
def test_dates(text: str | None, date: str | None) -> None:
    assert pdf_date(text) == date


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada Lovelace", ["Ada Lovelace"]),
        ("Lovelace, Ada", ["Lovelace, Ada"]),
        ("Ada Lovelace, Bob Smith", ["Ada Lovelace", "Bob Smith"]),
        ("Ada Lovelace and Bob Smith & Co", ["Ada Lovelace", "Bob Smith", "Co"]),
        ("Lovelace, A.; Smith, B.", ["Lovelace, A.", "Smith, B."]),
        ("Alexandra Mandel", ["Alexandra Mandel"]),
        (" ; ", []),
        (None, []),
    ],
)
def test_people(text: str | None, names: list[str]) -> None:
    assert people(text) == names


@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="pdfinfo (poppler-utils) is not installed")
def test_the_same_as_poppler(tmp_path: Path) -> None:
    (tmp_path / "plain.pdf").write_bytes(two_pages())
    compared = 0
    for path in (tmp_path / "plain.pdf", *sorted(DATA.iterdir())):
        command = ["pdfinfo", str(path)]
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        shown = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
        found = extraction(PDF, path.read_bytes(), path.name)
        assert ("Incorrect password" in shown.stderr) == bool(found.details.get("needs_password")), path.name
        if shown.returncode == 0:
            poppler = dict(re.findall(r"^(\S[^:]*):\s+(.*)$", shown.stdout, re.MULTILINE))
            assert (poppler["Title"], int(poppler["Pages"])) == (found.title, found.pages)
            assert poppler["Encrypted"].startswith("yes") == bool(found.details.get("encrypted"))
            size = f"{found.details['page_width']:g} x {found.details['page_height']:g} pts (A4)"
            assert poppler["Page size"] == size
            assert poppler["PDF version"] == found.details["version"]
            compared += 1
    assert compared >= 5


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_the_same_packet_as_exiftool(tmp_path: Path) -> None:
    for data in (two_pages(), read("linearized.pdf"), read("object-streams.pdf")):
        path = tmp_path / "x.pdf"
        path.write_bytes(data)
        command = ["exiftool", "-s3", "-XMP-dc:Creator", "-sep", "|", str(path)]
        shown = subprocess.run(
            command, capture_output=True, check=True, text=True, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        )
        packet = Objects(Reader.of(data)).metadata()
        assert packet is not None
        assert shown.stdout.strip().split("|") == read_packet(packet).lists["dc:creator"]


ORIGINALS = [two_pages(), *(path.read_bytes() for path in sorted(DATA.iterdir()))]


def test_cut_off_anywhere() -> None:
    for original in ORIGINALS[:3]:
        for data in cuts(original, 41):
            extract(PDF, data, "x.pdf")


@settings(max_examples=300)
@given(mutated(ORIGINALS))
def test_mutated(data: bytes) -> None:
    extract(PDF, data, "x.pdf")


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    extract(PDF, b"%PDF-1.4\n" + data, "x.pdf")
    read_packet(data)
    Objects(Reader.of(two_pages()[:900] + data + two_pages()[900:])).metadata()
