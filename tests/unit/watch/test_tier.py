from __future__ import annotations

import pytest

from censusd.watch.tier import Tier, choose, with_fanotify, without_fanotify


@pytest.mark.parametrize("kind", "ext4 xfs btrfs zfs tmpfs overlay f2fs fuseblk fuseblk.exfat vfat".split())
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


def test_fanotify_takes_the_place_of_inotify() -> None:
    decision = with_fanotify(choose("ext4"), "auto")
    assert decision.tier is Tier.FANOTIFY
    assert decision.tier.watches
    assert not decision.tier.polls
    assert "ext4" in decision.reason
    assert "CAP_SYS_ADMIN is granted" in decision.reason


def test_where_not_all_is_reported_it_is_polled_with_fanotify_too() -> None:
    decision = with_fanotify(choose("fuse.mergerfs"), "auto")
    assert decision.tier is Tier.HYBRID
    assert "fanotify" in decision.reason
    asked = with_fanotify(choose("nfs4", "fanotify"), "fanotify")
    assert asked.tier is Tier.FANOTIFY
    assert asked.reason.startswith("asked for in the configuration; otherwise it would be poll: ")


@pytest.mark.parametrize(("kind", "tier"), [("ext4", Tier.INOTIFY), ("nfs4", Tier.POLL)])
def test_who_asks_for_fanotify_in_vain_is_told_why(kind: str, tier: Tier) -> None:
    decision = without_fanotify(choose(kind, "fanotify"), "fanotify", "it takes more")
    assert decision.tier is tier
    assert decision.reason.startswith("fanotify was asked for in the configuration, but it takes more. ")
    assert kind in decision.reason


def test_who_has_granted_it_in_vain_is_told_why() -> None:
    assert without_fanotify(choose("btrfs"), "auto", "of this").reason.endswith("; not by fanotify: of this")
