"""Finding routes."""

from __future__ import annotations

import pytest

from censusd.service.http.routes import ROUTES, Route, find
from censusd.service.http.wire import HttpError, Request
from censusd.service.refusals import NotFoundError, RefusedError


def request(method: str, path: str) -> Request:
    return Request(method, path, (), {})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found_by_its_path(route: Route) -> None:
    path = route.path.replace("{name}", "photos").replace("{file}", "status.js")
    found, place = find(request(route.method, path), orders=True)
    assert found is route
    assert place.items() <= {"name": "photos", "file": "status.js"}.items()
    assert all(f"{{{name}}}" in route.path for name in place)


def test_every_route_says_what_it_is_for() -> None:
    assert all(route.about for route in ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_orders_are_not_taken_everywhere() -> None:
    for route in ROUTES:
        if route.changes:
            with pytest.raises(HttpError) as error:
                find(request("POST", route.path), orders=False)
            assert error.value.code == 403
            assert "censusctl" in error.value.hint


@pytest.mark.parametrize(
    ("method", "path", "code", "expected"),
    [
        ("GET", "/v1/nothing", 404, ""),
        ("GET", "/v1/status/", 404, ""),
        ("GET", "/v1/repositories/a/b/show", 404, ""),
        ("GET", "/v1/repositories//show", 404, ""),
        ("GET", "/static/../index.html", 404, ""),
        ("DELETE", "/v1/status", 405, "GET, HEAD"),
        ("POST", "/metrics", 405, "GET, HEAD"),
        ("GET", "/v1/reload", 405, "POST"),
        ("HEAD", "/v1/scan", 405, "POST"),
        ("OPTIONS", "/", 405, "GET, HEAD"),
    ],
)
def test_what_is_not_there_is_refused(method: str, path: str, code: int, expected: str) -> None:
    with pytest.raises(RefusedError) as error:
        find(request(method, path), orders=True)
    assert error.value.code == code
    assert error.value.expected == expected
    assert isinstance(error.value, NotFoundError) == (code == 404)
