"""MetronInfo.xml, which says more exactly what ComicInfo.xml says: version 1.0 of the Metron Project's schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Json
from censusd.extractors.comics.facts import LONGEST_NUMBER, Facts, leading_number, whole_number
from censusd.extractors.dates import day
from censusd.extractors.languages import language_tag
from censusd.extractors.markup import Element, squeezed

_LISTS: Final = (
    (EntityKind.GENRE, "genre", "genres"),
    (EntityKind.TAG, "tag", "tags"),
    (EntityKind.TAG, "character", "characters"),
    (EntityKind.TAG, "team", "teams"),
    (EntityKind.TAG, "location", "locations"),
)
_ROLES: Final = {"cover": "cover_artist", "pencils": "penciller", "inks": "inker", "colors": "colorist"}
_DATE: Final = re.compile(r"\s*(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_MOST_ITEMS: Final = 200


def metron_info(root: Element) -> Facts:
    """What a ``MetronInfo`` element says."""
    facts = Facts()
    series = root.first("series")
    if series is not None:
        _series(series, facts)
    number = root.said("number")
    facts.say("number", number if number and len(number) <= LONGEST_NUMBER else None)
    facts.say("volume", root.said("mangavolume"))
    facts.say("title", root.said("collectiontitle") or " / ".join(_texts(root.first("stories"))))
    summary = root.first("summary")
    facts.say("summary", summary.whole_text().strip() if summary else None)
    facts.say("notes", root.said("notes"))
    facts.say("age_rating", _known(root.said("agerating")))
    facts.say("stated_pages", whole_number(root.said("pagecount"), 1))
    facts.say("gtin", root.said("gtin", "isbn") or root.said("gtin", "upc"))
    facts.say("web", list(_texts(root.first("urls"))) or list(_texts(root, "url")))
    facts.say("created", _date(root.said("coverdate")))
    facts.say("store_date", _date(root.said("storedate")))
    facts.say("identifiers", _identifiers(root.first("ids") or root.first("id")))
    _publisher(root.first("publisher"), facts)
    _credits(root.first("credits"), facts)
    for kind, role, tag in _LISTS:
        facts.add_all(kind, role, _texts(root.first(tag)))
    arcs = root.first("arcs")
    for arc in arcs.children if arcs else ():
        if name := arc.said("name"):
            facts.add(Entity(EntityKind.SERIES, name, "story_arc", leading_number(arc.said("number")) or 0))
    return facts


def _series(series: Element, facts: Facts) -> None:
    facts.say("series", series.said("name"))
    facts.say("series_sort", series.said("sortname"))
    facts.say("language", language_tag(series.attributes.get("lang", "")))
    facts.say("format", series.said("format"))
    facts.say("count", whole_number(series.said("issuecount"), 1))
    facts.say("volume_count", whole_number(series.said("volumecount"), 1))
    facts.say("series_year", whole_number(series.said("startyear"), 1))
    volume = whole_number(series.said("volume"), 1)
    facts.say("series_volume", volume)
    facts.say("localized_series", next(_texts(series.first("alternativenames")), None))


def _publisher(publisher: Element | None, facts: Facts) -> None:
    if publisher is None:
        return
    # Before version 1.0 the publisher was the text of the element itself.
    name = publisher.said("name") or squeezed(publisher.text)
    imprint = publisher.said("imprint")
    facts.say("publisher", name)
    facts.say("imprint", imprint)
    for role, text in (("publisher", name), ("imprint", imprint)):
        if text:
            facts.add(Entity(EntityKind.PUBLISHER, text, role))


def _credits(given: Element | None, facts: Facts) -> None:
    for credit in list(given.children)[:_MOST_ITEMS] if given else ():
        name = credit.said("creator")
        for said in _texts(credit.first("roles")) if name else ():
            role = re.sub(r"\W+", "_", said.lower()).strip("_")[:40]
            if name and role:
                facts.add(Entity(EntityKind.PERSON, name, _ROLES.get(role, role), len(facts.entities.get(role, ()))))


def _identifiers(given: Element | None) -> dict[str, Json]:
    identifiers: dict[str, Json] = {}
    for number in list(given.children)[:_MOST_ITEMS] if given else ():
        source = re.sub(r"\W+", "_", number.attributes.get("source", number.tag).lower()).strip("_")
        identifiers.setdefault(source or "id", squeezed(number.text))
    return identifiers


def _texts(parent: Element | None, tag: str | None = None) -> Iterator[str]:
    for child in list(parent.children)[:_MOST_ITEMS] if parent else ():
        text = child.said("name") or squeezed(child.text)
        if text and (tag is None or child.tag == tag):
            yield text


def _known(text: str | None) -> str | None:
    return None if text is None or text.lower() == "unknown" else text


def _date(text: str | None) -> str | None:
    found = _DATE.match(text or "")
    return day(*(int(part) if part else None for part in found.groups())) if found else None
