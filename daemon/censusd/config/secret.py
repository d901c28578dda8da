"""Values that must not be seen, and the one there is: how to reach the database."""

from __future__ import annotations

import re
from typing import Final

import psycopg
from psycopg import pq

from censusd.config.words import printable

_SHOWN: Final = ("service", "host", "hostaddr", "port", "dbname", "user")
_URI: Final = re.compile(r"postgres(ql)?://")


class Secret:
    """A text that shows itself only when asked to by name.

    Its ``repr`` and ``str`` are the display form, so that it can stand in a log line, a traceback or a message without
    harm. It is no dataclass, so that ``dataclasses.asdict`` does not open it.

    Attributes:
        display: what may be shown instead of the value.
    """

    __slots__ = ("_value", "display")

    def __init__(self, value: str, display: str = "(secret)") -> None:
        self._value = value
        self.display = display

    def reveal(self) -> str:
        """The value itself. Give it to the one who needs it, and to nobody else."""
        return self._value

    def __str__(self) -> str:
        return self.display

    def __repr__(self) -> str:
        return f"Secret({self.display!r})"

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def parse_dsn(text: str) -> Secret:
    """A PostgreSQL connection string as a secret that shows where it leads: host, port, dbname and user, no password.

    Raises:
        ValueError: it is not one. The remark never quotes it (libpq's own message does).
    """
    options = {name: value for name, (value, _) in _options(text).items()}
    # A password that is not percent-encoded shifts the parts of a URI, and its tail would be shown as host or database.
    shifted = _URI.match(text) and (
        "@" in options.get("host", "")[1:]
        or "@" in options.get("dbname", "")
        or not re.fullmatch(r"[0-9,]*", options.get("port", ""))
    )
    if shifted:
        raise ValueError("its parts are not where they should be; write @ : / % in a password as %40 %3A %2F %25")
    # libpq gives several hosts without a port a port of ",".
    shown = (f"{name}={printable(options[name])}" for name in _SHOWN if options.get(name, "").strip(","))
    return Secret(text, " ".join(shown) or "(libpq's defaults)")


def holds_password(dsn: Secret) -> bool:
    """Whether the connection string itself carries a password or another credential."""
    return any(secret and value for value, secret in _options(dsn.reveal()).values())


def _options(text: str) -> dict[str, tuple[str, bool]]:
    """Libpq's reading of a connection string: keyword -> (value, whether libpq says that it is to be hidden)."""
    if "\0" in text:
        raise ValueError("it contains a NUL character")
    try:
        parsed = pq.Conninfo.parse(text.encode())
    except (psycopg.Error, UnicodeEncodeError):
        parsed = None
    if parsed is None:
        # Raised out here so that the first exception, which quotes the text, is not even this one's context.
        raise ValueError("libpq cannot read it")
    return {
        option.keyword.decode(): (option.val.decode(errors="replace"), option.dispchar == b"*")
        for option in parsed
        if option.val is not None
    }
