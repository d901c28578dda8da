"""A directory with more files than memory should hold is compared slice by slice.

Its listing comes with a digest and no files. If the digest differs, its files are read again in slices, which are
compared one after the other; then the names on record are looked at page by page, which finds those that are gone.
Nothing ever holds more than one slice.
"""

from __future__ import annotations

from collections.abc import Iterator

from censusd.catalogue import files
from censusd.filesystem.walk import Tree
from censusd.model import Listing, Observation, pack
from censusd.sync.context import Repository

_PAGE = 10_000


def on_disk(tree: Tree, path: str) -> Iterator[Observation]:
    """The files of a huge directory as observations of some of its names each.

    Raises:
        OSError: the directory cannot be listed any more.
    """
    for own, born, entries in tree.slices(path):
        yield Observation(
            path,
            Listing(
                device=own.st_dev,
                inode=0,  # nothing hangs on it: the rows were found when the directory was listed
                birth_ns=born,
                packed=[pack(entries)],
                subdirectories=[],
                count=len(entries),
                looked=frozenset(entry[0] for entry in entries),
            ),
        )


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
