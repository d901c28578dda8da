"""Reading what is known of a batch of observations, and making a plan of the difference.

Directories come first, parents before children, because a directory that was renamed brings its rows along; then the
files of every directory whose digest differs, where it does; then the files that arrived here from somewhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from censusd.catalogue import files
from censusd.catalogue.connection import Cursor
from censusd.filesystem.listing import SLICE
from censusd.filesystem.walk import Tree
from censusd.model import KnownFile, Listing, Observation, Problem
from censusd.sync import links
from censusd.sync.arrivals import Arrivals
from censusd.sync.diff import diff_files
from censusd.sync.directory_rows import DirectoryRows, Listed
from censusd.sync.plan import Plan
from censusd.sync.stretches import Difference, difference

_MOST_ROWS: Final = SLICE
"""A directory with more rows than this is compared in slices, like a huge one, however few files are left in it."""


class Survey:
    """Compares one reconcile's observations with the catalogue, batch after batch.

    Args:
        repository_id: the repository.
        tree: for looking again at places that something may have departed from; used by this thread only.
        trust_digests: False for a pass that compares every row.
        bare: whether the catalogue has no file of this repository at all, so that nothing can have moved.

    Attributes:
        absent_files: rows of files whose names are proved absent, to be marked missing in the end if they still are.
        digests: directory -> digest to store once what is absent in it is marked.
        empty: huge directories that had no row at all when their listing came: each of their files is new.
    """

    def __init__(self, repository_id: UUID, tree: Tree, *, trust_digests: bool = True, bare: bool = False) -> None:
        self._repository_id = repository_id
        self._tree = tree
        self._bare = bare
        self._rows = DirectoryRows(repository_id, tree, trust_digests=trust_digests, bare=bare)
        # Directories that are compared in slices although their digest says that nothing differs.
        self._vouched: set[int] = set()
        self.absent_files: set[int] = set()
        self.digests: dict[int, bytes] = {}
        self.empty: set[int] = set()

    @property
    def absent_directories(self) -> set[int]:
        """Rows of directories whose names are proved absent, to be marked missing in the end if they still are."""
        return self._rows.absent

    @property
    def hidden_directories(self) -> set[int]:
        """Rows of directories that the policy hides now, to be marked in the end."""
        return self._rows.hidden

    def forget(self) -> None:
        """Drop what is remembered of rows that somebody else has changed since."""
        self._rows.forget()
        # A digest that waits says nothing of rows that were changed after its listing: the next pass has to compare.
        self.digests.clear()
        self.empty.clear()
        self._bare = False

    @property
    def has_marks(self) -> bool:
        """Whether anything is to be marked missing or ignored in the end."""
        return bool(self.absent_files or self.absent_directories or self.hidden_directories or self.digests)

    def clear(self) -> None:
        """What was absent or hidden has been marked."""
        self.absent_files.clear()
        self.absent_directories.clear()
        self.hidden_directories.clear()
        self.digests.clear()

    def plan(
        self,
        cursor: Cursor,
        observations: Iterable[Observation],
        rewritten: Mapping[str, Collection[str]] | None = None,
    ) -> Plan:
        """Everything that has to be written for these observations; only reads.

        Args:
            cursor: an open transaction.
            observations: in the order of a walk.
            rewritten: directory -> names that a writer has closed since.
        """
        self._tree.refresh()
        plan = Plan()
        listed = self._rows.find(cursor, plan, list(observations))
        self._files(cursor, plan, listed, rewritten or {})
        return plan

    def _files(
        self, cursor: Cursor, plan: Plan, listed: list[Listed], rewritten: Mapping[str, Collection[str]]
    ) -> None:
        """Compare the files of every directory whose listing is not the one on record."""
        changed: list[Listed] = []
        new = self._rows.take_empty(each.record for each in listed)
        for each in listed:
            record, seen = each.record, each.seen
            plan.counts.directories += 1
            plan.counts.files_scanned += seen.count if seen.looked is None else len(seen.looked)
            if seen.looked is None and self._rows.is_unchanged(record, seen):
                continue
            if seen.unknown:
                plan.partly[record.id] = _about_unknown(seen)
                plan.counts.problems += 1
            if seen.huge:
                self._read_in_slices(plan, each)
                if record.id in new:
                    self.empty.add(record.id)
            else:
                changed.append(each)
        compared = self._compared(cursor, plan, changed, new, rewritten)
        arrivals = Arrivals(self._repository_id, self._tree, plan, bare=self._bare)
        for each, diff, _ in compared:
            arrivals.add(each, diff, rewritten.get(each.path, ()))
        movers = arrivals.settle(cursor)
        seen_before_they_left = {move.row.directory_id for move in plan.moves if move.row.id not in self.absent_files}
        self.absent_files -= movers
        for each, diff, _ in compared:
            absent = {row[1] for row in diff.absent} - movers
            self.absent_files |= absent
            plan.ignored += [row[1] for row in diff.ignored]
            plan.counts.ignored += len(diff.ignored)
            updates = [(row[1], entry, effect) for entry, row, effect in diff.updated if row[1] not in movers]
            plan.updates += updates
            plan.counts.updated += len(updates)
            if each.record.id in self._vouched or (
                each.seen.looked is None and self._rows.was_unchanged(each.record, each.seen)
            ):
                plan.counts.repaired += diff.count
            if each.record.id in arrivals.outdated:
                each.seen = replace(each.seen, digest=b"")
            self._digest(plan, each, changed=bool(diff), incomplete=bool(absent))
        # A digest that a file is part of must not outlive the file's move to another directory.
        left = {move.row.directory_id for move in plan.moves} - {number for number, _, _ in plan.listed}
        plan.undigested += left
        for number in left & seen_before_they_left:
            self.digests.pop(number, None)
        plan.linked = links.other_names(cursor, self._repository_id, plan, compared, self.absent_files, rewritten)

    def _read_in_slices(self, plan: Plan, listed: Listed) -> None:
        """Leave a directory to whoever compares its files, or its rows, some at a time."""
        if self._rows.was_unchanged(listed.record, listed.seen):
            self._vouched.add(listed.record.id)
        plan.huge.append((listed.record, listed.seen))
        plan.listed.append((listed.record.id, listed.seen, None))
        self.digests.pop(listed.record.id, None)

    def _compared(
        self, cursor: Cursor, plan: Plan, changed: list[Listed], new: set[int], rewritten: Mapping[str, Collection[str]]
    ) -> list[links.Compared]:
        """What happened to the files of these directories, but for those with too many rows to hold."""
        differences = self._differences(changed, new)
        known = self._known(cursor, changed, new, differences)
        fitting: list[Listed] = []
        for each in changed:
            if each.seen.looked is None and len(known.get(each.record.id, [])) > _MOST_ROWS:
                self._read_in_slices(plan, each)
            else:
                fitting.append(each)

        def compare(each: Listed, rows: Collection[KnownFile]) -> links.Compared:
            part = differences.get(each.record.id)
            return each, diff_files(each.seen, rows, rewritten.get(each.path, ()), part.files if part else None), rows

        compared = [compare(each, known.get(each.record.id, [])) for each in fitting]
        # A listing is compared without the rows of files that are gone; some of these may be back.
        without_row = {
            each.record.id: [entry[0] for entry in diff.new]
            for each, diff, _ in compared
            if diff.new and each.seen.looked is None and each.record.id not in new
        }
        back = files.known_names(cursor, self._repository_id, without_row)
        for at, (each, _, rows) in enumerate(compared):
            if more := back.get(each.record.id):
                compared[at] = compare(each, [*rows, *more])
        return compared

    def _differences(self, changed: list[Listed], new: set[int]) -> dict[int, Difference]:
        """The directories whose digest says where they differ from what is on record."""
        found = {
            each.record.id: difference(each.record.digest, each.seen)
            for each in changed
            if each.seen.looked is None and each.record.id not in new and self._rows.may_trust(each.record)
        }
        return {number: part for number, part in found.items() if part is not None}

    def _known(
        self, cursor: Cursor, changed: list[Listed], new: set[int], differences: Mapping[int, Difference]
    ) -> dict[int, list[KnownFile]]:
        """The rows to compare with, by directory: those that may differ, or those of the names looked at."""
        complete = [
            each.record.id
            for each in changed
            if each.seen.looked is None and each.record.id not in new and each.record.id not in differences
        ]
        names = {
            each.record.id: each.seen.looked
            for each in changed
            if each.seen.looked and each.record.id not in self.empty and each.record.id not in new
        }
        identity = self._repository_id
        return (
            files.known(cursor, identity, complete, _MOST_ROWS + 1)
            | files.known_between(cursor, identity, {number: part.between for number, part in differences.items()})
            | files.known_names(cursor, identity, names)
        )

    def _digest(self, plan: Plan, listed: Listed, *, changed: bool, incomplete: bool) -> None:
        """Keep the digest only of a listing that the rows will follow from in full."""
        record, seen, diff = listed.record, listed.seen, listed.diff
        if seen.looked is not None:
            if changed or diff:
                plan.undigested.append(record.id)
                self.digests.pop(record.id, None)
            return
        self.digests.pop(record.id, None)
        digest = seen.digest or None
        if digest and (incomplete or diff.waits):
            self.digests[record.id] = digest
            digest = None
        plan.listed.append((record.id, seen, digest))


def _about_unknown(seen: Listing) -> Problem:
    name, problem = next(iter(sorted(seen.unknown.items())))
    others = f" and {len(seen.unknown) - 1} more" if len(seen.unknown) > 1 else ""
    return Problem(problem.kind, f"cannot look at {name}{others}: {problem.detail}")
