"""One job in a worker process: open the file, have it read by whoever takes it, hash it, and see that it held still."""

from __future__ import annotations

import errno
import io
import json
import os
from typing import Any, Final

from censusd.deepscan.messages import Finding, Job, Outcome
from censusd.extractors.base import (
    HEAD,
    LONGEST_NAME,
    MOST_ITEMS,
    Entity,
    Extraction,
    Extractor,
    Source,
    clean_json,
    clean_text,
)
from censusd.extractors.registry import Registry
from censusd.filesystem.digest import CHUNK, TORN, OpenFile, digest, opened
from censusd.filesystem.names import bytes_of, text_of
from censusd.filesystem.problems import problem_of
from censusd.filesystem.walk import VANISHED, Tree
from censusd.model import Problem, ProblemKind

_LARGEST_DETAILS: Final = 1 << 20
_LARGEST_SIBLING: Final = 1 << 20
_MOST_SIBLINGS: Final = 100_000
_CHANGED: Final = Problem(ProblemKind.REPLACED, "it is not the version on record any more")
_OPEN: Final = Problem(ProblemKind.REPLACED, "somebody has it open and writes to it")

_UNSEEN: Final = frozenset({ProblemKind.STALE, ProblemKind.DISCONNECTED, ProblemKind.TIMEOUT, ProblemKind.RESOURCES})
"""What is a file system's fault, or this machine's, and passes."""

_SAME_FIELDS: Final = ("width", "height", "duration", "pages", "latitude", "longitude")
_TEXT_FIELDS: Final = ("mime_type", "title", "created", "language")


