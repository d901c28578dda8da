"""Who is asked about pictures, and how."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

_PRINTABLE: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")
_PORTS: Final = {"http": 80, "https": 443}

TYPES: Final = ("image/jpeg", "image/png", "image/webp")
"""The pictures that are sent: what every server takes, and what metadata can be taken out of without decoding."""


class Api(StrEnum):
    """What a server speaks."""

    OLLAMA = "ollama"
    """https://docs.ollama.com/api/chat"""
    OPENAI = "openai"
    """https://platform.openai.com/docs/api-reference/chat, as llama.cpp, vLLM, LM Studio and others have it, too."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is; nothing else is ever connected to.

    Attributes:
        tls: whether the connection is encrypted and the server has to prove who it is.
        host: its name or address, without brackets.
        port: TCP port.
        path: what comes before the API's own path; no slash at the end.
    """

    tls: bool
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        scheme = "https" if self.tls else "http"
        port = "" if self.port == _PORTS[scheme] else f":{self.port}"
        return f"{scheme}://{self.name}{port}{self.path}"

    @property
    def name(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_local(self) -> bool:
        """Whether it is this very machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse_endpoint(text: str) -> Endpoint:
    """The place that a URL names.

    Raises:
        ValueError: it is not one that can be used. The remark never quotes it: there may be a password in it.
    """
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("it holds characters that no URL has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts = None
    if parts is None:
        # Raised out here, so that the first exception, which quotes the text, is not even this one's context.
        raise ValueError("its host or port is none")
    if parts.scheme not in _PORTS:
        raise ValueError("it begins with neither http:// nor https://")
    if "@" in parts.netloc:
        raise ValueError("it holds a user or a password; a key belongs into describe.key")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("nothing may follow its path")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname) or port == 0:
        raise ValueError("its host or port is none")
    return Endpoint(parts.scheme == "https", parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class DescribeRules:
    """How pictures are described.

    Attributes:
        enabled: whether they are.
        api: what the server speaks.
        endpoint: where it is.
        model: which of its models is asked.
        key: what proves who asks, or empty. Never shown.
        prompt: what is asked, or empty for ``wire.PROMPT``.
        language: in which to answer, in words that a model understands, or empty.
        timeout: seconds that one answer may take.
        largest: the most bytes that a file may have.
    """

    enabled: bool = False
    api: Api = Api.OLLAMA
    endpoint: Endpoint = Endpoint(tls=False, host="127.0.0.1", port=11434, path="")
    model: str = ""
    key: str = field(default="", repr=False)
    prompt: str = ""
    language: str = ""
    timeout: float = 120.0
    largest: int = 20 << 20

    def why_unfit(self, mime_type: str | None, size: int) -> str:
        """Why a file of this type and size is not sent, or an empty text."""
        if mime_type not in TYPES:
            return f"{mime_type or 'a picture of unknown type'} is not sent: only JPEG, PNG and WebP are"
        if size > self.largest:
            return f"it has {size:,} bytes, and describe.max_size is {self.largest:,}"
        return ""
