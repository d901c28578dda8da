"""MOBI, AZW, AZW3 and PalmDoc: a Palm database whose first record says what the book is.

Amazon has published nothing; this is as MobileRead's wiki (MOBI), KindleUnpack and calibre have found it out.
"""

from __future__ import annotations

import struct
from typing import Final

from censusd.extractors.base import EntityKind
from censusd.extractors.books.facts import Book
from censusd.extractors.languages import language_tag
from censusd.extractors.markup import squeezed
from censusd.extractors.reading import FormatError, Reader

SIGNATURES: Final = (b"BOOKMOBI", b"TEXtREAd")
"""Type and creator of the database, at ``SIGNATURE_AT``."""
SIGNATURE_AT: Final = 60

_MIME_TYPES: Final = {True: "application/vnd.amazon.mobi8-ebook", False: "application/x-mobipocket-ebook"}
_PALM_MIME_TYPE: Final = "application/vnd.palm"
_LONGEST_RECORD: Final = 1 << 20
_MOST_RECORDS: Final = 1000
_ENCODINGS: Final = {65001: "utf-8", 1252: "cp1252", 65002: "utf-16-be"}
_NOTHING: Final = 0xFFFFFFFF

_LANGUAGES: Final = dict(
    pair.split(":")
    for pair in """
    1:ar 2:bg 3:ca 4:zh 5:cs 6:da 7:de 8:el 9:en 10:es 11:fi 12:fr 13:he 14:hu 15:is 16:it 17:ja 18:ko 19:nl 20:no 21:pl
    22:pt 23:rm 24:ro 25:ru 26:hr 27:sk 28:sq 29:sv 30:th 31:tr 32:ur 33:id 34:uk 35:be 36:sl 37:et 38:lv 39:lt 41:fa
    42:vi 43:hy 44:az 45:eu 47:mk 54:af 55:ka 56:fo 57:hi 58:mt 62:ms 63:kk 65:sw 67:uz 68:tt 69:bn 70:pa 71:gu 72:or
    73:ta 74:te 75:kn 76:ml 77:as 78:mr 79:sa
    """.split()
)
"""Windows' numbers of languages, the lower byte of a locale."""

# Numbers of the records in the extended header.
_AUTHOR, _PUBLISHER, _IMPRINT, _DESCRIPTION, _ISBN, _SUBJECT, _DATE = 100, 101, 102, 103, 104, 105, 106
_CONTRIBUTOR, _RIGHTS, _TYPE, _SOURCE, _ASIN, _ADULT, _KF8_BOUNDARY = 108, 109, 111, 112, 113, 117, 121
_FIXED_LAYOUT, _COVER, _DOCUMENT_TYPE, _TITLE, _OTHER_ASIN, _TITLE_SORT = 122, 201, 501, 503, 504, 508
_AUTHOR_SORT, _LANGUAGE, _WRITING_MODE, _PAGE_DIRECTION, _PRODUCER = 517, 524, 525, 527, 535


def is_mobi(head: bytes) -> bool:
    """Whether a file that begins so is a book in a Palm database."""
    return head[SIGNATURE_AT : SIGNATURE_AT + 8] in SIGNATURES


def read_mobi(reader: Reader) -> Book:
    """What a MOBI says of itself.

    Raises:
        FormatError: it is none, or ends within its header.
    """
    head = reader.exactly(0, 86, "header")
    if not is_mobi(head):
        raise FormatError("it is no book in a Palm database")
    name = head[:32].partition(b"\0")[0].decode("cp1252", "replace").replace("_", " ")
    start, next_start = struct.unpack(">I4xI", reader.exactly(78, 12, "list of records"))
    length = min(next_start - start if next_start > start else _LONGEST_RECORD, _LONGEST_RECORD)
    record = reader.at(start, length)
    if len(record) < 16:
        raise FormatError("it was cut off: its first record is missing")
    is_palm = head[SIGNATURE_AT : SIGNATURE_AT + 8] == SIGNATURES[1]
    if is_palm or record[16:20] != b"MOBI":
        book = Book(_PALM_MIME_TYPE, title=squeezed(name))
        book.say("version", "PalmDoc")
    else:
        book = _mobi(record, name)
    if int.from_bytes(record[12:14], "big"):
        book.say("encrypted", value=True)
        book.say("drm", "kindle" if not is_palm else "unknown")
    return book


