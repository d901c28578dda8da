"""What the place of a comic says: its own name and those of the directories it is in, put together.

``Comics/Manga/One Piece (1997)/Volume 01/One Piece c003.cbz`` is of the category Manga, of the series One Piece, which
began in 1997, in its volume 1, and number 3 there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from censusd.extractors.comics.names import ComicName, parse_name

_DIVIDERS: Final = re.compile(
    r"(?:volumes?|vols?|chapters?|issues?|annuals?|specials?|extras?|one-?shots?|tpbs?|omnibus|omnibuses|books?|season|"
    r"s(?=[\s._-]*\d)|arc|part|disc|hardcovers?|collected( editions)?|singles?|complete|oneshots)?[\s._-]*\d{0,4}",
    re.IGNORECASE,
)
"""Directories that divide a series, and are none: ``Volume 02``, ``Annuals``, ``Season 1``, ``2019``."""

_EVERYTHING: Final = frozenset(("comics", "comic", "comic books", "bandes dessinées", "library", "media", "books"))
"""Directories that hold all comics, and so say nothing of one."""


@dataclass(frozen=True, slots=True)
class ComicPlace:
    """What a comic's place says.

    Attributes:
        name: what its name says, completed by the directories.
        category: the uppermost directory that holds series: ``Manga``, ``Marvel``.
        series_year: the year in which the series began.
    """

    name: ComicName
    category: str | None = None
    series_year: int | None = None


def parse_place(name: str, directories: tuple[str, ...]) -> ComicPlace:
    """What the place of a comic says.

    Args:
        name: its own last name.
        directories: the names of the directories it is in, the uppermost below the repository's root first.
    """
    said = parse_name(name)
    below = [(text, _directory(text)) for text in directories[-16:]]
    for _, directory in reversed(below):
        if said.volume is None and directory.volume and not said.last_volume:
            said = replace(said, volume=directory.volume)
    if said.series and _divides(said.series) and not said.series.isdecimal():  # a series is called 52
        said = replace(said, series=None)
    named = _series_directory(said, below)
    series_year = None
    if named is not None:
        directory = below[named][1]
        series_year = directory.year
        if said.series is None:
            said = replace(said, series=directory.series or below[named][0])
        elif said.number is None and said.volume is None and not _alike(said.series, directory.series):
            # Tintin/Cigars of the Pharaoh.cbz: a title of the series that the directory names.
            said = replace(said, series=directory.series, title=said.title or said.series)
    if said.series is None and said.number and said.year:
        # 300 (1998).cbz, where no directory says what it would be the 300th of.
        said = replace(said, series=said.number, number=None)
    above = below if named is None else below[:named]
    category = next((text for text, _ in above if _says_something(text)), None)
    return ComicPlace(said, category, series_year)


@lru_cache(maxsize=1024)
def _directory(name: str) -> ComicName:
    return parse_name(name)  # for each of its files the same; nobody changes it


def _series_directory(said: ComicName, below: list[tuple[str, ComicName]]) -> int | None:
    """Which of the directories is the one of the series, or None."""
    candidates = [place for place, (text, name) in enumerate(below) if name.series and _says_something(name.series)]
    if not candidates:
        return None
    for place in reversed(candidates):
        if _alike(said.series, below[place][1].series):
            return place
    nearest = candidates[-1]
    if said.series is None:
        return nearest
    # A directory with a year is one of a series; so is one below a category, if the file is a title without a number.
    dated = below[nearest][1].year is not None
    untold = said.number is None and said.volume is None and len(candidates) > 1
    return nearest if dated or untold else None


def _divides(text: str) -> bool:
    return _DIVIDERS.fullmatch(text) is not None


def _says_something(text: str) -> bool:
    return not _divides(text) and text.lower() not in _EVERYTHING


def _alike(one: str | None, other: str | None) -> bool:
    """Whether one name begins with the other, case, articles and punctuation aside."""
    first, second = (_plain(text or "") for text in (one, other))
    shorter, longer = sorted((first, second), key=len)
    return bool(shorter) and longer.startswith(shorter)


def _plain(text: str) -> str:
    return re.sub(r"^the|[\W_]+", "", text.casefold())
