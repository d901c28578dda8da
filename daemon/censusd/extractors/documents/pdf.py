"""The extractor for PDF.

PDFium reads the document: it knows every way in which PDFs are broken, decrypts what needs no password, and has been
fuzzed for years. It is loaded when a worker process meets its first PDF, and reads through a ``Reader``, so that a
hostile file comes to the end of its allowance. XMP, which PDFium does not give, is read from the file itself.
"""

from __future__ import annotations

import ctypes
import re
from importlib import import_module
from typing import Any, Final

from censusd.extractors.base import Extraction, Source
from censusd.extractors.documents.pdf_facts import Facts
from censusd.extractors.documents.pdf_objects import Objects
from censusd.extractors.documents.pdf_xmp import read_packet
from censusd.extractors.reading import FormatError, Reader, TooMuchError
from censusd.model import Problem, ProblemKind

_MOST_READS: Final = 4_000_000
_MOST_BYTES: Final = 1 << 30
"""What one document may make PDFium read. Only one without a usable table is read whole, in pieces of 512 bytes."""
_LONGEST_VALUE: Final = 64 << 10
_MOST_PAGES: Final = 10_000_000
_NEEDS_PASSWORD: Final = 4  # FPDF_ERR_PASSWORD
_KEYS: Final = ("Title", "Author", "Subject", "Keywords", "Creator", "Producer", "CreationDate", "ModDate", "Trapped")


class Pdf:
    """Reads PDF. See ``Extractor``."""

    name = "pdf"
    version = 1
    siblings: frozenset[str] = frozenset()

    def takes(self, head: bytes, name: str) -> bool:
        """A PDF says so in its first kilobyte; what is only called one is a damaged one, unless it is an archive."""
        if b"%PDF-" in head[:1024]:
            return True
        return name.lower().endswith(".pdf") and not head.startswith((b"PK\3\4", b"Rar!", b"7z\xbc\xaf"))

    def extract(self, source: Source) -> Extraction | Problem:
        """See ``Extractor.extract``."""
        try:
            # The library is large, and the daemon itself, which lists extractors, must not carry it. It has no types.
            pypdfium2: Any = import_module("pypdfium2")
        except ImportError as error:
            return Problem(ProblemKind.OTHER, f"PDFs cannot be read without the library pypdfium2 ({error})")
        reader = Reader(source.file, source.size)
        mark = re.search(rb"%PDF-(\d\.\d)?", reader.at(0, 1024))
        if mark is None:
            return Problem(ProblemKind.OTHER, "it is no PDF")
        facts = Facts(version=mark[1].decode() if mark[1] else None)
        try:
            _look_up(reader, facts)
        except TooMuchError as error:
            # PDFium unpacks and parses the packet when it opens a document, and knows no bounds there.
            facts.faults.append(str(error))
            return facts.extraction()
        stream = _Stream(Reader(source.file, source.size, reads=_MOST_READS, most=_MOST_BYTES))
        try:
            document = pypdfium2.PdfDocument(stream)
        except pypdfium2.PdfiumError as error:
            if error.err_code == _NEEDS_PASSWORD:
                facts.encrypted = facts.needs_password = True
            else:
                facts.faults.append(stream.fault or "it is too damaged to be read")
        else:
            with document:
                _read(pypdfium2.raw, document, facts)
            if stream.fault:
                facts.faults.append(stream.fault)
        return facts.extraction()


class _Stream:
    """What PDFium reads from: an open file as Python knows it, but it never raises; no exception gets through C."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._at = 0
        self.fault: str | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (self._reader.size if whence == 2 else self._at if whence == 1 else 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = len(buffer)
        try:
            data = self._reader.at(self._at, length)
        except (FormatError, OSError) as error:
            self.fault = str(error)
            return -1
        if len(data) < length:
            return -1
        ctypes.memmove(buffer, data, length)
        self._at += length
        return length

    def read(self, length: int = -1) -> bytes:
        """Asked for by pypdfium2 to be there, and never called."""
        raise NotImplementedError


def _look_up(reader: Reader, facts: Facts) -> None:
    """Note what stands in the file itself.

    Raises:
        TooMuchError: it is no real document.
    """
    objects = Objects(reader)
    packet = objects.metadata()
    facts.encrypted = objects.is_encrypted
    facts.catalog = objects.catalog
    if packet is not None:
        facts.packet = read_packet(packet)


def _read(raw: Any, document: Any, facts: Facts) -> None:
    """Note what PDFium says.

    Args:
        raw: its functions.
        document: the open document.
        facts: where to.
    """
    for key in _KEYS:
        if value := _wide_text(raw.FPDF_GetMetaText, document, f"{key}\0".encode()):
            facts.said[key] = value
    facts.language = _wide_text(raw.FPDFCatalog_GetLanguage, document)
    pages = raw.FPDF_GetPageCount(document)
    facts.pages = pages if 0 <= pages < _MOST_PAGES else None
    facts.encrypted = facts.encrypted or raw.FPDF_GetSecurityHandlerRevision(document) >= 0
    facts.tagged = document.is_tagged()
    size = raw.FS_SIZEF()
    if facts.pages and raw.FPDF_GetPageSizeByIndexF(document, 0, size):
        facts.page_size = (size.width, size.height)
    elif facts.pages:
        facts.faults.append("its first page is damaged")
    else:
        facts.faults.append("it has no pages")


def _wide_text(call: Any, *arguments: Any) -> str | None:
    """What one of PDFium's functions puts into a buffer as UTF-16: it is asked for the length first."""
    length = call(*arguments, None, 0)
    if not 2 < length <= _LONGEST_VALUE:
        return None
    buffer = ctypes.create_string_buffer(length)
    call(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw[: length - 2].decode("utf-16-le", "replace").replace("\0", "").strip() or None
