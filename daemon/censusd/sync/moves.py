"""Which of the files that arrived somewhere are files that departed from somewhere else. Pure.

The evidence is the inode number on the same device with the same size and modification time, unique on both sides, and
a birth that is not later than the last change on record, since inode numbers are used again. A directory is recognised
by its inode and the time it was born.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from censusd.model import Candidate, FileEntry, FileState, KnownDirectory, KnownFile


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file at a name that has no row of its own, or whose row was another file's.

    Attributes:
        directory_id: the directory it is in.
        directory: relative path of that directory.
        device: device number of that directory.
        entry: the file.
        occupant: the row at that name, if there is one.
    """

    directory_id: int
    directory: str
    device: int
    entry: FileEntry
    occupant: KnownFile | None


@dataclass(frozen=True, slots=True)
class Move:
    """A file that kept its row.

    Attributes:
        row: the row as it was.
        to: where it is now.
        proved: whether its birth was compared, so that its content need not be verified.
    """

    row: Candidate
    to: Arrival
    proved: bool


def match(
    arrivals: Iterable[Arrival], departed: Iterable[Candidate], births: dict[tuple[int, str], int] | None = None
) -> list[Move]:
    """Pair arrivals with rows.

    Args:
        arrivals: files that may have come from elsewhere.
        departed: rows whose file is no longer where the catalogue has it, or that are missing.
        births: (directory id, name) of arrivals -> when they were born; 0 or absent where nobody knows.

    Returns:
        The moves that are certain. Where a row occupies the place and its own file did not move away as well, the place
        keeps its row: that is how editors save a file, by renaming a new one over it.
    """
    births = births or {}
    here: defaultdict[tuple[int, int], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.entry[4]:
            here[arrival.device, arrival.entry[4]].append(arrival)
    gone: defaultdict[tuple[int, int], list[Candidate]] = defaultdict(list)
    for row in departed:
        gone[row.device, row.inode].append(row)
    moves: dict[int, Move] = {}
    for file, candidates in gone.items():
        if len(here.get(file, ())) != 1:
            continue
        arrival = here[file][0]
        born = births.get((arrival.directory_id, arrival.entry[0]), 0)
        chosen = _only([row for row in candidates if _may_be(row, arrival.entry, born)])
        if chosen is not None:
            moves[chosen.id] = Move(chosen, arrival, proved=bool(born))
    return _with_free_places(moves)


def match_directories(
    inode: int, device: int, born: int, candidates: Iterable[KnownDirectory]
) -> KnownDirectory | None:
    """The row of the directory that is new at its name, among those that departed; None if that is not certain."""
    if not born or not inode:
        return None
    return _only_directory(
        [row for row in candidates if (row.inode, row.device, row.birth_ns) == (inode, device, born)]
    )


def _may_be(row: Candidate, entry: FileEntry, born: int) -> bool:
    return row.size == entry[1] and row.mtime_ns == entry[2] and born <= row.ctime_ns


def _only(rows: list[Candidate]) -> Candidate | None:
    """The one row there is; of several, the one that was present until now."""
    if len(rows) > 1:
        rows = [row for row in rows if row.state == FileState.PRESENT]
    return rows[0] if len(rows) == 1 else None


def _only_directory(rows: list[KnownDirectory]) -> KnownDirectory | None:
    if len(rows) > 1:
        rows = [row for row in rows if row.state == FileState.PRESENT]
    return rows[0] if len(rows) == 1 else None


def _with_free_places(moves: dict[int, Move]) -> list[Move]:
    """Drop moves to places that stay taken, until every one that is left has a free place."""
    while True:
        blocked = [number for number, move in moves.items() if _is_taken(move.to.occupant, moves)]
        if not blocked:
            return list(moves.values())
        for number in blocked:
            del moves[number]


def _is_taken(occupant: KnownFile | None, leaving: Collection[int]) -> bool:
    return occupant is not None and occupant[7] != FileState.MISSING and occupant[0] not in leaving