class Examiner:
    """Looks at files, one after the other.

    Args:
        registry: the extractors.

    Attributes:
        is_exhausted: whether it ran out of memory, after which a process had better not go on.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._buffer = memoryview(bytearray(CHUNK))
        self._listed: tuple[tuple[int, ...], dict[str, str]] = ((), {})
        self.is_exhausted = False

    def examine(self, tree: Tree, job: Job) -> Finding:
        """What can be found out about one file."""
        try:
            with opened(tree, job.directory, job.name) as file:
                if not file.is_version(*job.version):
                    return _unfit(job, Outcome.CHANGED, _CHANGED)
                return self._read(file, job)
        except OSError as error:
            problem = problem_of(error)
            if problem.kind in _UNSEEN or (problem.kind in VANISHED and _is_empty(tree.root_fd)):
                return _unfit(job, Outcome.UNSEEN, problem)
            return _unfit(job, Outcome.CHANGED if problem.kind in VANISHED else Outcome.FAILED, problem)

    def _read(self, file: OpenFile, job: Job) -> Finding:
        if job.recorded:
            # What the disk has is in question, not what memory has kept of it.
            os.posix_fadvise(file.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        filled = os.preadv(file.fd, [self._buffer if job.hashing else self._buffer[:HEAD]], 0)
        head = bytes(self._buffer[: min(filled, HEAD)])
        extractor = self._registry.choose(head, job.name) if filled and not job.recorded else None
        found = self._extract(extractor, file, job) if extractor is not None else None
        made: bytes | None = b""
        if job.hashing:
            made = digest(file, self._buffer, filled=filled)
            if not made:
                return _unfit(job, Outcome.CHANGED, TORN)
        if file.is_torn():
            return _unfit(job, Outcome.CHANGED, TORN)
        if job.recorded and made and made.hex() != job.recorded and file.has_writers():
            return _unfit(job, Outcome.CHANGED, _OPEN)
        plain, problem = _plain(found)
        return Finding(
            job.number,
            Outcome.DONE,
            hash=made.hex() if made else "",
            extractor=extractor.name if extractor is not None else "",
            version=extractor.version if extractor is not None else 0,
            metadata=plain,
            problem=problem,
        )

    def _extract(self, extractor: Extractor, file: OpenFile, job: Job) -> Extraction | Problem:
        content = _Content(file)
        try:
            return extractor.extract(
                Source(
                    file=io.BufferedReader(content),
                    name=job.name,
                    directories=tuple(job.directory.split("/")) if job.directory else (),
                    size=file.size,
                    siblings=self._read_siblings(file, job, extractor.siblings) if extractor.siblings else {},
                )
            )
        except MemoryError:
            self.is_exhausted = True
            return Problem(ProblemKind.RESOURCES, "it takes more memory than a worker may use")
        except Exception as error:  # noqa: BLE001 - whatever a file makes an extractor do is a problem of that file
            return Problem(ProblemKind.OTHER, f"{extractor.name}: {type(error).__name__}: {error}"[:LONGEST_NAME])
        finally:
            if content.fault is not None:
                raise content.fault

    def _read_siblings(self, file: OpenFile, job: Job, wanted: frozenset[str]) -> dict[str, bytes]:
        own = job.name.lower()
        names = self._names_beside(file.directory_fd)
        lower_names = {one.format(name=own, stem=own.rpartition(".")[0] or own) for one in wanted}
        found = {}
        for name in (names[lower] for lower in lower_names if lower in names):
            content = _content_of(file.directory_fd, name) if name != job.name else None
            if content is not None:
                found[name] = content
        return found

    def _names_beside(self, directory_fd: int) -> dict[str, str]:
        """Lower-case name -> name, of everything in a directory; listed once for all files that are in it."""
        found = os.fstat(directory_fd)
        state = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        if self._listed[0] != state:
            self._listed = (state, _names_in(directory_fd))
        return self._listed[1]


class _Content(io.RawIOBase):
    """What is in a file, read by position: its descriptor's offset is not ours alone.

    Attributes:
        fault: why it could not be read. To an extractor, that is the same as damage.
    """

    def __init__(self, file: OpenFile) -> None:
        super().__init__()
        self._fd, self._size, self._at = file.fd, file.size, 0
        self.fault: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0  # not asked of the disk, which refuses places that no file can have: that is no fault of its own
        try:
            read = os.preadv(self._fd, [buffer], self._at)
        except OSError as error:
            self.fault = error
            raise
        self._at += read
        return read

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if not 0 <= at < 1 << 63:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def tell(self) -> int:
        return self._at


def _names_in(directory_fd: int) -> dict[str, str]:
    """Lower-case name -> name, of everything in a directory."""
    try:
        # A copy of the descriptor: listing moves an offset that others share.
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory_fd)
        try:
            names = os.listdir(fd)
        finally:
            os.close(fd)
    except OSError:
        return {}
    if len(names) > _MOST_SIBLINGS:
        return {}
    texts = (text_of(os.fsencode(name)) for name in names)
    return {text.lower(): text for text in texts}


def _content_of(directory_fd: int, name: str) -> bytes | None:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(bytes_of(name), flags, dir_fd=directory_fd), "rb") as file:
            content = file.read(_LARGEST_SIBLING + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) <= _LARGEST_SIBLING else None


def _is_empty(directory_fd: int) -> bool:
    """Whether there is nothing in a directory, as in one that something was to be mounted on."""
    try:
        with os.scandir(directory_fd) as entries:
            return next(iter(entries), None) is None
    except OSError:
        return True


def _unfit(job: Job, outcome: Outcome, problem: Problem) -> Finding:
    return Finding(job.number, outcome, problem=(str(problem.kind), problem.detail))


def _plain(found: Extraction | Problem | None) -> tuple[dict[str, Any] | None, tuple[str, str] | None]:
    """What an extractor gave as values that JSON takes, cleaned and bounded."""
    if found is None:
        return None, None
    if isinstance(found, Problem):
        return None, (str(found.kind), clean_text(found.detail, LONGEST_NAME))
    problem = found.problem
    details = json.dumps(clean_json(found.details), allow_nan=False)
    if len(details) > _LARGEST_DETAILS:
        details = "{}"
        problem = problem or Problem(ProblemKind.RESOURCES, "there is more to say of it than is kept")
    plain: dict[str, Any] = {"kind": str(found.kind), "details": details}
    for name in _TEXT_FIELDS:
        text = getattr(found, name)
        plain[name] = clean_text(str(text), LONGEST_NAME * 4) if text is not None else None
    for name in _SAME_FIELDS:
        plain[name] = clean_json(getattr(found, name))
    plain["entities"] = [_entity(entity) for entity in found.entities[:MOST_ITEMS]]
    return plain, (str(problem.kind), clean_text(problem.detail, LONGEST_NAME)) if problem else None


def _entity(entity: Entity) -> tuple[str, str, str, float, str | None]:
    position = clean_json(float(entity.position))
    return (
        str(entity.kind),
        clean_text(entity.name, LONGEST_NAME).strip(),
        clean_text(entity.role, LONGEST_NAME),
        position if isinstance(position, float) else 0.0,
        clean_text(entity.sort_name, LONGEST_NAME) if entity.sort_name else None,
    )
