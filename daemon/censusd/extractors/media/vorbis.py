"""Vorbis comments, the tags of Ogg and FLAC, with chapters in them.

Sources: the Vorbis I specification, section 5, and the Xiph wiki's VorbisComment and ChapterExtension pages.
"""

from __future__ import annotations

import re
from typing import Final

from censusd.extractors.media.cue import chapters_of
from censusd.extractors.media.facts import MOST_CHAPTERS, Chapter, Media
from censusd.extractors.media.genres import genre_names
from censusd.extractors.media.tags import add_free, known_name
from censusd.extractors.reading import Reader

_MOST_COMMENTS: Final = 10_000
_LONGEST: Final = 65_536
_PICTURES: Final = ("metadata_block_picture", "coverart")
_CHAPTER: Final = re.compile(r"chapter(\d{1,4})(name|url)?")
_TIME: Final = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)")


def parse(reader: Reader, at: int, end: int, media: Media) -> int:
    """Fill ``media`` from the comments between ``at`` and ``end``; where they end.

    Long values, which are pictures, are stepped over.
    """
    length = int.from_bytes(reader.at(at, 4), "little")
    vendor = reader.at(at + 4, min(length, 256)).decode("utf-8", "replace")
    at += 4 + length
    count = int.from_bytes(reader.at(at, 4), "little")
    at += 4
    starts: dict[int, float] = {}
    titles: dict[int, str] = {}
    for _ in range(min(count, _MOST_COMMENTS)):
        length = int.from_bytes(reader.at(at, 4), "little")
        if at + 4 + length > end or at + 4 > end:
            media.trouble("its comments are longer than their block")
            break
        name, _, value = reader.at(at + 4, min(length, _LONGEST)).decode("utf-8", "replace").partition("=")
        _comment(name[:200].lower(), value, media, starts, titles)
        at += 4 + length
    media.tags.add("encoder", vendor)
    chapters = [Chapter(start, titles.get(number)) for number, start in starts.items()]
    media.set_chapters(chapters, "vorbis comments")
    sheet = media.tags.first("cue_sheet")
    if sheet and not media.chapters:
        media.set_chapters(chapters_of(sheet), "cue sheet")
    return at


def _comment(name: str, value: str, media: Media, starts: dict[int, float], titles: dict[int, str]) -> None:
    if name.startswith(_PICTURES):
        media.has_cover = media.has_cover or len(value) > 32
        return
    chapter = _CHAPTER.fullmatch(name)
    if chapter:
        number = int(chapter[1])
        time = _TIME.fullmatch(value.strip())
        if chapter[2] == "name":
            titles.setdefault(number, value[:1000])
        elif chapter[2] is None and time and len(starts) < MOST_CHAPTERS:
            starts[number] = int(time[1]) * 3600 + int(time[2]) * 60 + float(time[3])
    elif known_name(name) == "genre":
        for genre in genre_names(value):
            media.tags.add("genre", genre)
    else:
        add_free(media.tags, name, value)
