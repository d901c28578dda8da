"""The dirty set: what has to be looked at in a repository, kept until it has been quiet for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from censusd.model import Scope
from censusd.watch.batch import Place
from censusd.watch.marks import Mark, Marks, scope_of


class DirtySet:
    """What has to be looked at in one repository, in bounded memory. Safe to use from several threads.

    A mark is due when nothing has happened to it for ``quiet`` seconds, or when it is ``max_latency`` seconds old. The
    two ends of a rename are due when the first of them is, so that they are looked at together and the move is seen.

    When there are too many marks, wider ones take their place (see ``Marks``). That loses one thing: that a file was
    closed after writing. It matters for a file whose stat is the same as before, and those a re-hash finds.

    Args:
        quiet: seconds without a new event before a mark is due. May be changed at any time.
        max_latency: seconds after which a mark is due however busy it is. May be changed at any time.
        names_per_directory: names in one directory beyond which the directory is listed instead.
        most_names: names in all directories beyond which the fullest directories are listed instead.
        most_directories: directories beyond which those with the most siblings are walked from their parent instead.
        rules_file: a name that says what holds in its directory and below; see ``Marks``. May be changed at any time.
        clock: seconds that never go back.
        on_first: called, without any lock held, when the set was empty and is not any more. While it is not empty, no
            new mark is due earlier than ``next_due`` said.
    """

    def __init__(
        self,
        *,
        quiet: float = 0.5,
        max_latency: float = 5.0,
        names_per_directory: int = 4_096,
        most_names: int = 50_000,
        most_directories: int = 10_000,
        rules_file: str = "",
        clock: Callable[[], float] = time.monotonic,
        on_first: Callable[[], None] = lambda: None,
    ) -> None:
        self.quiet = quiet
        self.max_latency = max_latency
        self._clock = clock
        self._on_first = on_first
        self._lock = threading.Lock()
        self._bounds = (names_per_directory, most_names, most_directories)
        self._marks = Marks(*self._bounds, rules_file)
        self._folds_before = 0

    @property
    def rules_file(self) -> str:
        """The name that says what holds in its directory and below."""
        return self._marks.rules_file

    @rules_file.setter
    def rules_file(self, name: str) -> None:
        with self._lock:
            self._marks.rules_file = name

    def add(self, directory: str, name: str, *, written: bool = False) -> None:
        """Something happened to ``name`` in ``directory``; ``written`` if a writer has closed it."""
        self.add_many({directory: {name: written}})

    def add_directory(self, directory: str) -> None:
        """Something happened in ``directory``: list it."""
        self.add_many({}, directories=(directory,))

    def add_subtree(self, path: str) -> None:
        """Something happened somewhere below ``path``: walk it."""
        self.add_many({}, subtrees=(path,))

    def add_scope(self, scope: Scope) -> None:
        """Put back what could not be looked at."""
        self.add_many(scope.names, directories=scope.directories, subtrees=scope.subtrees)

    def add_many(
        self,
        names: Mapping[str, Mapping[str, bool]],
        *,
        directories: Iterable[str] = (),
        subtrees: Iterable[str] = (),
        renames: Iterable[tuple[Place, Place]] = (),
    ) -> None:
        """Everything that happened at one instant.

        Args:
            names: directory -> names in it; True where a writer has closed the name.
            directories: to list.
            subtrees: to walk.
            renames: from where to where; both ends have to be marked, now or earlier.
        """
        with self._lock:
            marks = self._marks
            was_empty = not marks.by_first
            now = self._clock()
            marks.add_subtrees(subtrees, now)
            for directory in directories:
                marks.add_listing(directory, now)
            for directory, written in names.items():
                marks.add_names(directory, written, now)
            for origin, target in renames:
                marks.link(origin, target)
            marks.fold(now)
            woken = was_empty and bool(marks.by_first)
        if woken:
            self._on_first()

    def take_due(self, now: float | None = None) -> Scope:
        """Take out everything that is due.

        Args:
            now: seconds of the set's clock; the present if left out.
        """
        due: list[Mark] = []
        with self._lock:
            at = self._clock() if now is None else now
            marks = self._marks
            while marks.by_last and (mark := next(iter(marks.by_last))).last + self.quiet <= at:
                marks.remove(mark, due)
            while marks.by_first and (mark := next(iter(marks.by_first))).first + self.max_latency <= at:
                marks.remove(mark, due)
        return scope_of(due)

    def take_all(self) -> Scope:
        """Take out everything, due or not."""
        with self._lock:
            marks = list(self._marks.by_first)
            self._folds_before += self._marks.folds
            self._marks = Marks(*self._bounds, self._marks.rules_file)
        return scope_of(marks)

    def next_due(self) -> float | None:
        """When something will be due, in seconds of the set's clock, if nothing more happens; None if it is empty."""
        with self._lock:
            if not self._marks.by_first:
                return None
            quiet_longest = next(iter(self._marks.by_last))
            oldest = next(iter(self._marks.by_first))
            return min(quiet_longest.last + self.quiet, oldest.first + self.max_latency)

    def oldest_age(self) -> float:
        """For how many seconds the oldest mark has been waiting; 0 if there is none."""
        with self._lock:
            first = next(iter(self._marks.by_first), None)
            return max(0.0, self._clock() - first.first) if first is not None else 0.0

    @property
    def folds(self) -> int:
        """How often marks became fewer, wider ones to keep memory bounded."""
        with self._lock:
            return self._folds_before + self._marks.folds

    def __len__(self) -> int:
        """How many marks there are: names, directories to list and subtrees to walk."""
        with self._lock:
            return len(self._marks.by_first)
