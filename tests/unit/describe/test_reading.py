"""What is read is the very content on record, or nothing, whatever happens to the file in the meantime."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from censusd.catalogue.descriptions import Picture
from censusd.describe.reading import read
from censusd.describe.trouble import ChangedError, StoppedError
from censusd.filesystem.digest import CHUNK
from censusd.filesystem.names import text_of

CONTENT = os.urandom(2 * CHUNK + 17)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "d" / "picture"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def on_record(path: Path, content: bytes = CONTENT) -> Picture:
    stat = path.stat()
    made = sha256(content).digest()
    return Picture(
        1, "d", path.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, 1, made, "image/png"
    )


def read_while(path: Path, act: Callable[[Path], object]) -> bytes:
    """Read it while something happens, after some of it was read."""
    calls = 0

    def waiting() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            act(path)

    return read(text_of(bytes(path.parent.parent)), on_record(path), waiting)


def test_what_is_on_record_is_read(path: Path) -> None:
    assert read_while(path, lambda _: None) == CONTENT


def test_other_content_with_the_same_stat_is_not_read(path: Path) -> None:
    with pytest.raises(ChangedError):
        read(text_of(bytes(path.parent.parent)), on_record(path, b"other"), lambda: None)


def write_the_same(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(CONTENT)


def replace_by_the_same(path: Path) -> None:
    (path.parent / "new").write_bytes(CONTENT)
    (path.parent / "new").rename(path)


def shorten(path: Path) -> None:
    os.truncate(path, CHUNK)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize("act", [write_the_same, replace_by_the_same, shorten, lengthen, Path.unlink])
def test_what_changes_while_it_is_read_is_not_read(path: Path, act: Callable[[Path], object]) -> None:
    with pytest.raises(ChangedError):
        read_while(path, act)


def test_reading_ends_when_it_is_to_stop(path: Path) -> None:
    def stop(_: Path) -> None:
        raise StoppedError("stop")

    with pytest.raises(StoppedError):
        read_while(path, stop)
