"""What an order for the deep scan is about: found by a path that somebody gives, or refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from censusd.catalogue import content
from censusd.catalogue.connection import Cursor
from censusd.catalogue.content import Queue
from censusd.catalogue.rehash import Place
from censusd.catalogue.repositories import RepositoryRecord
from censusd.deepscan.sites import OPEN, SiteRules
from censusd.model import ASKED, ROOT, Strategy, split
from censusd.service.paths import relative_path
from censusd.service.reading import Found, Reading
from censusd.service.refusals import ConflictError, RefusedError, UnavailableError, not_ours


class Target(NamedTuple):
    """What an order is about.

    Attributes:
        record: the repository.
        rules: how it is deep-scanned.
        path: relative path in it.
        found: the directory or file there.
    """

    record: RepositoryRecord
    rules: SiteRules
    path: str
    found: Found

    @property
    def directory(self) -> str:
        """The directory that it is, or is in."""
        return self.path if self.found.kind == "directory" else split(self.path)[0]

    def has(self, wanted: Collection[Strategy]) -> bool:
        """Whether it is, or has in it, files about which one of these things is done."""
        if self.found.kind == "directory":
            return self.rules.places.has(wanted, self.path)
        return self.rules.places.strategy_of(self.directory) in wanted

    @property
    def place(self) -> Place:
        """The same for what is read again."""
        return Place(
            file=self._file, below=None if self._file else self.path, places=self.rules.places, strategies=ASKED
        )

    def queue(self, cursor: Cursor) -> Queue:
        """Count what waits there to be looked at, if somebody asks."""
        below = ROOT if self._file else self.path
        queues = content.queues(cursor, self.record.id, self.rules.places, below=below, file=self._file)
        return sum((queues[strategy] for strategy in ASKED), Queue())

    @property
    def _file(self) -> int | None:
        """Its row, if it is a file."""
        return self.found.id if self.found.kind == "file" else None

    @property
    def scope(self) -> str:
        """The path for people: directories end in a slash."""
        return f"{self.path}/" if self.found.kind == "directory" else self.path


class Targets:
    """Finds what orders are about.

    Args:
        sites: how repositories are deep-scanned, by name; those that never are, are not among them.
        configured: the names of the repositories that this daemon looks after.
        reading: the catalogue.
        not_ready: why there is no deep scan yet, or empty.
    """

    def __init__(
        self,
        sites: Callable[[], Mapping[str, SiteRules]],
        configured: Callable[[], list[str]],
        reading: Reading,
        not_ready: Callable[[], str],
    ) -> None:
        self._sites = sites
        self._configured = configured
        self._reading = reading
        self._not_ready = not_ready

    def at(self, name: str, path: str | None) -> Target:
        """What is at a path of a repository; None for all of it.

        Raises:
            RefusedError: there is no such thing, or its files are never looked at.
        """
        records = self._reading.records()
        record = self._reading.record(name, records)
        rules = self._sites().get(name)
        if rules is None:
            raise self._why_not(name)
        if record.state not in OPEN:
            raise UnavailableError(
                f"{name} is {record.state}" + (f": {record.state_reason}" if record.state_reason else "")
            )
        relative = relative_path(path or ROOT, record.root)
        found = self._reading.find(record, relative)
        if found is None:
            raise self._reading.nothing_at(record, relative)
        target = Target(record, rules, relative, found)
        if not target.has(ASKED):
            raise _never(target)
        return target

    def rule(self, name: str, path: str, kind: str) -> dict[str, str] | None:
        """What is done about the content of a file, or of a directory's files, and the place that says so; for JSON.

        Args:
            name: the repository; None is returned where it is not this process's.
            path: relative path in it.
            kind: ``directory`` or ``file``.
        """
        rules = self._sites().get(name)
        if rules is None:
            return {"strategy": Strategy.NEVER, "place": ROOT} if name in self._configured() else None
        place, strategy = rules.places.decider(path if kind == "directory" else split(path)[0])
        return {"strategy": strategy, "place": place}

    def _why_not(self, name: str) -> RefusedError:
        if name not in self._configured():
            return UnavailableError(self._not_ready()) if self._not_ready() else not_ours(name)
        return ConflictError(
            f'{name} is never deep-scanned: its deep_scan is "never"',
            hint='deep_scan = "on-demand" in its [[repository]] allows it when somebody asks',
        )


def _never(target: Target) -> ConflictError:
    place, _ = target.rules.places.decider(target.directory)
    name = target.record.name
    why = f"deep_scan_never of {name} names {place}" if place else f'deep_scan of {name} is "never"'
    return ConflictError(
        f"{target.path} is never deep-scanned: {why}",
        hint="a directory that deep_scan_on_demand or deep_scan_auto names may be, also one in there",
    )
