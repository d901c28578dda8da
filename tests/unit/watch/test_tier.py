from __future__ import annotations

import pytest

from censusd.watch.tier import Tier, choose


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "fuseblk", "vfat"])
def test_local_file_systems_are_watched(kind: str) -> None:
    decision = choose(kind)
    assert decision.tier is Tier.INOTIFY
    assert kind in decision.reason


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "9p",
        "virtiofs",
        "fuse.glusterfs",
        "vboxsf",
        "drvfs",
        "fuse.sshfs",
        "fuse.x",
        "proc",
    ],
)
def test_file_systems_that_change_behind_our_back_are_polled(kind: str) -> None:
    decision = choose(kind)
    assert decision.tier is Tier.POLL
    assert decision.tier.polls
    assert not decision.tier.watches
    assert kind in decision.reason


@pytest.mark.parametrize("kind", ["fuse.mergerfs", "fuse.gocryptfs", "some-new-fs", ""])
def test_where_some_or_unknown_changes_are_reported_both_are_done(kind: str) -> None:
    tier = choose(kind).tier
    assert tier is Tier.HYBRID
    assert tier.watches
    assert tier.polls


def test_what_an_administrator_asks_for_is_done_and_what_we_think_is_said() -> None:
    decision = choose("nfs4", "inotify")
    assert decision.tier is Tier.INOTIFY
    assert decision.reason.startswith("asked for in the configuration; otherwise it would be poll: ")
    assert "NFS server" in decision.reason
    assert choose("nfs4", "poll") == choose("nfs4")


def test_a_tier_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="telepathy"):
        choose("ext4", "telepathy")
