"""What the place of a comic says: its own name, completed by those of its directories."""

from __future__ import annotations

import pytest

from censusd.extractors.comics.places import parse_place
from tests.tools.comic_names import said, table

PLACES = """
Manga/One Piece (1997)/Volume 01/One Piece c003.cbz
    category=Manga | series_year=1997 | series=One Piece | number=3 | volume=1
Comics/Marvel/The Amazing Spider-Man (2018)/Amazing Spider-Man 012.cbz
    category=Marvel | series_year=2018 | series=Amazing Spider-Man | number=12
DC/Batman (2016-2020)/Annuals/Batman Annual 001.cbz
    category=DC | series_year=2016 | series=Batman Annual | number=1 | format=Annual
DC/52/52 001.cbz
    category=DC | series=52 | number=1
Batman 001.cbz
    series=Batman | number=1
Absolute Universe (2024)/Batman 003.cbz
    series_year=2024 | series=Batman | number=3
Absolute Universe/Batman 003.cbz
    category=Absolute Universe | series=Batman | number=3
Marvel/Infinity Gauntlet.cbz
    category=Marvel | series=Infinity Gauntlet
Marvel/Infinity Gauntlet 01.cbz
    category=Marvel | series=Infinity Gauntlet | number=1
BD/Tintin/Les cigares du pharaon.cbz
    category=BD | series=Tintin | title=Les cigares du pharaon
Manga/Naruto/Vol 02/Ch 12.cbz
    category=Manga | series=Naruto | number=12 | volume=2
Manga/Naruto/Vol 02/012.cbz
    category=Manga | series=Naruto | number=12 | volume=2
Manga/Naruto/Season 2 Ch.5.cbz
    category=Manga | series=Naruto | number=5
300 (1998).cbz
    series=300 | year=1998
Comics/012.cbz
    number=12
2019/Series 012.cbz
    series=Series | number=12
Image/Saga (2012)/Vol. 01 - Title/Saga 003.cbz
    category=Image | series_year=2012 | series=Saga | number=3 | volume=1
Manga/Tower of God/Season 2/Chapter 12 - Title.cbz
    category=Manga | series=Tower of God | number=12 | title=Title
"""
"""Each path, and in the next line what it says."""


@pytest.mark.parametrize(("path", "expected"), table(PLACES))
def test_a_place_says(path: str, expected: dict[str, str]) -> None:
    *directories, name = path.split("/")
    place = parse_place(name, tuple(directories))
    found = {"category": place.category or "", "series_year": str(place.series_year or ""), **said(place.name)}
    assert {field: value for field, value in found.items() if value} == expected
