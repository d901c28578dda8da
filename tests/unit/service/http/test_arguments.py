"""What requests say beside their path."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.service.http.arguments import Arguments
from censusd.service.http.wire import Request
from censusd.service.refusals import BadRequestError

ALLOWED = ("path", "verify", "limit", "timeout")


def of(*query: tuple[str, str], method: str = "GET", body: bytes = b"") -> Arguments:
    return Arguments.of(Request(method, "/", query, {}, body), ALLOWED)


def posted(body: bytes) -> Arguments:
    return of(method="POST", body=body)


def test_what_is_given_is_read() -> None:
    given = posted(b'{"path": "a", "verify": true, "limit": 3, "timeout": 2.5}')
    assert (given.text("path"), given.flag("verify"), given.count("limit", 1, 9)) == ("a", True, 3)
    assert given.seconds("timeout", 1.0, 9.0) == 2.5


def test_a_query_is_all_text() -> None:
    given = of(("verify", "true"), ("limit", "3"))
    assert given.flag("verify") is True
    assert given.count("limit", 1, 9) == 3


def test_what_is_not_given_has_its_default() -> None:
    for nothing in (of(), posted(b""), posted(b"{}"), posted(b'{"path": null, "verify": null}')):
        assert nothing.text("path", "x") == "x"
        assert nothing.flag("verify") is False
        assert nothing.count("limit", 7, 9) == 7


@pytest.mark.parametrize("body", [b"{", b"[]", b"3", b'"x"', b"\xff", b'{"timeout": NaN}', b"[" * 60_000, b'{"a":1}x'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError) as error:
        posted(body)
    assert error.value.expected


def test_unknown_arguments_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadRequestError, match="did you mean verify") as error:
        posted(b'{"verfiy": true}')
    assert "path, verify" in error.value.expected
    with pytest.raises(BadRequestError, match="given twice"):
        of(("path", "a"), ("path", "b"))
    with pytest.raises(BadRequestError, match="takes no query"):
        of(("path", "a"), method="POST")


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("text", "path", 3),
        ("flag", "verify", 1),
        ("flag", "verify", "maybe"),
        ("count", "limit", 0),
        ("count", "limit", 10),
        ("count", "limit", True),
        ("count", "limit", 1.0),
        ("count", "limit", "9" * 400),
        ("count", "limit", "²"),
        ("seconds", "timeout", 0),
        ("seconds", "timeout", -1),
        ("seconds", "timeout", 9.5),
        ("seconds", "timeout", "5"),
        ("seconds", "timeout", True),
    ],
)
def test_values_of_the_wrong_kind_are_refused(method: str, name: str, value: Any) -> None:
    given = Arguments({name: value}, ALLOWED)
    with pytest.raises(BadRequestError) as error:
        getattr(given, method)(name, *{"count": (1, 9), "seconds": (1.0, 9.0)}.get(method, ()))
    assert error.value.expected.startswith(f"{name}: ")


@given(st.binary(max_size=200))
def test_no_body_is_unexpected(body: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        posted(body)
