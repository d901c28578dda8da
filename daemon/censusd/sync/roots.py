"""Whether a repository's root may be touched: its identity on record against what is there now."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from censusd.catalogue import directories, files, repositories
from censusd.catalogue.repositories import RepositoryRecord
from censusd.errors import RootOfflineError
from censusd.filesystem.identity import RootIdentity, device_now, difference, look_at_root
from censusd.filesystem.mounts import PSEUDO_FILESYSTEMS, mounts_below, native, read_mounts, real_path
from censusd.model import KnownDirectory, Problem, RepositoryState
from censusd.sync.context import Repository, Rules


class RootGuard:
    """Knows the root on record, and says whether it is still there.

    Args:
        repository: whose root.
        accept: take what is there now for the root, because an operator says so.
        remounted: whether anything may have been mounted anew since it was looked at last.

    Raises:
        RootOfflineError: it is not there; the catalogue says so from now on.
    """

    def __init__(self, repository: Repository, *, accept: bool = False, remounted: bool = False) -> None:
        self._repository = repository
        with repository.catalogue.transaction() as cursor:
            self.record = repositories.status(cursor, repository.id)
            self._files_on_record = files.any_present(cursor, repository.id)
        seen = look_at_root(repository.rules.root, repository.rules.marker)
        if isinstance(seen, Problem):
            self._offline(f"{repository.rules.root}: {seen.detail}")
        known = _identity_of(self.record)
        self.known = seen.identity if known is None or accept else known
        reason = difference(self.known, seen, files_on_record=self._files_on_record and not accept)
        if reason is not None:
            self._offline(f"{repository.rules.root}: {reason}")
        self.root = seen
        self._adopt(known, remounted=remounted)

    def check(self) -> None:
        """Look again, now.

        Raises:
            RootOfflineError: the root is not the one on record any more.
        """
        rules = self._repository.rules
        seen = look_at_root(rules.root, rules.marker)
        if isinstance(seen, Problem):
            raise RootOfflineError(f"{rules.root}: {seen.detail}")
        reason = difference(self.known, seen, files_on_record=not self.root.empty)
        if reason is not None:
            raise RootOfflineError(f"{rules.root}: {reason}")

    def settle(self, *, whole: bool) -> None:
        """After a reconcile: the mounts whose directories are on record belong to the identity from now on.

        Args:
            whole: whether it was a complete pass, after which those that are not on record any more are forgotten.
        """
        repository, known = self._repository, self.known.mounts
        # A pass takes long; a shorter look may save itself another one.
        seen = look_at_root(repository.rules.root, repository.rules.marker) if whole else self.root
        if isinstance(seen, Problem) or (not whole and seen.identity.mounts.keys() <= known.keys()):
            return
        with repository.catalogue.transaction() as cursor:
            listed = directories.by_path(cursor, repository.id, list(seen.identity.mounts))
        mounts = {
            path: filesystem
            for path, filesystem in seen.identity.mounts.items()
            if path in listed and (path in known or self._is_at(path, listed[path]))
        }
        identity = replace(self.root.identity, mounts=mounts) if whole else replace(self.known, mounts=known | mounts)
        if identity != self.known:
            self.known = identity
            with repository.catalogue.transaction() as cursor:
                repositories.begin_write(cursor, repository.lease)
                repositories.set_identity(cursor, repository.lease, identity)

    def hidden_paths(self) -> frozenset[str]:
        """Directories that never belong to the repository: mounts of other kinds, or all mounts if it keeps to one.

        Raises:
            RootOfflineError: the root has gone since it was looked at.
        """
        rules = self._repository.rules
        try:
            mounts = mounts_below(real_path(rules.root), read_mounts())
        except OSError as error:
            raise RootOfflineError(f"{rules.root}: {error.strerror}") from error
        return frozenset(
            path for path, mount in mounts.items() if not rules.cross_mounts or mount.type in PSEUDO_FILESYSTEMS
        )

    def _is_at(self, path: str, record: KnownDirectory) -> bool:
        """Whether the directory that is at a path now, on whatever is mounted there, is the one that was listed."""
        return device_now(self._repository.rules.root / native(path), record.inode, 0) == record.device

    def _adopt(self, known: RootIdentity | None, *, remounted: bool) -> None:
        """Record what is new about a root that is accepted."""
        repository, now = self._repository, self.root.identity
        is_new_number = known is not None and known.device != now.device
        renumbered = self._renumbered() if remounted or is_new_number else {}
        if self.record.state != RepositoryState.OFFLINE and known == self.known and not (renumbered or is_new_number):
            return
        with repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, repository.lease)
            directories.renumber(cursor, repository.id, renumbered)
            self.known = replace(self.known, device=now.device, mounts={} if known is None else self.known.mounts)
            repositories.set_identity(cursor, repository.lease, self.known)
            if self.record.state == RepositoryState.OFFLINE:
                repositories.set_state(cursor, repository.lease, RepositoryState.ACTIVE)

    def _renumbered(self) -> dict[int, int]:
        """Device numbers on record -> those that the same file systems have by now, where they differ.

        Not only the root's: what is mounted below it has one of its own, and so has each subvolume of a Btrfs.
        """
        repository = self._repository
        with repository.catalogue.transaction() as cursor:
            tops = directories.tops(cursor, repository.id)
        root = repository.rules.root.resolve()  # which may be named through symlinks, unlike what is below it
        found: defaultdict[int, set[int]] = defaultdict(set)
        for path, device, inode, birth in tops:
            now = device_now(root / native(path), inode, birth)
            found[device].update(() if now is None else {now})
        renumbered = {old: min(now) for old, now in found.items() if len(now) == 1 and now != {old}}
        # What is gone must not be taken for what has got its number.
        return {old: 0 for old in found if not found[old] and old in renumbered.values()} | renumbered

    def _offline(self, reason: str) -> NoReturn:
        with self._repository.catalogue.transaction() as cursor:
            repositories.begin_write(cursor, self._repository.lease)
            repositories.set_state(cursor, self._repository.lease, RepositoryState.OFFLINE, reason)
        raise RootOfflineError(reason)


@dataclass(frozen=True, slots=True)
class RecordedRoot:
    """What the catalogue has of a repository's root, for looking at it often without asking the database.

    Attributes:
        identity: what makes it this root; None if it was never seen.
        files: whether there are present files on record.
    """

    identity: RootIdentity | None
    files: bool

    @classmethod
    def of(cls, repository: Repository) -> RecordedRoot:
        """The root on record now.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        with repository.catalogue.transaction() as cursor:
            identity = _identity_of(repositories.status(cursor, repository.id))
            return cls(identity, files.any_present(cursor, repository.id))

    def why_offline(self, rules: Rules) -> str | None:
        """Why what is at the root now may not be touched; None if it may."""
        seen = look_at_root(rules.root, rules.marker)
        if isinstance(seen, Problem):
            return f"{rules.root}: {seen.detail}"
        reason = difference(self.identity or seen.identity, seen, files_on_record=self.files)
        return f"{rules.root}: {reason}" if reason else None


def _identity_of(record: RepositoryRecord) -> RootIdentity | None:
    stored: dict[str, Any] | None = record.identity
    return RootIdentity(**stored) if stored else None
