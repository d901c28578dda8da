"""One request to a real server, whatever that does: bounded in time and size, and it can be stopped at any moment."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from censusd.describe.line import LARGEST_ANSWER, Answer, exchange
from censusd.describe.rules import parse_endpoint
from censusd.describe.trouble import AnswerError, AwayError, StoppedError
from tests.tools.vision_server import Conversation, Request, VisionServer, answering, http

SOON = 0.6


def ask(server: VisionServer, *, seconds: float = 30.0, body: bytes = b"body", host: str = "127.0.0.1") -> Answer:
    endpoint = parse_endpoint(server.url.replace("127.0.0.1", host))
    return exchange(endpoint, "/p", {"X-More": "1"}, len(body), [body], seconds=seconds, waiting=lambda: None)


def test_what_is_sent_and_what_comes_back() -> None:
    with VisionServer(answering(200, b"{}")) as server:
        assert ask(server) == Answer(200, 0.0, b"{}")
        (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/p", b"body")
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["x-more"] == "1"
    assert request.headers["connection"] == "close"
    assert request.headers["content-length"] == "4"
    assert request.headers["accept-encoding"] == "identity"


def chunked(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")


def until_it_closes(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")


def after_a_hint(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, b"{}"))


@pytest.mark.parametrize("converse", [chunked, until_it_closes, after_a_hint])
def test_an_answer_may_come_in_several_ways(converse: Conversation) -> None:
    with VisionServer(converse) as server:
        assert ask(server).body == b"{}"


def silent(_: Request, connection: socket.socket) -> None:
    connection.recv(1)


def dripping(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def dripping_headers(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X")
        time.sleep(0.05)


def hinting_for_ever(_: Request, connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("converse", [silent, dripping, dripping_headers, hinting_for_ever])
def test_a_server_that_does_not_come_to_an_end_has_so_long_and_no_longer(converse: Conversation) -> None:
    began = time.monotonic()
    with VisionServer(converse) as server, pytest.raises(AnswerError, match=r"no answer within 0\.6 s"):
        ask(server, seconds=SOON)
    assert time.monotonic() - began < 10


def test_a_server_that_does_not_read_has_so_long_and_no_longer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = parse_endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}")
        parts = (bytes(1 << 20) for _ in range(64))
        with pytest.raises(AnswerError, match="no answer"):
            exchange(endpoint, "/", {}, 64 << 20, parts, seconds=SOON, waiting=lambda: None)


def stop_after_the_first(server: VisionServer, stopping: threading.Event) -> None:
    server.wait_for(1)
    stopping.set()


@pytest.mark.parametrize("converse", [silent, dripping])
def test_it_stops_within_a_moment(converse: Conversation) -> None:
    stopping = threading.Event()

    def waiting() -> None:
        if stopping.is_set():
            raise StoppedError("stop")

    with VisionServer(converse) as server:
        threading.Thread(target=stop_after_the_first, args=(server, stopping), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(StoppedError):
            exchange(parse_endpoint(server.url), "/", {}, 0, [], seconds=60, waiting=waiting)
        assert time.monotonic() - began < 5


def huge(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(1 << 16))


def said_to_be_huge(_: Request, connection: socket.socket) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 40}\r\n\r\n".encode())


def huge_chunk(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n")
    while True:
        connection.sendall(bytes(1 << 16))


@pytest.mark.parametrize("converse", [huge, said_to_be_huge, huge_chunk])
def test_an_answer_is_read_only_so_far(converse: Conversation) -> None:
    with VisionServer(converse) as server, pytest.raises(AnswerError, match="larger than 1 MiB"):
        ask(server)


def test_the_largest_answer_is_read() -> None:
    with VisionServer(answering(200, bytes(LARGEST_ANSWER))) as server:
        assert len(ask(server).body) == LARGEST_ANSWER


def cut_off(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")


def cut_off_chunk(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}")


def hanging_up(_: Request, connection: socket.socket) -> None:
    """Nothing is said."""


def reset(_: Request, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def garbage(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"\0\xff\r\n\r\nSSH-2.0-hello\r\n" * 20)


def endless_headers(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 1000 + b"\r\n")


def nonsense_length(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")


@pytest.mark.parametrize(
    ("converse", "why"),
    [
        (cut_off, "broke off in the middle"),
        (cut_off_chunk, "broke off in the middle"),
        (hanging_up, "closed the connection without an answer"),
        (reset, "broke off|without an answer"),
        (garbage, "does not answer in HTTP"),
        (endless_headers, "does not answer in HTTP"),
        (nonsense_length, "does not answer in HTTP|broke off"),
    ],
)
def test_an_answer_that_is_none(converse: Conversation, why: str) -> None:
    with VisionServer(converse) as server, pytest.raises(AnswerError, match=why):
        ask(server)


def test_what_a_server_says_before_it_has_read_everything_is_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(http(413, b'{"error": "too large"}'))
                connection.shutdown(socket.SHUT_WR)
                # What is still on its way is read, else the kernel would throw the answer away with it.
                connection.settimeout(10)
                for _ in range(100):
                    if not connection.recv(1 << 20):
                        break

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        endpoint = parse_endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}")
        answer = exchange(endpoint, "/", {}, 1 << 22, [bytes(1 << 22)], seconds=30, waiting=lambda: None)
        thread.join(30)
    assert (answer.status, answer.body) == (413, b'{"error": "too large"}')


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AwayError, match="Connection refused"):
        exchange(parse_endpoint(f"http://127.0.0.1:{port}"), "/", {}, 0, [], seconds=5, waiting=lambda: None)
    with pytest.raises(AwayError, match=r"nobody knows where nowhere\.invalid is"):
        exchange(parse_endpoint("http://nowhere.invalid"), "/", {}, 0, [], seconds=5, waiting=lambda: None)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("7", 7, 7),
        (" 120 ", 120, 120),
        ("9" * 5000, 1e8, 1e9),
        (format_datetime(datetime.now(UTC) + timedelta(hours=9), usegmt=True), 8 * 3600, 9 * 3600 + 1),
        (format_datetime(datetime.now(UTC) - timedelta(hours=9), usegmt=True), 0, 0),
        ("-1", 0, 0),
        ("soon", 0, 0),
        ("\N{SUPERSCRIPT TWO}", 0, 0),
    ],
    ids=["seconds", "spaces", "for ever", "date", "past", "negative", "words", "superscript"],
)
def test_how_long_a_server_wants_to_be_left_alone(text: str, least: float, most: float) -> None:
    with VisionServer(answering(429, Retry_After=text)) as server:
        assert least <= ask(server).retry_after <= most


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, with its key."""
    directory = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -keyout {directory}/key -out {directory}/certificate"
    subprocess.run(command.split(), check=True, capture_output=True)
    return directory


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate", certificate / "key")
    return context


