"""What can be asked for: one line a route. GET only reads; POST gives orders, and is taken on the Unix socket only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import REGISTRY
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest

from censusd.service.controls import LONGEST_WAIT, Controls
from censusd.service.http import pages
from censusd.service.http.arguments import Arguments
from censusd.service.http.wire import TEXT, HttpError, Request, Response
from censusd.service.refusals import NotFoundError, UnavailableError

_SYNC_WAIT: Final = 30.0
_SCAN_WAIT: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to its answer.

    Attributes:
        controls: who answers.
        request: the request.
        place: what the variable parts of the path are.
        arguments: what else the request says.
        given_up: whether the client has hung up, or the server stops.
    """

    controls: Controls
    request: Request
    place: dict[str, str]
    arguments: Arguments
    given_up: Callable[[], bool]


@dataclass(frozen=True)
class Route:
    """One thing that can be asked for.

    Attributes:
        method: ``GET`` (and ``HEAD``) to read, ``POST`` to change something.
        path: with variable parts in braces.
        answer: gives a response, or a value to be sent as JSON.
        about: what it is for.
        arguments: which there may be: query parameters of a GET, members of the JSON object in the body of a POST.
    """

    method: str
    path: str
    answer: Callable[[Call], Response | dict[str, Any]]
    about: str
    arguments: tuple[str, ...] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches this route's paths."""
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))

    @property
    def changes(self) -> bool:
        """Whether it is an order."""
        return self.method == "POST"

    def respond(
        self, controls: Controls, request: Request, place: dict[str, str], given_up: Callable[[], bool]
    ) -> Response:
        """Answer a request for this route.

        Raises:
            RefusedError: it cannot be done, or was not meant like that.
        """
        arguments = Arguments.of(request, self.arguments)
        answer = self.answer(Call(controls, request, place, arguments, given_up))
        return answer if isinstance(answer, Response) else Response.json(answer)


def find(request: Request, *, orders: bool) -> tuple[Route, dict[str, str]]:
    """The route of a request, and the variable parts of its path.

    Args:
        request: the request.
        orders: whether orders are taken.

    Raises:
        NotFoundError: there is nothing at this path.
        HttpError: there is, but not for this method, or not here.
    """
    matches = [(route, match) for route in ROUTES if (match := route.pattern.fullmatch(request.path))]
    if not matches:
        raise NotFoundError(f"there is nothing at {request.path!r:.100}", hint="GET /v1 lists what there is")
    method = "GET" if request.method == "HEAD" else request.method
    for route, match in matches:
        if route.method == method:
            if route.changes and not orders:
                raise HttpError(
                    HTTPStatus.FORBIDDEN,
                    "no orders are taken here",
                    hint="give them to the Unix socket, for instance with censusctl",
                )
            return route, match.groupdict()
    methods = ", ".join("GET, HEAD" if route.method == "GET" else route.method for route, _ in matches)
    raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not for this path", expected=methods)


def _metrics(call: Call) -> Response:
    try:
        encode, media_type = choose_encoder(call.request.headers.get("accept", ""))
    except (ValueError, TypeError):  # a version that is no number
        encode, media_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
    return Response(encode(REGISTRY), media_type)


def _healthy(_: Call) -> Response:
    return Response(b"healthy\n", TEXT)


def _ready(call: Call) -> Response:
    why_not = call.controls.why_not_ready()
    if why_not:
        raise UnavailableError(why_not)
    return Response(b"ready\n", TEXT)


def _index(_: Call) -> dict[str, Any]:
    return {
        "routes": [
            {"method": route.method, "path": route.path, "about": route.about, "arguments": route.arguments}
            for route in ROUTES
        ]
    }


def _history(call: Call) -> dict[str, Any]:
    return call.controls.history(call.arguments.text("repository"), call.arguments.count("limit", 20, 1000))


def _problems(call: Call) -> dict[str, Any]:
    return call.controls.problems(call.arguments.text("repository"), call.arguments.count("limit", 100, 1000))


def _list(call: Call) -> dict[str, Any]:
    given = call.arguments
    path, after = given.text("path", "") or "", given.text("after", "") or ""
    return call.controls.list_directory(call.place["name"], path, after, given.count("limit", 1000, 10_000))


def _locate(call: Call) -> dict[str, Any]:
    return call.controls.locate(call.arguments.needed_text("path"))


def _show(call: Call) -> dict[str, Any]:
    return call.controls.show(call.place.get("name"), call.arguments.needed_text("path"))


def _duplicates(call: Call) -> dict[str, Any]:
    given = call.arguments
    path = given.text("path") if "name" in call.place else None
    return call.controls.duplicates(call.place.get("name"), path, given.text("after"), given.count("limit", 100, 1000))


