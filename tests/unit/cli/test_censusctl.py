"""How censusctl is called, without a daemon."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.cli import arguments
from censusd.cli.arguments import Place
from censusd.cli.censusctl import _parser, main
from censusd.cli.client import Client, ClientError, find_socket


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A socket on which something answers that is not censusd: with the bytes in the list, one a connection."""
    path, answers = tmp_path / "s", [b""]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answers[0])

    thread = threading.Thread(target=serve)
    thread.start()
    yield path, answers
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


@pytest.mark.parametrize("before", [True, False])
def test_common_options_may_stand_before_and_after_the_command(before: bool) -> None:
    common = ["--json", "--socket", "/s"]
    options = _parser().parse_args([*common, "status"] if before else ["status", *common])
    assert options.json is True
    assert options.socket == Path("/s")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("photos", Place("photos", None)),
        ("photos:2016/a:b", Place("photos", "2016/a:b")),
        ("photos:", Place("photos", "")),
        (os.fsdecode(b"photos:\xff"), Place("photos", "\uefff")),
        ("/photos/a:b", Place(None, "/photos/a:b")),
        ("./a", Place(None, "./a")),
        (".", Place(None, ".")),
    ],
)
def test_a_place_is_a_repository_and_perhaps_a_path(text: str, place: Place) -> None:
    assert arguments.place(text) == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/photos/a:b", Place(None, "/photos/a:b")),
        ("./12:30.jpg", Place(None, "./12:30.jpg")),
        ("a.jpg", Place(None, "a.jpg")),
        ("photos:a.jpg", Place("photos", "a.jpg")),
    ],
)
def test_a_file_is_told_from_a_place(text: str, place: Place) -> None:
    assert arguments.file_or_place(text) == place


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["sync"],
        ["sync", "../x"],
        ["sync", "photos", "--timeout", "soon"],
        ["sync", "photos", "--timeout", "0s"],
        ["sync", "photos", "--timeout", "8d"],
        ["ls", "a/b"],
        ["ls", ":a"],
        ["history", "-n", "0"],
        ["history", "-n", "-1"],
        ["history", "-n", "1001"],
        ["show", ""],
        ["scan", "photos", "books"],
    ],
)
def test_a_wrong_call_says_how_it_goes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: censusctl" in capsys.readouterr().err


def test_no_daemon_is_said_with_the_socket_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "control.sock"
    assert main(["--socket", str(path), "status"]) == 1
    said = capsys.readouterr()
    assert f"no daemon on {path}" in said.err
    assert "systemctl start censusd" in said.err
    assert not said.out


def test_a_socket_that_was_left_behind_is_told_from_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert main(["--socket", str(path), "status"]) == 1
    assert "nobody listens there" in capsys.readouterr().err


def test_an_error_for_programs_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--socket", str(tmp_path / "s"), "status"]) == 1
    assert "no daemon" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot talk to"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "does not seem to be censusd"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[42]", "does not seem to be censusd"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "ended the connection"),
        (b"", "ended the connection"),
    ],
)
def test_what_is_no_daemon_is_said_to_be_none(stranger: tuple[Path, list[bytes]], answer: bytes, text: str) -> None:
    path, answers = stranger
    answers[0] = answer
    with pytest.raises(ClientError, match=text):
        Client(path).get("v1", "status")


def test_a_daemons_error_cannot_forge_a_line(
    stranger: tuple[Path, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, answers = stranger
    body = json.dumps({"error": "a\x1b[31m\nb", "expected": "c"}).encode()
    answers[0] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    assert main(["--socket", str(path), "status"]) == 2
    assert capsys.readouterr().err == "censusctl: a\\x1b[31m\\nb (expected c)\n"


def test_a_daemon_of_another_version_is_said_to_be_one(
    stranger: tuple[Path, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, answers = stranger
    body = json.dumps({"daemon": {}}).encode()
    answers[0] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    assert main(["--socket", str(path), "status"]) == 1
    assert "says nothing of 'database': it is of another version" in capsys.readouterr().err
    assert main(["--socket", str(path), "--json", "status"]) == 0


def test_the_environment_names_the_socket(tmp_path: Path) -> None:
    path, hint = find_socket({"CENSUSD_SOCKET": str(tmp_path / "s")})
    assert path == tmp_path / "s"
    assert "CENSUSD_SOCKET" in hint


def test_the_users_own_daemon_comes_before_the_systems(tmp_path: Path) -> None:
    own = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(own))
        assert find_socket({"RUNTIME_DIRECTORY": str(tmp_path)}) == (own, "")


def test_looking_for_the_socket_loads_next_to_nothing(tmp_path: Path) -> None:
    program = "import sys; from censusd.cli.censusctl import main; main(['status']); print(*sys.modules)"
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)}
    environment.pop("CENSUSD_SOCKET", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    loaded = done.stdout.split()
    assert "censusd.config.locations" in loaded
    assert not {"psycopg", "structlog", "pathspec", "censusd.config.schema"} & set(loaded)


def test_where_there_is_no_daemon_all_places_are_named(tmp_path: Path) -> None:
    if Path("/run/censusd/control.sock").exists():
        pytest.skip("this machine's own daemon runs")
    path, hint = find_socket({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert path == tmp_path / "control.sock"
    assert "/run/censusd/control.sock" in hint


def test_full_disk_and_closed_pipe_are_no_tracebacks(stranger: tuple[Path, list[bytes]]) -> None:
    path, answers = stranger
    body = json.dumps({"operations": []}).encode()
    answers[0] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    command = [sys.executable, "-m", "censusd.cli.censusctl", "--socket", str(path), "history"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "censusctl: cannot write: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
