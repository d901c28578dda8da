"""Operating system errors as ``Problem`` values. None of them is proof that anything is gone."""

from __future__ import annotations

import errno
import os
from typing import Final

from censusd.model import Problem, ProblemKind

_KINDS: Final = {
    errno.EACCES: ProblemKind.PERMISSION,
    errno.EPERM: ProblemKind.PERMISSION,
    errno.EIO: ProblemKind.IO,
    errno.EUCLEAN: ProblemKind.IO,
    errno.EBADMSG: ProblemKind.IO,
    errno.ENODATA: ProblemKind.IO,
    errno.EREMOTEIO: ProblemKind.IO,
    errno.ESTALE: ProblemKind.STALE,
    errno.ENOTCONN: ProblemKind.DISCONNECTED,
    errno.ENODEV: ProblemKind.DISCONNECTED,
    errno.ENXIO: ProblemKind.DISCONNECTED,
    errno.EHOSTDOWN: ProblemKind.DISCONNECTED,
    errno.EHOSTUNREACH: ProblemKind.DISCONNECTED,
    errno.ESHUTDOWN: ProblemKind.DISCONNECTED,
    errno.ECONNABORTED: ProblemKind.DISCONNECTED,
    errno.ECONNRESET: ProblemKind.DISCONNECTED,
    errno.ETIMEDOUT: ProblemKind.TIMEOUT,
    errno.EMFILE: ProblemKind.RESOURCES,
    errno.ENFILE: ProblemKind.RESOURCES,
    errno.ENOMEM: ProblemKind.RESOURCES,
    errno.ENOTDIR: ProblemKind.NOT_A_DIRECTORY,
    errno.ELOOP: ProblemKind.NOT_A_DIRECTORY,
    errno.ENOENT: ProblemKind.VANISHED,
}


def problem_of(error: OSError) -> Problem:
    """The problem that an ``OSError`` stands for, with its own words and the symbol people search for."""
    number = error.errno
    if number is None:
        return Problem(ProblemKind.OTHER, str(error))
    symbol = errno.errorcode.get(number, f"errno {number}")
    return Problem(_KINDS.get(number, ProblemKind.OTHER), f"{error.strerror or os.strerror(number)} ({symbol})")