def _mobi(record: bytes, name: str) -> Book:
    if len(record) < 116:
        raise FormatError("it was cut off in its first record")
    header_length, kind, encoding, _, version = struct.unpack_from(">IIIII", record, 20)
    title_at, title_length, locale = struct.unpack_from(">III", record, 84)
    codec = _ENCODINGS.get(encoding, "cp1252")
    book = Book(_MIME_TYPES[version >= 8])
    title = squeezed(_text(record[title_at : title_at + min(title_length, 2000)], codec))
    flags = int.from_bytes(record[128:132], "big") if len(record) >= 132 else 0
    said = _Extended(codec)
    if flags & 0x40:
        said.read(record, 16 + header_length, book)
    has_both = version < 8 and said.number(_KF8_BOUNDARY) is not None
    book.say("version", "KF8" if version >= 8 else "MOBI+KF8" if has_both else f"MOBI {version}")
    if kind in (257, 258, 259, 260):  # news and magazines
        book.say("type", "periodical")
    _note_people(said, book)
    _note_book(said, book)
    book.title = book.title or title or squeezed(name)
    book.language = book.language or _LANGUAGES.get(str(locale & 0xFF))
    return book


class _Extended:
    """The records of the extended header (EXTH), by number; many may be there several times."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._values: dict[int, list[bytes]] = {}

    def read(self, record: bytes, at: int, book: Book) -> None:
        """Take the records from where the extended header begins."""
        count = min(int.from_bytes(record[at + 8 : at + 12], "big"), _MOST_RECORDS)
        fits = record[at : at + 4] == b"EXTH"
        at += 12
        for _ in range(count):
            kind, length = int.from_bytes(record[at : at + 4], "big"), int.from_bytes(record[at + 4 : at + 8], "big")
            fits = fits and length >= 8 and at + length <= len(record)
            if not fits:
                break
            self._values.setdefault(kind, []).append(record[at + 8 : at + length])
            at += length
        if not fits:
            book.faults.append("its extended header is damaged")

    def texts(self, *kinds: int) -> list[str]:
        """The texts under some numbers, without empty ones."""
        decoded = (squeezed(_text(value, self._codec)) for kind in kinds for value in self._values.get(kind, ()))
        return [text for text in decoded if text]

    def text(self, kind: int) -> str | None:
        """The first text under a number."""
        return next(iter(self.texts(kind)), None)

    def long_text(self, kind: int) -> str:
        """All that is under a number, with its line breaks."""
        return _text(b"\n".join(self._values.get(kind, ())), self._codec)

    def number(self, kind: int) -> int | None:
        """The number under a number, or None if there is none, or one that says so."""
        value = self._values.get(kind, [b""])[0]
        number = int.from_bytes(value[:4], "big")
        return number if len(value) >= 4 and number != _NOTHING else None


def _note_people(said: _Extended, book: Book) -> None:
    sorts = said.texts(_AUTHOR_SORT)
    for place, author in enumerate(said.texts(_AUTHOR)):
        book.add(EntityKind.PERSON, "author", author, sorts[place] if place < len(sorts) else None)
    for contributor in said.texts(_CONTRIBUTOR):
        if "calibre" in contributor.lower():
            book.say("producer", contributor)
        else:
            book.add(EntityKind.PERSON, "contributor", contributor)
    for role, kind in (("publisher", _PUBLISHER), ("imprint", _IMPRINT)):
        book.say(role, said.text(kind))
        book.add(EntityKind.PUBLISHER, role, said.text(kind))


def _note_book(said: _Extended, book: Book) -> None:
    book.title = said.text(_TITLE)
    book.say("title_sort", said.text(_TITLE_SORT))
    for subject in said.texts(_SUBJECT):
        book.add(EntityKind.TAG, "subject", subject)
    book.describe(said.long_text(_DESCRIPTION))
    book.publish(said.text(_DATE))
    for isbn in said.texts(_ISBN):
        book.identify(isbn, "isbn")
    for source in said.texts(_SOURCE):
        book.identify(source)
    for asin in said.texts(_ASIN, _OTHER_ASIN):
        # calibre puts a UUID there, so that a Kindle can tell books apart.
        book.identify(asin, "asin" if len(asin) == 10 else None)
    book.language = next((tag for text in said.texts(_LANGUAGE) if (tag := language_tag(text))), None)
    for name, kind in (
        ("rights", _RIGHTS),
        ("document_type", _DOCUMENT_TYPE),
        ("type", _TYPE),
        ("producer", _PRODUCER),
    ):
        book.say(name, said.text(kind))
    if said.text(_FIXED_LAYOUT) == "true":
        book.say("fixed_layout", value=True)
    if said.text(_ADULT) == "yes":
        book.say("adult", value=True)
    if said.text(_PAGE_DIRECTION) == "rtl" or "rl" in (said.text(_WRITING_MODE) or ""):
        book.say("reading_direction", "rtl")
    book.say("has_cover", value=said.number(_COVER) is not None)


def _text(value: bytes, codec: str) -> str:
    """A value as text; some tools write UTF-8 whatever they say."""
    try:
        return value.decode().strip("\0")
    except UnicodeDecodeError:
        return value.decode(codec, "replace").strip("\0")
