"""What a model says about pictures: which wait to be described, who is at which, and what was said.

Everything is keyed by content and model. A claim is a row with an end; what was said is stored only by whoever still
holds the claim. The content that is sent away is hashed again, so that what is said of it is true of every file with
that hash, wherever it has moved in the meantime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.deep_queue import where
from censusd.catalogue.queries import Queries
from censusd.model import EVERYTHING, UNASKED, Places

_SQL: Final = Queries("descriptions.sql")

MOST_ATTEMPTS: Final = 3
"""After so many failures a picture is given up."""

FAILURE_COLUMNS: Final = ("path", "size", "attempts", "reason", "quarantined_at", "retry_at", "model")
"""The columns of ``failures``' rows: those of ``content.failures``, and the model."""

DESCRIPTION_COLUMNS: Final = ("model", "language", "description", "tags", "described_at")
"""The columns of ``of_file``'s rows."""

_UNUSED_SECONDS: Final = 30 * 86400.0
_LARGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pictures are to be described.

    Attributes:
        model: by which model.
        types: the MIME types that it takes.
        largest: the most bytes that a file may have.
        places: where files are looked at without anybody asking; only those.
    """

    model: str
    types: tuple[str, ...]
    largest: int
    places: Places = EVERYTHING


@dataclass(frozen=True, slots=True)
class Picture:
    """A file with a picture that is not described, as the catalogue has it.

    Attributes:
        id: its row.
        directory: relative path of its directory.
        name: its name.
        size: bytes.
        mtime_ns: as in ``Fingerprint``.
        ctime_ns: as in ``Fingerprint``.
        inode: as in ``Fingerprint``.
        change_number: of its row.
        content_hash: sha256.
        mime_type: by its content.
        orientation: how it has to be turned, as Exif numbers it.
    """

    id: int
    directory: str
    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    change_number: int
    content_hash: bytes
    mime_type: str | None
    orientation: int = 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place among a repository's files, from the last change to the first: everything before it is done.

    Attributes:
        until: a change number.
        before: a row; of the files with that change number, those from this one on are done.
    """

    until: int = _LARGEST
    before: int = _LARGEST


def page(
    cursor: Cursor, repository_id: UUID, wanted: Wanted, after: int, position: Position, most: int
) -> tuple[Position | None, list[Picture]]:
    """The next ``most`` files, whatever they are: how far that has come, and the pictures to describe among them.

    Also gives pictures that are not to be sent as things are configured, as long as ``skip`` has not been told.

    Args:
        cursor: an open transaction.
        repository_id: the repository.
        wanted: which.
        after: the change number at which to end.
        position: where to begin.
        most: how many files to look at.

    Returns:
        No position if there are no more files.
    """
    values = _values(repository_id, wanted) | {
        "after": after,
        "until": position.until,
        "before": position.before,
        "most": most,
    }
    cursor.execute(_SQL.page, values)
    rows = cursor.fetchall()
    if not rows:
        return None, []
    return Position(rows[0][0], rows[0][1]), [Picture(*row[2:]) for row in rows if row[2] is not None]


def due(cursor: Cursor, repository_id: UUID, wanted: Wanted, most: int) -> list[Picture]:
    """Pictures whose time to be tried again has come."""
    cursor.execute(_SQL.due, _values(repository_id, wanted) | {"most": most})
    return [Picture(*row) for row in cursor]


def claim(cursor: Cursor, repository_id: UUID, model: str, worker: str, picture: Picture, lease: float) -> int | None:
    """Take a picture that nobody is at, if its file is still what it was.

    Args:
        cursor: an open transaction; the claim holds once it is committed.
        repository_id: the repository.
        model: by which it is to be described.
        worker: who takes it.
        picture: which.
        lease: seconds after which others may take it.

    Returns:
        How often it has failed before; None if it cannot be had. A picture with ``MOST_ATTEMPTS`` attempts has outlived
        that many daemons, and is to be given up.
    """
    values = {
        "repository": repository_id,
        "model": model,
        "worker": worker,
        "lease": lease,
        "id": picture.id,
        "hash": picture.content_hash,
        "size": picture.size,
        "mtime_ns": picture.mtime_ns,
        "ctime_ns": picture.ctime_ns,
        "inode": picture.inode,
    }
    cursor.execute(_SQL.claim, values)
    row = cursor.fetchone()
    if row is None:
        return None
    # Whoever has described it after the statement above began has deleted a claim that then was in nobody's way.
    cursor.execute(_SQL.unclaim_described, values)
    return None if cursor.rowcount else row[0]


