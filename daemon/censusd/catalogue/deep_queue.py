"""The deep scan's queue: files whose content has to be looked at, claimed by one worker at a time, wherever it runs.

A claim is a row with a lease. What a worker finds out is written by compare-and-set against the version that it was
given, so that a lease need not be trusted: it only saves doing work twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries
from censusd.model import EVERYTHING, UNASKED, Places, RepositoryState, Strategy

_SQL: Final = Queries("deep_queue.sql")

MOST_ATTEMPTS: Final = 3
"""After so many failures a file is quarantined."""

_FAILED_DELAY: Final = 5.0
LOST_OFTEN: Final = 3
LOST_DELAY: Final = 8.0
"""A file whose worker was lost so often waits for so many seconds, and then ever longer."""
_PUT_OFF_DELAY: Final = 2.0
_LARGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class QueuedRepository:
    """What the deep scan looks at again and again of a repository.

    Attributes:
        id: its row.
        name: its name.
        state: what is believed of it.
        change_number: the number of its last change.
        busy: whether a pass is running over it.
        quiet: seconds since something was last found changed in it; None if that was long ago.
    """

    id: UUID
    name: str
    state: RepositoryState
    change_number: int
    busy: bool
    quiet: float | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the waiting files are wanted.

    Attributes:
        after: only those with a greater change number.
        until: only those with no greater change number.
        largest: only those of at most so many bytes.
        file: only this row.
        without: none of these rows.
        below: only those in these directories and below; None for all.
        places: what is done where, and
        strategies: only where one of these is.
    """

    after: int = -1
    until: int = _LARGEST
    largest: int = _LARGEST
    file: int | None = None
    without: Sequence[int] = ()
    below: tuple[str, ...] | None = None
    places: Places = EVERYTHING
    strategies: frozenset[Strategy] = UNASKED


@dataclass(frozen=True, slots=True)
class ClaimedFile:
    """A file that this worker has claimed, as the catalogue has it.

    Attributes:
        id: its row.
        directory: relative path of its directory.
        name: its name.
        size: bytes.
        mtime_ns: as in ``Fingerprint``.
        ctime_ns: as in ``Fingerprint``.
        inode: as in ``Fingerprint``.
        change_number: of its row.
        attempts: how often it has failed before.
        keeps_hash: whether only its metadata is wanted.
        recorded: of a file that was read before: the hash on record, which its content is to be compared with.
    """

    id: int
    directory: str
    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    change_number: int
    attempts: int = field(compare=False)
    keeps_hash: bool
    recorded: bytes | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a look at the queue has given.

    Attributes:
        files: the files that are claimed.
        until: the change number that the look has come to.
        more: whether there may be more behind it.
    """

    files: list[ClaimedFile]
    until: int
    more: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of files that were looked at.

    Attributes:
        done: the rows that are done.
        corrupt: those of them that still hold the corrupt content that was found in them before, and keep the hash of
            what should be there.
        over: those that were corrupt and are no more -> whether they hold again what should be there; otherwise
            somebody has written something else to them.
    """

    done: set[int]
    corrupt: set[int]
    over: dict[int, bool]


def overview(cursor: Cursor, names: Collection[str]) -> list[QueuedRepository]:
    """How the given repositories stand, those of them that there are."""
    cursor.execute(_SQL.overview, (list(names),))
    return [
        QueuedRepository(number, name, RepositoryState(state), change, busy, quiet)
        for number, name, state, change, busy, quiet in cursor
    ]


def claim(cursor: Cursor, repository_id: UUID, worker: str, wanted: Selection, *, most: int, lease: float) -> Claim:
    """Take files that nobody is at, the last changed first.

    Args:
        cursor: an open transaction; the claims hold once it is committed.
        repository_id: the repository.
        worker: who takes them.
        wanted: which.
        most: how many.
        lease: seconds after which others may take them, unless the lease is renewed.

    A claim whose lease ran out is the trace of a worker that ended as a whole, with everything that it was at. Nobody
    knows which file it was, or whether it was any, so that it counts as no attempt; but a file to which that happens
    again and again is left alone for ever longer, so that it cannot take one worker after the other with it.
    """
    values = {
        "repository": repository_id,
        "worker": worker,
        "after": wanted.after,
        "until": wanted.until,
        "largest": wanted.largest,
        "file": wanted.file,
        "without": list(wanted.without),
        "below": list(wanted.below) if wanted.below is not None else None,
        "most": most,
        "lease": lease,
        "lost_delay": LOST_DELAY,
        "lost_often": LOST_OFTEN,
        **where(wanted.places, wanted.strategies),
    }
    cursor.execute(_SQL.claim, values)
    rows = cursor.fetchall()
    # Where there are no attempts, somebody else was quicker.
    files = [ClaimedFile(*row) for row in rows if row[8] is not None]
    return Claim(files, until=rows[-1][7] if rows else 0, more=len(rows) == most)


