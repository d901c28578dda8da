"""File systems of many kinds that can be mounted, and mounted again under another number, and what is done in them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools.disks import make_disk, mount_disk, taken_numbers
from tests.tools.living import LivingLibrary
from tests.tools.operations import Operations
from tests.tools.private import mount
from tests.tools.world import dice

OPERATIONS = 120
BETWEEN_BARRIERS = 10

WATCHES = pytest.mark.parametrize(
    "watch", ["auto", pytest.param("inotify", marks=pytest.mark.slow), pytest.param("poll", marks=pytest.mark.slow)]
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount disks")


@dataclass(frozen=True)
class Volume:
    """A file system that can be mounted, and mounted again.

    Attributes:
        kind: ext4, subvolume (of a Btrfs that is mounted elsewhere) ...
        scratch: a directory for it.
        image: the name of the file that it is in, there.
    """

    kind: str
    scratch: Path
    image: str = "image"

    def make(self) -> None:
        """Make it, empty."""
        image = self.scratch / self.image
        if self.kind == "overlay":
            for layer in ("lower", "upper"):
                (self.scratch / layer).mkdir()
                mount("tmpfs", self.scratch / layer)
            for part in ("files", "work"):
                (self.scratch / "upper" / part).mkdir()
        elif self.kind == "tmpfs":
            (self.scratch / "memory").mkdir()
            mount("tmpfs", self.scratch / "memory")
        elif self.kind == "subvolume":
            make_disk(image, kind="btrfs")
            (self.scratch / "whole").mkdir()
            mount_disk(image, self.scratch / "whole", "btrfs")
            subvolume("create", self.scratch / "whole/part")
            subprocess.run(["umount", self.scratch / "whole"], check=True)
        else:
            make_disk(image, kind=self.kind)

    def mount(self, at: Path) -> None:
        """Mount it."""
        if self.kind == "overlay":
            layers = f"lowerdir={self.scratch}/lower,upperdir={self.scratch}/upper/files"
            options = f"{layers},workdir={self.scratch}/upper/work"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, at], check=True)
        elif self.kind == "tmpfs":
            mount("tmpfs", at, bind=self.scratch / "memory")
        elif self.kind == "subvolume":
            mount_disk(self.scratch / self.image, at, "btrfs", "subvol=part")
        else:
            mount_disk(self.scratch / self.image, at, self.kind)


def subvolume(what: str, *arguments: Path) -> None:
    """``btrfs subvolume``"""
    subprocess.run(["btrfs", "subvolume", what, *arguments], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def mounted(volume: Volume, at: Path) -> Iterator[None]:
    at.mkdir(exist_ok=True)
    volume.mount(at)
    try:
        yield
    finally:
        subprocess.run(["umount", at], check=True)


@contextmanager
def mounted_anew(volume: Volume, at: Path, device: int) -> Iterator[None]:
    """The same, with another device number than it had, as after a reboot."""
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(taken_numbers(volume.scratch))
            with mounted(volume, at):
                if os.stat(at).st_dev != device:
                    yield
                    return
    pytest.fail("it gets the same device number each time")


def chosen(library: LivingLibrary) -> tuple[str, str]:
    """How the library is watched, and why."""
    upkeep = library.worker.upkeep
    assert upkeep is not None
    assert upkeep.watching is not None
    return upkeep.watching.name, upkeep.watching.decision.reason


def replay(library: LivingLibrary, outside: Path, seed: int, *, made_up: bool = False) -> None:
    """Do random operations, and hold the catalogue against the disk after each few of them."""
    operations = Operations(library.root, outside, dice(seed))
    among = [each for each in operations.all if each.__name__ != "link"]
    choose = dice(seed + 1)
    for number in range(1, OPERATIONS + 1):
        with contextlib.suppress(OSError):  # not every file system has every name, or links, or FIFOs
            choose(among)()
        if number % BETWEEN_BARRIERS == 0:
            library.sync()
            library.check(made_up=made_up)
