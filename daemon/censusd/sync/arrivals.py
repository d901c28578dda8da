"""Files that are new at their place: some of them moved here, and bring their row along."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import chain
from uuid import UUID

from censusd.catalogue import files
from censusd.catalogue.connection import Cursor
from censusd.filesystem.walk import Tree, has_vanished
from censusd.model import Candidate, Effect, FileEntry, FileState, Listing, Problem
from censusd.sync.diff import FileDiff, effect_of
from censusd.sync.directory_rows import Listed
from censusd.sync.moves import Arrival, Move, match, place_now
from censusd.sync.plan import Plan


class Arrivals:
    """Collects the arrivals of one batch, then settles which rows they get.

    Args:
        repository_id: the repository.
        tree: for looking at the places that files may have departed from.
        plan: takes the moves, updates and new files.
        bare: whether there is no row that anything could have brought along.

    Attributes:
        outdated: row numbers of directories that a file has left since their listing.
    """

    def __init__(self, repository_id: UUID, tree: Tree, plan: Plan, *, bare: bool) -> None:
        self._repository_id = repository_id
        self._tree = tree
        self._plan = plan
        self._bare = bare
        self.outdated: set[int] = set()
        self._new: list[tuple[Listed, list[FileEntry]]] = []
        self._arrivals: list[Arrival] = []
        self._seen: dict[int, Listing] = {}
        self._rewritten: dict[int, Collection[str]] = {}

    def add(self, listed: Listed, diff: FileDiff, rewritten: Collection[str]) -> None:
        """Take the files of one directory that are new at their names; ``rewritten`` as for ``diff_files``."""
        number, seen = listed.record.id, listed.seen
        self._seen[number] = seen
        self._rewritten[number] = rewritten
        if diff.new:
            self._new.append((listed, diff.new))
        for entry, occupant in (*diff.created, *diff.replaced):
            self._arrivals.append(Arrival(number, listed.path, seen.device, entry, occupant))

    def settle(self, cursor: Cursor) -> set[int]:
        """Plan a move, an update or a new row for each arrival. Returns the rows that moved."""
        moves = self._moves(cursor)
        movers = {move.row.id for move in moves}
        arrived = {(move.to.directory_id, move.to.entry[0]): move for move in moves}
        created: defaultdict[int, list[FileEntry]] = defaultdict(list)
        counts = self._plan.counts
        for arrival in self._arrivals:
            entry, occupant = arrival.entry, arrival.occupant
            move = arrived.get((arrival.directory_id, entry[0]))
            if move is not None:
                proved = move.proved and entry[0] not in self._rewritten[arrival.directory_id]
                self._plan.updates.append((move.row.id, entry, Effect.NONE if proved else Effect.VERIFY))
                # One that was missing and is back at its own place has not moved.
                if (move.row.directory_id, move.row.name) == (arrival.directory_id, entry[0]):
                    counts.updated += 1
                else:
                    counts.moved += 1
            elif occupant is not None and occupant[1] not in movers:
                self._plan.updates.append((occupant[1], entry, effect_of(entry, occupant)))
                counts.updated += 1
            else:
                created[arrival.directory_id].append(entry)
        for listed, entries in self._new:
            created[listed.record.id] += entries
        counts.added += sum(map(len, created.values()))
        self._plan.moves = moves
        self._plan.created = list(created.items())
        return movers

    def _moves(self, cursor: Cursor) -> list[Move]:
        if self._bare or not (self._new or self._arrivals):
            return []
        inodes = {entry[4] for _, entries in self._new for entry in entries}
        inodes |= {arrival.entry[4] for arrival in self._arrivals}
        candidates = files.by_inode(cursor, self._repository_id, inodes - {0})
        if not candidates:
            return []
        departed = self._departed(candidates)
        wanted = {row.inode for row in departed}
        self._single_out(wanted)
        births = {
            (arrival.directory_id, arrival.entry[0]): self._tree.birth_of_file(arrival.directory, arrival.entry[0])
            for arrival in self._arrivals
            if arrival.entry[4] in wanted
        }
        return match(self._arrivals, departed, births)

    def _single_out(self, inodes: Collection[int]) -> None:
        """Treat one by one the new files that may have come from elsewhere; those that cannot go in bulk."""
        for at, (listed, entries) in enumerate(self._new):
            movers = [entry for entry in entries if entry[4] in inodes]
            if movers:
                self._new[at] = listed, [entry for entry in entries if entry[4] not in inodes]
                number, device = listed.record.id, listed.seen.device
                self._arrivals += (Arrival(number, listed.path, device, entry, None) for entry in movers)

    def _departed(self, candidates: list[Candidate]) -> list[Candidate]:
        """The rows whose file is proved to be no longer where the catalogue has it."""
        departed: list[Candidate] = []
        again: list[Candidate] = []
        elsewhere: defaultdict[str, list[Candidate]] = defaultdict(list)
        here: dict[int, dict[str, int]] = {}
        places = self._plan.places()
        alone = self._with_one_link()
        for row in candidates:
            seen = self._seen.get(row.directory_id)
            if seen is not None and (seen.looked is None or row.name in seen.looked):
                if row.directory_id not in here:
                    here[row.directory_id] = _inodes(seen)
                # A missing one may be back just where it was.
                if _is_gone(row, here[row.directory_id], seen):
                    departed.append(row)
                elif (row.device, row.inode) in alone:
                    # It cannot be at both places: it has moved on after one of them was looked at.
                    again.append(row)
            elif row.state == FileState.MISSING:
                departed.append(row)
            else:
                elsewhere[place_now(row.directory, places)].append(row)
        for row in again:
            elsewhere[place_now(row.directory, places)].append(row)
        for directory, rows in elsewhere.items():
            found = self._tree.look(directory, frozenset(row.name for row in rows)).seen
            if isinstance(found, Problem):
                departed += rows if has_vanished(found) else []
                continue
            inodes = _inodes(found)
            departed += [row for row in rows if _is_gone(row, inodes, found)]
        gone = {row.id for row in departed}
        self.outdated = {row.directory_id for row in again if row.id in gone}
        return departed

    def _with_one_link(self) -> set[tuple[int, int]]:
        """(device, inode) of arrivals that have no other name."""
        new = ((listed.seen.device, entry) for listed, entries in self._new for entry in entries)
        arrived = ((arrival.device, arrival.entry) for arrival in self._arrivals)
        return {(device, entry[4]) for device, entry in chain(new, arrived) if entry[5] == 1}


def _inodes(seen: Listing) -> dict[str, int]:
    return {entry[0]: entry[4] for entry in seen.files()}


def _is_gone(row: Candidate, inodes: Mapping[str, int], seen: Listing) -> bool:
    """Whether a file is proved to be no longer at its name; what is hidden now or cannot be seen may still be there."""
    return inodes.get(row.name) != row.inode and row.name not in seen.unknown and row.name not in seen.hidden
