"""Requests and responses as bytes: the part of HTTP/1.1 (RFC 9112) that a control socket needs, and its limits.

One connection carries one request: a thread is never kept by a connection that may be used again, and where one request
ends and another begins is no question. The whole request has to arrive within a time and a size that are set before
its first byte; the standard library's server limits only the time between two bytes, and the length of a line.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from censusd.service.refusals import RefusedError

MOST_HEAD: Final = 16 * 1024
MOST_BODY: Final = 64 * 1024
_MOST_HEADERS: Final = 64
_CHUNK: Final = 16 * 1024

_REQUEST_LINE: Final = re.compile(r"([A-Z]{1,16}) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_SINGLE: Final = frozenset({"host", "content-length", "transfer-encoding"})

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


class HttpError(RefusedError):
    """A request that is wrong as HTTP, whatever it is about."""

    def __init__(self, status: HTTPStatus, error: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(error, expected=expected, hint=hint)
        self.code = status


class GoneError(Exception):
    """The client went away before it had said what it wants. Nobody is left to be told."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: such as ``GET``.
        path: without the query, decoded; bytes that are not UTF-8 as lone surrogates (PEP 383).
        query: the query's parameters in order, decoded likewise.
        headers: by lower-case name; of repeated ones, the values joined by commas.
        body: what came with it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One response.

    Attributes:
        body: what to send.
        type: its media type.
        status: the status code.
        headers: further headers.
    """

    body: bytes
    type: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
        """``value`` as JSON, in ASCII, so that no text can break it."""
        return cls(json.dumps(value, indent=1).encode() + b"\n", JSON, status, headers or {})


def read_request(connection: socket.socket, deadline: float) -> Request:
    """The request that arrives on a connection.

    Args:
        connection: a connected socket.
        deadline: when all of it must have arrived, in monotonic seconds.

    Raises:
        HttpError: it is not one that can be answered.
        GoneError: the connection was closed before it was complete.
    """
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) >= MOST_HEAD:
            raise HttpError(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request's head is too large",
                expected=f"at most {MOST_HEAD:,} bytes",
            )
        data += _receive(connection, deadline)
    method, target, headers = _parse_head(data[:end].decode("latin-1"))
    length = _body_length(headers)
    body = bytes(data[end + 4 :])
    if length > len(body) and headers.get("expect", "").lower() == "100-continue":
        try:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError as error:
            raise GoneError(str(error)) from error
    while len(body) < length:
        body += _receive(connection, deadline)
    # Bytes that a client should have percent-encoded mean what they would have meant then.
    path, _, query = target.encode("latin-1").decode("utf-8", "surrogateescape").partition("?")
    return Request(method, _decoded(path), _query(query), headers, body[:length])


def write_response(connection: socket.socket, response: Response, headers: Mapping[str, str], *, body: bool) -> None:
    """Send a response, and say that it is the connection's last.

    Args:
        connection: the connection; its timeout bounds the whole.
        response: the response.
        headers: headers that every response carries.
        body: whether to send the body, which HEAD does not want.
    """
    status = response.status
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    fields = {
        "Date": formatdate(usegmt=True),
        "Content-Type": response.type,
        "Content-Length": str(len(response.body)),
        "Connection": "close",
        **headers,
        **response.headers,
    }
    lines += [f"{name}: {value}" for name, value in fields.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + (response.body if body else b""))


def _receive(connection: socket.socket, deadline: float) -> bytes:
    try:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        data = connection.recv(_CHUNK)
    except TimeoutError:
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to arrive") from None
    except OSError as error:
        raise GoneError(str(error)) from error
    if not data:
        raise GoneError("the connection was closed")
    return data


def _parse_head(head: str) -> tuple[str, str, dict[str, str]]:
    first, *rest = head.split("\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if not match:
        raise _bad("this is no request line", "METHOD /path HTTP/1.1")
    method, target, major, _ = match.groups()
    if major != "1":
        raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"HTTP/{major} is not spoken here", expected="HTTP/1.1")
    if not target.startswith("/"):
        raise _bad("the request is for another server", "a target that begins with /")
    if len(rest) > _MOST_HEADERS:
        raise HttpError(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers", expected=f"at most {_MOST_HEADERS}"
        )
    headers: dict[str, str] = {}
    for line in rest:
        field = _HEADER.fullmatch(line)
        if not field:
            raise _bad("a header has no proper form", "Name: value")
        name, value = field[1].lower(), field[2]
        if name in headers and name in _SINGLE:
            raise _bad(f"there are several {name} headers", "one")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return method, target, headers


def _body_length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise HttpError(
            HTTPStatus.NOT_IMPLEMENTED, "transfer encodings are not understood", expected="a Content-Length"
        )
    text = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise _bad("Content-Length is no number", "the body's length in bytes")
    if int(text) > MOST_BODY:
        raise HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "the request's body is too large",
            expected=f"at most {MOST_BODY:,} bytes",
        )
    return int(text)


def _decoded(path: str) -> str:
    return unquote(path, "utf-8", "surrogateescape")


def _query(query: str) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, encoding="utf-8", errors="surrogateescape", max_num_fields=_MOST_HEADERS
        )
    except ValueError:
        raise _bad("there are too many query parameters", f"at most {_MOST_HEADERS}") from None
    return tuple(pairs)


def _bad(error: str, expected: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, error, expected=expected)
