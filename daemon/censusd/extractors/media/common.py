"""What sound and video have in common when a ``Media`` becomes an ``Extraction``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Json
from censusd.extractors.languages import language_tag
from censusd.extractors.media.codecs import LOSSLESS
from censusd.extractors.media.facts import Chapter, Media, Tags, Track, TrackKind
from censusd.extractors.media.people import split_values
from censusd.model import Problem, ProblemKind

Details = dict[str, Json]

_GAIN: Final = re.compile(r"\s*([+-]?\d{1,5}(?:\.\d{1,8})?)\s*(?:db)?\s*", re.IGNORECASE)
_PLAIN: Final = (
    "subtitle", "comment", "description", "synopsis", "copyright", "license", "grouping", "encoder", "encoded_by",
    "software", "mood", "media", "key", "original_artist", "url", "rating",
    "network", "category", "location", "abridged", "release_type",
)  # fmt: skip


def problem_of(media: Media) -> Problem | None:
    """Why not all could be read."""
    return Problem(ProblemKind.OTHER, "; ".join(media.problems)[:500]) if media.problems else None


def whole_rate(media: Media, size: int) -> int | None:
    """Bits per second of the whole file, by its size."""
    return round(size * 8 / media.duration) if media.duration else media.bit_rate


def put(details: Details, **values: Json) -> None:
    """Set what is not None and not empty."""
    details.update({name: value for name, value in values.items() if value is not None and value not in ("", [], {})})


def texts(tags: Tags, details: Details) -> None:
    """Set what stands in the tags and needs no more thought."""
    for name in _PLAIN:
        values = tags.all(name)
        if values:
            details[name] = values[0] if len(values) == 1 else values
    put(details, other=dict(tags.extra))


def chapters(media: Media, details: Details) -> None:
    """Set the chapters: each with a beginning, an end and a title."""
    if not media.chapters:
        return
    ends = [chapter.start for chapter in media.chapters[1:]]
    ends.append(media.duration or 0)
    details["chapters"] = [_chapter(chapter, end) for chapter, end in zip(media.chapters, ends, strict=True)]
    put(details, chapter_count=media.chapter_count, chapter_source=media.chapter_source)


def _chapter(chapter: Chapter, following: float) -> Details:
    one: Details = {"start": round(chapter.start, 3)}
    end = chapter.end if chapter.end is not None and chapter.end > chapter.start else following
    put(one, end=round(end, 3) if end > chapter.start else None, title=chapter.title)
    return one


def sound(track: Track) -> Details:
    """One audio track."""
    one: Details = {}
    put(
        one,
        codec=track.codec,
        profile=track.profile,
        language=language_tag(track.language or ""),
        title=track.title,
        channels=track.channels,
        sample_rate=track.sample_rate,
        bits_per_sample=track.bits_per_sample if is_lossless(track, {}) else None,
        bit_rate=track.bit_rate,
        default=track.default,
        forced=track.forced or None,
        encrypted=track.encrypted or None,
    )
    return one


def is_lossless(track: Track, facts: Mapping[str, object]) -> bool:
    """Whether a codec keeps every bit."""
    if "lossless" in facts:
        return bool(facts["lossless"])
    codec = track.codec or ""
    return codec in LOSSLESS or (codec.startswith("pcm") and codec not in {"pcm_mulaw", "pcm_alaw"})


def gains(tags: Tags) -> Details:
    """ReplayGain in dB and as peaks; Opus' own gain, which is to -23 LUFS, in dB to the same level as ReplayGain's."""
    found: Details = {}
    for name in ("track_gain", "track_peak", "album_gain", "album_peak"):
        match = _GAIN.fullmatch((tags.first(f"replaygain_{name}") or "")[:40])
        if match:
            found[name] = float(match[1])
    for name in ("track", "album"):
        match = _GAIN.fullmatch((tags.first(f"r128_{name}_gain") or "")[:40])
        if match and f"{name}_gain" not in found:
            found[f"{name}_gain"] = round(float(match[1]) / 256 + 5, 2)
    return found


def entities(kind: EntityKind, role: str, names: list[str], sort: str | None = None) -> list[Entity]:
    """Entities of one role, in order; a sort name counts if there is one name for it."""
    single = sort if len(names) == 1 and sort != (names[0] if names else None) else None
    return [Entity(kind, name, role, place, single) for place, name in enumerate(names)]


def unique(found: list[Entity]) -> tuple[Entity, ...]:
    """Each name once in a role, as it was found first."""
    return tuple({(entity.kind, entity.name, entity.role): entity for entity in reversed(found)}.values())[::-1]


def people(tags: Tags, role: str, *names: str) -> list[Entity]:
    """People of a role, by the first of these tags that has any."""
    found = split_values(tags.all(*names or (role,)))
    return entities(EntityKind.PERSON, role, found)


def language_of(media: Media) -> str | None:
    """The language that the tags say, or else the first audio track."""
    for text in media.tags.all("language"):
        for one in split_values([text]):
            tag = language_tag(one)
            if tag:
                return tag
    for track in media.of(TrackKind.AUDIO):
        tag = language_tag(track.language or "")
        if tag:
            return tag
    return None


def genres(tags: Tags) -> list[str]:
    """Genres, one a name."""
    return split_values(tags.all("genre"))


def truth(text: str | None) -> bool | None:
    """What a flag says that is written as text."""
    return None if text is None else text.strip().lower() in {"1", "true", "yes"}
