"""The extractor for books."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from censusd.extractors.archives.zip import SIGNATURES as ZIP_SIGNATURES
from censusd.extractors.base import Extraction, Source
from censusd.extractors.books.epub import is_epub, read_epub
from censusd.extractors.books.facts import Book
from censusd.extractors.books.fb2 import is_fb2, is_zipped_fb2, read_fb2, read_zipped_fb2
from censusd.extractors.books.mobi import is_mobi, read_mobi
from censusd.extractors.reading import FormatError, Reader
from censusd.model import Problem, ProblemKind

_Read = Callable[[Reader], Book]

_BY_CONTENT: Final[tuple[tuple[Callable[[bytes], bool], _Read], ...]] = (
    (is_epub, read_epub),
    (is_mobi, read_mobi),
    (is_fb2, read_fb2),
    (is_zipped_fb2, read_zipped_fb2),
)
_ZIPPED_BY_NAME: Final[tuple[tuple[str, _Read], ...]] = (
    (".epub", read_epub),  # made by hand, with another entry first
    (".fb2.zip", read_zipped_fb2),
    (".fbz", read_zipped_fb2),
)
_EXTENSIONS: Final = (".epub", ".mobi", ".azw", ".azw3", ".prc", ".fb2", ".fb2.zip", ".fbz")
_OTHERS: Final = (
    b"%PDF", b"Rar!", b"7z\xbc\xaf", b"AT&TFORM", b"ITSF", b"{\\rtf", b"<!DOCTYPE html", b"<html", b"\xeaDRMION",
)  # fmt: skip
"""How files begin that are something else, whatever they are called."""


class Books:
    """Reads EPUB, MOBI, AZW3, PalmDoc and FictionBook. See ``Extractor``."""

    name = "books"
    version = 1
    siblings: frozenset[str] = frozenset()

    def takes(self, head: bytes, name: str) -> bool:
        """A book says what it is; what is only called one is a damaged one, unless it is known to be something else."""
        if _reader_of(head, name) is not None:
            return True
        return name.lower().endswith(_EXTENSIONS) and not head.lstrip().startswith((*_OTHERS, *ZIP_SIGNATURES))

    def extract(self, source: Source) -> Extraction | Problem:
        """See ``Extractor.extract``."""
        reader = Reader(source.file, source.size)
        read = _reader_of(reader.at(0, 4096), source.name)
        if read is None:
            return Problem(ProblemKind.OTHER, "it is no book: none of EPUB, MOBI and FictionBook")
        try:
            return read(reader).extraction()
        except FormatError as error:
            return Problem(ProblemKind.OTHER, str(error))


def _reader_of(head: bytes, name: str) -> _Read | None:
    for is_one, read in _BY_CONTENT:
        if is_one(head):
            return read
    if head.startswith(ZIP_SIGNATURES):
        return next((read for extension, read in _ZIPPED_BY_NAME if name.lower().endswith(extension)), None)
    return None
