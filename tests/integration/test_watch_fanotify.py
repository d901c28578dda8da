"""What is peculiar to fanotify: it hears of whole file systems, and knows directories by handles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from censusd.watch import fanotify, folders
from censusd.watch.fanotify import FanotifyEmitter
from censusd.watch.fanotify_kernel import Fanotify, FanotifyRefusedError
from censusd.watch.tier import Tier
from tests.tools.disks import need_disks
from tests.tools.fanotify_sandbox import decided
from tests.tools.private import CHECKOUT
from tests.tools.watching import Watch, covers, fanotify_refusal, watching

SYS_ADMIN, READ_SEARCH = "sys_admin", "dac_read_search"


def sandbox(wrapper: list[str], what: str, scratch: Path) -> dict[str, Any]:
    """What a part of ``tests.tools.fanotify_sandbox`` found out."""
    command = [*wrapper, sys.executable, "-m", "tests.tools.fanotify_sandbox", what, str(scratch)]
    path = os.pathsep.join([str(CHECKOUT / "daemon"), str(CHECKOUT)])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": path}
    )
    if "failed to setup loop device" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    if why := fanotify_refusal(tmp_path):
        pytest.skip(f"no fanotify here: {why}")
    root = tmp_path / "tree"
    (root / "a/deep").mkdir(parents=True)
    (tmp_path / "outside/x/deep").mkdir(parents=True)
    return root


@pytest.fixture
def watch(root: Path, tmp_path: Path) -> Iterator[Watch]:
    with watching(root, tmp_path / "cookies", FanotifyEmitter) as watch:
        yield watch


# What happens elsewhere ----------------------------------------------------------------------------------------------


def test_what_happens_elsewhere_is_heard_and_dropped(watch: Watch, tmp_path: Path) -> None:
    before = watch.emitter.stats().events
    (tmp_path / "outside/x/file").write_text("content")
    (tmp_path / "outside/x").rename(tmp_path / "outside/y")
    assert not watch.changes()
    assert watch.emitter.stats().events > before


def test_what_was_elsewhere_and_comes_in_is_heard(watch: Watch, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside/x"
    (outside / "deep/file").touch()  # so that it is known to be elsewhere
    watch.changes()
    outside.rename(root / "a/x")
    assert watch.changes().subtrees == ("a/x",)
    (root / "a/x/deep/file").write_text("more")
    assert watch.changes().names == {"a/x/deep": {"file": True}}
    (root / "a/x").rename(outside)
    assert watch.changes().names == {"a": {"x": False}}
    (outside / "deep/file").write_text("again")
    assert not watch.changes()


def test_a_directory_with_a_similar_path_is_elsewhere(watch: Watch, root: Path, tmp_path: Path) -> None:
    similar = Path(f"{root}-2")
    similar.mkdir()
    (similar / "file").touch()
    assert not watch.changes()


def test_few_directories_are_remembered_and_none_is_mistaken(
    watch: Watch, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_MOST_KNOWN", 3)
    for number in range(10):
        (root / f"a/{number}").mkdir()
    watch.changes()
    for number in range(10):
        (root / f"a/{number}/file").touch()
    assert watch.changes().names == {f"a/{number}": {"file": True} for number in range(10)}
    assert isinstance(watch.emitter, FanotifyEmitter)
    assert len(watch.emitter._folders.known) <= 3


def test_marks_go_with_a_directory_that_is_renamed_before_anybody_took_them(root: Path, tmp_path: Path) -> None:
    watch = Watch(root, tmp_path / "cookies", FanotifyEmitter)
    watch.complete_pass()
    for change in ((root / "a/deep/file").touch, lambda: (root / "a").rename(root / "b")):
        change()
        watch.emitter.queue_events(0)  # the thread is not running, so each is read by itself
    assert watch.emitter._take().names == {"b/deep": {"file": True}, "": {"a": False, "b": False}}
    watch.observer.stop()


def test_two_repositories_in_one_file_system_hear_each_their_own(watch: Watch, root: Path, tmp_path: Path) -> None:
    with watching(tmp_path / "outside", tmp_path / "more cookies", FanotifyEmitter) as other:
        (root / "a/mine").touch()
        (tmp_path / "outside/x/yours").touch()
        assert watch.changes().names == {"a": {"mine": True}}
        assert other.changes().names == {"x": {"yours": True}}


# What is lost --------------------------------------------------------------------------------------------------------


def test_an_overflow_marks_everything_and_the_watch_goes_on(root: Path, tmp_path: Path) -> None:
    """Also by what happens elsewhere; and directories that were renamed meanwhile are at their new places."""
    limit = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text())
    watch = Watch(root, tmp_path / "cookies", FanotifyEmitter)
    watch.complete_pass()
    outside = tmp_path / "outside"
    for number in range(limit // 2 + 10):  # nobody drains: the thread is not running yet
        (outside / f"{number}").touch()
        (outside / f"{number}").rename(outside / "file")
    (root / "a").rename(root / "b")
    barrier = watch.emitter.barrier()
    watch.observer.start()
    assert barrier.wait(20)
    assert watch.handler.overflows == 1
    assert watch.emitter.stats().overflows == 1
    assert watch.changes().is_whole
    (root / "b/deep/file").touch()
    assert watch.changes().names == {"b/deep": {"file": True}}
    watch.observer.stop()


def test_where_events_come_from_cannot_be_told_everything_is_looked_at(root: Path, tmp_path: Path) -> None:
    """For instance while the root is not at its place: nobody can say of what happens then where it is."""
    watch = Watch(root, tmp_path / "cookies", FanotifyEmitter)
    watch.complete_pass()
    watch.emitter._inotify.forget(1)  # or the root itself would say that it was renamed
    root.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/a/file").touch()
    watch.observer.start()
    assert watch.handler.wait_for(lambda: watch.handler.overflows >= 1)
    (tmp_path / "elsewhere").rename(root)
    watch.changes()
    (root / "a/another").touch()
    assert covers(watch.changes(), "a", "another")
    watch.observer.stop()


# Older kernels, and less power ---------------------------------------------------------------------------------------


def test_before_linux_5_17_a_rename_comes_in_halves(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halves = fanotify._MASKS
    unknown = 1 << 40  # refused as FAN_RENAME is there
    monkeypatch.setattr(fanotify, "_MASKS", (whole | unknown, halves))
    with watching(root, tmp_path / "cookies", FanotifyEmitter) as watch:
        (root / "a/file").touch()
        (root / "a/deep").rename(root / "moved")
        assert watch.changes().subtrees == ("moved",)
        (root / "moved/file").touch()
        (root / "a/file").rename(root / "file")
        assert watch.changes().names == {"moved": {"file": True}, "a": {"file": False}, "": {"file": False}}


@pytest.mark.parametrize("power", [SYS_ADMIN, READ_SEARCH])
def test_without_a_power_it_is_inotify_and_said_if_somebody_asked(root: Path, tmp_path: Path, power: str) -> None:
    found = sandbox(["setpriv", f"--bounding-set=-{power}"], "decisions", tmp_path)
    assert found["auto"].startswith("inotify: every change to ")
    assert "fanotify" not in found["auto"]
    assert found["fanotify"].startswith("inotify: fanotify was asked for in the configuration, but it takes CAP_")
    assert f"CAP_{power.upper()}" in found["fanotify"]


def test_with_both_it_is_fanotify_unless_inotify_is_asked_for(root: Path, tmp_path: Path) -> None:
    assert decided(root, tmp_path, "auto").tier is Tier.FANOTIFY
    assert decided(root, tmp_path, "fanotify").tier is Tier.FANOTIFY
    assert decided(root, tmp_path, "inotify").tier is Tier.INOTIFY


def test_a_file_system_that_cannot_be_marked_is_refused_by_its_name(tmp_path: Path) -> None:
    if why := fanotify_refusal(tmp_path):
        pytest.skip(f"no fanotify here: {why}")
    with pytest.raises(FanotifyRefusedError, match=r"no file handles, or no number \(E\w+\)"):
        Watch(Path("/proc/sys"), tmp_path / "cookies", FanotifyEmitter)


def test_no_more_groups_than_the_kernel_allows(root: Path) -> None:
    limit = int(Path("/proc/sys/fs/fanotify/max_user_groups").read_text())
    groups: list[Fanotify] = []
    try:
        with pytest.raises(FanotifyRefusedError, match=r"fs\.fanotify\.max_user_groups"):
            groups.extend(Fanotify() for _ in range(limit + 1))
    finally:
        for group in groups:
            group.close()


# Mounts --------------------------------------------------------------------------------------------------------------


def with_mounts(what: str, scratch: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount disks")
    if why := fanotify_refusal(scratch):
        pytest.skip(f"no fanotify here: {why}")
    return sandbox(["unshare", "--mount"], what, scratch)


def test_each_mount_below_the_root_is_heard_in_its_own_way(tmp_path: Path) -> None:
    need_disks()
    found = with_mounts("mixed", tmp_path)
    assert found["marks"] == 3
    (refusal,) = found["refusals"]
    assert refusal.startswith("fuse: this kind of file system has no file handles, or no number")
    assert (found["watches"], found["uncovered"]) == (5, 0)  # the root, two mounts, and two directories of the third
    assert found["heard"]["names"] == {path: {"file": True} for path in ("plain/deep", "disk/a/b", "memory/a/b")}
    assert found["moved"]["names"] == {path: {"another": True} for path in ("disk/moved/b", "memory/b")}
    assert found["below"] == ["something below it was unmounted"]


def test_a_root_can_be_unmounted_and_is_heard_again_when_it_is_back(tmp_path: Path) -> None:
    need_disks()
    found = with_mounts("remount", tmp_path)
    assert "the root was unmounted" in found["gone"][0]
    assert list(found["heard"]["names"]) == ["a"]


def test_a_disk_that_takes_the_place_of_another_is_heard(tmp_path: Path) -> None:
    need_disks()
    found = with_mounts("another_disk", tmp_path)
    assert [said["names"] for said in found["heard"]] == [{where: {"file": True}} for where in ("one", "one", "other")]
    assert found["marks"] == 1


def test_what_is_mounted_twice_is_heard_at_both_places(tmp_path: Path) -> None:
    found = with_mounts("twice", tmp_path)
    assert found["inside"]["names"] == {"a/deep": {"file": True}, "b/deep": {"file": True}}
    assert found["outside"]["names"] == {"c/deep": {"file": True}}
    assert found["lid"]["names"] == {"b/lid": {"hidden at a": True}}


def test_what_lies_beside_the_part_of_a_disk_that_is_mounted_is_elsewhere(tmp_path: Path) -> None:
    need_disks()
    assert with_mounts("part_of_a_disk", tmp_path)["names"] == {"a": {"in it": True}}


def test_an_overlay_is_watched_by_inotify_and_the_reason_is_said(tmp_path: Path) -> None:
    found = with_mounts("layered", tmp_path)
    why = "this kind of file system has no file handles, or no number"
    assert found["auto"].startswith("inotify: every change to overlay goes through this kernel")
    assert f"; not by fanotify: {why}" in found["auto"]
    assert found["fanotify"].startswith(f"inotify: fanotify was asked for in the configuration, but {why}")
