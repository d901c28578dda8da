"""A helper process that lists directories for the daemon, so that a pass can use every core there is.

``censusd.filesystem.helper`` starts it and speaks with it through its standard input and output. Each message is a
frame: the bytes ``list``, a 32-bit length, and that many bytes of ``marshal``.

- It is first told what to list: ``(root descriptor, IgnorePolicy's arguments, made_up)``. The descriptor is
  inherited, so that parent and helper look at the same root whatever happens to its path. It answers ``True``.
- Then it is given lists of relative paths, any number at a time. Each path gets one answer, in the same order: all that
  ``Tree.observe`` has to say of it, as plain values; or None if that is too large to send.

It keeps nothing and writes nowhere else, so it may be killed at any moment. It ends when its input does.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import signal
import sys
import time
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final

from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.walk import Tree
from censusd.model import Listing, Observation, Problem, ProblemKind

HEADER: Final = Struct("=4sI")
MARK: Final = b"list"

LARGEST: Final = 16 << 20
"""Bytes in a frame. A directory that is just not huge and has none but the longest names takes half of it."""

_FLUSH_BYTES: Final = 1 << 16
_FLUSH_SECONDS: Final = 0.01
"""How long a finished answer may wait for others to go with."""

_PR_SET_PDEATHSIG: Final = 1
"""From <linux/prctl.h>."""

_FIELDS: Final = (
    "device",
    "inode",
    "birth_ns",
    "packed",
    "subdirectories",
    "hidden",
    "count",
    "skipped",
    "digest",
    "huge",
)
_values = attrgetter(*_FIELDS)


def frame(message: Any) -> bytes:
    """A message as it is sent.

    Raises:
        ValueError: it is larger than a frame may be.
    """
    body = marshal.dumps(message, 2)
    if len(body) > LARGEST:
        raise ValueError(f"a message of {len(body)} bytes does not fit a frame")
    return HEADER.pack(MARK, len(body)) + body


def to_plain(seen: Listing | Problem) -> tuple[Any, Any]:
    """A complete listing, or a problem, as values that marshal takes."""
    if isinstance(seen, Problem):
        return str(seen.kind), seen.detail
    return _values(seen), {name: (str(problem.kind), problem.detail) for name, problem in seen.unknown.items()}


def from_plain(plain: tuple[Any, Any]) -> Listing | Problem:
    """The inverse of ``to_plain``.

    Raises:
        ValueError, TypeError: this is nothing that ``to_plain`` gives.
    """
    first, second = plain
    if isinstance(first, str):
        return Problem(ProblemKind(first), second)
    unknown = {name: Problem(ProblemKind(kind), detail) for name, (kind, detail) in second.items()}
    return Listing(**dict(zip(_FIELDS, first, strict=True)), unknown=unknown)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Raises:
        OSError: the root cannot be opened, or nobody reads the answers.
        EOFError: the requests broke off.
    """
    root, policy, made_up = _receive(requests)
    with Tree(Path(f"/proc/self/fd/{root}"), IgnorePolicy(**policy), made_up=made_up) as tree:
        os.close(root)
        answers.write(frame(True))
        answers.flush()
        while (paths := _receive(requests)) is not None:
            # What was open for the last paths may have been renamed since.
            tree.refresh()
            _answer(tree, paths, answers)


def _answer(tree: Tree, paths: list[str], answers: BinaryIO) -> None:
    waiting, since = bytearray(), time.monotonic()
    for path in paths:
        waiting += _frame_of(tree.observe(path))
        now = time.monotonic()
        if len(waiting) >= _FLUSH_BYTES or now - since >= _FLUSH_SECONDS:
            answers.write(waiting)
            answers.flush()
            waiting, since = bytearray(), now
    answers.write(waiting)
    answers.flush()


def _frame_of(observation: Observation) -> bytes:
    try:
        return frame(to_plain(observation.seen))
    except ValueError:
        return frame(None)


def _receive(requests: BinaryIO) -> Any:
    """The next message, or None at the end."""
    header = requests.read(HEADER.size)
    if not header:
        return None
    mark, length = HEADER.unpack(header)
    if mark != MARK or length > LARGEST:
        raise EOFError("this is not a request")
    return marshal.loads(requests.read(length))  # noqa: S302 - from the process that started this one


def main() -> None:
    """Serve the process that started this one, for as long as it lives."""
    # Its end is this one's: standard input tells, and where a dead file system holds this process, the kernel does. A
    # terminal's or service manager's signals are for the parent alone.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(BrokenPipeError, EOFError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
    # At once: what may still be in the output's buffer has no reader any more.
    os._exit(0)
