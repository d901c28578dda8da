"""The kinds of value a key can have: how to read one from TOML, what to say of a wrong one, how to write it back.

A kind's ``read`` gives the plain value that the rest of the program works with (float seconds, int, tuple, ``Path``),
or raises ``ValueError``. The text of that error is a remark on what is wrong, or empty where what was expected says it
all.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from censusd.config import values
from censusd.config.words import printable
from censusd.deepscan.idle import Window, parse_window

T = TypeVar("T")

NEVER: Final = "never"


class Kind(ABC, Generic[T]):
    """One kind of value.

    Attributes:
        expected: what a value has to be, to complete "expected ...".
        bounds: what the reference says of a value's range, or empty where the key's own text does.
        secret: whether a wrong value must not be quoted.
    """

    expected: str
    bounds: str = ""
    secret: bool = False

    def read(self, raw: Any) -> T:
        """The value meant by what the TOML document holds.

        Raises:
            ValueError: it is not one of this kind.
        """
        return self._read(raw)

    def write(self, value: T) -> str:
        """The TOML literal that reads as ``value``."""
        return self._write(value)

    @abstractmethod
    def _read(self, raw: Any) -> T: ...

    @abstractmethod
    def _write(self, value: T) -> str: ...


class Boolean(Kind[bool]):
    """``true`` or ``false``."""

    expected = "true or false"

    def _read(self, raw: Any) -> bool:
        if not isinstance(raw, bool):
            raise ValueError
        return raw

    def _write(self, value: bool) -> str:  # noqa: FBT001 - the value is what this is about
        return "true" if value else "false"


class Integer(Kind[int]):
    """A whole number within bounds."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self._minimum, self._maximum = minimum, maximum
        self.bounds = f"From {minimum} to {maximum}."
        self.expected = f"a whole number from {minimum} to {maximum}"

    def _read(self, raw: Any) -> int:
        # For Python true is an int; for whoever wrote it, it is not.
        if type(raw) is not int or not self._minimum <= raw <= self._maximum:
            raise ValueError
        return raw

    def _write(self, value: int) -> str:
        return str(value)


class Measured(Kind[T]):
    """A number with a unit as a text, or a bare number, within bounds; see ``duration``, ``size``, ``percentage``."""

    def __init__(
        self,
        what: str,
        minimum: str,
        maximum: str,
        *,
        parse: Callable[[str], float],
        number: Callable[[float], T],
        write: Callable[[T], str],
    ) -> None:
        self._parse, self._number, self._format = parse, number, write
        self._minimum, self._maximum = parse(minimum), parse(maximum)
        self.bounds = f"From {minimum} to {maximum}."
        self.expected = f"{what}, from {minimum} to {maximum}"

    def _read(self, raw: Any) -> T:
        value = self._parse(raw) if isinstance(raw, str) else raw
        # Asks for the exact type because true is an int for Python; a NaN is in no range.
        if type(value) not in (int, float) or not self._minimum <= value <= self._maximum:
            raise ValueError
        return self._number(value)

    def _write(self, value: T) -> str:
        return text_literal(self._format(value))


def duration(minimum: str, maximum: str) -> Measured[float]:
    """A duration, as float seconds."""
    return Measured(
        'a duration such as "500ms", "24h" or "30 days", or a number of seconds',
        minimum,
        maximum,
        parse=values.parse_duration,
        number=lambda seconds: values.rounded(float(seconds)),
        write=values.format_duration,
    )


def percentage(minimum: str, maximum: str) -> Measured[float]:
    """A percentage, as a float that is 10.0 for ten percent."""
    return Measured(
        'a percentage such as 10 or "10%"',
        minimum,
        maximum,
        parse=values.parse_percentage,
        number=lambda percent: values.rounded(float(percent)),
        write=values.format_percentage,
    )


def size(minimum: str, maximum: str) -> Measured[int]:
    """An amount of data, as an int of bytes."""
    return Measured(
        'a size such as "64MiB", or a number of bytes',
        minimum,
        maximum,
        parse=values.parse_size,
        number=values.whole_bytes,
        write=values.format_size,
    )


class OrNever(Kind[T | None]):
    """Another kind, or the word ``never``, as None."""

    def __init__(self, kind: Kind[T]) -> None:
        self._kind = kind
        self.bounds = f'{kind.bounds[:-1]}, or "{NEVER}".'
        self.expected = f'{kind.expected}, or "{NEVER}"'

    def _read(self, raw: Any) -> T | None:
        return None if raw == NEVER else self._kind.read(raw)

    def _write(self, value: T | None) -> str:
        return text_literal(NEVER) if value is None else self._kind.write(value)


class Windows(Kind[tuple[Window, ...]]):
    """A list of hours of the day."""

    expected = 'an array of hours such as "22:00-06:00"'

    def _read(self, raw: Any) -> tuple[Window, ...]:
        if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
            raise ValueError
        return tuple(parse_window(one) for one in raw)

    def _write(self, value: tuple[Window, ...]) -> str:
        return f"[{', '.join(text_literal(str(one)) for one in value)}]"


class Text(Kind[str]):
    """A text that a check agrees with.

    Args:
        expected: what the check wants, to complete "expected ...".
        check: raises ``ValueError``, or answers False, for a text that will not do.
    """

    def __init__(self, expected: str, check: Callable[[str], bool], *, bounds: str = "") -> None:
        self.expected, self._check, self.bounds = expected, check, bounds

    def _read(self, raw: Any) -> str:
        if not isinstance(raw, str) or not self._check(raw):
            raise ValueError
        return raw

    def _write(self, value: str) -> str:
        return text_literal(value)


def choice(*words: str) -> Text:
    """One of a few words."""
    listed = ", ".join(f'"{word}"' for word in words)
    return Text(f"one of {listed}", words.__contains__, bounds=f"One of {listed}.")


def free_text(longest: int) -> Text:
    """Any text up to a length, of characters that a file in UTF-8 can hold."""
    return Text(
        f"a text of at most {longest} characters, without control characters other than line breaks",
        lambda text: len(text) <= longest and all(one.isprintable() or one in "\n\t" for one in text),
    )


def repository_name() -> Text:
    """A name that fits into a URL, a metric's label and a command line as it is."""
    return Text(
        "1 to 63 ASCII letters, digits, dots, dashes and underscores, the first a letter or digit",
        lambda name: re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name) is not None,
    )


def text_literal(text: str) -> str:
    """A TOML basic string. JSON escapes are a subset of TOML's; what UTF-8 cannot hold is shown as an escape."""
    safe = printable(text) if any("\ud800" <= character <= "\udfff" for character in text) else text
    return json.dumps(safe, ensure_ascii=False).replace("\x7f", "\\u007f")
