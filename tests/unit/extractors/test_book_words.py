"""Identifiers, dates, roles and texts, in the one form that they are brought to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.extractors.books.facts import plain_text, role_of
from censusd.extractors.dates import written_date
from censusd.extractors.identifiers import add_identifier, isbn13


@pytest.mark.parametrize(
    ("text", "scheme", "expected"),
    [
        ("0-306-40615-2", None, {"isbn": "9780306406157"}),
        ("urn:isbn:9780306406157", None, {"isbn": "9780306406157"}),
        ("978-0306406157", "ISBN-13", {"isbn": "9780306406157"}),
        ("978-0306406158", "ISBN", {"invalid_isbn": "978-0306406158"}),
        ("0-8044-2957-X", "isbn", {"isbn": "9780804429573"}),
        ("{A1B2C3D4-0000-4000-8000-00000000ABCD}", None, {"uuid": "a1b2c3d4-0000-4000-8000-00000000abcd"}),
        ("B000FA5ZEG", None, {"asin": "B000FA5ZEG"}),
        ("B000FA5ZEG", "MOBI-ASIN", {"asin": "B000FA5ZEG"}),
        ("https://example.org/book/1", None, {"uri": "https://example.org/book/1"}),
        ("https://example.org/book/1", "URI", {"uri": "https://example.org/book/1"}),
        ("10.1000/182", None, {"doi": "10.1000/182"}),
        ("google:abc", None, {"google": "abc"}),
        ("anything", None, {"other": "anything"}),
        ("  ", "isbn", {}),
    ],
)
def test_identifiers(text: str, scheme: str | None, expected: dict[str, str]) -> None:
    identifiers: dict[str, str] = {}
    add_identifier(identifiers, text, scheme)
    assert identifiers == expected


@given(st.from_regex(r"97[89][0-9]{9}", fullmatch=True))
def test_exactly_one_check_digit_makes_an_isbn(digits: str) -> None:
    assert sum(isbn13(digits + str(check)) is not None for check in range(10)) == 1


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2011", "2011"), ("2011-05", "2011-05"), ("20110501", "2011-05-01"), ("2011/05/01", "2011-05-01"),
        ("2011-05-01T00:00:00+00:00", "2011-05-01"), ("2011-05-01T10:20:30Z", "2011-05-01T10:20:30Z"),
        ("2011-05-01 10:20 +0200", "2011-05-01T10:20:00+02:00"), ("2011-13-45", "2011"), ("1899-1902", "1899"),
        ("May 1, 2011", "2011-05-01"), ("1 May 2011", "2011-05-01"), ("Thu, 05 May 2011 10:11:12 GMT", "2011-05-05"),
        ("May 2011", "2011-05"), ("[c1899]", "1899"), ("0101-01-01T00:00:00+00:00", None), ("", None), (None, None),
        ("no date", None), ("12/2011 and 3/2012", None), ("2011-02-31T25:00:00", "2011-02-31"),
    ],
)  # fmt: skip
def test_dates(text: str | None, date: str | None) -> None:
    assert written_date(text) == date


def test_roles_and_texts() -> None:
    assert role_of("aut", "x") == "author"
    assert role_of("http://id.loc.gov/vocabulary/relators/trl", "x") == "translator"
    assert role_of("marc:ill", "x") == "illustrator"
    assert role_of("Cover Designer", "x") == "cover_designer"
    assert role_of(None, "author") == "author"
    assert plain_text("a<br/>b &amp; c <p>d</p>\n\n<script>e") == "a\nb & c d\ne"
    assert plain_text("<p></p>") is None
    assert plain_text("<" * 1_000_000) is not None
