"""Reading rows for people: what is in a directory, and all that is known of one path."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from censusd.catalogue.connection import Cursor
from censusd.catalogue.queries import Queries
from censusd.model import split

_SQL: Final = Queries("browse.sql")

ENTRY_COLUMNS: Final = ("kind", "name", "size", "mtime_ns", "scan_phase", "content_hash", "problem")
"""The columns of ``entries``' rows; ``kind`` is ``directory`` or ``file``, ``content_hash`` is in hex."""

DIRECTORY_COLUMNS: Final = (
    *("id", "parent_id", "path", "state", "device", "inode", "birth_ns", "change_number", "listed_at", "last_scanned"),
    *("missing_since", "unseen", "problem_kind", "problem", "problem_since", "directories", "files", "bytes"),
)
"""The columns of ``directories_at``'s rows; the last three count what is directly in it."""

FILE_COLUMNS: Final = (
    *("id", "directory_id", "path", "state", "size", "mtime_ns", "ctime_ns", "device", "inode", "links"),
    *("scan_phase", "content_hash", "change_number", "created_at", "updated_at", "last_scanned", "missing_since"),
)
"""The columns of ``files_at``'s rows; ``content_hash`` is in hex."""


def entries(cursor: Cursor, repository_id: UUID, directory_id: int, after: str, most: int) -> list[dict[str, Any]]:
    """The next ``most`` present subdirectories and files of a directory after the name ``after``, in byte order."""
    values = {"repository": repository_id, "directory": directory_id, "after": after, "most": most}
    cursor.execute(_SQL.entries, values)
    return [dict(zip(ENTRY_COLUMNS, row, strict=True)) for row in cursor]


def directories_at(cursor: Cursor, repository_id: UUID, path: str, most: int) -> list[dict[str, Any]]:
    """Every row of a directory at ``path``: the one that is there now, then missing ones, the latest first."""
    cursor.execute(_SQL.directories_at, {"repository": repository_id, "path": path, "most": most})
    return [dict(zip(DIRECTORY_COLUMNS, row, strict=True)) for row in cursor]


def files_at(cursor: Cursor, repository_id: UUID, path: str, most: int) -> list[dict[str, Any]]:
    """Every row of a file at ``path``: the one that is there now, then missing ones, the latest first."""
    directory, name = split(path)
    values = {"repository": repository_id, "directory": directory, "name": name, "most": most}
    cursor.execute(_SQL.files_at, values)
    return [dict(zip(FILE_COLUMNS, row, strict=True)) for row in cursor]
