"""Writing what was found: a batch in a transaction, by compare-and-set. One bad file does not spoil the others'."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from censusd.catalogue import deep_queue, journal, metadata, rehash, repositories
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.deep_queue import ClaimedFile
from censusd.catalogue.metadata import EntityCache, FileMetadata
from censusd.deepscan.findings import NonsenseError, hash_of, metadata_of, reason_of
from censusd.deepscan.messages import Outcome
from censusd.deepscan.sites import Result, Stretch
from censusd.errors import CatalogueError, CatalogueUnavailableError
from censusd.model import Counts, OperationStatus, OperationType, SyncOperation

_LOG: Final = structlog.get_logger("censusd.deepscan")


@dataclass(slots=True)
class Written:
    """What came of a batch.

    Attributes:
        files: files whose content is known now.
        bytes: how much of them was hashed.
        overtaken: files that had changed when it was to be written.
        put_off: files that were not what the catalogue says.
        failed: files that could not be read: row -> why.
        quarantined: those of them that are given up.
        differing: files that do not hold what was recorded.
        corrupt: those of them of which that was not known, with the hash of what they hold.
        over: files of which that was known and is no more so -> whether they hold again what was recorded; otherwise
            something else was written to them.
    """

    files: int = 0
    bytes: int = 0
    overtaken: int = 0
    put_off: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    quarantined: set[int] = field(default_factory=set)
    differing: set[int] = field(default_factory=set)
    corrupt: dict[int, str] = field(default_factory=dict)
    over: dict[int, bool] = field(default_factory=dict)

    def add(self, other: Written) -> None:
        """Add what came of another batch."""
        self.files += other.files
        self.bytes += other.bytes
        self.overtaken += other.overtaken
        self.put_off += other.put_off
        self.failed |= other.failed
        self.quarantined |= other.quarantined
        self.differing |= other.differing
        self.corrupt |= other.corrupt
        self.over |= other.over


@dataclass(slots=True)
class _Batch:
    """The same, sorted by what is to be done."""

    done: list[tuple[ClaimedFile, bytes | None]] = field(default_factory=list)
    found: dict[int, FileMetadata] = field(default_factory=dict)
    put_off: dict[int, str] = field(default_factory=dict)
    unseen: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


class Writer:
    """Writes batches.

    Args:
        catalogue: the database.
        worker: who claims the files.
        cache: of entities' rows.
    """

    def __init__(self, catalogue: Catalogue, worker: str, cache: EntityCache) -> None:
        self._catalogue = catalogue
        self._worker = worker
        self.cache = cache

    def write(self, repository_id: UUID, stretch: Stretch, results: Sequence[Result]) -> Written:
        """Write a batch; what the database refuses is tried again in halves, until the one bad file stands alone.

        Raises:
            CatalogueUnavailableError: the database is away. What was not written may be written again later.
        """
        try:
            return self._write(repository_id, stretch, results)
        except CatalogueUnavailableError:
            raise
        except CatalogueError as error:
            # Whatever was remembered may be what it does not like.
            self.cache.clear()
            if len(results) == 1:
                return self._refuse(repository_id, stretch, results[0], str(error))
            _LOG.info("a batch was refused and is tried in halves", files=len(results), why=str(error))
            middle = len(results) // 2
            written = self.write(repository_id, stretch, results[:middle])
            written.add(self.write(repository_id, stretch, results[middle:]))
            return written

    def _refuse(self, repository_id: UUID, stretch: Stretch, result: Result, why: str) -> Written:
        bad = Result(result.file, None, f"what was found in it cannot be written: {why}")
        try:
            return self._write(repository_id, stretch, [bad])
        except CatalogueUnavailableError:
            raise
        except CatalogueError as error:
            # Its claim runs out by itself, and counts as an attempt then.
            _LOG.error("a file cannot even be put off", file=result.file.id, why=str(error))
            return Written(failed={result.file.id: str(error)})

    def _write(self, repository_id: UUID, stretch: Stretch, results: Sequence[Result]) -> Written:
        batch = _sort(results)
        written = Written(put_off=len(batch.put_off) + len(batch.unseen), failed=batch.failed)
        with self._catalogue.transaction() as cursor:
            entities: dict[tuple[UUID, str, str], int] = {}
            if stretch.type is OperationType.REHASH:
                self._write_read(cursor, repository_id, batch, written)
            else:
                entities = self._write_done(cursor, repository_id, batch, written)
            deep_queue.put_off(cursor, repository_id, self._worker, batch.put_off)
            deep_queue.let_go(cursor, repository_id, self._worker, batch.unseen)
            written.quarantined = deep_queue.fail(cursor, repository_id, self._worker, batch.failed)
            operation_id = self._journal(cursor, repository_id, stretch, written)
        stretch.operation_id = operation_id
        stretch.last = time.monotonic()
        self.cache.put(entities)
        return written

    def _write_done(
        self, cursor: Cursor, repository_id: UUID, batch: _Batch, written: Written
    ) -> dict[tuple[UUID, str, str], int]:
        """Hashes, metadata and the end of the claims. Gives the entities' rows, to be remembered after the commit."""
        if not batch.done:
            return {}
        named = [relation for one in batch.found.values() for relation in one.relations]
        entities = metadata.find_entities(cursor, repository_id, named, self.cache)
        change = repositories.begin_unfenced_write(cursor, repository_id)
        if change is None:
            return {}
        completed = deep_queue.complete(cursor, repository_id, change, batch.done)
        hit, corrupt, written.over = completed.done, completed.corrupt, completed.over
        # What damage has made of a file says nothing of what it is.
        found = [one for number, one in batch.found.items() if number in hit - corrupt]
        metadata.put(cursor, repository_id, found, entities, nothing=hit - corrupt - batch.found.keys())
        deep_queue.finish(cursor, repository_id, self._worker, [file.id for file, _ in batch.done])
        if hit:
            repositories.notify(cursor, repository_id, change)
        written.files = len(hit)
        written.bytes = sum(file.size for file, made in batch.done if made and file.id in hit)
        written.overtaken = len(batch.done) - len(hit)
        return entities

    def _write_read(self, cursor: Cursor, repository_id: UUID, batch: _Batch, written: Written) -> None:
        """What was read again: when, what was found to be corrupt, and what is no longer."""
        read = [(file, made) for file, made in batch.done if made is not None]
        if not read or not repositories.keep_writers_out(cursor, repository_id):
            return
        as_recorded = rehash.compare(cursor, repository_id, read)
        differing = [(file, made) for file, made in read if as_recorded.get(file.id) is False]
        written.differing = {file.id for file, _ in differing}
        found = rehash.mark(cursor, repository_id, differing)
        written.corrupt = {file.id: made.hex() for file, made in differing if file.id in found}
        restored = rehash.clear(cursor, repository_id, [number for number, same in as_recorded.items() if same])
        written.over = dict.fromkeys(restored, True)
        if written.corrupt or restored:
            change = repositories.begin_unfenced_write(cursor, repository_id)
            if change is not None:
                rehash.number(cursor, repository_id, change, [*written.corrupt, *restored])
                repositories.notify(cursor, repository_id, change)
        deep_queue.finish(cursor, repository_id, self._worker, [file.id for file, _ in batch.done])
        written.files = len(as_recorded)
        written.bytes = sum(file.size for file, _ in read if file.id in as_recorded)
        written.overtaken = len(batch.done) - len(as_recorded)

    @staticmethod
    def _journal(cursor: Cursor, repository_id: UUID, stretch: Stretch, written: Written) -> int:
        if not written.files and not written.failed:
            return stretch.operation_id
        counts = Counts(
            files_scanned=written.files,
            bytes_hashed=written.bytes,
            problems=len(written.failed),
            corrupt=len(written.corrupt),
        )
        operation = SyncOperation(
            id=stretch.operation_id,
            repository_id=repository_id,
            type=stretch.type,
            trigger=stretch.trigger,
            scope=stretch.scope,
            status=OperationStatus.COMPLETED,
            counts=counts,
            duration=time.monotonic() - stretch.began,
        )
        return journal.add_to_stretch(cursor, repository_id, operation)


def _sort(results: Sequence[Result]) -> _Batch:
    batch = _Batch()
    for result in results:
        file, finding = result.file, result.finding
        if finding is None:
            batch.failed[file.id] = result.why
        elif finding.outcome == Outcome.CHANGED:
            batch.put_off[file.id] = reason_of(finding)
        elif finding.outcome == Outcome.UNSEEN:
            batch.unseen.append(file.id)
        elif finding.outcome == Outcome.DONE:
            try:
                found = metadata_of(file.id, finding)
                batch.done.append((file, hash_of(finding)))
            except NonsenseError as error:
                batch.failed[file.id] = f"its worker said nonsense: {error}"
            else:
                if found is not None:
                    batch.found[file.id] = found
        else:
            batch.failed[file.id] = reason_of(finding)
    return batch
