"""HTTP for people, programs and Prometheus: orders on a Unix socket, questions on a TCP port as well."""

from __future__ import annotations

from censusd.service.http.server import HttpServer
from censusd.service.http.sockets import ListenError

__all__ = ["HttpServer", "ListenError"]
