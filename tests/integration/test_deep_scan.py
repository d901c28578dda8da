"""The deep scan, end to end: real files, real worker processes, a real PostgreSQL."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tests.tools.library import Library
from tests.tools.scanning import NEVER_IDLE, RULES, hashes, scanning, sha256, site, waiting
from tests.tools.waiting import until


def claims(library: Library) -> int:
    """How many rows there are in the table of claims."""
    ((number,),) = library.query("SELECT count(*) FROM deep_scan_claims")
    return int(number)


def fill(root: Path, count: int = 250) -> dict[str, str]:
    """Files of many sizes with odd names. Returns path -> content hash."""
    made = {}
    for number in range(count):
        path = f"d{number % 7}/é {number}'\n" if number % 5 else f"f{number}.jpg"
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number * 37 % 9000) + str(number).encode() if number else b"")
        made[path] = sha256(file)
    return made


def test_every_file_is_hashed(library: Library) -> None:
    made = fill(library.root)
    (library.root / "large").write_bytes(os.urandom((3 << 20) + 17))
    made["large"] = sha256(library.root / "large")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root)):
        until(lambda: not waiting(library))
    assert hashes(library) == made
    assert claims(library) == 0
    ((files, read),) = library.query(
        "SELECT sum(files_scanned)::int, sum(bytes_hashed)::bigint FROM sync_operations"
        " WHERE operation_type = 'deep_scan' AND trigger = 'idle' AND status = 'completed'"
    )
    assert files == len(made)
    assert read == sum((library.root / path).stat().st_size for path in made)


def test_what_has_just_changed_is_looked_at_at_once(library: Library) -> None:
    library.write("old")
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, idle=NEVER_IDLE)) as scanner:
        until(lambda: scanner.has_begun("library") and scanner._sites["library"].seen)
        library.write("new", "content")
        library.reconcile()
        until(lambda: hashes(library)["new"] is not None)
        assert hashes(library) == {"new": sha256(library.root / "new"), "old": None}


def test_a_demand_for_a_file_a_directory_and_everything(library: Library) -> None:
    for path in ("a/one", "a/two", "a/b/three", "ab/four", "five"):
        library.write(path, path)
    library.reconcile()
    with scanning(library.repository.catalogue, site(library.root), rules=replace(RULES, idle=NEVER_IDLE)) as scanner:
        for path, expected in (
            ("a/two", {"a/two"}),
            ("a", {"a/one", "a/two", "a/b/three"}),
            ("", {"a/one", "a/two", "a/b/three", "ab/four", "five"}),
        ):
            demand = scanner.demand("library", path)
            demand.wait(60)
            assert {path for path, made in hashes(library).items() if made} == expected
        assert demand.files == 2
