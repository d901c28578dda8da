"""An HTTP server that behaves like a vision model's, or like anything else that may be behind a URL."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

DEADLINE = 60.0
"""Seconds after which a test stops waiting and fails."""

Conversation = Callable[["Request", socket.socket], None]
"""Answers one request, or does something else with its connection, which is closed afterwards."""


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which has to be a JSON object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass
class VisionServer:
    """One server. Use as a context manager.

    Attributes:
        converse: what it does with each request.
        context: to encrypt with, if it does.
        port: where it listens; 0 lets the kernel choose.
        requests: what came in.
    """

    converse: Conversation
    context: ssl.SSLContext | None = None
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def wait_for(self, count: int) -> list[Request]:
        """Wait until so many requests have come in."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) >= count, DEADLINE), f"{len(self.requests)} requests"
            return list(self.requests)

    def _accept(self) -> None:
        threads = []
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                threads[-1].start()
        for thread in threads:
            thread.join(DEADLINE)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(DEADLINE)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with contextlib.closing(connection):
                request = _read(connection)
                with self._came:
                    self.requests.append(request)
                    self._came.notify_all()
                self.converse(request, connection)


def _read(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(connection)
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionResetError
    return data


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(status: int, body: bytes = b"", **headers: str) -> Conversation:
    """Always the same answer."""
    return lambda _, connection: connection.sendall(http(status, body, **headers))


def saying(content: str) -> bytes:
    """An answer's body in Ollama's API."""
    return json.dumps({"message": {"role": "assistant", "content": content}, "done": True}).encode()


def saying_openai(content: object) -> bytes:
    """An answer's body in OpenAI's API."""
    return json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).encode()


def describing(description: str = "A cat on a mat.", tags: list[str] | None = None) -> bytes:
    """The body of a good answer in Ollama's API."""
    return saying(json.dumps({"description": description, "tags": ["Cat", "#mat"] if tags is None else tags}))


@dataclass
class Model:
    """Describes whatever it is sent, until it is told otherwise.

    Attributes:
        moods: what is done with the next requests, one after the other; then each is described.
    """

    moods: list[Conversation] = field(default_factory=list)

    def __call__(self, request: Request, connection: socket.socket) -> None:
        mood = self.moods.pop(0) if self.moods else answering(200, describing())
        mood(request, connection)


def pictures(requests: list[Request]) -> list[bytes]:
    """What was sent to be described, in Ollama's API."""
    return [base64.b64decode(request.json["messages"][0]["images"][0], validate=True) for request in requests]
