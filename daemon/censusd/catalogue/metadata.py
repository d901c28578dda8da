"""What was found in files: their metadata, and the people, series and tags that many of them have in common.

However many entities a batch of files names, it takes a handful of statements, because lookups go through a bounded
cache and everything else is written by array.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from censusd import metrics
from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries

_SQL: Final = Queries("metadata.sql")


@dataclass(frozen=True, slots=True)
class Relation:
    """Somebody or something that a file has to do with; as ``extractors.base.Entity``."""

    kind: str
    name: str
    role: str
    position: float = 0.0
    sort_name: str | None = None


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """One row of ``file_metadata``, with its relations; as ``extractors.base.Extraction``.

    Attributes:
        details: as JSON text.
        kind: None if the file could not be read.
        problem: why this is not all there is to say, or None.
    """

    file_id: int
    extractor: str
    extractor_version: int
    kind: str | None = None
    mime_type: str | None = None
    title: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    pages: int | None = None
    created: str | None = None
    created_at: datetime | None = None
    language: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    details: str = "{}"
    problem: str | None = None
    relations: tuple[Relation, ...] = field(default=(), compare=False)


_COLUMNS: Final = tuple(column.name for column in fields(FileMetadata) if column.name != "relations")

_Key = tuple[UUID, str, str]


class EntityCache:
    """Row numbers of entities by (repository, kind, name): the most recently used ones.

    Args:
        most: how many are kept.

    Attributes:
        hits: how many lookups it has answered.
        misses: how many it has not.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._ids: OrderedDict[_Key, int] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._ids)

    def get(self, keys: Iterable[_Key]) -> dict[_Key, int]:
        """Those of the keys that it knows, with their row numbers."""
        found: dict[_Key, int] = {}
        hits = misses = 0
        for key in keys:
            number = self._ids.get(key)
            if number is None:
                misses += 1
            else:
                hits += 1
                self._ids.move_to_end(key)
                found[key] = number
        self.hits += hits
        self.misses += misses
        metrics.ENTITY_LOOKUPS.labels("hit").inc(hits)
        metrics.ENTITY_LOOKUPS.labels("miss").inc(misses)
        return found

    def put(self, ids: dict[_Key, int]) -> None:
        """Remember rows that are committed; the least recently used ones make room."""
        for key, number in ids.items():
            self._ids[key] = number
            self._ids.move_to_end(key)
        while len(self._ids) > self._most:
            self._ids.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: rows may have been deleted."""
        self._ids.clear()


def find_entities(
    cursor: Cursor, repository_id: UUID, relations: Iterable[Relation], cache: EntityCache
) -> dict[_Key, int]:
    """The rows of everything that is named, made where there are none. At most two statements.

    To be called before a transaction takes the repository's lock: whoever else names the same may have to be waited
    for. The result may be put into the cache once the transaction is committed.
    """
    wanted = {(repository_id, one.kind, one.name): one for one in relations}
    known = cache.get(wanted)
    # Everybody adds in the same order, so that nobody waits for one who waits for him.
    missing = [wanted[key] for key in sorted(wanted.keys() - known.keys(), key=lambda key: key[1:])]
    if not missing:
        return known
    kinds, names = [one.kind for one in missing], [one.name for one in missing]
    values = {
        "repository": repository_id,
        "kinds": kinds,
        "names": names,
        "sort_names": [one.sort_name for one in missing],
    }
    cursor.execute(_SQL.add_entities, values)
    known |= {(repository_id, kind, name): number for number, kind, name in cursor}
    if len(known) < len(wanted):
        cursor.execute(_SQL.find_entities, (kinds, names, repository_id))
        known |= {(repository_id, kind, name): number for number, kind, name in cursor}
    return known


def put(
    cursor: Cursor,
    repository_id: UUID,
    found: Sequence[FileMetadata],
    entities: dict[_Key, int],
    *,
    nothing: Collection[int] = (),
) -> None:
    """Write what was found in files, in the place of what was known of them. At most four statements.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        found: at most one for each file.
        entities: the rows of all that they name.
        nothing: other files, in which nothing was found.
    """
    if found:
        values: dict[str, Any] = {name: [getattr(one, name) for one in found] for name in _COLUMNS}
        cursor.execute(_SQL.put, values | {"repository": repository_id})
    if nothing:
        cursor.execute(_SQL.forget, (repository_id, list(nothing)))
    ids = [one.file_id for one in found] + list(nothing)
    if ids:
        cursor.execute(_SQL.forget_relations, (repository_id, ids))
    relations = {
        (one.file_id, entities[repository_id, relation.kind, relation.name], relation.role): relation.position
        for one in found
        for relation in reversed(one.relations)
    }
    if relations:
        file_ids, entity_ids, roles = (list(column) for column in zip(*relations, strict=True))
        cursor.execute(_SQL.relate, (repository_id, file_ids, entity_ids, roles, list(relations.values())))
