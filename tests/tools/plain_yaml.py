"""A reader for the YAML that this project's rule files are written in, so that tests need no library to check them.

It knows mappings, lists, texts in one line, flow lists of plain texts, and block scalars; it refuses everything else
rather than misread it. What promtool and Prometheus make of the same files is tested with them.
"""

from __future__ import annotations

import re
from typing import Any

_PAIR = re.compile(r"([A-Za-z_][\w.-]*):(?: (.*))?")
_FOLDS = {"|-": "\n", ">-": " "}


def read(text: str) -> Any:
    """The document in a text.

    Raises:
        ValueError: it has something that this reader does not know.
    """
    reader = _Reader(text)
    value = reader.block(0)
    if reader.lines:
        raise ValueError(f"not understood: {reader.lines[0]!r}")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    def block(self, indent: int) -> Any:
        """The mapping or list that begins at an indentation."""
        if self._is_item(indent):
            return self._list(indent)
        return self._mapping(indent)

    def _list(self, indent: int) -> list[Any]:
        items = []
        while self._is_item(indent):
            rest = self.lines[0][indent + 2 :]
            if _PAIR.fullmatch(rest):
                # The first pair of a mapping stands in the item's own line.
                self.lines[0] = " " * (indent + 2) + rest
                items.append(self._mapping(indent + 2))
            else:
                self.lines.pop(0)
                items.append(_scalar(rest))
        return items

    def _mapping(self, indent: int) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while self.lines and _indent(self.lines[0]) == indent and not self._is_item(indent):
            line = self.lines.pop(0)
            match = _PAIR.fullmatch(line[indent:])
            if match is None or match[1] in pairs:
                raise ValueError(f"not understood: {line!r}")
            pairs[match[1]] = self._value(indent, match[2])
        return pairs

    def _value(self, indent: int, text: str | None) -> Any:
        if text in _FOLDS:
            lines = []
            while self.lines and _indent(self.lines[0]) > indent:
                lines.append(self.lines.pop(0))
            least = min(map(_indent, lines))
            return _FOLDS[text].join(line[least:] for line in lines)
        if text is not None:
            return _scalar(text)
        return self.block(_indent(self.lines[0]))

    def _is_item(self, indent: int) -> bool:
        return bool(self.lines) and _indent(self.lines[0]) == indent and self.lines[0].startswith("- ", indent)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _scalar(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    for quote in "'\"":
        if text.startswith(quote):
            if len(text) < 2 or not text.endswith(quote) or quote in text[1:-1] or "\\" in text:
                raise ValueError(f"not understood: {text!r}")
            return text[1:-1]
    if text[0] in "&*!%@`{}|>?-" or ": " in text or " #" in text:
        raise ValueError(f"not understood: {text!r}")
    return text
