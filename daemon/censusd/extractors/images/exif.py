"""What a camera says of a picture: Exif 3.0 (CIPA DC-008), read from TIFF's directories."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from censusd.extractors.images.found import Facts
from censusd.extractors.images.tiff import Directories, Tags, Tiff, Value, integer
from censusd.extractors.reading import FormatError, Reader

EXIF_DIRECTORY: Final = 0x8769
GPS_DIRECTORY: Final = 0x8825
XMP: Final = 0x02BC
IPTC: Final = 0x83BB
PHOTOSHOP: Final = 0x8649

DESCRIPTION: Final = 0x010E
MAKE: Final = 0x010F
MODEL: Final = 0x0110
ORIENTATION: Final = 0x0112
SOFTWARE: Final = 0x0131
USER_COMMENT: Final = 0x9286
MAKER_NOTE: Final = 0x927C
_NIKON_LENS: Final = 0x0084

IMAGE_TAGS: Final = frozenset(
    {0x0100, 0x0101, 0x0103, 0x0106, 0x00FE, 0x014A, 0x010D, DESCRIPTION, MAKE, MODEL, ORIENTATION, SOFTWARE, 0x0132}
    | {
        0x013B,
        XMP,
        0x4746,
        0x4749,
        0x828D,
        IPTC,
        0x8298,
        PHOTOSHOP,
        EXIF_DIRECTORY,
        GPS_DIRECTORY,
        0x9003,
        USER_COMMENT,
    }
    | {0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0xA434, 0xC612, 0xC620, 0xC62F}
)
EXIF_TAGS: Final = frozenset(
    {0x829A, 0x829D, 0x8822, 0x8827, 0x8832, 0x8833, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9201, 0x9202, 0x9204}
    | {0x9209, 0x920A, MAKER_NOTE, USER_COMMENT, 0x9290, 0x9291, 0x9292, 0xA002, 0xA003, 0xA405, 0xA420, 0xA430, 0xA431}
    | {0xA432, 0xA433, 0xA434}
)
GPS_TAGS: Final = frozenset({*range(0x08), 0x09, 0x10, 0x11, 0x1D})

BOILERPLATE: Final = frozenset(
    {"camera", "charset=ascii", "dcf", "default", "digital camera", "exif_jpeg_picture", "image description", "jpeg"}
    | {"konica minolta digital camera", "minolta digital camera", "olympus digital camera", "sony dsc", "unknown"}
)
"""What cameras write where a description belongs."""

_WRITTEN: Final = {
    "DocumentName": 0x010D,
    "ImageDescription": DESCRIPTION,
    "Make": MAKE,
    "Model": MODEL,
    "Software": SOFTWARE,
}

LOWEST: Final = -12_000.0
HIGHEST: Final = 1_000_000.0
"""Metres above the sea between which a camera may be: from the deepest trench to above the space station."""

_TIME: Final = re.compile(
    r"\s*(\d{4})(?:[:/.-](\d\d)(?:[:/.-](\d\d)"
    r"(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"\s*([+-])(\d\d):?(\d\d)|\s*Z", re.ASCII)


def directories(tiff: Tiff) -> Directories:
    """The directories that say something about the picture."""
    image, following = tiff.directory(tiff.first, IMAGE_TAGS)
    exif, gps = (
        tiff.directory(at, wanted)[0] if (at := integer(image.get(pointer))) else {}
        for pointer, wanted in ((EXIF_DIRECTORY, EXIF_TAGS), (GPS_DIRECTORY, GPS_TAGS))
    )
    return Directories(image, exif, gps, tiff.little, following)


def facts(found: Directories) -> Facts:
    """What they say, by name; what is out of range or empty is not there."""
    image, exif = found.image, found.exif
    result: Facts = {
        "camera_make": text(image.get(MAKE)),
        "camera_model": text(image.get(MODEL)),
        "camera_serial": text(exif.get(0xA431)) or text(image.get(0xC62F)),
        "lens_make": text(exif.get(0xA433)),
        "lens": text(exif.get(0xA434)) or text(image.get(0xA434)) or lens_range(exif.get(0xA432)) or nikon_lens(exif),
        "exposure_time": number(exif.get(0x829A), 0, 1e6) or power(exif.get(0x9201), -1),
        "f_number": number(exif.get(0x829D), 0, 1e4) or power(exif.get(0x9202), 0.5),
        "iso": iso(exif),
        "exposure_bias": number(exif.get(0x9204), -100, 100),
        "focal_length": number(exif.get(0x920A), 0, 1e5),
        "focal_length_35mm": number(exif.get(0xA405), 0, 1e5),
        "software": text(image.get(SOFTWARE)),
        "title": wide_text(image.get(0x9C9B)),
        "description": description(found),
        "copyright": copyright_notice(image.get(0x8298)),
        "image_id": text(exif.get(0xA420)),
    }
    result["created"] = (
        moment(exif.get(0x9003) or image.get(0x9003), exif.get(0x9291), exif.get(0x9011))
        or moment(exif.get(0x9004), exif.get(0x9292), exif.get(0x9012))
        or (moment(image.get(0x0132), exif.get(0x9290), exif.get(0x9010)) if MAKE in image else None)
    )
    if (flash := integer(exif.get(0x9209))) is not None:
        result["flash"] = bool(flash & 1)
    if (turned := integer(image.get(ORIENTATION))) is not None and 1 <= turned <= 8:
        result["orientation"] = turned
    rating = integer(image.get(0x4746))
    if rating is not None and 0 < rating <= 5:  # 0 is what Windows writes for "not rated"
        result["rating"] = rating
    creators = (text(image.get(0x013B)) or wide_text(image.get(0x9C9D)) or "").split(";")
    result["creators"] = [name.strip() for name in creators if name.strip().lower() not in {"", "unknown"}]
    result["keywords"] = [word.strip() for word in (wide_text(image.get(0x9C9E)) or "").split(";") if word.strip()]
    if found.gps:
        result.update(place(found.gps))
    return {key: value for key, value in result.items() if value is not None and value != []}


def texts(found: Directories) -> list[tuple[str, str]]:
    """The tags that programs are known to have put settings or JSON into, whatever the tags are for."""
    words = {name: text(found.image.get(tag)) for name, tag in _WRITTEN.items()}
    words["UserComment"] = comment(found.exif.get(USER_COMMENT) or found.image.get(USER_COMMENT), little=found.little)
    words["XPComment"] = wide_text(found.image.get(0x9C9C))
    return [(f"exif:{name}", each) for name, each in words.items() if each and ("{" in each or "Steps: " in each)]


def text(value: Value | None) -> str | None:
    """A tag's text. The standard says ASCII (3.0: or UTF-8); cameras write whatever they like."""
    if not isinstance(value, bytes):
        return None
    value = value.partition(b"\0")[0].strip()
    try:
        return value.decode() or None
    except UnicodeDecodeError:
        return value.decode("latin-1")


