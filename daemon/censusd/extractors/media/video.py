"""What a moving picture is: its size and tracks, when and where it was taken, and what it is called."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Extraction, Kind
from censusd.extractors.languages import language_tag
from censusd.extractors.media import common
from censusd.extractors.media.common import Details, put
from censusd.extractors.media.facts import Media, Track, TrackKind
from censusd.extractors.media.people import iso_date, position, split_values, whole

_PRIMARIES: Final = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS: Final = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRICES: Final = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp",
}  # fmt: skip
"""ITU-T H.273 codes in ffmpeg's words."""


def extraction(media: Media, size: int) -> Extraction:
    """What is to be stored of a video."""
    tags = media.tags
    video = media.of(TrackKind.VIDEO)[0]
    details: Details = {"format": media.format}
    put(details, brand=media.brand, bit_rate=common.whole_rate(media, size), **_picture(video))
    put(
        details,
        hdr=_hdr(video),
        colour=_colour(video),
        encrypted=any(track.encrypted for track in media.tracks) or bool(media.facts.get("encrypted")) or None,
        video_tracks=len(media.of(TrackKind.VIDEO)) if len(media.of(TrackKind.VIDEO)) > 1 else None,
        audio=[common.sound(track) for track in media.of(TrackKind.AUDIO)],
        subtitles=[_subtitle(track) for track in media.of(TrackKind.SUBTITLE)],
        duration_estimated=media.estimated or None,
        container_time=media.container_time,
        altitude=media.altitude,
        camera_make=tags.first("camera_make"),
        camera_model=tags.first("camera_model"),
        muxer=media.facts.get("muxer"),
        fonts=media.facts.get("fonts"),
        date=iso_date(tags.first("date", "release_date", "original_date")),
    )
    details["has_cover"] = media.has_cover or bool(media.of(TrackKind.COVER))
    _episode(media, details)
    common.texts(tags, details)
    common.chapters(media, details)
    return Extraction(
        kind=Kind.VIDEO,
        mime_type=media.mime_type,
        title=tags.first("title"),
        width=video.width,
        height=video.height,
        duration=media.duration,
        created=_created(media),
        language=common.language_of(media),
        latitude=media.latitude,
        longitude=media.longitude,
        details=details,
        entities=common.unique(_entities(media)),
        problem=common.problem_of(media),
    )


def _picture(video: Track) -> Details:
    details: Details = {}
    put(
        details,
        codec=video.codec,
        profile=video.profile,
        bit_depth=video.bit_depth,
        frame_rate=round(video.frame_rate, 3) if video.frame_rate else None,
        video_bit_rate=video.bit_rate,
        rotation=video.rotation or None,
        interlaced=video.interlaced or None,
    )
    aspect = _aspect(video)
    if aspect and video.width and video.height:
        width, height = round(video.width * aspect), video.height
        if video.rotation in {90, 270}:
            width, height = height, width
        if aspect != 1:
            details["pixel_aspect"] = f"{aspect.numerator}:{aspect.denominator}"
        put(details, display_width=width, display_height=height)
    return details


def _aspect(video: Track) -> Fraction | None:
    """The shape of a pixel; square if nothing is said, and where a rounded display size is all that differs."""
    if not video.pixel_aspect or not all(video.pixel_aspect):
        return Fraction(1)
    aspect = Fraction(*video.pixel_aspect)
    if not Fraction(1, 20) < aspect < 20:
        return None
    if video.width and video.height and abs(aspect - 1) * max(video.width, video.height) < 1:
        return Fraction(1)
    return aspect.limit_denominator(1000)


def _hdr(video: Track) -> str | None:
    """The kind of high dynamic range, as people call it."""
    base = {16: "HDR10" if video.mastering or video.max_cll else "PQ", 18: "HLG"}.get(video.transfer or 0)
    if video.dolby_vision is not None:
        name = f"Dolby Vision {video.dolby_vision}"
        return f"{name}, {base}" if base else name
    return base


def _colour(video: Track) -> Details:
    colour: Details = {}
    put(
        colour,
        primaries=_PRIMARIES.get(video.primaries or 0),
        transfer=_TRANSFERS.get(video.transfer or 0),
        matrix=_MATRICES.get(video.matrix) if video.matrix is not None else None,
        range=None if video.full_range is None else "full" if video.full_range else "limited",
        max_cll=video.max_cll,
        max_fall=video.max_fall,
    )
    return colour


def _subtitle(track: Track) -> Details:
    one: Details = {}
    put(
        one,
        format=track.codec,
        language=language_tag(track.language or ""),
        title=track.title,
        default=track.default,
        forced=track.forced or None,
    )
    return one


def _created(media: Media) -> str | None:
    """When it was taken: the camera's own time, then what the tags say, then when the container was made."""
    captured = iso_date(str(media.facts.get("capture_time") or ""))
    return captured or iso_date(media.tags.first("date", "release_date", "original_date")) or media.container_time


def _episode(media: Media, details: Details) -> None:
    tags = media.tags
    put(
        details,
        show=tags.first("show"),
        season=whole(tags.first("season")),
        episode=whole(tags.first("episode", "part")),
        episode_id=tags.first("episode_id"),
    )


def _entities(media: Media) -> list[Entity]:
    tags = media.tags
    found: list[Entity] = []
    for role in ("director", "actor", "writer", "producer", "artist", "composer"):
        found += common.people(tags, role)
    found += common.entities(EntityKind.GENRE, "genre", common.genres(tags))
    found += common.entities(EntityKind.TAG, "keyword", _keywords(tags.all("keywords")))
    found += common.entities(EntityKind.PUBLISHER, "publisher", split_values(tags.all("publisher")))
    show = tags.first("show")
    if show:
        found.append(Entity(EntityKind.SERIES, show, "series", position(tags.first("episode", "part")) or 0))
    return found


def _keywords(values: list[str]) -> list[str]:
    """Keywords, which also commas part."""
    return list(
        dict.fromkeys(word.strip() for value in split_values(values) for word in value.split(",") if word.strip())
    )[:200]
