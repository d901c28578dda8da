"""Names of people, series and dates as they stand in tags, taken apart."""

from __future__ import annotations

import re
from typing import Final

from censusd.extractors.base import LONGEST_NAME
from censusd.extractors.dates import written_date

MOST_PEOPLE: Final = 100
_ROLE: Final = re.compile(
    r"(.+?)\s+[-\u2013\u2014]\s+"
    r"(translator|editor|introduction|foreword|afterword|adapted by|contributor|preface|illustrator)s?",
    re.IGNORECASE,
)
_ROLES: Final = {"adapted by": "adapter", "preface": "foreword"}
_ROLE_IN_BRACKETS: Final = re.compile(
    r"(.+?)\s*\((translator|editor|foreword|introduction|narrator|author|reader)\)", re.IGNORECASE
)
_JUNIOR: Final = re.compile(r"(?:jr|sr|ii|iii|iv|phd|md|esq|mba|ph\.d|m\.d)\.?", re.IGNORECASE)
_AND: Final = re.compile(r"(?:^|\s+)(?:&|and|und|et|y)\s+", re.IGNORECASE)
_SERIES: Final = re.compile(
    r"(?P<name>.*\S)\s*[,:;\u2013-]?\s*"
    r"(?:(?:book|books|vol\.?|volume|part|no\.?|number|episode|band|buch|teil|folge|tome|libro)\s*#?|#)\s*"
    r"(?P<part>\d{1,5}(?:\.\d{1,3})?(?:\s*-\s*\d{1,5}(?:\.\d{1,3})?)?)",
    re.IGNORECASE,
)
_NO_SERIES: Final = frozenset(("book", "part", "volume", "vol", "chapter", "disc", "cd", "band", "teil"))
_TRAILING: Final = re.compile(r"(?P<name>.*[^\s\d,:#-])[\s,:#-]+(?P<part>\d{1,3}(?:\.\d{1,2})?)")
_NUMBER: Final = re.compile(r"\d{1,6}(?:[.,]\d{1,3})?")
_YEAR: Final = re.compile(r"(?<!\d)(1[4-9]\d\d|20\d\d)(?!\d)")


def split_values(values: list[str]) -> list[str]:
    """Values of which some hold several: ``;`` stands between them, or a slash with spaces around it, or a NUL."""
    plain = (" ".join(value[:8_192].split()) for value in values)  # else runs of spaces cost the patterns dearly
    parts = (part.strip()[:LONGEST_NAME] for value in plain for part in re.split(r"[;\0]| / ", value))
    return list(dict.fromkeys(part for part in parts if part))[:MOST_PEOPLE]


def split_names(values: list[str]) -> list[tuple[str, str | None]]:
    """Names of people who write or read books, each with a role if it says so: ``Robert Fagles - translator``.

    Commas and ampersands stand between names if each side could be a whole name: ``King, Stephen`` stays one person.

    >>> split_names(["Neil Gaiman, Terry Pratchett", "King, Stephen", "Martin Luther King, Jr."])
    [('Neil Gaiman', None), ('Terry Pratchett', None), ('King, Stephen', None), ('Martin Luther King, Jr.', None)]
    """
    names: dict[str, str | None] = {}
    for value in split_values(values):
        for name in _at_commas(value):
            found = _ROLE.fullmatch(name[:300]) or _ROLE_IN_BRACKETS.fullmatch(name[:300])
            role = found[2].lower() if found else None
            names.setdefault(found[1].strip() if found else name, _ROLES.get(role, role) if role else None)
    return list(names.items())[:MOST_PEOPLE]


def _at_commas(value: str) -> list[str]:
    parts: list[str] = []
    for part in value[:4_096].split(","):
        plain = part.strip()
        if parts and _JUNIOR.fullmatch(plain):
            parts[-1] += f", {plain}"
        elif plain:
            parts.append(plain)
    if any(_ROLE.fullmatch(part[:300]) for part in parts[1:]):
        return parts
    pieces = [piece.strip() for part in parts for piece in _AND.split(part) if piece.strip()]
    if len(pieces) > 1 and all(" " in piece for piece in pieces):
        return pieces
    if len(parts) > 1 and all(" " in part for part in parts):
        return parts
    return [value]


def parse_series(text: str, *, loose: bool = False) -> tuple[str, str] | None:
    """A series and the place in it, from ``Discworld, Book 5``, ``Discworld #5``; ``loose`` takes ``Discworld 5`` too.

    >>> parse_series("The Expanse, Book 2.5"), parse_series("Just a name")
    (('The Expanse', '2.5'), None)
    """
    text = " ".join(text[:300].split())
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    found = _SERIES.fullmatch(text) or (_TRAILING.fullmatch(text) if loose else None)
    if found is None or found["name"].lower() in _NO_SERIES:
        return None
    name = found["name"].rstrip(" ,:-\u2013;(")
    return (name, found["part"].replace(" ", "")) if name else None


def position(text: str | None) -> float | None:
    """The number in ``5``, ``2.5``, ``Book 3``, ``1-3``; None if there is none."""
    found = _NUMBER.search(text[:100]) if text else None
    return float(found[0].replace(",", ".")) if found else None


def whole(text: str | None) -> int | None:
    """A whole number up to a million, else None."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


def iso_date(text: str | None) -> str | None:
    """A date as ISO 8601, as much of it as there is; a mere year if it is written in a way that could mean two days.

    >>> iso_date("20190501"), iso_date("2019-05-01T07:00:00Z"), iso_date("05/01/2019"), iso_date("0000")
    ('2019-05-01', '2019-05-01T07:00:00Z', '2019', None)
    """
    year = _YEAR.search((text or "")[:100])
    return written_date(text) or (year[1] if year else None)