def wide_text(value: Value | None) -> str | None:
    """The text of one of Windows' tags: UTF-16, little-endian, whatever the file's order is."""
    if not isinstance(value, bytes):
        return None
    return value.decode("utf-16-le", "replace").partition("\0")[0].strip() or None


def comment(value: Value | None, *, little: bool) -> str | None:
    """A UserComment: eight bytes say its character set (4.6.6, table 10), not always truly.

    Args:
        value: the tag.
        little: whether the file has its least significant byte first.
    """
    if not isinstance(value, bytes):
        return None
    label, body = value[:8], value[8:]
    if label == b"UNICODE\0":
        if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            little, body = body[:1] == b"\xff", body[2:]
        else:
            # Many programs write big-endian into little-endian files. Most text has more letters below U+0100 than
            # above, so the zeros tell.
            sample = body[:512]
            low_first, high_first = sample[1::2].count(0), sample[::2].count(0)
            little = low_first > high_first if low_first != high_first else little
            if not low_first and not high_first and _is_utf8(body):
                return body.decode().strip("\0 ") or None
        return body.decode("utf-16-le" if little else "utf-16-be", "replace").strip("\0 \n") or None
    if label not in {b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)}:
        body = value
    encoding = "utf-8" if _is_utf8(body) else "iso2022_jp" if label[:3] == b"JIS" else "latin-1"
    return body.decode(encoding, "replace").strip("\0 \n") or None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def description(found: Directories) -> str | None:
    """What the picture shows, unless it is what the camera writes into each."""
    for words in (text(found.image.get(DESCRIPTION)), wide_text(found.image.get(0x9C9C))):
        if words and words.lower() not in BOILERPLATE:
            return words
    words = comment(found.exif.get(USER_COMMENT), little=found.little)
    return words if words and words.lower() not in BOILERPLATE and words.isprintable() else None


def copyright_notice(value: Value | None) -> str | None:
    """The photographer's and, behind a NUL, the editor's notice (4.6.4.D)."""
    if not isinstance(value, bytes):
        return None
    parts = (text(part) for part in value.split(b"\0")[:2])
    return "; ".join(part for part in parts if part) or None


def number(value: Value | None, above: float, below: float) -> float | int | None:
    """A tag's first value, if it lies between."""
    if not value or isinstance(value, bytes) or not above < value[0] < below:
        return None
    first = value[0]
    return first if isinstance(first, int) else int(first) if first == int(first) else round(first, 9)


def power(value: Value | None, by: float) -> float | None:
    """Two to the power of an APEX value (annex C) times ``by``: seconds or f-number."""
    apex = number(value, -32, 32)
    return None if apex is None else round(2 ** (apex * by), 9)


def iso(exif: Tags) -> int | None:
    """The sensitivity. 65535 means that it does not fit, and stands in another tag (4.6.6.K)."""
    for tag in (0x8827, 0x8833, 0x8832):
        value = integer(exif.get(tag)) if not isinstance(exif.get(tag), bytes) else None
        if value is not None and 0 < value < 1 << 31 and value != 65_535:
            return value
    return None


