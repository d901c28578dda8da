"""Which of the files that arrived somewhere are files that departed from somewhere else. Pure.

The evidence is the inode number on the same device with the same size and modification time, unique on both sides, and
a birth that is not later than the last change on record, since inode numbers are used again. A directory is recognised
by its inode and the time it was born.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from censusd.model import Candidate, FileEntry, FileState, KnownDirectory, KnownFile, is_below, split

_Row = TypeVar("_Row", Candidate, KnownDirectory)


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
class DirectoryArrival:
    """A directory at a name that has no row of its own, or whose row was another directory's.

    Attributes:
        parent_id: the directory it is in.
        place: its relative path.
        device: device number of the directory it is in.
        inode: its inode number.
        occupant: the row at that name, if there is one.
    """

    parent_id: int
    place: str
    device: int
    inode: int
    occupant: KnownDirectory | None


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
    occupants = {
        number: move.to.occupant[1]
        for number, move in moves.items()
        if move.to.occupant is not None and move.to.occupant[2] != FileState.MISSING
    }
    return [moves[number] for number in _with_free_places(list(moves), occupants)]


def match_directories(
    arrivals: Iterable[DirectoryArrival], departed: Iterable[KnownDirectory], births: Mapping[str, int]
) -> dict[str, KnownDirectory]:
    """Place -> the row of the directory that is there now, of the moves that are certain.

    Args:
        arrivals: directories that may have come from elsewhere.
        departed: rows whose directory is no longer where the catalogue has it, or that are missing.
        births: places of arrivals -> when the directory was born; 0 or absent where nobody knows.
    """
    here: defaultdict[tuple[int, int, int], list[DirectoryArrival]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.inode and births.get(arrival.place):
            here[arrival.device, arrival.inode, births[arrival.place]].append(arrival)
    gone: defaultdict[tuple[int, int, int], list[KnownDirectory]] = defaultdict(list)
    for row in departed:
        gone[row.device, row.inode, row.birth_ns].append(row)
    moves: dict[int, tuple[KnownDirectory, DirectoryArrival]] = {}
    for directory, rows in gone.items():
        chosen, found = _only(rows), here.get(directory, ())
        # None can be inside itself: where it seems so, the row is older than what has happened since.
        if chosen is not None and len(found) == 1 and not is_below(found[0].place, chosen.path):
            moves[chosen.id] = (chosen, found[0])
    occupants = {
        number: arrival.occupant.id
        for number, (_, arrival) in moves.items()
        if arrival.occupant is not None and arrival.occupant.state != FileState.MISSING
    }
    kept = (moves[number] for number in _with_free_places(list(moves), occupants))
    return {arrival.place: row for row, arrival in kept}


def place_now(directory: str, places: Mapping[str, str]) -> str:
    """Where a directory is that is on record as ``directory``, when others have moved to other ``places``."""
    above = directory
    while above not in places:
        if not above:
            return directory
        above, _ = split(above)
    return places[above] + directory[len(above) :]


def _may_be(row: Candidate, entry: FileEntry, born: int) -> bool:
    return row.size == entry[1] and row.mtime_ns == entry[2] and born <= row.ctime_ns


def _only(rows: list[_Row]) -> _Row | None:
    """The one row there is; of several, the one that was present until now."""
    if len(rows) > 1:
        rows = [row for row in rows if row.state == FileState.PRESENT]
    return rows[0] if len(rows) == 1 else None


def _with_free_places(movers: list[int], occupants: Mapping[int, int]) -> list[int]:
    """Those of the rows whose new place is free, or is left by its occupant, which has a free place itself.

    Args:
        movers: row numbers.
        occupants: mover -> the row that is at its new place.
    """
    moving = dict.fromkeys(movers)
    followers = {occupant: mover for mover, occupant in occupants.items()}
    blocked = [mover for mover, occupant in occupants.items() if occupant not in moving]
    while blocked:
        mover = blocked.pop()
        del moving[mover]
        if mover in followers:
            blocked.append(followers[mover])
    return list(moving)
