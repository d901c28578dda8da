"""A directory with more files than memory should hold is compared slice by slice.

Its listing comes with a digest and no files. If the digest differs, its files are read again in slices, which are
compared one after the other; then the names on record are looked at page by page, which finds those that are gone.
Nothing ever holds more than one slice. Nor does it where there are few files left, and their rows are still many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from censusd.catalogue import files
from censusd.filesystem.walk import Tree
from censusd.model import Listing, Observation
from censusd.sync.context import Repository

_PAGE = 10_000


def on_disk(tree: Tree, path: str, seen: Listing) -> Iterator[Listing]:
    """The files of a directory as listings of some of its names each; the last one has the digest of what was read.

    Args:
        tree: for reading it.
        path: relative path of the directory.
        seen: its complete listing, which does not hold the files if they are too many.

    Raises:
        OSError: the directory cannot be listed any more.
    """
    if seen.huge:
        yield from tree.slices(path)
    else:
        names = frozenset(entry[0] for entry in seen.files())
        yield replace(seen, subdirectories=[], hidden=frozenset(), unknown={}, looked=names)


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
