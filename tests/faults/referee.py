"""What is on disk, found out by somebody who shares no code with the daemon, and what the catalogue makes of it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psycopg

_FIRST_ESCAPE: Final = 0xEF80
_LAST_ESCAPE: Final = 0xEFFF


@dataclass(frozen=True)
class Seen:
    """A regular file: what is compared with its row.

    Attributes:
        size: in bytes.
        mtime_ns: time of modification.
        inode: its number.
        sha256: of its content, in hex.
    """

    size: int
    mtime_ns: int
    inode: int
    sha256: str


def listing(root: Path) -> dict[bytes, Seen]:
    """Path -> what is seen of every regular file that is to be catalogued under the built-in rules."""
    found: dict[bytes, Seen] = {}
    top = os.fsencode(root)
    for directory, directories, names in os.walk(top):
        directories[:] = [name for name in directories if not _is_hidden(name)]
        for name in names:
            file = os.path.join(directory, name)
            status = os.lstat(file)
            if stat.S_ISREG(status.st_mode) and not _is_hidden(name):
                path = os.path.relpath(file, top)
                found[path] = Seen(status.st_size, status.st_mtime_ns, status.st_ino, _sha256(file))
    return found


def on_record(database: str, repository: str) -> tuple[dict[bytes, Seen], dict[bytes, int]]:
    """The same as the catalogue has it, and path -> number of the row. A file that has no hash has an empty one."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT file_path, file_size, mtime_ns, inode, coalesce(content_hash, ''), file_id FROM file_records"
            " WHERE repository_name = %s",
            [repository],
        ).fetchall()
    found = {name_of(path): Seen(*rest) for path, *rest, _ in rows}
    assert len(found) == len(rows), "two rows for one path"
    return found, {name_of(path): number for path, *_, number in rows}


def differences(recorded: dict[bytes, Seen], found: dict[bytes, Seen], *, hashes: bool = True) -> list[str]:
    """What is on record otherwise than it is on disk, a line each; with or without a look at the hashes."""
    if not hashes:
        recorded = {path: replace(seen, sha256="") for path, seen in recorded.items()}
        found = {path: replace(seen, sha256="") for path, seen in found.items()}
    return [
        f"{path!r}: on record {recorded.get(path)}, on disk {found.get(path)}"
        for path in sorted(recorded.keys() | found.keys())
        if recorded.get(path) != found.get(path)
    ]


def name_of(text: str) -> bytes:
    """The bytes of a path in the catalogue, from its text: U+EF00 + byte stands for an odd byte."""
    return b"".join(
        bytes([ord(character) - 0xEF00])
        if _FIRST_ESCAPE <= ord(character) <= _LAST_ESCAPE
        else character.encode("utf-8")
        for character in text
    )


def _is_hidden(name: bytes) -> bool:
    return name.startswith(b".") or name.endswith((b"~", b".tmp", b".temp")) or name == b"Thumbs.db"


def _sha256(file: bytes) -> str:
    with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW)) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
