"""Whether what this host has mounted are the trees in the catalogue: for a worker that shares the deep scan.

Another host sees a repository through a mount of its own, perhaps by way of a network. The identity of the root on
record is that of the daemon's mount, so it proves a tree only where both are the same; otherwise files are looked for
that are on record. That they are found as they are on record, with inode numbers and times, is what the deep scan needs
as well: what it finds in a file counts only for the version that the catalogue has.

What is mounted below a root on this host only has to prove itself in the same way, or is left alone. What it covers
would be taken for files that have changed or cannot be read, and would be put off, or given up, for everybody.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from censusd.catalogue import content, repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.repositories import RepositoryRecord
from censusd.errors import CensusError, RootOfflineError
from censusd.filesystem.digest import opened
from censusd.filesystem.identity import Root, RootIdentity, difference, look_at_root
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.mounts import Mount, mounts_below, read_mounts, real_path
from censusd.filesystem.problems import problem_of
from censusd.filesystem.walk import Tree
from censusd.model import ROOT, Fingerprint, Problem, RepositoryState
from censusd.service.errands import Errands

_ACCEPTED_WITHIN: Final = 30.0
_ANSWER_WITHIN: Final = 5.0
_JUDGE_AGAIN: Final = 60.0
_SAMPLE: Final = 16
_EVERYTHING: Final = IgnorePolicy(default_excludes=False, ignore_file="")

Sample = Sequence[tuple[str, str, Fingerprint]]
"""Directory, name and version on record of some files."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository is on this host.

    Attributes:
        name: the repository's name.
        path: the local path of its root.
        marker: relative path of the file that proves that it is there, or empty.
    """

    name: str
    path: Path
    marker: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """Why something that is mounted on this host only is left alone, or None; and when (monotonic) to look again."""

    why: str | None
    again_at: float


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A tree that was found to be the repository, and what makes its root this root on this host."""

    place: Place
    repository_id: UUID
    identity: RootIdentity
    disk: Errands
    own: dict[tuple[str, Mount], _Judged] = field(default_factory=dict)


class Trees:
    """The trees of this host that were accepted.

    Args:
        catalogue: the database.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._accepted: dict[str, _Accepted] = {}
        self._judging = threading.Lock()

    def accept(self, places: Iterable[Place], given_up: Callable[[], bool] = lambda: False) -> None:
        """See that these are trees in the catalogue; those that were accepted before, and are no more given, are left.

        Args:
            places: where the repositories are.
            given_up: asked while a disk does not answer.

        Raises:
            RootOfflineError: what is at a path is not the repository.
            CensusError: there is no such repository.
            CatalogueError: the database refused, or is away.
        """
        with self._catalogue.transaction() as cursor:
            records = repositories.all_records(cursor)
        self._accepted = {
            place.name: known
            if (known := self._accepted.get(place.name)) and known.place == place
            else self._accept(place, records, given_up)
            for place in places
        }

    def away(self) -> dict[str, str]:
        """Repository -> why, for each whose root is not the one that was accepted."""
        found = {name: self._why_away(one) for name, one in self._accepted.items()}
        return {name: why for name, why in found.items() if why}

    def covered(self) -> dict[str, dict[str, str]]:
        """Repository -> directory -> why, for each on which this host has mounted something else than is on record.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        with self._judging:
            return {name: found for name, one in self._accepted.items() if (found := self._covered(one))}

    def _covered(self, one: _Accepted) -> dict[str, str]:
        try:
            mounts = one.disk.run(lambda: mounts_below(real_path(one.place.path), read_mounts()), _ANSWER_WITHIN)
        except (TimeoutError, OSError, CensusError):
            # It is away as a whole; until it is back, what was known is as good as anything.
            return {path: judged.why for (path, _), judged in one.own.items() if judged.why}
        own = {key for key in mounts.items() if key[0] not in one.identity.mounts}
        for gone in one.own.keys() - own:
            del one.own[gone]
        now = time.monotonic()
        for key in own:
            judged = one.own.get(key)
            if judged is None or (judged.why and now >= judged.again_at):
                one.own[key] = _Judged(self._judge(one, key[0]), now + _JUDGE_AGAIN)
        return {path: judged.why for (path, _), judged in one.own.items() if judged.why}

    def _judge(self, one: _Accepted, path: str) -> str | None:
        """What speaks against what is mounted somewhere below a root; None if nothing does."""
        with self._catalogue.transaction() as cursor:
            sample = content.sample(cursor, one.repository_id, path, _SAMPLE)
        if not sample:
            return "something is mounted there on this host only, and nothing is on record to compare it with"
        try:
            looks = one.disk.run(lambda: _look_for(one.place, sample), _ANSWER_WITHIN)
        except (TimeoutError, OSError, CensusError):
            return f"something is mounted there on this host only, and did not answer within {_ANSWER_WITHIN:g} s"
        reason = judge(looks)
        return f"something else is mounted there on this host: {reason}" if reason else None

    def _accept(self, place: Place, records: dict[str, RepositoryRecord], given_up: Callable[[], bool]) -> _Accepted:
        record = records.get(place.name)
        if record is None:
            known = ", ".join(sorted(records)) or "none"
            raise CensusError(
                f"{place.name} is not in the catalogue (there: {known}): start the daemon that looks after it first, "
                "with the same name and the same database"
            )
        if record.state is RepositoryState.RETIRED:
            raise CensusError(f"{place.name} is retired: no daemon looks after it any more")
        if record.identity is None:
            raise CensusError(f"{place.name} is in the catalogue, but its root was never seen: start its daemon first")
        identity = RootIdentity(**record.identity)
        samples = self._samples(record, identity)
        disk = Errands("a disk", 1)
        try:
            seen = disk.run(lambda: _look(place, identity, samples), _ACCEPTED_WITHIN, given_up)
        except TimeoutError:
            raise RootOfflineError(f"{place.path}: the disk did not answer within {_ACCEPTED_WITHIN:g} s") from None
        return _Accepted(place, record.id, seen, disk)

    def _samples(self, record: RepositoryRecord, identity: RootIdentity) -> dict[str, Sample]:
        """Some files of each file system in the repository."""
        with self._catalogue.transaction() as cursor:
            return {path: content.sample(cursor, record.id, path, _SAMPLE) for path in (ROOT, *identity.mounts)}

    @staticmethod
    def _why_away(one: _Accepted) -> str | None:
        place = one.place
        try:
            seen = one.disk.run(lambda: look_at_root(place.path, place.marker), _ANSWER_WITHIN)
        except (TimeoutError, CensusError):
            return f"the disk did not answer within {_ANSWER_WITHIN:g} s"
        if isinstance(seen, Problem):
            return seen.detail
        # Whether it may be empty is the daemon's concern: what is missing there is not scanned here.
        return difference(one.identity, seen, files_on_record=False)


