"""Which entries of an archive are pages, and in which order people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from censusd.extractors.archives.archive import Entry

IMAGES: Final = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jxl", ".heic",
    ".heif", ".jp2",
)  # fmt: skip
_NO_PAGES: Final = re.compile(r"(?:^|/)(?:\.|__macosx/|@eadir/|thumb(?:nail)?s?/|thumbs?\.)", re.IGNORECASE)
"""Hidden files and directories, and what macOS, Synology and Windows leave behind."""
_DIGITS: Final = re.compile(r"(\d+)")


def pages(entries: Iterable[Entry]) -> list[str]:
    """The names of the pages, in the archive's order."""
    names = [entry.name for entry in entries if entry.name.lower().endswith(IMAGES)]
    # One search through all names is faster than one for each, and nearly always finds nothing.
    if _NO_PAGES.search("\0/".join(["", *names])):
        names = [name for name in names if not _NO_PAGES.search(name)]
    return names


def first_page(names: list[str]) -> str | None:
    """The page that comes first, as people count: ``page 2`` before ``page 10``."""
    return min(names, key=_natural, default=None)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """What to sort a name by: runs of digits as numbers, letters without case."""
    return [
        (0, int(part[:18]), "") if part.isdecimal() else (1, 0, part)
        for part in _DIGITS.split(name[:1000].lower())
        if part
    ]
