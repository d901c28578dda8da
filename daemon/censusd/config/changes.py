"""What a reload has to do: the differences between two configurations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from censusd.config.reading import REPOSITORY
from censusd.config.schema import DEFAULTS, TABLES, Config
from censusd.config.settings import Table, settings_of


class ChangeKind(StrEnum):
    """What happened to a part of the configuration."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of the configuration that is not what it was. Its text is fit for the log.

    Attributes:
        kind: what happened to it.
        table: the table, such as ``database``, or ``repository``.
        name: which repository, or empty.
        keys: the keys that have another value, if the kind is ``CHANGED``.
        restart_keys: those of them that take effect only when the daemon is started again.
    """

    kind: ChangeKind
    table: str
    name: str = ""
    keys: tuple[str, ...] = ()
    restart_keys: tuple[str, ...] = ()

    @property
    def needs_restart(self) -> bool:
        """Whether some of it takes effect only when the daemon is started again."""
        return bool(self.restart_keys)

    def __str__(self) -> str:
        text = f"{self.table}[{self.name}]" if self.name else self.table
        text += f" {self.kind}"
        if self.keys:
            text += f": {', '.join(self.keys)}"
        if self.restart_keys:
            text += f" (needs a restart: {', '.join(self.restart_keys)})"
        return text


def differences(old: Config, new: Config) -> tuple[Difference, ...]:
    """What ``new`` has otherwise than ``old``: the tables first, then the repositories by name.

    Empty if they are equal. A change in ``[defaults]`` shows in each repository that it reaches.
    """
    return (*_tables(old, new), *_repositories(old, new))


def _tables(old: Config, new: Config) -> Iterator[Difference]:
    for table, declared in TABLES.items():
        keys = _changed(getattr(old, table), getattr(new, table))
        if keys and table != DEFAULTS:
            settings = settings_of(declared)
            restart = tuple(key for key in keys if settings[key].restart)
            yield Difference(ChangeKind.CHANGED, table, keys=keys, restart_keys=restart)


def _repositories(old: Config, new: Config) -> Iterator[Difference]:
    before = {one.name: one for one in old.repositories}
    after = {one.name: one for one in new.repositories}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield Difference(ChangeKind.REMOVED, REPOSITORY, name)
        elif name not in before:
            yield Difference(ChangeKind.ADDED, REPOSITORY, name)
        elif keys := _changed(before[name], after[name]):
            yield Difference(ChangeKind.CHANGED, REPOSITORY, name, keys)


def _changed(before: Table, after: Table) -> tuple[str, ...]:
    return tuple(key for key in settings_of(type(after)) if getattr(before, key) != getattr(after, key))
