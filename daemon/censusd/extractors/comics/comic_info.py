"""ComicInfo.xml, what most tools write into comics: version 2.1 of the Anansi Project's schema, and the older ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Json
from censusd.extractors.comics.facts import (
    LONGEST_NUMBER,
    Facts,
    decimal_number,
    leading_number,
    listed,
    whole_number,
)
from censusd.extractors.dates import day
from censusd.extractors.languages import language_tag
from censusd.extractors.markup import Element, squeezed

_ROLES: Final = {
    "writer": "writer",
    "penciller": "penciller",
    "inker": "inker",
    "colorist": "colorist",
    "letterer": "letterer",
    "coverartist": "cover_artist",
    "editor": "editor",
    "translator": "translator",
}
_LISTS: Final = {
    "genre": (EntityKind.GENRE, "genre"),
    "tags": (EntityKind.TAG, "tag"),
    "characters": (EntityKind.TAG, "character"),
    "teams": (EntityKind.TAG, "team"),
    "locations": (EntityKind.TAG, "location"),
    "publisher": (EntityKind.PUBLISHER, "publisher"),
    "imprint": (EntityKind.PUBLISHER, "imprint"),
}
_MOST_BOOKMARKS: Final = 1000


def _number(text: str | None) -> str | None:
    text = squeezed(text)
    return text if text and len(text) <= LONGEST_NUMBER else None


def _volume(text: str | None) -> str | None:
    """A number, mostly; -1 is what ComicRack says for none."""
    number = whole_number(text)
    return str(number) if number is not None else None if squeezed(text) == "-1" else _number(text)


def _yes(text: str | None) -> bool | None:
    return {"yes": True, "yesandrighttoleft": True, "no": False}.get((text or "").strip().lower())


def _addresses(text: str | None) -> list[str]:
    return [part for part in (text or "").replace(",http", " http").split() if "://" in part or "." in part]


def _known(text: str | None) -> str | None:
    text = squeezed(text)
    return None if text is None or text.lower() == "unknown" else text


_DETAILS: Final[dict[str, tuple[str, Callable[[str | None], Json]]]] = {
    "title": ("title", squeezed),
    "series": ("series", squeezed),
    "localizedseries": ("localized_series", squeezed),
    "seriessort": ("series_sort", squeezed),
    "number": ("number", _number),
    "count": ("count", lambda text: whole_number(text, 1)),
    "volume": ("volume", _volume),
    "alternateseries": ("alternate_series", squeezed),
    "alternatenumber": ("alternate_number", _number),
    "alternatecount": ("alternate_count", lambda text: whole_number(text, 1)),
    "summary": ("summary", lambda text: (text or "").strip()),
    "notes": ("notes", lambda text: (text or "").strip()),
    "publisher": ("publisher", squeezed),
    "imprint": ("imprint", squeezed),
    "web": ("web", lambda text: list(_addresses(text))),
    "pagecount": ("stated_pages", lambda text: whole_number(text, 1)),
    "languageiso": ("language", lambda text: language_tag(text or "")),
    "format": ("format", squeezed),
    "blackandwhite": ("black_and_white", _yes),
    "manga": ("manga", _yes),
    "agerating": ("age_rating", _known),
    "communityrating": ("community_rating", decimal_number),
    "maincharacterorteam": ("main_character_or_team", squeezed),
    "scaninformation": ("scan_information", squeezed),
    "seriesgroup": ("series_groups", lambda text: list(listed(text))),
    "review": ("review", lambda text: (text or "").strip()),
    "gtin": ("gtin", squeezed),
}


def comic_info(root: Element) -> Facts:
    """What a ``ComicInfo`` element says."""
    facts = Facts()
    said = {child.tag: child.whole_text() for child in reversed(root.children)}
    for tag, (name, read) in _DETAILS.items():
        if tag in said:
            facts.say(name, read(said[tag]))
    if "righttoleft" in said.get("manga", "").lower():
        facts.say("reading_direction", "rtl")
    facts.say("created", day(*(whole_number(said.get(tag), 1) for tag in ("year", "month", "day"))))
    for tag, role in _ROLES.items():
        facts.add_all(EntityKind.PERSON, role, listed(said.get(tag)))
    for tag, (kind, role) in _LISTS.items():
        one = kind is EntityKind.PUBLISHER
        names = listed(said.get(tag)) if not one else filter(None, [squeezed(said.get(tag))])
        facts.add_all(kind, role, names)
    _arcs(said, facts)
    _pages(root.first("pages"), facts)
    return facts


def _arcs(said: dict[str, str], facts: Facts) -> None:
    numbers = (said.get("storyarcnumber") or "").split(",")
    for place, name in enumerate(listed(said.get("storyarc"))):
        number = leading_number(numbers[place]) if place < len(numbers) else None
        facts.add(Entity(EntityKind.SERIES, name, "story_arc", number or 0))


def _pages(pages: Element | None, facts: Facts) -> None:
    """Which page is the cover, and the bookmarks, which are chapters."""
    if pages is None:
        return
    bookmarks: list[Json] = []
    for page in pages.all("page"):
        said = page.attributes
        image = whole_number(said.get("image"))
        if image is None:
            continue
        if said.get("type", "").lower() == "frontcover":
            facts.say("cover_page", image)
        title = squeezed(said.get("bookmark"))
        if title and len(bookmarks) < _MOST_BOOKMARKS:
            bookmarks.append({"page": image, "title": title})
    facts.say("bookmarks", bookmarks)
