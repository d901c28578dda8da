"""Kinds of value that speak of who may reach what: users, groups, permission bits, addresses, the database."""

from __future__ import annotations

import grp
import ipaddress
import pwd
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from censusd.config.kinds import Kind, Text, text_literal
from censusd.config.secret import Secret, parse_dsn
from censusd.describe.rules import Endpoint, parse_endpoint

_LAST_PORT: Final = 65535
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_HOST: Final = 253
"""RFC 1035; underscores, which it does not allow, are in use."""


class Address(NamedTuple):
    """A TCP address to listen on; port 0 lets the kernel choose one."""

    host: str
    port: int


def user_or_empty() -> Text:
    """The name of a user of this system, or nothing."""
    return Text("the name of a user of this system", lambda name: not name or _known(pwd.getpwnam, name))


def group_or_empty() -> Text:
    """The name of a group of this system, or nothing."""
    return Text("the name of a group of this system", lambda name: not name or _known(grp.getgrnam, name))


def _known(look_up: Callable[[str], object], name: str) -> bool:
    try:
        look_up(name)
    except KeyError:
        raise ValueError("there is none by that name") from None
    return True


class FileMode(Kind[int]):
    """Permission bits in octal."""

    expected = 'permission bits as a text of octal digits, such as "0660"'

    def _read(self, raw: Any) -> int:
        if not isinstance(raw, str) or not re.fullmatch(r"0?[0-7]{3}", raw):
            raise ValueError
        return int(raw, 8)

    def _write(self, value: int) -> str:
        return text_literal(f"{value:04o}")


class Listen(Kind[Address | None]):
    """A TCP address, or the empty text for none."""

    expected = 'host:port or [IPv6 address]:port, such as "127.0.0.1:9764" or "[::1]:9764", or "" for none'

    def _read(self, raw: Any) -> Address | None:
        if not isinstance(raw, str):
            raise ValueError
        if not raw:
            return None
        match = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Za-z:.%]+)\]|(?P<host>[0-9A-Za-z._-]+)):(?P<port>[0-9]{1,5})", raw)
        if not match:
            raise ValueError
        if match["v6"]:
            ipaddress.IPv6Address(match["v6"])  # its AddressValueError is a ValueError
        port = int(match["port"])
        if port > _LAST_PORT:
            raise ValueError(f"a port is at most {_LAST_PORT}")
        return Address(match["v6"] or match["host"], port)

    def _write(self, value: Address | None) -> str:
        if value is None:
            return text_literal("")
        return text_literal(f"[{value.host}]:{value.port}" if ":" in value.host else f"{value.host}:{value.port}")


class HostNames(Kind[tuple[str, ...]]):
    """A list of names that browsers may call a server by, in lower case and without a dot at the end."""

    expected = 'an array of host names such as "census.example.org", without a scheme, a port or a path'

    def _read(self, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise ValueError
        return tuple(dict.fromkeys(_host_name(one) for one in raw))

    def _write(self, value: tuple[str, ...]) -> str:
        return f"[{', '.join(text_literal(name) for name in value)}]"


def _host_name(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError
    name = raw.lower().removesuffix(".")
    if "*" in name:
        raise ValueError("each name has to be given in full")
    if not name.isascii():
        raise ValueError("browsers write such a name in ASCII: xn--...")
    if not _HOST_NAME.fullmatch(name) or len(name) > _LONGEST_HOST:
        raise ValueError
    return name


class Dsn(Kind[Secret | None]):
    """A PostgreSQL connection string, or the empty text for none."""

    expected = 'a PostgreSQL connection string such as "postgresql://user@host/database" or "host=... dbname=..."'
    secret = True

    def _read(self, raw: Any) -> Secret | None:
        if not isinstance(raw, str):
            raise ValueError
        return parse_dsn(raw) if raw else None

    def _write(self, value: Secret | None) -> str:
        return text_literal("" if value is None else value.display)


class Url(Kind[Endpoint]):
    """Where an HTTP server is."""

    expected = 'the URL of a server, such as "http://127.0.0.1:11434" or "https://api.openai.com/v1"'
    secret = True  # people write passwords into URLs

    def _read(self, raw: Any) -> Endpoint:
        if not isinstance(raw, str):
            raise ValueError
        return parse_endpoint(raw)

    def _write(self, value: Endpoint) -> str:
        return text_literal(str(value))


class ApiKey(Kind[Secret | None]):
    """What proves to a server who asks, or the empty text for nothing."""

    expected = "a key of printable ASCII characters without spaces"
    secret = True

    def _read(self, raw: Any) -> Secret | None:
        # Anything else could end the header that it is sent in, and begin another.
        if not isinstance(raw, str) or not re.fullmatch(r"[!-~]{0,4096}", raw):
            raise ValueError
        return Secret(raw) if raw else None

    def _write(self, value: Secret | None) -> str:
        return text_literal("" if value is None else value.display)
