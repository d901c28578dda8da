"""What a disk does wrong while a file is looked into is not the file's own fault."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from censusd.deepscan.examine import Examiner
from censusd.deepscan.messages import Finding, Job, Outcome
from censusd.extractors.registry import Registry
from censusd.filesystem.ignore import IgnorePolicy
from censusd.filesystem.walk import Tree
from tests.tools.tiny_files import jpeg, landscape


def examined(root: Path, registry: Registry | None = None) -> Finding:
    """What is found out about the picture, by all extractors if it is not said by which."""
    status = (root / "picture.jpg").stat()
    version = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    with Tree(root, IgnorePolicy(ignore_file="")) as tree:
        return Examiner(registry or Registry()).examine(
            tree, Job(1, str(root), "", "picture.jpg", version, hashing=True)
        )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "picture.jpg").write_bytes(jpeg(landscape(random.Random(1)), "Canon", "R6", "2024:05:01 12:00:00"))
    return tmp_path


@pytest.mark.parametrize("position", ["1 << 30", "(1 << 63) - 10", "1 << 63", "-1"])
def test_a_file_that_leads_its_reader_astray_is_hashed_all_the_same(tmp_path: Path, position: str) -> None:
    """No disk has such a place, and to ask it for that is no error of the disk."""
    content = f"!source.file.seek({position}), source.file.read(100)".encode()
    (tmp_path / "picture.jpg").write_bytes(content)
    finding = examined(tmp_path, Registry(("tests.tools.hostile:Obedient",)))
    assert (finding.outcome, finding.hash) == (Outcome.DONE, sha256(content).hexdigest())


def test_a_picture_is_read(root: Path) -> None:
    finding = examined(root)
    assert (finding.outcome, finding.problem) == (Outcome.DONE, None)
    assert finding.metadata is not None


@pytest.mark.parametrize(
    ("number", "outcome"),
    [(errno.EIO, Outcome.FAILED), (errno.ESTALE, Outcome.UNSEEN), (errno.ETIMEDOUT, Outcome.UNSEEN)],
)
def test_an_error_while_metadata_is_read_has_the_file_read_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, outcome: Outcome
) -> None:
    """Only for a moment: it is over when the content is hashed."""
    read, calls = os.preadv, []

    def fails_once(fd: int, buffers: Sequence[Any], offset: int, flags: int = 0) -> int:
        calls.append(offset)
        if len(calls) == 2:  # the first one is for choosing an extractor
            raise OSError(number, os.strerror(number))
        return read(fd, buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", fails_once)
    assert examined(root).outcome is outcome
