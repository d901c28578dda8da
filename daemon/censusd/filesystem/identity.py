"""Whether a repository's root is still the same root.

An unmounted disk leaves an empty directory behind, another disk may be mounted in its place, and a mount below the
root may be gone: each looks just like a mass deletion. So the root's file system, inode and the mounts below it are
recorded, and nothing is ever marked missing unless they are found again.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Final
from uuid import UUID

from censusd.filesystem.mounts import Mount, mount_of, mounts_below, native, read_mounts, real_path
from censusd.filesystem.names import text_of
from censusd.filesystem.problems import problem_of
from censusd.filesystem.statx import birth_ns
from censusd.model import ROOT, Problem, ProblemKind

_BY_UUID: Final = Path("/dev/disk/by-uuid")
_UDEV: Final = Path("/run/udev/data")
"""udev's database: a file for each device, whose lines ``E:`` are the device's properties."""

_GETFSUUID: Final = 0x80111500
_UUID: Final = Struct("=B16s")
"""``struct fsuuid2``: how many bytes there are, and the bytes."""

_LOOP_DEVICES: Final = Path("/sys/dev/block")
_FUSE_ROOT: Final = 1
"""FUSE_ROOT_ID in <linux/fuse.h>: what libfuse gives as the root's inode number where it makes up all of them."""


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """What makes a root this root.

    Attributes:
        filesystem: an identifier of the file system that survives a reboot: its UUID, its server and export, its
            ``f_fsid``, the file that it is an image in, or its device number if there is nothing better.
        type: file system type.
        device: device number now; not compared, since it may be handed out anew at each boot.
        inode: inode number of the root directory, or 0 where they are not stable.
        mounts: relative path -> file system identifier of each mount below the root that can be looked at.
        marker: whether the marker file was there; None where none is configured.
    """

    filesystem: str
    type: str
    device: int
    inode: int
    mounts: dict[str, str] = field(default_factory=dict)
    marker: bool | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """A root as it is at this moment.

    Attributes:
        path: absolute path, as configured.
        identity: what makes it this root.
        made_up: device numbers of what is mounted here and below where an inode number does not mean the same file
            tomorrow.
        empty: whether the root directory has no entry at all.
        mount: the mount it lies on.
        other_names: relative path of the root ("") and of mounts below it -> identifiers by which the file system may
            be on record, because less could be known of it then: an older kernel tells no UUID.
    """

    path: Path
    identity: RootIdentity
    made_up: frozenset[int]
    empty: bool
    mount: Mount
    other_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def goes_by(self, filesystem: str, path: str = ROOT) -> bool:
        """Whether an identifier on record is that of the file system here, or of the one mounted on a path below."""
        now = self.identity.filesystem if path == ROOT else self.identity.mounts[path]
        return filesystem == now or filesystem in self.other_names.get(path, ())


def look_at_root(path: Path, marker: str = "") -> Root | Problem:
    """What is at ``path`` now.

    Args:
        path: absolute path of the root.
        marker: relative path of a file that proves that the right disk is mounted, or empty.
    """
    try:
        real = real_path(path)
        mounts = read_mounts()
        mount = mount_of(real, mounts)
        found = path.stat()
        below = mounts_below(real, mounts)
        made_up = frozenset(each.device for each in (mount, *below.values()) if _makes_inodes_up(each))
        with os.scandir(path) as entries:
            empty = next(iter(entries), None) is None
        names = {ROOT: _names(path, mount), **_names_below(below)}
        identity = RootIdentity(
            filesystem=names[ROOT][0],
            type=mount.type,
            device=found.st_dev,
            inode=0 if found.st_dev in made_up else found.st_ino,
            mounts={place: known_as[0] for place, known_as in names.items() if place != ROOT},
            marker=(path / marker).exists() if marker else None,
        )
    except OSError as error:
        problem = problem_of(error)
        if problem.kind is ProblemKind.VANISHED:
            return Problem(problem.kind, "there is nothing at this path")
        return problem
    return Root(path, identity, made_up, empty, mount, {place: known_as[1:] for place, known_as in names.items()})


