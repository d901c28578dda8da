"""What the XMP packet of a PDF says, which is often more than the older dictionary does. Source: ISO 16684-1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.dates import written_date
from censusd.extractors.markup import Element, parse, squeezed

_MOST: Final = 200


@dataclass(slots=True)
class Packet:
    """What a packet says; empty where it is silent.

    Attributes:
        texts: single values by their name in the packet, in lower case: ``dc:title``, ``pdfaid:part``.
        lists: values that are several, by the same names: ``dc:creator``, ``dc:subject``.
        fault: why it is not all, or None.
    """

    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    fault: str | None = None

    def date(self, *names: str) -> str | None:
        """The first date under one of these names."""
        return next((date for name in names if (date := written_date(self.texts.get(name)))), None)

    def conformance(self) -> list[str]:
        """The standards for archiving, accessibility and printing that it says it follows."""
        said = []
        if part := self.texts.get("pdfaid:part"):
            said.append(f"PDF/A-{part}{self.texts.get('pdfaid:conformance', '').lower()}")
        if part := self.texts.get("pdfuaid:part"):
            said.append(f"PDF/UA-{part}")
        for name in ("pdfxid:gts_pdfxversion", "pdfx:gts_pdfxversion"):
            if version := self.texts.get(name):
                said.append(version)
                break
        return [each[:40] for each in said]


def read_packet(data: bytes) -> Packet:
    """What an XMP packet says."""
    packet = Packet()
    document = parse(data)
    packet.fault = document.fault
    for description in _descriptions(document.root):
        for name, value in description.written.items():
            if text := squeezed(value):
                packet.texts.setdefault(name.lower(), text)
        for element in description.children[:_MOST]:
            name = element.name.lower()
            items = [text for item in _items(element) if (text := squeezed(item.whole_text()))]
            if items:
                packet.lists.setdefault(name, items)
                packet.texts.setdefault(name, items[0])
            elif text := squeezed(element.text):
                packet.texts.setdefault(name, text)
    return packet


def _descriptions(root: Element | None) -> Iterator[Element]:
    if root is None:
        return
    for element in root.walk():
        if element.tag == "rdf":
            yield from list(element.all("description"))[:_MOST]


def _items(element: Element) -> list[Element]:
    """The items of a list, the one in no particular language first."""
    holder = element.first("alt") or element.first("seq") or element.first("bag")
    items = list(holder.all("li"))[:_MOST] if holder else []
    return sorted(items, key=lambda item: item.attributes.get("lang", "x-default").lower() != "x-default")
