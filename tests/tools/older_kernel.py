"""A process for which the kernel is older than it is: what is newer is refused as an older one would, by seccomp(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Final

import pytest

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

# <linux/bpf_common.h> and <linux/seccomp.h>: load a word of struct seccomp_data, compare it, return a verdict.
_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_ARGUMENTS: Final = 16

_SINCE: Final = (
    # FAN_REPORT_DIR_FID and FAN_REPORT_NAME of fanotify_init(2)
    ((5, 9), {"x86_64": 300, "aarch64": 262}, 0, _ANY_BIT, 0x0C00, errno.EINVAL),
    # FAN_RENAME in the mask of fanotify_mark(2)
    ((5, 17), {"x86_64": 301, "aarch64": 263}, 2, _ANY_BIT, 0x1000_0000, errno.EINVAL),
    # FS_IOC_GETFSUUID of ioctl(2)
    ((6, 9), {"x86_64": 16, "aarch64": 29}, 1, _EQUAL, 0x8011_1500, errno.ENOTTY),
)
"""Version, the call's number, which argument, how it is compared with what, and how older kernels refuse it."""


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def become_older(*version: int) -> None:
    """Have this process, and all that it starts, find a kernel of a version before ``version``.

    The test is skipped where that cannot be done.
    """
    lines = []
    for since, numbers, argument, compare, value, error in _SINCE:
        if since < version:
            continue
        lines += [
            _line(_LOAD, 0),
            _line(_EQUAL, numbers.get(platform.machine(), -1) & 0xFFFF_FFFF, otherwise=3),
            _line(_LOAD, _ARGUMENTS + 8 * argument),
            _line(compare, value, otherwise=1),
            _line(_RETURN, _ERROR | error),
        ]
    code = b"".join([*lines, _line(_RETURN, _ALLOW)])
    program = _Program(len(code) // 8, code)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        pytest.skip(f"no system calls can be refused here: {os.strerror(ctypes.get_errno())}")


def _line(code: int, value: int, otherwise: int = 0) -> bytes:
    """``struct sock_filter``; ``otherwise`` is how many are left out where a comparison fails."""
    return struct.pack("=HBBI", code, 0, otherwise, value)
