"""The configuration: TOML files, environment and command line -> one frozen ``Config``, or every fault at once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from censusd.config.access import Address
    from censusd.config.changes import ChangeKind, Difference, differences
    from censusd.config.documents import DEFAULT_FILE
    from censusd.config.loading import load
    from censusd.config.rendering import describe
    from censusd.config.repository import RepositoryConfig, RepositorySettings
    from censusd.config.schema import (
        Config,
        ControlConfig,
        DaemonConfig,
        DatabaseConfig,
        DeepScanConfig,
        DescribeConfig,
        HttpConfig,
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

_MODULES: Final = ("documents", "access", "secret", "repository", "schema", "changes", "loading", "rendering")


def __getattr__(name: str) -> Any:
    """Import what is asked for, and not before: censusctl, which only looks for a path, is twice as fast for it."""
    if name in __all__:
        for module in _MODULES:
            found = vars(import_module(f"{__name__}.{module}"))
            if name in found:
                globals()[name] = found[name]
                return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
