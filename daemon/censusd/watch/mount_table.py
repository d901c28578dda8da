"""The kernel's word that something was mounted or unmounted, which inotify does not give.

A file system that is unmounted while somebody has a file of it open sends no event, nor does one that is shown at a
second place, or anything that is mounted. But /proc/self/mountinfo can be waited for: poll(2) returns POLLPRI each time
that the table of mounts has changed since the last time, see proc_pid_mountinfo(5) and proc_pid_mounts(5).
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from censusd.errors import WatchError

_log = logging.getLogger(__name__)

_MOUNT_TABLE: Final = Path("/proc/self/mountinfo")
_AGAIN_AFTER_MS: Final = 250
"""A host that starts containers changes its mounts many times a second; every root is looked at after each change."""


class MountTableWatch:
    """Tells of every change of this process's mounts, in a thread of its own.

    Args:
        on_change: called after one or several changes, a few times a second at most.

    Raises:
        WatchError: the table of mounts cannot be had.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        try:
            self._table_fd = os.open(_MOUNT_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise WatchError(f"cannot watch {_MOUNT_TABLE}: {error.strerror}") from error
        self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="mounts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it. To be called once, after ``start``."""
        os.eventfd_write(self._stop_fd, 1)
        self._thread.join()
        os.close(self._table_fd)
        os.close(self._stop_fd)

    def _run(self) -> None:
        stop, either = select.poll(), select.poll()
        stop.register(self._stop_fd, select.POLLIN)
        either.register(self._stop_fd, select.POLLIN)
        either.register(self._table_fd, select.POLLPRI)
        while self._stop_fd not in dict(either.poll()):
            try:
                self._on_change()
            except Exception:  # noqa: BLE001 - nobody else would hear of later changes, either
                _log.exception("what follows from a change of the mounts could not be done")
            if stop.poll(_AGAIN_AFTER_MS):
                return
