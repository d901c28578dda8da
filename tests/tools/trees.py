"""Large trees for benchmarks, made quickly."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def make_tree(root: Path, directories: int, files: int) -> None:
    """A tree of ``directories`` directories, a hundred in each group, with ``files`` empty files each."""
    for number in range(directories):
        directory = root / f"{number // 100:03d}" / f"{number:05d}"
        directory.mkdir(parents=True)
        fill(directory, files)


def fill(directory: Path, files: int, prefix: str = "img") -> None:
    """Make ``files`` empty files in a directory."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(files):
            os.close(os.open(f"{prefix}_{number:05d}.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    finally:
        os.close(fd)


def change_one_percent(root: Path, seed: int) -> int:
    """Write to, rename or remove every hundredth file, a different hundredth for each seed. Returns how many."""
    changed = 0
    for group in sorted(root.iterdir()):
        for directory in sorted(group.iterdir()):
            names = sorted(os.listdir(directory))
            number = int(directory.name)
            for name in names[(number * 7 + seed) % 100 :: 100]:
                file = directory / name
                match changed % 3:
                    case 0:
                        file.write_text(f"changed {seed}")
                    case 1:
                        file.rename(directory / f"moved_{seed}_{name}")
                    case _:
                        file.unlink()
                changed += 1
    return changed


def remove_tree(root: Path) -> None:
    """Remove a tree, if it is there."""
    shutil.rmtree(root, ignore_errors=True)
