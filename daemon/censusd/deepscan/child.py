"""A worker process: it is given jobs, and says what it found. ``censusd.deepscan.process`` starts it; see ``messages``.

It keeps nothing and writes nothing but its answers, so it may be killed at any moment. It ends when its input does.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from censusd.deepscan.examine import Examiner
from censusd.deepscan.messages import (
    CURRENT,
    Finding,
    Greeting,
    Job,
    Outcome,
    ProtocolError,
    Settings,
    frame_answer,
    read_requests,
)
from censusd.deepscan.sandbox import Limits, enter
from censusd.extractors.registry import Registry
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.names import bytes_of
from censusd.filesystem.problems import problem_of
from censusd.filesystem.walk import Tree

_PR_SET_PDEATHSIG: Final = 1
"""From <linux/prctl.h>."""

_READ_BYTES: Final = 1 << 18
_FLUSH_SECONDS: Final = 0.02
_FLUSH_FINDINGS: Final = 200
_REST_SECONDS: Final = 2.0
"""How long a root stays open while there is nothing to do: it cannot be unmounted meanwhile."""

_MOST_TREES: Final = 4
"""How many roots are open at once, each with some directories."""

_MOST_JOBS: Final = 20_000
"""After so many files that an extractor read, libraries that leak have leaked enough."""


class Inbox:
    """What the parent has sent.

    Args:
        fd: descriptor to read from.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._data = bytearray()
        self._messages: deque[Any] = deque()

    def has_more(self, seconds: float) -> bool:
        """Whether there is a message, or the end, after so long a wait at the most."""
        return bool(self._messages or select.select([self._fd], [], [], seconds)[0])

    def take(self) -> Any:
        """The next message, waiting for it; None at the end.

        Raises:
            ProtocolError: what came in is no message.
        """
        while not self._messages:
            read = os.read(self._fd, _READ_BYTES)
            if not read:
                return None
            self._data += read
            self._messages.extend(read_requests(self._data))
        return self._messages.popleft()


class Worker:
    """Serves the process that started this one.

    Args:
        requests: what it asks for.
        answers: descriptor to write to.
        shared: memory in which to leave the number of the job at hand.
        examiner: looks at files.
    """

    def __init__(self, requests: Inbox, answers: int, shared: mmap.mmap, examiner: Examiner) -> None:
        self._requests = requests
        self._answers = answers
        self._shared = shared
        self._examiner = examiner
        self._trees: dict[str, Tree] = {}
        self._done = 0

    def serve(self) -> None:
        """Answer requests until there are no more, or until it is better that another process does.

        Raises:
            OSError: nobody reads the answers.
            ProtocolError: what came in is no request.
        """
        while self._done < _MOST_JOBS and not self._examiner.is_exhausted:
            jobs = self._receive()
            if jobs is None:
                return
            self._work(jobs)
        self._send(None)

    def _work(self, jobs: list[Job]) -> None:
        findings: list[Finding] = []
        since = time.monotonic()
        for job in jobs:
            CURRENT.pack_into(self._shared, 0, job.number)
            findings.append(self._examine(job))
            self._done += bool(findings[-1].extractor)
            if len(findings) >= _FLUSH_FINDINGS or time.monotonic() - since >= _FLUSH_SECONDS:
                self._send(findings)
                findings, since = [], time.monotonic()
            if self._examiner.is_exhausted:
                break
        CURRENT.pack_into(self._shared, 0, 0)
        self._send(findings)

    def _examine(self, job: Job) -> Finding:
        try:
            tree = self._trees.get(job.root)
            if tree is None:
                if len(self._trees) >= _MOST_TREES:
                    self._close_trees()
                tree = self._trees[job.root] = Tree(Path(os.fsdecode(bytes_of(job.root))), _EVERYTHING)
            return self._examiner.examine(tree, job)
        except OSError as error:
            # The root itself cannot be opened: it is not the file's fault.
            problem = problem_of(error)
            return Finding(job.number, Outcome.UNSEEN, problem=(str(problem.kind), f"its root: {problem.detail}"))

    def _receive(self) -> list[Job] | None:
        """The next jobs, or None at the end."""
        for tree in self._trees.values():
            # What was open for the last jobs may have been renamed since.
            tree.refresh()
        if self._trees and not self._requests.has_more(_REST_SECONDS):
            self._close_trees()
        message = self._requests.take()
        return None if message is None else [Job(*values) for values in message]

    def _close_trees(self) -> None:
        for tree in self._trees.values():
            tree.close()
        self._trees.clear()

    def _send(self, findings: Iterable[Finding] | None) -> None:
        message: Any = None if findings is None else list(findings)
        if message == []:
            return
        try:
            data = frame_answer(message)
        except ValueError:
            data = b"".join(_frame_of(finding) for finding in message or ())
        view = memoryview(data)
        while view:
            view = view[os.write(self._answers, view) :]


_EVERYTHING: Final = IgnorePolicy(default_excludes=False, ignore_file="")
"""What is not to be looked at, nobody asks for."""


def _frame_of(finding: Finding) -> bytes:
    """A finding alone, without its metadata if there is too much of it."""
    try:
        return frame_answer([finding])
    except ValueError:
        problem = ("resources", "there is more to say of it than is kept")
        return frame_answer([finding._replace(metadata=None, problem=problem)])


def main() -> None:
    """Serve the process that started this one, for as long as it lives: ``child SHARED``, a descriptor of memory."""
    # Its end is this one's. A terminal's or service manager's signals are for the parent alone.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # SIGIO: somebody wants to write to a file that a lease is held on, for a moment; see ``OpenFile.has_writers``.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGIO):
        signal.signal(number, signal.SIG_IGN)
    # What a library prints must not get among the answers.
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with suppress(BrokenPipeError, ProtocolError):
        _serve(0, answers, int(sys.argv[-1]))
    # At once: nothing is left to be done, and libraries may take their time to end.
    os._exit(0)


def _serve(requests: int, answers: int, shared_fd: int) -> None:
    inbox = Inbox(requests)
    settings = Settings(*inbox.take())
    shared = mmap.mmap(shared_fd, mmap.PAGESIZE)
    os.close(shared_fd)
    registry = Registry() if settings.families is None else Registry(settings.families)
    report = enter(Limits(settings.memory, settings.nice))
    worker = Worker(inbox, answers, shared, Examiner(registry))
    os.write(answers, frame_answer(Greeting(registry.versions, registry.missing, report)))
    worker.serve()