def difference(known: RootIdentity, seen: Root, *, files_on_record: bool) -> str | None:
    """Why ``seen`` is not the root on record, as a sentence for people; None if it is.

    Args:
        known: the identity on record.
        seen: the root now.
        files_on_record: whether the catalogue has files of this repository that are present.
    """
    now = seen.identity
    if now.marker is False:
        return "the marker file is not there"
    for path, filesystem in known.mounts.items():
        if path not in now.mounts:
            return f"nothing can be seen on {path}, where {filesystem} was mounted"
        if not seen.goes_by(filesystem, path):
            return f"another file system is mounted on {path}"
    # A marker file is the administrator's word that this is the right disk, however it came to be mounted.
    if now.marker is None:
        if not seen.goes_by(known.filesystem):
            return f"another file system is there: {now.filesystem} ({now.type}), not {known.filesystem} ({known.type})"
        if now.inode != known.inode:
            return "another directory is there than the one that was catalogued"
    if seen.empty and files_on_record:
        return "it is empty, and was not"
    return None


def device_now(directory: Path, inode: int, birth: int) -> int | None:
    """The device number that a directory has by now, which may be handed out anew each time that it is mounted.

    Args:
        directory: where it is on record.
        inode: its inode number on record, or 0 where none is.
        birth: when it was born, on record; 0 where nobody knows, or that does not matter.

    Returns:
        None if there is nothing there, or another directory.
    """
    try:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found, born = os.fstat(fd), birth_ns(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    is_the_same = inode in {0, found.st_ino, found.st_ino - (1 << 64)} and birth in {0, born}
    return found.st_dev if is_the_same else None


def _makes_inodes_up(mount: Mount) -> bool:
    """Whether an inode number there may mean another file tomorrow."""
    if mount.type.partition(".")[0] != "fuseblk":
        return not mount.stable_inodes
    # ntfs-3g has the numbers that are on the disk, whose root has 5; exfat-fuse lets libfuse count.
    try:
        return native(mount.point).stat().st_ino == _FUSE_ROOT
    except OSError:
        return True


def _names_below(mounts: dict[str, Mount]) -> dict[str, tuple[str, ...]]:
    """Path -> identifiers of the mounts that can be looked at."""
    found: dict[str, tuple[str, ...]] = {}
    for path, mount in mounts.items():
        try:
            found[path] = _names(native(mount.point), mount)
        except OSError:
            # In a place that is closed to us. If it is on record all the same, ``difference`` misses it.
            continue
    return found


def _names(path: Path, mount: Mount) -> tuple[str, ...]:
    """Identifiers of the file system that is mounted somewhere, the most telling first."""
    if mount.is_remote:
        return (f"source:{mount.type}:{mount.source}",)
    fsid = os.statvfs(path).f_fsid
    if mount.type == "btrfs":
        # Made of its UUID and the subvolume's number. A snapshot has the same UUID and inode numbers as its original,
        # but is another tree of files. Linux up to 6.18 tells no UUID of Btrfs; one that does must not be asked.
        return (f"fsid:{fsid:x}",)
    found = path.stat()
    # To open something else than these may have effects.
    plain = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    uuid = (_uuid_from_kernel(path) if plain else None) or _uuid_from_udev(found.st_dev)
    names = [f"uuid:{uuid}"] if uuid else []
    if fsid not in {0, found.st_dev}:  # many a file system gives its device number for it
        names.append(f"fsid:{fsid:x}")
    # What follows says where it is, not what it is: beside a UUID, it would only let others pass for it.
    if names:
        return tuple(names)
    device = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
    with suppress(OSError):
        image = (_LOOP_DEVICES / device / "loop/backing_file").read_bytes().removesuffix(b"\n")
        return (f"image:{text_of(image)}",)
    return (f"device:{device}",)


def _uuid_from_kernel(path: Path) -> str | None:
    """The UUID of the file system that a directory or file is on, as Linux 6.9 and newer tell it.

    The request is FS_IOC_GETFSUUID in <linux/fs.h>. Neither udev, which may come up later, nor /dev, which a service
    may not see, is needed for it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(fd, _GETFSUUID, bytes(_UUID.size))
    except OSError:
        return None  # an older kernel, or a file system that has none
    finally:
        os.close(fd)
    length, uuid = _UUID.unpack(answer)
    return str(UUID(bytes=uuid)) if length == len(uuid) and any(uuid) else None


def _uuid_from_udev(device: int) -> str | None:
    """The UUID of the file system on a block device, as udev knows it."""
    with suppress(OSError, ValueError):
        for line in (_UDEV / f"b{os.major(device)}:{os.minor(device)}").read_text().splitlines():
            if line.startswith("E:ID_FS_UUID="):
                return line.partition("=")[2]
    with suppress(OSError):
        for link in _BY_UUID.iterdir():
            with suppress(OSError):
                if link.stat().st_rdev == device:
                    return link.name
    return None
