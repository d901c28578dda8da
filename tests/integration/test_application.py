"""The daemon put together, when several things happen to it at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.config import Config, load
from censusd.deepscan.scanner import Scanner
from censusd.model import SyncOperation
from censusd.service import application as application_module
from censusd.service.application import Application
from censusd.sync.worker import Worker

pytestmark = pytest.mark.usefixtures("own_log")

_MOMENT = 0.3


def configured(directory: Path, database: str, *names: str) -> Config:
    """A configuration with these repositories."""
    lines = ['[http]\nlisten = ""\n[deep_scan]\nenabled = false\n']
    for name in names:
        (directory / name).mkdir(exist_ok=True)
        lines.append(f'[[repository]]\nname = "{name}"\npath = "{directory / name}"\nwatch = "off"\n')
    file = directory / "censusd.toml"
    file.write_text("".join(lines))
    places = {"STATE_DIRECTORY": str(directory / "state"), "RUNTIME_DIRECTORY": str(directory / "run")}
    return load([file], {"CENSUSD_DATABASE": database} | places)


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Paused(Application):
    """One that pauses after its workers were started, and before it is prepared."""

    def __init__(self, config: Config) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        super().__init__(config, lambda: None)

    def _start_scanner(self) -> Scanner:
        self.reached.set()
        self.go_on.wait()
        return super()._start_scanner()


def test_a_reload_in_the_middle_of_the_start_is_not_lost(shared_path: Path, database: str) -> None:
    stopping = threading.Event()
    with Paused(configured(shared_path, database, "one", "two")) as application:
        starting = threading.Thread(target=application.prepare, args=(stopping,))
        starting.start()
        application.reached.wait()
        new = configured(shared_path, database, "two", "three")
        reloading = threading.Thread(target=application.reload, args=(new,))
        reloading.start()
        reloading.join(_MOMENT)
        application.go_on.set()
        reloading.join()
        starting.join()
        assert sorted(application.workers()) == ["three", "two"]


@pytest.mark.usefixtures("switching")
def test_how_it_stands_can_be_asked_while_repositories_come_and_go(shared_path: Path, database: str) -> None:
    names = [f"r{number}" for number in range(24)]
    some, all_of_them = (configured(shared_path, database, *chosen) for chosen in (names[:8], names))
    over, failures = threading.Event(), list[BaseException]()

    def ask() -> None:
        try:
            while not over.is_set():
                application.describe()
                application.is_alive()
                application.controls.why_not_ready()
                application._overview()
        except RuntimeError as error:
            failures.append(error)

    with Application(some, lambda: None) as application:
        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        try:
            application.prepare(threading.Event())
            application.reload(all_of_them)
            application.reload(some)
        finally:
            over.set()
            for thread in asking:
                thread.join()
    assert not failures


class Stuck(Application):
    """One whose workers do not come back from their first pass."""

    def __init__(self, config: Config) -> None:
        self.stuck, self.go_on = threading.Semaphore(0), threading.Event()
        super().__init__(config, lambda: None)

    def _passed(self, worker: Worker, operation: SyncOperation) -> None:
        self.stuck.release()
        self.go_on.wait()
        super()._passed(worker, operation)


def test_workers_that_hang_are_waited_for_together(
    shared_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application_module, "_STOP_WITHIN", 1.0)
    names = [f"r{number}" for number in range(8)]
    with Stuck(configured(shared_path, database, *names)) as application:
        application.prepare(threading.Event())
        for _ in names:
            application.stuck.acquire()
        began = time.monotonic()
        application.reload(configured(shared_path, database))
        took = time.monotonic() - began
        application.go_on.set()
        assert took < 4.0
        assert not application.workers()
