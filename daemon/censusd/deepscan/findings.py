"""From what a worker process says to the rows that are written. It may say anything: all is checked, none believed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from censusd.catalogue.metadata import FileMetadata, Relation
from censusd.deepscan.messages import Finding, Outcome
from censusd.extractors.base import LONGEST_NAME, MOST_ITEMS, clean_text
from censusd.model import ProblemKind

_LARGEST_INTEGER: Final = (1 << 31) - 1
_LONGEST_TEXT: Final = 4 * LONGEST_NAME
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_MOMENT: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?)?)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


class NonsenseError(ValueError):
    """A finding that no honest worker gives."""


def hash_of(finding: Finding) -> bytes | None:
    """The content hash in a finding.

    Raises:
        NonsenseError: it is none.
    """
    text = finding.hash
    if text == "":
        return None
    if not isinstance(text, str) or not _HASH.fullmatch(text):
        raise NonsenseError("this is not a hash")
    return bytes.fromhex(text)


def reason_of(finding: Finding) -> str:
    """Why a file could not be looked at, in a sentence."""
    problem = finding.problem
    if isinstance(problem, Sequence) and len(problem) == 2 and isinstance(problem[1], str):
        return clean_text(problem[1], LONGEST_NAME)
    return "it could not be read"


def is_refused(finding: Finding) -> bool:
    """Whether a file could not be read because somebody is not allowed to."""
    problem = finding.problem
    is_sound = isinstance(problem, Sequence) and len(problem) == 2
    return finding.outcome == Outcome.FAILED and is_sound and problem[0] == ProblemKind.PERMISSION


def metadata_of(file_id: int, finding: Finding) -> FileMetadata | None:
    """What is known of a file's content, or None if nothing looked into it.

    Raises:
        NonsenseError: it is not what an extractor gives.
    """
    if not finding.extractor:
        return None
    given = finding.metadata
    problem = reason_of(finding) if finding.problem is not None else None
    extractor, version = _text(finding.extractor) or "", _integer(finding.version) or 0
    if given is None:
        return FileMetadata(file_id, extractor, version, problem=problem)
    if not isinstance(given, Mapping):
        raise NonsenseError("its metadata is not an object")
    created = _text(given.get("created"))
    details = given.get("details")
    return FileMetadata(
        file_id=file_id,
        extractor=extractor,
        extractor_version=version,
        kind=_text(given.get("kind")),
        mime_type=_text(given.get("mime_type")),
        title=_text(given.get("title")),
        width=_integer(given.get("width")),
        height=_integer(given.get("height")),
        duration=_number(given.get("duration")),
        pages=_integer(given.get("pages")),
        created=created,
        created_at=moment(created) if created else None,
        language=_text(given.get("language")),
        latitude=_number(given.get("latitude"), 90.0),
        longitude=_number(given.get("longitude"), 180.0),
        # As JSON text that only PostgreSQL reads; if it refuses it, it is this file's fault alone.
        details=details if isinstance(details, str) else "{}",
        problem=problem,
        relations=_relations(given.get("entities")),
    )


def moment(text: str) -> datetime | None:
    """The moment that a time in ISO 8601 names, or its beginning if it is not complete; without an offset, in UTC."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        found = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            min(int(second or 0), 59),
            int(float(fraction or 0) * 1_000_000),
            tzinfo=_zone(offset),
        )
        # Within the years that Python can tell in UTC.
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str | None) -> timezone:
    if offset is None or offset == "Z":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))


def _relations(given: object) -> tuple[Relation, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise NonsenseError("its entities are not an array")
    return tuple(relation for values in given[:MOST_ITEMS] if (relation := _relation(values)) is not None)


def _relation(values: Any) -> Relation | None:
    if not isinstance(values, list) or len(values) != 5:
        raise NonsenseError("one of its entities is none")
    kind, name, role = (_text(value) for value in values[:3])
    if not kind or not name or not role:
        return None
    return Relation(kind, name[:LONGEST_NAME], role, _number(values[3]) or 0.0, _text(values[4]))


def _text(value: object) -> str | None:
    return clean_text(value, _LONGEST_TEXT) if isinstance(value, str) and value else None


def _integer(value: object) -> int | None:
    if isinstance(value, float) and math.isfinite(value):
        value = round(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_INTEGER:
        return None
    return value


def _number(value: object, most: float = 1e15) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= most and math.isfinite(value) else None
