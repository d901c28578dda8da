"""Named statements: each ``.sql`` file in this package holds several, each behind a line ``-- name: something``."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final, LiteralString, cast

_NAME: Final = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


class Queries:
    """The statements of one file, as attributes of their names.

    Args:
        file: name of the file in the package's ``sql`` folder.
    """

    def __init__(self, file: str) -> None:
        text = (files(__package__) / "sql" / file).read_text(encoding="utf-8")
        _, *parts = _NAME.split(text)
        self._file = file
        self._statements = {name: statement.strip() for name, statement in zip(parts[::2], parts[1::2], strict=True)}

    def __getattr__(self, name: str) -> LiteralString:
        try:
            # The text comes from this package, never from outside: as good as written in the source.
            return cast("LiteralString", self._statements[name])
        except KeyError:
            raise AttributeError(f"{self._file} has no statement named {name}") from None
