"""Identifiers of books and documents, each under the name of its scheme and in one form."""

from __future__ import annotations

import re
from typing import Final

MOST_IDENTIFIERS: Final = 30

_PREFIX: Final = re.compile(r"(?:urn:)?([A-Za-z][A-Za-z0-9_.-]{1,30}):(.+)", re.DOTALL)
_UUID: Final = re.compile(
    r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE
)
_ASIN: Final = re.compile(r"B0[0-9A-Z]{8}")
_DOI: Final = re.compile(r"10\.\d{4,9}/\S{1,200}")
_SCHEMES: Final = {
    "isbn": "isbn",
    "isbn13": "isbn",
    "isbn-13": "isbn",
    "isbn10": "isbn",
    "isbn-10": "isbn",
    "e-isbn": "isbn",
    "eisbn": "isbn",
    "02": "isbn",  # ONIX code list 5, which EPUB 3 points to
    "15": "isbn",
    "06": "doi",
    "asin": "asin",
    "mobi-asin": "asin",
    "amazon": "asin",
    "uuid": "uuid",
    "uid": "uid",
    "uri": "uri",
    "url": "uri",
    "http": "uri",
    "https": "uri",
    "doi": "doi",
}


def add_identifier(identifiers: dict[str, str], text: str | None, scheme: str | None = None) -> None:
    """Add what a text identifies, under its scheme's name.

    An ISBN is one only with the right check digit, and is given with thirteen digits; what says that it is one and is
    none is kept as ``invalid_isbn``. What names no scheme is recognised by its form, else kept as ``other``.

    Args:
        identifiers: scheme -> identifier; the first of a scheme stays.
        text: as it is written, perhaps with a scheme before it: ``urn:isbn:9780…``, ``goodreads:123``.
        scheme: what the file says of it, if it does.
    """
    text = " ".join((text or "").split())[:300]
    if not text or len(identifiers) >= MOST_IDENTIFIERS:
        return
    name = re.sub(r"[^a-z0-9_.-]+", "_", (scheme or "").strip().lower())[:40].strip("_")
    prefix = _PREFIX.fullmatch(text)
    if prefix and not text.lower().startswith(("http:", "https:")):
        name, text = prefix[1].lower(), prefix[2].strip()
    name = _SCHEMES.get(name, name)
    if uuid := _UUID.fullmatch(text):
        name, text = "uuid", "-".join(uuid.groups()).lower()
    elif (isbn := isbn13(text)) and name in ("", "isbn", "uid", "other"):
        name, text = "isbn", isbn
    elif name == "isbn":
        name = "invalid_isbn"
    elif not name and _ASIN.fullmatch(text):
        name = "asin"
    elif not name and _DOI.fullmatch(text):
        name = "doi"
    elif not name and text.lower().startswith(("http:", "https:")):
        name = "uri"
    identifiers.setdefault(name or "other", text)


def isbn13(text: str) -> str | None:
    """The thirteen digits of an ISBN, or None if it is none.

    >>> isbn13("0-306-40615-2"), isbn13("978 0 306 40615 7"), isbn13("978-0-306-40615-8")
    ('9780306406157', '9780306406157', None)
    """
    digits = re.sub(r"[\s\u2010-\u2015-]+", "", text).upper()
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        values = [10 if digit == "X" else int(digit) for digit in digits]
        if sum((10 - place) * value for place, value in enumerate(values)) % 11:
            return None
        digits = "978" + digits[:9]
        return digits + str(-_weighted(digits) % 10)
    if re.fullmatch(r"97[89][0-9]{10}", digits) and _weighted(digits) % 10 == 0:
        return digits
    return None


def _weighted(digits: str) -> int:
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
