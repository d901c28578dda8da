"""What can go wrong, in the words people read. Anything that is expected to happen to one file or directory is a
``Problem`` value instead (see ``censusd.model``); an exception ends the piece of work it was raised in."""

from __future__ import annotations

from dataclasses import dataclass


class CensusError(Exception):
    """The base of every error that censusd raises on purpose. Its text is meant for people."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in the configuration.

    Attributes:
        file: the file it is in, or where else the value came from (``environment``, ``command line``).
        key: the key, as in ``repository[photos].path``; empty for the file as a whole.
        problem: what is wrong, and what was expected.
    """

    file: str
    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.problem}" if self.key else f"{self.file}: {self.problem}"


class ConfigurationError(CensusError):
    """The configuration cannot be used. Carries every fault that was found, not only the first."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class CatalogueError(CensusError):
    """PostgreSQL refused something. The statement's values are never part of the text."""


class CatalogueUnavailableError(CatalogueError):
    """PostgreSQL cannot be reached, or broke off. The work is worth trying again."""


class SchemaError(CatalogueError):
    """The database's schema is not one this version can work with."""


class LeaseLostError(CensusError):
    """Another daemon owns this repository now; nothing was written."""


class OperationRunningError(CensusError):
    """Another scan of this repository is running already."""


class RootOfflineError(CensusError):
    """The repository's root is not the root on record; nothing in it may be touched."""


class CancelledError(CensusError):
    """The work was asked to stop. What was committed before stays."""


class EmbeddedServerError(CensusError):
    """The private PostgreSQL cannot be set up or started."""


class WatchError(CensusError):
    """The kernel refuses to watch; the text says why and what to do."""
