"""From the configuration to what the lower rooms need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from censusd.catalogue.connection import PoolSettings
from censusd.config import Config, DeepScanConfig, RepositoryConfig
from censusd.deepscan.idle import IdleRules
from censusd.deepscan.scanner import ScanRules
from censusd.deepscan.sites import SiteRules
from censusd.filesystem.names import text_of
from censusd.model import ASKED, Places, Strategy
from censusd.sync.context import Rules
from censusd.sync.interval import Pace
from censusd.sync.standing import Terms
from censusd.sync.watching import WatchRules

_SILENT_LEASES: Final = 4
"""After so many leases without a word an owner's transaction is given up, too: it keeps the next owner waiting."""


def terms_of(repository: RepositoryConfig, runtime_directory: Path, owner: str) -> Terms:
    """How one repository is to be looked after."""
    return Terms(
        rules=Rules(
            name=repository.name,
            root=repository.path,
            default_excludes=repository.default_excludes,
            exclude=repository.exclude,
            protected=repository.protected,
            ignore_file=repository.ignore_file,
            cross_mounts=repository.cross_mounts,
            marker=repository.marker,
            breaker_files=repository.breaker_files,
            breaker_percent=repository.breaker_percent,
            missing_grace=repository.missing_grace,
            journal_keep=repository.journal_keep,
        ),
        watch=WatchRules(
            wanted=repository.watch,
            debounce=repository.debounce,
            max_latency=repository.max_latency,
            poll_interval=repository.poll_interval,
            cookie_directory=runtime_directory / "cookies" / repository.name,
        ),
        lease_ttl=repository.lease_ttl,
        owner=owner,
    )


def scan_rules_of(config: DeepScanConfig) -> ScanRules:
    """How the content of files is looked at."""
    return ScanRules(
        workers=config.workers,
        batch=config.batch_size,
        hashing=config.hashing,
        memory=config.memory,
        idle=IdleRules(
            enabled=config.enabled,
            cpu_pressure=config.cpu_pressure,
            io_pressure=config.io_pressure,
            cpu_busy=config.cpu_busy,
            quiet=config.quiet,
            hours=config.hours,
            staleness=config.staleness,
        ),
    )


def sites_of(config: Config) -> list[SiteRules]:
    """The repositories in which there is anything that may be looked at."""
    return [
        SiteRules(
            name=repository.name,
            root=text_of(bytes(repository.path)),
            places=places,
            first=_paths(repository.deep_scan_first),
            rehash_per_day=repository.rehash_per_day if config.deep_scan.hashing else 0,
            settles=2 * repository.max_latency,
        )
        for repository in config.repositories
        if repository.enabled and (places := _places_of(repository)).has(ASKED)
    ]


def _places_of(repository: RepositoryConfig) -> Places:
    lists = {
        Strategy.AUTO: repository.deep_scan_auto,
        Strategy.ON_DEMAND: repository.deep_scan_on_demand,
        Strategy.NEVER: repository.deep_scan_never,
    }
    named = {path: strategy for strategy, paths in lists.items() for path in _paths(paths)}
    return Places(Strategy(repository.deep_scan), tuple(named.items()))


def _paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text_of(os.fsencode(path)) for path in paths)


def pace_of(repository: RepositoryConfig) -> Pace:
    """How often everything in it is compared."""
    return Pace(
        start=repository.reconcile_interval,
        shortest=repository.reconcile_min,
        longest=repository.reconcile_max,
        jitter=repository.reconcile_jitter / 100,
    )


def pool_of(config: Config) -> PoolSettings:
    """How connections are made and kept."""
    database = config.database
    return PoolSettings(
        smallest=database.pool_min,
        largest=max(database.pool_min, database.pool_max),
        timeout=database.connect_timeout,
        statement_timeout=database.statement_timeout,
        idle_timeout=_SILENT_LEASES * max((one.lease_ttl for one in config.repositories), default=30.0),
    )
