"""The kernel refuses: too few watches, too few instances, unmounted, mounted twice. Each in namespaces of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]


def sandbox(options: list[str], what: str, scratch: Path) -> dict[str, Any]:
    unshare = ["unshare", *options]
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"namespaces are not permitted here: {probe.stderr.strip()}")
    command = [*unshare, sys.executable, "-m", "tests.tools.watch_sandbox", what, str(scratch)]
    path = os.pathsep.join([str(CHECKOUT / "daemon"), str(CHECKOUT)])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


def test_directories_beyond_the_limit_are_counted_named_and_covered_later(tmp_path: Path) -> None:
    result = sandbox(["-Ur"], "few_watches", tmp_path)
    assert result["limit"] == 10
    assert result["watches"] == 9  # the tenth is that of the cookies
    assert result["uncovered"] == 12  # of a root and twenty directories in it
    assert len(result["polled"]) == 12
    assert result["complete"]
    assert result["explanations_of_a_cancelled_pass"] == 1
    [explanation] = result["explanations"]  # three passes, one word
    assert "12 directories cannot be watched: ENOSPC" in explanation
    assert "9 of this repository's are watched, 21 need to be; user.max_inotify_watches is 10" in explanation
    assert "sysctl user.max_inotify_watches=32" in explanation
    assert result["polled"][0] not in result["heard"]
    assert result["uncovered_later"] == 0
    assert result["watches_later"] == 21
    assert result["heard_later"] == {result["polled"][0]: ["heard"]}
    assert result["explanations_later"] == 1


def test_without_any_watch_a_barrier_says_why_it_cannot_be_had(tmp_path: Path) -> None:
    result = sandbox(["-Ur"], "no_watch_at_all", tmp_path)
    assert result["limit"] == 0
    assert "cannot watch the cookie directory" in result["error"]
    assert "ENOSPC (the user's watches are used up)" in result["error"]


def test_without_an_instance_the_limit_and_the_way_to_raise_it_are_named(tmp_path: Path) -> None:
    error = sandbox(["-Ur"], "few_instances", tmp_path)["error"]
    assert "(EMFILE)" in error
    assert "user.max_inotify_instances = 1 " in error
    assert "sysctl user.max_inotify_instances=" in error


def test_unmounting_is_reported_and_the_watch_comes_back(tmp_path: Path) -> None:
    result = sandbox(["-Urm"], "unmount", tmp_path)
    assert "the root was unmounted" in result["unmounted"][0]
    assert result["watches"] == 0
    assert result["heard"] == {"a/b": ["file"]}
    assert result["below"] == ["something below it was unmounted"]


def test_a_directory_mounted_twice_is_watched_once_and_said_so(tmp_path: Path) -> None:
    result = sandbox(["-Urm"], "bind_mount", tmp_path)
    heard = result["heard"]
    assert list(heard) in (["a/deep"], ["b/deep"])  # whichever was walked first
    other = "b" if "a/deep" in heard else "a"
    assert sorted(result["uncovered"]) == [other, f"{other}/deep"]
    assert "mounted twice" in result["explanations"][0]
