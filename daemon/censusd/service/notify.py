"""What systemd is told: readiness, status, reloads, and that the loops are alive. See sd_notify(3)."""

from __future__ import annotations

import os
import time
from typing import Final

import sdnotify

from censusd.service.log import visible

_LONGEST: Final = 2048
"""Bytes of a status. systemd throws a message of more than 4096 away (NOTIFY_BUFFER_MAX), and complains each time."""


class Notifier:
    """Speaks to systemd, if systemd started the process; else it is silent.

    Attributes:
        watchdog_seconds: how often systemd wants to hear that all is well, or None.
    """

    def __init__(self) -> None:
        self._systemd = sdnotify.SystemdNotifier()
        self._status = ""
        # systemd names the process it means, in case the variables reach a child.
        interval = int(os.environ.get("WATCHDOG_USEC") or 0)
        meant = int(os.environ.get("WATCHDOG_PID") or os.getpid()) == os.getpid()
        self.watchdog_seconds = interval / 2_000_000 if interval and meant else None

    def ready(self) -> None:
        """Start-up, or a reload, is over."""
        self._systemd.notify("READY=1")

    def reloading(self) -> None:
        """A reload begins. One datagram, since the time must be that of this very state."""
        self._systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end begins."""
        self._systemd.notify("STOPPING=1")

    def alive(self) -> None:
        """Every loop has proved that it is alive."""
        self._systemd.notify("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        if text != self._status:
            self._status = text
            encoded = visible(text).encode("utf-8", "backslashreplace")
            if len(encoded) > _LONGEST:
                encoded = encoded[:_LONGEST].decode("utf-8", "ignore").encode() + "…".encode()
            # sdnotify writes Latin-1, and swallows it if that is not possible; systemd wants UTF-8.
            self._systemd.notify("STATUS=" + encoded.decode("latin-1"))
