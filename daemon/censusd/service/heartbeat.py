"""Which loops have proved that they are alive, and which of the others are merely waiting for a disk or a database.

A loop that waits in the kernel for a hung file system or a hung database is stuck through no fault of its own: killing
the daemon would not help it, and would harm the repositories that are well. A loop that waits for a lock, or spins,
without ever coming round is our own fault: then the watchdog is not fed, and systemd starts the daemon again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_FUTEX: Final = frozenset({"202", "98", "422"})  # x86-64, aarch64 and riscv64, and futex_time64 of 32-bit systems
_PATIENCE: Final = 60.0
_WORTH_SAYING: Final = 10.0
"""Seconds without an answer after which people are told."""


@dataclass(slots=True)
class Loop:
    """One loop and its last sign of life.

    Attributes:
        name: for status and metrics.
        thread: kernel id of the thread that runs it, once it has given a sign.
        last: monotonic seconds of that sign.
        silence: for how many seconds it had waited for a disk in vain by then, though it could give signs meanwhile.
    """

    name: str
    thread: int | None = None
    last: float = field(default_factory=time.monotonic)
    silence: float = 0.0

    def beat(self, silence: float = 0.0) -> None:
        """Give a sign of life; from whichever thread is at work."""
        self.thread = threading.get_native_id()
        self.last = time.monotonic()
        self.silence = silence

    @property
    def age(self) -> float:
        """Seconds since the last sign."""
        return time.monotonic() - self.last

    @property
    def unanswered(self) -> float:
        """Seconds for which it has waited, if it waits for anything outside the process."""
        return self.age + self.silence


class Heartbeats:
    """Every loop of the process.

    Args:
        patience: seconds without a sign after which a loop is looked at.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._loops: dict[str, Loop] = {}

    def add(self, name: str) -> Loop:
        """A new loop; it has to give signs from now on."""
        with self._lock:
            return self._loops.setdefault(name, Loop(name))

    def remove(self, name: str) -> None:
        """A loop that has ended as it should."""
        with self._lock:
            self._loops.pop(name, None)

    def loops(self) -> list[Loop]:
        """Every loop there is."""
        with self._lock:
            return list(self._loops.values())

    def hung(self) -> list[Loop]:
        """Loops that gave no sign for too long and are not waiting for anything outside the process."""
        return [loop for loop in self.loops() if loop.age > self._patience and not waits_outside(loop.thread)]

    def waiting(self) -> list[Loop]:
        """Loops that wait for a disk or the database that have not answered for a while."""
        patience = min(self._patience, _WORTH_SAYING)
        return [
            loop
            for loop in self.loops()
            if loop.silence > _WORTH_SAYING or (loop.age > patience and waits_outside(loop.thread))
        ]


def waits_outside(thread: int | None) -> bool:
    """Whether a thread of this process is inside a system call other than a wait for another thread.

    From /proc/self/task/TID/syscall, see proc_pid_syscall(5): ``running``, or the call's number first.
    """
    if thread is None:
        return False
    try:
        first = Path(f"/proc/self/task/{thread}/syscall").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError):
        return False
    return first.lstrip("-").isdigit() and first not in _FUTEX
