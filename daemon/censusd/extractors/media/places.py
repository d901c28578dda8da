"""Places on earth as cameras write them: ISO 6709."""

from __future__ import annotations

import math
import re
from typing import Final

from censusd.extractors.media.facts import Media

_PLACE: Final = re.compile(
    r"([+-])(\d{2}|\d{4}|\d{6})(\.\d{1,12})?([+-])(\d{3}|\d{5}|\d{7})(\.\d{1,12})?(?:([+-]\d{1,6}(?:\.\d{1,9})?))?(?:CRS\S{0,30})?/?"
)


def set_place(media: Media, text: str) -> None:
    """Note a place written as ``+48.8577+002.295+035/``, if it is one and none is known yet."""
    found = _PLACE.fullmatch(text.strip("\0 ")[:100])
    if found is None or media.latitude is not None:
        return
    latitude = _degrees(found[1], found[2], found[3], 2)
    longitude = _degrees(found[4], found[5], found[6], 3)
    if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
        media.latitude, media.longitude = latitude, longitude
        media.altitude = float(found[7]) if found[7] else None


def _degrees(sign: str, digits: str, fraction: str | None, width: int) -> float:
    """Degrees, degrees and minutes, or degrees, minutes and seconds, the last of which has the fraction."""
    parts = [digits[:width], digits[width : width + 2], digits[width + 2 :]]
    parts = [part for part in parts if part]
    parts[-1] += fraction or ""
    value = math.fsum(float(part) / 60.0**power for power, part in enumerate(parts))
    return round(-value if sign == "-" else value, 8)