def lens_range(value: Value | None) -> str | None:
    """A lens by its shortest and longest focal length and its speed at them, as it is written on lenses."""
    if not value or isinstance(value, bytes) or len(value) < 2 or not all(0 < each < 1e5 for each in value[:2]):
        return None
    speeds = [speed for speed in value[2:4] if 0 < speed < 1e4]
    spread, speed = ("-".join(f"{each:g}" for each in dict.fromkeys(pair)) for pair in (value[:2], speeds))
    return f"{spread}mm" + (f" f/{speed}" if speed else "")


def nikon_lens(exif: Tags) -> str | None:
    """The lens that Nikon's cameras until 2020 said in their own notes only, which are a TIFF behind ten bytes."""
    note = exif.get(MAKER_NOTE)
    if not isinstance(note, bytes) or not note.startswith(b"Nikon\0\2"):
        return None
    try:
        tiff = Tiff(Reader.of(note[10:]))
        return lens_range(tiff.directory(tiff.first, {_NIKON_LENS})[0].get(_NIKON_LENS))
    except FormatError:
        return None


def moment(value: Value | None, fraction: Value | None = None, offset: Value | None = None) -> str | None:
    """A date and time as ISO 8601, or as much of it as is there and can be."""
    written = text(value)
    if written is None:
        return None
    return iso_time(written, text(fraction), text(offset))


def iso_time(written: str, fraction: str | None = None, offset: str | None = None) -> str | None:
    """ISO 8601 from what Exif, IPTC and XMP write: ``2024:05:17 18:03:11``, ``2024-05``, ``2024-05-17T18:03+02:00``.

    Args:
        written: the date, with the time, its fraction and its offset, or without.
        fraction: digits behind the second's point.
        offset: from UTC, as ``+02:00``.
    """
    match = _TIME.match(written)
    if not match:
        return None
    year, month, day, hour, minute, second, within, zone = match.groups()
    try:
        if int(month or 1) == 0 or int(day or 1) == 0:  # not known
            day, hour = None, None
            month = month if int(month) else None
        date = datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001 - only to see that there is such a day
    except ValueError:
        return None
    if date.year < 1000:
        return None
    if not day or not hour:
        return "-".join(part for part in (year, month, day) if part)
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
        return f"{year}-{month}-{day}"
    digits = (within or fraction or "").strip()
    digits = digits[:9].rstrip("0") if digits.isascii() and digits.isdigit() else ""
    time = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}" + (f".{digits}" if digits else "")
    return time + _offset(zone or offset or "")


def _offset(written: str) -> str:
    match = _OFFSET.match(written)
    if not match:
        return ""
    sign, hours, minutes = match.groups()
    if sign is None or (hours == minutes == "00"):
        return "+00:00"
    if int(hours) > 15 or int(minutes) > 59:
        return ""
    return f"{sign}{hours}:{minutes}"


def place(gps: Tags) -> Facts:
    """Where the picture was taken. Without knowing which hemisphere, or at 0, 0, it is not known where."""
    result: Facts = {}
    north = degrees(gps.get(2), text(gps.get(1)), "N", "S", 90)
    east = degrees(gps.get(4), text(gps.get(3)), "E", "W", 180)
    if north is not None and east is not None and (north or east):
        result["position"] = (north, east)
        height = number(gps.get(6), -HIGHEST, HIGHEST)
        if height is not None and "position" in result:
            below = (integer(gps.get(5)) or 0) & 1  # 1 and 3: below the sea, below the ellipsoid
            height = -height if below else height
            if LOWEST <= height <= HIGHEST:
                result["altitude"] = round(height, 3)
    heading = number(gps.get(0x11), -1, 360.001)
    if heading is not None and heading >= 0:
        result["direction"] = round(heading % 360, 2)
    result["gps_time"] = gps_time(text(gps.get(0x1D)), gps.get(7))
    return result


def degrees(value: Value | None, reference: str | None, positive: str, negative: str, most: int) -> float | None:
    """Degrees, minutes and seconds as degrees, negative in the south and the west."""
    side = (reference or "").upper()[:1]
    if not value or isinstance(value, bytes) or side not in {positive, negative} or not side:
        return None
    total: float = sum(part / 60.0**place for place, part in enumerate(value[:3]) if not (place and math.isnan(part)))
    if any(part < 0 for part in value[:3]) or not 0 <= total <= most:
        return None
    return round(-total if side == negative else total, 7)


def gps_time(date: str | None, time: Value | None) -> str | None:
    """The satellites' time, in UTC."""
    day = iso_time(date) if date else None
    if day is None or len(day) != 10 or not time or isinstance(time, bytes) or len(time) < 3:
        return None
    hours, minutes, seconds = time[:3]
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60):
        return None
    passed = timedelta(hours=hours, minutes=minutes, seconds=round(seconds, 3))
    whole = datetime.fromisoformat(day).replace(tzinfo=UTC) + passed
    return whole.isoformat(timespec="seconds" if not whole.microsecond else "milliseconds")
