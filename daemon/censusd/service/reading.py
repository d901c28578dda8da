"""What is on record, for people who ask: read within a bounded time, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from censusd.catalogue import browse, content, descriptions, directories, journal, rehash, repositories
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.repositories import RepositoryRecord
from censusd.config.words import suggestion
from censusd.errors import CatalogueUnavailableError
from censusd.model import ROOT, FileState, ScanPhase, split
from censusd.service.errands import Errands
from censusd.service.paths import catalogue_text, enclosing, relative_path
from censusd.service.refusals import BadRequestError, NotFoundError, refusing

T = TypeVar("T")

_MOST_AT_ONCE: Final = 4
_ANSWER_WITHIN: Final = 5.0
_MOST_ROWS_OF_A_PATH: Final = 20
_MOST_SUGGESTED: Final = 1000


class Found(NamedTuple):
    """What is at a path now: a ``directory`` or a ``file``, and its row."""

    kind: str
    id: int


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
            record = self.record(name)
            found = self.read(lambda cursor: journal.history(cursor, record.id, limit))
            rows = [{"repository": name} | row for row in found]
        return {"operations": [_plain(row) for row in rows]}

    def list_directory(self, name: str, path: str, after: str, limit: int) -> dict[str, Any]:
        """What is in a directory: ``limit`` subdirectories and files after the name ``after``, in byte order."""
        record = self.record(name)
        relative, after = relative_path(path, record.root), catalogue_text(after)

        def ask(cursor: Cursor) -> list[dict[str, Any]] | None:
            directory = directories.by_path(cursor, record.id, [relative]).get(relative)
            return browse.entries(cursor, record.id, directory.id, after, limit + 1) if directory else None

        rows = self.read(ask)
        if rows is None:
            if relative != ROOT and (found := self.find(record, relative)) and found.kind == "file":
                raise BadRequestError(f"{relative} is a file", expected="a directory", hint="ask for the file itself")
            raise self.nothing_at(record, relative)
        more = len(rows) > limit
        entries = [_plain(row) for row in rows[:limit]]
        return {
            "repository": name,
            "path": relative,
            "entries": entries,
            "next": entries[-1]["name"] if more else None,
        }

    def locate(self, path: str) -> dict[str, Any]:
        """Which repository an absolute path lies in, and where in it; whether there is anything is another question."""
        return self._locate(path, self.records())

    def show(self, name: str | None, path: str) -> dict[str, Any]:
        """All that is on record of one path: what is there now first, then what was there and is missing.

        Args:
            name: the repository; None to find it by an absolute path.
            path: a path in it.
        """
        records = self.records()
        if name is None:
            name = self._locate(path, records)["repository"]
        record = self.record(name, records)
        relative = relative_path(path, record.root)

        def ask(cursor: Cursor) -> list[dict[str, Any]]:
            most = _MOST_ROWS_OF_A_PATH
            found = [{"kind": "directory"} | row for row in browse.directories_at(cursor, record.id, relative, most)]
            if relative != ROOT:
                rows = browse.files_at(cursor, record.id, relative, most)
                found += [{"kind": "file"} | row | _content(cursor, record.id, row) for row in rows]
            return sorted(found, key=lambda row: row["state"] == FileState.MISSING)

        rows = self.read(ask)
        if not rows:
            raise self.nothing_at(record, relative)
        return {"repository": name, "root": record.root, "path": relative, "rows": [_plain(row) for row in rows]}

    def problems(self, name: str | None, limit: int) -> dict[str, Any]:
        """What cannot be read or described, or is corrupt, in one repository or all: at most ``limit`` of each kind."""
        records = self.records()
        wanted = list(records.values()) if name is None else [self.record(name, records)]

        def ask(cursor: Cursor) -> dict[str, Any]:
            columns = ("repository", "path", "kind", "problem", "since", "listed_at")
            found: dict[str, list[dict[str, Any]]] = {"problems": [], "files": [], "pictures": [], "corrupt": []}
            for record in wanted:
                for row in directories.problems(cursor, record.id, limit):
                    found["problems"].append(_plain(dict(zip(columns, (record.name, *row), strict=True))))
                for failure in content.failures(cursor, record.id, limit):
                    found["files"].append(_plain({"repository": record.name} | failure))
                for damage in rehash.corrupt(cursor, record.id, limit):
                    found["corrupt"].append(_plain({"repository": record.name} | damage))
                for failure in descriptions.failures(cursor, record.id, limit):
                    found["pictures"].append(_plain({"repository": record.name} | failure))
            return found

        return self.read(ask)

    def find(self, record: RepositoryRecord, path: str) -> Found | None:
        """The present directory or file that is on record at a relative path."""

        def ask(cursor: Cursor) -> Found | None:
            directory = directories.by_path(cursor, record.id, [path]).get(path)
            if directory is not None:
                return Found("directory", directory.id)
            rows = browse.files_at(cursor, record.id, path, 1) if path != ROOT else []
            return Found("file", rows[0]["id"]) if rows and rows[0]["state"] == FileState.PRESENT else None

        return self.read(ask)

    def nothing_at(self, record: RepositoryRecord, path: str) -> NotFoundError:
        """What to say of a path at which there is nothing, or nothing any more: what there is beside it."""

        def ask(cursor: Cursor) -> tuple[list[dict[str, Any]], str, list[str]]:
            gone = browse.files_at(cursor, record.id, path, 1) or browse.directories_at(cursor, record.id, path, 1)
            parent, known = path, None
            while known is None and parent != ROOT:
                parent, _ = split(parent)
                known = directories.by_path(cursor, record.id, [parent]).get(parent)
            rows = browse.entries(cursor, record.id, known.id, "", _MOST_SUGGESTED) if known else []
            return gone, parent, [row["name"] for row in rows]

        gone, parent, names = self.read(ask)
        if gone and gone[0]["state"] != FileState.PRESENT:
            state = FileState(gone[0]["state"]).name.lower()
            return NotFoundError(f"{record.name} has nothing at {path} any more: it is {state}")
        wrong = path[len(parent) :].strip("/").partition("/")[0]
        like = suggestion(wrong, names)
        place = f"{record.name}:{parent}" if parent else record.name
        return NotFoundError(
            f"{record.name} has nothing on record at {path or '/'}{like}",
            hint="" if like else f"censusctl ls {place} lists what there is",
        )

    @staticmethod
    def _locate(path: str, records: dict[str, RepositoryRecord]) -> dict[str, Any]:
        if not path.startswith("/"):
            raise BadRequestError("which repository is meant?", expected="an absolute path, or a repository too")
        name = enclosing(path, ((record.name, record.root) for record in records.values()))
        if name is None:
            raise NotFoundError(
                f"no repository has this path: {path}",
                hint="REPO:PATH names a path in a repository, and REPO: its root; censusctl status lists them",
            )
        root = records[name].root
        return {"repository": name, "root": root, "path": relative_path(path, root)}

    def record(self, name: str, records: dict[str, RepositoryRecord] | None = None) -> RepositoryRecord:
        """A repository's row.

        Raises:
            NotFoundError: there is none by that name.
        """
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


def _content(cursor: Cursor, repository_id: UUID, row: dict[str, Any]) -> dict[str, Any]:
    """What is known of a file's content, or became of looking at it; for the row of a file."""
    found = content.of_file(cursor, repository_id, row["id"])
    relations = content.relations_of_file(cursor, repository_id, row["id"])
    attempt = content.attempt(cursor, repository_id, row["id"])
    corrupt = rehash.corrupt_file(cursor, repository_id, row["id"])
    return {
        "content": _plain(found) | {"relations": relations} if found else None,
        "attempt": _plain(attempt) if attempt else None,
        "corruption": _plain(corrupt) if corrupt else None,
        "descriptions": [_plain(one) for one in descriptions.of_file(cursor, repository_id, row["id"])],
    }


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
