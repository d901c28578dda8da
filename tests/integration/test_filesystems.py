"""The file systems that people have: changes are noticed on each, and a disk that comes back is the same disk."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.filesystem.identity import Root, difference, look_at_root
from censusd.sync.standing import Phase
from tests.tools.disks import make_squashfs
from tests.tools.living import LivingLibrary, living
from tests.tools.operations import ANCHOR
from tests.tools.private import privately, unmount_between_uses
from tests.tools.volumes import WATCHES, Volume, chosen, mounted, mounted_anew, needs_root, replay
from tests.tools.waiting import until
from tests.tools.watching import fanotify_refusal

QUICK = frozenset({("ext4", "below"), ("subvolume", "root"), ("exfat", "below"), ("ntfs", "root")})
"""What is tried each time of the many disks that come back."""

MADE_UP = frozenset({"exfat"})
"""File systems that make inode numbers up."""

NO_BIRTHS = frozenset({"ntfs"})
"""Where nobody knows when a file was born: one that was moved is read again, to be sure that it is the same."""

NEW_ROWS = NO_BIRTHS | {"overlay"}
"""Where a directory that was renamed cannot be recognised, only its files: the directories of an overlay over several
disks have other inode numbers each time that it is mounted."""

WAYS = {
    "ext4": ("fanotify", "by one mark for all of it"),
    "xfs": ("fanotify", "by one mark for all of it"),
    "btrfs": ("fanotify", "by one mark for all of it"),
    "subvolume": ("inotify", "its parts have numbers of their own, as Btrfs subvolumes have (EXDEV)"),
    "tmpfs": ("fanotify", "by one mark for all of it"),
    "overlay": ("inotify", "no file handles, or no number"),
    "exfat": ("inotify", "no file handles, or no number"),
    "ntfs": ("inotify", "no file handles, or no number"),
}


@needs_root
@WATCHES
@pytest.mark.parametrize("kind", WAYS)
def test_changes_are_noticed_on_each_file_system(tmp_path: Path, database: str, kind: str, watch: str) -> None:
    privately(change, tmp_path, database, kind, watch)


def change(directory: str, database: str, kind: str, watch: str) -> None:
    """One trace, and the catalogue held against the disk after each few operations."""
    scratch = Path(directory)
    volume, root = Volume(kind, scratch), scratch / "root"
    volume.make()
    with mounted(volume, root), Catalogue(database) as catalogue:
        library = LivingLibrary(root / "tree", catalogue, scratch / "cookies", watch=watch, debounce=0.02)
        (library.root / ANCHOR.decode()).touch()
        (root / "outside").mkdir()
        with living(library):
            way, why = chosen(library)
            assert way == (WAYS[kind][0] if watch == "auto" else watch)
            assert watch != "auto" or WAYS[kind][1] in why, why
            replay(library, root / "outside", 7, made_up=kind in MADE_UP)
            library.check_passes()


# A disk that comes back ----------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize(
    ("kind", "below"),
    [
        pytest.param(kind, below, id=f"{kind}-{where}", marks=[] if (kind, where) in QUICK else pytest.mark.slow)
        for kind in WAYS
        for where, below in (("root", False), ("below", True))
    ],
)
def test_a_disk_that_comes_back_is_the_same(tmp_path: Path, database: str, kind: str, below: bool) -> None:
    privately(come_back, tmp_path, database, kind, below)


def come_back(directory: str, database: str, kind: str, below: str) -> None:
    """Under another device number, as after a reboot, and with files that were moved meanwhile; as root or below it."""
    scratch = Path(directory)
    volume, root = Volume(kind, scratch), scratch / "root"
    volume.make()
    top = root / "disk" if below == "True" else root
    top.mkdir(parents=True)
    with Catalogue(database) as catalogue:
        (scratch / "link").symlink_to(root)
        library = LivingLibrary(scratch / "link", catalogue, scratch / "cookies", watch="auto", debounce=0.02)
        with mounted(volume, top):
            for name in ("one/a", "one/b", "two/deep/c", "d", "two/e"):
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).write_text("same")
                os.utime(top / name, ns=(10**18, 10**18))
            device = os.stat(top).st_dev
            with living(library):
                library.query("UPDATE files SET scan_phase = 1, content_hash = '\\x00'")
                before = library.ids()
                directories = dict(library.query("SELECT path, id FROM directories"))
        with mounted(volume, scratch / "elsewhere"):  # so that numbers are given in another order, and files are moved
            for name in ("two/e", "d", "two/deep/c", "one/b"):
                (scratch / "elsewhere" / name).read_text()
            if kind not in MADE_UP:
                (scratch / "elsewhere/one/a").rename(scratch / "elsewhere/moved")
                (scratch / "elsewhere/two/deep").rename(scratch / "elsewhere/deeper")
        prefix = "disk/" if top != root else ""
        moved = {} if kind in MADE_UP else {"one/a": "moved", "two/deep/c": "deeper/c"}
        anew = mounted(volume, top) if kind == "tmpfs" else mounted_anew(volume, top, device)
        with anew, living(library):
            places = {f"{prefix}{old}": f"{prefix}{new}" for old, new in moved.items()}
            assert library.ids() == {places.get(path, path): number for path, number in before.items()}
            now = dict(library.query("SELECT path, id FROM directories WHERE state = 0"))
            if kind not in NEW_ROWS:
                deep = "two/deep" if kind in MADE_UP else "deeper"
                assert now[f"{prefix}{deep}"] == directories[f"{prefix}two/deep"]
            again = {name for (name,) in library.query("SELECT name FROM files WHERE scan_phase = 0")}
            assert again == ({"moved", "c"} if kind in NO_BIRTHS else set()), "what is to be read again"
            assert library.query("SELECT name FROM files WHERE state <> 0") == []
            library.check(made_up=kind in MADE_UP)
            library.check_passes()


@needs_root
def test_many_kinds_below_one_root(tmp_path: Path, database: str) -> None:
    privately(many_kinds, tmp_path, database)


def many_kinds(directory: str, database: str) -> None:
    """Each is watched in its own way; one goes and comes back under another number while the daemon looks on."""
    scratch = Path(directory)
    root, elsewhere = scratch / "root", scratch / "elsewhere"
    volumes = {kind: Volume(kind, scratch / kind) for kind in ("xfs", "subvolume", "overlay", "exfat")}
    with ExitStack() as stack, Catalogue(database) as catalogue:
        library = LivingLibrary(root, catalogue, scratch / "cookies", watch="auto", debounce=0.02)
        for kind, volume in volumes.items():
            volume.scratch.mkdir()
            volume.make()
            stack.enter_context(mounted(volume, root / kind))
            (root / kind / "deep").mkdir()
        usual = chosen_alone(library)

        def touch(name: str) -> None:
            for kind in (".", *volumes):
                (root / kind / name).write_text("content")
            library.sync()
            found = {path: stat[3] for path, stat in library.records().items() if path.endswith(name)}
            assert set(found) == {name, *(f"{kind}/{name}" for kind in volumes)}
            assert {path for path, inode in found.items() if not inode} == {f"exfat/{name}"}

        with living(library):
            assert chosen(library)[0] == usual
            touch("one")
            before = library.ids()
            device = os.stat(root / "xfs").st_dev
            unmount_between_uses(root / "xfs")
            until(lambda: library.worker.phase is Phase.OFFLINE)
            with mounted(volumes["xfs"], elsewhere):
                (elsewhere / "one").rename(elsewhere / "deep/moved")
            with mounted_anew(volumes["xfs"], root / "xfs", device):
                until(lambda: library.worker.phase is Phase.WATCHING)
                until(lambda: "xfs/deep/moved" in library.records())
                assert library.ids()["xfs/deep/moved"] == before["xfs/one"]
                touch("two")
                library.check_passes()
            volumes["xfs"].mount(root / "xfs")  # as it was, for whoever unmounts it


def chosen_alone(library: LivingLibrary) -> str:
    """How it would be watched without anything below it."""
    return "inotify" if fanotify_refusal(library.root) else "fanotify"


@needs_root
def test_an_image_without_a_number_is_known_by_its_file(tmp_path: Path) -> None:
    """A squashfs has no UUID, and says its device number for its own."""
    privately(read_only, tmp_path)


def read_only(directory: str) -> None:
    scratch = Path(directory)
    for name in ("one", "other"):
        (scratch / name).mkdir()
        (scratch / name / name).touch()
        make_squashfs(scratch / name, scratch / f"{name}.image")

    def seen() -> Root:
        root = look_at_root(scratch / "point")
        assert isinstance(root, Root)
        return root

    one, other = (Volume("squashfs", scratch, f"{name}.image") for name in ("one", "other"))
    with mounted(one, scratch / "point"):
        known = seen()
    with mounted_anew(one, scratch / "point", known.identity.device):
        assert difference(known.identity, seen(), files_on_record=True) is None
    with mounted(other, scratch / "point"):
        assert "another file system is there" in str(difference(known.identity, seen(), files_on_record=True))
