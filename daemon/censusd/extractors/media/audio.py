"""What a file of sound is: a song, or an audiobook, and whose."""

from __future__ import annotations

import os
import re
from typing import Final

from censusd.extractors.base import Entity, EntityKind, Extraction, Kind
from censusd.extractors.books.facts import plain_text
from censusd.extractors.identifiers import isbn13
from censusd.extractors.media import common
from censusd.extractors.media.common import Details, put
from censusd.extractors.media.cue import overdrive_chapters
from censusd.extractors.media.facts import Media, Tags, Track, TrackKind
from censusd.extractors.media.genres import MUSIC
from censusd.extractors.media.people import iso_date, parse_series, position, split_names, split_values, whole

_AUDIOBOOK: Final = re.compile(
    r"audio[\s-]?books?|books?\s*(?:&|and)\s*spoken.*|spoken(?:\s*(?:word|&\s*audio))?|h(?:ö|oe)r(?:buch|b(?:ü|ue)cher)"
    r"|livres?\s+audio|audiolivros?|audiolibros?|luisterboek(?:en)?|lydb[oø][kg](?:er)?|ljudb(?:ok|öcker)|äänikirjat?|audiokniha"
    r"|audioboek(?:en)?|аудиокниг[аи]|オーディオブック|有声书",
    re.IGNORECASE,
)
_PODCAST: Final = re.compile(r"podcasts?", re.IGNORECASE)
_EXTENSIONS: Final = frozenset((".m4b", ".aax", ".aaxc"))
_VARIOUS: Final = frozenset(("various", "various artists", "various authors", "va", "verschiedene"))
_IDENTIFIERS: Final = (
    "asin", "isrc", "barcode", "catalog_number", "acoustid", "musicbrainz_recording", "musicbrainz_track",
    "musicbrainz_release", "musicbrainz_release_group", "musicbrainz_artist", "musicbrainz_album_artist",
)  # fmt: skip


def extraction(media: Media, name: str, directories: tuple[str, ...], size: int) -> Extraction:
    """What is to be stored of a file of sound."""
    tags = media.tags
    markers = tags.first("overdrive_markers")
    if markers:
        media.set_chapters(overdrive_chapters(markers), "overdrive")
    because = audiobook_because(media, name, directories)
    details = _technical(media, size)
    details["audiobook"] = because is not None
    put(details, audiobook_because=because, podcast=common.truth(tags.first("podcast")) or None)
    _numbers(media, details)
    common.texts(tags, details)
    common.chapters(media, details)
    found = _book(media, details) if because else _music(media, details)
    found += common.entities(EntityKind.GENRE, "genre", common.genres(tags))
    found += common.entities(EntityKind.PUBLISHER, "publisher", split_values(tags.all("publisher")))
    found += common.entities(EntityKind.TAG, "keyword", split_values(tags.all("keywords")))
    album = tags.first("album")
    if album:
        found.append(
            Entity(EntityKind.ALBUM, album, "album", whole(tags.first("track")) or 0, tags.first("album_sort"))
        )
    return Extraction(
        kind=Kind.AUDIO,
        mime_type=media.mime_type,
        title=tags.first("title") or album,
        duration=media.duration,
        created=_created(media),
        language=common.language_of(media),
        latitude=media.latitude,
        longitude=media.longitude,
        details=details,
        entities=common.unique(found),
        problem=common.problem_of(media),
    )


