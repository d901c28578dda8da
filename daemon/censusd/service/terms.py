"""From the configuration to what the lower rooms need."""

from __future__ import annotations

from pathlib import Path

from censusd.catalogue.connection import PoolSettings
from censusd.config import DatabaseConfig, RepositoryConfig
from censusd.sync.context import Rules
from censusd.sync.interval import Pace
from censusd.sync.watching import WatchRules
from censusd.sync.worker import Terms


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


def pace_of(repository: RepositoryConfig) -> Pace:
    """How often everything in it is compared."""
    return Pace(
        start=repository.reconcile_interval,
        shortest=repository.reconcile_min,
        longest=repository.reconcile_max,
        jitter=repository.reconcile_jitter / 100,
    )


def pool_of(database: DatabaseConfig) -> PoolSettings:
    """How connections are made and kept."""
    return PoolSettings(
        smallest=database.pool_min,
        largest=max(database.pool_min, database.pool_max),
        timeout=database.connect_timeout,
        statement_timeout=database.statement_timeout,
    )
