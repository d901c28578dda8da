"""What becomes of files on record tells whether a tree is the one in the catalogue."""

from __future__ import annotations

import pytest

from censusd.service.trees import judge


@pytest.mark.parametrize(
    ("looks", "says"),
    [
        ([], None),
        (["same"], None),
        (["same", "gone"], None),
        (["same", "other", "closed", "same"], None),
        (["same", "gone", "gone"], "of 3 files on record that were looked for in it, 2 are not there"),
        (["closed"], "of 1 files on record that were looked for in it, 1 may not be read by this user"),
        (["other", "other", "gone"], "of 3 files on record that were looked for in it, 2 have other inode numbers"),
    ],
    ids=range(7),
)
def test_half_of_the_files_on_record_are_enough(looks: list[str], says: str | None) -> None:
    reason = judge(looks)
    assert reason == says if says is None else reason is not None and reason.startswith(says)
