"""A repository's watch: which way of watching serves it, and keeping it in step with the passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from censusd.errors import WatchError
from censusd.filesystem.identity import Root
from censusd.filesystem.mounts import Mount
from censusd.filesystem.names import bytes_of, text_of
from censusd.model import ROOT, Scope
from censusd.watch.debounce import DirtySet
from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.fanotify_kernel import FanotifyRefusedError
from censusd.watch.inotify import InotifyEmitter
from censusd.watch.observer import DirtySetHandler, RepositoryObserver
from censusd.watch.tier import AUTO, Tier, TierDecision, choose, with_fanotify, without_fanotify
from censusd.watch.watcher import Watcher, WatchStats

OFF: Final = "off"
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class WatchRules:
    """How changes in one repository are noticed.

    Attributes:
        wanted: ``auto``, ``fanotify``, ``inotify``, ``poll`` or ``off``.
        debounce: seconds that a place has to be quiet.
        max_latency: seconds that a busy place waits at most.
        poll_interval: seconds between passes where there are no events.
        cookie_directory: a private directory for the barrier's cookies.
    """

    wanted: str = "auto"
    debounce: float = 0.5
    max_latency: float = 5.0
    poll_interval: float = 300.0
    cookie_directory: Path = Path("/run/censusd/cookies")


class Watching:
    """The watch of one repository, from the moment its root is known.

    Args:
        rules: how changes are noticed.
        root: the root as it is.
        mounts: what is mounted below it and belongs to the repository, by relative path.
        dirty_set: where the marks go.
        on_root_changed: called when something happened to the root, or to the watch as a whole.
        on_overflow: called when events were lost.
        put_off: why everything is to be polled for now, whatever is wanted; or empty.

    Attributes:
        decision: which way is in force, and why.
        complete: whether a complete pass has covered every directory since the watch was set up.
        refused: whether there is no watch although one is wanted, which may be otherwise another time.
    """

    def __init__(
        self,
        rules: WatchRules,
        root: Root,
        mounts: Mapping[str, Mount],
        dirty_set: DirtySet,
        *,
        on_root_changed: Callable[[str], None],
        on_overflow: Callable[[], None],
        put_off: str = "",
    ) -> None:
        self.rules = rules
        self.complete = self.refused = False
        self._fitting = self.decision, self._polled = _decide(rules, root, mounts)
        self._observer: RepositoryObserver | None = None
        if put_off and self.watches:
            self._poll_for_now(put_off)
            return
        handler = DirtySetHandler(
            dirty_set, on_overflow=on_overflow, on_root_changed=on_root_changed, on_failure=on_root_changed
        )
        try:
            self._observer = self._with_fanotify(root, handler)
            if self.watches and not self._observer:
                self._observer = self._observe(root, handler, InotifyEmitter)
        except WatchError as error:
            self._poll_for_now(str(error))

    @property
    def watches(self) -> bool:
        """Whether the kernel's events are used."""
        return self.rules.wanted != OFF and self.decision.tier.watches

    @property
    def polled(self) -> Scope:
        """What has to be looked at at short intervals, because there are not all events of it."""
        if self.rules.wanted == OFF:
            return Scope()
        stats = self.stats()
        if stats is None or stats.uncovered > 0 or not stats.running:
            return Scope.whole()
        return Scope(subtrees=self._polled)

    @property
    def polls(self) -> bool:
        """Whether there is anything of that."""
        return bool(self.polled)

    @property
    def name(self) -> str:
        """The way in force, as status and metrics show it."""
        return OFF if self.rules.wanted == OFF else str(self.decision.tier)

    @property
    def watcher(self) -> Watcher | None:
        """The watch itself, if there is one."""
        return self._observer.watcher if self._observer is not None and self.watches else None

    def suits(self, root: Root, mounts: Mapping[str, Mount]) -> bool:
        """Whether changes would be noticed in the same way if the watch were set up now."""
        return self.refused or _decide(self.rules, root, mounts) == self._fitting

    def stats(self) -> WatchStats | None:
        """How the watch stands; None where there is none."""
        watcher, observer = self.watcher, self._observer
        if watcher is None or observer is None:
            return None
        stats = watcher.stats()
        if observer.is_alive():
            return stats
        # It reads what the kernel tells, and nobody hears of it.
        return replace(
            stats, running=False, failure=stats.failure or "the thread that passes on what it tells has ended"
        )

    def stop(self) -> None:
        """Stop watching. May be called twice."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None

    def _poll_for_now(self, why: str) -> None:
        self.decision, self.refused = TierDecision(Tier.POLL, why), True

    def _with_fanotify(self, root: Root, handler: DirtySetHandler) -> RepositoryObserver | None:
        """The watch by fanotify, where that is wanted and can be had; whether it is what was decided is put right."""
        wanted = self.rules.wanted
        if not (wanted == Tier.FANOTIFY or (wanted == AUTO and self.watches)):
            return None
        try:
            observer = self._observe(root, handler, FanotifyEmitter)
        except FanotifyRefusedError as refusal:
            # Who has not granted what it takes does not miss it.
            if refusal.granted or wanted == Tier.FANOTIFY:
                self.decision = without_fanotify(self.decision, wanted, str(refusal))
            return None
        self.decision = with_fanotify(self.decision, wanted)
        return observer

    def _observe(self, root: Root, handler: DirtySetHandler, emitter: type[InotifyEmitter]) -> RepositoryObserver:
        observer = RepositoryObserver(
            text_of(bytes(root.path)),
            handler,
            to_text=text_of,
            to_bytes=bytes_of,
            cookie_directory=str(self.rules.cookie_directory),
            emitter=emitter,
        )
        observer.start()
        return observer


def _decide(rules: WatchRules, root: Root, mounts: Mapping[str, Mount]) -> tuple[TierDecision, tuple[str, ...]]:
    """How a repository is watched, and which subtrees of it have to be polled all the same."""
    if rules.wanted == OFF:
        why = "switched off in the configuration: changes are found at reconciliations only"
        return TierDecision(Tier.POLL, why), ()
    decision = choose(root.mount.type, rules.wanted)
    if decision.tier.polls:
        return decision, (ROOT,)
    polled = {path: mount for path, mount in mounts.items() if choose(mount.type).tier.polls}
    if not polled or rules.wanted not in {AUTO, Tier.FANOTIFY}:
        return decision, ()
    what = ", ".join(f"{path} ({mount.type})" for path, mount in islice(polled.items(), _MOST_NAMED))
    more = f" and {len(polled) - _MOST_NAMED} more" if len(polled) > _MOST_NAMED else ""
    verb = "are other file systems" if len(polled) > 1 else "is another file system"
    return TierDecision(Tier.HYBRID, f"{what}{more} {verb} without all events, and polled"), tuple(polled)
