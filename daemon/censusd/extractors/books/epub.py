"""EPUB 2 and 3: a ZIP with a package document (OPF), which says what the book is and what it consists of.

Sources: OCF 3.3 and OPF 2.0.1 for the container, EPUB 3.3 for the package, and calibre's own ``meta`` elements.
"""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import unquote

from censusd.extractors.archives.archive import Entry
from censusd.extractors.archives.zip import Zip
from censusd.extractors.books.facts import Book
from censusd.extractors.books.opf import read_package
from censusd.extractors.markup import LONGEST_DOCUMENT, Element, parse
from censusd.extractors.reading import FormatError, Reader

MIME_TYPE: Final = "application/epub+zip"

_FONT_METHODS: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""How fonts are made unusable outside the book; that is no protection of the book."""
_DRM_MARKS: Final = (
    ("meta-inf/license.lcpl", "readium_lcp"),
    ("meta-inf/sinf.xml", "apple_fairplay"),
    ("meta-inf/rights.xml", "adobe_adept"),
)


def is_epub(head: bytes) -> bool:
    """Whether a file that begins so is an EPUB: its first entry is stored and says so."""
    return head.startswith(b"PK\3\4") and head[30:58] == b"mimetypeapplication/epub+zip"


def read_epub(reader: Reader) -> Book:
    """What an EPUB says of itself.

    Raises:
        FormatError: it is no ZIP.
    """
    book = Book(MIME_TYPE)
    archive = Zip(reader)
    if archive.fault:
        book.faults.append(archive.fault)
    entries = {entry.name.lower(): entry for entry in reversed(archive.entries)}
    _note_protection(archive, entries, book)
    package = _package_entry(archive, entries, book)
    if package is None:
        book.faults.append("it has no package document (OPF)")
        return book
    root = _document(archive, package, book)
    if root is None or root.tag != "package":
        book.faults.append(f"{package.name} is no package document (OPF)")
        return book
    read_package(root, book)
    if cover := book.details.get("cover"):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(package.name), unquote(str(cover))))
        book.details["cover"] = path if path.lower() in entries else None
    book.details["has_cover"] = book.details.get("cover") is not None
    return book


def _document(archive: Zip, entry: Entry, book: Book) -> Element | None:
    try:
        document = parse(archive.read(entry, LONGEST_DOCUMENT))
    except FormatError as error:
        book.faults.append(str(error))
        return None
    if document.fault:
        book.faults.append(f"{entry.name}: {document.fault}")
    return document.root


def _package_entry(archive: Zip, entries: dict[str, Entry], book: Book) -> Entry | None:
    """The package document that the container names, else one that is there."""
    container = entries.get("meta-inf/container.xml")
    root = _document(archive, container, book) if container else None
    for element in root.walk() if root is not None else ():
        path = element.attributes.get("full-path", "") if element.tag == "rootfile" else ""
        # Some tools write the path as a URL, some with a slash before it.
        for name in (path.lower(), unquote(path).lower().lstrip("/")):
            if name in entries:
                return entries[name]
    return next((entry for name, entry in entries.items() if name.endswith(".opf")), None)


def _note_protection(archive: Zip, entries: dict[str, Entry], book: Book) -> None:
    """Say whether the book is encrypted, and by whose scheme. What it is called can be read all the same."""
    encryption = entries.get("meta-inf/encryption.xml")
    root = _document(archive, encryption, book) if encryption else None
    methods = [
        method.attributes.get("algorithm", "")
        for data in (root.walk() if root is not None else ())
        if data.tag == "encrypteddata"
        for method in data.all("encryptionmethod")
    ]
    if any(method not in _FONT_METHODS for method in methods):
        scheme = next((scheme for name, scheme in _DRM_MARKS if name in entries), "unknown")
        book.say("encrypted", value=True)
        book.say("drm", scheme)