def store(
    cursor: Cursor,
    content_hash: bytes,
    model: str,
    worker: str,
    *,
    language: str | None,
    description: str,
    tags: Sequence[str],
) -> bool:
    """Record what was said, and end the claim. False if somebody else has taken the picture over."""
    values = {
        "hash": content_hash,
        "model": model,
        "worker": worker,
        "language": language,
        "description": description,
        "tags": list(tags),
    }
    cursor.execute(_SQL.store, values)
    return cursor.rowcount == 1


def put_off(cursor: Cursor, content_hash: bytes, model: str, worker: str, delay: float) -> None:
    """It was not the picture's fault: again in ``delay`` seconds. It counts as no attempt."""
    _settle(cursor, content_hash, model, worker, why=None, delay=delay, charge=0)


def fail(cursor: Cursor, content_hash: bytes, model: str, worker: str, *, why: str, delay: float) -> bool:
    """An attempt has failed: again in ``delay`` seconds, then after five times as long, or never.

    Returns:
        Whether it is given up now.
    """
    return _settle(cursor, content_hash, model, worker, why=why, delay=delay, charge=1)


def give_up(cursor: Cursor, content_hash: bytes, model: str, worker: str, why: str | None = None) -> None:
    """Another attempt would end as this one did; not until somebody asks to try again.

    Args:
        cursor: an open transaction.
        content_hash: of the picture.
        model: by which it was to be described.
        worker: who has claimed it.
        why: what came of the attempt; None if none was made, for the reason on record.
    """
    _settle(cursor, content_hash, model, worker, why=why, delay=0.0, charge=int(why is not None), final=True)


def skip(cursor: Cursor, model: str, reasons: Sequence[tuple[bytes, str]]) -> int:
    """Record pictures that are not to be sent as things are configured, with why. Returns how many were not yet."""
    if not reasons:
        return 0
    # Several files may have the same content.
    hashes, texts = (list(column) for column in zip(*dict(reasons).items(), strict=True))
    cursor.execute(_SQL.skip, {"model": model, "hashes": hashes, "reasons": texts})
    return cursor.rowcount


def retry(cursor: Cursor, repository_id: UUID, path: str) -> int:
    """Forget the failures of a file, or of all files below a directory. Returns how many pictures."""
    cursor.execute(_SQL.retry, {"repository": repository_id, "path": path})
    return cursor.rowcount


def failures(cursor: Cursor, repository_id: UUID, most: int) -> list[dict[str, Any]]:
    """At most ``most`` pictures that could not be described: those given up first, then those that are tried again."""
    cursor.execute(_SQL.failures, (repository_id, most))
    return [dict(zip(FAILURE_COLUMNS, row, strict=True)) for row in cursor]


def of_file(cursor: Cursor, repository_id: UUID, file_id: int) -> list[dict[str, Any]]:
    """What models have said of a file's content, the last one first."""
    cursor.execute(_SQL.of_file, (repository_id, file_id))
    return [dict(zip(DESCRIPTION_COLUMNS, row, strict=True)) for row in cursor]


def counts(cursor: Cursor, model: str) -> tuple[int, int, int]:
    """How many pictures a model has described, how many were given up, and how many skipped."""
    cursor.execute(_SQL.counts, {"model": model})
    row = cursor.fetchone() or (0, 0, 0)
    return row[0], row[1], row[2]


def purge(cursor: Cursor, keep: float = _UNUSED_SECONDS) -> int:
    """Delete what was said of content that no file on record has had for ``keep`` seconds. Returns how many rows.

    Not at once: while a file's content is read anew, it has no hash for some time.
    """
    cursor.execute(_SQL.mark_used)
    cursor.execute(_SQL.mark_unused)
    cursor.execute(_SQL.purge, (keep,))
    purged = cursor.rowcount
    cursor.execute(_SQL.purge_claims)
    return purged


def _settle(
    cursor: Cursor,
    content_hash: bytes,
    model: str,
    worker: str,
    *,
    why: str | None,
    delay: float,
    charge: int,
    final: bool = False,
) -> bool:
    values = {
        "hash": content_hash,
        "model": model,
        "worker": worker,
        "why": why,
        "delay": delay,
        "charge": charge,
        "final": final,
        "most": MOST_ATTEMPTS,
    }
    cursor.execute(_SQL.settle, values)
    row = cursor.fetchone()
    return bool(row and row[0])


def _values(repository_id: UUID, wanted: Wanted) -> dict[str, object]:
    return {
        "repository": repository_id,
        "model": wanted.model,
        "types": list(wanted.types),
        "largest": wanted.largest,
        **where(wanted.places, UNASKED),
    }
