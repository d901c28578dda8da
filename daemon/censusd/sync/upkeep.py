"""Keeping one repository that this daemon owns: its watch, its passes, and what the watch reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from censusd.catalogue import directories, journal, maintenance, repositories
from censusd.errors import CancelledError, CensusError, RootOfflineError
from censusd.filesystem.identity import Root, look_at_root
from censusd.filesystem.mounts import PSEUDO_FILESYSTEMS, Mount, mounts_below, read_mounts, real_path
from censusd.model import (
    ROOT,
    OperationStatus,
    OperationType,
    Problem,
    RepositoryState,
    Scope,
    SyncOperation,
    Trigger,
)
from censusd.sync import reporting
from censusd.sync.context import Repository, Rules
from censusd.sync.links import Elsewhere
from censusd.sync.progress import Progress
from censusd.sync.reconciler import Hooks, Options, Reconciler
from censusd.sync.roots import RecordedRoot
from censusd.sync.watching import Watching, WatchRules
from censusd.watch.debounce import DirtySet
from censusd.watch.tier import TierDecision

_LOG: Final = structlog.get_logger("censusd.sync")
_FIRST_LOOK_AGAIN: Final = 10.0
_LAST_LOOK_AGAIN: Final = 3600.0
_LOOKS_AT_ONCE: Final = 1_000
_BETWEEN_LOOKS: Final = 1.0
_NEXT: Final = "\x01"
"""Behind a path, this makes what comes right after it, for no name has a NUL."""
_MOST_UNSEEN: Final = 20_000
"""Directories that could not be read, beyond which it does not matter any more which of them those are."""
_LASTED: Final = 3600.0
"""Seconds after which a breakdown of the watch has nothing to do with the one before."""
_MANY: Final = 0.1
"""The share of new files in a pass from which on the planner's statistics are worth nothing."""


