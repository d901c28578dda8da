"""Btrfs: subvolumes have device numbers of their own, and snapshots the inode numbers of their originals."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from censusd.catalogue.connection import Catalogue
from censusd.sync.standing import Phase
from tests.tools.disks import make_disk, mount_disk
from tests.tools.living import DEADLINE, LivingLibrary, living
from tests.tools.private import privately
from tests.tools.volumes import WATCHES, Volume, chosen, mounted, mounted_anew, needs_root, subvolume
from tests.tools.waiting import until


@needs_root
def test_a_snapshot_in_the_place_of_its_original_is_another_root(tmp_path: Path, database: str) -> None:
    privately(wrong_subvolume, tmp_path, database)


def wrong_subvolume(directory: str, database: str) -> None:
    """It has the same UUID and the same inode numbers: everything that was written since would be missing."""
    scratch = Path(directory)
    whole, root, image = scratch / "whole", scratch / "root", scratch / "image"
    make_disk(image, kind="btrfs")
    for path in (whole, root):
        path.mkdir()
    mount_disk(image, whole, "btrfs")
    subvolume("create", whole / "part")
    (whole / "part/old").touch()
    subvolume("snapshot", whole / "part", whole / "snapshot")
    (whole / "part/new").touch()

    def show(part: str) -> None:
        subprocess.run(["mount", "--bind", whole / part, root], check=True)

    with Catalogue(database) as catalogue:
        library = LivingLibrary(root, catalogue, scratch / "cookies", watch="auto")
        show("part")
        with living(library):
            assert set(library.records()) == {"old", "new"}
        subprocess.run(["umount", root], check=True)
        show("snapshot")
        library.start_at_once()
        until(lambda: library.worker.phase is Phase.OFFLINE)
        assert "another file system is there" in library.worker.why
        assert set(library.records()) == {"old", "new"}
        subprocess.run(["umount", root], check=True)
        show("part")
        assert library.first_pass.wait(DEADLINE)
        library.check()
        library.stop()
    for path in (root, whole):
        subprocess.run(["umount", path], check=True)


@needs_root
@WATCHES
def test_subvolumes_and_snapshots_in_a_repository(tmp_path: Path, database: str, watch: str) -> None:
    privately(nested_subvolumes, tmp_path, database, watch)


def nested_subvolumes(directory: str, database: str, watch: str) -> None:
    """Files in them have the same inode numbers and times, and other devices, which change when they are mounted."""
    scratch = Path(directory)
    root, volume = scratch / "root", Volume("btrfs", scratch)
    volume.make()
    with Catalogue(database) as catalogue:
        library = LivingLibrary(root, catalogue, scratch / "cookies", watch=watch, debounce=0.02)
        with mounted(volume, root):
            device = os.stat(root).st_dev
            subvolume("create", root / "sub")
            (root / "sub/deep").mkdir()
            for name in ("sub/a", "sub/deep/b", "c"):
                (root / name).write_text("content")
            subvolume("snapshot", root / "sub", root / "snap")
            with living(library):
                assert chosen(library)[0] == ("fanotify" if watch == "auto" else watch)
                before = library.ids()
                assert set(before) == {"sub/a", "sub/deep/b", "snap/a", "snap/deep/b", "c"}

                def do(*changes: Callable[[], object]) -> None:
                    for change in changes:
                        change()
                    library.sync()
                    library.check()

                do(
                    lambda: (root / "sub/a").rename(root / "sub/deep/a"),
                    lambda: (root / "snap/deep").rename(root / "snap/deeper"),
                )
                do(lambda: subvolume("snapshot", root / "sub", root / "later"))
                do(lambda: (root / "later/deep/a").write_text("changed"), (root / "later/deep/new").touch)
                do(lambda: (root / "sub").rename(root / "renamed"))
                do((root / "renamed/deep/new").touch)
                do(lambda: subvolume("delete", root / "later"))
                now = library.ids()
                assert now["renamed/deep/a"] == before["sub/a"]
                assert now["renamed/deep/b"] == before["sub/deep/b"]
                assert now["snap/deeper/b"] == before["snap/deep/b"]
                library.check_passes()
        with mounted(volume, root):
            (root / "renamed/deep/a").rename(root / "renamed/a")
            (root / "snap/a").rename(root / "snap/deeper/a")
        with mounted_anew(volume, root, device):
            for name in ("snap", "renamed"):  # numbers are given to them as they are come by
                (root / name).stat()
            with living(library):
                library.check()
                after = library.ids()
                assert after["renamed/a"] == before["sub/a"]
                assert after["snap/deeper/a"] == before["snap/a"]
                assert len(after) == len(now)
                library.check_passes()
