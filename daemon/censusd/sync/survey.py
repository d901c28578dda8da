"""Reading what is known of a batch of observations, and making a plan of the difference.

Directories come first, parents before children, because a directory that was renamed brings its rows along; then the
files of every directory whose digest differs; then the files that arrived here from somewhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from censusd.catalogue import directories, files
from censusd.catalogue.connection import Cursor
from censusd.filesystem.walk import Tree, has_vanished
from censusd.model import (
    ROOT,
    FileState,
    KnownDirectory,
    Listing,
    Observation,
    Problem,
    join,
    split,
)
from censusd.sync.arrivals import Arrivals
from censusd.sync.diff import SubdirectoryDiff, diff_files, diff_subdirectories
from censusd.sync.moves import match_directories
from censusd.sync.plan import Plan


class Survey:
    """Compares one reconcile's observations with the catalogue, batch after batch.

    Args:
        repository_id: the repository.
        tree: for looking again at places that something may have departed from; used by this thread only.
        trust_digests: False for a pass that compares every row.
        bare: whether the catalogue has no file of this repository at all, so that nothing can have moved.

    Attributes:
        absent_files: rows of files whose names are proved absent, to be marked missing in the end if they still are.
        absent_directories: the same for directories.
        hidden_directories: directories that the policy hides now.
        digests: directory -> digest to store once its absent files are marked.
        empty: huge directories that had no row at all when their listing came: each of their files is new.
    """

    def __init__(self, repository_id: UUID, tree: Tree, *, trust_digests: bool = True, bare: bool = False) -> None:
        self._repository_id = repository_id
        self._tree = tree
        self._trust_digests = trust_digests
        self._bare = bare
        self._expected: dict[str, KnownDirectory] = {}
        self.absent_files: set[int] = set()
        self.absent_directories: set[int] = set()
        self.hidden_directories: set[int] = set()
        self.digests: dict[int, bytes] = {}
        self.empty: set[int] = set()

    def forget(self) -> None:
        """Drop what is remembered of directories that are still to come: somebody else has changed them."""
        self._expected.clear()
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
        listed = self._directories(cursor, plan, list(observations))
        self._files(cursor, plan, listed, rewritten or {})
        return plan

    # Directories ----------------------------------------------------------------------------------------------------

    def _directories(
        self, cursor: Cursor, plan: Plan, observations: list[Observation]
    ) -> list[tuple[KnownDirectory, str, Listing]]:
        """Compare directories, level after level; gives those that were listed, with their paths."""
        listed: list[tuple[KnownDirectory, str, Listing]] = []
        waiting, looked_up = observations, False
        while waiting:
            ready: list[tuple[KnownDirectory, str, Listing]] = []
            rest: list[Observation] = []
            for observation in waiting:
                record = self._expected.pop(observation.path, None)
                if record is None:
                    rest.append(observation)
                elif isinstance(observation.seen, Problem):
                    self._problem(plan, record, observation.seen)
                else:
                    ready.append((record, observation.path, observation.seen))
            if ready:
                self._children(cursor, plan, ready)
                listed += ready
            elif len(rest) == len(waiting):
                if looked_up:
                    plan.unresolved += [late.path for late in rest if not has_vanished(late.seen)]
                    break
                self._look_up(cursor, plan, [late.path for late in rest])
                looked_up = True
            waiting = rest
        return listed

    def _look_up(self, cursor: Cursor, plan: Plan, paths: list[str]) -> None:
        """Find the rows of directories that no parent in this reconcile has announced."""
        self._expected |= directories.by_path(cursor, self._repository_id, paths)
        if ROOT in paths and ROOT not in self._expected:
            (number,) = directories.allocate(cursor, 1)
            root = KnownDirectory(number, directories.ROOT_PARENT, "", ROOT, 0, 0, 0, FileState.PRESENT, None, False)
            plan.new_directories.append(root)
            self._expected[ROOT] = root

    def _problem(self, plan: Plan, record: KnownDirectory, problem: Problem) -> None:
        if has_vanished(problem):
            return
        plan.troubles[record.id] = problem
        plan.counts.problems += 1

    def _children(self, cursor: Cursor, plan: Plan, ready: list[tuple[KnownDirectory, str, Listing]]) -> None:
        """Compare the subdirectories of the directories in ``ready``, and expect those that are there."""
        parents = [
            record.id for record, _, seen in ready if seen.subdirectories or not self._is_unchanged(record, seen)
        ]
        children: defaultdict[int, list[KnownDirectory]] = defaultdict(list)
        for child in directories.children(cursor, self._repository_id, parents):
            children[child.parent_id].append(child)
        diffs = [(record, path, seen, diff_subdirectories(seen, children[record.id])) for record, path, seen in ready]
        moved = self._moved_directories(cursor, diffs)
        new: list[tuple[int, str, str, int]] = []
        for record, path, seen, diff in diffs:
            for child in diff.present:
                self._expected[join(path, child.name)] = child
            if seen.looked is not None:
                plan.revisited += [(join(path, child.name), child.troubled) for child in diff.present]
            for (name, inode), occupant in diff.created:
                place = join(path, name)
                mover = moved.get(place)
                if mover is not None:
                    plan.moved_directories.append((mover, record.id, place))
                    plan.counts.directories_moved += 1
                    self.absent_directories.discard(mover.id)
                    digest = mover.digest if mover.state == FileState.PRESENT else None
                    self._expected[place] = replace(mover, path=place, state=FileState.PRESENT, digest=digest)
                elif occupant is not None:
                    diff.restored.append(occupant)
                    continue
                else:
                    new.append((record.id, name, place, inode))
                plan.arrived.append(place)
            for child in diff.restored:
                plan.restored_directories.append(child.id)
                place = join(path, child.name)
                self._expected[place] = replace(child, state=FileState.PRESENT, digest=None)
                plan.arrived.append(place)
            movers = {mover.id for mover in moved.values()}
            self.absent_directories.update(child.id for child in diff.absent if child.id not in movers)
            self.hidden_directories.update(child.id for child in diff.ignored)
        for number, (parent, name, place, inode) in zip(directories.allocate(cursor, len(new)), new, strict=True):
            child = KnownDirectory(number, parent, name, place, 0, inode, 0, FileState.PRESENT, None, False)
            plan.new_directories.append(child)
            self._expected[place] = child

    def _moved_directories(
        self, cursor: Cursor, diffs: list[tuple[KnownDirectory, str, Listing, SubdirectoryDiff]]
    ) -> dict[str, KnownDirectory]:
        """Place -> the row of the directory that moved there, of those that are new at their place."""
        arrivals = {
            join(path, name): (inode, seen.device)
            for _, path, seen, diff in diffs
            for (name, inode), _ in diff.created
            if inode
        }
        if not arrivals or self._bare:
            return {}
        inodes = {inode for inode, _ in arrivals.values()}
        candidates = directories.by_inode(cursor, self._repository_id, inodes)
        moved: dict[str, KnownDirectory] = {}
        for place, (inode, device) in arrivals.items():
            same = [record for record in candidates if record.inode == inode and self._has_left(record)]
            born = self._tree.birth(place) if same else 0
            mover = match_directories(inode, device, born, same)
            if mover is not None and mover.id not in {other.id for other in moved.values()}:
                moved[place] = mover
        return moved

    def _has_left(self, record: KnownDirectory) -> bool:
        """Whether a directory is proved to be no longer where the catalogue has it."""
        if record.state == FileState.MISSING:
            return True
        parent, name = split(record.path)
        seen = self._tree.look(parent, frozenset({name})).seen
        if isinstance(seen, Problem):
            return has_vanished(seen)
        return name not in seen.unknown and (name, record.inode) not in seen.subdirectories

    def _is_unchanged(self, record: KnownDirectory, seen: Listing) -> bool:
        return (
            self._trust_digests
            and bool(seen.digest)
            and seen.digest == record.digest
            and record.state == FileState.PRESENT
            and not record.troubled
        )

    # Files ----------------------------------------------------------------------------------------------------------

    def _files(
        self,
        cursor: Cursor,
        plan: Plan,
        listed: list[tuple[KnownDirectory, str, Listing]],
        rewritten: Mapping[str, Collection[str]],
    ) -> None:
        """Compare the files of every directory whose listing is not the one on record."""
        changed: list[tuple[KnownDirectory, str, Listing]] = []
        new = {record.id for record in plan.new_directories}
        for record, path, seen in listed:
            plan.counts.directories += 1
            plan.counts.files_scanned += seen.count if seen.looked is None else len(seen.looked)
            if seen.looked is None and self._is_unchanged(record, seen):
                continue
            if seen.huge:
                plan.huge.append((record, seen.digest))
                if record.id in new:
                    self.empty.add(record.id)
                plan.listed.append((record.id, seen, None))
            else:
                changed.append((record, path, seen))
        known = files.known(
            cursor,
            self._repository_id,
            [record.id for record, _, seen in changed if seen.looked is None and record.id not in new],
        )
        known |= files.known_names(
            cursor,
            self._repository_id,
            {record.id: seen.looked for record, _, seen in changed if seen.looked and record.id not in self.empty},
        )
        arrivals = Arrivals(self._repository_id, self._tree, plan, bare=self._bare)
        diffs = []
        for record, path, seen in changed:
            diff = diff_files(seen, known.get(record.id, ()), rewritten.get(path, ()))
            arrivals.add(record, path, seen, diff)
            diffs.append((record, seen, diff))
        movers = arrivals.settle(cursor)
        self.absent_files -= movers
        for record, seen, diff in diffs:
            absent = {row[0] for row in diff.absent} - movers
            self.absent_files |= absent
            plan.ignored += [row[0] for row in diff.ignored]
            plan.counts.ignored += len(diff.ignored)
            plan.updates += [(row[0], entry, effect) for entry, row, effect in diff.updated]
            plan.counts.updated += len(diff.updated)
            self._digest(plan, record, seen, changed=bool(diff), incomplete=bool(absent))
            if seen.unknown:
                plan.partly[record.id] = _about_unknown(seen)
                plan.counts.problems += 1

    def _digest(self, plan: Plan, record: KnownDirectory, seen: Listing, *, changed: bool, incomplete: bool) -> None:
        """Keep the digest only of a listing that the rows will follow from in full."""
        if seen.looked is not None:
            if changed and record.digest is not None:
                plan.undigested.append(record.id)
            return
        digest = seen.digest or None
        if incomplete and digest:
            self.digests[record.id] = digest
            digest = None
        plan.listed.append((record.id, seen, digest))


def _about_unknown(seen: Listing) -> Problem:
    name, problem = next(iter(sorted(seen.unknown.items())))
    others = f" and {len(seen.unknown) - 1} more" if len(seen.unknown) > 1 else ""
    return Problem(problem.kind, f"cannot look at {name}{others}: {problem.detail}")
