"""The control room when requests are wrong, clients are slow, and the database is away."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from censusd.catalogue.connection import Catalogue
from censusd.sync.standing import Phase
from tests.tools.control_room import ControlRoom
from tests.tools.living import LivingLibrary
from tests.tools.waiting import until

# Trouble -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "says"),
    [
        ("GET", "/v1/history?repository=fotos", None, 404, "did you mean photos?"),
        ("POST", "/v1/repositories/fotos/scan", None, 404, "did you mean photos?"),
        ("POST", "/v1/repositories/fotos/sync", None, 404, "one of photos"),
        ("POST", "/v1/repositories/fotos/release", None, 404, "one of photos"),
        ("GET", "/v1/repositories/fotos/list", None, 404, "one of photos"),
        ("GET", "/v1/problems?repository=fotos", None, 404, "one of photos"),
        ("GET", "/v1/repositories/photos/list?path=a/one.txt", None, 400, "a directory"),
        ("GET", "/v1/repositories/photos/list?path=nothing", None, 404, "photos has nothing on record at nothing"),
        ("GET", "/v1/repositories/photos/list?path=../x", None, 400, "without .."),
        ("GET", "/v1/repositories/photos/list?limit=0", None, 400, "a whole number from 1 to 10000"),
        ("GET", "/v1/repositories/photos/show", None, 400, "path is missing"),
        ("GET", "/v1/repositories/photos/show?path=nothing", None, 404, "photos has nothing on record at nothing"),
        ("GET", "/v1/repositories/photos/show?path=/etc/passwd", None, 400, "is not below"),
        ("GET", "/v1/show?path=/etc/passwd", None, 404, "no repository has this path"),
        ("GET", "/v1/show?path=a", None, 400, "an absolute path"),
        ("POST", "/v1/repositories/photos/scan", {"path": "nothing"}, 404, "neither on disk nor on record"),
        ("POST", "/v1/repositories/photos/scan", {"path": "a\0b"}, 400, "NUL"),
        ("POST", "/v1/repositories/photos/scan", b'{"path": "\\ud800"}', 400, "half a character"),
        ("POST", "/v1/repositories/photos/scan", b"{", 400, "a JSON object"),
        ("POST", "/v1/repositories/photos/scan", {"pathh": "a"}, 400, "did you mean path?"),
        ("POST", "/v1/scan", {"path": "a"}, 400, "some of verify, wait, timeout"),
        ("POST", "/v1/repositories/photos/sync", {"timeout": -1}, 400, "a number of seconds"),
        ("POST", "/v1/repositories/photos/release", None, 409, "there is nothing to release"),
        ("POST", "/v1/reload", b"x" * 70_000, 413, "at most 65,536 bytes"),
        ("GET", "/static/..%2f..%2fmodel.py", None, 404, "nothing at"),
        ("GET", "/static/model.py", None, 404, "index.html"),
        ("PUT", "/v1/status", b"{}", 405, "GET, HEAD"),
        ("GET", "/" + "x" * 20_000, None, 431, "at most 16,384 bytes"),
    ],
    ids=range(28),
)
def test_what_cannot_be_meant_is_refused_with_a_reason(
    room: ControlRoom, photos: LivingLibrary, method: str, path: str, body: object, code: int, says: str
) -> None:
    answer = room.ask(method, path, body)
    assert answer.code == code
    assert says in " ".join(answer.json.values())
    assert answer.headers["Content-Type"] == "application/json"
    assert room.status("photos")["phase"] == "watching"


def test_a_wrong_name_is_not_the_daemons_failure(room: ControlRoom, photos: LivingLibrary) -> None:
    _, err = room.ctl("scan", "fotos", code=2)
    assert err == "censusctl: there is no repository fotos; did you mean photos? (expected one of photos)\n"
    _, err = room.ctl("show", "/etc/passwd", code=2)
    assert "no repository has this path" in err
    out, _ = room.ctl("--json", "show", "photos:nothing", code=2)
    assert json.loads(out)["error"] == "photos has nothing on record at nothing"


def test_a_repository_that_is_only_on_record_can_be_read(room: ControlRoom, photos: LivingLibrary) -> None:
    room.libraries.pop("photos").stop()
    assert room.names("photos") == ["a", "three.txt"]
    _, err = room.ctl("scan", "photos", code=1)
    assert "this daemon does not look after it" in err


def test_the_tcp_port_takes_no_orders(room: ControlRoom, photos: LivingLibrary) -> None:
    for path in ("/v1/scan", "/v1/repositories/photos/release", "/v1/reload"):
        answer = room.ask("POST", path, tcp=True)
        assert answer.code == 403
        assert "censusctl" in answer.json["hint"]
    assert room.reloads == 0
    assert len(room.get("/v1/history")["operations"]) == 1


def test_a_page_elsewhere_cannot_ask_in_a_visitors_browser(room: ControlRoom) -> None:
    answer = room.ask("GET", "/v1/status", tcp=True, headers={"Host": "evil.example"})
    assert answer.code == 403
    assert "localhost" in answer.json["expected"]
    assert room.ask("GET", "/v1/status", tcp=True, headers={"Host": "localhost:1"}).code == 200
    # No browser comes by way of the Unix socket.
    assert room.ask("GET", "/v1/status", headers={"Host": "evil.example"}).code == 200


def test_readiness_says_what_is_missing(room: ControlRoom, photos: LivingLibrary) -> None:
    assert room.ask("GET", "/-/healthy", tcp=True).code == 200
    assert room.ask("GET", "/-/ready", tcp=True).code == 200
    room.overview = {"ready": False, "trouble": "waiting for the database: it sleeps"}
    answer = room.ask("GET", "/-/ready", tcp=True)
    assert answer.code == 503
    assert answer.json == {"error": "waiting for the database: it sleeps"}
    assert answer.headers["Retry-After"]
    assert room.ask("GET", "/-/healthy", tcp=True).code == 200
    assert "not ready: waiting for the database: it sleeps" in room.ctl("status")[0]
    room.overview = {}
    photos.worker._standing.say(Phase.STARTING)
    assert room.ask("GET", "/-/ready", tcp=True).json["error"] == "photos is starting"


def test_metrics_in_the_format_that_is_asked_for(room: ControlRoom) -> None:
    plain = room.ask("GET", "/metrics", tcp=True)
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    answer = room.ask(
        "GET", "/metrics", tcp=True, headers={"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"}
    )
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}  # type: ignore[no-untyped-call]
    counted = {
        (sample.labels["route"], sample.labels["code"]): sample.value
        for sample in families["censusd_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert counted["/metrics", "200"] >= 1
    assert ("/v1/repositories/{name}/scan", "200") in counted
    for odd in ("text/plain; version=x", "application/openmetrics-text; version=..", ",;,;"):
        assert room.ask("GET", "/metrics", headers={"Accept": odd}).code == 200
    with room.connect() as connection:
        connection.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = b"".join(iter(lambda: connection.recv(65536), b""))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: 0\r\n" not in head


def test_what_is_unexpected_is_told_by_a_number(room: ControlRoom, capfd: pytest.CaptureFixture[str]) -> None:
    room.overview = {"totals": 3}
    room.add("photos")
    answer = room.ask("GET", "/v1/status", tcp=True)
    assert answer.code == 500
    number = answer.json["hint"].rsplit(" ", 1)[1]
    log = "".join(capfd.readouterr())
    assert f"id={number}" in log
    assert "AttributeError" in log
    room.overview = {}
    assert room.ask("GET", "/v1/status", tcp=True).code == 200


@pytest.mark.parametrize("tcp", [True, False])
def test_slow_clients_keep_nobody_waiting(room: ControlRoom, tcp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("censusd.service.http.server._REQUEST_WITHIN", 1.0)
    slow = [room.connect(tcp=tcp) for _ in range(39)]
    for connection in slow:
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: lo")
    assert room.ask("GET", "/-/healthy", tcp=tcp).code == 200
    for connection in slow:
        with connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    # Too many at once are refused, and one that goes makes room for another.
    crowd = [room.connect(tcp=tcp) for _ in range(40)]
    until(lambda: room.ask("GET", "/-/healthy", tcp=tcp).code == 503)
    crowd.pop().close()
    until(lambda: room.ask("GET", "/-/healthy", tcp=tcp).code == 200)
    for connection in crowd:
        connection.close()


def test_a_client_that_reads_nothing_is_left(room: ControlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("censusd.service.http.server._RESPONSE_WITHIN", 0.5)
    with room.connect(tcp=True) as connection:
        connection.setsockopt(6, 10, 1024)  # TCP_WINDOW_CLAMP: so that little of the answer fits on the way
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: not room.tcp._connections)


# Without a database --------------------------------------------------------------------------------------------------


def test_status_tells_what_it_knows_when_the_database_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with (
            Catalogue(f"host=127.0.0.1 port={port} dbname=x user=x") as catalogue,
            ControlRoom(tmp_path, catalogue) as room,
        ):
            library = room.add("photos", start=False)
            library.start_at_once()
            began = time.monotonic()
            with ThreadPoolExecutor(8) as pool:  # more than may wait for the database at a time
                status, *_ = pool.map(lambda _: room.get("/v1/status"), range(8))
            assert time.monotonic() - began < 8.0  # a connection is given up after ten
            assert status["database"]["available"] is False
            assert status["database"]["as_of"] is None
            (one,) = status["repositories"]
            assert (one["name"], one["state"], one["totals"]) == ("photos", None, None)
            answer = room.ask("GET", "/v1/history")
            assert answer.code == 503
            assert "database" in answer.json["error"]
            out, _ = room.ctl("status")
            assert "photos" in out


def test_status_keeps_what_the_database_said_last(room: ControlRoom, photos: LivingLibrary) -> None:
    assert room.status("photos")["state"] == "active"
    room.catalogue.close()
    status = room.get("/v1/status")
    assert status["database"]["available"] is False
    assert status["database"]["as_of"] is not None
    assert status["repositories"][0]["scan_generation"] == 1
    assert "what is on record is shown as of" in room.ctl("status")[0]
    assert room.ask("GET", "/v1/repositories/photos/list").code == 503


# Starting and stopping -----------------------------------------------------------------------------------------------


def test_servers_close_quickly_and_twice(room: ControlRoom) -> None:
    idle = [room.connect(), room.connect(tcp=True)]
    began = time.monotonic()
    for server in (room.unix, room.tcp):
        server.close()
        server.close()
    assert time.monotonic() - began < 2.0
    assert not room.socket.exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("http ")]
    for connection in idle:
        connection.close()
    _, err = room.ctl("status", code=1)
    assert "there is no such socket" in err


def test_a_socket_that_is_somebody_elses_by_now_is_left(room: ControlRoom) -> None:
    room.socket.unlink()
    room.socket.write_text("precious")
    room.unix.close()
    assert room.socket.read_text() == "precious"
