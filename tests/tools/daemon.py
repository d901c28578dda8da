"""The real daemon as a process of its own, with systemd's notification socket on the other side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

DEADLINE = 60.0
"""Seconds after which something that should happen is taken not to."""
BUSY_IS_FINE = """
[deep_scan]
quiet = "0s"
cpu_pressure = 100
io_pressure = 100
cpu_busy = 100
"""
"""Files are looked at at once, also on a machine that runs other tests; to be followed by more of [deep_scan]."""


class Notifications:
    """A notification socket as systemd has one, and what came through it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(os.fspath(self.path))
        self.path.chmod(0o666)
        self.messages: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                with self._changed:
                    self.messages.append(data.decode())
                    self._changed.notify_all()

    def wait_for(self, wanted: Callable[[str], bool], after: int = 0) -> int:
        """Wait for a message that ``wanted`` accepts, after the first ``after``. Returns how many there were then."""
        deadline = time.monotonic() + DEADLINE
        with self._changed:
            while True:
                for number in range(after, len(self.messages)):
                    if wanted(self.messages[number]):
                        return number + 1
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"no such message among {self.messages[after:]}")

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class DaemonProcess:
    """One daemon process; started by ``start``, stopped when the block is left.

    Args:
        directory: where its configuration, state, sockets and log go; a short path.
        dsn: the database.
        config: the configuration's text, without the database.
        command: ``run``, or ``worker``.

    Attributes:
        program: what is run.
        environment: what is added to its environment.
    """

    def __init__(self, directory: Path, dsn: str, config: str, command: str = "run") -> None:
        self.directory = directory
        self.command = command
        self.dsn = dsn
        self.config = directory / "censusd.toml"
        self.socket = directory / "control.sock"
        self.log = directory / "log"
        self.notifications: Notifications | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.program: list[str] = [sys.executable, "-m", "censusd"]
        self.environment: dict[str, str] = {}
        self.configure(config)

    def configure(self, text: str) -> None:
        """Write the configuration. Unless it says otherwise, trees are watched the same way whoever runs the tests."""
        # [http] is last, so that keys for it can be put first.
        common = f'[control]\nsocket = "{self.socket}"\n[http]\nlisten = "127.0.0.1:0"\n'
        if "watch =" not in text:
            watch = '[defaults]\nwatch = "inotify"\n'
            if "[defaults]\n" in text:
                text = text.replace("[defaults]\n", watch)
            else:
                common = watch + common
        self.config.write_text(common + text)

    def start(self) -> Self:
        """Start it, and wait until it says that it is ready."""
        self.start_at_once()
        assert self.notifications is not None
        self.notifications.wait_for(lambda message: message == "READY=1")
        return self

    def start_at_once(self) -> None:
        """Start it, and do not wait for anything."""
        self._forget()
        self.notifications = Notifications(self.directory)
        environment = dict(os.environ)
        environment |= {
            "CENSUSD_DATABASE": self.dsn,
            "NOTIFY_SOCKET": os.fspath(self.notifications.path),
            "STATE_DIRECTORY": os.fspath(self.directory / "state"),
            "RUNTIME_DIRECTORY": os.fspath(self.directory / "run"),
        }
        environment |= self.environment
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, self.command, "--config", os.fspath(self.config)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and wait for its end. Returns its exit status."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE)

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run censusctl."""
        return subprocess.run(self._order(*arguments), capture_output=True, text=True, timeout=DEADLINE, check=False)

    @contextlib.contextmanager
    def ordered(self, *arguments: str) -> Iterator[None]:
        """The same, while the block goes on; what comes of it is not asked."""
        with subprocess.Popen(self._order(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            yield

    def _order(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "censusd.cli.censusctl", "--socket", os.fspath(self.socket), *arguments]

    def status(self) -> dict[str, Any]:
        """What ``censusctl --json status`` says."""
        done = self.ctl("--json", "status")
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def sync(self, *repositories: str) -> None:
        """Wait until every change made before is committed; the barrier itself, through the real commands."""
        for name in repositories:
            deadline = time.monotonic() + DEADLINE
            while True:
                done = self.ctl("sync", name)
                if done.returncode == 0:
                    break
                # It may not have taken the repository over yet: that is said, not waited for.
                assert time.monotonic() < deadline, done.stderr + self.log_text()

    def records(self, repository: str) -> dict[str, tuple[int, int, int, int]]:
        """Path -> (size, mtime_ns, ctime_ns, inode) of every file that is present."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT file_path, file_size, mtime_ns, ctime_ns, inode FROM file_records WHERE repository_name = %s",
                (repository,),
            )
            return {path: tuple(rest) for path, *rest in rows}

    def log_text(self) -> str:
        """Everything it has logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_events(self) -> Iterator[dict[str, Any]]:
        """Its log lines, which are JSON."""
        for line in self.log_text().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._forget()

    def _forget(self) -> None:
        if self.notifications is not None:
            self.notifications.close()
            self.notifications.path.unlink(missing_ok=True)
            self.notifications = None
