"""The server: a bounded number of connections, each with a thread and a request, none of which can end it."""

from __future__ import annotations

import _thread
import contextlib
import os
import secrets
import select
import socket
import threading
import time
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from censusd import metrics
from censusd.config import Address
from censusd.service.controls import Controls
from censusd.service.http.hosts import Hosts
from censusd.service.http.pages import HEADERS
from censusd.service.http.routes import ROUTES, find
from censusd.service.http.sockets import listen_tcp, listen_unix, peer, show_address
from censusd.service.http.wire import GoneError, HttpError, Request, Response, read_request, write_response
from censusd.service.refusals import RefusedError

_LOG: Final = structlog.get_logger("censusd.service")

_MOST_CONNECTIONS: Final = 40
_REQUEST_WITHIN: Final = 10.0
_RESPONSE_WITHIN: Final = 20.0
_PATIENCE: Final = 1.0
_STOP_WITHIN: Final = 3.0
_OTHER: Final = "other"


class HttpServer:
    """Serves the control room over one listening socket, from the moment it is made until it is closed.

    Make it with ``unix`` or ``tcp``. Use it as a context manager, or call ``close``.

    Args:
        controls: who answers.
        listener: a listening socket.
        hosts: for which names requests may be; None where they come from processes of this machine, not from browsers.
        path: the Unix socket's file.

    Attributes:
        address: ``host:port``, or the path of the Unix socket.
    """

    def __init__(
        self, controls: Controls, listener: socket.socket, *, hosts: Hosts | None = None, path: Path | None = None
    ) -> None:
        self.address = str(path) if path else show_address(*listener.getsockname()[:2])
        self._controls = controls
        self._listener = listener
        self._hosts = hosts
        self._path = path
        self._file = _identity(path)
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name=f"http {self.address}", daemon=True)
        for route in ROUTES:
            metrics.HTTP_REQUESTS.labels(route.path, "200")
        self._thread.start()

    @classmethod
    def unix(cls, controls: Controls, path: Path, mode: int = 0o660, group: str = "") -> Self:
        """Serve everything, orders too, on a Unix socket.

        Args:
            controls: who answers.
            path: where; a socket that a dead daemon left there is replaced.
            mode: permission bits of the socket: who may write to it may give orders.
            group: the group that owns it; empty for the process's own.

        Raises:
            ListenError: that is not possible.
        """
        return cls(controls, listen_unix(path, mode, group), path=path)

    @classmethod
    def tcp(cls, controls: Controls, address: Address, hosts: tuple[str, ...] = ()) -> Self:
        """Serve what only reads on a TCP port.

        Args:
            controls: who answers.
            address: where; port 0 lets the kernel choose.
            hosts: further names that this server may be called by.

        Raises:
            ListenError: that is not possible.
        """
        return cls(controls, listen_tcp(address), hosts=Hosts(address.host, hosts))

    def close(self) -> None:
        """Take no more requests, end those that wait, and stop. Returns within seconds; may be called twice."""
        with self._closing:
            self._stopping.set()
            self._remove_file()
            # Wakes the thread that waits for a connection; closing alone would not.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(_STOP_WITHIN)
            self._listener.close()
            # Who has asked gets an answer if it comes soon; who has not is not waited for.
            if not self._cut(socket.SHUT_RD, _STOP_WITHIN) and not self._cut(socket.SHUT_RDWR, _PATIENCE):
                _LOG.warning("requests were left unanswered", socket=self.address, number=len(self._connections))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except (OSError, MemoryError) as error:
                # Out of file descriptors or memory, or the client is gone again: no reason to stop listening.
                if not self._stopping.wait(0.1):
                    why = getattr(error, "strerror", "") or "out of memory"
                    _LOG.warning("a connection could not be accepted", socket=self.address, why=why)
                continue
            if not self._slots.acquire(timeout=_PATIENCE):
                _refuse(connection)
                continue
            with self._changed:
                self._connections.add(connection)
            try:
                # Thread.start() would wait for ever for a thread that does not live to say that it runs, for want of
                # memory.
                _thread.start_new_thread(self._serve, (connection,))
            except (RuntimeError, MemoryError):  # no more threads
                self._done(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._answer(connection)
        except Exception:  # noqa: BLE001 - one connection must not take the others along
            _LOG.exception("unexpected", socket=self.address)
        finally:
            self._done(connection)

    def _done(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
            connection.close()
            self._changed.notify_all()
        self._slots.release()

    def _answer(self, connection: socket.socket) -> None:
        try:
            request = read_request(connection, time.monotonic() + _REQUEST_WITHIN)
        except GoneError:
            return
        except RefusedError as error:
            self._send(connection, _refusal(error), _OTHER)
            _drain(connection)
            return
        response, route = self._respond(connection, request)
        self._send(connection, response, route, body=request.method != "HEAD")

    def _respond(self, connection: socket.socket, request: Request) -> tuple[Response, str]:
        """The response to a request, and the path of its route."""
        path = _OTHER
        try:
            if self._hosts and not self._hosts.allow(request.headers.get("host")):
                raise HttpError(
                    HTTPStatus.FORBIDDEN,
                    "this server does not go by the name in the Host header",
                    expected="localhost, an IP address, or the name of this machine",
                    hint="allowed_hosts in [http] of the configuration allows further names",
                )
            route, place = find(request, orders=self._hosts is None)
            path = route.path
            if route.changes:
                _LOG.info("order", path=request.path, **peer(connection))
            return route.respond(self._controls, request, place, lambda: self._given_up(connection)), path
        except RefusedError as error:
            return _refusal(error), path
        except Exception:  # noqa: BLE001 - nothing that is asked may end the server
            number = secrets.token_hex(4)
            _LOG.exception("unexpected", id=number, method=request.method, path=request.path)
            return _refusal(_unexpected(number)), path

    def _send(self, connection: socket.socket, response: Response, route: str, *, body: bool = True) -> None:
        metrics.HTTP_REQUESTS.labels(route, str(response.status.value)).inc()
        try:
            connection.settimeout(_RESPONSE_WITHIN)
            write_response(connection, response, HEADERS, body=body)
        except OSError as error:
            _LOG.debug("a response could not be sent", socket=self.address, why=str(error))

    def _given_up(self, connection: socket.socket) -> bool:
        if self._stopping.is_set():
            return True
        poll = select.poll()
        poll.register(connection, 0)  # POLLHUP and POLLERR are always reported
        return bool(poll.poll(0))

    def _cut(self, direction: int, within: float) -> bool:
        """Cut every connection in one direction or both, and wait for their threads. Returns whether all have ended."""
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(direction)
            return self._changed.wait_for(lambda: not self._connections, within)

    def _remove_file(self) -> None:
        """Remove the Unix socket's file, unless it is somebody else's by now."""
        if self._path and self._file and _identity(self._path) == self._file:
            with contextlib.suppress(OSError):
                self._path.unlink()


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = os.lstat(path) if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _refusal(error: RefusedError) -> Response:
    status = HTTPStatus(error.code)
    headers = {}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = error.expected
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    return Response.json(error.as_dict(), status, headers)


def _unexpected(number: str) -> HttpError:
    return HttpError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "something unexpected happened",
        hint=f"the daemon's log has the details under id {number}",
    )


def _refuse(connection: socket.socket) -> None:
    """Say that there are too many connections, without waiting for the request or for anything."""
    error = HttpError(HTTPStatus.SERVICE_UNAVAILABLE, f"{_MOST_CONNECTIONS} connections are open", hint="try again")
    metrics.HTTP_REQUESTS.labels(_OTHER, "503").inc()
    with connection, contextlib.suppress(OSError):
        connection.setblocking(False)
        write_response(connection, _refusal(error), HEADERS, body=True)


def _drain(connection: socket.socket) -> None:
    """Read on for a moment: closing with bytes unread would make the kernel take the response back."""
    deadline = time.monotonic() + _PATIENCE
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(65536):
                return
