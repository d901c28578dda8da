"""Having pictures described, as a part of the daemon: begun, told of other terms, and stopped with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from censusd.catalogue.connection import Catalogue
from censusd.config import Config
from censusd.deepscan.idle import Condition
from censusd.deepscan.scanner import Scanner
from censusd.describe.describer import Describer, Terms
from censusd.describe.rules import Api, DescribeRules
from censusd.service.heartbeat import Heartbeats
from censusd.service.terms import scan_rules_of, sites_of

_LOG: Final = structlog.get_logger("censusd.service")
_LOOP: Final = "describe"
_STOP_WITHIN: Final = 30.0


class Describing:
    """The describer there is, once it was begun. It is there also while nothing is to be described.

    Args:
        catalogue: the database.
        owner: this process's name to others.
        heartbeats: the loops.
        scanner: the deep scan, which comes first; None before it is begun.
    """

    def __init__(
        self, catalogue: Catalogue, owner: str, heartbeats: Heartbeats, scanner: Callable[[], Scanner | None]
    ) -> None:
        self._catalogue = catalogue
        self._owner = owner
        self._heartbeats = heartbeats
        self._scanner = scanner
        self._describer: Describer | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its loop runs, if it was begun."""
        return self._describer is None or self._describer.is_alive

    def start(self, config: Config) -> None:
        """Begin."""
        self._describer = Describer(
            self._catalogue,
            _terms_of(config),
            self._owner,
            deep_scan=self._condition,
            beat=self._heartbeats.add(_LOOP).beat,
        )
        self._describer.start()

    def reload(self, config: Config) -> None:
        """Apply another configuration."""
        if self._describer is not None:
            self._describer.reconfigure(_terms_of(config))

    def stop(self) -> None:
        """End, also while a server thinks."""
        if self._describer is not None:
            self._describer.stop()
            if not self._describer.join(_STOP_WITHIN):
                _LOG.error("did not stop in time", loop=_LOOP)

    def status(self) -> dict[str, Any] | None:
        """How it stands, fit for JSON; None before it is begun."""
        return self._describer.status() if self._describer is not None else None

    def _condition(self) -> Condition:
        scanner = self._scanner()
        return scanner.condition if scanner is not None else Condition.NOTHING


def _terms_of(config: Config) -> Terms:
    describe = config.describe
    rules = DescribeRules(
        enabled=describe.enabled,
        api=Api(describe.api),
        endpoint=describe.url,
        model=describe.model.strip(),
        key=describe.key.reveal() if describe.key else "",
        prompt=describe.prompt.strip(),
        language=describe.language.strip(),
        timeout=describe.timeout,
        largest=describe.max_size,
    )
    return Terms(rules, scan_rules_of(config.deep_scan).idle, tuple(sites_of(config)))
