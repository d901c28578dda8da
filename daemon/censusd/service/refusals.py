"""Why a request is not done: typed, so that whoever passes it on can say it in the terms of a protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from censusd.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    CensusError,
    LeaseLostError,
    OperationRunningError,
)


class RefusedError(CensusError):
    """A request was not done.

    Args:
        error: what is the matter.
        expected: what would have been right, where the request was at fault.
        hint: what to do now.

    Attributes:
        code: the HTTP status that says the same.
    """

    code: int = 500

    def __init__(self, error: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(error)
        self.expected = expected
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """The parts that there are, by name."""
        parts = {"error": str(self), "expected": self.expected, "hint": self.hint}
        return {name: text for name, text in parts.items() if text}


class BadRequestError(RefusedError):
    """The request cannot be meant like that."""

    code = 400


class NotFoundError(RefusedError):
    """There is no repository, or no file, by that name."""

    code = 404


class ConflictError(RefusedError):
    """It cannot be done as things stand: another daemon is the owner, or there is nothing to release."""

    code = 409


class UnavailableError(RefusedError):
    """It cannot be done now, and perhaps later: offline, no database, too busy, being stopped."""

    code = 503


class TimedOutError(RefusedError):
    """It was not done within the time that the request allowed. It may still be done."""

    code = 504


def not_ours(name: str) -> ConflictError:
    """What to say of a repository that is on record, and not in the configuration."""
    return ConflictError(
        f"{name} is on record, but this daemon does not look after it",
        hint="add it to the configuration, or enable it there",
    )


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the rooms below raise on purpose into a refusal.

    Raises:
        RefusedError: instead of any other ``CensusError``.
    """
    try:
        yield
    except RefusedError:
        raise
    except CatalogueUnavailableError as error:
        raise UnavailableError(
            str(error), hint="the daemon goes on trying; censusctl status says how it stands"
        ) from error
    except CatalogueError as error:
        raise RefusedError(str(error)) from error
    except (LeaseLostError, OperationRunningError) as error:
        raise ConflictError(str(error)) from error
    except CensusError as error:
        # Offline, cancelled, too busy: all of them pass.
        raise UnavailableError(str(error)) from error
