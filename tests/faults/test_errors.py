"""Directories and files that the kernel refuses for a while: unreadable is not deleted."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final

import pytest

from tests.faults.arena import REPOSITORY, Arena, trials
from tests.faults.elsewhere import elsewhere
from tests.faults.workload import STAY
from tests.tools.private import privately
from tests.tools.tiny_fuse import mend, tiny_fuse
from tests.tools.waiting import until

KINDS = {"EIO": "io", "EACCES": "permission", "ESTALE": "stale", "ENOTCONN": "disconnected", "ETIMEDOUT": "timeout"}

OTHER: Final = "other"

FAILING: Final[dict[str, Any]] = {
    f"{error} of {call}": {"content": f"{error} {call}", f"{call}_error": getattr(errno, error)}
    for error in KINDS
    for call in ("open", "read")
}
"""Files that cannot be read for a while, each in its own way."""


@contextmanager
def refused(arena: Arena, call: str, error: str) -> Iterator[None]:
    """A system call of the daemon, or of whom it starts, on some directories fails while the block lasts."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    assert arena.daemon.process is not None
    # Not by way of links, which strace would follow.
    entries = sorted((entry.name, entry.path) for entry in os.scandir(arena.workload.root) if not entry.is_symlink())
    some = [path for name, path in entries if not name.startswith(b".") and name != STAY][:4]
    paths = [part for path in (os.path.join(arena.workload.root, STAY), *some) for part in ("-P", path)]
    command = ["strace", "-f", "-p", str(arena.daemon.process.pid), *paths, "-o", os.fspath(arena.place / "strace")]
    with subprocess.Popen(
        [*command, "-e", f"trace={call}", "-e", f"inject={call}:error={error}"], stderr=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stderr is not None
        try:
            # What it says of a directory that has become a link just now does not matter.
            said = next((line for line in tracer.stderr if "Requested path" not in line), "")
            if "attached" not in said:
                pytest.skip(f"the daemon cannot be traced here: {said.strip()}")
            yield
        finally:
            tracer.terminate()
            tracer.wait()


def problems(arena: Arena) -> dict[str, str]:
    """Path -> kind, of directories that cannot be read."""
    return dict(arena.query("SELECT path, problem_kind FROM directory_problems"))


def over(arena: Arena) -> None:
    """Wait until everything has repaired itself; the short form asks for it."""
    began = time.monotonic()
    if not arena.trial.long:
        arena.daemon.ctl("scan", "--wait", REPOSITORY)
    until(lambda: not problems(arena), lambda: f"{problems(arena)}", within=180)
    arena.note = f"no problem left after {time.monotonic() - began:.0f} s, by itself" if arena.trial.long else ""


def each(arena: Arena, call: str, what: str) -> None:
    """One error after the other; some of them in the short form."""
    arena.prepare()
    with arena.daemon:
        for error, kind in list(KINDS.items())[: None if arena.trial.long else 3]:

            @contextmanager
            def failing(arena: Arena, error: str = error, kind: str = kind) -> Iterator[None]:
                with refused(arena, call, error):
                    for order in (["--wait"], ["--wait", "--verify"]):
                        arena.daemon.ctl("scan", *order, REPOSITORY)
                        assert problems(arena).get(STAY.decode()) == kind
                    yield
                arena.fault_is_over()
                with arena.workload.paused():
                    over(arena)

            arena.round(f"{error} of {what}", failing)


@trials(seeds=1)
def test_directories_that_cannot_be_listed(arena: Arena) -> None:
    each(arena, "getdents64", "listing a directory")


@trials(seeds=1)
def test_files_that_cannot_be_looked_at(arena: Arena) -> None:
    each(arena, "newfstatat,fstatat64,statx", "looking at files")


# Content -------------------------------------------------------------------------------------------------------------


def _unreadable(arena: Arena) -> None:
    disk = arena.place / "disk"
    disk.mkdir()
    arena.settings += 'watch = "auto"\n'
    arena.prepare()
    with_disk = f'{arena.configuration()}[[repository]]\nname = "{OTHER}"\npath = "{disk}"\n'
    files = FAILING | {"sound": {"content": "It can be read all the time."}}
    hashes = {name: sha256(node["content"].encode()).digest() for name, node in files.items()}
    with tiny_fuse(disk, {"entries": files}) as server, arena.daemon:

        @contextmanager
        def failing(arena: Arena) -> Iterator[None]:
            arena.daemon.configure(with_disk)
            arena.daemon.signal(signal.SIGHUP)
            # Of what is the file system's fault, and not a file's, nothing is on record but that it waits.
            refused = "SELECT FROM deep_scan_claims WHERE last_error LIKE '%%(EIO)%%' OR last_error LIKE '%%(EACCES)%%'"
            until(lambda: len(arena.query(refused)) == 4 and found(arena)["sound"], arena.daemon.log_text)
            yield
            assert found(arena) == dict.fromkeys(files) | {"sound": hashes["sound"]}
            assert not arena.query("SELECT FROM deep_scan_claims WHERE quarantined_at IS NOT NULL")
            mend(server)
            began = time.monotonic()
            if not arena.trial.long:
                arena.daemon.ctl("retry", OTHER)
            until(lambda: found(arena) == hashes, lambda: f"{found(arena)}{arena.daemon.log_text()}", within=180)
            arena.note = (
                f"read {time.monotonic() - began:.0f} s later, {'by itself' * arena.trial.long or 'when asked'}"
            )

        arena.round("files that cannot be opened or read", failing)
        assert not arena.query("SELECT FROM file_corruption")


def found(arena: Arena) -> dict[str, bytes | None]:
    """Name -> hash, of each file of the other repository; None while it has none."""
    return dict(
        arena.query(
            "SELECT f.name, CASE f.scan_phase WHEN 1 THEN f.content_hash END FROM files f"
            " JOIN repositories r ON r.id = f.repository_id WHERE r.name = %s",
            OTHER,
        )
    )


@trials(seeds=2)
def test_files_that_cannot_be_read(arena: Arena) -> None:
    elsewhere(privately, arena, _unreadable)
