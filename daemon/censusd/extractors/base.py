"""What every extractor fulfils, and what it gives.

An extractor is called in a process of its own that may crash, with a file it may only read, and knows nothing of
the rest: not where the file is catalogued, not what a database is. It gives an ``Extraction``, which may be partial
and then says why, or a ``Problem`` if there is nothing to give. Whatever it gives goes through ``clean_text`` and
``clean_json`` before it leaves the process.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Final, Protocol

from censusd.model import Problem

HEAD: Final = 4096
"""How many of a file's first bytes an extractor sees to say whether it takes it."""

Value = str | int | float | bool | None
Json = Value | Sequence["Json"] | Mapping[str, "Json"]


class Kind(StrEnum):
    """What a file is to those who look for it. Stored as text; the values never change."""

    IMAGE = "image"
    GENERATED_IMAGE = "generated_image"
    COMIC = "comic"
    BOOK = "book"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"


class EntityKind(StrEnum):
    """What kind of thing a name stands for. Stored as text; the values never change."""

    PERSON = "person"
    SERIES = "series"
    GENRE = "genre"
    TAG = "tag"
    PUBLISHER = "publisher"
    ALBUM = "album"
    MODEL = "model"
    """A model that generates images, or a LoRA."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something that many files have in common.

    Attributes:
        kind: what kind of thing.
        name: its name, as people read it.
        role: what it is to the file: ``author``, ``narrator``, ``artist``, ``penciller``, ``series``, ``keyword``,
            ``lora``, … in lower case with underscores.
        position: its place among several of the same role, from 0; for a series, the file's number in it.
        sort_name: how it is sorted, if the file says so.
    """

    kind: EntityKind
    name: str
    role: str
    position: float = 0
    sort_name: str | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found in one file.

    Attributes:
        kind: what it is.
        mime_type: by its content.
        title: what it calls itself.
        width: pixels.
        height: pixels.
        duration: seconds.
        pages: of a comic, a book or a document.
        created: when its content came to be (a photo was taken, a book published), as ISO 8601 with as much as is
            known: ``2024``, ``2024-05-01``, ``2024-05-01T12:00:00``, with the offset only if the file says it.
        language: as a BCP 47 tag.
        latitude: degrees north.
        longitude: degrees east.
        details: everything else worth keeping, by names that ``docs/metadata.md`` lists for the kind.
        entities: people, series, genres, tags, …
        problem: why it is not all, or None.
    """

    kind: Kind
    mime_type: str
    title: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    pages: int | None = None
    created: str | None = None
    language: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
    entities: tuple[Entity, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The file that is looked at.

    Attributes:
        file: open for reading, at its beginning, seekable; nothing else of the file system may be touched but
            ``siblings``.
        name: its last name, for the extension and for what people put into names.
        directories: names of the directories it is in, from the one in the repository's root down, for what people put
            into those; empty in the root itself.
        size: bytes.
        siblings: small companion files in the same directory that say something about it, by name (``series.json``,
            ``ComicInfo.xml``, ``cover.xmp``): their content, read beforehand, at most 1 MiB each.
    """

    file: BinaryIO
    name: str
    directories: tuple[str, ...]
    size: int
    siblings: Mapping[str, bytes] = field(default_factory=dict)


class Extractor(Protocol):
    """Reads one family of files.

    Attributes:
        name: a short word, stored with what it found.
        version: grows when it finds more or better; files of its kind are then looked at again.
        siblings: names, in lower case, of companion files that it wants to see. ``{name}`` in one stands for the file's
            own name in lower case, ``{stem}`` for that without its extension: ``{stem}.xmp``.
    """

    name: str
    version: int
    siblings: frozenset[str]

    def takes(self, head: bytes, name: str) -> bool:
        """Whether a file is of this family: by its first ``HEAD`` bytes first, by its name second."""
        ...

    def extract(self, source: Source) -> Extraction | Problem:
        """What the file is. Any exception counts as a problem of this file."""
        ...


LONGEST_TEXT: Final = 65_536
LONGEST_NAME: Final = 512
MOST_ITEMS: Final = 1_000
DEEPEST: Final = 16
_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text that PostgreSQL and JSON take: no NUL, no lone surrogate, no more than ``longest`` characters."""
    return _FORBIDDEN.sub("\ufffd", text[: longest + 1]).replace("\ufffd\ufffd", "\ufffd")[:longest]


def clean_json(value: object, depth: int = 0) -> Json:
    """A value that JSON takes, bounded in depth, number of items and length: no NaN, no infinity, no bytes."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else str(value)[:LONGEST_NAME]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return clean_text(value)
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:MOST_ITEMS]
        return {clean_text(str(key), LONGEST_NAME): clean_json(item, depth + 1) for key, item in items}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean_json(item, depth + 1) for item in list(value)[:MOST_ITEMS]]
    return clean_text(str(value))
