"""What the deep scan promises: nothing wrong is ever stored, and a failure costs nobody but the file it is about."""

from __future__ import annotations

import os
from typing import Any

import pytest

from censusd.catalogue import deep_queue
from censusd.deepscan.messages import Finding, Outcome
from censusd.deepscan.sites import Result
from tests.tools.library import Library
from tests.tools.scanning import (
    OF_OBEDIENT,
    claim,
    found,
    hashes,
    scanning,
    sha256,
    site,
    waiting,
    write,
)
from tests.tools.waiting import until


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
        until(lambda: not waiting(library))
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
        until(lambda: not waiting(library))
    assert hashes(library)["file"] == sha256(path) != first


def test_a_file_that_is_written_to_all_the_time_gets_no_hash_and_is_left_alone_more_and_more(library: Library) -> None:
    path = library.write("log", "x" * 100)
    library.write("quiet")
    library.reconcile()
    path.write_text("y" * 200)  # nobody has told the catalogue
    with scanning(library.repository.catalogue, site(library.root)):
        until(lambda: waiting(library) == {"log"})
        until(lambda: library.query("SELECT put_off >= 1, attempts FROM deep_scan_claims") == [(True, 0)])
    assert hashes(library)["log"] is None
    library.query("UPDATE deep_scan_claims SET put_off = 10")
    with library.repository.catalogue.transaction() as cursor:
        deep_queue.put_off(cursor, library.repository.id, "me", {})
    assert claim(library) == []
    # What is new of it is looked at all the same, unless it changes all the time.
    library.query("UPDATE deep_scan_claims SET put_off = 2, retry_at = now() + interval '1 hour'")
    library.reconcile()
    assert [file.name for file in claim(library)] == ["log"]


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
            until(lambda: [row[:2] for row in state()] == [(attempt, attempt == 3)])  # noqa: B023
            assert "signal 11" in state()[0][2]
            no_waiting()
            scanner.look_again()
        assert library.query("SELECT file_path, attempts, last_error FROM quarantined_files") == [
            ("d/killer", 3, "it was ended by signal 11")
        ]
        until(lambda: hashes(library)["fine"] is not None)
        assert waiting(library) == {"d/killer"}
        # It is not tried again by itself, whatever else happens.
        library.write("more")
        library.reconcile()
        until(lambda: waiting(library) == {"d/killer"})
        assert [row[:2] for row in state()] == [(3, True)]
        # Somebody says so: it gets three more.
        with catalogue.transaction() as cursor:
            assert deep_queue.retry(cursor, library.repository.id, "elsewhere") == 0
            assert deep_queue.retry(cursor, library.repository.id, "d/killer") == 1
        scanner.look_again()
        until(lambda: [row[:2] for row in state()] == [(1, False)])
        # Its content is another: what was before does not matter.
        library.query("UPDATE deep_scan_claims SET attempts = 3, quarantined_at = now()")
        library.write("d/killer", "!'tamed now'")
        library.reconcile()
        until(lambda: not waiting(library))
    assert state() == []


def test_what_was_given_up_and_is_gone_is_no_problem_any_more(library: Library) -> None:
    for path in ("gone", "changed", "still"):
        library.write(path, path)
    library.reconcile()
    catalogue, identity = library.repository.catalogue, library.repository.id
    for _ in range(3):
        library.query("UPDATE deep_scan_claims SET retry_at = now() - interval '1 second'")
        reasons = {file.id: "test" for file in claim(library)}
        with catalogue.transaction() as cursor:
            deep_queue.fail(cursor, identity, "me", reasons)
            counted = deep_queue.count(cursor, identity)
    assert counted == (3, 0)
    (library.root / "gone").unlink()
    library.write("changed", "otherwise")
    library.reconcile()
    with catalogue.transaction() as cursor:
        assert deep_queue.count(cursor, identity) == (1, 0)
    assert [file.name for file in claim(library)] == ["changed"]


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
