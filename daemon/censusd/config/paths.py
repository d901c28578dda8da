"""Kinds of value that speak of files: paths, names and patterns."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec

from censusd.config.kinds import Kind, Text, text_literal
from censusd.config.words import printable, shortened


class AbsolutePath(Kind[Path]):
    """A path from the root directory. It need not exist.

    Args:
        automatic: whether the empty text is allowed; it gives ``Path()``, which stands for "not chosen".
    """

    expected = "an absolute path"

    def __init__(self, *, automatic: bool = False) -> None:
        self._automatic = automatic

    def _read(self, raw: Any) -> Path:
        if not isinstance(raw, str):
            raise ValueError
        if raw == "" and self._automatic:
            return Path()
        if raw.startswith("~"):
            raise ValueError("~ is not expanded; write the directory out")
        if not raw.startswith("/"):
            raise ValueError
        if "\0" in raw:
            raise ValueError("it contains a NUL character")
        try:
            os.fsencode(raw)
        except UnicodeEncodeError:
            raise ValueError("this system's character set cannot hold it") from None
        # POSIX lets two leading slashes mean something else, Linux does not; pathlib would keep them.
        return Path("/" + raw.lstrip("/"))

    def _write(self, value: Path) -> str:
        return text_literal("" if value == Path() else str(value))


def file_name_or_empty() -> Text:
    """The name of a file in any directory, or nothing."""
    return Text(
        "the name of a file, without a slash",
        lambda name: name not in (".", "..") and "/" not in name and "\0" not in name,
    )


def relative_path_or_empty() -> Text:
    """A path below a repository's root, or nothing."""
    return Text("a path relative to the repository's root, without ..", _is_relative)


def _is_relative(text: str) -> bool:
    parts = text.split("/")
    return not text or ("\0" not in text and all(part not in ("", ".", "..") for part in parts))


class RelativePaths(Kind[tuple[str, ...]]):
    """A list of directories below a repository's root; a slash at the end does no harm."""

    expected = "an array of paths relative to the repository's root, without .."

    def _read(self, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise ValueError
        paths = []
        for number, path in enumerate(raw, 1):
            if not isinstance(path, str) or not path.rstrip("/") or not _is_relative(path.rstrip("/")):
                raise ValueError(f"number {number} is not one")
            paths.append(path.rstrip("/"))
        return tuple(paths)

    def _write(self, value: tuple[str, ...]) -> str:
        return f"[{', '.join(map(text_literal, value))}]"


class Patterns(Kind[tuple[str, ...]]):
    """A list of gitignore patterns, each of which can match something."""

    expected = "an array of gitignore patterns"

    def _read(self, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise ValueError
        for number, pattern in enumerate(raw, 1):
            problem = _pattern_problem(pattern)
            if problem:
                raise ValueError(f"number {number} {problem}")
        return tuple(raw)

    def _write(self, value: tuple[str, ...]) -> str:
        return f"[{', '.join(map(text_literal, value))}]"


def _pattern_problem(pattern: object) -> str:
    if not isinstance(pattern, str):
        return "is not a text"
    quoted = f'("{shortened(printable(pattern))}")'
    if pattern.startswith("#"):
        return f'{quoted} is a comment in gitignore syntax; write "\\\\#" for a name that begins with #'
    if "\n" in pattern or "\0" in pattern:
        return f"{quoted} contains a line break or a NUL character"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of re, about [[ in a pattern
            compiled = list(GitIgnoreSpec.from_lines([pattern]).patterns)
    except (ValueError, re.error):
        return f"{quoted} is not a pattern"
    return "" if any(one.include is not None for one in compiled) else f"{quoted} matches nothing"
