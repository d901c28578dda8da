"""The package document of an EPUB (OPF): titles, people, series, identifiers.

EPUB 2 puts what it says of a creator into attributes (``opf:role``, ``opf:file-as``), EPUB 3 into ``meta`` elements
that refine it by its id, and calibre has elements of its own for series. Files have all of these at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from censusd.extractors.base import EntityKind
from censusd.extractors.books.facts import Book, role_of
from censusd.extractors.dates import written_date
from censusd.extractors.languages import language_tag
from censusd.extractors.markup import Element, squeezed

_MOST_ELEMENTS: Final = 2000
_PAGES: Final = ("schema:numberofpages", "numberofpages", "media:pagecount", "dcterms:extent", "calibre:pages")

_Refinements = Mapping[str, Mapping[str, list[str]]]
"""Id of an element -> what is said of it -> values."""


def read_package(root: Element, book: Book) -> None:
    """Note what a ``package`` element says."""
    book.say("version", root.attributes.get("version"))
    metadata = root.first("metadata")
    if metadata is not None:
        # The oldest files have dc-metadata and x-metadata in between.
        elements = list(metadata.walk())[1:_MOST_ELEMENTS]
        refinements = _refinements(elements)
        said = _said(elements)
        _titles(elements, refinements, book)
        _people(elements, refinements, book)
        _series(elements, said, refinements, book)
        _identifiers(elements, refinements, book, root.attributes.get("unique-identifier", ""))
        _publication(elements, said, book)
        _cover(root, said, book)
    spine = root.first("spine")
    if spine is not None and spine.attributes.get("page-progression-direction", "").lower() in ("rtl", "ltr"):
        book.say("reading_direction", spine.attributes["page-progression-direction"].lower())


def _refinements(elements: list[Element]) -> _Refinements:
    refinements: dict[str, dict[str, list[str]]] = {}
    for meta in elements:
        target = meta.attributes.get("refines", "").lstrip("#")
        text = squeezed(meta.text)
        if meta.tag == "meta" and target and text:
            name = meta.attributes.get("property", "").lower()
            refinements.setdefault(target, {}).setdefault(name, []).append(text)
    return refinements


def _said(elements: list[Element]) -> dict[str, str]:
    """What ``meta`` elements say of the book as a whole, by name or property, the first of each."""
    said: dict[str, str] = {}
    for meta in elements:
        if meta.tag == "meta" and "refines" not in meta.attributes:
            name = meta.attributes.get("name") or meta.attributes.get("property") or ""
            value = squeezed(meta.attributes.get("content") or meta.text)
            if value:
                said.setdefault(name.lower(), value)
    return said


def _about(element: Element, refinements: _Refinements, name: str) -> str | None:
    """What is said of an element, as an attribute or as a refinement."""
    values = refinements.get(element.attributes.get("id", ""), {}).get(name)
    return values[0] if values else element.attributes.get(name)


def _named(elements: list[Element], tag: str) -> Iterator[tuple[Element, str]]:
    for element in elements:
        text = squeezed(element.whole_text()) if element.tag == tag else None
        if text:
            yield element, text


def _titles(elements: list[Element], refinements: _Refinements, book: Book) -> None:
    titles = [
        (_about(element, refinements, "title-type"), element, text) for element, text in _named(elements, "title")
    ]
    main = next((title for title in titles if title[0] == "main"), titles[0] if titles else None)
    if main is None:
        return
    book.title = main[2]
    book.say("title_sort", _about(main[1], refinements, "file-as"))
    book.say("subtitle", next((text for kind, _, text in titles if kind == "subtitle"), None))
    book.say("edition", next((text for kind, _, text in titles if kind == "edition"), None))
    others = [text for kind, _, text in titles if kind in (None, "short", "expanded") and text != book.title]
    book.say("other_titles", list(dict.fromkeys(others[:20])))


def _people(elements: list[Element], refinements: _Refinements, book: Book) -> None:
    for tag, otherwise in (("creator", "author"), ("contributor", "contributor")):
        people = list(_named(elements, tag))
        for place, (element, text) in enumerate(people):
            roles = refinements.get(element.attributes.get("id", ""), {}).get("role")
            sort_name = _about(element, refinements, "file-as")
            # calibre puts the sorted names of all authors to each of them.
            parts = sort_name.split(" & ") if sort_name else []
            if len(parts) == len(people):
                sort_name = parts[place]
            for relator in roles[:10] if roles else [element.attributes.get("role", "")]:
                role = role_of(relator, otherwise)
                if role == "book_producer" and "calibre" in text.lower():
                    book.say("producer", text)  # a program, whatever it calls itself
                else:
                    book.add(EntityKind.PERSON, role, text, sort_name if sort_name != "Unknown" else None)


def _series(elements: list[Element], said: Mapping[str, str], refinements: _Refinements, book: Book) -> None:
    for meta in elements:
        if meta.attributes.get("property", "").lower() == "belongs-to-collection" and "refines" not in meta.attributes:
            kind = _about(meta, refinements, "collection-type")
            if kind in (None, "series", "set"):
                book.add_series(meta.text, _position(_about(meta, refinements, "group-position")))
    book.add_series(said.get("calibre:series"), _position(said.get("calibre:series_index")))
    for element, text in _named(elements, "title"):
        if _about(element, refinements, "title-type") == "collection":
            book.add_series(text, _position(_about(element, refinements, "group-position")))


def _position(text: str | None) -> float | None:
    try:
        position = float(text or "")
    except ValueError:
        return None
    return position if math.isfinite(position) else None


def _identifiers(elements: list[Element], refinements: _Refinements, book: Book, unique: str) -> None:
    for element, text in _named(elements, "identifier"):
        scheme = _about(element, refinements, "identifier-type") or element.attributes.get("scheme")
        book.identify(text, scheme)
        if element.attributes.get("id") == unique:
            book.say("unique_identifier", text)
    # Many publishers put the printed book's ISBN there.
    for element, text in _named(elements, "source"):
        if "isbn" in text.lower() or "isbn" in (element.attributes.get("scheme") or "").lower():
            book.identify(text, element.attributes.get("scheme"))


def _publication(elements: list[Element], said: Mapping[str, str], book: Book) -> None:
    first = {tag: next((text for _, text in _named(elements, tag)), None) for tag in ("publisher", "rights", "type")}
    book.say("publisher", first["publisher"])
    book.add(EntityKind.PUBLISHER, "publisher", first["publisher"])
    book.say("rights", first["rights"])
    book.say("type", first["type"])
    for _, text in _named(elements, "subject"):
        book.add(EntityKind.TAG, "subject", text)
    languages = [tag for _, text in _named(elements, "language") if (tag := language_tag(text))]
    book.language = languages[0] if languages else None
    book.say("languages", list(dict.fromkeys(languages[:20])) if len(set(languages)) > 1 else None)
    description = next((element for element in elements if element.tag == "description"), None)
    book.describe(description.whole_text() if description else None)
    dates = {
        element.attributes.get("event", "").lower(): text for element, text in reversed(list(_named(elements, "date")))
    }
    for event in ("publication", "original-publication", "issued", "", "creation"):
        book.publish(dates.get(event))
    book.publish(said.get("dcterms:issued"))
    book.say("modified", written_date(said.get("dcterms:modified") or dates.get("modification")))
    for name in _PAGES:
        digits = "".join(said.get(name, "").split()[:1])
        if book.pages is None and digits.isdecimal() and 0 < int(digits[:9]) < 100_000:
            book.pages = int(digits)
    if said.get("rendition:layout") == "pre-paginated" or said.get("fixed-layout") == "true":
        book.say("fixed_layout", value=True)
    rating = _position(said.get("calibre:rating"))
    book.say("rating", rating / 2 if rating is not None and 0 < rating <= 10 else None)  # calibre counts half stars
    book.say("title_sort", said.get("calibre:title_sort"))
    book.say("producer", said.get("generator"))


def _cover(root: Element, said: Mapping[str, str], book: Book) -> None:
    """Note where in the book the picture of its cover is."""
    manifest = root.first("manifest")
    items = list(manifest.all("item"))[:20_000] if manifest else []
    marked = next((item for item in items if "cover-image" in item.attributes.get("properties", "").split()), None)
    named = said.get("cover")
    if marked is None and named:
        # It should be an item's id; some write the path.
        marked = next(
            (item for item in items if named in (item.attributes.get("id"), item.attributes.get("href"))), None
        )
    if marked is not None and marked.attributes.get("media-type", "image/").startswith("image/"):
        book.say("cover", marked.attributes.get("href"))
