"""The kernel's limits on watching, and what to tell people who run into them.

The limits are per user and shared by all of the user's processes, and each user namespace on the way up has its own
(linux/kernel/ucount.c, inotify(7), namespaces(7)); the smallest one counts.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from censusd.errors import WatchError

_WATCHES: Final = ("/proc/sys/fs/inotify/max_user_watches", "/proc/sys/user/max_inotify_watches")
_INSTANCES: Final = ("/proc/sys/fs/inotify/max_user_instances", "/proc/sys/user/max_inotify_instances")


def watch_limit() -> int:
    """How many directories this user may watch, in all processes together.

    Raises:
        WatchError: the kernel does not say; there is no inotify, or no /proc.
    """
    return _effective(_WATCHES)[0]


def instance_limit() -> int:
    """How many inotify instances this user may have, in all processes together.

    Raises:
        WatchError: the kernel does not say; there is no inotify, or no /proc.
    """
    return _effective(_INSTANCES)[0]


def explain_watches(used: int, uncovered: int, reason: str) -> str:
    """What to tell people when directories could not be watched.

    Args:
        used: watches this repository holds.
        uncovered: directories of it that have none.
        reason: why the kernel refused the first of them.
    """
    if not reason.startswith((_symbol(errno.ENOSPC), _symbol(errno.ENOMEM))):
        return f"{uncovered:,} directories cannot be watched: {reason}. {used:,} are. The others are polled."
    limit, sysctl = _effective(_WATCHES)
    return (
        f"{uncovered:,} directories cannot be watched: {reason}. {used:,} of this repository's are watched, "
        f"{used + uncovered:,} need to be; {sysctl} is {limit:,}, for all processes of this user. "
        "The others are polled. To watch all of them: "
        f"sysctl {sysctl}={_generous(limit, uncovered)} (about 1 KiB of kernel memory each), and "
        "the same line in /etc/sysctl.d/ to keep it."
    )


def explain_instances(code: int) -> str:
    """What to tell people when the kernel gives no inotify instance.

    Args:
        code: EMFILE or ENFILE.
    """
    if code == errno.ENFILE:
        return (
            "the kernel gives no inotify instance: the whole system has too many open files (ENFILE); see fs.file-max"
        )
    limit, sysctl = _effective(_INSTANCES)
    return (
        "the kernel gives no inotify instance (EMFILE): either this user's processes together hold "
        f"{sysctl} = {limit:,} of them (each repository needs one), or this process has too many open files. "
        f"Allow more: sysctl {sysctl}={_generous(limit, limit)}, and the same line in /etc/sysctl.d/ to keep it; "
        "or raise LimitNOFILE= of the service."
    )


def explain_refusal(error: OSError) -> str:
    """Why the kernel refused a watch, as ``ENOSPC (No space left on device)``."""
    code = error.errno or 0
    if code == errno.ENOSPC:
        return f"{_symbol(code)} (the user's watches are used up)"
    return f"{_symbol(code)} ({os.strerror(code)})"


def _effective(paths: tuple[str, ...]) -> tuple[int, str]:
    """The smallest of several limits, and the name that sysctl knows it by."""
    found = []
    for path in paths:
        try:
            with open(path, encoding="ascii") as file:
                found.append((int(file.read()), path.removeprefix("/proc/sys/").replace("/", ".")))
        except (OSError, ValueError):
            continue  # kernels before 5.11, or containers, may lack one of the two
    if not found:
        raise WatchError(f"cannot read {' or '.join(paths)}: is /proc mounted, and was the kernel built with inotify?")
    return min(found)


def _generous(limit: int, more: int) -> int:
    """A power of two that allows ``more`` beyond ``limit``, with room to grow."""
    return 1 << (limit + more).bit_length()


def _symbol(code: int) -> str:
    return errno.errorcode.get(code, str(code))
