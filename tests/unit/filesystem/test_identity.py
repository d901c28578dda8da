"""Whether a root is still the same root, and what it says when it is not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from censusd.filesystem import identity
from censusd.filesystem.identity import Root, RootIdentity, difference, look_at_root
from censusd.filesystem.mounts import Mount
from censusd.model import Problem, ProblemKind
from tests.tools.private import become_nobody, mount, privately, unmount

_KNOWN = RootIdentity("uuid:one", "ext4", 5, 100, {"disk": "uuid:two"})


def seen(*, empty: bool = False, **changes: object) -> Root:
    identity = replace(_KNOWN, **changes)  # type: ignore[arg-type]
    return Root(Path("/srv"), identity, frozenset(), empty=empty, mount=Mount("/", "ext4", "/dev/sda", "/"))


def why(root: Root, known: RootIdentity = _KNOWN, *, files_on_record: bool = True) -> str | None:
    return difference(known, root, files_on_record=files_on_record)


def test_the_same_root_is_the_same() -> None:
    assert why(seen()) is None
    assert why(seen(device=77)) is None  # handed out anew at each boot
    assert why(seen(mounts={"disk": "uuid:two", "new": "uuid:three"})) is None


@pytest.mark.parametrize(
    ("root", "words"),
    [
        (seen(filesystem="uuid:other", type="xfs"), "another file system is there: uuid:other (xfs), not uuid:one"),
        (seen(inode=101), "another directory is there"),
        (seen(mounts={}), "nothing can be seen on disk, where uuid:two was mounted"),
        (seen(mounts={"disk": "uuid:other"}), "another file system is mounted on disk"),
        (seen(empty=True), "it is empty, and was not"),
        (seen(marker=False), "the marker file is not there"),
    ],
)
def test_every_difference_is_a_sentence(root: Root, words: str) -> None:
    reason = why(root)
    assert reason is not None
    assert words in reason


def test_an_empty_root_is_in_order_while_nothing_is_on_record() -> None:
    assert why(seen(empty=True), files_on_record=False) is None


def test_a_marker_vouches_for_the_root_but_not_for_what_is_mounted_below_it() -> None:
    assert why(seen(filesystem="uuid:other", inode=7, marker=True)) is None
    assert why(seen(filesystem="uuid:other", mounts={}, marker=True)) is not None
    assert why(seen(empty=True, marker=True)) == "it is empty, and was not"


def _two_file_systems(scratch: str) -> None:
    root = Path(scratch)
    found = []
    for _ in range(2):
        mount("tmpfs", root)
        seen = look_at_root(root)
        assert isinstance(seen, Root)
        assert look_at_root(root) == seen
        found.append(seen.identity.filesystem)
        unmount(root)
    assert len(set(found)) == 2
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 9):
        assert all(each.startswith("uuid:") for each in found)


def test_two_file_systems_in_one_place_are_two(tmp_path: Path) -> None:
    privately(_two_file_systems, tmp_path)


def test_udev_is_asked_where_the_kernel_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_uuid_from_kernel", lambda _: None)
    for name in ("_UDEV", "_BY_UUID"):
        monkeypatch.setattr(identity, name, tmp_path / name)
    device = tmp_path.stat().st_dev
    seen = look_at_root(tmp_path)
    assert isinstance(seen, Root)
    assert not seen.identity.filesystem.startswith("uuid:")
    (tmp_path / "_UDEV").mkdir()
    about = tmp_path / "_UDEV" / f"b{os.major(device)}:{os.minor(device)}"
    about.write_text("S:disk/by-uuid/1234-ABCD\nE:ID_FS_TYPE=vfat\nE:ID_FS_UUID=1234-ABCD\n")
    seen = look_at_root(tmp_path)
    assert isinstance(seen, Root)
    assert seen.identity.filesystem == "uuid:1234-ABCD"


def test_a_subvolume_is_not_taken_for_another_of_the_same_uuid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel tells the UUID of Btrfs so far (6.18); one that does would tell the same for all its subvolumes."""
    monkeypatch.setattr(identity, "_uuid_from_kernel", lambda _: "1234-ABCD")
    monkeypatch.setattr(identity, "read_mounts", lambda: [Mount("/", "btrfs", "/dev/sda", "/")])
    seen = look_at_root(tmp_path)
    assert isinstance(seen, Root)
    assert seen.identity.filesystem == f"fsid:{os.statvfs(tmp_path).f_fsid:x}"


