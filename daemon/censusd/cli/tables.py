"""Text for a terminal: aligned tables, sizes, times, and names that cannot pass for something else."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Final

_FIRST_BYTE: Final = 0xEF80
_LAST_BYTE: Final = 0xEFFF
_SEPARATOR: Final = "  "
_ELLIPSIS: Final = "…"
_LEAST_WIDTH: Final = 16
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SPANS: Final = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def visible(text: str) -> str:
    r"""Catalogue text with all that a terminal would act on, or not show, written as an escape.

    No name can then break a line, forge one, or turn the text around. A byte that is no UTF-8 becomes ``\xff``, and a
    backslash two of them, so that no two names look the same.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_visible(character) for character in text)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    flexible: Sequence[int] = (),
    dispensable: Sequence[str] = (),
) -> str:
    """An aligned table; a column whose heading begins with ``>`` is flush right.

    Args:
        headings: of the columns.
        rows: of the table; every text is put as it is, so it has to be made visible before.
        width: columns of the terminal; None for as wide as it gets.
        flexible: the indices of columns that give way where there is too little room, the first one first.
        dispensable: the headings of columns that are left out where there is still too little, the first one first.
    """
    names = [heading.removeprefix(">") for heading in headings]
    right = [heading.startswith(">") for heading in headings]
    lines = [names, *rows]
    widths = [max(columns(line[index]) for line in lines) for index in range(len(headings))]
    shown = list(range(len(headings)))

    def excess() -> int:
        return sum(widths[index] for index in shown) + len(_SEPARATOR) * (len(shown) - 1) - (width or 0)

    if width is not None:
        for index in flexible:
            widths[index] = min(widths[index], max(_LEAST_WIDTH, widths[index] - max(0, excess())))
        for name in dispensable:
            if excess() > 0:
                shown.remove(names.index(name))
        for index in flexible:
            # What was left out may have made more room than was needed.
            if index in shown:
                most = max(columns(line[index]) for line in lines)
                widths[index] = min(most, widths[index] + max(0, -excess()))
    return "\n".join(
        _SEPARATOR.join(
            _padded(shortened(line[index], widths[index]), widths[index], right=right[index]) for index in shown
        ).rstrip()
        for line in lines
    )


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, its middle left out: both ends of a path say something."""
    if columns(text) <= width:
        return text
    head, tail = (width - 1) // 3, width - 1 - (width - 1) // 3
    return _taken(text, head) + _ELLIPSIS + _taken(text[::-1], tail)[::-1]


def columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def size(count: int | None) -> str:
    """A number of bytes in powers of 1024: ``3.4 GiB``."""
    if count is None:
        return "-"
    number = float(count)
    for unit in _UNITS:
        if number < 999.5 or unit == _UNITS[-1]:
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.5 else f"{number:.1f} {unit}"


def number(count: int | None) -> str:
    """``1,234``."""
    return "-" if count is None else f"{count:,}"


def counted(count: int, singular: str, plural: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {singular if count == 1 else plural}"


def duration(seconds: float | None) -> str:
    """``12 ms``, ``3.4 s``, ``5 min``, ``2 h``, ``40 d``."""
    if seconds is None:
        return "-"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    for unit, length in _SPANS:
        if seconds >= 2 * length or unit == "min":
            return f"{seconds / length:.0f} {unit}"
    raise AssertionError


def relative(time: str | None, now: str) -> str:
    """A time in ISO 8601, from where ``now`` is: ``5 min ago``, ``in 2 h``, ``never``."""
    if time is None:
        return "never"
    seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(time)).total_seconds()
    if abs(seconds) < 1:
        return "now"
    # To the second, also where a duration would be told more finely.
    span = duration(abs(seconds)) if abs(seconds) >= 9.95 else f"{abs(seconds):.0f} s"
    return f"{span} ago" if seconds > 0 else f"in {span}"


def _visible(character: str) -> str:
    code = ord(character)
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"\\x{code - 0xEF00:02x}"
    if character == "\\":
        return "\\\\"
    # Private use characters are not printable to Python, but they are to icon fonts, and do no harm.
    if character.isprintable() or unicodedata.category(character) == "Co":
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _taken(text: str, width: int) -> str:
    """As much of the beginning of ``text`` as fits ``width`` columns."""
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:index]
    return text


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - columns(text))
    return space + text if right else text + space
