"""The kernel's mount table, as it is written and as it is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from censusd.filesystem.mounts import Mount, mount_of, mounts_below, native, read_mounts, real_path
from censusd.filesystem.names import text_of

_TABLE = (
    rb"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
22 21 0:21 / /proc rw,nosuid shared:2 master:1 - proc proc rw
30 21 8:17 / /srv/photos rw - xfs /dev/sdb1 rw
31 21 8:1 /home/bind /srv/bind rw - ext4 /dev/root rw
32 21 0:50 / /srv/with\040space\011tab\012line\134back\043hash rw - nfs4 server:/export\040one rw
33 21 0:51 / /srv/raw-"""
    + "é".encode()
    + rb"""-\377 rw - tmpfs  rw
34 30 0:52 / /srv/photos/inner rw - fuse.sshfs me@host:/ rw
"""
)


def table(tmp_path: Path, content: bytes = _TABLE) -> list[Mount]:
    file = tmp_path / "mountinfo"
    file.write_bytes(content.lstrip(b"\n"))
    return read_mounts(file)


def at(point: str, mounts: list[Mount]) -> Mount:
    [mount] = [mount for mount in mounts if mount.point == point]
    return mount


def test_a_line_is_read(tmp_path: Path) -> None:
    mounts = table(tmp_path)
    assert at("/", mounts) == Mount("/", "ext4", "/dev/root", "/", os.makedev(8, 1))
    assert at("/proc", mounts).type == "proc"
    assert at("/srv/bind", mounts).root == "/home/bind"


def test_octal_escapes_and_raw_bytes_are_names(tmp_path: Path) -> None:
    mounts = table(tmp_path)
    escaped = at("/srv/with space\ttab\nline\\back#hash", mounts)
    assert escaped.source == "server:/export one"
    raw = at(text_of("/srv/raw-é-".encode() + b"\\377".decode("unicode_escape").encode("latin-1")), mounts)
    assert (raw.type, raw.source) == ("tmpfs", "")


def test_a_carriage_return_in_a_mount_point_is_not_the_end_of_the_line(tmp_path: Path) -> None:
    # The kernel escapes blanks, newlines, backslashes and hashes only.
    mounts = table(tmp_path, b"21 1 8:1 / / rw - ext4 /dev/root rw\n22 21 0:9 / /a\rb\x0bc rw - tmpfs none rw\n")
    assert [mount.point for mount in mounts] == ["/", "/a\rb\x0bc"]


def test_the_longest_mount_point_on_the_way_is_where_a_path_lies(tmp_path: Path) -> None:
    mounts = table(tmp_path)
    assert mount_of("/srv/photos/2024/a.jpg", mounts).source == "/dev/sdb1"
    assert mount_of("/srv/photos", mounts).source == "/dev/sdb1"
    assert mount_of("/srv/photos2", mounts).source == "/dev/root"
    assert mount_of("/srv/photos/inner/x", mounts).type == "fuse.sshfs"
    assert mount_of("/", mounts).source == "/dev/root"


def test_a_path_on_no_mount_lies_on_one_that_nothing_is_known_of() -> None:
    assert mount_of("/somewhere", []).type == "unknown"


def test_mounts_below_are_told_by_relative_path(tmp_path: Path) -> None:
    mounts = table(tmp_path)
    assert set(mounts_below("/srv/photos", mounts)) == {"inner"}
    assert set(mounts_below("/srv/photos/inner", mounts)) == set()
    assert {"photos", "photos/inner", "bind"} < set(mounts_below("/srv", mounts))


def test_the_root_is_not_below_itself(tmp_path: Path) -> None:
    assert "" not in mounts_below("/", table(tmp_path))
    assert "proc" in mounts_below("/", table(tmp_path))


def test_the_mount_on_top_is_the_one_that_is_seen(tmp_path: Path) -> None:
    mounts = table(
        tmp_path,
        b"21 1 8:1 / / rw - ext4 /dev/root rw\n"
        b"30 21 0:40 / /srv/a rw - autofs systemd-1 rw\n"
        b"31 30 0:41 / /srv/a rw - nfs4 server:/a rw\n",
    )
    assert mount_of("/srv/a/x", mounts).type == "nfs4"
    assert mounts_below("/srv", mounts)["a"].type == "nfs4"


def test_a_mount_below_a_covered_one_cannot_be_seen(tmp_path: Path) -> None:
    mounts = table(
        tmp_path,
        b"21 1 8:1 / / rw - ext4 /dev/root rw\n"
        b"30 21 8:2 / /srv/a rw - ext4 /dev/sda2 rw\n"
        b"31 30 8:3 / /srv/a/inner rw - ext4 /dev/sda3 rw\n"
        b"32 31 8:4 / /srv/a/inner/most rw - ext4 /dev/sda4 rw\n"
        b"33 30 8:5 / /srv/a rw - ext4 /dev/sda5 rw\n",
    )
    assert mounts_below("/srv", mounts).keys() == {"a"}
    assert mount_of("/srv/a/inner/x", mounts).source == "/dev/sda5"


def test_a_mount_over_the_directory_above_hides_what_is_mounted_below_it(tmp_path: Path) -> None:
    mounts = table(
        tmp_path,
        b"21 1 8:1 / / rw - ext4 /dev/root rw\n"
        b"30 21 8:2 / /srv/a/inner rw - ext4 /dev/sda2 rw\n"
        b"31 21 8:3 / /srv/a rw - ext4 /dev/sda3 rw\n",
    )
    assert mounts_below("/srv", mounts).keys() == {"a"}


def test_a_mount_that_was_moved_under_a_later_one_is_seen(tmp_path: Path) -> None:
    mounts = table(
        tmp_path,
        b"21 1 8:1 / / rw - ext4 /dev/root rw\n"
        b"30 31 8:2 / /srv/a/inner rw - ext4 /dev/sda2 rw\n"
        b"31 21 8:3 / /srv/a rw - ext4 /dev/sda3 rw\n",
    )
    assert mounts_below("/srv", mounts).keys() == {"a", "a/inner"}


@pytest.mark.parametrize(
    ("kind", "stable", "remote"),
    [
        ("ext4", True, False),
        ("vfat", False, False),
        ("cifs", False, True),
        ("nfs4", True, True),
        ("fuse.sshfs", False, True),
        ("fuseblk", True, False),
        ("tmpfs", True, False),
    ],
)
def test_what_a_file_system_can_be_relied_on_for(kind: str, stable: bool, remote: bool) -> None:
    mount = Mount("/x", kind, "source", "/")
    assert (mount.stable_inodes, mount.is_remote) == (stable, remote)


def test_this_machines_table_can_be_read() -> None:
    mounts = read_mounts()
    assert len({mount.point for mount in mounts}) == len(mounts)
    assert any(mount.point == "/proc" for mount in mounts)
    for mount in mounts_below("/", mounts).values():
        if mount.type in {"proc", "tmpfs", "devtmpfs", "sysfs"} and os.access(native(mount.point), os.X_OK):
            assert os.path.ismount(native(mount.point))


def test_a_real_path_has_no_symlinks_and_any_bytes(tmp_path: Path) -> None:
    target = os.fsencode(tmp_path) + b"/t\xff"
    os.mkdir(target)
    os.symlink(target, tmp_path / "link")
    assert real_path(tmp_path / "link") == text_of(target)
    assert os.fsencode(native(text_of(target))) == target
    assert native(text_of(target)).is_dir()


def test_a_real_path_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path / "absent", tmp_path / "a"):
        with pytest.raises(OSError, match=path.name):
            real_path(path)
