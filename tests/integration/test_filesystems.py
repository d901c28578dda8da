"""The file systems that people have: changes are noticed on each, and a disk that comes back is the same disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from censusd.catalogue.connection import Catalogue
from censusd.filesystem.identity import Root, difference, look_at_root
from censusd.sync.standing import Phase
from censusd.watch.fanotify import FanotifyEmitter
from tests.tools.disks import make_disk, make_squashfs, mount_disk, taken_numbers
from tests.tools.living import DEADLINE, LivingLibrary, living
from tests.tools.older_kernel import become_older
from tests.tools.operations import ANCHOR, Operations
from tests.tools.private import mount, privately
from tests.tools.waiting import until
from tests.tools.watching import fanotify_refusal
from tests.tools.world import dice

OPERATIONS = 120
BETWEEN_BARRIERS = 10

WATCHES = pytest.mark.parametrize(
    "watch", ["auto", pytest.param("inotify", marks=pytest.mark.slow), pytest.param("poll", marks=pytest.mark.slow)]
)
QUICK = frozenset({("ext4", "below"), ("subvolume", "root"), ("exfat", "below"), ("ntfs", "root")})
"""What is tried each time of the many disks that come back."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount disks")

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
            subprocess.run(["umount", root / "xfs"], check=True)
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


# Btrfs ---------------------------------------------------------------------------------------------------------------


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


# Older kernels -------------------------------------------------------------------------------------------------------

OLDER = {
    (5, 9): ("inotify", "not by fanotify: this kernel is too old for it (before 5.9)"),
    (5, 17): ("fanotify", "by one mark for all of it"),
    (6, 9): ("fanotify", "by one mark for all of it"),
}


@needs_root
@pytest.mark.parametrize("version", OLDER, ids=lambda version: ".".join(map(str, version)))
@pytest.mark.parametrize("kind", ["ext4", pytest.param("xfs", marks=pytest.mark.slow)])
def test_on_older_kernels(tmp_path: Path, database: str, kind: str, version: tuple[int, int]) -> None:
    """Without FAN_REPORT_NAME, without FAN_RENAME, and without a way to ask for a UUID."""
    if why := fanotify_refusal(tmp_path):
        pytest.skip(f"no fanotify here: {why}")
    privately(older, tmp_path, database, kind, *version)


def older(directory: str, database: str, kind: str, *version: str) -> None:
    """The way that is left is taken and said, changes are noticed, and a disk that comes back is the same."""
    scratch = Path(directory)
    volume, root = Volume(kind, scratch), scratch / "root"
    volume.make()
    major, minor = map(int, version)
    number = (major, minor)
    with Catalogue(database) as catalogue:
        library = LivingLibrary(root / "tree", catalogue, scratch / "cookies", watch="auto", debounce=0.02)
        library.root.rmdir()
        root.rmdir()
        with mounted(volume, root):
            device = os.stat(root).st_dev
            become_older(*number)
            library.root.mkdir()
            (library.root / ANCHOR.decode()).touch()
            (root / "outside").mkdir()
            with living(library):
                way, why = chosen(library)
                assert way == OLDER[number][0]
                assert OLDER[number][1] in why
                assert library.worker.upkeep is not None
                assert library.worker.upkeep.watching is not None
                watcher = library.worker.upkeep.watching.watcher
                if isinstance(watcher, FanotifyEmitter):
                    assert (len(watcher._masks) == 1) == (number <= (5, 17))
                ((known,),) = library.query("SELECT identity ->> 'filesystem' FROM repositories")
                assert not known.startswith("uuid:")
                replay(library, root / "outside", 5)
                before = library.ids()
                assert before
        with mounted_anew(volume, root, device), living(library):
            library.check()
            assert library.ids() == before
