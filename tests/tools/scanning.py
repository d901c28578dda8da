"""A deep scanner over a test's repository, and waiting for what it does."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from censusd.catalogue.connection import Catalogue
from censusd.deepscan.idle import IdleRules
from censusd.deepscan.scanner import Adopt, Scanner, ScanRules
from censusd.deepscan.sites import SiteRules
from censusd.filesystem.names import text_of

DEADLINE = 60.0
"""Seconds after which a test stops waiting and fails."""

NEVER_BUSY = IdleRules(cpu_pressure=1000, io_pressure=1000, cpu_busy=1000, quiet=0)
"""A machine that runs tests is busy; whether that holds the deep scan back is a test of its own."""

NEVER_IDLE = IdleRules(hours=(), quiet=10**9)
"""Only what is asked for, and what has just changed."""

RULES = ScanRules(workers=2, memory=1 << 30, urgent_nice=0, idle_nice=0, idle=NEVER_BUSY)


def site(root: Path, name: str = "library", **rules: Any) -> SiteRules:
    """How a repository is scanned."""
    return SiteRules(name, text_of(bytes(root)), **rules)


@contextmanager
def scanning(
    catalogue: Catalogue, *sites: SiteRules, rules: ScanRules = RULES, worker: str = "", adopt: Adopt | None = None
) -> Iterator[Scanner]:
    """A scanner at work."""
    scanner = Scanner(catalogue, rules, sites, worker or f"test {uuid.uuid4()}", adopt=adopt)
    scanner.start()
    try:
        yield scanner
    finally:
        scanner.stop()
        assert scanner.join(DEADLINE)


def wait_until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what or "it did not become true in time"
        time.sleep(0.02)


def sha256(path: Path) -> str:
    """The content hash of a file, by other means."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
