"""Which way of watching serves which file system, and why.

inotify reports what goes through this machine's kernel. Where files change behind its back, on a server, on a host that
shares them with this guest, or below a layer in user space, it stays silent, and only looking again helps.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """How changes are found in between the regular reconciliations."""

    FANOTIFY = "fanotify"
    """The kernel's events, by a mark for the whole file system."""
    INOTIFY = "inotify"
    """The kernel's events, by a watch for each directory."""
    HYBRID = "hybrid"
    """Both: what goes through this kernel is seen at once, the rest by short reconciliation intervals."""
    POLL = "poll"
    """Short reconciliation intervals alone."""

    @property
    def watches(self) -> bool:
        """Whether the kernel's events are used."""
        return self is not Tier.POLL

    @property
    def polls(self) -> bool:
        """Whether short reconciliation intervals are needed."""
        return self in {Tier.HYBRID, Tier.POLL}


@dataclass(frozen=True, slots=True)
class TierDecision:
    """How a repository is watched.

    Attributes:
        tier: the way.
        reason: why, in a sentence for people.
    """

    tier: Tier
    reason: str


AUTO: Final = "auto"
"""What to ask for to have the file system decide."""

_KERNEL: Final = frozenset(
    {
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "bcachefs",
        "zfs",
        "f2fs",
        "jfs",
        "reiserfs",
        "nilfs2",
        "udf",
        "tmpfs",
        "ramfs",
        "overlay",
        "aufs",
        "vfat",
        "msdos",
        "exfat",
        "ntfs",
        "ntfs3",
        "hfs",
        "hfsplus",
        "apfs",
        "fuseblk",
        "iso9660",
        "squashfs",
        "erofs",
        "cramfs",
        "ecryptfs",
    }
)
"""Every change goes through this kernel. ``fuseblk`` is a file system in user space on a disk of its own, such as
ntfs-3g: whoever changes it does so through the mount."""

_SERVERS: Final = {
    "nfs": "on an NFS server",
    "nfs4": "on an NFS server",
    "cifs": "on an SMB server",
    "smb3": "on an SMB server",
    "smbfs": "on an SMB server",
    "ceph": "in a Ceph cluster",
    "afs": "on an AFS server",
    "coda": "on a Coda server",
    "ncpfs": "on a NetWare server",
    "lustre": "in a Lustre cluster",
    "beegfs": "in a BeeGFS cluster",
    "gpfs": "in a GPFS cluster",
    "orangefs": "in an OrangeFS cluster",
    "pvfs2": "in an OrangeFS cluster",
    "glusterfs": "in a Gluster cluster",
    "fuse.glusterfs": "in a Gluster cluster",
    "gfs2": "by the other nodes of a GFS2 cluster",
    "ocfs2": "by the other nodes of an OCFS2 cluster",
    "9p": "on the host that shares it (9P)",
    "virtiofs": "on the host that shares it (virtio-fs)",
    "vboxsf": "on the VirtualBox host that shares it",
    "vmhgfs": "on the VMware host that shares it",
    "fuse.vmhgfs-fuse": "on the VMware host that shares it",
    "prl_fs": "on the Parallels host that shares it",
    "drvfs": "by Windows (WSL)",
    "wslfs": "by Windows (WSL)",
    "lxfs": "by Windows (WSL)",
    "fuse.sshfs": "on an SSH server",
    "fuse.rclone": "at a storage provider",
    "fuse.s3fs": "at a storage provider",
}
"""Where changes are made that this kernel does not see."""

_LOCAL_LAYERS: Final = frozenset(
    {
        "fuse.mergerfs",
        "fuse.shfs",
        "fuse.unionfs",
        "fuse.unionfs-fuse",
        "fuse.bindfs",
        "fuse.encfs",
        "fuse.gocryptfs",
        "fuse.cryfs",
        "fuse.securefs",
        "fuse.ntfs-3g",
        "fuse.exfat",
        "fuse.fuse-overlayfs",
    }
)
"""File systems in user space over local directories. What goes through the mount is seen; what somebody does to the
directories below it is not."""

_SYNTHETIC: Final = frozenset(
    {
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devpts",
        "debugfs",
        "tracefs",
        "securityfs",
        "configfs",
        "bpf",
        "pstore",
        "efivarfs",
    }
)


def choose(filesystem_type: str, wanted: str = AUTO) -> TierDecision:
    """How to watch a repository.

    Args:
        filesystem_type: as in the third field from the separator on in /proc/self/mountinfo: ``ext4``, ``fuse.sshfs``.
        wanted: ``auto``, or the tier an administrator asked for, who is right whatever we think. Whether fanotify can
            be had is only known once it was tried, see ``with_fanotify``; until then it is as ``auto``.

    Raises:
        ValueError: ``wanted`` is no tier.
    """
    fitting = _fitting(filesystem_type)
    if wanted in {AUTO, Tier.FANOTIFY}:
        return fitting
    tier = Tier(wanted)
    if tier is fitting.tier:
        return fitting
    reason = f"asked for in the configuration; otherwise it would be {fitting.tier}: {fitting.reason}"
    return TierDecision(tier, reason)


def with_fanotify(fitting: TierDecision, wanted: str) -> TierDecision:
    """How a repository is watched after all, when fanotify was granted."""
    if fitting.tier is Tier.INOTIFY:
        return TierDecision(Tier.FANOTIFY, f"{fitting.reason}, by one mark for all of it: CAP_SYS_ADMIN is granted")
    if wanted == Tier.FANOTIFY:
        reason = f"asked for in the configuration; otherwise it would be {fitting.tier}: {fitting.reason}"
        return TierDecision(Tier.FANOTIFY, reason)
    return TierDecision(fitting.tier, f"{fitting.reason}; what it does hear of, it says by fanotify")


def without_fanotify(fitting: TierDecision, wanted: str, refusal: str) -> TierDecision:
    """How a repository is watched after all, when fanotify was refused, and why."""
    if wanted == Tier.FANOTIFY:
        reason = f"fanotify was asked for in the configuration, but {refusal}. {_capitalised(fitting.reason)}"
        return TierDecision(fitting.tier, reason)
    return TierDecision(fitting.tier, f"{fitting.reason}; not by fanotify: {refusal}")


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _fitting(kind: str) -> TierDecision:
    if kind in _KERNEL or kind.startswith("fuseblk."):
        return TierDecision(Tier.INOTIFY, f"every change to {kind} goes through this kernel, which reports it")
    where = _SERVERS.get(kind)
    if where is not None:
        return TierDecision(Tier.POLL, f"changes to {kind} are made {where}, and this kernel does not hear of them")
    if kind in _LOCAL_LAYERS:
        return TierDecision(
            Tier.HYBRID, f"{kind} reports what goes through its mount, but not what is done to the directories below it"
        )
    if kind == "fuse" or kind.startswith("fuse."):
        return TierDecision(
            Tier.POLL,
            f"{kind} is served from user space, most likely from elsewhere, and reports no changes made there",
        )
    if kind in _SYNTHETIC:
        return TierDecision(Tier.POLL, f"{kind} is made up by the kernel, which reports no changes to it")
    return TierDecision(Tier.HYBRID, f"whether every change to {kind} goes through this kernel is not known")
