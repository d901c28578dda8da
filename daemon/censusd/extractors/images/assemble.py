"""What was found in a picture becomes what is known of it: who is believed in what, and under which name it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast

from censusd.extractors.base import Entity, EntityKind, Extraction, Json, Kind, Source
from censusd.extractors.generators.base import Generation
from censusd.extractors.generators.find import find, is_for_programs
from censusd.extractors.images import exif, iptc, png, stealth, xmp
from censusd.extractors.images.found import Facts, Found
from censusd.extractors.reading import FormatError, Reader
from censusd.model import Problem, ProblemKind

MOST_PACKETS: Final = 8
"""Blocks of Exif, of XMP and of IPTC that are looked into. Most files have one of each."""
MOST_NAMES: Final = 500

_COLUMNS: Final = frozenset(
    {"title", "created", "position", "keywords", "people", "comment", "sidecar_for", "orientation"}
)
"""Facts that do not go into ``details`` as they are."""
_WORDS: Final = frozenset({"title", "description", "creators", "copyright", "rating"})
"""What people write: there the newest of the formats is believed first, XMP, then IPTC, then Exif."""
_GENERATED: Final = frozenset({"trainedAlgorithmicMedia", "algorithmicMedia"})
"""What IPTC's digital source type says of pictures that a model made."""
_PLAIN: Final = {
    "title": "title",
    "description": "description",
    "copyright": "copyright",
    "software": "software",
    "author": "creators",
    "creation time": "created",
    "comment": "comment",
}
"""PNG's own keywords (W3C PNG, 11.3.3.2), and the comments of JPEG and GIF."""


def assemble(reader: Reader, found: Found, source: Source) -> Extraction:
    """What is known of a picture.

    Args:
        reader: the file, for what is hidden in its pixels.
        found: what its container holds.
        source: the file, for what is beside it.
    """
    packets = [_packet(data, found) for data in found.xmp[:MOST_PACKETS]]
    generation = _generation(reader, found, packets)
    facts = _merged(found, packets, source, generation)
    details = cast("dict[str, Json]", {name: value for name, value in facts.items() if name not in _COLUMNS})
    turned = found.orientation or facts.get("orientation")
    details["orientation"] = turned if isinstance(turned, int) and 1 <= turned <= 8 else None
    details["frames"] = found.frames if found.frames > 1 else None
    if generation:
        details |= generation.details()
    by_source = str(facts.get("digital_source_type", "")).rpartition("/")[2] in _GENERATED
    position = facts.get("position")
    latitude, longitude = position if isinstance(position, tuple) else (None, None)
    return Extraction(
        kind=Kind.GENERATED_IMAGE if generation or by_source else Kind.IMAGE,
        mime_type=found.mime_type,
        title=_text(facts.get("title")),
        width=_size(found.width),
        height=_size(found.height),
        duration=found.duration if found.frames > 1 else None,
        created=_text(facts.get("created")),
        latitude=latitude,
        longitude=longitude,
        details={name: value for name, value in details.items() if value is not None},
        entities=tuple(_entities(facts, generation)),
        problem=Problem(ProblemKind.OTHER, found.trouble) if found.trouble else None,
    )


def _size(pixels: int | None) -> int | None:
    return pixels if pixels and 0 < pixels < 1 << 31 else None


def _packet(data: bytes, found: Found) -> Facts:
    facts, trouble = xmp.facts(data)
    if trouble:
        found.has_trouble(trouble)
    return facts


def _generation(reader: Reader, found: Found, packets: list[Facts]) -> Generation | None:
    texts = list(found.texts)
    for each in found.directories[:MOST_PACKETS]:
        texts += exif.texts(each)
    texts += [
        ("exif:XMP", str(facts[name])) for facts in packets for name in ("comment", "description") if name in facts
    ]
    generation, trouble = find(texts)
    if generation is None and found.mime_type == png.MIME_TYPE:
        try:
            hidden = stealth.read(reader)
        except FormatError as error:
            found.has_trouble(str(error))
        else:
            if hidden:
                generation, trouble = find([("exif:hidden", hidden)])
    if trouble:
        found.has_trouble(trouble)
    return generation


