"""What is known of a comic, from several sources, and the words they are brought to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Json
from censusd.extractors.markup import squeezed

MOST_NAMES: Final = 500
"""Names of one role. The longest lists seen are the characters of an omnibus."""
LONGEST_NUMBER: Final = 32

_JUNIOR: Final = re.compile(r"(?:jr|sr|ii|iii|iv|ph\.?d|md)\.?", re.IGNORECASE)


@dataclass(slots=True)
class Facts:
    """What one or several sources say.

    Attributes:
        details: by the names that ``docs/metadata.md`` lists; ``title``, ``language`` and ``created`` go into the
            extraction's own columns later.
        entities: people, series, … by role.
    """

    details: dict[str, Json] = field(default_factory=dict)
    entities: dict[str, list[Entity]] = field(default_factory=dict)

    def say(self, name: str, value: Json) -> None:
        """Note a detail, unless there is nothing to note, or something is noted already."""
        if value is not None and value not in ("", [], {}):
            self.details.setdefault(name, value)

    def add(self, entity: Entity) -> None:
        """Add somebody or something, once for each role."""
        others = self.entities.setdefault(entity.role, [])
        if len(others) < MOST_NAMES and all(other.name != entity.name for other in others):
            others.append(entity)

    def add_all(self, kind: EntityKind, role: str, names: Iterable[str]) -> None:
        """Add several of one role, in their order."""
        for position, name in enumerate(names):
            if position >= MOST_NAMES:
                return
            self.add(Entity(kind, name, role, position))

    def complete(self, others: Facts) -> list[str]:
        """Take over what is not known here: details one by one, roles as a whole. Gives the names of what was new."""
        details = [name for name in others.details if name not in self.details]
        roles = [role for role in others.entities if role not in self.entities]
        self.details.update({name: others.details[name] for name in details})
        self.entities.update({role: others.entities[role] for role in roles})
        return [*details, *roles]


def listed(text: str | None) -> Iterator[str]:
    """The names in a list with commas: ``Stan Lee, Robert Downey, Jr.`` is two."""
    waiting: str | None = None
    for part in (text or "").replace(";", ",").split(","):
        name = squeezed(part)
        if name is None:
            continue
        if waiting and _JUNIOR.fullmatch(name):
            waiting = f"{waiting}, {name}"
            continue
        if waiting:
            yield waiting
        waiting = name
    if waiting:
        yield waiting


def whole_number(text: str | None, least: int = 0) -> int | None:
    """A number without a sign that people can mean, or None. ComicInfo says -1 for nothing."""
    number = decimal_number(text)
    return int(number) if number is not None and number >= least and number.is_integer() else None


def decimal_number(text: str | None) -> float | None:
    """A number with or without decimals, with a comma or a point, or None."""
    found = re.fullmatch(r"\s*(-?\d{1,9}(?:[.,]\d{1,6})?)\s*", text or "")
    return float(found[1].replace(",", ".")) if found else None


def leading_number(text: str | None) -> float | None:
    """The number that a text begins with, to sort by: 1 for ``1.MU``, or None."""
    found = re.match(r"\s*(-?\d{1,9}(?:\.\d{1,6})?)", text or "")
    return float(found[1]) if found else None
