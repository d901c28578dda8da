"""One connection to a server for one request: bounded in time and size, and given up within a moment when asked to.

``http.client`` speaks the protocol. It follows no redirects and knows no proxies, so that nobody is contacted but who
is configured. Its time-outs are for one read; a server that sends a byte now and then would hold it for ever, so that
it gets a line of our own in the place of a socket.
"""

from __future__ import annotations

import errno
import http.client
import io
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from censusd.describe.rules import Endpoint
from censusd.describe.trouble import AnswerError, AwayError

T = TypeVar("T")

LARGEST_ANSWER: Final = 1 << 20
"""Bytes; a description and tags are a few thousand."""

_CONNECT_SECONDS: Final = 10.0
_SLICE: Final = 0.25
_PIECE: Final = 1 << 16
_CUT_OFF: Final = "it broke off in the middle of its answer"


class Answer(NamedTuple):
    """What a server has answered."""

    status: int
    retry_after: float
    body: bytes


class _Late(Exception):  # noqa: N818 - it never leaves this module
    """The time is up."""


class _Line:
    """As much of a socket as ``http.client`` uses.

    Args:
        sock: a connected socket.
        until: monotonic seconds at which the time is up.
        waiting: called a few times a second while nothing happens; whatever it raises ends the wait.
    """

    def __init__(self, sock: socket.socket, until: float, waiting: Callable[[], None]) -> None:
        self.socket = sock
        self._until = until
        self._waiting = waiting
        sock.settimeout(_SLICE)

    def patiently(self, act: Callable[[], T]) -> T:
        """Do something that gives up after a moment and can be done again, until it is done or the time is up."""
        while True:
            self._waiting()
            if time.monotonic() >= self._until:
                raise _Late
            with suppress(TimeoutError):
                return act()

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            piece = view[:_PIECE]
            view = view[self.patiently(partial(self.socket.send, piece)) :]

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def close(self) -> None:
        """``http.client`` closes its socket before the answer is read; ``_connected`` does it after."""


class _Incoming(io.RawIOBase):
    def __init__(self, line: _Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.patiently(lambda: self._line.socket.recv_into(buffer))


def exchange(
    endpoint: Endpoint,
    path: str,
    headers: Mapping[str, str],
    length: int,
    parts: Iterable[bytes],
    *,
    seconds: float,
    waiting: Callable[[], None],
) -> Answer:
    """POST something to a server.

    Args:
        endpoint: the server.
        path: of the URL.
        headers: besides those that belong to every request.
        length: bytes of the body.
        parts: of the body.
        seconds: that all of it may take.
        waiting: called a few times a second; whatever it raises ends the exchange.

    Raises:
        AwayError: the server cannot be reached.
        AnswerError: it does not answer in time, breaks off, or answers with something else than HTTP, or too much.
    """
    until = time.monotonic() + seconds
    try:
        with _connected(endpoint, until, waiting) as line:
            return _exchange(line, endpoint, path, dict(headers) | {"Content-Length": str(length)}, parts)
    except _Late:
        raise AnswerError(f"no answer within {seconds:g} s") from None
    except http.client.RemoteDisconnected:
        raise AnswerError("it closed the connection without an answer") from None
    except (http.client.HTTPException, ValueError) as error:
        cut_off = isinstance(error, http.client.IncompleteRead)
        why = _CUT_OFF if cut_off else f"it does not answer in HTTP ({type(error).__name__})"
        raise AnswerError(why) from None
    except ssl.SSLError as error:
        raise AnswerError(f"the encrypted connection failed: {error.reason or 'nobody knows why'}") from None
    except OSError as error:
        raise AnswerError(f"the connection broke off: {error.strerror or type(error).__name__}") from None


def _exchange(line: _Line, endpoint: Endpoint, path: str, headers: dict[str, str], parts: Iterable[bytes]) -> Answer:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    connection.auto_open = 0  # it has the only connection that there will be
    connection.sock = line
    default = 443 if endpoint.tls else 80
    host = endpoint.name if endpoint.port == default else f"{endpoint.name}:{endpoint.port}"
    common = {"Host": host, "Connection": "close", "Accept": "application/json", "Content-Type": "application/json"}
    # A server that does not want it may say so, and hang up, before it has read all of it.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", path, parts, common | headers)
    response = connection.getresponse()
    retry_after = _seconds(response.headers.get("Retry-After", ""))
    if response.length is not None and response.length > LARGEST_ANSWER:
        raise AnswerError(f"its answer is larger than {LARGEST_ANSWER >> 20} MiB")
    body = response.read(LARGEST_ANSWER + 1)
    if len(body) > LARGEST_ANSWER:
        raise AnswerError(f"its answer is larger than {LARGEST_ANSWER >> 20} MiB")
    if response.length:
        raise AnswerError(_CUT_OFF)
    return Answer(response.status, retry_after, body)


@contextmanager
def _connected(endpoint: Endpoint, until: float, waiting: Callable[[], None]) -> Iterator[_Line]:
    sock = _connect(endpoint, until, waiting)
    try:
        if endpoint.tls:
            sock = _encrypt(sock, endpoint, until, waiting)
        yield _Line(sock, until, waiting)
    finally:
        sock.close()


def _connect(endpoint: Endpoint, until: float, waiting: Callable[[], None]) -> socket.socket:
    waiting()
    try:
        places = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise AwayError(f"nobody knows where {endpoint.host} is") from None
    why = "it has no address"
    for family, kind, protocol, _, address in places:
        try:
            sock = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            why = error.strerror or type(error).__name__
            continue
        try:
            number = _reach(sock, address, min(until, time.monotonic() + _CONNECT_SECONDS), waiting)
        except BaseException:
            sock.close()
            raise
        if not number:
            return sock
        sock.close()
        why = os.strerror(number)
    raise AwayError(f"{endpoint} cannot be reached: {why}")


def _reach(sock: socket.socket, address: Any, until: float, waiting: Callable[[], None]) -> int:
    """Connect a socket. Returns 0, or the number of the error."""
    sock.setblocking(False)
    number = sock.connect_ex(address)
    if number != errno.EINPROGRESS:
        return number
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while time.monotonic() < until:
        waiting()
        if poll.poll(_SLICE * 1000):
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.ETIMEDOUT


def _encrypt(sock: socket.socket, endpoint: Endpoint, until: float, waiting: Callable[[], None]) -> ssl.SSLSocket:
    """Have the server prove who it is, by the certificates that this system trusts."""
    late = min(until, time.monotonic() + _CONNECT_SECONDS)
    sock.setblocking(True)
    try:
        context = ssl.create_default_context()
        secure = context.wrap_socket(sock, server_hostname=endpoint.host, do_handshake_on_connect=False)
    except (OSError, ValueError):
        sock.close()
        raise AwayError(f"no encrypted connection to {endpoint} can be had") from None
    try:
        _Line(secure, late, waiting).patiently(secure.do_handshake)
    except ssl.SSLCertVerificationError as error:
        secure.close()
        raise AwayError(f"{endpoint} does not prove who it is: {error.verify_message}") from None
    except (OSError, _Late) as error:
        secure.close()
        why = "it does not answer" if isinstance(error, _Late) else getattr(error, "reason", None) or error.strerror
        raise AwayError(f"no encrypted connection to {endpoint} can be had: {why}") from None
    except BaseException:
        secure.close()
        raise
    return secure


def _seconds(text: str) -> float:
    """What ``Retry-After`` says (RFC 9110, 10.2.3): seconds, or a date. 0 for nothing sensible."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
