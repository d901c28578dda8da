"""One reconcile under way: batches are applied, each in one transaction with the journal; deletions come last."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from typing import Final

from censusd.catalogue import directories, files, journal, repositories
from censusd.catalogue.connection import Cursor
from censusd.errors import CancelledError
from censusd.filesystem.walk import Tree
from censusd.model import (
    Counts,
    FileState,
    Observation,
    OperationStatus,
    OperationType,
    Scope,
    SyncOperation,
    Trigger,
)
from censusd.sync import withdrawal
from censusd.sync.context import Repository
from censusd.sync.plan import Plan
from censusd.sync.survey import Survey

_PROGRESS_EVERY: Final = 1.0
_MARKS_AT_ONCE: Final = 4

_Mark = Callable[[Cursor, int, Counts], Scope]
"""Marks some rows in the open transaction, under its change number, and counts them; gives what is to be looked at."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run is about, for the journal.

    Attributes:
        type: what kind of work.
        trigger: why it was started.
        scope: what it looks at, as text for people.
        trust_digests: False for a pass that compares every row.
        released: whether an operator lets it mark any number of files missing.
        bare: whether the catalogue had no file of the repository when it began.
        generation: number of the pass that its listings belong to.
        began: the database's time when it began.
    """

    type: OperationType
    trigger: Trigger
    scope: str
    trust_digests: bool
    released: bool
    bare: bool
    generation: int
    began: datetime


class Run:
    """Applies observations until there are no more, then marks what is absent.

    Args:
        repository: whose rows.
        work: what it is about.
        tree: for looking at single places; used by this thread only.
        still_there: raises ``RootOfflineError`` when the root is not the one on record.
        cancelled: asked between transactions.
        progress: told the counts after each batch.
        unsettled: given what turned out to need another look.
    """

    def __init__(
        self,
        repository: Repository,
        work: Work,
        tree: Tree,
        still_there: Callable[[], None],
        cancelled: Callable[[], bool],
        progress: Callable[[Counts], None],
        unsettled: Callable[[Scope], None],
    ) -> None:
        self._repository = repository
        self._work = work
        self._tree = tree
        self._still_there = still_there
        self._cancelled = cancelled
        self._progress = progress
        self._unsettled = unsettled
        self._survey = Survey(repository.id, tree, trust_digests=work.trust_digests, bare=work.bare)
        self._started = time.monotonic()
        self._reported = self._started
        self.counts = Counts()
        self._recorded = False
        self.operation_id = 0
        self.held: str | None = None

    @property
    def duration(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def open(self) -> None:
        """Write the journal's row now, because the work will take many transactions."""
        lease = self._repository.lease
        with self._repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, lease)
            if self._work.type is not OperationType.REALTIME:
                # A pass never runs beside another: whatever the journal has open could not be closed when it ended.
                journal.close_interrupted(cursor, lease, own=True)
            self.operation_id = journal.start(cursor, lease, self._work.type, self._work.trigger, self._work.scope)

    @property
    def is_open(self) -> bool:
        """Whether the journal has a row of this run that is still to be closed."""
        return bool(self.operation_id) and not self._recorded

    def take_new(self, directory_id: int) -> bool:
        """Whether a huge directory had no row at all when its listing came; from now on it has."""
        is_new = directory_id in self._survey.empty
        self._survey.empty.discard(directory_id)
        return is_new

    def digest_at_the_end(self, directory_id: int, digest: bytes) -> None:
        """Store a digest when everything that is absent has been marked."""
        self._survey.digests[directory_id] = digest

    def others_changed_directories(self) -> None:
        """Somebody else has changed directories at a quiet point; what is remembered of them is void."""
        self._survey.forget()

    def apply(
        self,
        observations: Sequence[Observation],
        rewritten: Mapping[str, Collection[str]] | None = None,
        *,
        may_be_last: bool = False,
    ) -> Plan:
        """Apply one batch in one transaction; nothing is written if nothing differs.

        Args:
            observations: in the order of a walk.
            rewritten: directory -> names that a writer has closed since.
            may_be_last: if the batch leads to no further work, finish in the same transaction.

        Raises:
            CancelledError: the run was asked to stop.
            RootOfflineError: the root is not the one on record any more.
            CatalogueError: the database refused, or is away.
        """
        self._pause_point()
        with self._repository.catalogue.transaction() as cursor:
            plan = self._survey.plan(cursor, observations, rewritten)
            counts = _sum(self.counts, plan.counts)
            last = may_be_last and not plan.leads_on
            settled = False
            if plan or (last and self._survey.has_marks):
                change = repositories.begin_write(cursor, self._repository.lease)
                plan.write(cursor, self._repository.id, change, self._work.generation, self._work.began)
                # Only after the moves are written does the catalogue tell what is left in a directory that is gone.
                marks = self._marks(cursor) if last else []
                settled = last and self.held is None and len(marks) <= _MARKS_AT_ONCE
                for mark in marks if settled else ():
                    self._unsettled(mark(cursor, change, counts))
                self._journal(cursor, counts, settled=settled)
                self._close_transaction(cursor, change, counts, marked=settled and bool(marks))
            elif self.operation_id and time.monotonic() > self._reported + _PROGRESS_EVERY:
                self._journal(cursor, counts, settled=False)
        if settled:
            self._survey.clear()
        self.counts = counts
        self._progress(counts)
        return plan

    def finish(self) -> None:
        """Mark what is still absent, unless the breaker holds it back; hide what the policy hides.

        Raises:
            CancelledError: the run was asked to stop.
            RootOfflineError: the root is not the one on record any more.
            CatalogueError: the database refused, or is away.
        """
        self._pause_point()
        with self._repository.catalogue.transaction() as cursor:
            marks = self._marks(cursor)
        if self.held is not None and not self.operation_id:
            self.open()
        for mark in marks:
            self._pause_point()
            with self._repository.catalogue.transaction() as cursor:
                change = repositories.begin_write(cursor, self._repository.lease)
                self._unsettled(mark(cursor, change, self.counts))
                self._journal(cursor, self.counts, settled=False)
                self._close_transaction(cursor, change, self.counts, marked=True)
            self._progress(self.counts)
        self._survey.clear()

    def withdraw_orphans(self) -> None:
        """Mark rows missing that no listing leads to, because what they are in has no row, or is missing itself.

        Only a fault of ours, or of whoever wrote to the tables by hand, makes such rows. What they stand for is found
        where it is when everything is compared, and has them back: to be called before that.

        Raises:
            CancelledError: the run was asked to stop.
            RootOfflineError: the root is not the one on record any more.
            CatalogueError: the database refused, or is away.
        """
        identity = self._repository.id
        while True:
            self._pause_point()
            with self._repository.catalogue.transaction() as cursor:
                gone = files.orphans(cursor, identity, withdrawal.CHUNK)
                places = directories.orphans(cursor, identity, withdrawal.CHUNK)
                if not gone and not places:
                    return
                change = repositories.begin_write(cursor, self._repository.lease)
                self.counts.repaired += files.withdraw(cursor, identity, change, gone, FileState.MISSING)
                directories.withdraw(cursor, identity, change, places, FileState.MISSING)
                self._journal(cursor, self.counts, settled=False)
                self._close_transaction(cursor, change, self.counts, marked=True)

    def close(
        self, status: OperationStatus, error: str | None = None, also: Callable[[Cursor], None] | None = None
    ) -> None:
        """Close the journal's row, if one was opened, together with ``also``."""
        with self._repository.catalogue.transaction() as cursor:
            if also is not None:
                also(cursor)
            if self.is_open:
                journal.update(cursor, self._repository.lease, self.operation_id, self.counts, status, error)
        self._recorded = True

    def operation(self, counts: Counts | None = None) -> SyncOperation:
        """What was done, of a run that has come to its end."""
        return SyncOperation(
            id=self.operation_id,
            repository_id=self._repository.id,
            type=self._work.type,
            trigger=self._work.trigger,
            scope=self._work.scope,
            status=OperationStatus.HELD if self.held else OperationStatus.COMPLETED,
            counts=counts or self.counts,
            duration=self.duration,
            error=self.held,
        )

    def _marks(self, cursor: Cursor) -> list[_Mark]:
        """The deletions that are left to make, each a bounded piece of work for one transaction."""
        identity, survey = self._repository.id, self._survey
        self._tree.refresh()
        hidden = withdrawal.still_hidden_directories(cursor, identity, self._tree, survey.hidden_directories)
        marks: list[_Mark] = [
            partial(withdrawal.withdraw_directories, identity, group, FileState.IGNORED)
            for group in withdrawal.directory_chunks(cursor, identity, hidden)
        ]
        self.held = self._breaker(cursor)
        if self.held is not None:
            return marks
        gone = withdrawal.still_absent_directories(cursor, identity, self._tree, survey.absent_directories)
        if len(hidden) < len(survey.hidden_directories) or len(gone) < len(survey.absent_directories):
            # Rows stay that the listings do not speak of: the next pass has to compare.
            survey.digests.clear()
        marks += [
            partial(withdrawal.withdraw_directories, identity, group, FileState.MISSING)
            for group in withdrawal.directory_chunks(cursor, identity, gone)
        ]
        marks += [
            partial(withdrawal.withdraw_absent, identity, self._tree, survey.digests, group)
            for group in withdrawal.chunks_of(sorted(survey.absent_files))
        ]
        if survey.digests:
            marks.append(partial(withdrawal.set_digests, identity, survey.digests))
        return marks

    def _close_transaction(self, cursor: Cursor, change: int, counts: Counts, *, marked: bool) -> None:
        """The last statements before a commit: nothing is marked in a root that has just been taken away."""
        if marked:
            self._still_there()
        if counts.changed or counts.repaired:
            repositories.notify(cursor, self._repository.id, change)

    def _journal(self, cursor: Cursor, counts: Counts, *, settled: bool) -> None:
        """Write the journal in the same transaction as the rows it is about."""
        lease, work = self._repository.lease, self._work
        if self.operation_id:
            journal.update(cursor, lease, self.operation_id, counts)
        elif settled and counts.changed:
            self.operation_id = journal.record(cursor, lease, self.operation(counts))
            self._recorded = True
        elif counts.changed:
            self.operation_id = journal.start(cursor, lease, work.type, work.trigger, work.scope)
            journal.update(cursor, lease, self.operation_id, counts)
        self._reported = time.monotonic()

    def _pause_point(self) -> None:
        if self._cancelled():
            raise CancelledError("the work was asked to stop")
        self._still_there()

    def _breaker(self, cursor: Cursor) -> str | None:
        """Why the deletions are held back, or None if they may be made."""
        rules, survey, identity = self._repository.rules, self._survey, self._repository.id
        if self._work.released or not (survey.absent_files or survey.absent_directories):
            return None
        missing = len(survey.absent_files) + directories.files_below(cursor, identity, survey.absent_directories)
        if missing <= rules.breaker_files:
            return None
        present = files.count_present(cursor, identity)
        limit = max(rules.breaker_files, int(present * rules.breaker_percent / 100))
        if missing <= limit:
            return None
        return (
            f"{missing} of {present} files are not there any more; more than {limit} at once are not marked missing "
            f"without being asked: look at {rules.root}, then release {rules.name}"
        )


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(**{field.name: getattr(one, field.name) + getattr(other, field.name) for field in fields(Counts)})
