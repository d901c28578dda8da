"""The configuration: TOML files, environment and command line -> one frozen ``Config``, or every fault at once."""

from __future__ import annotations

from censusd.config.access import Address
from censusd.config.changes import ChangeKind, Difference, differences
from censusd.config.documents import DEFAULT_FILE
from censusd.config.loading import load
from censusd.config.rendering import describe
from censusd.config.schema import (
    Config,
    ControlConfig,
    DaemonConfig,
    DatabaseConfig,
    DeepScanConfig,
    DescribeConfig,
    HttpConfig,
    RepositoryConfig,
    RepositorySettings,
)
from censusd.config.secret import Secret, holds_password, parse_dsn

__all__ = [
    "DEFAULT_FILE",
    "Address",
    "ChangeKind",
    "Config",
    "ControlConfig",
    "DaemonConfig",
    "DatabaseConfig",
    "DeepScanConfig",
    "DescribeConfig",
    "Difference",
    "HttpConfig",
    "RepositoryConfig",
    "RepositorySettings",
    "Secret",
    "describe",
    "differences",
    "holds_password",
    "load",
    "parse_dsn",
]
