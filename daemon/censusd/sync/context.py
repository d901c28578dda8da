"""What a reconcile needs to know of its repository, handed down by the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from censusd.catalogue.connection import Catalogue
from censusd.catalogue.repositories import Lease
from censusd.filesystem.ignore import IgnorePolicy


class Beat(Protocol):
    """Called often, as proof that a loop is alive."""

    def __call__(self, silence: float = 0.0, /) -> object:
        """Say so, and for how many seconds it has waited for a disk in vain."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How one repository is to be treated.

    Attributes:
        name: the repository's name.
        root: absolute path of its root.
        default_excludes: whether the built-in ignore rules hold.
        exclude: further ignore patterns, relative to the root.
        protected: patterns of areas that are never catalogued.
        ignore_file: name of the per-directory ignore file, or empty.
        cross_mounts: whether other file systems mounted below the root belong to it.
        marker: relative path of a file that proves that the right disk is mounted, or empty.
        breaker_files: a reconcile that would mark more files missing than this, and
        breaker_percent: more than this share of the present ones, is held for an operator.
        missing_grace: seconds for which a missing row is kept; None keeps it for ever.
        journal_keep: seconds for which journal rows are kept.
    """

    name: str
    root: Path
    default_excludes: bool = True
    exclude: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    ignore_file: str = ".censusignore"
    cross_mounts: bool = True
    marker: str = ""
    breaker_files: int = 1000
    breaker_percent: float = 20.0
    missing_grace: float | None = 30 * 86400.0
    journal_keep: float = 90 * 86400.0

    def policy(self, hidden_paths: frozenset[str] = frozenset()) -> IgnorePolicy:
        """The ignore policy, with some directories hidden by path as well."""
        return IgnorePolicy(
            default_excludes=self.default_excludes,
            exclude=self.exclude,
            protected=self.protected,
            ignore_file=self.ignore_file,
            hidden_paths=hidden_paths,
        )


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that this daemon owns.

    Attributes:
        id: its row.
        rules: how it is to be treated.
        lease: the right to write its rows.
        catalogue: the database.
    """

    id: UUID
    rules: Rules
    lease: Lease = field(repr=False)
    catalogue: Catalogue = field(repr=False)
