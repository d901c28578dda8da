"""The main thread: signals in, notifications out."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Protocol

import structlog

from censusd import __version__, metrics
from censusd.config import Config, load
from censusd.errors import CancelledError, CensusError, ConfigurationError
from censusd.service import log
from censusd.service.application import Application
from censusd.service.notify import Notifier

_LOG: Final = structlog.get_logger("censusd.service")
_ROUND: Final = 0.5
_HURRY_AFTER: Final = 10.0

Load = Callable[[], Config]
"""Reads the configuration again, from where it came from."""

Waiting = Callable[[str], None]
"""Called a few times a second while a program begins, with what it waits for; whatever it raises ends that."""


class Program(AbstractContextManager["Program"], Protocol):
    """What runs while it is entered: an ``Application``, or an ``Assistant``.

    Attributes:
        fault: what is wrong with the configuration, for those who ask.
    """

    fault: str

    def prepare(self, stopping: threading.Event) -> None:
        """Begin, as soon as that is possible."""

    def reload(self, config: Config) -> None:
        """Apply another configuration; a ``CensusError`` says why it cannot be, and then nothing is."""

    def hurry(self) -> None:
        """The end takes long: wait no longer for what does not answer. Called in a thread of its own."""

    def describe(self) -> str:
        """One line on how things stand."""

    def is_alive(self) -> bool:
        """Whether every loop runs and none is hung."""


class Daemon:
    """One run of the daemon, or of a worker, from the configuration to the end.

    Args:
        read: reads the configuration.
        make: makes what is to run, from a configuration, a means to ask for a reload, and one to call while it waits.
        patience: seconds to wait, before anybody is told that it is ready, for it to have begun, or to have failed.
    """

    def __init__(
        self,
        read: Load,
        make: Callable[[Config, Callable[[], None], Waiting], Program] = Application,
        patience: float = 0.0,
    ) -> None:
        self._read = read
        self._make = make
        self._patience = patience
        self._notifier = Notifier()
        self._stopping = threading.Event()
        self._reload = False
        # Signals, and 0 for a look around. A handler runs in the middle of what the main thread does, which may hold
        # the lock of an Event that the handler would set; putting into a SimpleQueue is all that may be done there.
        self._heard: SimpleQueue[int] = SimpleQueue()
        self._failure: CensusError | None = None

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            ConfigurationError: the configuration cannot be used.
            CensusError: something that the daemon cannot do without cannot be had.
        """
        config = self._read()
        log.set_up(config.daemon.log_level, config.daemon.log_format)
        for warning in config.warnings:
            _LOG.warning("configuration", warning=str(warning))
        _LOG.info("starting", version=__version__, repositories=[one.name for one in config.repositories])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Not by way of a function in Python, which the next signal would interrupt in turn, and so on. The frame is
            # taken for put's second argument, which means nothing.
            signal.signal(number, self._heard.put)  # type: ignore[arg-type]
        self._note_configuration(valid=True)
        hurry: threading.Timer | None = None
        try:
            with self._make(config, self._ask_for_reload, self._begin) as program:
                preparing = threading.Thread(target=self._prepare, args=(program,), name="prepare")
                preparing.start()
                begun = time.monotonic() + self._patience
                while preparing.is_alive() and not self._stopping.is_set() and (left := begun - time.monotonic()) > 0:
                    self._listen(left)
                if self._failure is None:
                    self._notifier.ready()
                    metrics.UP.set(1)
                try:
                    self._loop(program)
                finally:
                    self._notifier.stopping()
                    metrics.UP.set(0)
                    _LOG.info("stopping")
                    self._stopping.set()
                    hurry = threading.Timer(_HURRY_AFTER, program.hurry)
                    hurry.daemon = True
                    hurry.start()
                    preparing.join()
        except CancelledError:
            # It was to stop before it had begun.
            if not self._stopping.is_set():
                raise
        finally:
            if hurry is not None:
                hurry.cancel()
            _LOG.info("stopped")
        if self._failure is not None:
            raise self._failure

    def _begin(self, what: str) -> None:
        """Called by the program while it begins."""
        self._notifier.status(what)
        self._listen(0.0)
        if self._stopping.is_set():
            self._notifier.stopping()
            _LOG.info("stopping")
            raise CancelledError("it is to stop")

    def _loop(self, program: Program) -> None:
        fed = 0.0
        while not self._stopping.is_set():
            if self._reload:
                self._reload = False
                self._reload_configuration(program)
            self._notifier.status(program.describe())
            interval = self._notifier.watchdog_seconds
            if interval is not None and time.monotonic() >= fed + min(interval, 10.0) and program.is_alive():
                self._notifier.alive()
                fed = time.monotonic()
            self._listen(_ROUND)

    def _listen(self, seconds: float) -> None:
        """Wait for a signal, or for something to look at; then heed all there is."""
        with suppress(Empty):
            numbers = {self._heard.get(timeout=seconds)}
            numbers |= {self._heard.get_nowait() for _ in range(self._heard.qsize())}
            self._reload |= signal.SIGHUP in numbers
            if numbers & {signal.SIGTERM, signal.SIGINT}:
                self._stopping.set()

    def _prepare(self, program: Program) -> None:
        try:
            program.prepare(self._stopping)
        except CensusError as error:
            # What was broken off by the stop is no failure.
            if not self._stopping.is_set():
                self._failure = error
        except Exception:  # noqa: BLE001 - a thread that ends without a word would leave it starting for ever
            _LOG.exception("unexpected", loop="start")
            self._failure = CensusError("something unexpected happened at the start; the log says what")
        if self._failure is not None:
            self._stopping.set()
        self._heard.put(0)

    def _reload_configuration(self, program: Program) -> None:
        self._notifier.reloading()
        try:
            config = self._read()
        except ConfigurationError as error:
            for fault in error.faults:
                _LOG.error("configuration", fault=str(fault))
            _LOG.error("the configuration is not valid: the old one stays in force")
            self._note_configuration(valid=False)
            program.fault = "the new configuration is not valid, the old one stays in force"
        else:
            for warning in config.warnings:
                _LOG.warning("configuration", warning=str(warning))
            self._apply(program, config)
        self._notifier.status(program.describe())
        self._notifier.ready()

    def _apply(self, program: Program, config: Config) -> None:
        try:
            program.reload(config)
        except CensusError as error:
            _LOG.error("the configuration cannot be used: the old one stays in force", why=str(error))
            program.fault = f"the new configuration cannot be used, the old one stays in force: {error}"
        else:
            program.fault = ""
        self._note_configuration(valid=not program.fault)

    def _note_configuration(self, *, valid: bool) -> None:
        metrics.CONFIG_LOADED.set(valid)
        if valid:
            metrics.CONFIG_TIME.set_to_current_time()

    def _ask_for_reload(self) -> None:
        self._heard.put(signal.SIGHUP)


def reader(files: list[Path] | None, environment: Mapping[str, str], repositories: list[Path]) -> Load:
    """Reads the configuration from these places, each time that it is called."""
    return lambda: load(files, environment, extra_repositories=repositories)
