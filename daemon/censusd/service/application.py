"""The daemon put together: everything that runs, in the order in which it starts, and what a reload changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import structlog

from censusd import __version__, metrics
from censusd.catalogue import migrations
from censusd.catalogue.connection import Catalogue
from censusd.catalogue.embedded import EmbeddedServer
from censusd.config import ChangeKind, Config, Difference, RepositoryConfig, differences
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import SiteRules
from censusd.errors import CancelledError, CensusError, EmbeddedServerError, WatchError
from censusd.model import SyncOperation, Trigger
from censusd.service import log, summary
from censusd.service.backlogs import Backlogs
from censusd.service.collector import Collector
from censusd.service.controls import Controls
from censusd.service.describing import Describing
from censusd.service.heartbeat import Heartbeats
from censusd.service.http import HttpServer
from censusd.service.patience import break_off_if_silent, once_available
from censusd.service.schedule import Schedule
from censusd.service.terms import pace_of, pool_of, scan_rules_of, sites_of, terms_of
from censusd.sync import ownership
from censusd.sync.requests import Kind, Request
from censusd.sync.worker import Worker
from censusd.watch.mount_table import MountTableWatch

_LOG: Final = structlog.get_logger("censusd.service")
_COLLECT_EVERY: Final = 5.0
_ATTEND_EVERY: Final = 2.0
_STOP_WITHIN: Final = 30.0
_TICK: Final = 0.5
_DEEP_SCAN: Final = "deep scan"


class Application:
    """Everything that runs. Use as a context manager; leaving it stops everything, in reverse order.

    Args:
        config: the configuration to begin with.
        request_reload: called when somebody asks, over the control socket, to read the configuration again.
        waiting: called a few times a second, with what is waited for, while this begins; whatever it raises ends it.

    Raises:
        CensusError: something that it cannot do without cannot be had; what was started is stopped again.
    """

    def __init__(
        self, config: Config, request_reload: Callable[[], None], waiting: Callable[[str], None] = lambda _: None
    ) -> None:
        self._config = config
        self._owner = ownership.own_name()
        self._workers: dict[str, Worker] = {}
        self._scanner: Scanner | None = None
        self._prepared = False
        self._changing = threading.Lock()
        self.heartbeats = Heartbeats()
        self.trouble = ""
        self.fault = ""
        with ExitStack() as stack:
            self._server = self._embedded(stack, waiting)
            conninfo = config.database.dsn.reveal() if config.database.dsn else self._server_conninfo()
            self.catalogue = Catalogue(conninfo, pool_of(config), metrics.database_error)
            stack.enter_context(self.catalogue)
            stack.callback(self._stop_workers)
            stack.callback(self._stop_scanner)
            self.describing = Describing(self.catalogue, self._owner, self.heartbeats, lambda: self._scanner)
            stack.callback(self.describing.stop)
            self.schedule = Schedule(self.catalogue)
            self.backlogs = Backlogs(self.catalogue, self._sites)
            self.collector = Collector(self.workers, self.catalogue, self.heartbeats, self.backlogs.queues)
            self.schedule.start()
            stack.callback(self.schedule.stop)
            self.controls = Controls(
                self.workers,
                self.catalogue,
                version=__version__,
                reload=request_reload,
                overview=self._overview,
                scanner=lambda: self._scanner,
                sites=self._sites,
            )
            self._serve(stack)
            self._watch_mounts(stack)
            self._stack = stack.pop_all()
        metrics.BUILD.info({"version": __version__})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def workers(self) -> Mapping[str, Worker]:
        """The workers there are, by repository."""
        return dict(self._workers)

    def prepare(self, stopping: threading.Event) -> None:
        """Bring the schema up to date and start the workers, as soon as the database can be had.

        Waits, ever longer, while it cannot; ends when ``stopping`` is set.

        Raises:
            SchemaError: the database's schema is not one this version can work with.
            CatalogueError: the database refuses to be set up.
        """

        def bring_up_to_date() -> None:
            done = migrations.migrate(self.catalogue)
            if done:
                _LOG.info("schema brought up to date", steps=done)

        if self._server is not None:
            self.schedule.every(_ATTEND_EVERY, "embedded server", partial(_keep_running, self._server, stopping))
        if not once_available(bring_up_to_date, stopping, self._tell):
            return
        with self._changing:
            for repository in self._config.repositories:
                if repository.enabled:
                    self._start(repository)
            self._scanner = self._start_scanner()
            self.describing.start(self._config)
            self.schedule.every(_COLLECT_EVERY, "collect", self.collector.collect)
            self.schedule.every(_COLLECT_EVERY, "backlogs", self.backlogs.count)
            self._prepared = True

    def reload(self, config: Config) -> None:
        """Apply what differs, and nothing else."""
        with self._changing:
            old, self._config = self._config, config
            changes = differences(old, config)
            for change in changes:
                _LOG.info("configuration", change=str(change))
                if change.restart_keys:
                    _LOG.warning("takes effect when the daemon is started again", keys=list(change.restart_keys))
            log.set_up(config.daemon.log_level, config.daemon.log_format)
            self.catalogue.resize(pool_of(config))
            if not self._prepared:
                return
            self._change_workers([change for change in changes if change.table == "repository"])
            if self._scanner is not None:
                self._scanner.reconfigure(scan_rules_of(config.deep_scan), sites_of(config))
            self.describing.reload(config)
            if not changes:
                _LOG.info("configuration", change="nothing differs")

    def hurry(self) -> None:
        """Wait for the database no longer if it does not answer."""
        break_off_if_silent(self.catalogue)

    def describe(self) -> str:
        """One line on how things stand."""
        if self.trouble:
            return self.trouble
        parts = [self.fault] if self.fault else []
        parts += summary.parts(map(_told, self.workers().values()))
        parts += (
            f"{loop.name}: no answer from a disk or the database for {loop.unanswered:.0f} s"
            for loop in self.heartbeats.waiting()
        )
        return "; ".join(parts) or ("no repositories" if self._prepared else "starting")

    def is_alive(self) -> bool:
        """Whether every loop runs and none is hung."""
        hung = self.heartbeats.hung()
        for loop in hung:
            _LOG.error("hung", loop=loop.name, seconds=round(loop.age))
        scanning = self._scanner is None or self._scanner.is_alive
        others = scanning and self.describing.is_alive and self.schedule.is_alive
        return not hung and others and all(worker.is_alive for worker in self.workers().values())

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble

    def _embedded(self, stack: ExitStack, waiting: Callable[[str], None]) -> EmbeddedServer | None:
        database = self._config.database
        if database.dsn is not None:
            return None
        user = database.embedded_user or None
        server = EmbeddedServer.start(database.embedded_directory, user=user, waiting=waiting)
        stack.callback(server.close)
        return server

    def _server_conninfo(self) -> str:
        if self._server is None:
            raise EmbeddedServerError("there is neither a database to connect to nor a private one")
        return self._server.conninfo

    def _serve(self, stack: ExitStack) -> None:
        control, http = self._config.control, self._config.http
        unix = HttpServer.unix(self.controls, control.socket, control.socket_mode, control.socket_group)
        stack.callback(unix.close)
        if http.listen is not None:
            tcp = HttpServer.tcp(self.controls, http.listen, http.allowed_hosts)
            stack.callback(tcp.close)
            _LOG.info("serving", metrics=f"http://{tcp.address}/metrics", status_page=f"http://{tcp.address}/")
        _LOG.info("control", socket=str(control.socket))

    def _watch_mounts(self, stack: ExitStack) -> None:
        def doubt() -> None:
            for worker in self.workers().values():
                worker.doubt_root()

        try:
            mounts = MountTableWatch(doubt)
        except WatchError as error:
            # Every root is looked at every other second all the same.
            _LOG.warning("mounts are not watched", why=str(error))
            return
        mounts.start()
        stack.callback(mounts.stop)

    def _start(self, repository: RepositoryConfig) -> None:
        metrics.prepare(repository.name)
        loop = self.heartbeats.add(repository.name)
        terms = terms_of(repository, self._config.daemon.runtime_directory, self._owner)
        worker = Worker(terms, self.catalogue, beat=loop.beat, on_pass=self._passed)
        self._workers[repository.name] = worker
        worker.start()
        self.schedule.add(worker)

    def _passed(self, worker: Worker, operation: SyncOperation) -> None:
        self.collector.passed(worker.name)
        for repository in self._config.repositories:
            if repository.name == worker.name:
                self.schedule.passed(worker, pace_of(repository), operation)

    def _change_workers(self, changes: list[Difference]) -> None:
        new = {repository.name: repository for repository in self._config.repositories if repository.enabled}
        self._remove(
            {
                change.name: change.kind is ChangeKind.REMOVED
                for change in changes
                if change.name not in new or {"path", "lease_ttl"} & set(change.keys)
            }
        )
        for change in changes:
            repository = new.get(change.name)
            if repository is None:
                continue
            worker = self._workers.get(change.name)
            if worker is None:
                self._start(repository)
            else:
                worker.reconfigure(terms_of(repository, self._config.daemon.runtime_directory, self._owner))

    def _remove(self, names: Mapping[str, bool]) -> None:
        """Look after these repositories no more; those with a True are retired."""
        removed = []
        for name, retire in names.items():
            worker = self._workers.pop(name, None)
            if worker is not None:
                removed.append(worker)
                self.schedule.remove(name)
                worker.stop(retire=retire)
        self._wait_for(removed)
        for worker in removed:
            self.heartbeats.remove(worker.name)
            self.collector.totals.pop(worker.name, None)
            metrics.forget(worker.name)

    def _start_scanner(self) -> Scanner:
        scanner = Scanner(
            self.catalogue,
            scan_rules_of(self._config.deep_scan),
            sites_of(self._config),
            self._owner,
            beat=self.heartbeats.add(_DEEP_SCAN).beat,
            is_gone=ownership.is_gone,
            adopt=self._adopt,
        )
        scanner.start()
        return scanner

    def _sites(self) -> dict[str, SiteRules]:
        return {site.name: site for site in sites_of(self._config)}

    def _adopt(self, repository: str, pairs: list[tuple[int, int]]) -> None:
        """Missing files whose content has turned up elsewhere: only the repository's worker changes paths."""
        worker = self._workers.get(repository)
        if worker is None or worker.repository is None:
            raise CensusError("this daemon does not own it")
        worker.submit(Request(Kind.ADOPT, Trigger.IDLE, pairs=tuple(pairs)))

    def _stop_scanner(self) -> None:
        if self._scanner is not None:
            self._scanner.stop()
            self._join(self._scanner.join, _DEEP_SCAN, time.monotonic() + _STOP_WITHIN)

    def _stop_workers(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        self._wait_for(self._workers.values())

    def _wait_for(self, workers: Iterable[Worker]) -> None:
        """All of them together: systemd does not wait longer if there are more, nor does its watchdog at a reload."""
        deadline = time.monotonic() + _STOP_WITHIN
        for worker in workers:
            self._join(worker.join, worker.name, deadline)

    def _join(self, join: Callable[[float], bool], name: str, deadline: float) -> None:
        """Wait for the end of a loop, but not for one that waits itself for a disk that does not answer."""
        while not join(min(_TICK, max(0.0, deadline - time.monotonic()))):
            if any(loop.name == name for loop in self.heartbeats.waiting()):
                _LOG.error("did not stop: no answer from a disk or the database", loop=name)
                return
            if time.monotonic() >= deadline:
                _LOG.error("did not stop in time", loop=name)
                return

    def _overview(self) -> dict[str, Any]:
        """What the control room adds to each repository's status."""
        return {
            "trouble": self.trouble,
            "fault": self.fault,
            "ready": self._prepared,
            "totals": dict(self.collector.totals),
            "queues": self.backlogs.queues(),
            "describe": self.describing.status(),
            "next_run": {name: self.schedule.next_run(name) for name in self.workers()},
            "silent": {loop.name: loop.unanswered for loop in self.heartbeats.waiting()},
        }


def _told(worker: Worker) -> summary.Repository:
    """What there is to tell of a repository."""
    upkeep = worker.upkeep
    progress = upkeep.progress if upkeep else None
    if progress is None:
        return summary.Repository(worker.name, worker.phase)
    return summary.Repository(worker.name, worker.phase, progress.counts.files_scanned, progress.files_per_second)


def _keep_running(server: EmbeddedServer, stopping: threading.Event) -> None:
    """Start the private PostgreSQL again if it has died, and wait for it unless everything is to stop."""

    def waiting(_: str) -> None:
        if stopping.is_set():
            raise CancelledError("the daemon is being stopped")

    server.ensure_running(waiting)
