"""A deep scanner over a test's repository, and waiting for what it does."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from censusd.catalogue import deep_queue
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.deep_queue import ClaimedFile, Selection
from censusd.catalogue.metadata import EntityCache
from censusd.deepscan.idle import IdleRules
from censusd.deepscan.messages import Finding, Outcome
from censusd.deepscan.scanner import Scanner, ScanRules
from censusd.deepscan.sites import Result, SiteRules, Stretch
from censusd.deepscan.twins import Adopt
from censusd.deepscan.writer import Writer, Written
from censusd.filesystem.names import text_of
from censusd.model import OperationType, Places, Strategy, Trigger
from tests.tools.library import Library

DEADLINE = 60.0
"""Seconds after which a test stops waiting and fails."""

NEVER_BUSY = IdleRules(cpu_pressure=1000, io_pressure=1000, cpu_busy=1000, quiet=0)
"""A machine that runs tests is busy; whether that holds the deep scan back is a test of its own."""

NEVER_IDLE = IdleRules(hours=(), quiet=10**9)
"""Only what is asked for, and what has just changed."""

RULES = ScanRules(workers=2, memory=1 << 30, urgent_nice=0, idle_nice=0, idle=NEVER_BUSY)

HOSTILE = ("tests.tools.hostile:Obedient", "tests.tools.hostile:Poet")
OF_OBEDIENT = replace(RULES, families=HOSTILE)
"""Worker processes that do what files tell them to."""


def site(
    root: Path,
    name: str = "library",
    strategy: Strategy = Strategy.AUTO,
    *,
    first: Iterable[str] = (),
    **places: Iterable[str],
) -> SiteRules:
    """How a repository is scanned; ``places`` are lists of directories by the names of strategies."""
    named = tuple((path, Strategy[one.upper()]) for one, paths in places.items() for path in paths)
    return SiteRules(name, text_of(bytes(root)), Places(strategy, named), tuple(first))


@contextmanager
def scanning(
    catalogue: Catalogue,
    *sites: SiteRules,
    rules: ScanRules = RULES,
    worker: str = "",
    adopt: Adopt | None = None,
    is_gone: Callable[[str], bool] = lambda _: False,
) -> Iterator[Scanner]:
    """A scanner at work."""
    scanner = Scanner(catalogue, rules, sites, worker or f"test {uuid.uuid4()}", adopt=adopt, is_gone=is_gone)
    scanner.start()
    try:
        yield scanner
    finally:
        scanner.stop()
        assert scanner.join(DEADLINE)


def sha256(path: Path) -> str:
    """The content hash of a file, by other means."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hashes(library: Library) -> dict[str, str | None]:
    """Path -> content hash on record, of every present file."""
    return dict(library.query("SELECT file_path, content_hash FROM file_records"))


def waiting(library: Library) -> set[str]:
    """Which files wait to be looked at."""
    return {path for (path,) in library.query("SELECT file_path FROM file_records WHERE scan_phase = 0")}


# One batch, without worker processes ---------------------------------------------------------------------------------


def claim(
    library: Library, worker: str = "me", wanted: Selection | None = None, lease: float = 60
) -> list[ClaimedFile]:
    """Claim everything that can be claimed."""
    with library.repository.catalogue.transaction() as cursor:
        identity = library.repository.id
        return deep_queue.claim(cursor, identity, worker, wanted or Selection(), most=1000, lease=lease).files


def found(file: ClaimedFile, content: bytes = b"x", **more: Any) -> Result:
    """What a worker process says of a file."""
    return Result(file, Finding(1, Outcome.DONE, hash=hashlib.sha256(content).hexdigest(), **more))


def write(library: Library, results: list[Result], worker: str = "me") -> Written:
    """Write what was found."""
    writer = Writer(library.repository.catalogue, worker, EntityCache())
    return writer.write(library.repository.id, Stretch(OperationType.DEEP_SCAN, Trigger.IDLE, "test"), results)


def book(number: int) -> dict[str, Any]:
    """What an extractor says of a book by two authors of twenty, in a series, with two tags, one of them its own."""
    entities = [
        ("person", f"Author {number % 20}", "author", 0.0, f"{number % 20}, Author"),
        ("person", f"Author {(number + 1) % 20}", "author", 1.0, None),
        ("series", f"Series {number % 7}", "series", number / 10, None),
        ("tag", f"Tag {number % 3}", "subject", 0.0, None),
        ("tag", f"Tag own {number}", "subject", 1.0, None),
    ]
    return {
        "kind": "book",
        "mime_type": "application/epub+zip",
        "title": f"Book {number}",
        "pages": number,
        "created": "2024-05",
        "details": '{"publisher": "x"}',
        "entities": [list(entity) for entity in entities],
    }


class CountingCursor:
    """A cursor that counts what is executed."""

    def __init__(self, cursor: Cursor, count: Callable[[], None]) -> None:
        self._cursor = cursor
        self._count = count

    def execute(self, *arguments: Any) -> Any:
        """Execute and count."""
        self._count()
        return self._cursor.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class CountingCatalogue(Catalogue):
    """Counts statements, the beginning and the end of transactions included."""

    statements = 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A transaction whose statements are counted."""
        self._count()
        with super().transaction() as cursor:
            yield CountingCursor(cursor, self._count)
        self._count()

    def _count(self) -> None:
        self.statements += 1


def statements_of_batches(library: Library, conninfo: str) -> tuple[int, int, EntityCache]:
    """How many statements it takes to write a hundred books, and a hundred more of which much is known then."""
    for number in range(200):
        library.write(f"b{number}", str(number))
    library.reconcile()
    results = [
        found(file, file.name.encode(), extractor="book", version=3, metadata=book(number))
        for number, file in enumerate(claim(library))
    ]
    stretch = Stretch(OperationType.DEEP_SCAN, Trigger.IDLE, "test")
    with CountingCatalogue(conninfo) as catalogue:
        writer = Writer(catalogue, "me", EntityCache())
        assert writer.write(library.repository.id, stretch, results[:100]).files == 100
        first, catalogue.statements = catalogue.statements, 0
        assert writer.write(library.repository.id, stretch, results[100:]).files == 100
        return first, catalogue.statements, writer.cache
