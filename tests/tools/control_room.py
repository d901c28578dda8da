"""Real workers behind a real control room, on real sockets, and the real censusctl to talk to it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import psycopg

from censusd.catalogue.connection import Catalogue
from censusd.config import Address
from censusd.deepscan.scanner import Scanner
from censusd.deepscan.sites import SiteRules
from censusd.service.controls import Controls
from censusd.service.http import HttpServer
from tests.tools.living import LivingLibrary

DEADLINE = 30.0
"""Seconds after which a test stops waiting and fails."""


class Answer(NamedTuple):
    """What came back over HTTP."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which has to be a JSON object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class ControlRoom:
    """A control room with both its servers.

    Args:
        directory: where the socket, the cookies and the trees go; a short path.
        catalogue: the database.

    Attributes:
        overview: what the application would add.
        scanner: the deep scan, if there is one.
        sites: how repositories are deep-scanned.
        reloads: how often a reload was asked for.
    """

    def __init__(self, directory: Path, catalogue: Catalogue) -> None:
        self.directory = directory
        self.socket = directory / "control.sock"
        self.catalogue = catalogue
        self.libraries: dict[str, LivingLibrary] = {}
        self.overview: dict[str, Any] = {}
        self.scanner: Scanner | None = None
        self.sites: dict[str, SiteRules] = {}
        self.reloads = 0
        self.controls = Controls(
            lambda: {name: library.worker for name, library in self.libraries.items()},
            catalogue,
            version="1.2.3",
            reload=self._reload,
            overview=lambda: self.overview,
            scanner=lambda: self.scanner,
            sites=lambda: self.sites,
        )
        self.unix = HttpServer.unix(self.controls, self.socket)
        self.tcp = HttpServer.tcp(self.controls, Address("127.0.0.1", 0))

    def add(
        self, name: str, *, files: Mapping[str, str] | None = None, start: bool = True, **rules: Any
    ) -> LivingLibrary:
        """A repository with some files, looked after by a worker that has made its first pass."""
        root = self.directory / name
        root.mkdir(exist_ok=True)
        for path, content in (files or {}).items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        library = LivingLibrary(
            root, self.catalogue, self.directory / "cookies" / name, name=name, debounce=0.05, **rules
        )
        self.libraries[name] = library
        if start:
            library.start()
        return library

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        tcp: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; ``body`` is sent as it is if it is bytes, else as JSON."""
        connection = self.connect_http(tcp=tcp)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        """What a question over TCP is answered with."""
        answer = self.ask("GET", path, tcp=True)
        assert answer.code == 200, answer
        return answer.json

    def status(self, name: str) -> dict[str, Any]:
        """A repository's status."""
        (found,) = [one for one in self.get("/v1/status")["repositories"] if one["name"] == name]
        assert isinstance(found, dict)
        return found

    def connect(self, *, tcp: bool = False) -> socket.socket:
        """A bare connection."""
        if tcp:
            host, port = self.tcp.address.rsplit(":", 1)
            return socket.create_connection((host, int(port)), DEADLINE)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(str(self.socket))
        return connection

    def connect_http(self, *, tcp: bool = False) -> http.client.HTTPConnection:
        """A connection that speaks HTTP."""
        connection = http.client.HTTPConnection(self.tcp.address if tcp else "localhost", timeout=DEADLINE)
        connection.sock = self.connect(tcp=tcp)
        return connection

    def start_ctl(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        """Start censusctl."""
        environment = {**os.environ, "CENSUSD_SOCKET": str(self.socket), "PYTHONIOENCODING": "utf-8"}
        # Whoever starts the tests in the background may have had the interrupt ignored, which children inherit.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "censusd.cli.censusctl", *arguments]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
            **options,
        )

    def ctl(self, *arguments: str | bytes, code: int = 0, **options: Any) -> tuple[str, str]:
        """Run censusctl; it must end with status ``code``. Returns what it wrote and what it complained of."""
        process = self.start_ctl(*arguments, **options)
        out, err = (stream.decode() for stream in process.communicate(timeout=DEADLINE))
        assert process.returncode == code, f"{process.returncode}: {out}{err}"
        assert "Traceback" not in err
        return out, err

    def names(self, place: str) -> list[str]:
        """What censusctl lists in a place, ``REPO`` or ``REPO:PATH``."""
        out, _ = self.ctl("--json", "ls", place)
        return [entry["name"] for entry in json.loads(out)["entries"]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.tcp.close()
        self.unix.close()
        for library in self.libraries.values():
            library.stop()

    def _reload(self) -> None:
        self.reloads += 1


@contextmanager
def busy(database: str, name: str) -> Iterator[None]:
    """Nothing can be written for a repository while this lasts: every write begins with a lock on its row."""
    with psycopg.connect(database) as connection:
        connection.execute("SELECT 1 FROM repositories WHERE name = %s FOR UPDATE", (name,))
        yield
        connection.rollback()
