"""git itself, asked what it ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest


class GitOracle:
    """A repository that knows its rules only from here: ``outer`` come before ``inner``, and those before the tree's.

    Args:
        directory: where to keep it.
    """

    def __init__(self, directory: Path) -> None:
        if shutil.which("git") is None:
            pytest.skip("there is no git here to compare with")
        subprocess.run(["git", "init", "--quiet", "--bare", directory], check=True)
        (directory / "config-of-nobody").write_text(f"[core]\nexcludesFile = {directory / 'outer'}\n")
        self._directory = directory

    def ignores(self, tree: Path, paths: Sequence[str], inner: bytes, outer: bytes = b"") -> dict[str, bool]:
        """Whether each of the paths in ``tree`` is ignored, itself or for a directory above it."""
        (self._directory / "outer").write_bytes(outer)
        (self._directory / "info/exclude").write_bytes(inner)
        where = [f"--git-dir={self._directory}", f"--work-tree={tree}"]
        told = subprocess.run(
            ["git", *where, "check-ignore", "--no-index", "--verbose", "--non-matching", "--stdin", "-z"],
            input=b"".join(path.encode() + b"\0" for path in paths),
            capture_output=True,
            check=False,
            cwd=tree,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_SYSTEM": os.devnull,
                "GIT_CONFIG_GLOBAL": str(self._directory / "config-of-nobody"),
            },
        )
        assert told.returncode in {0, 1}, told.stderr
        fields = told.stdout.decode().split("\0")[:-1]
        # Each path comes with the file, the line and the pattern that decided, or with nothing.
        answers = zip(fields[0::4], fields[2::4], fields[3::4], strict=True)
        return {path: bool(file) and not pattern.startswith("!") for file, pattern, path in answers}
