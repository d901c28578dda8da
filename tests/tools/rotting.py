"""Files whose content changes and whose stat does not."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Mapped:
    """A file that is mapped into memory, shared and writable, and whose page is dirty.

    A store into such a page changes the file and none of its times (mmap(2)): as far as a stat can tell, it has rotted.
    Whoever closes it is reported by the kernel; who does that without anybody watching is not.

    Args:
        path: of a file that is not empty and fits a page.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        # The first store makes the page dirty, and the times change for the last time.
        self._memory[0] = self._memory[0]
        self._stat = path.stat()

    def store(self, content: bytes) -> None:
        """Have the file begin with other bytes."""
        before = self.path.stat()
        self._memory[: len(content)] = content
        after = self.path.stat()
        assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns), "it was written back"

    def close(self) -> None:
        """Let go of it."""
        self._memory.close()


@contextmanager
def mapped(path: Path) -> Iterator[Mapped]:
    """A mapped file."""
    made = Mapped(path)
    try:
        yield made
    finally:
        made.close()