def where(places: Places, wanted: Collection[Strategy]) -> dict[str, Any]:
    """The values with which a statement tells the files of which one of these things is done."""
    pairs = places.pairs()
    is_wanted = [strategy in wanted for _, strategy in pairs]
    return {"places": [path for path, _ in pairs], "wanted": is_wanted, "everywhere": all(is_wanted)}


def complete(
    cursor: Cursor, repository_id: UUID, change: int, done: Sequence[tuple[ClaimedFile, bytes | None]]
) -> Completed:
    """Record content hashes, each if the file's row is what it was when it was claimed.

    Args:
        cursor: a transaction that was begun with a change number.
        repository_id: the repository.
        change: that number.
        done: files with their hashes; None for no hash, unless the file keeps the one it has.

    Returns:
        What became of them; the rows that are in it nowhere have changed otherwise, and wait again.
    """
    if not done:
        return Completed(set(), set(), {})
    files = [file for file, _ in done]
    values = {
        "repository": repository_id,
        "change": change,
        "ids": [file.id for file in files],
        "changes": [file.change_number for file in files],
        "sizes": [file.size for file in files],
        "mtimes": [file.mtime_ns for file in files],
        "ctimes": [file.ctime_ns for file in files],
        "inodes": [file.inode for file in files],
        "hashes": [made for _, made in done],
        "keeps": [file.keeps_hash for file in files],
    }
    cursor.execute(_SQL.complete, values)
    rows = cursor.fetchall()
    return Completed(
        {number for number, *_ in rows},
        {number for number, corrupt, _, _ in rows if corrupt},
        {number: restored for number, _, is_over, restored in rows if is_over},
    )


def finish(cursor: Cursor, repository_id: UUID, worker: str, ids: Collection[int]) -> None:
    """The claims of files that are done with."""
    if ids:
        cursor.execute(_SQL.finish, (repository_id, list(ids), worker))


def let_go(cursor: Cursor, repository_id: UUID, worker: str, ids: Collection[int]) -> None:
    """Files that this worker was not at after all; for others, and at once."""
    if ids:
        cursor.execute(_SQL.let_go, (repository_id, list(ids), worker))


def let_go_of_others(cursor: Cursor, worker: str, held: Sequence[tuple[UUID, int]]) -> int:
    """Files that this worker has claimed without knowing, since the answer was lost: all but those it ``held``.

    Returns:
        How many they were.
    """
    values = {"worker": worker, "repositories": [one for one, _ in held], "ids": [number for _, number in held]}
    cursor.execute(_SQL.let_go_of_others, values)
    return cursor.rowcount


def put_off(cursor: Cursor, repository_id: UUID, worker: str, reasons: Mapping[int, str]) -> None:
    """Files that were not what the catalogue says: again later, each time later. It counts as no attempt."""
    if reasons:
        values = {
            "repository": repository_id,
            "worker": worker,
            "delay": _PUT_OFF_DELAY,
            "ids": list(reasons),
            "reasons": list(reasons.values()),
        }
        cursor.execute(_SQL.put_off, values)


def fail(cursor: Cursor, repository_id: UUID, worker: str, reasons: Mapping[int, str]) -> set[int]:
    """Files that could not be read: an attempt each, and again soon, later, or never. Returns those quarantined now."""
    if not reasons:
        return set()
    values = {
        "repository": repository_id,
        "worker": worker,
        "delay": _FAILED_DELAY,
        "most": MOST_ATTEMPTS,
        "ids": list(reasons),
        "reasons": list(reasons.values()),
    }
    cursor.execute(_SQL.fail, values)
    return {number for number, quarantined in cursor if quarantined}


def renew(cursor: Cursor, repository_id: UUID, worker: str, ids: Collection[int], lease: float) -> None:
    """Hold claims for another ``lease`` seconds."""
    if ids:
        cursor.execute(_SQL.renew, (lease, repository_id, list(ids), worker))


def workers(cursor: Cursor) -> list[str]:
    """Everybody who holds a claim."""
    cursor.execute(_SQL.workers)
    return [worker for (worker,) in cursor]


def expire(cursor: Cursor, names: Collection[str]) -> int:
    """Let the claims of workers that are no more run out now, and those from before the clock was put back.

    Returns:
        How many.
    """
    cursor.execute(_SQL.expire, (list(names),))
    return cursor.rowcount


def retry(cursor: Cursor, repository_id: UUID, path: str) -> int:
    """Forget the failures of a file, or of all files below a directory. Returns how many files."""
    cursor.execute(_SQL.retry, {"repository": repository_id, "path": path})
    return cursor.rowcount


def count(cursor: Cursor, repository_id: UUID) -> tuple[int, int]:
    """How many files are quarantined, and how many somebody is at."""
    cursor.execute(_SQL.count, {"repository": repository_id})
    row = cursor.fetchone() or (0, 0)
    return row[0], row[1]


def oldest(cursor: Cursor, repository_id: UUID, places: Places) -> float | None:
    """For how many seconds the oldest file has waited that nobody has to ask for; None if none waits."""
    cursor.execute(_SQL.oldest, {"repository": repository_id, **where(places, UNASKED)})
    row = cursor.fetchone()
    return row[0] if row else None
