"""The one door: every trigger, whatever its scope, changes the catalogue through ``Reconciler.reconcile``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from censusd.catalogue import files, maintenance, repositories
from censusd.catalogue.connection import Cursor
from censusd.errors import CancelledError, CatalogueError, CensusError, LeaseLostError, RootOfflineError
from censusd.filesystem.crew import Help, Walk
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.walk import Cover, Tree, has_vanished
from censusd.model import (
    Counts,
    KnownDirectory,
    Listing,
    Observation,
    OperationStatus,
    OperationType,
    RepositoryState,
    Scope,
    SyncOperation,
    Trigger,
)
from censusd.sync import huge, reporting
from censusd.sync.context import Beat, Repository
from censusd.sync.looks import Looks
from censusd.sync.roots import RootGuard
from censusd.sync.run import Run, Work

T = TypeVar("T")

_REMOUNTED: Final = frozenset({Trigger.STARTUP, Trigger.REMOUNT})
"""What a reconcile is made for when file systems may have got other device numbers."""
_ROUNDS: Final = 4
"""How often a reconcile follows a tree that changes under it before it leaves the rest for later."""

_FILES_AT_ONCE: Final = 10_000
_DIRECTORIES_AT_ONCE: Final = 500
"""What one transaction is about, with one directory more at the most."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a reconcile differs from the ordinary one.

    Attributes:
        verify: compare every row, whatever the digests say.
        released: an operator accepts the root as it is, and any number of deletions.
    """

    verify: bool = False
    released: bool = False


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the caller takes part in.

    Attributes:
        cover: called with each directory just before it is listed, to put a watch on it.
        cancelled: asked between batches, and often during a walk.
        progress: told the counts after each batch.
        beat: called often, also while the disk does not answer.
        due: asked after each batch of a pass whether other work on the repository is due.
        other_work: does it, at a quiet point of the pass; says whether it changed any directory.
        unsettled: given what would not stand still long enough to be looked at; it is worth another try.
        in_doubt: asked often during a walk whether something has happened to mounts, so that the root is to be looked
            at; says so once.
    """

    cover: Cover | None = None
    cancelled: Callable[[], bool] = lambda: False
    progress: Callable[[Counts], None] = lambda _: None
    beat: Beat = lambda _=0.0, /: None
    due: Callable[[], bool] = lambda: False
    other_work: Callable[[], bool] = lambda: False
    unsettled: Callable[[Scope], None] = lambda _: None
    in_doubt: Callable[[], bool] = lambda: False


