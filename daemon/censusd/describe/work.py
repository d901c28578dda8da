"""What happens to one picture: it is claimed, read, bared of its metadata, sent, and what is said of it is stored."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

import structlog

from censusd import metrics
from censusd.catalogue import descriptions
from censusd.catalogue.connection import Catalogue, Cursor
from censusd.catalogue.descriptions import Picture
from censusd.describe.asking import ask
from censusd.describe.breaker import Backoff, Breaker, Verdict
from censusd.describe.pictures import bare, nobodys_picture
from censusd.describe.reading import read
from censusd.describe.rules import DescribeRules
from censusd.describe.trouble import AnswerError, AwayError, ChangedError, StoppedError, UnfitError
from censusd.describe.wire import Description
from censusd.errors import CatalogueUnavailableError
from censusd.filesystem.problems import problem_of
from censusd.filesystem.walk import VANISHED
from censusd.model import ProblemKind, join

T = TypeVar("T")

_LOG: Final = structlog.get_logger("censusd.describe")

_LEASE_BEYOND: Final = 120.0
_PASSING: Final = VANISHED | {ProblemKind.STALE, ProblemKind.DISCONNECTED, ProblemKind.TIMEOUT, ProblemKind.RESOURCES}
"""What is no fault of the file's content: it is somewhere else now, or its disk is."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How long to wait before trying again, in seconds.

    Attributes:
        failed: after the first failure of a picture; five times as long after the next.
        away: before a picture is tried again that a server had no time for.
        changed: before a file is looked at again that was not what is on record.
        backoff: before the server is asked again.
    """

    failed: float = 60.0
    away: float = 60.0
    changed: float = 600.0
    backoff: Backoff = field(default_factory=Backoff)


class Work:
    """Describes pictures, one after the other.

    Args:
        catalogue: the database.
        worker: this process's name to others.
        rules: who is asked, and how.
        rhythm: when to try again.
        waiting: called a few times a second; raises ``StoppedError`` when it is time to stop.

    Attributes:
        breaker: what is believed of the server.
    """

    def __init__(
        self, catalogue: Catalogue, worker: str, rules: DescribeRules, rhythm: Rhythm, waiting: Callable[[], None]
    ) -> None:
        self._catalogue = catalogue
        self._worker = worker
        self._rules = rules
        self._rhythm = rhythm
        self._waiting = waiting
        self.breaker = Breaker(rhythm.backoff)

    def describe(self, repository: str, repository_id: UUID, root: str, picture: Picture) -> bool:
        """Have a picture described, if nobody else is at it. Says whether it was.

        Raises:
            CatalogueError: the database refused, or is away.
            StoppedError: it is time to stop; the picture waits.
        """
        model, key = self._rules.model, picture.content_hash
        lease = self._rules.timeout + _LEASE_BEYOND
        with self._catalogue.transaction() as cursor:
            attempts = descriptions.claim(cursor, repository_id, model, self._worker, picture, lease)
        if attempts is None:
            return False
        log = _LOG.bind(repository=repository, file=join(picture.directory, picture.name))
        if attempts >= descriptions.MOST_ATTEMPTS:
            self._give_up(log, key, None)
            return False
        try:
            found = self._try(root, picture)
        except (AwayError, ChangedError, StoppedError) as error:
            delay = {AwayError: self._rhythm.away, ChangedError: self._rhythm.changed}.get(type(error), 0.0)
            self._write(lambda cursor: descriptions.put_off(cursor, key, model, self._worker, self._varied(delay)))
            metrics.DESCRIBE_PICTURES.labels("put off").inc()
            log.debug("put off", why=str(error))
            if isinstance(error, StoppedError):
                raise
        except UnfitError as error:
            self._give_up(log, key, str(error))
        except (AnswerError, OSError) as error:
            self._fail(log, repository, key, problem_of(error).detail if isinstance(error, OSError) else str(error))
        else:
            return self._store(key, found)
        return False

    def probe(self) -> None:
        """Ask the server about a picture of nobody's, to see whether it is back.

        Raises:
            StoppedError: it is time to stop.
        """
        try:
            self._ask("image/png", nobodys_picture())
        except (AwayError, AnswerError) as error:
            _LOG.debug("the server is still away", why=str(error))
        else:
            _LOG.info("the server answers again", server=str(self._rules.endpoint))

    def _try(self, root: str, picture: Picture) -> Description:
        if why := self._rules.why_unfit(picture.mime_type, picture.size):
            raise UnfitError(why)
        try:
            content = read(root, picture, self._waiting)
        except OSError as error:
            if problem_of(error).kind in _PASSING:
                raise ChangedError(problem_of(error).detail) from None
            raise
        return self._ask(*bare(content, picture.orientation))

    def _ask(self, mime_type: str, picture: bytes) -> Description:
        began = time.monotonic()
        try:
            found = ask(self._rules, mime_type, picture, self._waiting)
        except (AwayError, AnswerError) as error:
            self._trip(error)
            raise
        finally:
            metrics.DESCRIBE_SECONDS.observe(time.monotonic() - began)
        self.breaker.succeeded()
        return found

    def _trip(self, error: AwayError | AnswerError) -> None:
        now, asked = time.monotonic(), error.retry_after if isinstance(error, AwayError) else 0.0
        before = self.breaker.verdict(now)
        self.breaker.failed(str(error), now, random.random(), asked)  # noqa: S311 - nobody is to guess nothing
        if before is Verdict.CLOSED and self.breaker.verdict(now) is not Verdict.CLOSED:
            _LOG.warning("the server is left alone for some time", server=str(self._rules.endpoint), why=str(error))

    def _give_up(self, log: structlog.stdlib.BoundLogger, key: bytes, why: str | None) -> None:
        """Another attempt would not end otherwise; without a reason, it has outlived several daemons."""
        self._write(lambda cursor: descriptions.give_up(cursor, key, self._rules.model, self._worker, why))
        metrics.DESCRIBE_PICTURES.labels("given up").inc()
        log.info("cannot be described", why=why or "the daemon has ended over it again and again")

    def _fail(self, log: structlog.stdlib.BoundLogger, repository: str, key: bytes, why: str) -> None:
        model, delay = self._rules.model, self._varied(self._rhythm.failed)
        given_up = self._write(lambda cursor: descriptions.fail(cursor, key, model, self._worker, why=why, delay=delay))
        metrics.DESCRIBE_PICTURES.labels("given up" if given_up else "failed").inc()
        if given_up:
            log.warning("given up", why=why, retry=f"censusctl retry {repository}")
        else:
            log.info("could not be described", why=why)

    def _store(self, key: bytes, found: Description) -> bool:
        """Store what was said, unless somebody else has taken the picture over, whose it is then."""
        language = self._rules.language or None
        stored = self._write(
            lambda cursor: descriptions.store(
                cursor,
                key,
                self._rules.model,
                self._worker,
                language=language,
                description=found.text,
                tags=found.tags,
            )
        )
        metrics.DESCRIBE_PICTURES.labels("described").inc(stored)
        return stored

    def _write(self, act: Callable[[Cursor], T]) -> T:
        """Write what has become of a picture; if the database is away, as soon as it is back.

        Raises:
            CatalogueError: the database refused; or it is away, and it is time to stop.
        """
        pause = self._rhythm.backoff.first
        while True:
            try:
                with self._catalogue.transaction() as cursor:
                    return act(cursor)
            except CatalogueUnavailableError:
                until = time.monotonic() + pause
                pause = min(2 * pause, 15.0)
                while time.monotonic() < until:
                    self._waiting()
                    time.sleep(min(0.25, pause))

    @staticmethod
    def _varied(seconds: float) -> float:
        """More or less so many, so that not all come back at the same moment."""
        return seconds * (0.75 + random.random() / 2)  # noqa: S311 - as above
