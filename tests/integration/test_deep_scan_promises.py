"""What the deep scan promises: nothing wrong is ever stored, nothing is lost, nothing is done twice for good."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from censusd.catalogue import deep_queue
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.deep_queue import ClaimedFile, Selection
from censusd.catalogue.metadata import EntityCache
from censusd.deepscan.messages import Finding, Outcome
from censusd.deepscan.sites import Result, Stretch
from censusd.deepscan.writer import Writer
from censusd.model import Trigger
from tests.tools.library import Library
from tests.tools.scanning import NEVER_IDLE, RULES, scanning, sha256, site, wait_until

HOSTILE = ("tests.tools.hostile:Obedient", "tests.tools.hostile:Poet")
OF_OBEDIENT = replace(RULES, families=HOSTILE)


def hashes(library: Library) -> dict[str, str | None]:
    """Path -> content hash on record, of every present file."""
    return dict(library.query("SELECT file_path, content_hash FROM file_records"))


def waiting(library: Library) -> set[str]:
    """Which files wait to be looked at."""
    return {path for (path,) in library.query("SELECT file_path FROM file_records WHERE scan_phase = 0")}


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


def write(library: Library, results: list[Result], worker: str = "me") -> Any:
    """Write what was found."""
    writer = Writer(library.repository.catalogue, worker, EntityCache())
    return writer.write(library.repository.id, Stretch(Trigger.IDLE, "test"), results)


# Compare and set -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["content", "same stat", "removed", "moved"])
def test_what_has_changed_meanwhile_is_not_overwritten(library: Library, change: str) -> None:
    library.write("d/file", "first")
    library.reconcile()
    (file,) = claim(library)
    if change == "content":
        library.write("d/file", "second, longer")
    elif change == "removed":
        (library.root / "d/file").unlink()
    elif change == "moved":
        (library.root / "d/file").rename(library.root / "d/elsewhere")
    library.names("d", "file", "elsewhere", written=change == "same stat")
    written = write(library, [found(file, b"first")])
    assert (written.files, written.overtaken) == (0, 1)
    assert library.query("SELECT content_hash, scan_phase FROM files") == [(None, 0)]
    # And it can be claimed again at once.
    assert len(claim(library, "another")) == (0 if change == "removed" else 1)


def test_a_second_store_into_a_mapped_page_is_found(library: Library) -> None:
    """CLOSE_WRITE with an equal stat: the hash on record stays, as that of a whole version, until it is made anew."""
    path = library.write("file", "first")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root)):
        wait_until(lambda: not waiting(library))
    first = hashes(library)["file"]
    stat = path.stat()
    with path.open("r+") as file:
        file.write("FIRST")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # As if the kernel had left the change time alone as well.
    library.query("UPDATE files SET ctime_ns = %s", path.stat().st_ctime_ns)
    library.names("", "file", written=True)
    assert library.query("SELECT encode(content_hash, 'hex'), scan_phase FROM files") == [(first, 0)]
    with scanning(library.repository.catalogue, site(library.root)):
        wait_until(lambda: not waiting(library))
    assert hashes(library)["file"] == sha256(path) != first


def test_a_file_that_is_written_to_all_the_time_gets_no_hash_and_is_left_alone_more_and_more(library: Library) -> None:
    path = library.write("log", "x" * 100)
    library.write("quiet")
    library.reconcile()
    path.write_text("y" * 200)  # nobody has told the catalogue
    with scanning(library.repository.catalogue, site(library.root)):
        wait_until(lambda: waiting(library) == {"log"})
        wait_until(lambda: library.query("SELECT put_off >= 1, attempts FROM deep_scan_claims") == [(True, 0)])
    assert hashes(library)["log"] is None
    library.query("UPDATE deep_scan_claims SET put_off = 10")
    with library.repository.catalogue.transaction() as cursor:
        deep_queue.put_off(cursor, library.repository.id, "me", {})
    assert claim(library) == []
    # What is new of it is looked at all the same, unless it changes all the time.
    library.query("UPDATE deep_scan_claims SET put_off = 2, retry_at = now() + interval '1 hour'")
    library.reconcile()
    assert [file.name for file in claim(library)] == ["log"]


# Failures ------------------------------------------------------------------------------------------------------------


def test_three_failures_are_quarantine_until_it_changes_or_somebody_says_retry(library: Library) -> None:
    library.write("d/killer", "!segfault()")
    library.write("fine")
    library.reconcile()
    catalogue = library.repository.catalogue

    def state() -> list[tuple[Any, ...]]:
        return library.query("SELECT attempts, quarantined_at IS NOT NULL, last_error FROM deep_scan_claims")

    def no_waiting() -> None:
        library.query("UPDATE deep_scan_claims SET retry_at = now() WHERE retry_at > now()")

    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT) as scanner:
        for attempt in (1, 2, 3):
            wait_until(lambda: [row[:2] for row in state()] == [(attempt, attempt == 3)])  # noqa: B023
            assert "signal 11" in state()[0][2]
            no_waiting()
            scanner.look_again()
        assert library.query("SELECT file_path, attempts, last_error FROM quarantined_files") == [
            ("d/killer", 3, "it was ended by signal 11")
        ]
        wait_until(lambda: hashes(library)["fine"] is not None)
        assert waiting(library) == {"d/killer"}
        # It is not tried again by itself, whatever else happens.
        library.write("more")
        library.reconcile()
        wait_until(lambda: waiting(library) == {"d/killer"})
        assert [row[:2] for row in state()] == [(3, True)]
        # Somebody says so: it gets three more.
        with catalogue.transaction() as cursor:
            assert deep_queue.retry(cursor, library.repository.id, "elsewhere") == 0
            assert deep_queue.retry(cursor, library.repository.id, "d/killer") == 1
        scanner.look_again()
        wait_until(lambda: [row[:2] for row in state()] == [(1, False)])
        # Its content is another: what was before does not matter.
        library.query("UPDATE deep_scan_claims SET attempts = 3, quarantined_at = now()")
        library.write("d/killer", "!'tamed now'")
        library.reconcile()
        wait_until(lambda: not waiting(library))
    assert state() == []


def test_a_directory_retry_takes_all_that_is_below(library: Library) -> None:
    for path in ("a/one", "a/b/two", "ab/three", "four"):
        library.write(path, path)
    library.reconcile()
    files = claim(library)
    with library.repository.catalogue.transaction() as cursor:
        deep_queue.fail(cursor, library.repository.id, "me", {file.id: "test" for file in files})
        assert deep_queue.retry(cursor, library.repository.id, "a") == 2
        assert deep_queue.retry(cursor, library.repository.id, "") == 2
    assert len(claim(library)) == 4


def test_a_file_that_cannot_be_read_is_said(library: Library) -> None:
    library.write("file")
    library.reconcile()
    (file,) = claim(library)
    problem = ("permission", "Permission denied (EACCES)")
    written = write(library, [Result(file, Finding(1, Outcome.FAILED, problem=problem))])
    assert written.failed == {file.id: problem[1]}
    assert library.query("SELECT attempts, last_error, worker FROM deep_scan_claims") == [(1, problem[1], None)]
    assert claim(library) == []


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "no hash"},
        {"hash": 5},
        {"extractor": "x", "metadata": ["a", "list"]},
        {"extractor": "x", "metadata": {"entities": {"a": 1}}},
        {"extractor": "x", "metadata": {"entities": [[1, 2]]}},
    ],
)
def test_nonsense_is_not_believed(library: Library, change: dict[str, Any]) -> None:
    library.write("file")
    library.reconcile()
    (file,) = claim(library)
    result = found(file)
    assert result.finding is not None
    written = write(library, [Result(file, result.finding._replace(**change))])
    assert "nonsense" in written.failed[file.id]
    assert waiting(library) == {"file"}


def test_one_bad_file_does_not_spoil_a_batch(library: Library) -> None:
    for number in range(50):
        library.write(f"f{number}", str(number))
    library.reconcile()
    files = claim(library)
    results = [found(file, file.name.encode(), extractor="x", metadata={"kind": "book"}) for file in files]
    bad = {7, 8, 31}
    for number in bad:
        finding = results[number].finding
        assert finding is not None
        # Valid JSON that PostgreSQL refuses, and no JSON at all.
        details = '{"a": "\\u0000"}' if number == 7 else "{"
        results[number] = Result(files[number], finding._replace(metadata={"kind": "book", "details": details}))
    written = write(library, results)
    assert written.files == 47
    assert set(written.failed) == {files[number].id for number in bad}
    assert waiting(library) == {files[number].name for number in bad}
    assert library.query("SELECT count(*) FROM file_metadata WHERE kind = 'book'") == [(47,)]
    assert library.query("SELECT count(*), min(attempts) FROM deep_scan_claims") == [(3, 1)]
    # Every transaction that held has its part in the journal.
    assert library.query("SELECT sum(files_scanned), sum(problems) FROM sync_operations WHERE trigger = 'idle'") == [
        (47, 3)
    ]


# Metadata ------------------------------------------------------------------------------------------------------------


def metadata_of(number: int) -> dict[str, Any]:
    """A book by two authors of twenty, in a series, with two tags."""
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
        self._count()
        with super().transaction() as cursor:
            yield CountingCursor(cursor, self._count)
        self._count()

    def _count(self) -> None:
        self.statements += 1


def test_a_batch_of_a_hundred_books_takes_a_dozen_statements(library: Library, database: str) -> None:
    for number in range(200):
        library.write(f"b{number}", str(number))
    library.reconcile()
    files = claim(library)
    results = [
        found(file, file.name.encode(), extractor="book", version=3, metadata=metadata_of(number))
        for number, file in enumerate(files)
    ]
    with CountingCatalogue(database) as catalogue:
        writer = Writer(catalogue, "me", EntityCache())
        stretch = Stretch(Trigger.IDLE, "test")
        assert writer.write(library.repository.id, stretch, results[:100]).files == 100
        first, catalogue.statements = catalogue.statements, 0
        assert writer.write(library.repository.id, stretch, results[100:]).files == 100
        second = catalogue.statements
    assert first <= 12
    assert second <= 12
    assert (writer.cache.misses, len(writer.cache)) == (20 + 7 + 3 + 200, 20 + 7 + 3 + 200)
    assert writer.cache.hits == 20 + 7 + 3
    assert library.query("SELECT count(*) FROM file_entities") == [(1000,)]
    assert library.query("SELECT count(*) FROM entities") == [(230,)]
    assert library.query(
        "SELECT title, pages, created, content_created_at::text, details->>'publisher' FROM file_details"
        " WHERE title = 'Book 42'"
    ) == [("Book 42", 42, "2024-05", "2024-05-01 00:00:00+00", "x")]
    assert library.query(
        "SELECT r.kind, r.name, r.role, r.position FROM file_relations r JOIN file_details d USING (file_id)"
        " WHERE d.title = 'Book 42' ORDER BY 1, 4"
    ) == [
        ("person", "Author 2", "author", 0.0),
        ("person", "Author 3", "author", 1.0),
        ("series", "Series 0", "series", 4.2),
        ("tag", "Tag 0", "subject", 0.0),
        ("tag", "Tag own 42", "subject", 1.0),
    ]


def test_two_writers_of_the_same_names_do_not_block_each_other_for_good(library: Library) -> None:
    for number in range(400):
        library.write(f"b{number}", str(number))
    library.reconcile()
    files = claim(library)
    results = [
        found(file, file.name.encode(), extractor="book", metadata=metadata_of(number))
        for number, file in enumerate(files)
    ]
    written: list[int] = []

    def half(part: list[Result]) -> None:
        written.extend(write(library, part[start : start + 20]).files for start in range(0, len(part), 20))

    threads = [threading.Thread(target=half, args=(part,)) for part in (results[::2], results[1::2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(written) == 400
    assert library.query("SELECT count(*) FROM entities") == [(20 + 7 + 3 + 400,)]


def test_metadata_is_that_of_the_present_content(library: Library) -> None:
    library.write("poem", "poem\nOne\nAnn\nBob\nAnn")
    library.write("other", "!1 / 0")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=OF_OBEDIENT):
        wait_until(lambda: not waiting(library))
        assert library.query("SELECT name, position FROM file_relations ORDER BY 2") == [("Ann", 0), ("Bob", 1)]
        assert library.query("SELECT file_path, title, content_problem FROM file_details ORDER BY 1") == [
            ("other", None, "obedient: ZeroDivisionError: division by zero"),
            ("poem", "One", None),
        ]
        library.write("poem", "poem\nTwo\nCleo")
        library.write("other", "no poem at all")
        library.reconcile()
        wait_until(lambda: not waiting(library))
        assert library.query("SELECT name FROM file_relations") == [("Cleo",)]
        assert library.query("SELECT title, extractor FROM file_details ORDER BY 1") == [("Two", "poet"), (None, None)]
        (library.root / "poem").unlink()
        library.reconcile()
        library.query("DELETE FROM files WHERE state = 1")
    assert library.query("SELECT count(*) FROM file_metadata") == [(0,)]
    assert library.query("SELECT count(*) FROM file_entities") == [(0,)]


# Several workers -----------------------------------------------------------------------------------------------------


def test_two_scanners_share_the_work(library: Library) -> None:
    for number in range(300):
        library.write(f"d{number % 5}/f{number}", f"{number}")
    library.reconcile()
    with (
        scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, batch=10)),
        scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, batch=10)),
    ):
        wait_until(lambda: not waiting(library))
    assert hashes(library) == {path: sha256(library.root / path) for path in hashes(library)}
    # Each file was written once, whoever wrote it.
    assert library.query("SELECT sum(files_scanned), sum(problems) FROM sync_operations WHERE trigger = 'idle'") == [
        (300, 0)
    ]
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]


def test_nobody_gets_what_another_has(library: Library) -> None:
    for number in range(500):
        library.write(f"f{number}")
    library.reconcile()
    got: list[int] = []
    lock = threading.Lock()

    def take(worker: str) -> None:
        while True:
            with library.repository.catalogue.transaction() as cursor:
                identity = library.repository.id
                claim = deep_queue.claim(cursor, identity, worker, Selection(), most=7, lease=60)
            with lock:
                got.extend(file.id for file in claim.files)
            if not claim.more:
                return

    threads = [threading.Thread(target=take, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twice = [number for number, count in Counter(got).items() if count > 1]
    assert not twice
    # What was locked in the very moment that somebody looked is left for the next look.
    assert len(got) + len(claim(library)) == 500


def test_a_lease_that_ran_out_is_an_attempt_and_whoever_comes_late_overwrites_nothing(library: Library) -> None:
    library.write("file")
    library.reconcile()
    (file,) = claim(library, "dead")
    assert claim(library, "other") == []
    with library.repository.catalogue.transaction() as cursor:
        assert deep_queue.workers(cursor) == ["dead"]
        assert deep_queue.expire(cursor, ["dead"]) == 1
    (again,) = claim(library, "other")
    assert (again.id, again.attempts) == (file.id, 1)
    # The first was not dead after all: what it has found is right, and the other's is not needed any more.
    assert write(library, [found(file)], "dead").files == 1
    assert write(library, [found(again)], "other").overtaken == 1
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]


_SCANNER = """
import sys
from censusd.catalogue.connection import Catalogue
from tests.tools.scanning import RULES, site
from censusd.deepscan.scanner import Scanner
from dataclasses import replace
from pathlib import Path
dsn, root, name = sys.argv[1:]
with Catalogue(dsn) as catalogue:
    scanner = Scanner(catalogue, replace(RULES, batch=5), [site(Path(root))], name)
    scanner.start()
    scanner.join()
