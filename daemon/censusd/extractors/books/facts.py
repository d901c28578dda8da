"""What is known of a book, and the words it is brought to, whatever the format."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Extraction, Json, Kind
from censusd.extractors.dates import written_date
from censusd.extractors.identifiers import add_identifier
from censusd.extractors.markup import squeezed
from censusd.model import Problem, ProblemKind

MOST_NAMES: Final = 300
LONGEST_DESCRIPTION: Final = 32_768

_ROLES: Final = dict(
    pair.split(":")
    for pair in """
    adp:adapter aft:afterword_author ann:annotator arr:arranger art:artist asn:associated_name
    aui:introduction_author aut:author bkd:book_designer bkp:book_producer clb:contributor clr:colorist
    cmm:commentator com:compiler cov:cover_artist cre:author ctb:contributor cwt:commentator drt:director
    dtc:data_contributor dub:dubious_author edt:editor ill:illustrator ink:inker ltr:letterer mrk:markup_editor
    nrt:narrator oth:other pbl:publisher pfr:proofreader pht:photographer prt:printer rev:reviewer trc:transcriber
    trl:translator wam:author wpr:preface_author
    """.split()
)
"""The MARC relators that are seen in books (https://id.loc.gov/vocabulary/relators.html), as words."""

_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
_BREAK: Final = re.compile(r"<\s*(?:br|/p|/div|/li|/h[1-6])\b[^<>]{0,200}>\s*", re.IGNORECASE)
_SPACES: Final = re.compile(r"[ \t\r\f\v\u00a0]+")


@dataclass(slots=True)
class Book:
    """What a book says of itself.

    Attributes:
        mime_type: by its content.
        title: without the subtitle.
        pages: of the printed edition, if it says so.
        created: when it was published.
        language: of its text, as a BCP 47 tag.
        details: by the names that ``docs/metadata.md`` lists.
        entities: people, series, …
        faults: why it is not all, for people.
    """

    mime_type: str
    title: str | None = None
    pages: int | None = None
    created: str | None = None
    language: str | None = None
    details: dict[str, Json] = field(default_factory=dict)
    entities: list[Entity] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    identifiers: dict[str, str] = field(default_factory=dict)

    def say(self, name: str, value: Json) -> None:
        """Note a detail, unless there is nothing to note, or something is noted already."""
        if value is not None and value not in ("", [], {}):
            self.details.setdefault(name, value)

    def add(self, kind: EntityKind, role: str, name: str | None, sort_name: str | None = None) -> None:
        """Add somebody or something, once for each role, behind the others of that role."""
        name = squeezed(name)
        others = [entity for entity in self.entities if entity.role == role]
        if name and len(self.entities) < MOST_NAMES and all(other.name != name for other in others):
            self.entities.append(Entity(kind, name, role, len(others), squeezed(sort_name)))

    def add_series(self, name: str | None, position: float | None) -> None:
        """Add a series, and this book's number in it."""
        name = squeezed(name)
        if (
            name
            and len(self.entities) < MOST_NAMES
            and not any(entity.kind is EntityKind.SERIES and entity.name == name for entity in self.entities)
        ):
            self.entities.append(Entity(EntityKind.SERIES, name, "series", position or 0))
            self.say("series", name)
            self.say("series_position", position)

    def identify(self, text: str | None, scheme: str | None = None) -> None:
        """Note an identifier; see ``add_identifier``."""
        add_identifier(self.identifiers, text, scheme)

    def describe(self, text: str | None) -> None:
        """Note a description, without its HTML."""
        self.say("description", plain_text(text))

    def publish(self, text: str | None) -> None:
        """Note the day on which it was published, unless that is known already; nobody means the hour."""
        self.created = self.created or (written_date(text) or "")[:10] or None

    def extraction(self) -> Extraction:
        """All of it."""
        self.say("identifiers", dict(self.identifiers))
        problem = Problem(ProblemKind.OTHER, "; ".join(self.faults)) if self.faults else None
        return Extraction(
            Kind.BOOK,
            self.mime_type,
            title=self.title,
            pages=self.pages,
            created=self.created,
            language=self.language,
            details=self.details,
            entities=tuple(self.entities),
            problem=problem,
        )


def role_of(relator: str | None, otherwise: str) -> str:
    """The word for a MARC relator, or for what somebody wrote instead: ``aut``, ``marc:trl``, ``Illustrator``."""
    code = (relator or "").rpartition(":")[2].rpartition("/")[2].strip().lower()
    word = re.sub(r"\W+", "_", code).strip("_")[:40]
    return _ROLES.get(code, word) or otherwise


def plain_text(text: str | None) -> str | None:
    """Text without HTML, one line a paragraph, or None if nothing is left."""
    if not text:
        return None
    text = text[: 4 * LONGEST_DESCRIPTION]
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    text = html.unescape(text) if "&" in text else text
    lines = (_SPACES.sub(" ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)[:LONGEST_DESCRIPTION] or None
