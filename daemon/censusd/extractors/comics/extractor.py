"""The extractor for comics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from censusd.extractors.archives.archive import Archive, Entry
from censusd.extractors.archives.kinds import kind_of
from censusd.extractors.base import Entity, EntityKind, Extraction, Json, Kind, Source
from censusd.extractors.comics.comic_info import comic_info
from censusd.extractors.comics.facts import Facts, leading_number
from censusd.extractors.comics.metron_info import metron_info
from censusd.extractors.comics.pages import first_page, pages
from censusd.extractors.comics.places import parse_place
from censusd.extractors.comics.series_json import NAME as SERIES_JSON
from censusd.extractors.comics.series_json import series_json
from censusd.extractors.dates import day
from censusd.extractors.markup import LONGEST_DOCUMENT, Element, parse
from censusd.extractors.reading import FormatError, Reader
from censusd.model import Problem, ProblemKind

_EXTENSIONS: Final = (".cbz", ".cbr", ".cb7", ".cbt")
_MIME_TYPES: Final = {
    "zip": "application/vnd.comicbook+zip",
    "rar": "application/vnd.comicbook-rar",
    "7z": "application/x-cb7",
    "tar": "application/x-cbt",
}
_DOCUMENTS: Final[Mapping[str, tuple[str, Callable[[Element], Facts]]]] = {
    "metroninfo.xml": ("metroninfo", metron_info),
    "comicinfo.xml": ("comicinfo", comic_info),
}
"""Documents in the archive, by name: the root's name and who reads it. The one that says more exactly comes first."""


class Comics:
    """Reads comics: archives of pages. See ``Extractor``."""

    name = "comics"
    version = 1
    siblings = frozenset((SERIES_JSON,))

    def takes(self, head: bytes, name: str) -> bool:
        """A comic is an archive that is called one, or a ZIP that begins with ComicInfo.xml."""
        if name.lower().endswith(_EXTENSIONS):
            # What calls itself a comic and is no archive is a damaged one, unless it is known to be something else.
            return kind_of(head) is not None or not head.startswith((b"%PDF", b"AT&TFORM"))
        return head.startswith(b"PK\3\4") and b"ComicInfo.xml" in head and b"application/epub+zip" not in head

    def extract(self, source: Source) -> Extraction | Problem:
        """See ``Extractor.extract``. What the name says is given even if the archive cannot be read."""
        reader = Reader(source.file, source.size)
        kind = kind_of(reader.at(0, 512))
        if kind is None:
            return Problem(ProblemKind.OTHER, "it is no comic: none of ZIP, RAR, 7z and TAR")
        facts, faults, number_of_pages = Facts(), [], None
        try:
            archive = kind(reader)
        except FormatError as error:
            faults.append(str(error))
        else:
            number_of_pages = _look_inside(archive, facts, faults)
        _look_around(source, facts, faults)
        return _extraction(kind.container, number_of_pages, facts, faults)


def _look_inside(archive: Archive, facts: Facts, faults: list[str]) -> int | None:
    """Note what the archive says, and how many pages it has; None where even the names are encrypted."""
    if archive.fault:
        faults.append(archive.fault)
    if archive.encrypted:
        facts.say("encrypted", value=True)
        if not archive.entries:
            return None
    names = pages(archive.entries)
    facts.say("cover", first_page(names))
    if not names and not archive.fault:
        faults.append("it has no pages")
    sources: list[Json] = []
    for entry, root_name, read in _documents(archive.entries):
        if archive.encrypted:
            continue  # that was said
        try:
            document = parse(archive.read(entry, LONGEST_DOCUMENT))
        except FormatError as error:
            faults.append(str(error))
            continue
        if document.fault:
            faults.append(f"{entry.name}: {document.fault}")
        if document.root is not None and document.root.tag == root_name:
            facts.complete(read(document.root))
            sources.append(entry.name.rpartition("/")[2])
    facts.say("sources", sources)
    return len(names)


def _documents(entries: list[Entry]) -> Iterator[tuple[Entry, str, Callable[[Element], Facts]]]:
    """The documents that say something of the whole archive: of several, the one in the fewest directories."""
    found: dict[str, Entry] = {}
    for entry in entries:
        name = entry.name
        # Most entries are pages, so the end is looked at before anything is taken apart.
        if name[-4:].lower() != ".xml" or name.startswith("__MACOSX/"):
            continue
        last = name.rpartition("/")[2].lower()
        if last in _DOCUMENTS and (last not in found or name.count("/") < found[last].name.count("/")):
            found[last] = entry
    return ((found[name], *_DOCUMENTS[name]) for name in _DOCUMENTS if name in found)


def _look_around(source: Source, facts: Facts, faults: list[str]) -> None:
    """Complete what the archive says by what stands beside it, and by its place."""
    content = next((data for name, data in source.siblings.items() if name.lower() == SERIES_JSON), None)
    if content is not None:
        try:
            facts.complete(series_json(content))
        except ValueError as error:
            faults.append(f"{SERIES_JSON}: {error}")
    place = parse_place(source.name, source.directories)
    name, said = place.name, Facts()
    for key in ("series", "number", "last_number", "volume", "last_volume", "count", "title", "format", "language"):
        said.say(key, getattr(name, key))
    said.say("created", day(name.year, name.month, name.day))
    said.say("series_year", place.series_year)
    said.say("scan_information", ", ".join(name.release))
    # The last number of several goes with the first one, from the same source.
    for key in ("number", "volume"):
        if key in facts.details:
            said.details.pop(f"last_{key}", None)
    facts.say("from_name", list(facts.complete(said)))
    facts.say("category", place.category)


def _position(details: Mapping[str, Json]) -> float:
    """The place in the series: the number, else the volume, unless that is a year."""
    volume = leading_number(str(details.get("volume", ""))) or 0
    number = leading_number(str(details.get("number", "")))
    return number if number is not None else volume if volume < 1900 else 0


def _extraction(container: str, number_of_pages: int | None, facts: Facts, faults: list[str]) -> Extraction:
    details = facts.details
    details["container"] = container
    title, language, created = (details.pop(name, None) for name in ("title", "language", "created"))
    entities = [entity for several in facts.entities.values() for entity in several]
    if series := details.get("series"):
        sort_name = str(details["series_sort"]) if "series_sort" in details else None
        entities.insert(0, Entity(EntityKind.SERIES, str(series), "series", _position(details), sort_name))
    return Extraction(
        Kind.COMIC,
        _MIME_TYPES[container],
        title=str(title) if title else None,
        pages=number_of_pages,
        created=str(created) if created else None,
        language=str(language) if language else None,
        details=details,
        entities=tuple(entities),
        problem=Problem(ProblemKind.OTHER, "; ".join(faults)) if faults else None,
    )
