"""Sockets to listen on."""

from __future__ import annotations

import fcntl
import grp
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from censusd.config import Address
from censusd.service.http.sockets import ListenError, listen_tcp, listen_unix


def test_the_socket_has_its_mode_and_group_whatever_the_umask(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    path = tmp_path / "run" / "censusd" / "control.sock"
    old = os.umask(0o077)
    try:
        listener = listen_unix(path, 0o660, group)
    finally:
        os.umask(old)
    with listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert path.stat().st_gid == os.getgid()
        # Whoever is in the group has to get there.
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
        assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o755


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    with listen_unix(directory / "s", 0o660, ""):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listen_unix(path, 0o660, ""), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_daemon_that_lives_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen_unix(path, 0o660, ""):
        with pytest.raises(ListenError, match=f"another daemon \\(process {os.getpid()}\\)"):
            listen_unix(path, 0o660, "")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ListenError, match="something else than a socket"):
        listen_unix(path, 0o660, "")
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "group", "text"),
    [
        ("/proc/censusd/s", "", "cannot listen on /proc/censusd/s: No such file or directory; see control.socket"),
        ("/tmp/" + "x" * 120, "", "107 bytes at most"),
        ("s", "no-such-group", "there is no group no-such-group"),
    ],
)
def test_what_is_in_the_way_is_said(tmp_path: Path, path: str, group: str, text: str) -> None:
    with pytest.raises(ListenError, match=text):
        listen_unix(tmp_path / path, 0o660, group)


def test_of_daemons_that_start_together_one_gets_the_socket(tmp_path: Path) -> None:
    path, barrier = tmp_path / "s", threading.Barrier(8)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listeners: list[socket.socket] = []
    errors: list[ListenError] = []

    def start() -> None:
        barrier.wait()
        try:
            listeners.append(listen_unix(path, 0o660, ""))
        except ListenError as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(listeners), len(errors)) == (1, 7)
    with listeners[0], socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_daemons_take_turns_at_looking_for_one_that_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("censusd.service.http.sockets._LOCK_WITHIN", 0.1)
    fd = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(ListenError, match="another process keeps it locked"):
        listen_unix(tmp_path / "s", 0o660, "")
    os.close(fd)
    listen_unix(tmp_path / "s", 0o660, "").close()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with listen_tcp(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: another program listens there; see http.listen"):
            listen_tcp(Address("127.0.0.1", port))


def test_an_address_that_is_not_here_is_said() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:9764: Cannot assign requested address"):
        listen_tcp(Address("192.0.2.1", 9764))


def test_a_port_is_free_again_at_once() -> None:
    script = (
        "from censusd.config import Address\n"
        "from censusd.service.http.sockets import listen_tcp\n"
        "import socket\n"
        "first = listen_tcp(Address('127.0.0.1', 0))\n"
        "port = first.getsockname()[1]\n"
        "client = socket.create_connection(('127.0.0.1', port))\n"
        "connection, _ = first.accept()\n"
        "connection.close(); first.close()\n"
        "listen_tcp(Address('127.0.0.1', port))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
