"""Which row each observed directory has: found by its path, announced by its parent, brought from elsewhere, or new.

A row belongs to a path until the directory it stands for is seen somewhere else. What is applied to it was seen of the
very directory that it stands for: where another one turns out to be, its parent has to say first whose row that gets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from censusd.catalogue import directories
from censusd.catalogue.connection import Cursor
from censusd.filesystem.walk import Tree, has_vanished
from censusd.model import ROOT, FileState, KnownDirectory, Listing, Observation, Problem, join, split
from censusd.sync.diff import SubdirectoryDiff, diff_subdirectories, is_another
from censusd.sync.moves import DirectoryArrival, match_directories, place_now
from censusd.sync.plan import Plan


@dataclass(slots=True)
class Listed:
    """A directory that was listed or looked into, and its row.

    Attributes:
        record: the row, as it is before the plan is written.
        path: where it was seen.
        seen: what was seen.
        diff: what happened to its subdirectories.
    """

    record: KnownDirectory
    path: str
    seen: Listing
    diff: SubdirectoryDiff


class DirectoryRows:
    """Finds the rows of one reconcile's directories, batch after batch.

    Args:
        repository_id: the repository.
        tree: for looking again at places that something may have departed from; used by this thread only.
        trust_digests: False for a pass that compares every row.
        bare: whether the catalogue had nothing of this repository, so that nothing can have moved.

    Attributes:
        absent: rows of directories whose names are proved absent, to be marked missing in the end if they still are.
        hidden: rows of directories that the policy hides now.
    """

    def __init__(self, repository_id: UUID, tree: Tree, *, trust_digests: bool, bare: bool) -> None:
        self._repository_id = repository_id
        self._tree = tree
        self._trust_digests = trust_digests
        self._bare = bare
        self._expected: dict[str, KnownDirectory] = {}
        # Rows that stay at their path although another directory is there: they are not candidates for moves any more.
        self._taken: set[int] = set()
        self._unresolved: set[str] = set()
        # Rows made in this reconcile of directories that nobody has looked into since.
        self._empty: set[int] = set()
        self.absent: set[int] = set()
        self.hidden: set[int] = set()

    def forget(self) -> None:
        """Drop what is remembered of directories that are still to come: somebody else has changed them."""
        self._expected.clear()
        self._taken.clear()
        self._unresolved.clear()
        self._empty.clear()
        self._bare = False

    def find(self, cursor: Cursor, plan: Plan, observations: list[Observation]) -> list[Listed]:
        """Give each observation its row, level after level, and plan what happened to the directories.

        What is found to be another directory than the one its row stands for, and what has no row although its parent
        should have announced it, is left out; it is *unresolved*.
        """
        listed: list[Listed] = []
        waiting, look_ups = observations, [self._look_up, self._look_up_moved]
        while waiting:
            ready: list[tuple[KnownDirectory, str, Listing]] = []
            rest: list[Observation] = []
            for observation in waiting:
                record = self._expected.pop(observation.path, None)
                if record is None:
                    rest.append(observation)
                elif isinstance(observation.seen, Problem):
                    self._problem(plan, record, observation.seen)
                elif self._is_another(record, observation):
                    self._leave_open(plan, observation.path)
                else:
                    self._unresolved.discard(observation.path)
                    ready.append((record, observation.path, observation.seen))
            if ready:
                listed += self._children(cursor, plan, ready)
            elif len(rest) == len(waiting):
                if not look_ups:
                    for late in rest:
                        if not has_vanished(late.seen):
                            self._leave_open(plan, late.path)
                    break
                look_ups.pop(0)(cursor, plan, [late.path for late in rest])
            waiting = rest
        return listed

    def is_unchanged(self, record: KnownDirectory, seen: Listing) -> bool:
        """Whether the rows in a directory are known to follow from this very listing."""
        return self._trust_digests and self.was_unchanged(record, seen)

    def was_unchanged(self, record: KnownDirectory, seen: Listing) -> bool:
        """Whether the rows in a directory ought to follow from this very listing, as far as anybody knew."""
        return (
            bool(seen.digest)
            and seen.digest == record.digest
            and seen.device == record.device  # not in the digest; some are handed out anew at each boot
            and record.state == FileState.PRESENT
            and not record.troubled
        )

    def may_trust(self, record: KnownDirectory) -> bool:
        """Whether the rows in a directory are known to follow from the listing whose digest is on record."""
        return self._trust_digests and record.state == FileState.PRESENT and not record.troubled

    def take_empty(self, records: Iterable[KnownDirectory]) -> set[int]:
        """Those of the directories that have no file's row, since they got their own in this reconcile.

        They are expected to get some now, and are not given again.
        """
        taken = self._empty.intersection(record.id for record in records)
        self._empty -= taken
        return taken

    def _look_up(self, cursor: Cursor, plan: Plan, paths: list[str]) -> None:
        """Find the rows of directories that no parent in this reconcile has announced."""
        moved = {record.id for record, _, _ in plan.moved_directories}
        for path, record in directories.by_path(cursor, self._repository_id, paths).items():
            if record.id not in moved:
                self._expected[path] = record
        if ROOT in paths and ROOT not in self._expected:
            (number,) = directories.allocate(cursor, 1)
            root = KnownDirectory(number, directories.ROOT_PARENT, "", ROOT, 0, 0, 0, FileState.PRESENT, None, False)
            plan.new_directories.append(root)
            self._empty.add(number)
            self._expected[ROOT] = root

    def _look_up_moved(self, cursor: Cursor, plan: Plan, paths: list[str]) -> None:
        """Find the rows of directories below one that is moved by this very plan, and was not listed itself."""
        origins = {place: path for path, place in plan.places().items()}
        wanted = {place_now(path, origins): path for path in paths}
        moved = {record.id for record, _, _ in plan.moved_directories}
        for origin, record in directories.by_path(cursor, self._repository_id, list(wanted)).items():
            if record.id not in moved and wanted[origin] != origin:
                self._expected[wanted[origin]] = replace(record, path=wanted[origin])

    def _problem(self, plan: Plan, record: KnownDirectory, problem: Problem) -> None:
        if has_vanished(problem):
            return
        plan.troubles[record.id] = problem
        plan.counts.problems += 1

    def _is_another(self, record: KnownDirectory, observation: Observation) -> bool:
        """Whether what was seen is not the directory that the row stands for, and nobody has said that it gets the row.

        It was exchanged between two looks, or the look went through a descriptor of a directory that was renamed since.
        """
        seen = observation.seen
        return (
            isinstance(seen, Listing)
            and observation.path != ROOT
            and record.id not in self._taken
            and is_another(record, seen.inode, seen.device)
        )

    def _leave_open(self, plan: Plan, path: str) -> None:
        """Let the parent say what is at ``path``; of what is below, when it has said so."""
        self._unresolved.add(path)
        if split(path)[0] not in self._unresolved:
            plan.unresolved.append(path)

    def _children(self, cursor: Cursor, plan: Plan, ready: list[tuple[KnownDirectory, str, Listing]]) -> list[Listed]:
        """Compare the subdirectories of the directories in ``ready``, and expect those that are there."""
        parents = [record.id for record, _, seen in ready if seen.subdirectories or not self.is_unchanged(record, seen)]
        moved = {record.id for record, _, _ in plan.moved_directories}
        children: defaultdict[int, list[KnownDirectory]] = defaultdict(list)
        for child in directories.children(cursor, self._repository_id, parents):
            if child.id not in moved:
                children[child.parent_id].append(child)
        listed = [
            Listed(record, path, seen, diff_subdirectories(seen, children[record.id])) for record, path, seen in ready
        ]
        movers = self._movers(cursor, plan, listed)
        moving = {mover.id for mover in movers.values()}
        new: list[DirectoryArrival] = []
        for each in listed:
            self._expect(plan, each)
            for arrival in _arrivals(each):
                mover, occupant = movers.get(arrival.place), arrival.occupant
                if mover is not None:
                    self._move(plan, mover, arrival)
                elif occupant is not None and occupant.id not in moving:
                    self._keep(plan, occupant, arrival.place)
                else:
                    new.append(arrival)
                    plan.arrived.append(arrival.place)
            self.absent.update(child.id for child in each.diff.absent if child.id not in moving)
            self.hidden.update(child.id for child in each.diff.ignored)
        for number, arrival in zip(directories.allocate(cursor, len(new)), new, strict=True):
            _, name = split(arrival.place)
            child = KnownDirectory(
                number, arrival.parent_id, name, arrival.place, 0, arrival.inode, 0, FileState.PRESENT, None, False
            )
            plan.new_directories.append(child)
            self._empty.add(number)
            self._expected[arrival.place] = child
        return listed

    def _expect(self, plan: Plan, listed: Listed) -> None:
        """Note the subdirectories that are there and keep their rows."""
        for child in listed.diff.present:
            self._expected[join(listed.path, child.name)] = child
        if listed.seen.looked is not None:
            plan.revisited += [(join(listed.path, child.name), child.troubled) for child in listed.diff.present]
        for child in listed.diff.restored:
            self._keep(plan, child, join(listed.path, child.name))

    def _move(self, plan: Plan, mover: KnownDirectory, arrival: DirectoryArrival) -> None:
        plan.moved_directories.append((mover, arrival.parent_id, arrival.place))
        plan.counts.directories_moved += 1
        self.absent.discard(mover.id)
        stale = self._expected.get(mover.path)
        if stale is not None and stale.id == mover.id:
            del self._expected[mover.path]
        digest = mover.digest if mover.state == FileState.PRESENT else None
        self._expected[arrival.place] = replace(mover, path=arrival.place, state=FileState.PRESENT, digest=digest)
        plan.arrived.append(arrival.place)

    def _keep(self, plan: Plan, record: KnownDirectory, place: str) -> None:
        """Whatever directory is at this place has the row of the place."""
        self._taken.add(record.id)
        if record.state != FileState.PRESENT:
            plan.restored_directories.append(record.id)
            record = replace(record, state=FileState.PRESENT, digest=None)
        self._expected[place] = record
        plan.arrived.append(place)

    def _movers(self, cursor: Cursor, plan: Plan, listed: list[Listed]) -> dict[str, KnownDirectory]:
        """Place -> the row of the directory that moved there, of those that are new at their place."""
        arrivals = [arrival for each in listed for arrival in _arrivals(each) if arrival.inode]
        if not arrivals or self._bare:
            return {}
        settled = self._taken | {record.id for record, _, _ in plan.moved_directories}
        inodes = {arrival.inode for arrival in arrivals}
        departed = [
            record
            for record in directories.by_inode(cursor, self._repository_id, inodes)
            if record.id not in settled and self._has_left(record)
        ]
        wanted = {record.inode for record in departed}
        births = {arrival.place: self._tree.birth(arrival.place) for arrival in arrivals if arrival.inode in wanted}
        return match_directories(arrivals, departed, births)

    def _has_left(self, record: KnownDirectory) -> bool:
        """Whether a directory is proved to be no longer where the catalogue has it."""
        if record.state == FileState.MISSING:
            return True
        parent, name = split(record.path)
        seen = self._tree.look(parent, frozenset({name})).seen
        if isinstance(seen, Problem):
            return has_vanished(seen)
        return name not in seen.unknown and (name, record.inode) not in seen.subdirectories


def _arrivals(listed: Listed) -> Iterable[DirectoryArrival]:
    """The directories that are new at their names."""
    for (name, inode), occupant in listed.diff.created:
        yield DirectoryArrival(listed.record.id, join(listed.path, name), listed.seen.device, inode, occupant)
