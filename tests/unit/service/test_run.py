"""The main thread: signals in, notifications out."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from censusd.config import Config, load
from censusd.service.run import Daemon, Waiting
from tests.tools.private import apart

_STUCK_AFTER = 30.0

_STORM = """
import os, signal, sys, time
daemon, end = int(sys.argv[1]), time.monotonic() + 2.0
while time.monotonic() < end:
    os.kill(daemon, signal.SIGHUP)
os.kill(daemon, signal.SIGTERM)
"""
"""From another process, because a thread of this one would have the interpreter's lock, and take turns."""


class Nothing:
    """A program that does nothing."""

    def __init__(self, _config: Config, _request_reload: Callable[[], None], _waiting: Waiting) -> None:
        self.fault = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def prepare(self, stopping: threading.Event) -> None:
        stopping.wait()

    def reload(self, config: Config) -> None:
        pass

    def hurry(self) -> None:
        pass

    def describe(self) -> str:
        return "nothing to do"

    def is_alive(self) -> bool:
        return True


class Stormy(Nothing):
    """One that is no sooner begun than signals come from all sides."""

    def __enter__(self) -> Self:
        subprocess.Popen([sys.executable, "-c", _STORM, str(os.getpid())])
        return self


def configured(directory: str) -> Config:
    file = Path(directory, "censusd.toml")
    file.write_text('[daemon]\nlog_level = "error"\n')
    return load([file], {"STATE_DIRECTORY": directory, "RUNTIME_DIRECTORY": directory})


def survive_a_storm(directory: str) -> None:
    config = configured(directory)
    faulthandler.dump_traceback_later(_STUCK_AFTER, exit=True)
    Daemon(lambda: config, Stormy).run()


def test_signals_are_heard_whatever_the_main_thread_is_at(tmp_path: Path) -> None:
    apart(survive_a_storm, tmp_path)
