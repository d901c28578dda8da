"""Reading the very content that the catalogue has on record, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from censusd.catalogue.descriptions import Picture
from censusd.describe.trouble import ChangedError
from censusd.filesystem.digest import CHUNK, OpenFile, opened
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.names import bytes_of
from censusd.filesystem.walk import Tree

_EVERYTHING: Final = IgnorePolicy(default_excludes=False, ignore_file="")
"""What is not to be looked at is not on record."""


def read(root: str, picture: Picture, waiting: Callable[[], None]) -> bytes:
    """The content of a file, if it is what is on record: by its stat before and after, and by its hash.

    Args:
        root: absolute path of the repository's root, as catalogue text.
        picture: the file as it is on record.
        waiting: called now and then; whatever it raises ends it.

    Raises:
        ChangedError: it is not.
        OSError: it cannot be read.
    """
    with (
        Tree(Path(os.fsdecode(bytes_of(root))), _EVERYTHING) as tree,
        opened(tree, picture.directory, picture.name) as file,
    ):
        if not file.is_version(picture.size, picture.mtime_ns, picture.ctime_ns, picture.inode):
            raise ChangedError("it is not the version on record any more")
        content = _content(file, waiting)
        if file.is_torn() or sha256(content).digest() != picture.content_hash:
            raise ChangedError("it was changed while it was read")
    return content


def _content(file: OpenFile, waiting: Callable[[], None]) -> bytes:
    content = bytearray(file.size)
    view, position = memoryview(content), 0
    while position < file.size:
        waiting()
        count = os.preadv(file.fd, [view[position : position + CHUNK]], position)
        if not count:
            raise ChangedError("it has become shorter while it was read")
        position += count
    return bytes(content)