class Upkeep:
    """Does the work on one repository, for the worker that says when.

    Args:
        repository: a repository that this process owns.
        watch_rules: how changes are noticed.
        dirty_set: what the watch has reported and nobody has looked at.
        hooks: what the worker takes part in; covering and progress are added here.
        on_root_changed: called when something happened to the root or to the watch.
        on_overflow: called when events were lost.

    Attributes:
        watching: the watch, once the root has been seen.
        progress: of the pass that is running, or None.
        left_over: whether work has put something into the dirty set that it led on to, and nobody has noticed it yet.
        look_again_at: when directories that could not be read are worth another try, in monotonic seconds, or None.
    """

    def __init__(
        self,
        repository: Repository,
        watch_rules: WatchRules,
        dirty_set: DirtySet,
        hooks: Hooks,
        *,
        on_root_changed: Callable[[str], None],
        on_overflow: Callable[[], None],
    ) -> None:
        self.repository = repository
        self.watch_rules = watch_rules
        self.watching: Watching | None = None
        self.progress: Progress | None = None
        self.look_again_at: float | None = None
        self.left_over = False
        self._look_again_after = _FIRST_LOOK_AGAIN
        self._look_again_since = ""
        self._dirty_set = dirty_set
        self._hooks = hooks
        self._on_root_changed = on_root_changed
        self._on_overflow = on_overflow
        self._elsewhere = Elsewhere(repository)
        self._recorded_root: RecordedRoot | None = None
        self._decision: TierDecision | None = None
        self._mounts: dict[str, Mount] = {}
        self._covered_at = 0.0
        self._has_broken_down = False
        self._put_off = ""

    def why_offline(self) -> str | None:
        """Why the root that is there now may not be touched; None if it may.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        if self._recorded_root is None:
            self._recorded_root = RecordedRoot.of(self.repository)
        return self._recorded_root.why_offline(self.repository.rules)

    def forget_root(self) -> None:
        """Ask the catalogue again what the root is: what is remembered of it may be older than what is on record."""
        self._recorded_root = None

    def arm(self) -> None:
        """Set the watch up, if it is not; the next complete pass covers every directory.

        Raises:
            RootOfflineError: there is nothing to watch.
        """
        if self.watching is not None:
            return
        rules = self.repository.rules
        root = look_at_root(rules.root, rules.marker)
        if isinstance(root, Problem):
            raise RootOfflineError(f"{rules.root}: {root.detail}")
        # Before the pass that covers every directory: what is mounted from now on is looked at for itself.
        self._mounts = _mounts_of(rules)
        self.watching = Watching(
            self.watch_rules,
            root,
            self._mounts,
            self._dirty_set,
            on_root_changed=self._on_root_changed,
            on_overflow=self._on_overflow,
            put_off=self._put_off,
        )
        self._put_off = ""
        if self.watching.decision != self._decision:
            self._decision = self.watching.decision
            _LOG.info("watch", repository=rules.name, tier=self.watching.name, reason=self._decision.reason)

    def notice_mounts(self) -> bool:
        """Have what was mounted below the root meanwhile looked at: no event tells of it.

        Returns:
            Whether the watch has to be set up anew, because there is something now that it has to do otherwise, or
            nothing any more.
        """
        rules, watching = self.repository.rules, self.watching
        mounts = _mounts_of(rules)
        before, self._mounts = self._mounts, mounts
        if watching is None or mounts == before:
            return False
        for path in (path for path, mount in mounts.items() if before.get(path) != mount):
            _LOG.info("mounted", repository=rules.name, path=path, type=mounts[path].type)
            self._dirty_set.add_subtree(path)
        root = look_at_root(rules.root, rules.marker)
        return isinstance(root, Root) and not watching.suits(root, mounts)

    def disarm(self) -> None:
        """Stop the watch."""
        if self.watching is not None:
            self.watching.stop()
            self.watching = None

    def give_watch_up(self, why: str) -> str:
        """The watch broke down. The next complete pass sets it up again; if it keeps breaking down, the one after.

        Args:
            why: a sentence for people.

        Returns:
            What becomes of it, for people.
        """
        again = self._has_broken_down and time.monotonic() - self._covered_at <= _LASTED
        self._has_broken_down = True
        self._put_off = f"the watch broke down again: {why}" if again else ""
        self.disarm()
        return "everything is polled for a while" if again else "it is set up again"

    def complete_pass(self, trigger: Trigger, options: Options | None = None) -> SyncOperation:
        """Look at the whole repository; afterwards every directory is watched, as far as the kernel lets us.

        Raises:
            CensusError: as for ``Reconciler.reconcile``.
        """
        if self.watching is not None and self.watching.refused:
            # Every directory is covered by this very pass, so that nothing is lost in between.
            self.disarm()
        self.arm()
        watcher = self.watching.watcher if self.watching else None
        number = watcher.begin_pass() if watcher else 0
        operation = self._pass(Scope.whole(), trigger, options)
        troubled = self._plan_another_look()
        if watcher:
            watcher.end_pass(number, troubled)
        if self.watching and not self.watching.complete:
            self.watching.complete = True
            self._covered_at = time.monotonic()
        return operation

    def partial_pass(self, scope: Scope, trigger: Trigger, options: Options | None = None) -> SyncOperation:
        """Look at some subtrees.

        Raises:
            CensusError: as for ``Reconciler.reconcile``.
        """
        self.arm()
        operation = self._pass(scope, trigger, options)
        self._plan_another_look()
        return operation

    def realtime(self, scope: Scope, waited: float) -> SyncOperation:
        """Look at what the watch reported; what could not be done is put back.

        Args:
            scope: what was reported.
            waited: for how many seconds the oldest of it has waited.

        Raises:
            CensusError: as for ``Reconciler.reconcile``.
        """
        began = time.monotonic()
        try:
            operation = self._reconcile(self._alone(), scope, Trigger.REALTIME)
        except BaseException:
            self._dirty_set.add_scope(scope)
            raise
        if operation.id:
            reporting.settled(self.repository.rules.name, operation, waited + time.monotonic() - began)
        if operation.counts.problems:
            self._plan_another_look()
        return operation

    def look_again(self) -> SyncOperation | None:
        """Try once more to read what could not be read: some of it at a time, until all of it has had its turn.

        Raises:
            CensusError: as for ``Reconciler.reconcile``.
        """
        with self.repository.catalogue.transaction() as cursor:
            paths = directories.troubled(cursor, self.repository.id, _LOOKS_AT_ONCE, since=self._look_again_since)
        operation = None
        if paths:
            operation = self._reconcile(self._alone(), Scope(subtrees=tuple(paths)), Trigger.REALTIME)
            if operation.id:
                reporting.settled(self.repository.rules.name, operation)
        if len(paths) == _LOOKS_AT_ONCE:
            self._look_again_since = f"{paths[-1]}{_NEXT}"
            self.look_again_at = time.monotonic() + _BETWEEN_LOOKS
        else:
            self._look_again_since = ""
            self._look_again_after = min(_LAST_LOOK_AGAIN, self._look_again_after * 2)
            self._plan_another_look()
        return operation

    def look_at_linked(self) -> bool:
        """Look at some files that may have been written under a name that nobody watches. Says whether that was all.

        Raises:
            CensusError: as for ``Reconciler.reconcile``.
        """
        scope = self._elsewhere.next()
        if not scope:
            return True
        operation = self._reconcile(self._alone(), scope, Trigger.REALTIME)
        if operation.id:
            reporting.settled(self.repository.rules.name, operation)
        return False

    def distrust_watch(self, reason: str) -> None:
        """Something was missed: until a complete pass has ended, what the watch reports is not all."""
        if self.watching is not None:
            self.watching.complete = False
        self._mark_dirty(reason)

    def recover(self, reason: str) -> None:
        """Go on after an outage: note that something may have been missed, and close what the journal has open."""
        self._mark_dirty(reason)
        with self.repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, self.repository.lease)
            journal.close_interrupted(cursor, self.repository.lease, own=True)

    def _mark_dirty(self, reason: str) -> None:
        """Leave a durable mark; the next complete pass clears it."""
        with self.repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, self.repository.lease)
            repositories.mark_dirty(cursor, self.repository.lease, reason)

    def set_state(self, state: RepositoryState, reason: str | None = None) -> None:
        """Record what is believed of the repository."""
        with self.repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, self.repository.lease)
            repositories.set_state(cursor, self.repository.lease, state, reason)

    def change_rules(self, rules: Rules, watch_rules: WatchRules) -> None:
        """Work by other rules from now on; another way of watching means to set the watch up anew."""
        if watch_rules.wanted != self.watch_rules.wanted:
            self.disarm()
        self.repository = replace(self.repository, rules=rules)
        self.watch_rules = watch_rules
        if self.watching is not None:
            self.watching.rules = watch_rules

    def _pass(self, scope: Scope, trigger: Trigger, options: Options | None) -> SyncOperation:
        self.progress = progress = Progress(self.repository.rules.name, scope.describe())
        hooks = replace(self._watched(), progress=progress.note)
        try:
            operation = self._reconcile(hooks, scope, trigger, options)
        except CensusError as error:
            cancelled = isinstance(error, CancelledError)
            status = OperationStatus.CANCELLED if cancelled else OperationStatus.FAILED
            reporting.failed(self.repository.rules.name, OperationType.RECONCILIATION, status)
            raise
        finally:
            self.progress = None
        reporting.settled(self.repository.rules.name, operation)
        if operation.counts.added > _MANY * max(1, operation.counts.files_scanned):
            maintenance.analyze(self.repository.catalogue)
        return operation

    def _reconcile(self, hooks: Hooks, scope: Scope, trigger: Trigger, options: Options | None = None) -> SyncOperation:
        try:
            return Reconciler(self.repository, hooks).reconcile(scope, trigger, options)
        finally:
            # It may have come to know a mount, which belongs to the root from now on.
            self.forget_root()

    def _watched(self) -> Hooks:
        """The worker's hooks, with each directory covered before it is listed."""
        watcher = self.watching.watcher if self.watching else None
        return replace(self._hooks, cover=watcher.cover if watcher else None, unsettled=self._leave_over)

    def _alone(self) -> Hooks:
        """The same for work that nothing else comes between."""
        return replace(self._watched(), due=lambda: False)

    def _leave_over(self, scope: Scope) -> None:
        if scope:
            self._dirty_set.add_scope(scope)
            self.left_over = True

    def _plan_another_look(self) -> list[str]:
        """Note when to try unreadable directories again. Returns their paths, or the root if there are too many."""
        with self.repository.catalogue.transaction() as cursor:
            paths = directories.troubled(cursor, self.repository.id, _MOST_UNSEEN + 1)
        if len(paths) > _MOST_UNSEEN:
            paths = [ROOT]
        if paths and self._look_again_since:
            return paths  # some of them have had their turn, and the others are to have theirs
        if paths:
            self.look_again_at = time.monotonic() + self._look_again_after
        else:
            self.look_again_at, self._look_again_after = None, _FIRST_LOOK_AGAIN
        return paths


def _mounts_of(rules: Rules) -> dict[str, Mount]:
    """The mounts below a root that belong to it; none where it is not there, which is for others to notice."""
    if not rules.cross_mounts:
        return {}
    try:
        mounts = mounts_below(real_path(rules.root), read_mounts())
    except OSError:
        return {}
    return {path: mount for path, mount in mounts.items() if mount.type not in PSEUDO_FILESYSTEMS}