def test_a_root_is_known_again_by_a_kernel_that_tells_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 6.9 nobody but udev tells the UUID, and there is none in a container."""
    (tmp_path / "file").touch()
    with monkeypatch.context() as older:
        older.setattr(identity, "_uuid_from_kernel", lambda _: None)
        for name in ("_UDEV", "_BY_UUID"):
            older.setattr(identity, name, tmp_path / name)
        before = look_at_root(tmp_path)
    monkeypatch.setattr(identity, "_uuid_from_kernel", lambda _: "1234-ABCD")
    now = look_at_root(tmp_path)
    assert isinstance(before, Root)
    assert isinstance(now, Root)
    assert now.identity.filesystem == "uuid:1234-ABCD"
    if not before.identity.filesystem.startswith("fsid:"):
        # Where a disk is does not say which it is.
        assert why(now, before.identity) is not None
        pytest.skip("nothing but its UUID tells this file system from others")
    assert why(now, before.identity) is None
    # But not the other way round: what has a UUID on record is not known by less.
    assert why(before, now.identity) is not None


def test_what_is_mounted_below_is_known_again_by_what_was_told_of_it() -> None:
    root = replace(seen(), other_names={"": ("fsid:1",), "disk": ("fsid:2",)})
    for below in ("fsid:2", "uuid:two"):
        assert why(root, replace(_KNOWN, filesystem="fsid:1", mounts={"disk": below})) is None
    assert why(root, replace(_KNOWN, mounts={"disk": "fsid:1"})) is not None
    assert why(root, replace(_KNOWN, filesystem="fsid:2")) is not None


def test_a_root_is_what_it_is(tmp_path: Path) -> None:
    root = look_at_root(tmp_path)
    assert isinstance(root, Root)
    found = tmp_path.stat()
    assert (root.identity.device, root.identity.inode) == (found.st_dev, found.st_ino)
    assert root.empty
    assert root.identity.marker is None
    (tmp_path / "file").touch()
    again = look_at_root(tmp_path)
    assert isinstance(again, Root)
    assert not again.empty
    assert again.identity == root.identity


def test_two_directories_are_two_roots(tmp_path: Path) -> None:
    one, other = look_at_root(tmp_path), look_at_root(tmp_path.parent)
    assert isinstance(one, Root)
    assert isinstance(other, Root)
    assert one.identity.filesystem == other.identity.filesystem
    assert why(other, one.identity) == "another directory is there than the one that was catalogued"


def test_a_marker_file_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    absent = look_at_root(tmp_path, "d/.this-is-the-right-disk")
    (tmp_path / "d/.this-is-the-right-disk").touch()
    there = look_at_root(tmp_path, "d/.this-is-the-right-disk")
    assert isinstance(absent, Root)
    assert isinstance(there, Root)
    assert (absent.identity.marker, there.identity.marker) == (False, True)


def test_what_is_no_root_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert look_at_root(tmp_path / "absent") == Problem(ProblemKind.VANISHED, "there is nothing at this path")
    for name in ("file", "loop", "file/below"):
        problem = look_at_root(tmp_path / name)
        assert isinstance(problem, Problem)
        assert problem.kind is ProblemKind.NOT_A_DIRECTORY


def test_a_root_through_a_symlink_is_the_directory_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    direct, linked = look_at_root(tmp_path / "there"), look_at_root(tmp_path / "link")
    assert isinstance(direct, Root)
    assert isinstance(linked, Root)
    assert direct.identity == linked.identity


def _mounts_below(root: Path) -> dict[str, str]:
    found = look_at_root(root)
    assert isinstance(found, Root)
    return found.identity.mounts


def _mounted(scratch: str) -> None:
    root = Path(scratch)
    (root / "a").mkdir()
    (root / "b/c").mkdir(parents=True)
    mount("tmpfs", root / "a")
    mount("tmpfs", root / "b/c")
    one = _mounts_below(root)["a"]
    assert _mounts_below(root) == {"a": one, "b/c": _mounts_below(root)["b/c"]}
    assert one != _mounts_below(root)["b/c"]
    # Covered from above: it cannot be seen, and nothing is amiss with the root.
    mount("tmpfs", root / "b")
    assert _mounts_below(root).keys() == {"a", "b"}
    # A file may be a mount point as well.
    (root / "a/file").touch()
    (root / "file").touch()
    mount("bind", root / "file", bind=root / "a/file")
    assert _mounts_below(root)["file"] == one
    # Another one of the same kind at the same place is another file system.
    unmount(root / "file")
    unmount(root / "a")
    mount("tmpfs", root / "a")
    assert _mounts_below(root)["a"] != one


def test_mounts_below_belong_to_the_root(tmp_path: Path) -> None:
    privately(_mounted, tmp_path)


def _closed(scratch: str) -> None:
    root = Path(scratch)
    (root / "private/disk").mkdir(parents=True)
    mount("tmpfs", root / "private/disk")
    assert _mounts_below(root).keys() == {"private/disk"}
    (root / "private").chmod(0o700)
    become_nobody()
    assert _mounts_below(root) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="to become somebody else takes root")
def test_a_mount_that_may_not_be_looked_at_does_not_take_the_root_away(shared_path: Path) -> None:
    privately(_closed, shared_path)
