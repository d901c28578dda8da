"""Questions about files that are there more than once: duplicates, look-alikes and conflict copies."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import Any, Final

from censusd.catalogue import copies, files
from censusd.catalogue.connection import Cursor
from censusd.catalogue.copies import Copies
from censusd.catalogue.repositories import RepositoryRecord
from censusd.model import ROOT, FileState, join
from censusd.service.conflict_names import conflict_copy
from censusd.service.paths import relative_path
from censusd.service.reading import Reading
from censusd.service.refusals import BadRequestError

_WITHIN: Final = 55.0
_AT_ONCE: Final = 1000
_NAMES, _COPIES = "names", "copies"
_BEGINNING: Final = (0, "")


class CopiesReading:
    """Answers questions from the catalogue, page by page.

    Args:
        reading: the catalogue.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def duplicates(self, name: str | None, path: str | None, after: str | None, limit: int) -> dict[str, Any]:
        """Contents that more than one file has, those first that take most room.

        Args:
            name: the repository; None for all of them, compared with each other.
            path: only what is in this directory and below.
            after: ``next`` of the page before.
            limit: how many contents.
        """
        records = self._reading.records()
        wanted = list(records.values()) if name is None else [self._reading.record(name, records)]
        below = self._directory(wanted[0], path) if name is not None else ROOT
        position = _freed_and_hash(after) if after else None

        def ask(cursor: Cursor) -> tuple[copies.Duplicates, tuple[int, int]]:
            ids = [record.id for record in wanted]
            return copies.duplicates(cursor, ids, below, position, limit + 1), copies.unhashed(cursor, ids, below)

        found, (unhashed, unhashed_bytes) = self._reading.read(ask, _WITHIN)
        page = found.found[:limit]
        last = page[-1] if len(found.found) > limit else None
        return {
            "duplicates": [_duplicate(one) for one in page],
            "contents": found.contents,
            "freed": found.freed,
            "unhashed": unhashed,
            "unhashed_bytes": unhashed_bytes,
            "next": f"{last.freed}:{last.hash.hex()}" if last else None,
        }

    def conflicts(self, name: str | None, path: str | None, after: str | None) -> dict[str, Any]:
        """Names that are hard to tell from others beside them, then conflict copies, some at a time.

        Args:
            name: the repository; None for one after the other.
            path: only what is in this directory and below.
            after: ``next`` of the page before.
        """
        if name is None:
            return self._conflicts_of_all(after or "")
        return self._conflicts_of(self._reading.record(name), path, after)

    def _conflicts_of(self, record: RepositoryRecord, path: str | None, after: str | None) -> dict[str, Any]:
        below = self._directory(record, path)
        stage, position = _stage_and_position(after) if after else (_NAMES, _BEGINNING)
        ask = _look_alikes if stage == _NAMES else _conflict_copies
        found, last = self._reading.read(lambda cursor: ask(cursor, record, below, position), _WITHIN)
        if last is None and stage == _NAMES:
            stage, last = _COPIES, _BEGINNING
        return {
            "repository": record.name,
            "conflicts": found,
            "next": f"{stage}:{last[0]}:{last[1]}" if last is not None else None,
        }

    def _conflicts_of_all(self, after: str) -> dict[str, Any]:
        reached, separator, position = after.partition(":")
        if after and not separator:
            raise _not_right()
        records = self._reading.records()
        ahead = [name for name in sorted(records) if name >= reached]
        if not ahead:
            return {"repository": None, "conflicts": [], "next": None}
        page = self._conflicts_of(records[ahead[0]], None, position if ahead[0] == reached else None)
        if page["next"] is not None:
            return page | {"next": f"{ahead[0]}:{page['next']}"}
        return page | {"next": f"{ahead[1]}:" if len(ahead) > 1 else None}

    def _directory(self, record: RepositoryRecord, path: str | None) -> str:
        relative = relative_path(path or ROOT, record.root)
        found = self._reading.find(record, relative) if relative != ROOT else None
        if relative != ROOT and found is None:
            raise self._reading.nothing_at(record, relative)
        if found is not None and found.kind != "directory":
            raise BadRequestError(f"{relative} is a file", expected="a directory")
        return relative


_Page = tuple[list[dict[str, Any]], tuple[int, str] | None]


def _look_alikes(cursor: Cursor, record: RepositoryRecord, below: str, after: tuple[int, str]) -> _Page:
    rows = copies.look_alikes(cursor, record.id, below, after, _AT_ONCE)
    found = [
        {
            "repository": record.name,
            # What is the same once it is composed does not differ in case.
            "kind": "case" if len({unicodedata.normalize("NFC", name) for name in names}) > 1 else "normalisation",
            "directory": path,
            "names": names,
        }
        for _, _, path, names in rows
    ]
    return found, (rows[-1][0], rows[-1][1]) if len(rows) == _AT_ONCE else None


def _conflict_copies(cursor: Cursor, record: RepositoryRecord, below: str, after: tuple[int, str]) -> _Page:
    rows = copies.candidates(cursor, record.id, below, after, _AT_ONCE)
    said = [(directory, name, path, copy) for directory, name, path in rows if (copy := conflict_copy(name))]
    originals: defaultdict[int, set[str]] = defaultdict(set)
    for directory, _, _, copy in said:
        originals[directory].add(copy.original)
    there = {
        (directory, row[3])
        for directory, known in files.known_names(cursor, record.id, originals).items()
        for row in known
        if row[2] == FileState.PRESENT
    }
    found = [
        {
            "repository": record.name,
            "kind": "copy",
            "directory": path,
            "names": [name],
            "path": join(path, name),
            "program": copy.program,
            "original": copy.original if (directory, copy.original) in there else None,
        }
        for directory, name, path, copy in said
        if copy.is_certain or (directory, copy.original) in there
    ]
    return found, (rows[-1][0], rows[-1][1]) if len(rows) == _AT_ONCE else None


def _duplicate(one: Copies) -> dict[str, Any]:
    numbers: dict[str, int] = {}
    return {
        "content_hash": one.hash.hex(),
        "size": one.size,
        "names": one.names,
        "copies": one.copies,
        "freed": one.freed,
        "files": [
            {"repository": name, "path": path, "copy": numbers.setdefault(file, len(numbers) + 1)}
            for name, path, file in one.members
        ],
    }


def _not_right() -> BadRequestError:
    return BadRequestError("after is not right", expected="after: next of the page before")


def _freed_and_hash(text: str) -> tuple[int, bytes]:
    freed, _, made = text.partition(":")
    try:
        return int(freed), bytes.fromhex(made)
    except ValueError:
        raise _not_right() from None


def _stage_and_position(text: str) -> tuple[str, tuple[int, str]]:
    stage, _, rest = text.partition(":")
    number, _, name = rest.partition(":")
    if stage not in {_NAMES, _COPIES} or not number.isdecimal() or len(number) > 18:
        raise _not_right()
    return stage, (int(number), name)