def _conflicts(call: Call) -> dict[str, Any]:
    given = call.arguments
    path = given.text("path") if "name" in call.place else None
    return call.controls.conflicts(call.place.get("name"), path, given.text("after"))


def _scan(call: Call) -> dict[str, Any]:
    given = call.arguments
    return call.controls.scan(
        call.place.get("name"),
        given.text("path") if "name" in call.place else None,
        verify=given.flag("verify"),
        wait=_wait(given),
        given_up=call.given_up,
    )


def _sync(call: Call) -> dict[str, Any]:
    timeout = call.arguments.seconds("timeout", _SYNC_WAIT, LONGEST_WAIT)
    return call.controls.sync(call.place["name"], timeout, call.given_up)


def _release(call: Call) -> dict[str, Any]:
    return call.controls.release(call.place["name"], wait=_wait(call.arguments), given_up=call.given_up)


def _deep_scan(call: Call) -> dict[str, Any]:
    given = call.arguments
    path = given.text("path") if "name" in call.place else None
    return call.controls.deep_scan(call.place.get("name"), path, wait=_wait(given), given_up=call.given_up)


def _rehash(call: Call) -> dict[str, Any]:
    given = call.arguments
    path = given.text("path") if "name" in call.place else None
    return call.controls.rehash(call.place.get("name"), path, wait=_wait(given), given_up=call.given_up)


def _retry(call: Call) -> dict[str, Any]:
    path = call.arguments.text("path") if "name" in call.place else None
    return call.controls.retry(call.place.get("name"), path)


def _accept(call: Call) -> dict[str, Any]:
    return call.controls.accept(call.place["name"], call.arguments.text("path"))


def _wait(given: Arguments) -> float | None:
    timeout = given.seconds("timeout", _SCAN_WAIT, LONGEST_WAIT)
    return timeout if given.flag("wait") else None


ROUTES: Final = (
    Route("GET", "/", lambda _: pages.page("index.html"), "the status page"),
    Route("GET", "/static/{file}", lambda call: pages.page(call.place["file"]), "its style and its script"),
    Route("GET", "/metrics", _metrics, "everything measured, for Prometheus"),
    Route("GET", "/-/healthy", _healthy, "200 while the process answers"),
    Route("GET", "/-/ready", _ready, "200 once every repository is looked after; 503 and why not until then"),
    Route("GET", "/v1", _index, "this list"),
    Route("GET", "/v1/status", lambda call: call.controls.status(), "how the daemon and every repository stand"),
    Route("GET", "/v1/history", _history, "settled work, the newest first", ("repository", "limit")),
    Route("GET", "/v1/problems", _problems, "directories and files that cannot be read", ("repository", "limit")),
    Route("GET", "/v1/locate", _locate, "which repository an absolute path lies in", ("path",)),
    Route("GET", "/v1/show", _show, "what is on record at an absolute path", ("path",)),
    Route("GET", "/v1/repositories/{name}/show", _show, "what is on record at a path", ("path",)),
    Route("GET", "/v1/repositories/{name}/list", _list, "what is in a directory", ("path", "after", "limit")),
    Route("GET", "/v1/duplicates", _duplicates, "contents that more than one file has", ("after", "limit")),
    Route("GET", "/v1/repositories/{name}/duplicates", _duplicates, "the same in it", ("path", "after", "limit")),
    Route("GET", "/v1/conflicts", _conflicts, "names in conflict, one repository after the other", ("after",)),
    Route("GET", "/v1/repositories/{name}/conflicts", _conflicts, "names in conflict", ("path", "after")),
    Route("POST", "/v1/scan", _scan, "look at every repository now", ("verify", "wait", "timeout")),
    Route("POST", "/v1/repositories/{name}/scan", _scan, "look at it now", ("path", "verify", "wait", "timeout")),
    Route("POST", "/v1/repositories/{name}/sync", _sync, "wait until it is in step with the disk", ("timeout",)),
    Route("POST", "/v1/repositories/{name}/release", _release, "let held deletions through", ("wait", "timeout")),
    Route("POST", "/v1/deep-scan", _deep_scan, "look into every file now", ("wait", "timeout")),
    Route("POST", "/v1/repositories/{name}/deep-scan", _deep_scan, "look into files now", ("path", "wait", "timeout")),
    Route("POST", "/v1/rehash", _rehash, "read everything again, and compare", ("wait", "timeout")),
    Route("POST", "/v1/repositories/{name}/rehash", _rehash, "read again, and compare", ("path", "wait", "timeout")),
    Route("POST", "/v1/repositories/{name}/accept", _accept, "take corrupt files for what they should be", ("path",)),
    Route("POST", "/v1/retry", _retry, "try every file again that could not be read"),
    Route("POST", "/v1/repositories/{name}/retry", _retry, "try files again that could not be read", ("path",)),
    Route("POST", "/v1/reload", lambda call: call.controls.reload(), "read the configuration again"),
)
