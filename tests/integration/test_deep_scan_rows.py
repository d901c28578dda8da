"""What the deep scan writes: metadata and relations in a handful of statements, and no bad file spoils the others'."""

from __future__ import annotations

import threading

from censusd.deepscan.sites import Result
from tests.tools.library import Library
from tests.tools.scanning import (
    OF_OBEDIENT,
    book,
    claim,
    found,
    scanning,
    site,
    statements_of_batches,
    waiting,
    write,
)
from tests.tools.waiting import until


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


def test_a_batch_of_a_hundred_books_takes_a_dozen_statements(library: Library, database: str) -> None:
    first, second, cache = statements_of_batches(library, database)
    assert first <= 12
    assert second <= 12
    assert (cache.misses, len(cache)) == (20 + 7 + 3 + 200, 20 + 7 + 3 + 200)
    assert cache.hits == 20 + 7 + 3
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
        found(file, file.name.encode(), extractor="book", metadata=book(number)) for number, file in enumerate(files)
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
        until(lambda: not waiting(library))
        assert library.query("SELECT name, position FROM file_relations ORDER BY 2") == [("Ann", 0), ("Bob", 1)]
        assert library.query("SELECT file_path, title, content_problem FROM file_details ORDER BY 1") == [
            ("other", None, "obedient: ZeroDivisionError: division by zero"),
            ("poem", "One", None),
        ]
        library.write("poem", "poem\nTwo\nCleo")
        library.write("other", "no poem at all")
        library.reconcile()
        until(lambda: not waiting(library))
        assert library.query("SELECT name FROM file_relations") == [("Cleo",)]
        assert library.query("SELECT title, extractor FROM file_details ORDER BY 1") == [("Two", "poet"), (None, None)]
        (library.root / "poem").unlink()
        library.reconcile()
        library.query("DELETE FROM files WHERE state = 1")
    assert library.query("SELECT count(*) FROM file_metadata") == [(0,)]
    assert library.query("SELECT count(*) FROM file_entities") == [(0,)]
