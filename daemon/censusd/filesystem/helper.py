"""One listing helper, seen from the daemon: a child process that lists the directories it is asked for.

Nothing here ever waits for the child, and the child never waits for the daemon to read and write at once: it reads a
request, and writes its answers to the end before it reads the next. So whatever fills up, the daemon can always take
answers, and that lets the child go on.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.lister import HEADER, LARGEST, MARK, frame, from_plain
from censusd.model import Observation

_BOOTSTRAP: Final = "import sys; sys.path[:] = sys.argv[1:]; from censusd.filesystem.lister import main; main()"

_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")
"""What the child sees of the environment: how to load Python and how to decode names, nobody's secrets."""

_PIPE_BYTES: Final = 1 << 20
"""How far answers may run ahead of their reader; by default the most that an unprivileged process may ask for."""

_READ_BYTES: Final = 1 << 18
_END_SECONDS: Final = 0.2

_SWITCHES: Final = re.compile(rb"ctxt_switches:\s*(\d+)")


class HelperFaultError(Exception):
    """The child ended, or said something that makes no sense."""


class Helper:
    """A child process that lists directories of one tree.

    Args:
        root_fd: the tree's root, open.
        policy: what is left out.
        made_up: device numbers of file systems that make inode numbers up.

    Attributes:
        waiting: the paths that it was asked for and has not answered, in order.
        is_up: whether it has said that it is ready.
        in_vain: seconds for which somebody has waited for it and heard nothing.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, root_fd: int, policy: IgnorePolicy, made_up: frozenset[int]) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        requests, self.request_fd = os.pipe()
        self.answer_fd, answers = os.pipe()
        try:
            # Isolated from the environment and without site packages, it finds the modules just where this process
            # does. -B: it writes nothing, not even byte code. In a group of its own, no terminal's Ctrl-C reaches it;
            # in a session of its own, the kernel would weigh it by itself, whatever its nice value.
            self._process = subprocess.Popen(
                [sys.executable or "", "-B", "-I", "-S", "-c", _BOOTSTRAP, *sys.path],
                stdin=requests,
                stdout=answers,
                env=environment,
                pass_fds=(root_fd,),
                process_group=0,
            )
        except BaseException:
            os.close(self.request_fd)
            os.close(self.answer_fd)
            raise
        finally:
            os.close(requests)
            os.close(answers)
        os.set_blocking(self.request_fd, False)
        os.set_blocking(self.answer_fd, False)
        with suppress(OSError):
            # Less will do where the kernel grants no more: the child then waits for its reader sooner.
            fcntl.fcntl(self.answer_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.waiting: deque[str] = deque()
        self.is_up = False
        self.in_vain = 0.0
        self._outgoing = bytearray(frame((root_fd, policy.arguments, made_up)))
        self._incoming = bytearray()
        self._switches: list[bytes] = []

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def has_unsent(self) -> bool:
        """Whether ``send`` has something to do as soon as the child takes it."""
        return bool(self._outgoing)

    def ask(self, paths: Sequence[str]) -> None:
        """Let the child list the directories at ``paths``."""
        self.waiting.extend(paths)
        self._outgoing += frame(list(paths))

    def send(self) -> None:
        """Write as much of the requests as the child takes now.

        Raises:
            HelperFaultError: the child has ended.
        """
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self.request_fd, self._outgoing)]
        except BlockingIOError:
            pass
        except OSError as error:
            raise HelperFaultError(self._last_words()) from error

    def receive(self, take: Callable[[str, Observation | None], object]) -> None:
        """Read what there is, and give each answer to ``take``; None where it is too large to send.

        Raises:
            HelperFaultError: the child has ended, or makes no sense. What came before was given to ``take``.
        """
        self.in_vain = 0.0
        try:
            read = os.read(self.answer_fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not read:
            raise HelperFaultError(self._last_words())
        self._incoming += read
        start = 0
        try:
            while len(self._incoming) - start >= HEADER.size:
                mark, length = HEADER.unpack_from(self._incoming, start)
                if mark != MARK or length > LARGEST:
                    raise HelperFaultError("it sent something that is not an answer")
                end = start + HEADER.size + length
                if len(self._incoming) < end:
                    break
                self._take(bytes(memoryview(self._incoming)[start + HEADER.size : end]), take)
                start = end
        finally:
            del self._incoming[:start]

    def is_stuck(self) -> bool:
        """Whether the child has not run at all since this was last asked. Starts to wait for it anew."""
        self.in_vain = 0.0
        before, self._switches = self._switches, self._count_switches()
        return before == self._switches

    def close(self) -> None:
        """End the child at once. It only ever reads, so nothing is left half done."""
        self._process.kill()
        os.close(self.request_fd)
        os.close(self.answer_fd)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # Even a kill waits for some dead file systems. That is not worth waiting for, but somebody has to take
            # notice of the child's end.
            threading.Thread(target=self._process.wait, name=f"reap-{self.pid}", daemon=True).start()

    def _take(self, body: bytes, take: Callable[[str, Observation | None], object]) -> None:
        try:
            message = marshal.loads(body)  # noqa: S302 - from a child of our own
            if not self.is_up:
                self.is_up = True
                return
            answer = None if message is None else Observation(self.waiting[0], from_plain(message))
        except (ValueError, TypeError, EOFError, IndexError) as error:
            raise HelperFaultError("it sent something that is not an answer") from error
        take(self.waiting.popleft(), answer)

    def _count_switches(self) -> list[bytes]:
        """How often the child was given a processor: it changes whenever the child does anything, however slowly."""
        try:
            with open(f"/proc/{self.pid}/status", "rb") as file:
                return _SWITCHES.findall(file.read())
        except OSError:
            return []

    def _last_words(self) -> str:
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it does not listen any more"
        return f"it was ended by signal {-code}" if code < 0 else f"it ended by itself, with status {code}"
