"""Who this daemon is to other daemons, and whether the owner of a lease is no more."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final
from uuid import UUID

from censusd.catalogue import repositories
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.repositories import Lease

_PROC: Final = Path("/proc")


def own_name() -> str:
    """A name for this process that no other process, here or elsewhere, has had: ``host/pid/boot/namespace/start``."""
    pid = os.getpid()
    return "/".join((socket.gethostname().replace("/", "_"), str(pid), *_place(), str(_start_time(pid))))


def described(owner: str) -> str:
    """Who an owner is, for people; whatever else has left its name there."""
    host, _, rest = owner.partition("/")
    pid = rest.partition("/")[0]
    return f"{host} (process {pid})" if pid else host


def is_gone(owner: str) -> bool:
    """Whether the process that called itself ``owner`` certainly runs no more.

    That can be known only of processes of this boot and this process namespace; others' leases have to run out.
    """
    try:
        _, pid, boot, namespace, started = owner.rsplit("/", 4)
        return (boot, namespace) == _place() and _start_time(int(pid)) != int(started)
    except (ValueError, OSError):
        return False


def acquire(catalogue: Catalogue, repository_id: UUID, owner: str, ttl: float) -> tuple[Lease | None, str]:
    """Take a repository if its owner is gone or has let go.

    Returns:
        The lease, or None and the name of the daemon that owns it.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    with catalogue.transaction() as cursor:
        holder = repositories.holder(cursor, repository_id)
        dead = [holder[0]] if holder and (holder[0] == owner or is_gone(holder[0])) else []
        lease = repositories.acquire(cursor, repository_id, owner, ttl, dead)
    return lease, holder[0] if holder else ""


def _place() -> tuple[str, str]:
    boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return boot, str((_PROC / "self/ns/pid").stat().st_ino)


def _start_time(pid: int) -> int:
    """When a process was started, in clock ticks since the boot; 0 if there is none. See proc_pid_stat(5), field 22."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(text.rpartition(")")[2].split()[19])