def test_a_server_that_this_system_trusts_is_spoken_to_in_private(
    certificate: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate"))
    with VisionServer(answering(200, b"{}"), context) as server:
        assert ask(server, host="localhost", body=bytes(1 << 20)).body == b"{}"
        assert len(server.requests[0].body) == 1 << 20


def test_a_server_that_does_not_prove_who_it_is_gets_nothing(
    certificate: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VisionServer(answering(200, b"{}"), context) as server:
        with pytest.raises(AwayError, match="does not prove who it is"):
            ask(server, host="localhost")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate"))
        with pytest.raises(AwayError, match="does not prove who it is"):
            ask(server)
    assert server.requests == []


def test_a_server_that_is_slow_over_an_encrypted_connection(
    certificate: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate"))

    def slow(_: Request, connection: socket.socket) -> None:
        time.sleep(0.8)
        connection.sendall(http(200, b"{}"))

    with VisionServer(slow, context) as server:
        assert ask(server, host="localhost").body == b"{}"
    with VisionServer(silent, context) as server, pytest.raises(AnswerError, match="no answer within"):
        ask(server, host="localhost", seconds=SOON)


def test_a_server_that_speaks_no_tls() -> None:
    with VisionServer(answering(200)) as server:
        endpoint = parse_endpoint(server.url.replace("http:", "https:"))
        with pytest.raises(AwayError, match="no encrypted connection"):
            exchange(endpoint, "/", {}, 0, [], seconds=SOON, waiting=lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = parse_endpoint(f"https://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(AwayError, match="it does not answer"):
            exchange(endpoint, "/", {}, 0, [], seconds=SOON, waiting=lambda: None)
