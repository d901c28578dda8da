"""Patterns in gitignore syntax: what one entry of a directory is to a list of them.

The syntax is that of gitignore(5); where that leaves something open, git's dir.c and wildmatch.c decide, and the tests
hold this module against git itself. It is not a library's work because of three things that a walk needs. A pattern
matches one entry, never what lies below it: ``!thumbnails`` includes that directory again, but not the temporary files
in it. Any character may stand in a name, newlines too. And no pattern takes long, whoever wrote it.

One thing differs from git: ``?`` and ``[...]`` stand for one character, not for one byte of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Final

_STAR: Final = "*"
"""Stands for itself among tokens, all others of which are regular expressions for one character."""

_ANY: Final = "[^/]"

# As in git's ctype.c: ASCII only, and neither form feed nor vertical tab are spaces.
_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern.

    Attributes:
        expression: a regular expression that the whole subject has to match.
        hides: False for a pattern that includes again.
        only_directories: whether it is about directories alone.
        by_name: whether the subject is the last name, at any depth; else it is the path from the pattern's base.
    """

    expression: str
    hides: bool
    only_directories: bool
    by_name: bool


class Patterns:
    """A list of patterns, the last of which to match an entry decides.

    Args:
        lines: the patterns; as in git, comments and what cannot be understood match nothing.

    Attributes:
        version: a digest over all that they mean.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        patterns = [pattern for pattern in map(parse, lines) if pattern is not None]
        runs = groupby(patterns, lambda pattern: (pattern.hides, pattern.only_directories, pattern.by_name))
        # Neighbours that mean the same are one expression, which the interpreter enters once.
        self._runs: list[tuple[re.Pattern[str], bool, bool, bool]] = [
            (re.compile("|".join(each.expression for each in run)), *key) for key, run in runs
        ]
        self._runs.reverse()
        self.version = blake2b(repr(patterns).encode(), digest_size=16).digest()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def verdict(self, path: str, name: str, *, directory: bool) -> bool | None:
        """Whether an entry is hidden (True), included again (False), or not spoken of (None).

        Args:
            path: its path relative to the patterns' base.
            name: its last name.
            directory: whether it is a directory.
        """
        for expression, hides, only_directories, by_name in self._runs:
            if (directory or not only_directories) and expression.fullmatch(name if by_name else path):
                return hides
        return None


def parse(line: str) -> Pattern | None:
    """The pattern on a line; None if it can match nothing: a comment, an empty or an ill-formed one."""
    line = _without_trailing_spaces(line)
    if line.startswith("#"):
        return None
    body = line.removeprefix("!")
    hides = body == line
    only_directories = body.endswith("/")
    body = body[:-1] if only_directories else body
    by_name = "/" not in body
    components = _components(body if by_name else body.removeprefix("/"))
    if components is None:
        return None
    expression = _glob(components[0]) if by_name else _path(components)
    return Pattern(expression, hides, only_directories, by_name)


def _without_trailing_spaces(line: str) -> str:
    """Without the spaces at the end that no backslash keeps."""
    kept = line.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return kept + " " if backslashes % 2 and kept != line else kept


def _components(body: str) -> list[list[str]] | None:
    """The tokens of each component of a path; None if no path can match."""
    components: list[list[str]] = [[]]
    at = 0
    while at < len(body):
        character = body[at]
        at += 1
        escaped = character == "\\"
        if escaped:
            if at == len(body):
                return None
            character = body[at]
            at += 1
        if character == "/":
            components.append([])
        elif escaped:
            components[-1].append(re.escape(character))
        elif character == "[":
            found = _bracket(body, at)
            if found is None:
                return None
            token, at = found
            components[-1].append(token)
        else:
            token = {"*": _STAR, "?": _ANY}.get(character) or re.escape(character)
            components[-1].append(token)
    return components if all(components) else None


def _bracket(body: str, at: int) -> tuple[str, int] | None:
    """The expression for a set of characters, and where it ends; None if it does not end, or is none.

    Args:
        body: the pattern.
        at: where the set begins, behind its bracket.
    """
    negated = body[at : at + 1] in {"!", "^"}
    begin = at = at + negated
    members: list[str] = []
    first = ""  # what a range may begin with
    while at == begin or body[at : at + 1] != "]":
        character = body[at : at + 1]
        at += 1
        if character == "-" and first and body[at : at + 1] not in {"", "]"}:
            at += body[at] == "\\"
            last = body[at : at + 1]
            if first <= last:
                members.append(f"{re.escape(first)}-{re.escape(last)}")
            at, first = at + 1, ""
        elif (
            character == "["
            and body[at : at + 1] == ":"
            and (end := body.find("]", at + 1)) > at + 1
            and body[end - 1] == ":"
        ):
            members.append(_CLASSES.get(body[at + 1 : end - 1], ""))
            if not members[-1]:
                return None
            at, first = end + 1, ""
        else:
            if character == "\\":
                character = body[at : at + 1]
                at += 1
            members.append(re.escape(character))
            first = character
        if at >= len(body):
            return None
    return f"(?!/)[{'^' if negated else ''}{''.join(members)}]", at + 1


def _glob(tokens: list[str]) -> str:
    """The expression for one component.

    What stands between two stars is taken where it comes first, and no other place is ever tried: a later one could not
    help the rest to match. That is what keeps ``*a*a*a*b`` from taking years.
    """
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == _STAR:
            parts.append([])
        else:
            parts[-1].append(token)
    first, *others = ["".join(part) for part in parts]
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{part})" for part in middle if part) + f"[^/]*{last}"


def _path(components: list[list[str]]) -> str:
    """The expression for several components, of which ``**`` stands for any number; the same holds as for stars."""
    parts: list[list[str]] = [[]]
    for tokens in components:
        if len(tokens) > 1 and all(token == _STAR for token in tokens):
            parts.append([])
        else:
            parts[-1].append(_glob(tokens))
    first, *others = ["/".join(part) for part in parts]
    if not others:
        return first
    *middle, last = others
    head = f"{first}/" if first else ""
    inner = "".join(f"(?>(?:[^/]+/)*?{part}/)" for part in middle if part)
    return head + inner + (f"(?:[^/]+/)*?{last}" if last else "(?s:.+)")
