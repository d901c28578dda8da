"""The kernel's mount table, and what each kind of file system can be relied on for."""

from __future__ import annotations

import os
import re
from collections import defaultdict
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
        device: device number of that file system; those of Btrfs subvolumes are others.
    """

    point: str
    type: str
    source: str
    root: str
    device: int = 0

    @property
    def stable_inodes(self) -> bool:
        """Whether an inode number means the same file tomorrow, as far as the type tells."""
        return self.type not in _UNSTABLE_INODES and not self.type.startswith("fuse.")

    @property
    def is_remote(self) -> bool:
        """Whether the files live on another machine or behind a user-space server."""
        return self.type in _NETWORK or self.type.startswith("fuse.")


def read_mounts(path: Path = MOUNTINFO) -> list[Mount]:
    """The mounts of this process's namespace that can be seen: those that no other mount covers.

    The format is proc_pid_mountinfo(5).

    Raises:
        OSError: the table cannot be read.
    """
    mounts: dict[int, tuple[int, Mount]] = {}
    # Not splitlines(): the kernel escapes newlines, and leaves carriage returns as they are.
    for line in path.read_bytes().split(b"\n"):
        head, separator, tail = line.partition(b" - ")
        if separator:
            fields, (kind, source, *_) = head.split(b" "), tail.split(b" ")
            device = os.makedev(*map(int, fields[2].split(b":")))
            mount = Mount(_unescape(fields[4]), text_of(kind), _unescape(source), _unescape(fields[3]), device)
            mounts[int(fields[0])] = int(fields[1]), mount
    return _visible(mounts)


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
    return {
        mount.point[len(prefix) :]: mount for mount in mounts if mount.point.startswith(prefix) and mount.point != "/"
    }


def real_path(path: Path) -> str:
    """The absolute path without symlinks, as catalogue text.

    Raises:
        OSError: it does not exist or cannot be reached.
    """
    return text_of(os.path.realpath(bytes(path), strict=True))


def native(path: str) -> Path:
    """The path object for an absolute path in catalogue text."""
    return Path(os.fsdecode(bytes_of(path)))


def _visible(mounts: dict[int, tuple[int, Mount]]) -> list[Mount]:
    """The mounts that no other one covers, given by id, each with the id of the mount it is mounted on."""
    points: defaultdict[int, set[str]] = defaultdict(set)
    for identity, (parent, mount) in mounts.items():
        if parent != identity:
            points[parent].add(mount.point)

    def is_buried(identity: int) -> bool:
        """Whether something is mounted on a directory above it, on the same mount or further up."""
        while identity in mounts:
            parent, mount = mounts[identity]
            above = mount.point
            while above != "/":
                above = above.rpartition("/")[0] or "/"
                if above in points[parent]:
                    return True
            if parent == identity:
                break
            identity = parent
        return False

    return [
        mount
        for identity, (_, mount) in mounts.items()
        if mount.point not in points[identity] and not is_buried(identity)
    ]


def _lies_on(path: str, point: str) -> bool:
    return point in {"/", path} or path.startswith(point + "/")


def _unescape(field: bytes) -> str:
    return text_of(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))
