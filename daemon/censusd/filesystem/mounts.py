"""The kernel's mount table, and what each kind of file system can be relied on for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from censusd.filesystem.names import bytes_of, text_of

MOUNTINFO: Final = Path("/proc/self/mountinfo")

_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
PSEUDO_FILESYSTEMS: Final = frozenset(
    {
        *("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "pstore"),
        *(
            "bpf",
            "mqueue",
            "hugetlbfs",
            "configfs",
            "fusectl",
            "binfmt_misc",
            "rpc_pipefs",
            "nsfs",
            "autofs",
            "efivarfs",
        ),
        *("selinuxfs", "fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs"),
    }
)
"""File systems that hold no files of anybody's: views of the kernel and of other programs."""

# Inode numbers of these are invented when an inode is loaded, and differ after a remount or under memory pressure.
_UNSTABLE_INODES: Final = frozenset({"vfat", "msdos", "exfat", "cifs", "smb3", "smbfs", "vboxsf", "vmhgfs", "drvfs"})
# Identified by where they come from: their device numbers are handed out anew at each mount.
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "afs", "vboxsf"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table.

    Attributes:
        point: absolute path it is mounted on, as catalogue text.
        type: file system type, for instance ``ext4``.
        source: device or server it comes from, as the kernel shows it.
        root: which directory of that file system is shown here (bind mounts, subvolumes).
    """

    point: str
    type: str
    source: str
    root: str

    @property
    def stable_inodes(self) -> bool:
        """Whether an inode number means the same file tomorrow."""
        return self.type not in _UNSTABLE_INODES and not self.type.startswith("fuse.")

    @property
    def is_remote(self) -> bool:
        """Whether the files live on another machine or behind a user-space server."""
        return self.type in _NETWORK or self.type.startswith("fuse.")


def read_mounts(path: Path = MOUNTINFO) -> list[Mount]:
    """The mounts of this process's namespace, in mount order; a later one hides an earlier one at the same point.

    The format is proc_pid_mountinfo(5).

    Raises:
        OSError: the table cannot be read.
    """
    mounts = []
    for line in path.read_bytes().splitlines():
        head, _, tail = line.partition(b" - ")
        fields, (kind, source, *_) = head.split(b" "), tail.split(b" ")
        mounts.append(Mount(_unescape(fields[4]), text_of(kind), _unescape(source), _unescape(fields[3])))
    return mounts


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount:
    """The mount that the absolute path ``path`` (without symlinks) lies on."""
    best = Mount("/", "unknown", "unknown", "/")
    for mount in mounts:
        if len(mount.point) >= len(best.point) and _lies_on(path, mount.point):
            best = mount
    return best


def mounts_below(path: str, mounts: Iterable[Mount]) -> dict[str, Mount]:
    """The visible mounts strictly below the absolute path ``path``, by their path relative to it."""
    prefix = path.rstrip("/") + "/"
    return {mount.point[len(prefix) :]: mount for mount in mounts if mount.point.startswith(prefix)}


def real_path(path: Path) -> str:
    """The absolute path without symlinks, as catalogue text.

    Raises:
        OSError: it does not exist or cannot be reached.
    """
    return text_of(bytes(path.resolve(strict=True)))


def native(path: str) -> Path:
    """The path object for an absolute path in catalogue text."""
    return Path(bytes_of(path).decode("utf-8", "surrogateescape"))


def _lies_on(path: str, point: str) -> bool:
    return point in {"/", path} or path.startswith(point + "/")


def _unescape(field: bytes) -> str:
    return text_of(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))
