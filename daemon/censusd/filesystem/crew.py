"""A walk gives one ``Observation`` after the other, in bounded memory, to any depth, with as many cores as there are.

It begins in this process. A tree that takes longer than a moment is shared out to helper processes, because threads
would wait for each other's interpreter lock; this process then only puts the answers together, and a file system that
does not answer holds up a helper instead of the daemon.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from censusd.filesystem.helper import Helper, HelperFaultError
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.problems import problem_of
from censusd.filesystem.walk import Cover, Tree
from censusd.model import Listing, Observation, Problem, ProblemKind, join, split

MOST_HELPERS: Final = 4
"""More cores than this a disk hardly feeds, and the one who applies what was seen cannot take it in any faster."""

_REPLACEMENTS: Final = 4
_TICK: Final = 0.05
"""Seconds after which somebody who waits looks up whether he still should."""

_FILES_AT_ONCE: Final = 5_000
_DIRECTORY_AS_FILES: Final = 10
"""To open a directory takes as long as to look at this many files."""

_FEWEST_AT_ONCE: Final = 4
_MOST_AT_ONCE: Final = 256
_MOST_CHARACTERS: Final = 1 << 20
"""Of the paths in a request, which then fits a frame with one path more. A longer path is not sent at all."""


@dataclass(frozen=True, slots=True)
class Help:
    """On what terms a walk takes help.

    Attributes:
        most: how many helper processes; 0 for none, None for as many as there are cores to use, up to ``MOST_HELPERS``.
        after: seconds of listing in this process before they are called, who take half of that to start; 0 where the
            file system may not answer, so that nothing but a helper should ask it.
        patience: seconds without a sign of life until a helper counts as stuck and its directories as unseen, or twice
            as long. A slow disk gives many signs of life.
    """

    most: int | None = None
    after: float = 0.1
    patience: float = 30.0


class Walk:
    """Observes directories and everything below them, parents before their children. Use as a context manager.

    A directory that vanishes between its parent's listing and its own gives a ``VANISHED`` problem; whoever applies the
    observations ignores it, because the next look at the parent settles it.

    Args:
        root: absolute path of the repository's root.
        policy: what is left out.
        start: relative paths; one that lies below another is visited once.
        made_up: device numbers of file systems that make inode numbers up.
        cover: called with each directory, in this process, before it is listed.
        cancelled: asked before each listing, and many times a second while the helpers have nothing to say; the walk
            just ends when it says True.
        terms: how much help it takes, and when.
        fault: told of each helper that failed, in words for people. Nothing is lost by it.

    Attributes:
        silence: for how many seconds helpers have been waited for in vain.

    Raises:
        OSError: the root cannot be opened as a directory.
    """

    def __init__(
        self,
        root: Path,
        policy: IgnorePolicy,
        start: tuple[str, ...],
        *,
        made_up: frozenset[int] = frozenset(),
        cover: Cover | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        terms: Help | None = None,
        fault: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._tree = Tree(root, policy, made_up=made_up)
        self._policy = policy
        self._made_up = made_up
        self._stack = _outermost(start)
        self._cover = cover
        self._cancelled = cancelled
        self._terms = terms or Help()
        self._fault = fault
        self._ready: deque[Observation] = deque()
        self._helpers: list[Helper] = []
        self._spare = _REPLACEMENTS
        self._called = self._hangs = False
        self.silence = 0.0
        self._alone = 0.0
        self._files_each = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the helpers and close every descriptor. May be called twice."""
        for helper in self._helpers:
            helper.close()
        self._helpers.clear()
        self._tree.close()

    def __iter__(self) -> Iterator[Observation]:
        """Everything that is still to be observed."""
        while (observation := self._next()) is not None:
            yield observation

    def settle(self) -> Iterator[Observation]:
        """The directories that are being listed already; then nothing was observed that was not given to the caller."""
        while (observation := self._next(ask=False)) is not None:
            yield observation
        # The caller may take his time now, and what is open here be renamed meanwhile, or get other rules.
        self._tree.refresh()

    def _next(self, *, ask: bool = True) -> Observation | None:
        while True:
            if self._ready:
                return self._ready.popleft()
            if self._cancelled():
                return None
            if ask:
                self._call()
                self._ask()
            if any(helper.waiting for helper in self._helpers):
                self._wait(_TICK)
            elif self._ready:
                continue
            elif not (ask and self._stack):
                return None
            elif self._helpers and (self._hangs or not self._terms.after):
                self._wait(_TICK)
            else:
                self._wait(0.0)
                self._list_here(self._stack.pop())

    def _list_here(self, path: str) -> None:
        if self._hangs and not self._helpers:
            # What held up every helper would hold up the daemon now.
            self._got(_unanswered(path, self._terms.patience))
            return
        before = time.monotonic()
        self._got(self._tree.observe(path, self._cover))
        self._alone += time.monotonic() - before

    def _got(self, observation: Observation) -> None:
        self._ready.append(observation)
        seen = observation.seen
        if isinstance(seen, Listing):
            self._stack.extend(join(observation.path, name) for name, _ in reversed(seen.subdirectories))
            self._files_each += (seen.count - self._files_each) / 50

    # Helpers --------------------------------------------------------------------------------------------------------

    def _call(self) -> None:
        """Start the helpers, once it is clear that this will take a while."""
        worth = 2 if self._terms.after else 1
        if self._called or self._alone < self._terms.after or len(self._stack) < worth:
            return
        self._called = True
        most = self._terms.most
        for _ in range(min(len(os.sched_getaffinity(0)), MOST_HELPERS) if most is None else most):
            self._start()

    def _start(self) -> None:
        try:
            self._helpers.append(Helper(self._tree.root_fd, self._policy, self._made_up))
        except OSError as error:
            self._fault(f"a process to help listing cannot be started: {problem_of(error).detail}")

    def _ask(self) -> None:
        """Hand out directories, so many that a helper has enough to do while this process is busy elsewhere."""
        most = int(_FILES_AT_ONCE / (self._files_each + _DIRECTORY_AS_FILES))
        most = min(max(most, _FEWEST_AT_ONCE), _MOST_AT_ONCE)
        for helper in [helper for helper in self._helpers if helper.is_up and len(helper.waiting) <= most]:
            paths = self._pop(min(most, -(-len(self._stack) // len(self._helpers))))
            if not paths:
                continue
            helper.ask(paths)
            try:
                helper.send()
            except HelperFaultError as error:
                self._lose(helper, str(error))

    def _pop(self, most: int) -> list[str]:
        """The next directories to ask for, covered."""
        # What was open for the last ones may have been renamed since.
        self._tree.refresh()
        paths: list[str] = []
        characters = 0
        while self._stack and len(paths) < most and characters < _MOST_CHARACTERS:
            path = self._stack.pop()
            characters += len(path)
            if len(path) > _MOST_CHARACTERS:
                self._list_here(path)
            elif self._is_covered(path):
                paths.append(path)
        return paths

    def _is_covered(self, path: str) -> bool:
        if self._cover is not None:
            try:
                self._cover(path, self._tree.open(path)[0])
            except OSError as error:
                self._ready.append(Observation(path, problem_of(error)))
                return False
        return True

    def _wait(self, seconds: float) -> None:
        """Take what the helpers have to say, and wait for it so long at the most."""
        if not self._helpers:
            return
        poll = select.poll()
        for helper in self._helpers:
            poll.register(helper.answer_fd, select.POLLIN)
            if helper.has_unsent:
                poll.register(helper.request_fd, select.POLLOUT)
        before = time.monotonic()
        heard = {fd for fd, _ in poll.poll(seconds * 1000)}
        waited = time.monotonic() - before
        awaited = [helper for helper in self._helpers if helper.waiting or not helper.is_up]
        is_silent = awaited and not any(helper.answer_fd in heard for helper in self._helpers)
        self.silence = self.silence + waited if is_silent else 0.0
        for helper in list(self._helpers):
            try:
                if helper.answer_fd in heard:
                    helper.receive(self._take)
                elif helper.waiting or not helper.is_up:
                    helper.in_vain += waited
                if helper.request_fd in heard:
                    helper.send()
            except HelperFaultError as error:
                self._lose(helper, str(error))
            else:
                if helper.in_vain >= self._terms.patience and helper.is_stuck():
                    self._give_up(helper)

    def _take(self, path: str, observation: Observation | None) -> None:
        if observation is None:
            self._list_here(path)
        else:
            self._got(observation)

    def _lose(self, helper: Helper, why: str) -> None:
        """Do without a helper that failed, or with another one. Its directories are still to be listed."""
        self._stack.extend(reversed(helper.waiting))
        self._fault(f"a process that helped listing failed: {why}; its {len(helper.waiting)} directories are not lost")
        self._replace(helper)

    def _give_up(self, helper: Helper) -> None:
        """Do without a helper that does not come back from where it is, and without its directories."""
        self._ready.extend(_unanswered(path, self._terms.patience) for path in helper.waiting)
        self._fault(f"a process that helped listing is stuck; its {len(helper.waiting)} directories count as unseen")
        self._hangs = True
        self._replace(helper)

    def _replace(self, helper: Helper) -> None:
        self._helpers.remove(helper)
        helper.close()
        if self._spare:
            self._spare -= 1
            self._start()


def _outermost(start: tuple[str, ...]) -> list[str]:
    """The starting points that lie below no other one, the first last."""
    given = set(start)
    return [path for path in sorted(given, reverse=True) if not _lies_below_one(path, given)]


def _lies_below_one(path: str, given: Collection[str]) -> bool:
    while path:
        path, _ = split(path)
        if path in given:
            return True
    return False


def _unanswered(path: str, patience: float) -> Observation:
    detail = f"the file system has not answered for {patience:.0f} seconds"
    return Observation(path, Problem(ProblemKind.TIMEOUT, detail))