def audiobook_because(media: Media, name: str, directories: tuple[str, ...]) -> str | None:
    """Why a file is an audiobook, in words, or None if it is none."""
    tags = media.tags
    genres = [genre.lower() for genre in common.genres(tags)]
    podcast = common.truth(tags.first("podcast")) or any(_PODCAST.fullmatch(genre) for genre in genres)
    if media.brand in {"M4B", "aax"}:
        return f"its brand is {media.brand}"
    if media.facts.get("media_type") == 2:
        return "its media type is audiobook"
    if podcast:
        return None
    if any(_AUDIOBOOK.fullmatch(genre) for genre in genres):
        return "its genre says so"
    if os.path.splitext(name.lower())[1] in _EXTENSIONS:
        return "its name ends as those of audiobooks do"
    if "narrator" in tags:
        return "it has a narrator"
    # MusicBrainz gives the ASIN of a record to those who tag music with it.
    if "isbn" in tags or "overdrive_markers" in tags or ("asin" in tags and not _is_music(tags, genres)):
        return "it has the number of a book"
    if "series" in tags and ("series_part" in tags or "movement_number" in tags):
        return "it is part of a series"
    if any(_AUDIOBOOK.fullmatch(directory.strip()) for directory in directories):
        return "it lies in a directory of audiobooks"
    if (
        len(media.chapters) > 1
        and media.chapter_source not in {"cue sheet", "wav cue points"}
        and not _is_music(tags, genres)
    ):
        return "it has chapters and no genre of music"
    return None


def _is_music(tags: Tags, genres: list[str]) -> bool:
    return bool(MUSIC.intersection(genres)) or "musicbrainz_release" in tags or "musicbrainz_recording" in tags


def _technical(media: Media, size: int) -> Details:
    details: Details = {"format": media.format}
    track = next(iter(media.of(TrackKind.AUDIO)), Track(TrackKind.AUDIO))
    put(
        details,
        brand=media.brand,
        codec=track.codec,
        profile=track.profile,
        bit_rate=track.bit_rate or common.whole_rate(media, size),
        bit_rate_mode=media.facts.get("bit_rate_mode"),
        sample_rate=track.sample_rate,
        channels=track.channels,
        bits_per_sample=track.bits_per_sample if common.is_lossless(track, media.facts) else None,
        duration_estimated=media.estimated or None,
        container_time=media.container_time,
        encrypted=bool(track.encrypted or media.facts.get("encrypted")) or None,
        altitude=media.altitude,
        audio_tracks=len(media.of(TrackKind.AUDIO)) if len(media.of(TrackKind.AUDIO)) > 1 else None,
    )
    details["lossless"] = common.is_lossless(track, media.facts)
    details["has_cover"] = media.has_cover or bool(media.of(TrackKind.COVER))
    return details


def _numbers(media: Media, details: Details) -> None:
    tags = media.tags
    for name in ("track", "track_total", "disc", "disc_total", "bpm"):
        put(details, **{name: whole((tags.first(name) or "").partition(".")[0])})
    put(
        details,
        album=tags.first("album"),
        album_artist="; ".join(tags.all("album_artist")),
        disc_subtitle=tags.first("disc_subtitle"),
        compilation=common.truth(tags.first("compilation")) or None,
        date=iso_date(str(media.facts.get("full_date") or "") or tags.first("date")),
        release_date=iso_date(tags.first("release_date")),
        original_date=iso_date(tags.first("original_date")),
        identifiers=_identifiers(tags),
        replaygain=common.gains(tags),
        has_lyrics=True if "lyrics" in tags else None,
        sort={
            name: tags.first(f"{name}_sort")
            for name in ("title", "album", "artist", "album_artist", "composer")
            if f"{name}_sort" in tags
        },
    )


def _identifiers(tags: Tags) -> Details:
    """Numbers under which others know it, the ISBN as books have it."""
    found: Details = {name: tags.first(name) for name in _IDENTIFIERS if name in tags}
    isbn = tags.first("isbn")
    if isbn:
        normal = isbn13(isbn)
        found["isbn" if normal else "invalid_isbn"] = normal or isbn
    return found


def _created(media: Media) -> str | None:
    """When it came to be: the date in its tags; the recording's own time if it is neither song nor book."""
    tags = media.tags
    found = iso_date(str(media.facts.get("full_date") or "")) or iso_date(
        tags.first("date", "release_date", "original_date")
    )
    if found:
        return found
    if "artist" in tags or "album" in tags:
        return None
    return iso_date(str(media.facts.get("capture_time") or "")) or media.container_time


