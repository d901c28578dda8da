"""What can go wrong when a server is asked about a picture, told apart by whose fault it may be."""

from __future__ import annotations

from censusd.errors import CancelledError, CensusError


class AwayError(CensusError):
    """The server cannot be reached, or answers nobody now; the picture has nothing to do with it.

    Attributes:
        retry_after: seconds that the server asks to be left alone for, or 0.
    """

    def __init__(self, why: str, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class AnswerError(CensusError):
    """The server has not answered as it should; whether for the picture's sake, nobody can tell."""


class UnfitError(CensusError):
    """The picture cannot be sent, now or ever."""


class ChangedError(CensusError):
    """The file is not the version on record any more."""


class StoppedError(CancelledError):
    """The work was asked to stop."""
