"""What systemd is told, as it arrives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from censusd.service.notify import Notifier

# Nobody closes the socket but the end of the process.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*socket.socket:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

_MOST = 4096
"""systemd takes no larger message: NOTIFY_BUFFER_MAX in its src/core/manager.c is PIPE_BUF."""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(os.fspath(tmp_path / "notify"))
        end.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", os.fspath(tmp_path / "notify"))
        yield end


@pytest.mark.parametrize("text", ["Zugriff für „censusd“ verweigert", "写真", "pâté"])
def test_a_status_is_told_in_any_language(systemd: socket.socket, text: str) -> None:
    Notifier().status(text)
    assert systemd.recv(65536).decode() == f"STATUS={text}"


def test_a_status_may_name_what_is_no_text(systemd: socket.socket) -> None:
    Notifier().status(os.fsdecode(b"/srv/\xff is left alone"))
    assert systemd.recv(65536).decode() == "STATUS=/srv/\\udcff is left alone"


def test_a_status_of_many_repositories_is_not_more_than_systemd_takes(systemd: socket.socket) -> None:
    Notifier().status("; ".join(f"repositorié-{number} watching" for number in range(1000)))
    message = systemd.recv(65536)
    assert len(message) < _MOST
    assert message.decode().startswith("STATUS=repositorié-0 watching; ")
    assert message.decode().endswith("…")
