"""How foreign text is shown to people: on one line, of bounded length, and without control characters."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePath
from typing import Final

_LONGEST_SHOWN: Final = 80
_LARGEST_SHOWN: Final = 10**18


def printable(text: str | PurePath) -> str:
    """``text`` with everything that a terminal or a log might trip over written as a backslash escape."""
    text = os.fspath(text) if isinstance(text, PurePath) else text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def shown(value: object) -> str:
    """A value from a TOML document, as a person would recognise it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{shortened(printable(value))}"'
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    if isinstance(value, dict):
        return "a table"
    # Python refuses to write out integers of more than 4300 digits, and TOML can hold them.
    if isinstance(value, int) and abs(value) > _LARGEST_SHOWN:
        return "a very large number"
    return str(value)


def shortened(text: str) -> str:
    """``text``, cut where it gets too long for a message."""
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` for the known word that is most like ``word``, or nothing."""
    close = get_close_matches(word[:_LONGEST_SHOWN], list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode gives it
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode()
