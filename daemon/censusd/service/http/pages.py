"""The status page's files. They are few and small, so they are read once and served by name, never by path."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from censusd.service.http.wire import Response
from censusd.service.refusals import NotFoundError

_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "status.css": "text/css; charset=utf-8",
    "status.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

HEADERS: Final = {
    # Everything the page needs comes from here, and nothing else may: not even an inline style.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""What every response carries."""


def page(name: str) -> Response:
    """One of the status page's files.

    Raises:
        NotFoundError: there is none by that name.
    """
    if name not in _TYPES:
        raise NotFoundError(f"there is no file {name!r:.60}", expected=f"one of {', '.join(_TYPES)}")
    return Response(_content(name), _TYPES[name], HTTPStatus.OK)


@cache
def _content(name: str) -> bytes:
    return (files("censusd") / "web" / name).read_bytes()
