"""What a worker process and its parent say to each other: frames over pipes.

Each message is a frame: the bytes ``deep``, a 32-bit length, and that many bytes. What the parent says is marshal, a
fifth of the work that JSON is, which counts where files are small. What a worker says is JSON: it may be what a hostile
file made it say, and must be no more than text to its parent.

- The parent first sends ``Settings``. The worker answers with what it can do: see ``Greeting``.
- Then the parent sends lists of jobs, and each job gets one finding, in the same order; see ``Job`` and ``Finding``.
- A worker that had better not go on sends ``null`` instead of findings and ends; what it was not asked yet, or did not
  answer, is for another.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable, Iterator
from enum import StrEnum
from struct import Struct
from typing import Any, Final, NamedTuple

HEADER: Final = Struct("=4sI")
MARK: Final = b"deep"

LARGEST: Final = 8 << 20
"""Bytes in a frame."""

CURRENT: Final = Struct("=q")
"""What a worker writes to the memory that it shares with its parent: the number of the job it is at, or 0."""


class Settings(NamedTuple):
    """How a worker process works.

    Attributes:
        memory: bytes of address space that it may use.
        nice: how much it gives way to others, from 0 to 19; at 19, to everybody at every moment.
        families: the extractors, as in ``extractors.registry.FAMILIES``; None for all of them.
    """

    memory: int
    nice: int
    families: tuple[str, ...] | None = None


class Greeting(NamedTuple):
    """What a worker process can do.

    Attributes:
        extractors: name -> version of those that it has.
        missing: name -> why it does not have that extractor.
        sandbox: layer -> empty if it holds, else why it does not.
    """

    extractors: dict[str, int]
    missing: dict[str, str]
    sandbox: dict[str, str]


class Job(NamedTuple):
    """One file to look at.

    Attributes:
        number: of the job; grows.
        root: absolute path of the repository's root, as catalogue text.
        directory: relative path of the directory.
        name: the file's name.
        version: size, mtime_ns, ctime_ns and inode on record.
        hashing: whether its content hash is wanted.
        recorded: the hash on record, in hex, that its content is to be compared with, and nothing else; or empty.
    """

    number: int
    root: str
    directory: str
    name: str
    version: tuple[int, int, int, int]
    hashing: bool
    recorded: str = ""


class Outcome(StrEnum):
    """What became of a job."""

    DONE = "done"
    """The file is the version on record; hash and metadata belong to it, and ``problem`` is of its content."""
    CHANGED = "changed"
    """It is not, or was written to meanwhile: to be looked at again later."""
    FAILED = "failed"
    """It could not be read."""
    UNSEEN = "unseen"
    """Its disk does not answer, or is not there: nothing can be said of the file."""


class Finding(NamedTuple):
    """What was found in one file, as the worker says; see ``findings`` for what is made of it.

    Attributes:
        number: of the job.
        outcome: what became of it.
        hash: sha256 in hex, or empty.
        extractor: who took the file, or empty.
        version: of that extractor.
        metadata: the fields of its ``Extraction`` as plain values, with ``details`` as JSON text; or None.
        problem: kind and detail, or None.
    """

    number: int
    outcome: str
    hash: Any = ""
    extractor: Any = ""
    version: Any = 0
    metadata: Any = None
    problem: Any = None


class ProtocolError(Exception):
    """Somebody sent something that is not a message."""


def frame_request(message: Iterable[Any]) -> bytes:
    """What the parent says, as it is sent.

    Args:
        message: ``Settings``, or jobs.

    Raises:
        ValueError: it is larger than a frame may be.
    """
    # marshal takes only exact tuples.
    return _frame(marshal.dumps([tuple(part) if isinstance(part, tuple) else part for part in message], 2))


def read_requests(data: bytearray) -> Iterator[list[Any]]:
    """What the parent has said in full by now, taken out of ``data`` part by part.

    Raises:
        ProtocolError: it holds something else.
    """
    for body in _unframe(data):
        try:
            yield marshal.loads(body)  # noqa: S302 - from the process that started this one
        except (ValueError, EOFError, TypeError) as error:
            raise ProtocolError("it sent something that is not marshal") from error


def frame_answer(message: Any) -> bytes:
    """What a worker says, as it is sent.

    Raises:
        ValueError: it is larger than a frame may be, or JSON cannot say it.
    """
    return _frame(json.dumps(message, allow_nan=False, separators=(",", ":")).encode())


def read_answers(data: bytearray) -> Iterator[Any]:
    """What a worker has said in full by now, taken out of ``data`` message by message; no part of it is trusted.

    Raises:
        ProtocolError: it holds something else.
    """
    for body in _unframe(data):
        try:
            yield json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("it sent something that is not JSON") from error


def _frame(body: bytes) -> bytes:
    if len(body) > LARGEST:
        raise ValueError(f"a message of {len(body)} bytes does not fit a frame")
    return HEADER.pack(MARK, len(body)) + body


def _unframe(data: bytearray) -> Iterator[bytes]:
    """The frames that ``data`` holds, taken out of it one by one; the beginning of another stays."""
    while len(data) >= HEADER.size:
        mark, length = HEADER.unpack_from(data)
        if mark != MARK or length > LARGEST:
            raise ProtocolError("it sent something that is not a message")
        end = HEADER.size + length
        if len(data) < end:
            return
        body = bytes(data[HEADER.size : end])
        del data[:end]
        yield body
