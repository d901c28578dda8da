"""Disks in files: small, on loop devices, for tests that need a file system that can be taken away or damaged."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

# Not everybody's PATH has the administrator's programs.
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_MAKE: Final = {
    "ext4": (16 << 20, ["mkfs.ext4", "-q", "-F", "-m0", "-Elazy_itable_init=1"]),
    "xfs": (320 << 20, ["mkfs.xfs", "-q", "-f"]),
    "btrfs": (128 << 20, ["mkfs.btrfs", "-q", "-f"]),
    "exfat": (16 << 20, ["mkfs.exfat"]),
    "ntfs": (16 << 20, ["mkfs.ntfs", "-q", "-F", "-Q"]),
}
"""Bytes that are enough, and the command, by kind; the file takes what is written to it."""
_IN_USER_SPACE: Final = {"exfat": "mount.exfat-fuse", "ntfs": "ntfs-3g"}
"""What mounts those that no kernel is needed for."""


def make_disk(image: Path, size: int = 0, kind: str = "ext4") -> None:
    """Make an empty one of ``size`` bytes, or of as many as it takes; the test is skipped where that cannot be done."""
    enough, (program, *options) = _MAKE[kind]
    with image.open("wb") as file:
        file.truncate(size or enough)
    done = subprocess.run([_program(program), *options, os.fspath(image)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no {kind} can be made here: {done.stderr.strip()}")


def make_squashfs(tree: Path, image: Path) -> None:
    """Make one of ``tree``, to be read only; the test is skipped where that cannot be done."""
    command = [_program("mksquashfs"), os.fspath(tree), os.fspath(image), "-quiet", "-no-progress"]
    subprocess.run(command, check=True, capture_output=True)


def mount_disk(image: Path, at: Path, kind: str = "ext4", *options: str) -> None:
    """Mount one, on any loop device, which is given back when it is unmounted; the test is skipped if it cannot be."""
    if program := _IN_USER_SPACE.get(kind):
        device = _attach(image)
        command = [_program(program), device, os.fspath(at)]
    else:
        command = ["mount", "-t", kind, "-o", ",".join(("loop", *options)), os.fspath(image), os.fspath(at)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if program:
        _detach(device)
    if done.returncode:
        pytest.skip(f"no {kind} can be mounted here: {done.stderr.strip()}")


@contextmanager
def taken_numbers(scratch: Path) -> Iterator[None]:
    """Take up two device numbers that would be the next to be given, to what is on a disk and to what is not.

    Args:
        scratch: a directory for what takes them up.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        image = Path(place, "image")
        image.write_bytes(bytes(1 << 20))
        device = _attach(image)
        try:
            with tempfile.TemporaryDirectory(dir=scratch) as other:
                subprocess.run(["mount", "-t", "tmpfs", "none", other], check=True)
                try:
                    yield
                finally:
                    subprocess.run(["umount", other], check=True)
        finally:
            _detach(device)


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


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


def _attach(image: Path) -> str:
    command = [_program("losetup"), "--find", "--show", os.fspath(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr.strip()}")
    return done.stdout.strip()


def _detach(device: str) -> None:
    """Give a loop device back, as soon as nobody uses it."""
    subprocess.run([_program("losetup"), "--detach", device], check=True)