def _merged(found: Found, packets: list[Facts], source: Source, generation: Generation | None) -> Facts:
    """What all sources say: a sidecar before all, since it is where programs write that leave pictures as they are."""
    beside = _sidecar(source, found)
    cameras = [exif.facts(each) for each in found.directories[:MOST_PACKETS]]
    agencies = [iptc.facts(block) for block in found.iptc[:MOST_PACKETS]]
    plain = _plain(found.texts)
    if generation:  # generators write for themselves where people would have written for people
        for facts in (plain, *cameras, *packets):
            for name in [name for name, value in facts.items() if isinstance(value, str) and is_for_programs(value)]:
                del facts[name]
        for name in ("title", "description", "software", "comment"):
            plain.pop(name, None)
    merged: Facts = {}
    for facts in (beside, *packets, *agencies):
        for name in _WORDS & facts.keys():
            merged.setdefault(name, facts[name])
    for facts in (beside, *cameras, *packets, *agencies, plain):
        for name, value in facts.items():
            merged.setdefault(name, value)
    merged["keywords"] = _names("keywords", (beside, *packets, *agencies, *cameras))
    merged["people"] = _names("people", (beside, *packets))
    if "comment" in plain and "description" not in merged:
        merged["description"] = plain["comment"]
    _complete_time(merged, packets)
    return merged


def _sidecar(source: Source, found: Found) -> Facts:
    """What the XMP file beside the picture says: ``a.nef.xmp``, or ``a.xmp`` if it is not meant for another ``a``."""
    name = source.name.lower()
    stem, _, extension = name.rpartition(".")
    siblings = {other.lower(): data for other, data in source.siblings.items()}
    if data := siblings.get(f"{name}.xmp"):
        return _packet(data, found) | {"sidecar": f"{source.name}.xmp"}
    if stem and (data := siblings.get(f"{stem}.xmp")):
        facts = _packet(data, found)
        if str(facts.get("sidecar_for", extension)).lower() == extension:
            return facts | {"sidecar": f"{source.name[: len(stem)]}.xmp"}
    return {}


def _plain(texts: Iterable[tuple[str, str]]) -> Facts:
    facts: Facts = {}
    for keyword, text in texts:
        name = _PLAIN.get(keyword.lower())
        if not name or not text.strip():
            continue
        value = text.strip()
        if name == "created":
            if time := exif.iso_time(value):
                facts.setdefault(name, time)
        else:
            facts.setdefault(name, [value] if name == "creators" else value)
    return facts


def _names(name: str, sources: Iterable[Facts]) -> list[str]:
    """The names in all sources, each once, however it is capitalised."""
    names: dict[str, str] = {}
    for facts in sources:
        values = facts.get(name)
        for value in values if isinstance(values, list) else ():
            if len(names) < MOST_NAMES and (word := value.strip()):
                names.setdefault(word.casefold(), word)
    return list(names.values())


def _complete_time(merged: Facts, packets: list[Facts]) -> None:
    """Take the offset from XMP, which always had one, if it has the same time as Exif, which long had none."""
    created = merged.get("created")
    if isinstance(created, str) and len(created) >= 19:
        for facts in packets:
            other = facts.get("created")
            if isinstance(other, str) and len(other) > len(created) and other.startswith(created):
                merged["created"] = other
                return


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _entities(facts: Facts, generation: Generation | None) -> Iterator[Entity]:
    for name, kind, role in (
        ("creators", EntityKind.PERSON, "creator"),
        ("people", EntityKind.PERSON, "depicted"),
        ("keywords", EntityKind.TAG, "keyword"),
    ):
        values = facts.get(name)
        for position, value in enumerate(values if isinstance(values, list) else ()):
            yield Entity(kind, value, role, position)
    if generation and generation.model:
        yield Entity(EntityKind.MODEL, generation.model, "model")
    for position, lora in enumerate(generation.loras if generation else ()):
        yield Entity(EntityKind.MODEL, lora.name, "lora", position)
