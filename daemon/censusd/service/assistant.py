"""A worker on another host: it takes part in the deep scan of repositories that a daemon elsewhere looks after.

It shares the backlog with that daemon and with other workers through the database, where files are claimed; it watches
nothing, compares nothing with the disk, and changes no paths.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

import structlog

from censusd import __version__, metrics
from censusd.catalogue import migrations, repositories, upgrades
from censusd.catalogue.connection import Catalogue
from censusd.config import Config, Secret, differences
from censusd.deepscan.processes import Processes, wait
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import SiteRules
from censusd.errors import CatalogueError, CensusError, SchemaError
from censusd.service import log
from censusd.service.backlogs import Backlogs
from censusd.service.collector import Collector
from censusd.service.controls import Controls
from censusd.service.heartbeat import Heartbeats
from censusd.service.http import HttpServer
from censusd.service.patience import break_off_if_silent, once_available
from censusd.service.schedule import Schedule
from censusd.service.terms import pool_of, scan_rules_of, sites_of
from censusd.service.trees import Place, Trees
from censusd.sync import ownership
from censusd.sync.worker import Worker

_LOG: Final = structlog.get_logger("censusd.service")
_COLLECT_EVERY: Final = 5.0
_LOOK_EVERY: Final = 2.0
_GREETED_WITHIN: Final = 60.0
_STOP_WITHIN: Final = 30.0
_TICK: Final = 0.25
_DEEP_SCAN: Final = "deep scan"


class Assistant:
    """Everything that runs in a worker. Use as a context manager; leaving it stops everything.

    Args:
        config: the configuration to begin with: the one of the daemon that it helps, but for paths and addresses.
        request_reload: called when somebody asks for the configuration to be read again.

    Raises:
        CensusError: there is nothing to do, or something that it cannot do without cannot be had.
    """

    def __init__(self, config: Config, request_reload: Callable[[], None]) -> None:
        self._config = config
        self._scanner: Scanner | None = None
        self._prepared = False
        self._away: dict[str, str] = {}
        self._covered: dict[str, dict[str, str]] = {}
        self._extractors: dict[str, int] = {}
        self._changing = threading.Lock()
        self.heartbeats = Heartbeats()
        self.trouble = ""
        self.fault = ""
        dsn = _check(config)
        with ExitStack() as stack:
            self.catalogue = Catalogue(dsn.reveal(), pool_of(config), metrics.database_error)
            stack.enter_context(self.catalogue)
            stack.callback(self._stop_scanner)
            self._trees = Trees(self.catalogue)
            self.schedule = Schedule(self.catalogue)
            self.schedule.start()
            stack.callback(self.schedule.stop)
            self._collector = Collector(_no_workers, self.catalogue, self.heartbeats)
            self._backlogs = Backlogs(self.catalogue, self._sites)
            self._serve(stack, request_reload)
            self._stack = stack.pop_all()
        metrics.BUILD.info({"version": __version__})
        if not config.deep_scan.enabled:
            _LOG.warning("there is nothing to do: deep_scan.enabled is false")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def prepare(self, stopping: threading.Event) -> None:
        """See that everything is as it has to be, and begin, as soon as the database can be had.

        Raises:
            CensusError: the catalogue is another version's; a repository is not in it; a tree is not the repository.
        """
        seen = self._config

        def step() -> None:
            nonlocal seen
            seen = self._config
            migrations.check(self.catalogue)
            self._trees.accept(_places(seen), stopping.is_set)
            self._cover(self._trees.covered())
            self._extractors = _extractors(seen, stopping)
            for name, why in self._outdated().items():
                raise CensusError(f"{name} is not for this version: {why}")

        while not self._prepared and once_available(step, stopping, self._tell):
            with self._changing:
                # What a reload has brought meanwhile has to be looked at first.
                if seen is self._config:
                    self._begin()

    def _begin(self) -> None:
        names = [site.name for site in sites_of(self._config)]
        for name in names:
            metrics.prepare(name)
        self._scanner = self._start_scanner()
        self.schedule.every(_LOOK_EVERY, "look around", self._look_around)
        self.schedule.every(_COLLECT_EVERY, "collect", self._collect)
        self._prepared = True
        _LOG.info("at work", repositories=names)

    def reload(self, config: Config) -> None:
        """Apply what differs, and nothing else.

        Raises:
            CensusError: a tree is not the repository, for instance; everything stays as it was.
        """
        _check(config)
        with self._changing:
            changes = differences(self._config, config)
            covered = self._covered
            if self._prepared:
                self._trees.accept(_places(config))
                covered = self._trees.covered()
            for change in changes:
                _LOG.info("configuration", change=str(change))
                if change.restart_keys:
                    _LOG.warning("takes effect when the worker is started again", keys=list(change.restart_keys))
            before, self._config = {site.name for site in self._sites().values()}, config
            log.set_up(config.daemon.log_level, config.daemon.log_format)
            self.catalogue.resize(pool_of(config))
            now = self._sites().keys()
            self._away = {name: why for name, why in self._away.items() if name in now}
            self._cover(covered)
            for name in before - now:
                metrics.forget(name)
            for name in now - before:
                metrics.prepare(name)
            self._reconfigure()

    def hurry(self) -> None:
        """Wait for the database no longer if it does not answer."""
        break_off_if_silent(self.catalogue)

    def describe(self) -> str:
        """One line on how things stand."""
        if self.trouble or self._scanner is None:
            return self.trouble or "starting"
        status = self._scanner.status()
        parts = [self.fault, status["fault"]]
        parts.append(f"deep scan: {status['condition']}" + (f" ({status['why']})" if status["why"] else ""))
        parts.append(f"at work on {status['in_flight']:,} files" if status["in_flight"] else "")
        parts += self._left_alone()
        return "; ".join(filter(None, parts))

    def is_alive(self) -> bool:
        """Whether every loop runs and none is hung."""
        hung = self.heartbeats.hung()
        for loop in hung:
            _LOG.error("hung", loop=loop.name, seconds=round(loop.age))
        return not hung and (self._scanner is None or self._scanner.is_alive)

    def _sites(self) -> dict[str, SiteRules]:
        """The repositories, those that are away included."""
        # What somebody has written a moment ago, only the daemon that watches can tell from what has rotted.
        return {site.name: replace(site, rehash_per_day=0) for site in sites_of(self._config)}

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble

    def _outdated(self) -> dict[str, str]:
        """Repository -> why, for those that are read by a newer version elsewhere: what this one reads would not do.

        Raises:
            CatalogueError: the database refused, or is away.
        """
        found = {}
        with self.catalogue.transaction() as cursor:
            records = repositories.all_records(cursor)
            for name in self._sites().keys() & records.keys():
                for extractor, version in upgrades.versions(cursor, records[name].id).items():
                    if extractor and self._extractors.get(extractor, 0) < version:
                        mine = self._extractors.get(extractor)
                        have = f"version {mine}" if mine else "none"
                        found[name] = (
                            f"its files are read with version {version} of the extractor {extractor}, this host has "
                            f"{have}: install the version of censusd that its daemon has"
                        )
        return found

    def _start_scanner(self) -> Scanner:
        scanner = Scanner(
            self.catalogue,
            scan_rules_of(self._config.deep_scan),
            self._open_sites(),
            ownership.own_name(),
            beat=self.heartbeats.add(_DEEP_SCAN).beat,
            is_gone=ownership.is_gone,
            is_guest=True,
        )
        scanner.start()
        return scanner

    def _stop_scanner(self) -> None:
        if self._scanner is not None:
            self._scanner.stop()
            if not self._scanner.join(_STOP_WITHIN):
                _LOG.error("did not stop in time", loop=_DEEP_SCAN)

    def _look_around(self) -> None:
        """Leave repositories alone whose tree is not there, or that a newer version reads, until that is over."""
        away = self._trees.away()
        try:
            migrations.check(self.catalogue)
            away |= self._outdated()
            with self._changing:
                if self._cover(self._trees.covered()):
                    self._reconfigure()
        except SchemaError as error:
            away |= dict.fromkeys(self._sites(), str(error))
        except CatalogueError:
            # Without the database nothing is begun anyway.
            return
        with self._changing:
            changed = away.keys() ^ self._away.keys()
            for name in sorted(changed):
                if name in away:
                    _LOG.warning("left alone", repository=name, why=away[name])
                else:
                    _LOG.info("back", repository=name)
            self._away = away
            if changed:
                self._reconfigure()

    def _cover(self, covered: dict[str, dict[str, str]]) -> bool:
        """Leave directories alone on which something else is mounted here. Says whether they are others than before."""
        before = {(name, path) for name, paths in self._covered.items() for path in paths}
        now = {(name, path): why for name, paths in covered.items() for path, why in paths.items()}
        for name, path in sorted(now.keys() - before):
            _LOG.warning("left alone", repository=name, directory=path, why=now[name, path])
        for name, path in sorted(before - now.keys()):
            _LOG.info("back", repository=name, directory=path)
        self._covered = covered
        return now.keys() != before

    def _left_alone(self) -> list[str]:
        """What is left alone, for people."""
        whole = [f"{name} is left alone: {why}" for name, why in sorted(self._away.items())]
        parts = [(name, path, why) for name, paths in sorted(self._covered.items()) for path, why in paths.items()]
        return whole + [f"{name}:{path}/ is left alone: {why}" for name, path, why in parts if name not in self._away]

    def _open_sites(self) -> list[SiteRules]:
        """The repositories that are not left alone, without what is left alone in them."""
        return [
            replace(site, places=site.places.without(self._covered.get(name, ())))
            for name, site in self._sites().items()
            if name not in self._away
        ]

    def _reconfigure(self) -> None:
        if self._scanner is not None:
            self._scanner.reconfigure(scan_rules_of(self._config.deep_scan), self._open_sites())

    def _collect(self) -> None:
        self._collector.collect()
        self._backlogs.count()

    def _serve(self, stack: ExitStack, request_reload: Callable[[], None]) -> None:
        http = self._config.http
        if http.listen is None:
            return
        controls = Controls(
            _no_workers,
            self.catalogue,
            version=__version__,
            reload=request_reload,
            overview=self._overview,
            scanner=lambda: self._scanner,
            sites=self._sites,
        )
        tcp = HttpServer.tcp(controls, http.listen, http.allowed_hosts)
        stack.callback(tcp.close)
        _LOG.info("serving", metrics=f"http://{tcp.address}/metrics")

    def _overview(self) -> dict[str, Any]:
        """What the control room adds to the status."""
        return {
            "trouble": self.trouble,
            "fault": "; ".join(filter(None, (self.fault, *self._left_alone()))),
            "ready": self._prepared,
            "queues": self._backlogs.queues(),
        }


def _check(config: Config) -> Secret:
    """Refuse a configuration with which there is nothing to do for a worker. Gives the database."""
    if config.database.dsn is None:
        raise CensusError(
            "a worker shares its work with a daemon through a PostgreSQL that both can reach: name it in dsn of "
            "[database], in CENSUSD_DATABASE, or in a systemd credential named database"
        )
    if not sites_of(config):
        raise CensusError('there is no repository to deep-scan: none is configured, or their deep_scan is "never"')
    return config.database.dsn


def _places(config: Config) -> list[Place]:
    names = {site.name for site in sites_of(config)}
    return [Place(one.name, one.path, one.marker) for one in config.repositories if one.name in names]


def _extractors(config: Config, stopping: threading.Event) -> dict[str, int]:
    """Extractor -> version of those that worker processes have on this host."""
    pool = Processes(1, scan_rules_of(config.deep_scan).settings[0])
    try:
        pool.warm_up()
        deadline = time.monotonic() + _GREETED_WITHIN
        while pool.greeting is None and not pool.fault and not stopping.is_set() and time.monotonic() < deadline:
            wait((pool,), _TICK)
        if pool.greeting is None:
            raise CensusError(pool.fault or f"a worker process said nothing within {_GREETED_WITHIN:g} s")
        for name, why in pool.greeting.missing.items():
            _LOG.warning("an extractor cannot be loaded", extractor=name, why=why)
        return dict(pool.greeting.extractors)
    finally:
        pool.close()


def _no_workers() -> Mapping[str, Worker]:
    return {}
