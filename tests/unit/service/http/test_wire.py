"""Requests as bytes, over real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.service.http.wire import (
    MOST_BODY,
    MOST_HEAD,
    GoneError,
    HttpError,
    Request,
    Response,
    read_request,
    write_response,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a connection: the server's and the client's."""
    server, client = socket.socketpair()
    with server, client:
        yield server, client


def parse(data: bytes, *, within: float = 5.0) -> Request:
    server, client = socket.socketpair()

    def send() -> None:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    with server, client:
        sender = threading.Thread(target=send)
        sender.start()
        try:
            return read_request(server, time.monotonic() + within)
        finally:
            server.close()
            sender.join()


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1")


def refused(data: bytes) -> HttpError:
    with pytest.raises(HttpError) as error:
        parse(data)
    return error.value


def test_a_request_is_taken_apart() -> None:
    body = b'{"wait": true}'
    request = parse(
        head(
            "POST /v1/repositories/a%20b/scan?x=1&y=%C3%A4%ff&x= HTTP/1.1",
            "Host: localhost",
            "X-Twice: a",
            "x-twice:b ",
            f"Content-Length: {len(body)}",
        )
        + body
        + b"more"
    )
    assert request.method == "POST"
    assert request.path == "/v1/repositories/a b/scan"
    assert request.query == (("x", "1"), ("y", "ä\udcff"), ("x", ""))
    assert request.headers["x-twice"] == "a, b"
    assert request.body == body


def test_bytes_that_should_have_been_encoded_mean_what_they_would_have_meant() -> None:
    assert parse("GET /v1/show?path=/Fotos/Höga HTTP/1.1\r\nHost: x\r\n\r\n".encode()).query == (
        ("path", "/Fotos/Höga"),
    )


def test_a_request_may_arrive_in_pieces(pair: Pair) -> None:
    server, client = pair
    data = head("POST / HTTP/1.0", "Content-Length: 3") + b"abc"

    def send() -> None:
        for byte in data:
            client.sendall(bytes([byte]))

    sender = threading.Thread(target=send)
    sender.start()
    assert read_request(server, time.monotonic() + 5.0).body == b"abc"
    sender.join()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (head("GET /"), 400),
        (head("get / HTTP/1.1"), 400),
        (head("GET  / HTTP/1.1"), 400),
        (head("GET /a b HTTP/1.1"), 400),
        (head("GET http://elsewhere/ HTTP/1.1"), 400),
        (head("GET * HTTP/1.1"), 400),
        (head("\x16\x03\x01\x02\x00 TLS"), 400),
        (head("GET / HTTP/2.0"), 505),
        (head("GET / HTTP/1.1", "no colon"), 400),
        (head("GET / HTTP/1.1", "Space : before"), 400),
        (head("GET / HTTP/1.1", "A: b", " folded"), 400),
        (head("GET / HTTP/1.1", "A: b\x00c"), 400),
        (head("GET / HTTP/1.1", "A: b\nc: d"), 400),
        (head("GET / HTTP/1.1", "Host: a", "Host: b"), 400),
        (head("GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 1"), 400),
        (head("GET / HTTP/1.1", "Content-Length: -1"), 400),
        (head("GET / HTTP/1.1", "Content-Length: 0x10"), 400),
        (head("GET / HTTP/1.1", "Content-Length: ²"), 400),
        (head("POST / HTTP/1.1", "Transfer-Encoding: chunked"), 501),
        (head("POST / HTTP/1.1", f"Content-Length: {MOST_BODY + 1}"), 413),
        (head("GET / HTTP/1.1", *(f"H{number}: x" for number in range(65))), 431),
        (b"GET /" + b"a" * MOST_HEAD, 431),
        (head("GET /?" + "&".join(f"a{number}=1" for number in range(65)) + " HTTP/1.1"), 400),
    ],
    ids=range(23),
)
def test_what_is_wrong_is_refused_with_what_was_expected(data: bytes, code: int) -> None:
    error = refused(data)
    assert error.code == code
    assert error.expected


@pytest.mark.parametrize("data", [b"", b"GET / HT", head("POST / HTTP/1.1", "Content-Length: 9") + b"short"])
def test_nobody_is_told_who_has_gone(data: bytes) -> None:
    with pytest.raises(GoneError):
        parse(data)


@pytest.mark.parametrize(
    "data", [b"", b"GET / HTTP/1.1\r\nHost:", head("POST / HTTP/1.1", "Content-Length: 9") + b"sh"]
)
def test_the_whole_request_has_one_deadline(pair: Pair, data: bytes) -> None:
    server, client = pair
    client.sendall(data)
    began = time.monotonic()
    with pytest.raises(HttpError) as error:
        read_request(server, began + 0.3)
    assert error.value.code == HTTPStatus.REQUEST_TIMEOUT
    assert time.monotonic() - began < 3.0


def test_bytes_that_drip_in_do_not_put_it_off(pair: Pair) -> None:
    server, client = pair
    done = threading.Event()

    def drip() -> None:
        for _ in range(100):
            if done.wait(0.05):
                return
            client.sendall(b"a")

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    try:
        with pytest.raises(HttpError) as error:
            read_request(server, began + 0.3)
    finally:
        done.set()
        dripping.join()
    assert error.value.code == HTTPStatus.REQUEST_TIMEOUT
    assert time.monotonic() - began < 3.0


@given(st.binary(max_size=300))
def test_no_bytes_are_unexpected(data: bytes) -> None:
    try:
        request = parse(data + b"\r\n\r\n")
    except (HttpError, GoneError):
        return
    assert request.path.startswith("/")


def test_a_client_that_asks_first_is_told_to_go_on(pair: Pair) -> None:
    server, client = pair
    client.sendall(head("POST / HTTP/1.1", "Content-Length: 2", "Expect: 100-continue"))
    found: list[Request] = []
    reader = threading.Thread(target=lambda: found.append(read_request(server, time.monotonic() + 5.0)))
    reader.start()
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"{}")
    reader.join()
    assert found[0].body == b"{}"


@pytest.mark.parametrize("body", [True, False])
def test_a_response_says_that_it_is_the_last(pair: Pair, body: bool) -> None:
    server, client = pair
    write_response(server, Response.json({"a": "ä\ud800"}), {"X-A": "b"}, body=body)
    server.shutdown(socket.SHUT_WR)
    sent = client.recv(65536)
    lines, _, content = sent.partition(b"\r\n\r\n")
    assert lines.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in lines
    assert lines.endswith(b"\r\nX-A: b")
    if body:
        assert json.loads(content) == {"a": "ä\ud800"}
        assert b"Content-Length: %d\r\n" % len(content) in lines
    else:
        assert content == b""


def test_a_client_that_is_gone_before_it_is_told_to_continue() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"POST /v1/scan HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        with pytest.raises(GoneError):
            read_request(ours, time.monotonic() + 5.0)