class Reconciler:
    """Makes the catalogue of one repository equal to what is on disk, for whatever scope it is given.

    Args:
        repository: a repository that this process owns.
        hooks: what the caller takes part in.
        helpers: on what terms processes help with a long walk.
    """

    def __init__(self, repository: Repository, hooks: Hooks | None = None, *, helpers: Help | None = None) -> None:
        self._repository = repository
        self._hooks = hooks or Hooks()
        self._help = helpers or Help()

    def reconcile(self, scope: Scope, trigger: Trigger, options: Options | None = None) -> SyncOperation:
        """Look at everything in ``scope``, write what differs, and say what was done.

        Raises:
            RootOfflineError: the root is not the one on record; nothing was touched.
            CancelledError: it was asked to stop; what was committed stays.
            LeaseLostError: another daemon owns the repository now.
            CatalogueError: the database refused, or is away; what was committed stays.
        """
        options = options or Options()
        guard = RootGuard(self._repository, accept=options.released, remounted=trigger in _REMOUNTED)
        work = self._work(scope, trigger, options, guard)
        policy = self._repository.rules.policy(guard.hidden_paths())
        with _opened(Tree, self._repository.rules.root, policy, made_up=guard.root.made_up) as looking:
            hooks = self._hooks
            run = Run(self._repository, work, looking, guard.check, hooks.cancelled, hooks.progress, hooks.unsettled)
            with self._closing(run):
                if work.type is not OperationType.REALTIME:
                    run.open()
                    maintenance.analyze_if_stale(self._repository.catalogue)
                if options.verify and scope.is_whole:
                    run.withdraw_orphans()
                looks = Looks(looking, self._hooks.cover, self._repository.rules.ignore_file)
                looks.add(scope)
                looks.run(run)
                for _ in range(_ROUNDS):
                    if not looks.subtrees:
                        break
                    self._walk(run, looks, looking, guard, policy)
                    looks.run(run)
                if looks.subtrees:
                    self._hooks.unsettled(Scope(subtrees=tuple(looks.subtrees)))
                run.finish()
                guard.settle(whole=scope.is_whole)
                self._close(run, work, whole=scope.is_whole)
        return run.operation()

    def _work(self, scope: Scope, trigger: Trigger, options: Options, guard: RootGuard) -> Work:
        if trigger is Trigger.REALTIME:
            kind = OperationType.REALTIME
        elif options.verify:
            kind = OperationType.VERIFY
        elif scope.is_whole and not guard.record.scan_generation:
            kind = OperationType.QUICK_SCAN
        else:
            kind = OperationType.RECONCILIATION
        with self._repository.catalogue.transaction() as cursor:
            return Work(
                type=kind,
                trigger=trigger,
                scope=scope.describe(),
                trust_digests=not options.verify,
                released=options.released,
                bare=not files.any_known(cursor, self._repository.id),
                generation=guard.record.scan_generation + 1,
                began=repositories.database_time(cursor),
            )

    def _walk(self, run: Run, looks: Looks, looking: Tree, guard: RootGuard, policy: IgnorePolicy) -> None:
        """Walk the subtrees that ``looks`` asks for, and note what that leads on to."""
        hooks, subtrees = self._hooks, tuple(looks.subtrees)
        walk: Walk
        looks.subtrees.clear()
        with _opened(
            Walk,
            self._repository.rules.root,
            policy,
            subtrees,
            made_up=guard.root.made_up,
            cover=hooks.cover,
            cancelled=lambda: self._is_cancelled(guard, walk.silence),
            # A server that does not answer must hold up a helper, not the daemon.
            terms=replace(self._help, after=0.0) if guard.root.mount.is_remote else self._help,
            fault=partial(reporting.helper_failed, self._repository.rules.name),
        ) as walk:
            for batch in _batches(walk):
                self._apply(run, looks, looking, batch)
                if hooks.due():
                    # A quiet point: nothing that was observed is waiting to be applied.
                    for late in _batches(walk.settle()):
                        self._apply(run, looks, looking, late)
                    if hooks.other_work():
                        run.others_changed_directories()

    def _is_cancelled(self, guard: RootGuard, silence: float) -> bool:
        self._hooks.beat(silence)
        if self._hooks.in_doubt():
            # What is open can still be listed after a lazy unmount; nobody has to wait for the end of the batch.
            guard.check()
        return self._hooks.cancelled()

    def _apply(self, run: Run, looks: Looks, looking: Tree, batch: list[Observation]) -> None:
        self._hooks.beat()
        plan = run.apply(batch)
        for observation in batch:
            if has_vanished(observation.seen):
                looks.ask_parent(observation.path)
        looks.ask(plan)
        for record, seen in plan.huge:
            self._huge(run, looks, looking, record, seen)
        if looks.waiting >= _FILES_AT_ONCE:
            looks.run(run, is_all=False)

    def _huge(self, run: Run, looks: Looks, looking: Tree, record: KnownDirectory, seen: Listing) -> None:
        """Compare a directory that has, or had, too many files to hold, slice by slice."""
        scanned, listed = run.counts.files_scanned, run.counts.directories
        read = b""
        try:
            for part in huge.on_disk(looking, record.path, seen):
                self._hooks.beat()
                looks.ask(run.apply([Observation(record.path, part)]))
                read = part.digest
            known = () if run.take_new(record.id) else huge.on_record(self._repository, looking, record.path, record.id)
            for observation in known:
                self._hooks.beat()
                looks.ask(run.apply([observation]))
        except OSError:
            # It could be listed a moment ago: without a digest on record, the next pass looks again.
            return
        if read == seen.digest:
            # Else it changed in between, and its rows do not follow from the listing that the digest is of.
            run.digest_at_the_end(record.id, read)
        # Its files and itself were counted when it was listed.
        run.counts.files_scanned, run.counts.directories = scanned, listed

    @contextmanager
    def _closing(self, run: Run) -> Iterator[None]:
        """Close the journal's row of a run that does not come to its end, and pass on why."""
        try:
            yield
        except LeaseLostError:
            raise
        except CancelledError as error:
            self._abandon(run, OperationStatus.CANCELLED, str(error))
            raise
        except RootOfflineError as error:
            self._abandon(run, OperationStatus.FAILED, str(error), partial(self._set_state, RepositoryState.OFFLINE))
            raise
        except BaseException as error:
            text = str(error) if isinstance(error, CensusError) else f"{type(error).__name__}: {error}"
            self._abandon(run, OperationStatus.FAILED, text)
            raise

    def _abandon(
        self,
        run: Run,
        status: OperationStatus,
        error: str,
        also: Callable[[str, Cursor], None] | None = None,
    ) -> None:
        try:
            run.close(status, error, partial(also, error) if also else None)
        except (CatalogueError, LeaseLostError):
            # The next pass closes the row.
            return

    def _close(self, run: Run, work: Work, *, whole: bool) -> None:
        """Close the journal's row of a run that came to its end, and record what a complete pass proves."""
        if not whole:
            if run.held:
                run.close(OperationStatus.HELD, run.held, partial(self._set_state, RepositoryState.HELD, run.held))
            elif run.is_open:
                run.close(OperationStatus.COMPLETED)
            return
        repository = self._repository

        def complete(cursor: Cursor) -> None:
            repositories.begin_write(cursor, repository.lease)
            repositories.complete_pass(cursor, repository.lease, work.began)
            state = RepositoryState.HELD if run.held else RepositoryState.ACTIVE
            repositories.set_state(cursor, repository.lease, state, run.held)

        run.close(run.operation().status, run.held, complete)

    def _set_state(self, state: RepositoryState, reason: str, cursor: Cursor) -> None:
        repositories.begin_write(cursor, self._repository.lease)
        repositories.set_state(cursor, self._repository.lease, state, reason)


def _opened(what: Callable[..., T], root: Path, *arguments: Any, **more: Any) -> T:
    """Open a tree, or a walk, whose root may have gone since it was looked at."""
    try:
        return what(root, *arguments, **more)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RootOfflineError(f"{root}: {error.strerror}") from error


def _batches(observations: Iterable[Observation]) -> Iterator[list[Observation]]:
    """As many observations at a time as make one transaction."""
    batch: list[Observation] = []
    entries = 0
    for observation in observations:
        batch.append(observation)
        if isinstance(observation.seen, Listing):
            entries += observation.seen.count
        if entries >= _FILES_AT_ONCE or len(batch) >= _DIRECTORIES_AT_ONCE:
            yield batch
            batch, entries = [], 0
    if batch:
        yield batch
