"""XML out of strangers' files: read as far as it goes, within bounds, and never beyond the document."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.markup import DEEPEST_ELEMENT, LONGEST_DOCUMENT, MOST_ELEMENTS, Document, Element, parse
from tests.tools.extracting import peak_memory


def root_of(document: Document) -> Element:
    assert document.root is not None
    return document.root


def test_a_document_becomes_a_tree_of_local_names() -> None:
    root = root_of(
        parse(b'<opf:Package xmlns:opf="x" opf:Version="2.0"><dc:Title> A\n B </dc:Title><b/>tail</opf:Package>')
    )
    assert (root.name, root.tag, root.text) == ("opf:Package", "package", "tail")
    assert root.attributes == {"opf": "x", "version": "2.0"}
    assert [child.tag for child in root.children] == ["title", "b"]
    assert root.said("title") == "A B"
    assert root.said("b") is None
    assert root.said("absent", "title") is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<a>Tom & Jerry</a>", "Tom & Jerry"),
        (b"<a>Tom &amp; Jerry &lt;3</a>", "Tom & Jerry <3"),
        (b"<a>one&nbsp;two &eacute; &bogus; &</a>", "one\u00a0two é &bogus; &"),
        (b"<a>a < b & c</a>", "a < b & c"),
        (b"<a>bell\x07, null&#0;, one&#1;</a>", "bell, null�, one"),
        (b"\r\n<a>late</a>", "late"),
        (b"junk before<a>x</a>junk after", "x"),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><a>bom</a>", "bom"),
        ("<?xml version='1.0' encoding='utf-16'?><a>é</a>".encode(), "é"),
        ("<?xml version='1.0' encoding='utf-16'?><a>é</a>".encode("utf-16"), "é"),
        ("<a>é</a>".encode("utf-16-le"), "é"),
        ("<a>é</a>".encode("utf-16-be"), "é"),
        ("<a>é</a>".encode("latin-1"), "é"),
        ("<?xml version='1.0' encoding='windows-1251'?><a>Толстой</a>".encode("cp1251"), "Толстой"),
        ("<?xml version='1.0' encoding='shift_jis'?><a>日本</a>".encode("shift_jis"), "日本"),
        (b"<?xml version='1.0' encoding='no-such-thing'?><a>x</a>", "x"),
        (b"<a><![CDATA[<b>&amp;</b>]]></a>", "<b>&amp;</b>"),
        (b'<!DOCTYPE html PUBLIC "-//W3C//DTD" "http://localhost:1/x.dtd"><a>x&nbsp;y</a>', "x\u00a0y"),
    ],
)
def test_what_tools_get_wrong_is_put_right(data: bytes, text: str) -> None:
    document = parse(data)
    assert root_of(document).text == text
    assert document.fault is None


@pytest.mark.parametrize(
    "data", [b"<a><b>one</b><c>two", b"<a><b>one</b><c>two</wrong></a>", b"<a><b>one</b><c d=></c>"]
)
def test_what_comes_before_a_fault_is_kept(data: bytes) -> None:
    document = parse(data)
    assert root_of(document).said("b") == "one"
    assert document.fault is not None
    assert "line 1" in document.fault


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"no markup at all", b"PK\3\4", "\ufeff".encode("utf-16")])
def test_what_is_no_xml_has_no_root_and_a_fault(data: bytes) -> None:
    document = parse(data)
    assert document.root is None
    assert document.fault


def test_entities_of_a_documents_own_are_refused() -> None:
    laughs = b"<!DOCTYPE a [<!ENTITY l0 'lol'>" + b"".join(
        b"<!ENTITY l%d '%s'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
    )
    for data in (
        laughs + b"]><a>&l9;</a>",
        laughs + b"]><a b='&l9;'/>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        b"<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><a/>",
    ):
        document = parse(data)
        assert document.fault is not None
        assert "entity" in document.fault
        assert document.root is None


def test_depth_elements_and_length_are_bounded() -> None:
    deep = parse(b"<a>" * 100_000)
    assert deep.fault is not None
    assert sum(1 for _ in root_of(deep).walk()) == DEEPEST_ELEMENT
    wide = parse(b"<a>" + b"<b/>" * (MOST_ELEMENTS + 10) + b"</a>")
    assert wide.fault is not None
    assert sum(1 for _ in root_of(wide).walk()) == MOST_ELEMENTS
    long = parse(b"<a><b>kept</b>" + b" " * LONGEST_DOCUMENT + b"</a>")
    assert long.fault is not None
    assert root_of(long).said("b") == "kept"


def test_nothing_is_looked_at_after_the_element_that_ends_it() -> None:
    document = parse(b"<book><description>said</description><p:body>never closed <oops", until="body")
    assert document.fault is None
    assert root_of(document).said("description") == "said"


def test_a_hostile_document_costs_bounded_time_and_memory() -> None:
    start = time.process_time()
    peak = peak_memory(
        lambda: [parse(data) for data in (b"&" * 1_000_000, b"<" * 1_000_000, b"<a " + b"b='1' " * 150_000)]
    )
    assert peak < 64 << 20
    assert time.process_time() - start < 20


@given(st.binary(max_size=300) | st.text("<>/a&;'\"=! \x00é[]?-", max_size=200).map(str.encode))
def test_no_bytes_raise(data: bytes) -> None:
    document = parse(data)
    assert document.root is not None or document.fault