"""


def test_kill_9_of_a_whole_scanner_loses_nothing(library: Library, database: str) -> None:
    for number in range(400):
        library.write(f"d{number % 5}/f{number}", f"{number}" * 50)
    library.reconcile()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for round_ in range(3):
        before = len(waiting(library))
        command = [sys.executable, "-B", "-c", _SCANNER, database, str(library.root), f"killed {round_}"]
        process = subprocess.Popen(command, env=environment)
        wait_until(lambda: len(waiting(library)) < before - 20)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert waiting(library)
    ((left,),) = library.query("SELECT count(*) FROM deep_scan_claims WHERE lease_expires_at > now()")
    catalogue = library.repository.catalogue
    with scanning(catalogue, site(library.root)) as scanner:
        scanner._is_gone = lambda name: name.startswith("killed")
        scanner._introduced = False
        wait_until(lambda: not waiting(library))
    assert hashes(library) == {path: sha256(library.root / path) for path in hashes(library)}
    assert library.query("SELECT sum(files_scanned) FROM sync_operations WHERE trigger = 'idle'") == [(400,)]
    assert left < 100


def test_stopping_is_prompt_inside_a_large_file_and_lets_go(library: Library) -> None:
    with (library.root / "large").open("wb") as file:
        file.truncate(1 << 40)
    library.write("small")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, workers=1)):
        wait_until(lambda: waiting(library) == {"large"})
        wait_until(lambda: bool(library.query("SELECT worker FROM deep_scan_claims WHERE worker IS NOT NULL")))
    assert library.query("SELECT worker, attempts FROM deep_scan_claims") == [(None, 0)]


# Upgrades ------------------------------------------------------------------------------------------------------------


def test_a_newer_extractor_looks_again_only_at_what_it_handles(library: Library) -> None:
    library.write("said", "!1")
    library.write("poem", "poem\nOne\nAnn")
    library.write("plain")
    library.reconcile()
    catalogue = library.repository.catalogue

    def versions() -> list[tuple[Any, ...]]:
        return library.query(
            "SELECT file_path, extractor_version, content_hash IS NOT NULL FROM file_details ORDER BY 1"
        )

    def rows() -> dict[str, Any]:
        return dict(library.query("SELECT file_path, change_number FROM file_records"))

    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT):
        wait_until(lambda: not waiting(library))
    assert versions() == [("plain", None, True), ("poem", 1, True), ("said", 1, True)]
    before = rows()
    # A restart does nothing.
    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT) as scanner:
        wait_until(lambda: scanner._sites["library"].is_current)
    assert rows() == before
    newer = replace(RULES, families=("tests.tools.hostile:Newer", "tests.tools.hostile:Poet"))
    read = library.query("SELECT sum(bytes_hashed) FROM sync_operations")
    with scanning(catalogue, site(library.root), rules=newer) as scanner:
        wait_until(lambda: scanner._sites["library"].is_current)
        wait_until(lambda: not waiting(library))
    assert versions() == [("plain", None, True), ("poem", 1, True), ("said", 2, True)]
    assert {path for path, change in rows().items() if change != before[path]} == {"said"}
    # Its content was not hashed again for that.
    assert library.query("SELECT sum(bytes_hashed) FROM sync_operations") == read


def test_a_new_extractor_is_offered_what_no_other_took(library: Library) -> None:
    library.write("poem", "poem\nOne\nAnn")
    library.write("said", "!1")
    library.reconcile()
    catalogue = library.repository.catalogue
    with scanning(catalogue, site(library.root), rules=replace(RULES, families=HOSTILE[:1])):
        wait_until(lambda: not waiting(library))
    said = library.query("SELECT change_number FROM file_records WHERE file_path = 'said'")
    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT) as scanner:
        wait_until(lambda: scanner._sites["library"].is_current)
        wait_until(lambda: not waiting(library))
    assert library.query("SELECT file_path, extractor FROM file_details ORDER BY 1") == [
        ("poem", "poet"),
        ("said", "obedient"),
    ]
    assert library.query("SELECT change_number FROM file_records WHERE file_path = 'said'") == said


def test_hashing_that_is_switched_on_later(library: Library) -> None:
    library.write("poem", "poem\nOne\nAnn")
    library.reconcile()
    catalogue = library.repository.catalogue
    with scanning(catalogue, site(library.root), rules=replace(OF_OBEDIENT, hashing=False)):
        wait_until(lambda: not waiting(library))
    assert library.query("SELECT title, content_hash FROM file_details") == [("One", None)]
    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT):
        wait_until(lambda: hashes(library)["poem"] is not None)
    assert hashes(library)["poem"] == sha256(library.root / "poem")


# What is looked at, and in which order -------------------------------------------------------------------------------


def test_never_on_demand_and_first(library: Library) -> None:
    for path in ("raw/a", "raw/b/c", "big/d", "e", "inbox/f"):
        library.write(path, path)
    library.reconcile()
    rules: Callable[..., Any] = lambda: site(library.root, never=("raw",), on_demand=("big",), first=("inbox",))  # noqa: E731
    catalogue = library.repository.catalogue
    with scanning(catalogue, rules(), rules=replace(RULES, workers=1, batch=1)) as scanner:
        wait_until(lambda: waiting(library) == {"raw/a", "raw/b/c", "big/d"})
        scanner.demand("library", "").wait(60)
        assert waiting(library) == {"raw/a", "raw/b/c"}
    changes = dict(library.query("SELECT file_path, change_number FROM file_records"))
    assert changes["inbox/f"] < changes["e"] < changes["big/d"]


def test_the_last_changes_come_first(library: Library) -> None:
    for path in ("a", "b", "c", "d"):
        library.write(path, path)
        library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, workers=1, batch=1)):
        wait_until(lambda: not waiting(library))
    changes = dict(library.query("SELECT file_path, change_number FROM file_records"))
    assert sorted(changes, key=lambda path: changes[path]) == ["d", "c", "b", "a"]


def test_a_burst_becomes_backlog(library: Library) -> None:
    library.reconcile()
    rules = replace(RULES, idle=NEVER_IDLE, batch=10)
    with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
        wait_until(lambda: scanner._sites["library"].is_begun)
        for number in range(100):
            library.write(f"f{number}", str(number))
        library.reconcile()
        wait_until(lambda: len(waiting(library)) <= 90)
        library.write("last", "x")
        library.reconcile()
        wait_until(lambda: "last" not in waiting(library))
        assert len(waiting(library)) >= 80


def test_only_on_demand(library: Library) -> None:
    library.write("file")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root, automatic=False)) as scanner:
        library.write("new")
        library.reconcile()
        demand = scanner.demand("library", "file")
        demand.wait(60)
        assert waiting(library) == {"new"}
        with pytest.raises(Exception, match="nothing on record at no/such"):
            scanner.demand("library", "no/such").wait(60)
        with pytest.raises(Exception, match="not on record"):
            scanner.demand("other", "").wait(60)


def test_a_root_that_is_gone_costs_nobody_an_attempt(library: Library) -> None:
    for number in range(30):
        library.write(f"f{number}")
    library.reconcile()
    root = library.root
    root.rename(root.parent / "away")
    root.mkdir()
    with scanning(library.repository.catalogue, site(root)) as scanner:
        wait_until(lambda: scanner._sites["library"].rest_until > 0)
        wait_until(lambda: not library.query("SELECT worker FROM deep_scan_claims WHERE worker IS NOT NULL"))
    assert len(waiting(library)) == 30
    assert library.query("SELECT max(attempts), max(put_off) FROM deep_scan_claims") == [(0, 0)]
    root.rmdir()
    (root.parent / "away").rename(root)
    with scanning(library.repository.catalogue, site(root)):
        wait_until(lambda: not waiting(library))


def test_other_rules_take_effect_without_a_restart(library: Library, make_library: Callable[..., Library]) -> None:
    other = make_library(library.root.parent / "other", "other")
    for one in (library, other):
        one.write("file", one.root.name)
        one.reconcile()
    held = replace(RULES, idle=NEVER_IDLE)
    with scanning(library.repository.catalogue, site(library.root), rules=held) as scanner:
        wait_until(lambda: str(scanner.condition) == "changes")
        scanner.reconfigure(RULES, [site(library.root), site(other.root, "other")])
        wait_until(lambda: not waiting(library))
        scanner.reconfigure(RULES, [site(library.root)])
        library.write("again")
        library.reconcile()
        wait_until(lambda: not waiting(library))


def test_the_database_may_be_away_for_a_while(library: Library, database: str) -> None:
    for number in range(200):
        library.write(f"f{number}", str(number))
    library.reconcile()
    with Catalogue(database) as catalogue, scanning(catalogue, site(library.root), rules=replace(RULES, batch=5)):
        wait_until(lambda: len(waiting(library)) < 190)
        for _ in range(5):
            library.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
        wait_until(lambda: not waiting(library))
    assert hashes(library) == {path: sha256(library.root / path) for path in hashes(library)}
    assert library.query("SELECT max(attempts) FROM deep_scan_claims") == [(None,)]
