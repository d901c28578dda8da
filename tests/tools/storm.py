"""Changes that never stop, and ways to hold a worker at a point of a pass."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.tools.living import DEADLINE
from tests.tools.operations import Operations
from tests.tools.world import dice


class Storm:
    """Random operations on a tree in a thread of their own, from ``with`` to the end of it.

    Args:
        root: the tree.
        outside: a directory on the same file system that is not watched.
        seed: what the operations are.

    Attributes:
        count: how many there were.
    """

    def __init__(self, root: Path, outside: Path, seed: int) -> None:
        outside.mkdir(exist_ok=True)
        operations = Operations(root, outside, dice(seed))
        self._choose = dice(seed + 1_000_000)
        # What a file's other names do to it is reported to nobody once they are hidden, or gone before they were seen.
        self._operations = [each for each in operations.all if each.__name__ != "link"]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="storm")
        self.count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError):  # a tree may have become too deep for its paths
                self._choose(self._operations)()
            self.count += 1


class Gate:
    """Holds the worker that calls it as ``beat``, and lets it go on beat by beat."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._open = True
        self._permits = 0
        self._held = False

    def __call__(self, _silence: float = 0.0, /) -> None:
        with self._condition:
            self._held = True
            self._condition.notify_all()
            assert self._condition.wait_for(lambda: self._open or self._permits > 0, DEADLINE)
            self._held = False
            self._permits = max(0, self._permits - 1)

    def close(self) -> None:
        """Hold whoever comes next."""
        with self._condition:
            self._open = False

    def open(self) -> None:
        """Hold nobody any more."""
        with self._condition:
            self._open = True
            self._condition.notify_all()

    def step(self) -> None:
        """Let the worker come, if it is not there, and go on by one beat."""
        with self._condition:
            assert self._condition.wait_for(lambda: self._held and not self._permits, DEADLINE)
            self._permits = 1
            self._condition.notify_all()
