"""Files of every family, dropped into a repository: what can be searched for a moment later."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from tests.tools.library import Library
from tests.tools.sample_library import sample_files
from tests.tools.scanning import NEVER_IDLE, RULES, scanning, sha256, site
from tests.tools.waiting import until

DATA = Path(__file__).parents[1] / "data"


def test_every_family_is_read_at_once(library: Library) -> None:
    library.reconcile()
    rules = replace(RULES, idle=NEVER_IDLE, batch=1000)
    with scanning(library.repository.catalogue, site(library.root), rules=rules) as scanner:
        until(lambda: scanner.has_begun("library"))
        assert scanner.status()["missing_extractors"] == {}
        for sample in sample_files():
            file = library.root / sample.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(sample.content)
        shutil.copytree(DATA, library.root / "data")
        library.reconcile()
        until(lambda: not library.query("SELECT 1 FROM files WHERE scan_phase = 0"))
    rows = library.query("SELECT file_path, content_hash, kind FROM file_details")
    assert {path: made for path, made, _ in rows} == {path: sha256(library.root / path) for path, _, _ in rows}
    kinds = {kind for _, _, kind in rows}
    assert kinds >= {"image", "comic", "book", "audio", "video"}
    assert library.query("SELECT count(*) FROM deep_scan_claims") == [(0,)]
    # Everything that has a family has metadata or says why not.
    silent = library.query(
        "SELECT file_path FROM file_details WHERE extractor IS NOT NULL AND kind IS NULL AND content_problem IS NULL"
    )
    assert silent == []
    crashes = library.query("SELECT file_path, content_problem FROM file_details WHERE content_problem ~ 'Error: '")
    assert crashes == []
    ((people,),) = library.query("SELECT count(DISTINCT name) FROM file_relations WHERE kind = 'person'")
    assert people > 3
    assert library.query(
        "SELECT title, pages IS NOT NULL FROM file_details WHERE file_path = 'data/books/calibre.azw3'"
    )
