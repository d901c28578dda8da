"""How a key of the configuration is declared: its name, kind, default and documentation, as a dataclass field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from censusd.config.kinds import Kind

T = TypeVar("T")

_METADATA_KEY: Final = "setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration.

    Attributes:
        kind: what values it takes.
        doc: what it means, for the reference.
        default: the default as it is written in TOML; None where the key is required.
        restart: whether a change takes effect only when the daemon is started again.
    """

    kind: Kind[Any]
    doc: str
    default: Any = None
    restart: bool = False


def setting(kind: Kind[T], default: Any, doc: str, *, restart: bool = False) -> T:
    """Declare a key as a dataclass field; ``default`` is written as in TOML."""
    return field(
        default=kind.read(default),
        metadata={_METADATA_KEY: Setting(kind, doc, default, restart)},
    )


def required(kind: Kind[T], doc: str) -> T:
    """Declare a key that has no default."""
    declared: T = field(metadata={_METADATA_KEY: Setting(kind, doc)})
    return declared


@dataclass(frozen=True, slots=True)
class Table:
    """The base of every table's dataclass.

    Attributes:
        ORDERED: pairs of keys of which the first must not be more than the second.
    """

    ORDERED: ClassVar[tuple[tuple[str, str], ...]] = ()


def settings_of(table: type[Table]) -> Mapping[str, Setting]:
    """The keys that a table's dataclass declares, in order."""
    return MappingProxyType({f.name: f.metadata[_METADATA_KEY] for f in fields(table) if _METADATA_KEY in f.metadata})
