"""A proxy between the daemon and PostgreSQL that does to their connections what networks and servers do.

It understands as much of PostgreSQL's protocol as it takes to see a commit go by: psycopg sends it as a Query message,
and on its own, since it has waited for the answer to what came before; the answer is CommandComplete
(https://www.postgresql.org/docs/current/protocol-message-formats.html). There is one thread for each direction of a
connection, with no more data in it than one read.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK: Final = 1 << 16
_MOST: Final = 64
"""Connections at a time."""

_COMMIT: Final = b"Q" + struct.pack("!I", 4 + 7) + b"COMMIT\0"
_COMMITTED: Final = b"C" + struct.pack("!I", 4 + 7) + b"COMMIT\0"


class Mode(Enum):
    """What is done to connections.

    Attributes:
        OPEN: nothing.
        REFUSING: there are none, and nobody listens.
        HELD: nothing arrives, and nobody is told; what was sent goes on when that is over.
        BEFORE_COMMIT: the next commit does not reach the server, and its connection ends.
        AFTER_COMMIT: the next commit is done, nobody is told, and its connection ends.
    """

    OPEN = "open"
    REFUSING = "refusing"
    HELD = "held"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"


class Proxy:
    """Listens on a Unix socket or a TCP port, from ``with`` to the end of it.

    Args:
        where: a directory, with a short path, for its socket; or an IP address and a port.
        database: what it leads to, at a Unix socket.

    Attributes:
        conninfo: how to get to the database through it.
        latency: seconds that everything takes longer, in both directions.
        rate: bytes a second in each direction of each connection; 0: as fast as can be.
        cuts: how many commits were cut.
    """

    def __init__(self, where: Path | tuple[str, int], database: str) -> None:
        there = conninfo_to_dict(database)
        name = f".s.PGSQL.{there.get('port') or 5432}"
        self._server = os.path.join(str(there["host"]), name)
        self._address = where / name if isinstance(where, Path) else where
        host, port = (where, there.get("port")) if isinstance(where, Path) else where
        self.conninfo = make_conninfo(database, host=str(host), port=port, requirepeer="")
        self.latency = 0.0
        self.rate = 0
        self.cuts = 0
        self._mode = Mode.OPEN
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self._pairs: set[_Pair] = set()

    @contextmanager
    def while_it_is(self, mode: Mode) -> Iterator[None]:
        """Do something to all connections; afterwards everything is as before."""
        self._set(mode)
        try:
            yield
        finally:
            self._set(Mode.OPEN)

    def cut_a_commit(self, mode: Mode, seconds: float) -> bool:
        """Wait for the next commit, and end its connection before or after it. Says whether there was one."""
        with self.while_it_is(mode), self._changed:
            return self._changed.wait_for(lambda: self._mode is not mode, seconds)

    def cut(self) -> None:
        """End every connection."""
        with self._changed:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.close()

    def allow(self, data: bytes, stop: threading.Event) -> Mode:
        """Wait until something may be passed on, and say what is to be done to it."""
        stop.wait(self.latency + (len(data) / self.rate if self.rate else 0.0))
        with self._changed:
            self._changed.wait_for(lambda: self._mode is not Mode.HELD)
            mode = self._mode
            if mode not in {Mode.BEFORE_COMMIT, Mode.AFTER_COMMIT} or _COMMIT not in data:
                return Mode.OPEN
            self.cuts += 1
            self._mode = Mode.OPEN
            self._changed.notify_all()
            return mode

    def forget(self, pair: _Pair) -> None:
        """A connection has ended."""
        with self._changed:
            self._pairs.discard(pair)

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._set(Mode.REFUSING)

    def _set(self, mode: Mode) -> None:
        with self._changed:
            before, self._mode = self._mode, mode
            self._changed.notify_all()
        if mode is Mode.REFUSING and self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            if isinstance(self._address, Path):
                self._address.unlink()
            self.cut()
        elif before is Mode.REFUSING:
            self._listen()

    def _listen(self) -> None:
        if isinstance(self._address, Path):
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(os.fspath(self._address))
            self._address.chmod(0o777)
            self._listener.listen(16)
        else:
            self._listener = socket.create_server(self._address)
        threading.Thread(target=self._accept, args=(self._listener,), name="proxy", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    if len(self._pairs) >= _MOST:
                        raise ConnectionRefusedError
                    server.connect(self._server)
                except OSError:
                    client.close()
                    server.close()
                    continue
                pair = _Pair(self, client, server)
                with self._changed:
                    self._pairs.add(pair)
                pair.start()


class _Pair:
    """A client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._stop = threading.Event()
        self._is_last = False
        self._open = 2
        self._ending = threading.Lock()

    def start(self) -> None:
        """Pass on what is sent, both ways."""
        for run in (self._from_client, self._from_server):
            threading.Thread(target=self._until_end, args=(run,), name="proxy", daemon=True).start()

    def close(self) -> None:
        """End both, so that whoever waits for either notices."""
        self._stop.set()
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _from_client(self) -> None:
        while data := self._client.recv(_CHUNK):
            mode = self._proxy.allow(data, self._stop)
            if mode is Mode.BEFORE_COMMIT:
                return
            self._is_last = mode is Mode.AFTER_COMMIT
            self._server.sendall(data)

    def _from_server(self) -> None:
        while data := self._server.recv(_CHUNK):
            self._proxy.allow(data, self._stop)
            if self._is_last:
                if _COMMITTED in data:
                    return
                continue
            self._client.sendall(data)

    def _until_end(self, run: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            run()
        self.close()
        with self._ending:
            self._open -= 1
            if self._open == 0:
                self._client.close()
                self._server.close()
        self._proxy.forget(self)
