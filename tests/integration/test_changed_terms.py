"""A worker that is given other terms while it is at work: all that it does from then on is done on these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.model import Scope, Trigger
from censusd.sync.requests import Kind, Request
from censusd.sync.standing import Phase
from tests.tools.living import DEADLINE, LivingLibrary, living
from tests.tools.waiting import until


@pytest.fixture
def library(tmp_path: Path, catalogue: Catalogue) -> Iterator[LivingLibrary]:
    """A repository that a worker looks after, and whose missing rows are purged at once."""
    library = LivingLibrary(tmp_path / "library", catalogue, tmp_path / "cookies", debounce=0.05, missing_grace=0.0)
    with living(library):
        yield library


def change(library: LivingLibrary, **rules: Any) -> None:
    """Have the worker work by other rules."""
    library.worker.reconfigure(replace(library.terms, rules=replace(library.terms.rules, **rules)))
    library.look()


def test_rows_are_kept_for_as_long_as_they_are_to_be_kept_now(library: LivingLibrary) -> None:
    (library.root / "stays").touch()
    file = library.root / "file"
    file.touch()
    library.sync()
    file.unlink()
    library.sync()
    change(library, missing_grace=None)
    library.worker.submit(Request(Kind.PURGE, Trigger.RECONCILIATION)).wait(DEADLINE)
    assert library.query("SELECT name FROM files WHERE state = 1") == [("file",)]
    change(library, missing_grace=0.0)
    library.worker.submit(Request(Kind.PURGE, Trigger.RECONCILIATION)).wait(DEADLINE)
    assert library.query("SELECT name FROM files WHERE state = 1") == []


def test_what_an_ignore_file_of_another_name_rules_is_walked_however_much_else_changed(library: LivingLibrary) -> None:
    (library.root / "d/e").mkdir(parents=True)
    (library.root / "d/e/file").touch()
    library.sync()
    change(library, ignore_file="rules")
    dirty_set = library.worker.dirty_set
    dirty_set.quiet, dirty_set.max_latency = 60.0, 600.0
    (library.root / "d/rules").write_text("file")
    dirty_set.add_scope(Scope(names={"d": {"rules": False, **dict.fromkeys(map(str, range(5000)), False)}}))
    library.sync()
    assert library.records().keys() == {"d/rules"}


def test_terms_that_changed_while_another_daemon_was_the_owner_hold_after_it(
    library: LivingLibrary, tmp_path: Path
) -> None:
    other = LivingLibrary(library.root, library.catalogue, tmp_path / "other-cookies", debounce=0.05, lease_ttl=1.0)
    other.terms = replace(other.terms, owner=f"elsewhere-{other.terms.owner}")
    other.start_at_once()
    try:
        until(lambda: other.worker.phase is Phase.STANDBY)
        rules, watch = replace(other.terms.rules, ignore_file="rules"), replace(other.terms.watch, debounce=0.07)
        other.worker.reconfigure(replace(other.terms, rules=rules, watch=watch))
        library.stop()
        until(lambda: other.worker.phase is Phase.WATCHING)
        assert (other.worker.dirty_set.rules_file, other.worker.dirty_set.quiet) == ("rules", 0.07)
    finally:
        other.stop()
