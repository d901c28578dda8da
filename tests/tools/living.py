"""A repository that a real worker looks after, and everything that must be true of its catalogue after a barrier."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from censusd.catalogue.connection import Catalogue
from censusd.model import Scope, SyncOperation, Trigger
from censusd.sync import ownership
from censusd.sync.context import Beat, Rules
from censusd.sync.reconciler import Options
from censusd.sync.requests import Kind, Request
from censusd.sync.standing import Terms
from censusd.sync.watching import WatchRules
from censusd.sync.worker import Worker
from tests.tools.oracle import Stat, look_at

DEADLINE = 60.0
"""Seconds after which a test stops waiting and fails."""


class LivingLibrary:
    """A tree with a worker, which can be stopped and started again.

    Args:
        root: the tree.
        catalogue: the database.
        cookies: a directory for the barriers' cookies, outside the tree.
        name: the repository's.
        watch: how changes are noticed; by what is the same whatever this machine grants, unless said otherwise.
        debounce: seconds that a place has to be quiet.
        lease_ttl: seconds after which a silent owner loses the repository.
        beat: called by the worker all the time.
        rules: how the repository is treated, apart from its name and root.
    """

    def __init__(
        self,
        root: Path,
        catalogue: Catalogue,
        cookies: Path,
        *,
        name: str = "library",
        watch: str = "inotify",
        debounce: float = 0.5,
        lease_ttl: float = 30.0,
        beat: Beat = lambda _=0.0, /: None,
        **rules: Any,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.catalogue = catalogue
        watched = WatchRules(watch, debounce, max_latency=max(2.0, 4 * debounce), cookie_directory=cookies)
        self.terms = Terms(Rules(name, root, **rules), watched, lease_ttl, ownership.own_name())
        self._beat = beat
        self.worker = self._worker()

    def start(self) -> None:
        """Start a worker, and wait for its first complete pass."""
        self.start_at_once()
        assert self.first_pass.wait(DEADLINE), f"{self.worker.phase}: {self.worker.why}"

    def start_at_once(self) -> None:
        """Start a worker, and do not wait for anything."""
        self.worker = self._worker()
        self.worker.start()

    def stop(self) -> None:
        """Stop the worker, and wait until it has let go of everything."""
        self.worker.stop()
        assert self.worker.join(DEADLINE), f"{self.worker.phase}: {self.worker.why}"

    def sync(self) -> None:
        """The barrier."""
        self.worker.sync(DEADLINE)

    def look(self, scope: Scope | None = None, *, verify: bool = False) -> SyncOperation:
        """A pass that somebody asks for, over everything or over ``scope``."""
        request = Request(Kind.RECONCILE, Trigger.MANUAL, scope or Scope.whole(), Options(verify=verify))
        operation = self.worker.submit(request).wait(DEADLINE)
        assert operation is not None
        return operation

    @property
    def watcher(self) -> Any:
        """Who hears of changes: an ``InotifyEmitter``, whose innards a test may break. None while all is polled."""
        upkeep = self.worker.upkeep
        return upkeep.watching.watcher if upkeep and upkeep.watching else None

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self.catalogue.transaction() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def records(self) -> dict[str, Stat]:
        """Path -> stat of every file that the catalogue has as present; two rows for one path are an error."""
        rows = self.query(
            "SELECT file_path, file_size, mtime_ns, ctime_ns, inode, links FROM file_records"
            " WHERE repository_name = %s",
            self.terms.rules.name,
        )
        records = {path: tuple(rest) for path, *rest in rows}
        assert len(records) == len(rows), "two rows for one path"
        return records

    def ids(self) -> dict[str, int]:
        """Path -> row number of every present file."""
        statement = "SELECT file_path, file_id FROM file_records WHERE repository_name = %s"
        return dict(self.query(statement, self.terms.rules.name))

    def check(self, unsure: Collection[int] = (), *, made_up: bool = False) -> None:
        """Everything that must be true when nothing has changed since the last barrier.

        Args:
            unsure: inodes of files that may have changed under names that nobody watches.
            made_up: whether the file system makes inode numbers up, so that none are on record.
        """
        view, records = look_at(self.root), self.records()
        for path, stat in view.files.items():
            if made_up:
                view.files[path] = (*stat[:3], 0, stat[4])
            if stat[3] in unsure and path in records:
                records[path] = stat
        assert not (wrong := differences(records, view.files)), wrong
        assert self._directories() == sorted(view.directories)
        self._check_tree()
        self._check_journal()

    def check_passes(self) -> None:
        """That a pass finds nothing to do, whether it trusts the digests or not."""
        for verify in (False, True):
            operation = self.look(verify=verify)
            assert operation.counts.changed == 0, operation
            assert operation.error is None

    def _worker(self) -> Worker:
        self.first_pass = threading.Event()
        first_pass = self.first_pass
        return Worker(
            self.terms,
            self.catalogue,
            beat=self._beat,
            on_pass=lambda _worker, _operation: first_pass.set(),
        )

    def _directories(self) -> list[str]:
        statement = (
            "SELECT d.path FROM directories d JOIN repositories r ON r.id = d.repository_id"
            " WHERE r.name = %s AND d.state = 0"
        )
        return sorted(path for (path,) in self.query(statement, self.terms.rules.name))

    def _check_tree(self) -> None:
        """That paths follow from names, and that nothing present is in something that is not."""
        rows = self.query(
            "SELECT d.id, d.parent_id, d.name, d.path, d.state FROM directories d JOIN repositories r"
            " ON r.id = d.repository_id WHERE r.name = %s",
            self.terms.rules.name,
        )
        by_id = {number: (parent, name, path, state) for number, parent, name, path, state in rows}
        for parent, name, path, state in by_id.values():
            if parent and state == 0:
                above = by_id[parent]
                assert above[3] == 0, f"{path!r} is present in a directory that is not"
                assert path == (f"{above[2]}/{name}" if above[2] else name)
        orphans = self.query(
            "SELECT f.id FROM files f JOIN repositories r ON r.id = f.repository_id LEFT JOIN directories d"
            " ON d.repository_id = f.repository_id AND d.id = f.directory_id"
            " WHERE r.name = %s AND (d.id IS NULL OR (f.state = 0 AND d.state <> 0))",
            self.terms.rules.name,
        )
        assert not orphans

    def _check_journal(self) -> None:
        """That the counts add up, and that nothing is left open."""
        ((running, added, removed, ignored, updated, moved, purged),) = self.query(
            "SELECT count(*) FILTER (WHERE o.status = 'running'), sum(files_added), sum(files_removed),"
            " sum(files_ignored), sum(files_updated), sum(files_moved), sum(files_purged)"
            " FROM sync_operations o JOIN repositories r ON r.id = o.repository_id WHERE r.name = %s",
            self.terms.rules.name,
        )
        ((rows, present),) = self.query(
            "SELECT count(*), count(*) FILTER (WHERE f.state = 0) FROM files f JOIN repositories r"
            " ON r.id = f.repository_id WHERE r.name = %s",
            self.terms.rules.name,
        )
        assert running == 0
        assert rows == added - purged
        # A file that comes back counts as updated, or as moved if that is elsewhere.
        fewest = added - removed - ignored
        assert fewest <= present <= fewest + updated + moved


@contextmanager
def living(library: LivingLibrary) -> Iterator[LivingLibrary]:
    """The library with its worker started and its first pass done; stopped in the end."""
    try:
        library.start()
        yield library
    finally:
        library.stop()


def differences(recorded: dict[str, Stat], found: dict[str, Stat]) -> list[str]:
    """What is recorded otherwise than it was found, a line each."""
    return [
        f"{path!r}: on record {recorded.get(path)}, on disk {found.get(path)}"
        for path in sorted(recorded.keys() | found.keys())
        if recorded.get(path) != found.get(path)
    ]
