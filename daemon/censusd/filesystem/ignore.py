"""Which names are catalogued: one policy for the walk and for the watch.

Three layers, as in git: the built-in rules, the repository's own patterns, and a ``.censusignore`` in any directory;
the innermost pattern that says anything about a name decides. Nothing below a hidden directory is ever looked at, so
nothing there can be included again. *Protected* areas come before all of them and cannot be included again from inside
the tree. Patterns have gitignore syntax (see ``censusd.filesystem.patterns``).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from censusd.filesystem.names import bytes_of, text_of
from censusd.filesystem.patterns import Patterns
from censusd.model import ROOT, join

DEFAULT_PATTERNS: Final = (".*", "*~", "*.tmp", "*.temp", ".DS_Store", "Thumbs.db")
"""The built-in rules, as gitignore patterns; ``_hidden_by_default`` is the same in a tenth of the time."""

LAST_OF_HIDDEN: Final = "~pb"
"""Each name that the built-in rules hide begins with a dot or ends with one of these."""

_DEFAULT_SUFFIXES: Final = ("~", ".tmp", ".temp")
LARGEST_IGNORE_FILE: Final = 1 << 16
"""Bytes. A larger one is refused as a whole: half of its rules would be other rules, and all of them take too long."""

_MOST_REMEMBERED: Final = 32
_BOM: Final = b"\xef\xbb\xbf"
_REPLACED: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO})
"""How an open fails when there is something else by now than the regular file of a moment ago."""


def _hidden_by_default(name: str) -> bool:
    return name[0] == "." or name.endswith(_DEFAULT_SUFFIXES) or name == "Thumbs.db"


@dataclass(frozen=True, slots=True)
class _Layer:
    """The patterns that hold from one directory downwards."""

    base: str
    patterns: Patterns

    def verdict(self, path: str, name: str, *, directory: bool) -> bool | None:
        """Whether an entry is hidden (True), included again (False), or not spoken of (None)."""
        relative = path[len(self.base) + 1 :] if self.base else path
        return self.patterns.verdict(relative, name, directory=directory)


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
        if path in policy.hidden_paths:
            return True
        if policy.protected is not None and policy.protected.verdict(path, name, directory=directory):
            return True
        for layer in self._layers:
            verdict = layer.verdict(path, name, directory=directory)
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
        patterns = _patterns_in(content) if content else None
        if not patterns:
            return self
        version = _digest(self.version, patterns.version)
        return DirectoryPolicy(self._policy, self.path, (_Layer(self.path, patterns), *self._layers), version)


class IgnorePolicy:
    """A repository's policy, from its configuration.

    Args:
        default_excludes: whether the built-in rules hold.
        exclude: further patterns, relative to the root; ``!pattern`` includes again.
        protected: patterns of areas that are never catalogued, whatever else says otherwise.
        ignore_file: name of the per-directory ignore file, or empty for none.
        hidden_paths: relative paths to leave out, for instance mount points.

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
        excluded, kept_out = Patterns(exclude), Patterns(protected)
        self.protected = _Layer(ROOT, kept_out) if kept_out else None
        self._layers = (_Layer(ROOT, excluded),) if excluded else ()
        defaults = repr(DEFAULT_PATTERNS if default_excludes else ())
        self._version = _digest(defaults, excluded.version, kept_out.version, *sorted(self.hidden_paths))

    @property
    def is_simple(self) -> bool:
        """Whether no rule depends on more than the last name."""
        return self.protected is None and not self.hidden_paths

    def root(self) -> DirectoryPolicy:
        """The policy for the root, before its own ignore file is read."""
        return DirectoryPolicy(self, ROOT, self._layers, self._version)


@lru_cache(_MOST_REMEMBERED)
def _patterns_in(content: bytes) -> Patterns:
    """The patterns in an ignore file, which is read again at each look and hardly ever differs."""
    # As in git: lines end in a newline, and what some editors put around them is no part of them.
    lines = content.removeprefix(_BOM).split(b"\n")
    return Patterns(text_of(line.removesuffix(b"\r")) for line in lines)


def _read_ignore_file(directory_fd: int, name: str) -> bytes | None:
    """What is in the ignore file; None if there is none, or something else than a file."""
    if not name:
        return None
    raw = bytes_of(name)
    try:
        # To open a device may do something to it, and a symlink leads who knows where.
        if not stat.S_ISREG(os.stat(raw, dir_fd=directory_fd, follow_symlinks=False).st_mode):
            return None
    except FileNotFoundError:
        return None
    try:
        fd = os.open(raw, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory_fd)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            content = b""
            while more := os.read(fd, LARGEST_IGNORE_FILE + 1 - len(content)):
                content += more
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _REPLACED:
            return None
        number = error.errno or errno.EIO
        raise OSError(number, f"its ignore file {name} cannot be read: {os.strerror(number)}") from error
    if len(content) > LARGEST_IGNORE_FILE:
        raise OSError(errno.EFBIG, f"its ignore file {name} has more than {LARGEST_IGNORE_FILE} bytes")
    return content


def _digest(*parts: str | bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()
