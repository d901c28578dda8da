"""Having files looked at again that an older version looked at: those whose extractor has a newer version, those that a
new extractor may take, and those that were not hashed. What is known of them stays until then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from censusd.catalogue import repositories, upgrades
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.deep_queue import QueuedRepository

_LOG: Final = structlog.get_logger("censusd.deepscan")
_AT_ONCE: Final = 1000
_HASHING: Final = ""
"""What hashing is called among the extractors' versions: 1 if every file was hashed, 0 if not."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """Some files that are to be looked at again.

    Attributes:
        why: for the log.
        next: the next rows after one.
        keeps_hash: whether only their metadata is wanted.
    """

    why: str
    next: Callable[[Cursor, int, int], list[int]]
    keeps_hash: bool


class Upgrade:
    """Compares one repository's files with what there is to look at them, a bounded number at a time.

    Args:
        catalogue: the database.
        repository: the repository; what is looked at from now on is none of its business.
        versions: extractor -> its version.
        hashing: whether content hashes are made.
    """

    def __init__(
        self, catalogue: Catalogue, repository: QueuedRepository, versions: Mapping[str, int], *, hashing: bool
    ) -> None:
        self._catalogue = catalogue
        self._id = repository.id
        self._until = repository.change_number
        self._versions = versions
        self._hashing = hashing
        self._stages: deque[_Stage] | None = None
        self._after = 0
        self._count = 0

    def step(self) -> bool:
        """Go a step further. Says whether it is done.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        with self._catalogue.transaction() as cursor:
            if self._stages is None:
                self._stages = self._plan(cursor)
            if not self._stages:
                for extractor, version in (*self._versions.items(), (_HASHING, int(self._hashing))):
                    upgrades.set_version(cursor, self._id, extractor, version)
                return True
            stage = self._stages[0]
            ids = stage.next(cursor, self._after, _AT_ONCE)
            if ids:
                change = repositories.begin_unfenced_write(cursor, self._id)
                if change is None:
                    return True
                self._count += upgrades.requeue(cursor, self._id, change, ids, keeps_hash=stage.keeps_hash)
                repositories.notify(cursor, self._id, change)
        if ids:
            self._after = ids[-1]
            return False
        if self._count:
            _LOG.info("files are to be looked at again", files=self._count, why=stage.why)
        self._stages.popleft()
        self._after = self._count = 0
        return False

    def _plan(self, cursor: Cursor) -> deque[_Stage]:
        known = upgrades.versions(cursor, self._id)
        stages: deque[_Stage] = deque()
        if self._versions:
            stages.append(_Stage("an extractor has a newer version", self._outdated, keeps_hash=True))
        if new := self._versions.keys() - known.keys():
            stages.append(_Stage(f"new: {', '.join(sorted(new))}", self._unread, keeps_hash=True))
        if self._hashing and known.get(_HASHING) == 0:
            stages.append(_Stage("they were not hashed", self._unhashed, keeps_hash=False))
        return stages

    def _outdated(self, cursor: Cursor, after: int, most: int) -> list[int]:
        return upgrades.outdated(cursor, self._id, after, self._versions, most)

    def _unread(self, cursor: Cursor, after: int, most: int) -> list[int]:
        return upgrades.unread(cursor, self._id, after, self._until, most)

    def _unhashed(self, cursor: Cursor, after: int, most: int) -> list[int]:
        return upgrades.unhashed(cursor, self._id, after, self._until, most)
