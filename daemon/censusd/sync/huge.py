"""A directory with more files than memory should hold is compared slice by slice.

Its listing comes with a digest and no files. If the digest differs, its files are read again in slices, which are
compared one after the other; then the names on record are looked at page by page, which finds those that are gone.
Nothing ever holds more than one slice.
"""

from __future__ import annotations

from collections.abc import Iterator

from censusd.catalogue import files
from censusd.filesystem.walk import Tree
from censusd.model import Observation
from censusd.sync.context import Repository

_PAGE = 10_000


def on_record(repository: Repository, tree: Tree, path: str, directory_id: int) -> Iterator[Observation]:
    """The names on record in a huge directory, looked at on disk page by page."""
    after = ""
    while True:
        with repository.catalogue.transaction() as cursor:
            names = files.names_after(cursor, repository.id, directory_id, after, _PAGE)
        if not names:
            return
        yield tree.look(path, frozenset(names))
        after = names[-1]
