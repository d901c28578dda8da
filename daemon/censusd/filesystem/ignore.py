"""Which names are catalogued: one policy for the walk and for the watch.

Three layers, as in git: the built-in rules, the repository's own patterns, and a ``.censusignore`` in any directory;
the innermost pattern that says anything about a name decides. *Protected* areas come before all of them and cannot be
included again from inside the tree. Patterns have gitignore syntax and are matched by ``pathspec``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from censusd.filesystem.names import bytes_of, text_of
from censusd.model import ROOT, join

DEFAULT_PATTERNS: Final = (".*", "*~", "*.tmp", "*.temp", ".DS_Store", "Thumbs.db")
"""The built-in rules, as gitignore patterns; ``_hidden_by_default`` is the same in a tenth of the time."""

LAST_OF_HIDDEN: Final = "~pb"
"""Each name that the built-in rules hide begins with a dot or ends with one of these."""

_DEFAULT_SUFFIXES: Final = ("~", ".tmp", ".temp")
_LARGEST_IGNORE_FILE: Final = 1 << 20


def _hidden_by_default(name: str) -> bool:
    return name[0] == "." or name.endswith(_DEFAULT_SUFFIXES) or name == "Thumbs.db"


@dataclass(frozen=True, slots=True)
class _Layer:
    """The patterns that hold from one directory downwards."""

    base: str
    patterns: GitIgnoreSpec

    def verdict(self, path: str) -> bool | None:
        """Whether ``path`` is hidden (True), included again (False), or not spoken of (None)."""
        relative = path[len(self.base) + 1 :] if self.base else path
        return self.patterns.check_file(relative).include


class DirectoryPolicy:
    """The policy as it holds inside one directory.

    Attributes:
        path: relative path of the directory.
        version: a digest over every rule in force here; part of the listing digest, so that a changed rule is noticed.
        only_defaults: whether nothing but the built-in rules can match here, which a hot loop may test by itself.
    """

    __slots__ = ("_layers", "_policy", "only_defaults", "path", "version")

    def __init__(self, policy: IgnorePolicy, path: str, layers: tuple[_Layer, ...], version: bytes) -> None:
        self._policy = policy
        self._layers = layers
        self.path = path
        self.version = version
        self.only_defaults = not layers and policy.is_simple

    def hides(self, name: str, *, directory: bool) -> bool:
        """Whether the file or directory ``name`` in this directory is left out of the catalogue."""
        policy = self._policy
        if self.only_defaults:
            return policy.default_excludes and _hidden_by_default(name)
        path = join(self.path, name)
        if directory:
            if path in policy.hidden_paths:
                return True
            path += "/"
        if policy.protected is not None and policy.protected.verdict(path):
            return True
        for layer in self._layers:
            verdict = layer.verdict(path)
            if verdict is not None:
                return verdict
        return policy.default_excludes and _hidden_by_default(name)

    def below(self, name: str) -> DirectoryPolicy:
        """The policy for the subdirectory ``name``, before its own ignore file is read."""
        return DirectoryPolicy(self._policy, join(self.path, name), self._layers, self.version)

    def with_ignore_file(self, directory_fd: int) -> DirectoryPolicy:
        """This policy together with the ignore file in the directory open as ``directory_fd``, if there is one.

        Raises:
            OSError: there is one and it cannot be read; what it says is then unknown, and so is what to list.
        """
        content = _read_ignore_file(directory_fd, self._policy.ignore_file)
        if content is None:
            return self
        layer = _Layer(self.path, _compile(text_of(content).splitlines()))
        version = _digest(self.version, self.path.encode("utf-8", "surrogatepass"), content)
        return DirectoryPolicy(self._policy, self.path, (layer, *self._layers), version)


class IgnorePolicy:
    """A repository's policy, from its configuration.

    Args:
        default_excludes: whether the built-in rules hold.
        exclude: further patterns, relative to the root; ``!pattern`` includes again.
        protected: patterns of areas that are never catalogued, whatever else says otherwise.
        ignore_file: name of the per-directory ignore file, or empty for none.
        hidden_paths: relative paths of directories to leave out, for instance mount points.

    Attributes:
        arguments: all of the above as plain values, from which another process can make the same policy.
    """

    def __init__(
        self,
        *,
        default_excludes: bool = True,
        exclude: Iterable[str] = (),
        protected: Iterable[str] = (),
        ignore_file: str = ".censusignore",
        hidden_paths: Iterable[str] = (),
    ) -> None:
        exclude, protected, hidden_paths = tuple(exclude), tuple(protected), frozenset(hidden_paths)
        self.arguments: Final[dict[str, Any]] = {
            "default_excludes": default_excludes,
            "exclude": exclude,
            "protected": protected,
            "ignore_file": ignore_file,
            "hidden_paths": hidden_paths,
        }
        self.default_excludes = default_excludes
        self.ignore_file = ignore_file
        self.hidden_paths = hidden_paths
        self.protected = _Layer(ROOT, _compile(protected)) if protected else None
        self._layers = (_Layer(ROOT, _compile(exclude)),) if exclude else ()
        self._version = _digest(
            *(DEFAULT_PATTERNS if default_excludes else ()),
            b"exclude",
            *exclude,
            b"protected",
            *protected,
            b"paths",
            *sorted(self.hidden_paths),
        )

    @property
    def is_simple(self) -> bool:
        """Whether no rule depends on more than the last name."""
        return self.protected is None and not self.hidden_paths

    def root(self) -> DirectoryPolicy:
        """The policy for the root, before its own ignore file is read."""
        return DirectoryPolicy(self, ROOT, self._layers, self._version)


def _compile(lines: Iterable[str]) -> GitIgnoreSpec:
    """The patterns that can be understood; as in git, one that cannot be matches nothing."""
    patterns: list[GitIgnoreSpecPattern] = []
    for line in lines:
        try:
            patterns.extend(GitIgnoreSpec.from_lines([line]).patterns)
        except (GitIgnorePatternError, re.error):
            continue
    return GitIgnoreSpec(patterns)


def _read_ignore_file(directory_fd: int, name: str) -> bytes | None:
    if not name:
        return None
    try:
        # Never through a symlink, and never waiting for the other end of a FIFO.
        fd = os.open(bytes_of(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory_fd)
    except FileNotFoundError:
        return None
    except OSError:
        if stat.S_ISREG(os.stat(bytes_of(name), dir_fd=directory_fd, follow_symlinks=False).st_mode):
            raise
        return None
    with open(fd, "rb") as file:
        return file.read(_LARGEST_IGNORE_FILE) if stat.S_ISREG(os.fstat(fd).st_mode) else None


def _digest(*parts: str | bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()
