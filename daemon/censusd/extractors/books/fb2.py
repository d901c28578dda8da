"""FictionBook 2: one XML document, often in a ZIP of its own. Source: the FictionBook 2.1 schema."""

from __future__ import annotations

import math
import re
from typing import Final

from censusd.extractors.archives.zip import Zip
from censusd.extractors.base import EntityKind
from censusd.extractors.books.facts import Book
from censusd.extractors.dates import written_date
from censusd.extractors.languages import language_tag
from censusd.extractors.markup import Element, parse
from censusd.extractors.reading import FormatError, Reader

MIME_TYPE: Final = "application/x-fictionbook+xml"
ZIPPED_MIME_TYPE: Final = "application/x-zip-compressed-fb2"

_LONGEST_DESCRIPTION: Final = 512 << 10
"""Bytes in which the description must end; the body that follows is not looked at."""
_START: Final = re.compile(rb"<(?:\w+:)?FictionBook[\s>]")
_WIDE_START: Final = "<FictionBook".encode("utf-16-le")


def is_fb2(head: bytes) -> bool:
    """Whether a file that begins so is a FictionBook, not one in a ZIP."""
    return _START.search(head[:2048]) is not None or _WIDE_START in head[:2048]


def is_zipped_fb2(head: bytes) -> bool:
    """Whether a file that begins so is a ZIP whose first entry is called a FictionBook."""
    length = int.from_bytes(head[26:28], "little")
    return head.startswith(b"PK\3\4") and head[30 : 30 + length].lower().endswith(b".fb2")


def read_zipped_fb2(reader: Reader) -> Book:
    """What a FictionBook in a ZIP says of itself.

    Raises:
        FormatError: there is none in it, or it cannot be unpacked.
    """
    archive = Zip(reader)
    entry = next((entry for entry in archive.entries if entry.name.lower().endswith(".fb2")), None)
    if entry is None:
        raise FormatError("there is no FictionBook in it")
    book = _read(archive.begin(entry, _LONGEST_DESCRIPTION), ZIPPED_MIME_TYPE)
    if archive.fault:
        book.faults.insert(0, archive.fault)
    return book


def read_fb2(reader: Reader) -> Book:
    """What a FictionBook says of itself.

    Raises:
        FormatError: it is none.
    """
    return _read(reader.at(0, _LONGEST_DESCRIPTION), MIME_TYPE)


def _read(data: bytes, mime_type: str) -> Book:
    book = Book(mime_type)
    document = parse(data, until="body")
    if document.root is None or document.root.tag != "fictionbook":
        raise FormatError(f"it is no FictionBook: {document.fault or 'the root is another'}")
    if document.fault:
        book.faults.append(document.fault)
    description = document.root.first("description")
    if description is None:
        book.faults.append("it has no description")
        return book
    if (title := description.first("title-info")) is not None:
        _title_info(title, book)
    if (published := description.first("publish-info")) is not None:
        _publish_info(published, book)
    if (made := description.first("document-info")) is not None:
        book.identify(made.said("id"))
        book.say("version", made.said("version"))
        book.say("producer", made.said("program-used"))
        book.say("modified", written_date(_date(made.first("date"))))
    return book


def _title_info(info: Element, book: Book) -> None:
    book.title = info.said("book-title")
    for role in ("author", "translator"):
        for person in info.all(role):
            book.add(EntityKind.PERSON, role, *_person(person))
    for genre in info.all("genre"):
        book.add(EntityKind.GENRE, "genre", genre.text)
    for keyword in (info.said("keywords") or "").split(","):
        book.add(EntityKind.TAG, "keyword", keyword)
    for sequence in info.all("sequence"):
        _sequence(sequence, book)
    annotation = info.first("annotation")
    book.describe("\n".join(part.text for part in annotation.walk()) if annotation else None)
    book.language = language_tag(info.said("lang") or "")
    book.say("original_language", language_tag(info.said("src-lang") or ""))
    book.say("written", written_date(_date(info.first("date"))))
    book.say("has_cover", value=info.first("coverpage", "image") is not None)


def _publish_info(info: Element, book: Book) -> None:
    book.say("publisher", info.said("publisher"))
    book.add(EntityKind.PUBLISHER, "publisher", info.said("publisher"))
    book.say("city", info.said("city"))
    book.publish(info.said("year"))
    book.identify(info.said("isbn"), "isbn")
    for sequence in info.all("sequence"):
        _sequence(sequence, book)


def _sequence(sequence: Element, book: Book) -> None:
    try:
        position = float(sequence.attributes.get("number", ""))
    except ValueError:
        position = math.nan
    book.add_series(sequence.attributes.get("name"), position if math.isfinite(position) else None)


def _person(person: Element) -> tuple[str | None, str | None]:
    """A person's name, and how it is sorted."""
    first, middle, last = (person.said(tag) for tag in ("first-name", "middle-name", "last-name"))
    given = " ".join(part for part in (first, middle) if part)
    name = " ".join(part for part in (given, last) if part) or person.said("nickname")
    return name, f"{last}, {given}" if last and given else None


def _date(element: Element | None) -> str | None:
    return (element.attributes.get("value") or element.text) if element else None
