"""Which Host a request over TCP may be for: the defence against DNS rebinding.

A web page anywhere can make its own name resolve to 127.0.0.1 and then read, in the visitor's browser, what is served
there, for the browser takes it for the page's own server. But it has to come with its own name, and that is a name of
the public DNS: with a dot in it, and not one of those that are set apart for private use.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::[0-9]{1,5})?")
# RFC 6761, RFC 6762, RFC 8375 and ICANN's resolution of 2024 on .internal.
_PRIVATE: Final = (".localhost", ".local", ".home.arpa", ".internal")


class Hosts:
    """The names that a server may be called by.

    Args:
        listen: the host that it listens on, a name or an address.
        further: names that an administrator allows.
    """

    def __init__(self, listen: str, further: tuple[str, ...] = ()) -> None:
        own = socket.gethostname().lower().rstrip(".")
        self._names = {"localhost", listen.lower(), own, f"{own}.local", *(name.lower() for name in further)}
        # Whoever can invent private names is in the local network, and there nothing is to be hidden from: such a
        # server can be asked directly.
        self._private_names = not _is_loopback(listen)

    def allow(self, host: str | None) -> bool:
        """Whether a request for this ``Host`` may be answered."""
        match = _HOST.fullmatch(host or "")
        if not match:
            return False
        name = match[1].lower().rstrip(".")
        if name in self._names or _is_address(name):
            return True
        return self._private_names and ("." not in name or name.endswith(_PRIVATE))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _is_loopback(listen: str) -> bool:
    if listen.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(listen.partition("%")[0]).is_loopback
    except ValueError:
        return False