def _music(media: Media, details: Details) -> list[Entity]:
    tags = media.tags
    artists = split_values(tags.all("artists", "artist"))
    found = common.entities(EntityKind.PERSON, "artist", artists, tags.first("artist_sort"))
    found += common.entities(
        EntityKind.PERSON, "album_artist", split_values(tags.all("album_artist")), tags.first("album_artist_sort")
    )
    found += common.entities(
        EntityKind.PERSON, "composer", split_values(tags.all("composer")), tags.first("composer_sort")
    )
    for role in ("author", "performer", "conductor", "lyricist", "remixer", "producer", "arranger"):
        found += common.people(tags, role)
    put(
        details,
        work=tags.first("work"),
        movement=tags.first("movement"),
        movement_number=whole(tags.first("movement_number")),
    )
    if "series" in tags:
        found += _series_entities([(tags.all("series")[0], tags.first("series_part"))])
    return found


def _book(media: Media, details: Details) -> list[Entity]:
    """An audiobook's people and series.

    Authors are said in as many ways as there are tools: an author's own tag, the album artist, or the artist, which may
    hold the narrator too. Narrators: a tag of their own, else the composer, with which iTunes' store began, else a
    performer.
    """
    tags = media.tags
    narrators = split_names(tags.all("narrator"))
    authors = split_names(tags.all("author"))
    album_artists = split_names([value for value in tags.all("album_artist") if value.lower() not in _VARIOUS])
    artists = split_names(tags.all("artists", "artist"))
    composers = split_names(tags.all("composer"))
    narrators = narrators or composers or split_names(tags.all("performer"))
    narrators = narrators or [pair for pair in artists if pair[1] in {"narrator", "reader"}]
    reading = {name for name, _ in narrators}
    authors = authors or _others(album_artists, reading) or _others(artists, reading) or album_artists or artists
    found: list[Entity] = []
    sort = tags.first("album_artist_sort", "artist_sort")
    plain = [name for name, role in authors if role in {None, "author"}]
    found += common.entities(EntityKind.PERSON, "author", plain, sort)
    found += [Entity(EntityKind.PERSON, name, role) for name, role in authors if role not in {None, "author"}]
    found += common.entities(EntityKind.PERSON, "narrator", [name for name, _ in narrators])
    found += common.entities(EntityKind.PERSON, "composer", [name for name, _ in composers if name not in reading])
    for role in ("translator", "producer"):
        found += common.people(tags, role)
    series = _series(tags)
    put(details, book_title=tags.first("album", "title"))
    if series:
        name, part = series[0]
        number = position(part)
        put(details, series=name, series_position=number)
        if number is None or part != f"{number:g}":
            put(details, series_part=part)  # 1-3, for instance
    for text in ("description", "synopsis", "comment"):
        written = details.get(text)
        if isinstance(written, str):
            details[text] = plain_text(written) or written
    return found + _series_entities(series)


def _others(names: list[tuple[str, str | None]], reading: set[str]) -> list[tuple[str, str | None]]:
    return [pair for pair in names if pair[0] not in reading]


def _series(tags: Tags) -> list[tuple[str, str | None]]:
    """The series that a book is part of: tags of their own, then what is written in one."""
    part = tags.first("series_part", "movement_number", "part")
    named = tags.all("series") or tags.all("movement") or tags.all("show")
    if named:
        found = []
        for name in split_values(named):
            inside = parse_series(name) if part is None else None
            found.append(inside or (name, part if len(split_values(named)) == 1 else None))
        if len(found) > 1 and part and found[0][1] is None:
            found[0] = (found[0][0], part)
        return list(dict.fromkeys(found))
    inside_grouping = (parse_series(text, loose=True) for text in split_values(tags.all("grouping")))
    return list(dict.fromkeys(found for found in inside_grouping if found))


def _series_entities(series: list[tuple[str, str | None]]) -> list[Entity]:
    return [Entity(EntityKind.SERIES, name, "series", position(part) or 0) for name, part in series]
