"""Talking to the daemon: HTTP over its Unix socket, and where that socket is."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

SOCKET_VARIABLE: Final = "CENSUSD_SOCKET"
_SYSTEM_SOCKET: Final = Path("/run/censusd/control.sock")
_CONNECT_WITHIN: Final = 5.0
_ANSWER_WITHIN: Final = 30.0
_LARGEST_ANSWER: Final = 256 * 1024 * 1024


class ClientError(Exception):
    """The daemon said no, or nothing at all. Its text is meant for people.

    Attributes:
        code: the HTTP status that the daemon gave; 0 if it did not answer.
        answer: what the daemon said, as it came.
    """

    def __init__(self, text: str, code: int = 0, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.answer = dict(answer or {"error": text})


class Client:
    """Asks the daemon, one connection a request.

    Args:
        path: the daemon's Unix socket.
        hint: what to say besides if nobody listens there.
    """

    def __init__(self, path: Path, hint: str = "") -> None:
        self._path = path
        self._hint = hint

    def get(self, *path: str, **query: Any) -> dict[str, Any]:
        """Ask a question; parameters that are None are left out.

        Raises:
            ClientError: the daemon refuses, or does not answer.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{_url(path)}?{urlencode(given)}" if given else _url(path), None, _ANSWER_WITHIN)

    def post(self, *path: str, within: float = 0.0, **members: Any) -> dict[str, Any]:
        """Give an order; members that are None are left out.

        Args:
            path: the parts of the path.
            within: seconds that carrying it out may take.
            members: of the body.

        Raises:
            ClientError: the daemon refuses, or does not answer.
        """
        given = {name: value for name, value in members.items() if value is not None}
        return self._ask("POST", _url(path), json.dumps(given).encode(), within + _ANSWER_WITHIN)

    def _ask(self, method: str, url: str, body: bytes | None, timeout: float) -> dict[str, Any]:
        connection = _UnixConnection(self._path, timeout)
        try:
            connection.request(method, url, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            data = response.read(_LARGEST_ANSWER)
            if response.length:
                raise http.client.IncompleteRead(data, response.length)
        except TimeoutError:
            raise ClientError(f"the daemon at {self._path} does not answer") from None
        except (OSError, http.client.HTTPException) as error:
            raise ClientError(self._explain(error)) from error
        finally:
            connection.close()
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ClientError(f"what answers on {self._path} does not seem to be censusd", response.status)
        if response.status >= 400:
            raise refusal(answer, response.status)
        return answer

    def _explain(self, error: Exception) -> str:
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            what = "there is no such socket" if isinstance(error, FileNotFoundError) else "nobody listens there"
            return (
                f"no daemon on {self._path}: {what}.{self._hint} "
                "Start it with: systemctl start censusd (or make run in a checkout). "
                f"If it listens elsewhere, say where with --socket or ${SOCKET_VARIABLE}"
            )
        if isinstance(error, PermissionError):
            return f"no permission to give orders to {self._path}: {_who_may(self._path)}"
        if isinstance(error, (http.client.RemoteDisconnected, ConnectionError, http.client.IncompleteRead)):
            return f"the daemon on {self._path} ended the connection: it is being stopped, or was killed"
        return f"cannot talk to {self._path}: {error}"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT_WITHIN)
        self.sock.connect(os.fspath(self._path))
        self.sock.settimeout(self.timeout)


def refusal(answer: Mapping[str, Any], code: int) -> ClientError:
    """What the daemon said no with, as one text."""
    text = str(answer.get("error") or f"status {code}")
    expected, hint = answer.get("expected"), answer.get("hint")
    text += f" (expected {expected})" if expected else ""
    text += f"; {hint}" if hint else ""
    return ClientError(text, code, answer)


def find_socket(environ: Mapping[str, str]) -> tuple[Path, str]:
    """The socket of the daemon that is probably meant, and which others were looked for.

    That is: the one in ``$CENSUSD_SOCKET``; else the first that exists of those that the configuration names, that a
    daemon of this user has, that the system's daemon has, and that ``make run`` in this checkout has; else the first.
    """
    given = environ.get(SOCKET_VARIABLE)
    if given:
        return Path(given), f" (That is what ${SOCKET_VARIABLE} says.)"
    places = list(dict.fromkeys(_places(environ)))
    for place in places:
        if _is_socket(place):
            return place, ""
    others = ", ".join(str(place) for place in places[1:])
    return places[0], f" (Nor is there one at {others}.)" if others else ""


def _places(environ: Mapping[str, str]) -> list[Path]:
    # Not at the top: nothing else here needs the configuration, and reading its packages takes a tenth of a second.
    from censusd.config.documents import read_documents  # noqa: PLC0415
    from censusd.config.locations import runtime_directory, state_directory  # noqa: PLC0415

    # The daemon judges its configuration; here, whatever can be read of it is enough. It may well be secret.
    tables = [document.content for document in read_documents(None, [])]

    def configured(table: str, key: str) -> Path | None:
        values = [content[table].get(key) for content in tables if isinstance(content.get(table), dict)]
        texts = [value for value in values if isinstance(value, str) and value]
        return Path(texts[-1]) if texts else None

    try:
        state = configured("daemon", "state_directory") or state_directory(environ)
    except LookupError:
        state = Path("/nonexistent")
    directory = configured("daemon", "runtime_directory") or runtime_directory(environ, state)
    places = [configured("control", "socket") or directory / _SYSTEM_SOCKET.name, _SYSTEM_SOCKET]
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / ".ci" / "start").exists():
        places.append(checkout / ".state" / "run" / _SYSTEM_SOCKET.name)
    return places


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except PermissionError:
        return True  # its directory is closed to us: better to say so than to look elsewhere
    except OSError:
        return False


def _who_may(path: Path) -> str:
    """Who may connect, for people who may not."""
    import grp  # noqa: PLC0415 - for this one message

    try:
        found = path.stat()
        group = grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):
        return "its directory is closed to this user"
    if found.st_mode & stat.S_IWGRP:
        return f"its owner and the members of the group {group} may"
    return "only its owner may"


def _url(parts: tuple[str, ...]) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)
