"""What a PDF says of itself, from its two places: the older dictionary, which nearly all have, and XMP."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Extraction, Json, Kind
from censusd.extractors.dates import day, written_date
from censusd.extractors.documents.pdf_xmp import Packet
from censusd.extractors.identifiers import add_identifier
from censusd.extractors.languages import language_tag
from censusd.extractors.markup import squeezed
from censusd.model import Problem, ProblemKind

MIME_TYPE: Final = "application/pdf"

_MOST_NAMES: Final = 200
_LARGEST_PAGE: Final = 1_000_000
_DATE: Final = re.compile(
    r"D:\s*(\d{4})(\d\d)?(\d\d)?(?:([01]\d|2[0-3])([0-5]\d)?([0-5]\d)?)?"
    r"\s*(?:(Z)|([+-])([01]\d|2[0-3])'?(?:([0-5]\d)'?)?)?.*",
    re.DOTALL,
)
_PAPER: Final = {
    "A3": (841.89, 1190.55),
    "A4": (595.28, 841.89),
    "A5": (419.53, 595.28),
    "A6": (297.64, 419.53),
    "B5": (498.9, 708.66),
    "Letter": (612, 792),
    "Legal": (612, 1008),
    "Tabloid": (792, 1224),
}
_IDENTIFIERS: Final = ("prism:doi", "prism:isbn", "prism:issn", "pdfx:doi", "pdfx:wps-articledoi", "dc:identifier")


@dataclass(slots=True)
class Facts:
    """What was found.

    Attributes:
        said: the document information dictionary.
        packet: the XMP packet.
        catalog: the catalog's dictionary, as it is in the file.
        pages: how many.
        page_size: of the first page, in points (1/72 inch), as it is shown.
        version: of PDF, as the file's first line says.
        language: as the catalog says.
        encrypted: whether strings and streams are encrypted.
        needs_password: whether nothing can be read without one.
        tagged: whether its structure is marked, for screen readers.
        faults: why it is not all, for people.
    """

    said: dict[str, str] = field(default_factory=dict)
    packet: Packet = field(default_factory=Packet)
    catalog: bytes = b""
    pages: int | None = None
    page_size: tuple[float, float] | None = None
    version: str | None = None
    language: str | None = None
    encrypted: bool = False
    needs_password: bool = False
    tagged: bool = False
    faults: list[str] = field(default_factory=list)

    def extraction(self) -> Extraction:
        """All of it. Where both places say something, the dictionary is what other programs show."""
        texts = self.packet.texts
        if self.packet.fault:
            self.faults.append(f"XMP: {self.packet.fault}")
        return Extraction(
            Kind.DOCUMENT,
            MIME_TYPE,
            title=squeezed(self.said.get("Title")) or squeezed(texts.get("dc:title")),
            pages=self.pages,
            created=pdf_date(self.said.get("CreationDate")) or self.packet.date("xmp:createdate", "xap:createdate"),
            language=language_tag(self.language or texts.get("dc:language") or ""),
            details=self._details(),
            entities=tuple(self._entities()),
            problem=Problem(ProblemKind.OTHER, "; ".join(self.faults)) if self.faults else None,
        )

    def _details(self) -> dict[str, Json]:
        said, texts = self.said, self.packet.texts
        identifiers: dict[str, str] = {}
        for name in _IDENTIFIERS:
            add_identifier(identifiers, texts.get(name), name.rpartition(":")[2].replace("wps-article", ""))
        # Each document has a number of its own there, which says nothing to anybody.
        identifiers.pop("uuid", None)
        updated = re.search(rb"/Version\s*/(\d\.\d)\b", self.catalog)
        version = max(self.version or "", updated[1].decode() if updated else "")
        details: dict[str, Json] = {
            "version": version or None,
            "subject": said.get("Subject") or texts.get("dc:description"),
            "keywords": said.get("Keywords") or texts.get("pdf:keywords"),
            "creator": said.get("Creator") or texts.get("xmp:creatortool"),
            "producer": said.get("Producer") or texts.get("pdf:producer"),
            "modified": pdf_date(said.get("ModDate")) or self.packet.date("xmp:modifydate", "xap:modifydate"),
            "publisher": texts.get("dc:publisher"),
            "rights": texts.get("dc:rights"),
            "conformance": list[Json](self.packet.conformance()),
            "identifiers": dict[str, Json](identifiers),
            "encrypted": self.encrypted or None,
            "needs_password": self.needs_password or None,
            "tagged": self.tagged or None,
            **_page(self.page_size),
        }
        return {name: value for name, value in details.items() if value not in (None, "", [], {})}

    def _entities(self) -> list[Entity]:
        authors = self.packet.lists.get("dc:creator", [])
        if len(authors) < 2:  # many programs put the dictionary's one text there
            authors = people(authors[0] if authors else self.said.get("Author"))
        subjects = self.packet.lists.get("dc:subject") or _listed(self.said.get("Keywords"))
        publishers = self.packet.lists.get("dc:publisher", [])
        entities: list[Entity] = []
        for kind, role, names in (
            (EntityKind.PERSON, "author", authors),
            (EntityKind.TAG, "keyword", subjects),
            (EntityKind.PUBLISHER, "publisher", publishers),
        ):
            several = dict.fromkeys(name for name in names if len(name) <= 200)
            entities += [Entity(kind, name, role, place) for place, name in enumerate(list(several)[:_MOST_NAMES])]
        return entities


def pdf_date(text: str | None) -> str | None:
    """A date as PDF writes it (``D:20190501123000+02'00'``, ISO 32000-1, 7.9.4), or as people do, in ISO 8601."""
    found = _DATE.fullmatch((text or "").strip()[:100])
    if not found:
        return written_date(text)
    year, month, day_of_month, hour, minute, second, utc, sign, offset_hour, offset_minute = found.groups()
    date = day(int(year), int(month) if month else None, int(day_of_month) if day_of_month else None)
    if date is None or len(date) < 10 or hour is None:
        return date
    offset = "Z" if utc else f"{sign}{offset_hour}:{offset_minute or '00'}" if sign else ""
    return f"{date}T{hour}:{minute or '00'}:{second or '00'}{offset}"


def people(text: str | None) -> list[str]:
    """The names in a text in which somebody has put one or several.

    A comma is taken to separate names only where there are words on both sides of each: ``Ada Lovelace, Bob Smith`` is
    two people, ``Lovelace, Ada`` is one.
    """
    names = []
    for part in re.split(r"\s*(?:;|\s&\s|\band\b|\n)\s*", (text or "")[:20_000]):
        pieces = [piece.strip() for piece in part.split(",")]
        several = len(pieces) > 1 and all(" " in piece for piece in pieces if piece)
        names += pieces if several else [part]
    return [name for each in names if (name := squeezed(each.strip(" ,")))]


def _listed(text: str | None) -> list[str]:
    text = (text or "")[:20_000]
    return [word for part in re.split(r"[;,\n]" if ";" not in text else r"[;\n]", text) if (word := squeezed(part))]


def _page(size: tuple[float, float] | None) -> dict[str, Json]:
    """Width and height in points, and the paper that it is, if it is a common one."""
    if size is None or not all(math.isfinite(side) and 0 < side < _LARGEST_PAGE for side in size):
        return {}
    short, long = sorted(size)
    paper = next((name for name, (w, h) in _PAPER.items() if abs(w - short) <= 2 and abs(h - long) <= 2), None)
    return {"page_width": round(size[0], 2), "page_height": round(size[1], 2), "paper": paper}
