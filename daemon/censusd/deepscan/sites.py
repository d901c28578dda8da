"""The repositories that are scanned, as the scanner sees them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from censusd.catalogue.deep_queue import ClaimedFile, QueuedRepository
from censusd.catalogue.rehash import FROM_THE_FIRST
from censusd.deepscan.messages import Finding
from censusd.deepscan.upgrade import Upgrade
from censusd.model import EVERYTHING, UNASKED, Counts, OperationType, Places, RepositoryState, Trigger

_LONGEST_STRETCH: Final = 300.0
_LOOK_AGAIN: Final = 15.0
_REST_PER_LOOK: Final = 50.0
_SHUNNED_FOR: Final = 600.0
_MOST_SHUNNED: Final = 1000
OPEN: Final = frozenset({RepositoryState.ACTIVE, RepositoryState.HELD})
"""States in which a repository's files may be looked at."""

_LARGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class SiteRules:
    """How one repository is deep-scanned.

    Attributes:
        name: the repository's name.
        root: absolute path of its root, as catalogue text.
        places: where files are looked at without anybody asking, if somebody asks, or never.
        first: directories, relative, that come before all others, in order.
        rehash_per_day: bytes that are read again each day to see whether they are still what they were; 0 for none.
        settles: seconds after which a change on disk is on record, if it was noticed.
    """

    name: str
    root: str
    places: Places = EVERYTHING
    first: tuple[str, ...] = ()
    rehash_per_day: int = 0
    settles: float = 10.0

    @property
    def automatic(self) -> bool:
        """Whether any of its files are looked at without anybody asking."""
        return self.places.has(UNASKED)


@dataclass(slots=True)
class Stretch:
    """A time of work on one repository: one row of the journal, and one line of the log when it is over.

    Attributes:
        type: whether files are looked at for the first time or again.
        trigger: why.
        scope: what is looked at, for people.
        operation_id: its row in the journal, once there is one.
        counts: what was done.
        began: monotonic seconds, when the first of its files were claimed.
        last: monotonic seconds of the last batch.
    """

    type: OperationType
    trigger: Trigger
    scope: str
    operation_id: int = 0
    counts: Counts = field(default_factory=Counts)
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    @property
    def is_long(self) -> bool:
        """Whether it is time for another row."""
        return time.monotonic() - self.began > _LONGEST_STRETCH


@dataclass(slots=True)
class Lane:
    """A way through a repository's queue, from the last change to the first.

    Attributes:
        below: only what is in these directories; None for everything.
        file: only this row.
        after: the change number before which nothing is looked for, because there was nothing a moment ago.
        until: the change number that it has come to.
        empty_at: the repository's change number when nothing was left; None while there may be something.
        again_at: monotonic seconds after which there may be something again, because time has passed.
        since: where content is read again, from the longest unread on: the time of the last reading come to.
    """

    below: tuple[str, ...] | None = None
    file: int | None = None
    after: int = -1
    until: int = _LARGEST
    empty_at: int | None = None
    again_at: float = 0.0
    since: str = FROM_THE_FIRST

    def restart(self) -> None:
        """Begin again with the last change."""
        self.after, self.until, self.empty_at = -1, _LARGEST, None

    def has_more(self, change_number: int, now: float, *, again: bool) -> bool:
        """Whether it is worth looking for files.

        Args:
            change_number: of the repository.
            now: monotonic seconds.
            again: also if nothing has changed since there were none, but some time has passed.
        """
        if self.empty_at is not None:
            if again and now >= self.again_at:
                self.restart()
            elif change_number != self.empty_at:
                # However much there is that may not be looked at, it is not gone through for each change.
                self.after, self.until, self.empty_at = self.empty_at, _LARGEST, None
        return self.empty_at is None

    def close(self, change_number: int, seconds: float) -> None:
        """Nothing is left, as of a change number of the repository; to find that out took so many seconds."""
        if self.after < 0:
            self.again_at = time.monotonic() + max(_LOOK_AGAIN, _REST_PER_LOOK * seconds)
        self.empty_at = change_number


@dataclass(slots=True)
class Result:
    """A file that was claimed, and what became of it.

    Attributes:
        file: the file.
        finding: what its worker said; None if that ended over it.
        why: how it ended.
    """

    file: ClaimedFile
    finding: Finding | None
    why: str = ""


@dataclass(slots=True)
class Site:
    """One repository.

    Attributes:
        rules: how it is scanned.
        record: its row, as it was a moment ago; None while there is none.
        seen: the change number up to which recent changes were looked at; None before the first look.
        compared: the change number up to which missing files were looked for elsewhere.
        compare_after: monotonic seconds before which that is not done again, because nobody wanted to know.
        lanes: the backlog, by priority: what comes first, and everything.
        rest: seconds for which its disk was left alone last, because it did not answer; 0 if it has answered since.
        rest_until: monotonic seconds until which it is left alone.
        shunned: row of a file -> monotonic seconds until which it is left to others.
        stretches: the work that is under way, by type and trigger.
        rehash_after: monotonic seconds before which there is nothing to be read again, or no budget for it.
        rolling: how far the way from the longest unread file on has come, without anybody asking.
        rolling_until: monotonic seconds after which it begins anew.
        waited: seconds that the oldest of its files has waited, when that was asked last.
        ask_after: monotonic seconds before which that is not asked again, because it takes long.
        is_current: whether everything was looked at by what looks at files now, or waits to be.
        upgrade: how far the search for what was not has come.
    """

    rules: SiteRules
    record: QueuedRepository | None = None
    seen: int | None = None
    compared: int = -1
    compare_after: float = 0.0
    lanes: list[Lane] = field(default_factory=list)
    rest: float = 0.0
    rest_until: float = 0.0
    shunned: dict[int, float] = field(default_factory=dict)
    stretches: dict[tuple[OperationType, Trigger], Stretch] = field(default_factory=dict)
    rehash_after: float = 0.0
    rolling: Lane = field(default_factory=Lane)
    rolling_until: float = 0.0
    waited: float | None = None
    ask_after: float = 0.0
    is_current: bool = False
    upgrade: Upgrade | None = None

    def __post_init__(self) -> None:
        self.set_rules(self.rules)

    def set_rules(self, rules: SiteRules) -> None:
        """Scan it by other rules from now on."""
        if rules.root != self.rules.root:
            # What there was about the old place is no news of the new one.
            self.rest_until = 0.0
            self.shunned.clear()
        self.rules = rules
        self.lanes = [*(Lane((path,)) for path in rules.first), Lane()]
        self.rehash_after = self.rolling_until = self.ask_after = 0.0

    def restart(self) -> None:
        """Look for files from the last change on again."""
        for lane in self.lanes:
            lane.restart()

    def shun(self, file: int) -> None:
        """Leave a file to others for a while, because this process may not read it; if there are many, all of them."""
        now = time.monotonic()
        if len(self.shunned) >= _MOST_SHUNNED:
            self.shunned.clear()
            self.rest_until = now + _SHUNNED_FOR
        self.shunned[file] = now + _SHUNNED_FOR

    def left_to_others(self) -> list[int]:
        """The rows of files that are left to others at this moment."""
        now = time.monotonic()
        self.shunned = {file: until for file, until in self.shunned.items() if now < until}
        return list(self.shunned)

    def is_open(self, now: float) -> bool:
        """Whether its files may be looked at, as far as anybody knows."""
        if self.record is None or self.record.state not in OPEN:
            return False
        return now >= self.rest_until and self.is_begun

    @property
    def is_begun(self) -> bool:
        """Whether it was compared with what looks at files now, or that is under way."""
        return self.is_current or self.upgrade is not None
