"""What is on record, for people who ask: read within a bounded time, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from censusd.catalogue import browse, directories, journal, repositories
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.repositories import RepositoryRecord
from censusd.config.words import suggestion
from censusd.errors import CatalogueUnavailableError
from censusd.model import ROOT, FileState, ScanPhase
from censusd.service.errands import Errands
from censusd.service.paths import catalogue_text, enclosing, relative_path
from censusd.service.refusals import BadRequestError, NotFoundError, refusing

T = TypeVar("T")

_MOST_AT_ONCE: Final = 4
_ANSWER_WITHIN: Final = 5.0
_MOST_ROWS_OF_A_PATH: Final = 20


class Reading:
    """Answers questions from the catalogue.

    Args:
        catalogue: the database.
        configured: the names of the repositories that this daemon looks after.
    """

    def __init__(self, catalogue: Catalogue, configured: Callable[[], list[str]]) -> None:
        self._catalogue = catalogue
        self._configured = configured
        self._errands = Errands("the database", _MOST_AT_ONCE)

    def read(self, ask: Callable[[Cursor], T], timeout: float = _ANSWER_WITHIN) -> T:
        """What ``ask`` finds in a transaction of its own.

        Raises:
            RefusedError: the database refused, is away, or does not answer within ``timeout`` seconds.
        """

        def errand() -> T:
            with self._catalogue.transaction() as cursor:
                return ask(cursor)

        with refusing():
            try:
                return self._errands.run(errand, timeout)
            except TimeoutError as error:
                raise CatalogueUnavailableError(f"the database did not answer within {timeout:g} s") from error

    def records(self, timeout: float = _ANSWER_WITHIN) -> dict[str, RepositoryRecord]:
        """Every repository's row, by name."""
        return self.read(repositories.all_records, timeout)

    def history(self, name: str | None, limit: int) -> dict[str, Any]:
        """The newest ``limit`` settled pieces of work, of one repository or of all."""
        if name is None:
            rows = self.read(lambda cursor: journal.recent(cursor, limit))
        else:
            record = self._record(name)
            found = self.read(lambda cursor: journal.history(cursor, record.id, limit))
            rows = [{"repository": name} | row for row in found]
        return {"operations": [_plain(row) for row in rows]}

    def list_directory(self, name: str, path: str, after: str, limit: int) -> dict[str, Any]:
        """What is in a directory: ``limit`` subdirectories and files after the name ``after``, in byte order."""
        record = self._record(name)
        relative, after = relative_path(path, record.root), catalogue_text(after)

        def ask(cursor: Cursor) -> list[dict[str, Any]] | None:
            directory = directories.by_path(cursor, record.id, [relative]).get(relative)
            return browse.entries(cursor, record.id, directory.id, after, limit + 1) if directory else None

        rows = self.read(ask)
        if rows is None:
            if relative != ROOT and self.kind_of(record, relative) == "file":
                raise BadRequestError(f"{relative} is a file", expected="a directory", hint="ask for the file itself")
            raise NotFoundError(f"{name} has no directory {relative or '/'} on record")
        more = len(rows) > limit
        entries = [_plain(row) for row in rows[:limit]]
        return {
            "repository": name,
            "path": relative,
            "entries": entries,
            "next": entries[-1]["name"] if more else None,
        }

    def show(self, name: str | None, path: str) -> dict[str, Any]:
        """All that is on record of one path: what is there now first, then what was there and is missing.

        Args:
            name: the repository; None to find it by an absolute path.
            path: a path in it.
        """
        records = self.records()
        if name is None:
            if not path.startswith("/"):
                raise BadRequestError("which repository is meant?", expected="an absolute path, or a repository too")
            name = enclosing(path, ((record.name, record.root) for record in records.values()))
            if name is None:
                raise NotFoundError("no repository has this path", hint="censusctl status lists them")
        record = self._record(name, records)
        relative = relative_path(path, record.root)

        def ask(cursor: Cursor) -> list[dict[str, Any]]:
            most = _MOST_ROWS_OF_A_PATH
            found = [{"kind": "directory"} | row for row in browse.directories_at(cursor, record.id, relative, most)]
            if relative != ROOT:
                found += [{"kind": "file"} | row for row in browse.files_at(cursor, record.id, relative, most)]
            return sorted(found, key=lambda row: row["state"] == FileState.MISSING)

        rows = self.read(ask)
        if not rows:
            raise NotFoundError(f"{name} has nothing on record at {relative or '/'}")
        return {"repository": name, "root": record.root, "path": relative, "rows": [_plain(row) for row in rows]}

    def problems(self, name: str | None, limit: int) -> dict[str, Any]:
        """Directories that cannot be read, of one repository or of all: at most ``limit`` of each."""
        records = self.records()
        wanted = list(records.values()) if name is None else [self._record(name, records)]

        def ask(cursor: Cursor) -> list[dict[str, Any]]:
            columns = ("repository", "path", "kind", "problem", "since", "listed_at")
            return [
                dict(zip(columns, (record.name, *row), strict=True))
                for record in wanted
                for row in directories.problems(cursor, record.id, limit)
            ]

        return {"problems": [_plain(row) for row in self.read(ask)]}

    def kind_of(self, record: RepositoryRecord, path: str) -> str | None:
        """Whether a present ``directory`` or ``file`` is on record at a relative path; None if neither is."""

        def ask(cursor: Cursor) -> str | None:
            if directories.by_path(cursor, record.id, [path]):
                return "directory"
            rows = browse.files_at(cursor, record.id, path, 1)
            return "file" if rows and rows[0]["state"] == FileState.PRESENT else None

        return self.read(ask)

    def _record(self, name: str, records: dict[str, RepositoryRecord] | None = None) -> RepositoryRecord:
        records = self.records() if records is None else records
        if name not in records:
            raise self.unknown(name, records)
        return records[name]

    def unknown(self, name: str, records: dict[str, RepositoryRecord]) -> NotFoundError:
        """What to say of a repository that does not exist."""
        configured = self._configured()
        if name in configured:
            return NotFoundError(f"{name} is not on record yet", hint="it is once its root was seen")
        known = sorted({*records, *configured})
        return NotFoundError(
            f"there is no repository {name}{suggestion(name, known)}",
            expected=f"one of {', '.join(known)}" if known else "there are no repositories",
        )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with times, states and phases as people read them."""
    plain: dict[str, Any] = {}
    for column, value in row.items():
        if isinstance(value, datetime):
            plain[column] = value.isoformat()
        elif column == "state":
            plain[column] = FileState(value).name.lower()
        elif column == "scan_phase" and value is not None:
            plain[column] = ScanPhase(value).name.lower()
        else:
            plain[column] = value
        if column.endswith("_ns") and value is not None:
            plain[column.removesuffix("_ns")] = _moment(value)
    return plain


def _moment(nanoseconds: int) -> str | None:
    """A time from the disk in ISO 8601; None for one that no calendar has, such as in the year 300,000."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None
