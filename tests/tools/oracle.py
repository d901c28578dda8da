"""What a catalogue has to say of a tree, found out without any code of the daemon's but the mapping of names to text.

Knows the ignore rules in a grammar of its own, for the patterns that ``tests.tools.operations`` writes.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from censusd.filesystem.names import text_of

Stat = tuple[int, int, int, int, int]
"""Size, mtime_ns, ctime_ns, inode, links."""

_IGNORE_FILE: Final = b".censusignore"


@dataclass
class DiskView:
    """What is on disk and should be on record.

    Attributes:
        files: path -> stat of every file.
        directories: path -> inode of every directory, the root included.
    """

    files: dict[str, Stat] = field(default_factory=dict)
    directories: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Rule:
    """One line of an ignore file."""

    base: bytes
    pattern: bytes
    includes: bool
    directories_only: bool
    anchored: bool

    def matches(self, path: bytes, *, directory: bool) -> bool:
        if self.directories_only and not directory:
            return False
        if not self.anchored:
            return fnmatch.fnmatchcase(path.rpartition(b"/")[2], self.pattern)
        relative = path[len(self.base) + 1 :] if self.base else path
        names, patterns = relative.split(b"/"), self.pattern.split(b"/")
        return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))


def look_at(root: Path) -> DiskView:
    """Everything at ``root`` that is to be catalogued under the built-in rules and the ignore files."""
    view = DiskView()
    _look(os.fsencode(root), b"", [], view)
    return view


def _look(root: bytes, directory: bytes, rules: list[_Rule], view: DiskView) -> None:
    place = os.path.join(root, directory)
    view.directories[text_of(directory)] = os.lstat(place).st_ino
    rules = rules + _rules_in(place, directory)
    for name in sorted(os.listdir(place)):
        path = directory + b"/" + name if directory else name
        found = os.lstat(os.path.join(place, name))
        is_directory = stat.S_ISDIR(found.st_mode)
        if _is_hidden(path, rules, directory=is_directory):
            continue
        if is_directory:
            _look(root, path, rules, view)
        elif stat.S_ISREG(found.st_mode):
            view.files[text_of(path)] = (
                *(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_nlink),
            )


def _rules_in(place: bytes, base: bytes) -> list[_Rule]:
    file = os.path.join(place, _IGNORE_FILE)
    if not os.path.isfile(file) or os.path.islink(file):
        return []
    with open(file, "rb") as opened:
        lines = opened.read().split(b"\n")
    rules = []
    for line in lines:
        if not line or line.startswith(b"#"):
            continue
        pattern = line.removeprefix(b"!")
        core = pattern.rstrip(b"/")
        rules.append(
            _Rule(
                base=base,
                pattern=core.removeprefix(b"/"),
                includes=line.startswith(b"!"),
                directories_only=pattern.endswith(b"/"),
                anchored=b"/" in core,
            )
        )
    return rules


def _is_hidden(path: bytes, rules: list[_Rule], *, directory: bool) -> bool:
    """The last rule that matches decides; the built-in ones come before all others."""
    for rule in reversed(rules):
        if rule.matches(path, directory=directory):
            return not rule.includes
    name = path.rpartition(b"/")[2]
    return name.startswith(b".") or name.endswith((b"~", b".tmp", b".temp")) or name == b"Thumbs.db"
