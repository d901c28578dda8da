"""A repository on a real tree, and an independent listing to hold it against."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from censusd.catalogue import files, repositories
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.filesystem.names import text_of
from censusd.model import KnownFile, Scope, SyncOperation, Trigger
from censusd.sync.context import Repository, Rules
from censusd.sync.reconciler import Hooks, Options, Reconciler


@dataclass
class Library:
    """A repository on a real tree, with the means to reconcile it and to ask what is on record."""

    root: Path
    repository: Repository
    hooks: Hooks

    def reconcile(
        self, scope: Scope | None = None, trigger: Trigger = Trigger.MANUAL, options: Options | None = None
    ) -> SyncOperation:
        """Reconcile the whole repository, or ``scope``."""
        return Reconciler(self.repository, self.hooks).reconcile(scope or Scope.whole(), trigger, options)

    def names(self, directory: str, *names: str, written: bool = False) -> SyncOperation:
        """Reconcile some names, as the watch would ask for."""
        scope = Scope(names={directory: dict.fromkeys(names, written)})
        return self.reconcile(scope, Trigger.REALTIME)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self.repository.catalogue.transaction() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def records(self) -> dict[str, tuple[int, int, int, int]]:
        """Path -> (size, mtime_ns, ctime_ns, inode) of every file that the catalogue has as present."""
        rows = self.query("SELECT file_path, file_size, mtime_ns, ctime_ns, inode FROM file_records")
        return {path: tuple(rest) for path, *rest in rows}

    def ids(self) -> dict[str, int]:
        """Path -> row number of every present file."""
        return dict(self.query("SELECT file_path, file_id FROM file_records"))

    def missing(self) -> dict[str, int]:
        """Path -> row number of every missing file."""
        return dict(self.query("SELECT file_path, file_id FROM missing_files"))

    def write(self, path: str, content: str = "x") -> Path:
        """Write a file, with the directories on the way."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def deep_scanned(self) -> None:
        """Make every file as it is after a deep scan."""
        self.query("UPDATE files SET content_hash = decode(repeat('ab', 32), 'hex'), scan_phase = 1")

    def content(self, path: str) -> tuple[bool, int]:
        """Whether a file's hash is on record, and its phase."""
        statement = "SELECT content_hash IS NOT NULL, scan_phase FROM file_records WHERE file_path = %s"
        ((hashed, phase),) = self.query(statement, path)
        return hashed, phase

    def rows(self) -> dict[str, str]:
        """Path -> all that is on record of a present file, the physical place of its row included, as text."""
        statement = (
            "SELECT v.file_path, f::text || f.ctid::text FROM file_records v"
            " JOIN files f ON f.repository_id = v.repository_id AND f.id = v.file_id"
        )
        return dict(self.query(statement))

    def with_rules(self, **changes: Any) -> Library:
        """The same repository under other rules."""
        repository = replace(self.repository, rules=replace(self.repository.rules, **changes))
        return Library(self.root, repository, self.hooks)


def from_elsewhere(database: str) -> str:
    """The database for a process in another user namespace, where the server's owner has another name."""
    return make_conninfo(database, requirepeer="")


@contextmanager
def fresh_database(server: str, template: str) -> Iterator[str]:
    """A database made from ``template``, dropped in the end: its connection string."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        yield make_conninfo(server, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def take(catalogue: Catalogue, root: Path, name: str = "library", **rules: Any) -> Library:
    """Own a repository on ``root``, in the place of any other test process that did."""
    root.mkdir(exist_ok=True, parents=True)
    with catalogue.transaction() as cursor:
        number = repositories.register(cursor, name, str(root))
        lease = repositories.acquire(cursor, number, "test", 3600.0, dead=["test"])
    assert lease is not None
    return Library(root, Repository(number, Rules(name, root, **rules), lease, catalogue), Hooks())


@contextmanager
def opened(database: str, root: Path, **rules: Any) -> Iterator[Library]:
    """The same with a connection of its own, for another process."""
    with Catalogue(from_elsewhere(database)) as catalogue:
        yield take(catalogue, root, **rules)


@contextmanager
def fetching() -> Iterator[list[int]]:
    """How many rows of files are fetched while the block lasts, in each part."""
    fetched: list[int] = []
    by_directory = files._by_directory

    def counted(cursor: Cursor) -> dict[int, list[KnownFile]]:
        rows = by_directory(cursor)
        fetched.extend(map(len, rows.values()))
        return rows

    with patch.object(files, "_by_directory", counted):
        yield fetched


def disk(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """An independent listing: path -> (size, mtime_ns, ctime_ns, inode) of every file under the default policy.

    Shares nothing with the daemon but the mapping of names to text.
    """
    found: dict[str, tuple[int, int, int, int]] = {}
    for top, directories, names in os.walk(os.fsencode(root)):
        directories[:] = [name for name in directories if not name.startswith(b".") and not name.endswith(b"~")]
        for name in names:
            if name.startswith(b".") or name.endswith((b"~", b".tmp", b".temp")) or name == b"Thumbs.db":
                continue
            file = os.path.join(top, name)
            stat = os.lstat(file)
            if (stat.st_mode & 0o170000) == 0o100000:
                path = text_of(os.path.relpath(file, os.fsencode(root)))
                found[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return found
