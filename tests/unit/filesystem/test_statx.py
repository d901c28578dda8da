"""When a file was born, as far as the file system says."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from censusd.filesystem import statx
from censusd.filesystem.statx import birth_ns


def birth(path: Path) -> int:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        return birth_ns(fd)
    finally:
        os.close(fd)


def test_birth_is_what_stat_says(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "file", tmp_path / "link"):
        if path.name == "file":
            path.touch()
        elif path.name == "link":
            path.symlink_to("file")
        told = subprocess.run(["stat", "--format=%.9W", path], capture_output=True, text=True, check=True).stdout
        seconds, _, fraction = told.strip().partition(".")
        if seconds in {"-", "0"}:
            pytest.skip("this file system does not know when files are born")
        assert birth(path) == int(seconds) * 10**9 + int(fraction)


def test_a_new_file_is_born_now_and_a_rename_changes_nothing(tmp_path: Path) -> None:
    before = time.time_ns()
    (tmp_path / "one").touch()
    born = birth(tmp_path / "one")
    if not born:
        pytest.skip("this file system does not know when files are born")
    assert before - 10**8 < born <= time.time_ns()
    (tmp_path / "one").rename(tmp_path / "other")
    os.utime(tmp_path / "other", ns=(0, 0))
    assert birth(tmp_path / "other") == born


def test_nothing_is_known_of_what_is_not_open() -> None:
    assert birth_ns(-1) == 0


def _kernel(mask: int, seconds: int) -> Callable[..., int]:
    """A kernel that answers what none here does."""

    def call(fd: int, path: bytes, flags: int, wanted: ctypes.c_uint, buffer: ctypes.Array[ctypes.c_char]) -> int:
        struct.pack_into("=I", buffer, 0, mask)
        struct.pack_into("=qI", buffer, 80, seconds, 5)
        return 0

    return call


@pytest.mark.parametrize(
    ("mask", "seconds", "born"),
    [
        (0x800, 7, 7_000_000_005),
        (0x7FF, 7, 0),  # the field is not filled in
        (0x800, -7, -6_999_999_995),
        (0x800, 1 << 62, (1 << 63) - 1),  # must fit the catalogue's column
        (0x800, -(1 << 62), -(1 << 63)),
    ],
)
def test_whatever_the_kernel_says_fits(monkeypatch: pytest.MonkeyPatch, mask: int, seconds: int, born: int) -> None:
    monkeypatch.setattr(statx, "_statx", _kernel(mask, seconds))
    assert birth_ns(0) == born


def test_a_c_library_without_it_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statx, "_statx", None)
    assert birth_ns(0) == 0
