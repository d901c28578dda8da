"""Dates as people and programs write them into documents, as ISO 8601 with as much as they say."""

from __future__ import annotations

import re
from typing import Final

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_ISO: Final = re.compile(
    r"([12]\d{3})(?:[-/.]?([01]\d)(?:[-/.]?([0-3]\d)(?:[T\s]+([0-2]\d:[0-5]\d(?::[0-5]\d)?)(?:[.,]\d+)?\s*"
    r"(Z|[+-][0-2]\d:?[0-5]\d)?)?)?)?(?!\d).*",
    re.IGNORECASE | re.DOTALL,
)
_WORDS: Final = re.compile(
    r"(?:(?:\w{3,9},?\s+)?(?P<day>\d{1,2})(?:st|nd|rd|th)?\.?\s+)?(?P<month>[A-Za-z]{3,9})\.?"
    r"(?:\s+(?P<day_after>\d{1,2})(?:st|nd|rd|th)?,?)?,?\s+(?P<year>[12]\d{3})\b.*",
    re.DOTALL,
)
_ONLY_YEAR: Final = re.compile(r"\D*([12]\d{3})\D*")
_EARLIEST: Final = 1000
"""Years before are what programs write for none: calibre says 101. Books that old have later editions."""


def day(year: int | None, month: int | None = None, day_of_month: int | None = None) -> str | None:
    """A date as far as it is known: ``2019``, ``2019-05``, ``2019-05-01``; None without a year."""
    if year is None or not _EARLIEST <= year < 3000:
        return None
    if month is None or not 1 <= month <= 12:
        return f"{year:04}"
    if day_of_month is None or not 1 <= day_of_month <= 31:
        return f"{year:04}-{month:02}"
    return f"{year:04}-{month:02}-{day_of_month:02}"


def written_date(text: str | None) -> str | None:
    """The date that a text is, or None: ISO 8601 and its shorter forms, ``1 May 2019``, ``May 2019``, ``[1899]``.

    The time is given unless it is midnight, which is what programs write that know the day alone.

    >>> written_date("2011-05-01T00:00:00+00:00"), written_date("May 3rd, 2011"), written_date("c1899.")
    ('2011-05-01', '2011-05-03', '1899')
    """
    text = (text or "").strip()[:100]
    if found := _ISO.fullmatch(text):
        date = day(int(found[1]), int(found[2]) if found[2] else None, int(found[3]) if found[3] else None)
        if date is None or len(date) < 10 or not found[4] or found[4][:5] == "00:00" or found[4] >= "24":
            return date
        seconds = found[4] if len(found[4]) > 5 else f"{found[4]}:00"
        offset = (found[5] or "").upper()
        if offset not in ("", "Z") and ":" not in offset:
            offset = f"{offset[:3]}:{offset[3:]}"
        return f"{date}T{seconds}{offset}"
    found = _WORDS.fullmatch(text)
    if found and (month := found["month"][:3].lower()) in _MONTHS:
        day_of_month = found["day"] or found["day_after"]
        return day(int(found["year"]), _MONTHS.index(month) + 1, int(day_of_month) if day_of_month else None)
    found = _ONLY_YEAR.fullmatch(text)
    return day(int(found[1])) if found else None
