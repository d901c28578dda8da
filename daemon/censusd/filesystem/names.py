"""File names are bytes; the catalogue stores text that maps back to exactly those bytes.

Valid UTF-8 is stored as it is. A byte that is not part of valid UTF-8, and each byte of a genuine U+EF80..U+EFFF, is
stored as the private-use character U+EF00 + byte (the scheme that MirBSD calls OPTU-8). So every name round-trips
through one text column, and no two names ever share a text.
"""

from __future__ import annotations

import os
import re
from typing import Final

_FIRST: Final = 0xEF80
_LAST: Final = 0xEFFF
_ESCAPES: Final = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
# Python's own name for an undecodable byte (PEP 383) is U+DC00 + byte.
_TO_SURROGATES: Final = {code: code - 0xEF00 + 0xDC00 for code in range(_FIRST, _LAST + 1)}
_FROM_SURROGATES: Final = {surrogate: code for code, surrogate in _TO_SURROGATES.items()}


def text_of(name: bytes) -> str:
    """The catalogue's text for a name, or a path, given as the bytes on disk."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if text.isascii() or not _ESCAPES.search(text):
            return text
    text = name.decode("utf-8", "surrogateescape")
    text = _ESCAPES.sub(_escape_genuine, text)
    return text.translate(_FROM_SURROGATES)


def bytes_of(text: str) -> bytes:
    """The bytes on disk for a name, or a path, given as catalogue text. The inverse of ``text_of``."""
    if text.isascii() or not _ESCAPES.search(text):
        return text.encode("utf-8")
    return text.translate(_TO_SURROGATES).encode("utf-8", "surrogateescape")


def text_of_native(name: str) -> str:
    """The catalogue's text for a name as Python's file functions return it, whatever the locale's encoding."""
    return name if name.isascii() else text_of(os.fsencode(name))


def is_name(text: str) -> bool:
    """Whether an entry of a directory can be called so: what else a path can consist of leads to other directories."""
    return text not in {"", ".", ".."} and "/" not in text and "\0" not in text


def _escape_genuine(match: re.Match[str]) -> str:
    return "".join(chr(0xEF00 + byte) for byte in match.group().encode("utf-8"))
