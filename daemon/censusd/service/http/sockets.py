"""Sockets to listen on, and what is in the way of having them."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from censusd.config import Address
from censusd.errors import CensusError

_BACKLOG: Final = 64
_LONGEST_PATH: Final = 107  # sizeof(sun_path) - 1, see unix(7)
_LOCK_WITHIN: Final = 5.0
_UCRED: Final = struct.Struct("3i")


class ListenError(CensusError):
    """It is not possible to listen there; the text says what is in the way."""


def listen_unix(path: Path, mode: int, group: str) -> socket.socket:
    """A socket that listens at ``path``. One that a dead daemon left there is replaced.

    Args:
        path: where; its directory is made, with those above it, if it is not there.
        mode: permission bits of the socket.
        group: the group that owns it; empty for the process's own.

    Raises:
        ListenError: a daemon that lives listens there, something else is there, or it may not be made there.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise ListenError(f"{path} is too long for a socket: {_LONGEST_PATH} bytes at most; see control.socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_directory(path.parent)
        with _one_at_a_time(path.parent):
            _remove_stale(path)
            listener.bind(str(path))
            # Nobody can connect before it listens, so nobody gets in under the wrong mode.
            os.chmod(path, mode)
            if group:
                os.chown(path, -1, grp.getgrnam(group).gr_gid)
            listener.listen(_BACKLOG)
    except (OSError, KeyError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else f"there is no group {group}"
        raise ListenError(f"cannot listen on {path}: {reason}; see control.socket in the configuration") from error
    except BaseException:
        listener.close()
        raise
    return listener


def listen_tcp(address: Address) -> socket.socket:
    """A socket that listens at a TCP address.

    Raises:
        ListenError: another program has it, or there is no such address here.
    """
    host, port = address
    shown = show_address(host, port)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {shown}: {error.strerror}; see http.listen in the configuration"
        ) from error
    try:
        # The connections of a daemon that was stopped a moment ago do not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise ListenError(f"cannot listen on {shown}: {reason}; see http.listen in the configuration") from error
    return listener


def show_address(host: str, port: int) -> str:
    """``host:port``, as it goes into a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer(connection: socket.socket) -> dict[str, int]:
    """Which process is at the other end of a connection over a Unix socket, see SO_PEERCRED in unix(7)."""
    if connection.family != socket.AF_UNIX:
        return {}
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return {"pid": pid, "uid": uid}


def _make_directory(directory: Path) -> None:
    """Make a directory that everybody may pass, whatever the umask: the socket's own mode says who may use it."""
    missing = [directory, *directory.parents]
    missing = [parent for parent in missing if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        parent.chmod(0o755)


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Two daemons that start at the same moment must not take each other's socket for one that was left behind."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _LOCK_WITHIN
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ListenError(f"cannot listen in {directory}: another process keeps it locked") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on {path}: there is something else than a socket; see control.socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
        except (TimeoutError, BlockingIOError):
            other = "another daemon, which is very busy,"  # its queue of connections is full
        else:
            other = f"another daemon (process {peer(probe)['pid']})"
    raise ListenError(f"cannot listen on {path}: {other} does; stop it, or set control.socket to another path")
