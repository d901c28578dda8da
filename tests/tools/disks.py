"""Disks in files: ext4, small, on loop devices, for tests that need a file system that can be taken away or damaged."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

# Not everybody's PATH has the administrator's programs.
_MKFS = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def make_disk(image: Path, size: int = 16 << 20) -> None:
    """Make an empty one of ``size`` bytes; the test is skipped where that cannot be done."""
    if _MKFS is None:
        pytest.skip("there is no mkfs.ext4 here")
    with image.open("wb") as file:
        file.truncate(size)
    command = [_MKFS, "-q", "-F", "-m0", "-Elazy_itable_init=1", os.fspath(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no ext4 can be made here: {done.stderr.strip()}")


@functools.cache
def need_disks() -> None:
    """Skip the test where none can be made and mounted."""
    with tempfile.TemporaryDirectory() as place:
        image = Path(place, "image")
        make_disk(image, 1 << 20)
        command = ["unshare", "--mount", "mount", "-o", "loop", os.fspath(image), place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk in a file can be mounted here: {done.stderr.strip()}")
