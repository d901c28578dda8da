"""Durations, sizes and percentages as people write them, and the way back.

``parse_*`` raise ``ValueError`` with a short remark on what is wrong with the text; ``format_*`` give a text that
parses to exactly the same value.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SECONDS: Final = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
    "w": Decimal(604800),
}
_DURATION_UNITS: Final = {
    word: _SECONDS[unit]
    for unit, words in {
        "ms": "ms msec millisecond milliseconds",
        "s": "s sec second seconds",
        "min": "m min minute minutes",
        "h": "h hr hour hours",
        "d": "d day days",
        "w": "w week weeks",
    }.items()
    for word in words.split()
}
_POWERS: Final = {"K": 1, "M": 2, "G": 3, "T": 4}
_SIZE_UNITS: Final = {
    "": 1,
    "b": 1,
    **{f"{letter.lower()}b": 1000**power for letter, power in _POWERS.items()},
    **{f"{letter.lower()}ib": 1024**power for letter, power in _POWERS.items()},
}

# The digits are bounded so that no text, however long, costs more than it is worth.
_NUMBER: Final = r"([0-9]{1,15}(?:\.[0-9]{1,20})?)"
_PART: Final = re.compile(rf"{_NUMBER} *([A-Za-z]{{0,12}}) *")
_PERCENTAGE: Final = re.compile(rf"{_NUMBER} *%?")


def parse_duration(text: str) -> float:
    """Seconds, from ``500ms``, ``24h``, ``30 days`` or ``1h 30min``; a number alone is seconds."""
    text = text.strip()
    parts = []
    position = 0
    while match := _PART.match(text, position):
        parts.append(match.groups())
        position = match.end()
    if not parts or position != len(text):
        raise ValueError("not a number and a unit")
    if len(parts) == 1 and not parts[0][1]:
        return rounded(float(parts[0][0]))
    total = Decimal(0)
    for number, unit in parts:
        if not unit:
            raise ValueError(f"{number} has no unit")
        if unit not in _DURATION_UNITS:
            raise ValueError(f"{unit} is not one of the units ms, s, min, h, days, weeks")
        total += Decimal(number) * _DURATION_UNITS[unit]
    return rounded(float(total))


def rounded(number: float) -> float:
    """``number`` to six decimals: as fine as a microsecond, and always short to write down."""
    return round(number, 6)


def format_duration(seconds: float) -> str:
    """The shortest text for a duration of whole microseconds: ``500ms``, ``90s``, ``5min``, ``7 days``."""
    exact = Decimal(repr(seconds))
    if not exact:
        return "0s"
    for unit in ("d", "h", "min", "s", "ms"):
        count, rest = divmod(exact, _SECONDS[unit])
        if not rest:
            return f"{count:f}{unit}" if unit != "d" else f"{count:f} day{'' if count == 1 else 's'}"
    return f"{exact:f}s"


def parse_size(text: str) -> int:
    """Bytes, from ``64MiB`` (powers of 1024), ``64MB`` (powers of 1000), ``4096B`` or ``4096``."""
    match = _PART.fullmatch(text.strip())
    if not match:
        raise ValueError("not a number and a unit")
    number, unit = match.groups()
    if unit.lower() not in _SIZE_UNITS:
        raise ValueError(f"{unit} is not one of the units B, KiB, MiB, GiB, TiB, KB, MB, GB, TB")
    return whole_bytes(Decimal(number) * _SIZE_UNITS[unit.lower()])


def whole_bytes(size: float | Decimal) -> int:
    """``size`` as an int.

    Raises:
        ValueError: it has a fraction.
    """
    if size != int(size):
        raise ValueError("not a whole number of bytes")
    return int(size)


def format_size(size: int) -> str:
    """The shortest exact text for ``size`` bytes in powers of 1024: ``64MiB``, ``1000B``."""
    for letter, power in reversed(_POWERS.items()):
        count, rest = divmod(size, 1024**power)
        if count and not rest:
            return f"{count}{letter}iB"
    return f"{size}B"


def parse_percentage(text: str) -> float:
    """Percent, from ``10%``, ``2.5 %`` or ``10``."""
    match = _PERCENTAGE.fullmatch(text.strip())
    if not match:
        raise ValueError("not a number of percent")
    return rounded(float(match.group(1)))


def format_percentage(percent: float) -> str:
    """``10%`` or ``2.5%``."""
    return f"{Decimal(repr(percent)).normalize():f}%"
