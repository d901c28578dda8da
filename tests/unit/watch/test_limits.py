from __future__ import annotations

import errno
from pathlib import Path

import pytest

from censusd.errors import WatchError
from censusd.watch import limits


def test_the_kernel_says_what_the_limits_are() -> None:
    assert limits.watch_limit() > 0
    assert limits.instance_limit() > 0


def test_the_smallest_limit_counts_and_is_the_one_to_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for name, content in (("big", "8000\n"), ("small", "20\n"), ("broken", "x")):
        file = tmp_path / name
        file.write_text(content)
        files.append(str(file))
    monkeypatch.setattr(limits, "_WATCHES", (*files, str(tmp_path / "absent")))
    assert limits.watch_limit() == 20
    text = limits.explain_watches(15, 100, limits.explain_refusal(OSError(errno.ENOSPC, "")))
    assert text.startswith("100 directories cannot be watched: ENOSPC (the user's watches are used up). ")
    assert "115 need to be" in text
    assert "small=128 " in text


def test_other_reasons_come_without_advice_on_limits() -> None:
    reason = limits.explain_refusal(OSError(errno.EACCES, ""))
    text = limits.explain_watches(15, 2, reason)
    assert "EACCES (Permission denied)" in text
    assert "sysctl" not in text


def test_the_two_reasons_for_no_instance_are_told_apart() -> None:
    assert "max_user_instances" in limits.explain_instances(errno.EMFILE)
    assert "fs.file-max" in limits.explain_instances(errno.ENFILE)


def test_a_kernel_that_says_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_INSTANCES", (str(tmp_path / "absent"),))
    with pytest.raises(WatchError, match=r"cannot read .*absent"):
        limits.instance_limit()
