"""Start the keeper of a private PostgreSQL, and the locks that say who starts it and who uses it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from censusd.catalogue import keeper
from censusd.catalogue.embedded_binaries import Binaries, clean_environment
from censusd.catalogue.embedded_cluster import Cluster
from censusd.errors import EmbeddedServerError

_OUTPUT_LIMIT: Final = 3000
"""Characters of PostgreSQL's last words that are kept for an error."""

_DETACH_TIMEOUT: Final = 60.0
"""Seconds until the keeper must stand on its own feet; it takes 15 ms."""


class Launch:
    """A server that was started by this process, as long as it is interesting what it prints.

    Args:
        cluster: what to run; made and configured.
        binaries: programs that the cluster's user can run.
        server_lock: descriptor with the server's lock, which the keeper shares from now on. The caller closes its own
            without unlocking it.
    """

    def __init__(self, cluster: Cluster, binaries: Binaries, server_lock: int) -> None:
        if not sys.executable:
            raise EmbeddedServerError("Python does not know its own program, so the keeper cannot be started.")
        self._output = b""
        users_lock = open_lock(cluster.users_lock)  # of its own: what this process holds must not be the keeper's
        directory = os.open(cluster.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self._reader, writer = os.pipe()
        user = cluster.user
        arguments = [
            *(str(server_lock), str(users_lock), str(directory)),
            f"{user.name}:{user.uid}:{user.gid}" if user.is_another else "",
            *(str(binaries.directory / "postgres"), "-D", f"/proc/self/fd/{directory}"),
        ]
        try:
            # Isolated and without site packages it starts in a fifth of the time. The first process returns when the
            # keeper is detached; in a session of its own, no terminal's Ctrl-C reaches it.
            subprocess.run(
                [sys.executable, "-I", "-S", keeper.__file__, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=writer,
                timeout=_DETACH_TIMEOUT,
                cwd="/",
                env=clean_environment(),
                pass_fds=(server_lock, users_lock, directory),
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            os.close(self._reader)
            raise EmbeddedServerError(f"The keeper of the private PostgreSQL cannot be started: {error}") from error
        finally:
            for descriptor in (users_lock, directory, writer):
                os.close(descriptor)
        os.set_blocking(self._reader, False)

    @property
    def output(self) -> str:
        """What the keeper and PostgreSQL printed last, for an error; it begins with words that say so."""
        text = self._output.decode(errors="replace").strip()
        return f"Its last words:\n{text}" if text else "It said nothing."

    def has_ended(self) -> bool:
        """Whether keeper and server are gone. Also takes in what they print."""
        try:
            while text := os.read(self._reader, 65536):
                self._output = (self._output + text)[-_OUTPUT_LIMIT:]
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Stop listening; from now on the log is in its file alone."""
        os.close(self._reader)


def open_lock(path: Path) -> int:
    """Open a lock's file, and make it if it is missing: readable by its owner alone, who is its directory's owner.

    Raises:
        OSError: it cannot be opened or made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def try_flock(descriptor: int, operation: int) -> bool:
    """Ask for a lock, or to change one, without waiting. A lock that was held is lost if the new one is not granted."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the exclusive lock on ``path``, or None if somebody else holds it."""
    descriptor = open_lock(path)
    if try_flock(descriptor, fcntl.LOCK_EX):
        return descriptor
    os.close(descriptor)
    return None


def is_free(path: Path) -> bool:
    """Whether nobody holds a lock on ``path``."""
    descriptor = try_lock(path)
    if descriptor is None:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that another thread is just forking has this descriptor, too
    os.close(descriptor)
    return True
