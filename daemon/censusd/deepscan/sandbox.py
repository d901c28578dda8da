"""What a worker process gives up before it looks at anybody's file, so that a hostile one can cost no more than itself.

Each layer stands alone: what this kernel, or this user, cannot do is reported and left out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from censusd.deepscan import seccomp

_NICEST: Final = 19
_MOST_FILES: Final = 256

# <linux/prctl.h>, <linux/ioprio.h>, <linux/landlock.h>, <linux/capability.h>
_PR_SET_NO_NEW_PRIVS: Final = 38
_IOPRIO_WHO_PROCESS: Final = 1
_IOPRIO_LOWEST_OF_ALL: Final = 2 << 13 | 7
_IOPRIO_CLASS_IDLE: Final = 3 << 13
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_VERSION: Final = 1
_CAPABILITY_VERSION_3: Final = 0x20080522
_CAP_DAC_READ_SEARCH: Final = 2
_NUMBERS: Final = {"x86_64": {"ioprio_set": 251, "capset": 126}, "aarch64": {"ioprio_set": 30, "capset": 91}}

# LANDLOCK_ACCESS_FS_*: all but READ_FILE (2) and READ_DIR (3), by the ABI version that brought them.
_FS_ACCESS: Final = ((1, 0x1FF3), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_NET_ACCESS: Final = (4, 0b11)
_SCOPES: Final = (6, 0b11)

_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker process may use.

    Attributes:
        memory: bytes of address space.
        nice: how much the process gives way to others, from 0 to 19; at 19, to everybody at every moment.
    """

    memory: int
    nice: int


def enter(limits: Limits) -> dict[str, str]:
    """Give up everything that looking at files does not take. There is no way back.

    Returns:
        Layer -> empty if it holds, else why it does not.
    """
    layers: tuple[tuple[str, Callable[[], None]], ...] = (
        ("out of memory", _go_first),
        ("cpu priority", lambda: _low_cpu_priority(limits.nice)),
        ("disk priority", lambda: _low_disk_priority(limits.nice)),
        ("limits", lambda: _limit(limits)),
        ("capabilities", _drop_capabilities),
        ("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("landlock", _landlock),
        ("seccomp", lambda: seccomp.install(_LIBRARY)),
    )
    report: dict[str, str] = {}
    for name, layer in layers:
        try:
            layer()
        except (OSError, ValueError) as error:
            report[name] = str(error) or type(error).__name__
        else:
            report[name] = ""
    return report


def _go_first() -> None:
    """Where memory runs out, a worker goes, and neither its parent nor the database."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _low_cpu_priority(nice: int) -> None:
    """Give way to others.

    SCHED_BATCH never takes a processor from somebody who has just begun. SCHED_IDLE runs only where nobody else wants
    to, and starves where somebody always does: right for what can wait, wrong for what somebody waits for.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    os.sched_setscheduler(0, os.SCHED_IDLE if nice >= _NICEST else os.SCHED_BATCH, os.sched_param(0))


def _low_disk_priority(nice: int) -> None:
    """Heeded by the schedulers BFQ and mq-deadline, ignored by the others."""
    priority = _IOPRIO_CLASS_IDLE if nice >= _NICEST else _IOPRIO_LOWEST_OF_ALL
    _call("ioprio_set", _IOPRIO_WHO_PROCESS, 0, priority)


def _limit(limits: Limits) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _drop_capabilities() -> None:
    """Keep of all the powers of root at most the one to read everything."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if line.startswith("Cap"))
    kept = int(fields["CapPrm"], 16) & (1 << _CAP_DAC_READ_SEARCH)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _call("capset", header, struct.pack("=6I", kept, kept, 0, 0, 0, 0))


def _landlock() -> None:
    """Nothing may be written, made, removed or run anywhere, no TCP, and no signals to others; reading stays."""
    version = _LIBRARY.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        _refused()
    files = sum(bits for since, bits in _FS_ACCESS if version >= since)
    net = _NET_ACCESS[1] if version >= _NET_ACCESS[0] else 0
    scopes = _SCOPES[1] if version >= _SCOPES[0] else 0
    size = 24 if scopes else 16 if net else 8
    rules = struct.pack("=QQQ", files, net, scopes)[:size]
    ruleset = _LIBRARY.syscall(_LANDLOCK_CREATE, rules, size, 0)
    if ruleset < 0:
        _refused()
    try:
        if _LIBRARY.syscall(_LANDLOCK_RESTRICT, ruleset, 0) != 0:
            _refused()
    finally:
        os.close(ruleset)


def _call(name: str, *arguments: object) -> None:
    numbers = _NUMBERS.get(platform.machine())
    if numbers is None:
        raise OSError(f"the number of the call {name} on {platform.machine()} is not known")
    if _LIBRARY.syscall(numbers[name], *arguments) != 0:
        _refused()


def _prctl(option: int, value: int) -> None:
    if _LIBRARY.prctl(option, value, 0, 0, 0) != 0:
        _refused()


def _refused() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
