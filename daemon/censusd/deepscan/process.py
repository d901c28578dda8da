"""One worker process, seen from its parent: jobs go in, findings come out, and whatever becomes of it is known.

Nothing here ever waits for the worker. It may be a prisoner of a file that was made to kill it, so that nothing it says
is believed beyond what it can be about: its own jobs.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from censusd.deepscan.messages import (
    CURRENT,
    Finding,
    Greeting,
    Job,
    ProtocolError,
    Settings,
    frame_request,
    read_answers,
)

_BOOTSTRAP: Final = "import sys; sys.path[:] = sys.argv[1:-1]; from censusd.deepscan.child import main; main()"
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""What the worker sees of the environment: how to load Python and how to read names and times, nobody's secrets."""

_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 0.2
_READ_BYTES: Final = 1 << 18
_GRACE: Final = 30.0
_SLOWEST: Final = 5e6
"""Bytes a second that a disk is at least expected to give."""


def patience(size: int) -> float:
    """Seconds after which a file of ``size`` bytes takes too long."""
    return _GRACE + size / _SLOWEST


class ProcessFaultError(Exception):
    """The worker ended, hangs, or said something that makes no sense. Its text says which."""


class Process:
    """One worker process.

    Args:
        settings: how it works.

    Attributes:
        jobs: what it was given and has not answered, in order.
        greeting: what it can do, once it has said so.
        idle_since: monotonic seconds since when it has nothing to do.
        retires: whether it has asked to be replaced by another.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, settings: Settings) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        # Whatever fails, for want of descriptors above all: none may stay behind, or there were ever fewer.
        with ExitStack() as theirs, ExitStack() as ours:
            shared_fd = os.memfd_create("censusd-worker", os.MFD_CLOEXEC)
            theirs.callback(os.close, shared_fd)
            requests, self._request_fd = os.pipe()
            theirs.callback(os.close, requests)
            ours.callback(os.close, self._request_fd)
            self.answer_fd, answers = os.pipe()
            theirs.callback(os.close, answers)
            ours.callback(os.close, self.answer_fd)
            os.ftruncate(shared_fd, mmap.PAGESIZE)
            self._shared = mmap.mmap(shared_fd, mmap.PAGESIZE)
            # Isolated from the environment and without site packages, it finds the modules just where this process
            # does. -B: it writes nothing, not even byte code. In its own session, no terminal's Ctrl-C reaches it.
            self._process = subprocess.Popen(
                [sys.executable or "", "-B", "-I", "-S", "-c", _BOOTSTRAP, *sys.path, str(shared_fd)],
                stdin=requests,
                stdout=answers,
                stderr=subprocess.DEVNULL,
                env=environment,
                pass_fds=(shared_fd,),
                start_new_session=True,
            )
            ours.pop_all()
        os.set_blocking(self._request_fd, False)
        os.set_blocking(self.answer_fd, False)
        self.jobs: deque[Job] = deque()
        self.greeting: Greeting | None = None
        self.retires = False
        self.idle_since = time.monotonic()
        self._outgoing = bytearray(frame_request(settings))
        self._incoming = bytearray()
        self._at = 0
        self._since = time.monotonic()
        self._starved: float | None = None
        self._paused: float | None = None

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def request_fd(self) -> int:
        """The descriptor to wait for before ``send``, where something is unsent."""
        return self._request_fd

    @property
    def has_unsent(self) -> bool:
        """Whether ``send`` has something to do as soon as the worker takes it."""
        return bool(self._outgoing)

    def ask(self, jobs: Sequence[Job]) -> None:
        """Let the worker look at files."""
        if not self.jobs:
            self._since = time.monotonic()
        self.jobs.extend(jobs)
        self._outgoing += frame_request(jobs)

    def send(self) -> None:
        """Write as much of the jobs as the worker takes now. If it has ended, ``receive`` says how."""
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._request_fd, self._outgoing)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It may have asked to be replaced before it ended, and what it has found is still to be read.
            self._outgoing.clear()

    def receive(self) -> list[tuple[Job, Finding]]:
        """What it has found since.

        Raises:
            ProcessFaultError: the worker has ended, or makes no sense.
        """
        try:
            read = os.read(self.answer_fd, _READ_BYTES)
        except BlockingIOError:
            return []
        if not read:
            raise ProcessFaultError(self._last_words())
        self._incoming += read
        found: list[tuple[Job, Finding]] = []
        try:
            for message in read_answers(self._incoming):
                self._take(message, found)
        except (ProtocolError, ValueError, TypeError) as error:
            # What came before stands, and the next look finds the worker gone.
            self._process.kill()
            if not found:
                raise ProcessFaultError(f"it said something that makes no sense: {error}"[:200]) from error
        return found

    def check(self, now: float) -> None:
        """See whether it takes too long.

        Raises:
            ProcessFaultError: it does.
        """
        if self._paused is not None:
            return
        if self.greeting is None:
            if now > self._since + _START_SECONDS:
                raise ProcessFaultError("it did not start in time")
            return
        job = self.current
        if job is None:
            return
        if job.number != self._at:
            self._at, self._since, self._starved = job.number, now, None
        allowed = patience(job.version[0])
        if now > self._since + allowed / 2 and self._starved is None:
            self._starved = self._delay()
        # Where others have the processors, it is not the file that takes its time.
        if now > self._since + allowed and now - (self._delay() - (self._starved or 0.0)) > self._since + allowed:
            raise ProcessFaultError(f"it took more than {allowed:.0f} seconds")

    @property
    def current(self) -> Job | None:
        """The job it is at, as far as it says so truly."""
        (number,) = CURRENT.unpack_from(self._shared, 0)
        if not self.jobs:
            return None
        return next((job for job in self.jobs if job.number == number), self.jobs[0])

    def pause(self) -> None:
        """Stop it where it is, until ``resume``."""
        if self._paused is None:
            self._paused = time.monotonic()
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        if self._paused is not None:
            self._since += time.monotonic() - self._paused
            self._paused = None
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> bool:
        """End it at once. Says whether it has ended; else the kernel holds it, and it ends when it is let go."""
        self._process.kill()
        os.close(self._request_fd)
        os.close(self.answer_fd)
        self._shared.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # Even a kill waits for some dead file systems. Somebody has to take notice of its end.
            threading.Thread(target=self._process.wait, name=f"reap-{self.pid}", daemon=True).start()
            return False
        return True

    @property
    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def _take(self, message: Any, found: list[tuple[Job, Finding]]) -> None:
        if self.greeting is None:
            self.greeting = Greeting(*message)
            self._since = time.monotonic()
        elif message is None:
            self.retires = True
        else:
            for values in message:
                finding = Finding(*values)
                if not self.jobs or finding.number != self.jobs[0].number:
                    raise ProtocolError("an answer to nothing it was asked")
                found.append((self.jobs.popleft(), finding))
            self._since = self.idle_since = time.monotonic()

    def _delay(self) -> float:
        """Seconds for which it has waited for a processor: schedstat's second field, see the kernel's sched-stats."""
        try:
            with open(f"/proc/{self.pid}/schedstat", "rb") as file:
                return int(file.read().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def _last_words(self) -> str:
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it does not listen any more"
        return f"it was ended by signal {-code}" if code < 0 else f"it ended by itself, with status {code}"
