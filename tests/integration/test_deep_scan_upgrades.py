"""Nothing is looked at twice, but for what a newer version would see otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.tools.library import Library
from tests.tools.scanning import (
    HOSTILE,
    OF_OBEDIENT,
    RULES,
    hashes,
    scanning,
    sha256,
    site,
    waiting,
)
from tests.tools.waiting import until


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
        until(lambda: not waiting(library))
    assert versions() == [("plain", None, True), ("poem", 1, True), ("said", 1, True)]
    before = rows()
    # A restart does nothing.
    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT) as scanner:
        until(lambda: scanner._sites["library"].is_current)
    assert rows() == before
    newer = replace(RULES, families=("tests.tools.hostile:Newer", "tests.tools.hostile:Poet"))
    read = library.query("SELECT sum(bytes_hashed) FROM sync_operations")
    with scanning(catalogue, site(library.root), rules=newer) as scanner:
        until(lambda: scanner._sites["library"].is_current)
        until(lambda: not waiting(library))
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
        until(lambda: not waiting(library))
    said = library.query("SELECT change_number FROM file_records WHERE file_path = 'said'")
    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT) as scanner:
        until(lambda: scanner._sites["library"].is_current)
        until(lambda: not waiting(library))
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
        until(lambda: not waiting(library))
    assert library.query("SELECT title, content_hash FROM file_details") == [("One", None)]
    with scanning(catalogue, site(library.root), rules=OF_OBEDIENT):
        until(lambda: hashes(library)["poem"] is not None)
    assert hashes(library)["poem"] == sha256(library.root / "poem")