def _look(place: Place, known: RootIdentity, samples: dict[str, Sample]) -> RootIdentity:
    """What makes the root at a place this root; raises unless it is the repository's."""
    seen = look_at_root(place.path, place.marker)
    if isinstance(seen, Problem):
        raise RootOfflineError(f"{place.path} is not {place.name}: {seen.detail}")
    if not _is_the_same(known, seen):
        if seen.identity.marker is False:
            raise RootOfflineError(f"{place.path} is not {place.name}: the marker file {place.marker} is not there")
        _compare(place, samples)
    # Whatever else is mounted in it here is none of the repository's business.
    return replace(seen.identity, mounts={p: fs for p, fs in seen.identity.mounts.items() if p in known.mounts})


def _compare(place: Place, samples: dict[str, Sample]) -> None:
    try:
        for path, sample in samples.items():
            reason = judge(_look_for(place, sample))
            if reason:
                raise RootOfflineError(f"{place.path}{'/' + path if path else ''} is not {place.name}: {reason}")
    except OSError as error:
        raise RootOfflineError(f"{place.path} is not {place.name}: {problem_of(error).detail}") from error


def _is_the_same(known: RootIdentity, seen: Root) -> bool:
    """Whether it is the very root that the daemon has seen, and not merely one that a marker vouches for."""
    return seen.identity.marker is None and difference(known, seen, files_on_record=True) is None


def _look_for(place: Place, sample: Sample) -> list[str]:
    """What became of files that were looked for; see ``judge``."""
    with Tree(place.path, _EVERYTHING) as tree:
        return [_look_at(tree, *one) for one in sample]


def _look_at(tree: Tree, directory: str, name: str, expected: Fingerprint) -> str:
    try:
        with opened(tree, directory, name) as file:
            version = (expected.size, expected.mtime_ns, expected.ctime_ns, expected.inode)
            return "same" if file.is_version(*version) else "other"
    except PermissionError:
        return "closed"
    except OSError:
        return "gone"


def judge(looks: Sequence[str]) -> str | None:
    """What speaks against a tree, from what became of files on record that were looked for in it; None if nothing.

    Args:
        looks: for each ``same``, ``other`` (another version, or another inode), ``closed`` or ``gone``. Half of them
            ``same`` is enough: files change.
    """
    found = Counter(looks)
    if 2 * found["same"] >= len(looks):
        return None
    worst = max(("gone", "closed", "other"), key=lambda what: found[what])
    of = f"of {len(looks)} files on record that were looked for in it, {found[worst]}"
    if worst == "gone":
        return f"{of} are not there"
    if worst == "closed":
        return f"{of} may not be read by this user"
    return (
        f"{of} have other inode numbers, times or sizes than the daemon sees; if it is the right tree, mount it in a "
        "way that keeps them, as NFS does"
    )
