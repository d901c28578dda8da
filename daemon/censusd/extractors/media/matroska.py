"""Matroska and WebM: what the segment says of itself, its chapters, tags and attachments.

Source: RFC 9559. What stands before the first cluster is read as it comes; what stands behind the clusters is found
by the seek head. Clusters are not read, unless nothing else says how long the file is: then the last one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from censusd.extractors.media import matroska_tracks
from censusd.extractors.media.ebml import Element, element, elements, number, real, signed, text
from censusd.extractors.media.facts import MOST_CHAPTERS, Chapter, Media, Track, TrackKind
from censusd.extractors.media.places import set_place
from censusd.extractors.media.tags import add_free, add_number
from censusd.extractors.reading import FormatError, Reader, TooMuchError

_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_INFO, _TRACKS, _CHAPTERS, _TAGS, _ATTACHMENTS = 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1254C367, 0x1941A469
_SEEK_HEAD: Final = 0x114D9B74
_CLUSTER_BYTES: Final = _CLUSTER.to_bytes(4, "big")
_TAIL: Final = 1 << 20
_MOST_TAGS: Final = 2_000
_EPOCH: Final = datetime(2001, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")


class _Segment:
    """What is known of a segment while it is read."""

    def __init__(self, reader: Reader, media: Media, whole: Element) -> None:
        self.reader = reader
        self.media = media
        self.whole = whole
        self.scale = 1_000_000
        self.seen: set[int] = set()
        self.elsewhere: dict[int, list[int]] = {}
        self.tracks: dict[int, Track] = {}
        self.titles: dict[int, str] = {}
        self.places: dict[int, str] = {}
        self.web = False


def parse(reader: Reader, media: Media) -> None:
    """Fill ``media`` from a Matroska or WebM file.

    Raises:
        FormatError: it has no segment, or one that cannot be read any further.
    """
    media.format, media.mime_type = "matroska", "video/x-matroska"
    segment: _Segment | None = None
    web = False
    for found in elements(reader, 0, reader.size, 16):
        if found.id == 0x1A45DFA3:
            web = any(
                part.id == 0x4282 and text(reader, part) == "webm" for part in elements(reader, found.body, found.end)
            )
        elif found.id == _SEGMENT:
            segment = _Segment(reader, media, found)
            break
    if segment is None:
        raise FormatError("there is no segment in it")
    segment.web = web
    try:
        _walk(segment)
    finally:
        _conclude(segment)


def _walk(segment: _Segment) -> None:
    reader, whole = segment.reader, segment.whole
    if whole.cut:
        segment.media.trouble("it goes on past the end of the file: it was cut off")
    for found in elements(reader, whole.body, whole.end):
        if found.id == _CLUSTER:
            break
        _part(segment, found)
    for kind, places in segment.elsewhere.items():
        for place in places:
            if kind not in segment.seen or kind == _TAGS:
                later = element(reader, whole.body + place, whole.end)
                if later and later.id == kind and later.body not in segment.seen:
                    _part(segment, later)
    if not segment.media.duration:
        _last_cluster(segment)


def _part(segment: _Segment, found: Element) -> None:
    parts: dict[int, Callable[[_Segment, Element], None]] = {
        _SEEK_HEAD: _seek_head, _INFO: _information, _TRACKS: _tracks, _CHAPTERS: _chapters, _TAGS: _tags,
        _ATTACHMENTS: _attachments,
    }  # fmt: skip
    if found.id in parts and found.body not in segment.seen:
        segment.seen.update((found.id, found.body))
        try:
            parts[found.id](segment, found)
        except TooMuchError:
            raise
        except FormatError as error:  # the other parts may be whole
            segment.media.trouble(str(error))


def _seek_head(segment: _Segment, head: Element) -> None:
    for seek in elements(segment.reader, head.body, head.end, 200):
        kind = place = 0
        for part in elements(segment.reader, seek.body, seek.end, 10) if seek.id == 0x4DBB else ():
            if part.id == 0x53AB:
                kind = number(segment.reader, part)
            elif part.id == 0x53AC:
                place = number(segment.reader, part)
        if kind in {_SEEK_HEAD, _INFO, _TRACKS, _CHAPTERS, _TAGS, _ATTACHMENTS}:
            segment.elsewhere.setdefault(kind, []).append(place)


def _information(segment: _Segment, info: Element) -> None:
    reader, media = segment.reader, segment.media
    duration = 0.0
    for part in elements(reader, info.body, info.end):
        if part.id == 0x2AD7B1:
            segment.scale = number(reader, part) or segment.scale
        elif part.id == 0x4489:
            duration = real(reader, part)
        elif part.id == 0x7BA9:
            segment.titles.setdefault(0, text(reader, part))
        elif part.id == 0x5741:
            media.tags.add("encoder", text(reader, part))
        elif part.id == 0x4D80:
            media.facts.setdefault("muxer", text(reader, part)[:200])
        elif part.id == 0x4461:
            seconds = signed(reader, part) / 1e9
            if -1e9 < seconds < 4e9:
                media.container_time = (_EPOCH + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")
    if duration > 0:
        media.duration = duration * segment.scale / 1e9


def _tracks(segment: _Segment, tracks: Element) -> None:
    for entry in elements(segment.reader, tracks.body, tracks.end, 200):
        if entry.id == 0xAE:
            uid, track = matroska_tracks.track(segment.reader, entry, web=segment.web)
            segment.tracks[uid] = track
            segment.media.add_track(track)


def _chapters(segment: _Segment, part: Element) -> None:
    """The chapters of the first edition that is not hidden."""
    for edition in elements(segment.reader, part.body, part.end, 50):
        if edition.id != 0x45B9:
            continue
        chapters: list[Chapter] = []
        hidden = False
        for found in elements(segment.reader, edition.body, edition.end):
            if found.id == 0x45BD:
                hidden = bool(number(segment.reader, found))
            elif found.id == 0xB6 and len(chapters) < MOST_CHAPTERS:
                chapter = _chapter(segment.reader, found)
                if chapter:
                    chapters.append(chapter)
        if chapters and not hidden:
            segment.media.set_chapters(chapters, "matroska")
            return


def _chapter(reader: Reader, atom: Element) -> Chapter | None:
    chapter = Chapter(0)
    for part in elements(reader, atom.body, atom.end, 100):
        if part.id == 0x91:
            chapter.start = number(reader, part) / 1e9
        elif part.id == 0x92:
            chapter.end = number(reader, part) / 1e9
        elif part.id == 0x98 and number(reader, part):
            return None
        elif part.id == 0x80 and chapter.title is None:
            for display in elements(reader, part.body, part.end, 20):
                if display.id == 0x85:
                    chapter.title = text(reader, display)[:1000] or None
    return chapter


def _attachments(segment: _Segment, part: Element) -> None:
    fonts = 0
    for file in elements(segment.reader, part.body, part.end, 1_000):
        name = mime = ""
        for field in elements(segment.reader, file.body, file.end, 20) if file.id == 0x61A7 else ():
            if field.id == 0x466E:
                name = text(segment.reader, field)
            elif field.id == 0x4660:
                mime = text(segment.reader, field)
        if mime.startswith("image/") and "cover" in name.lower():
            segment.media.has_cover = True
        fonts += "font" in mime
    if fonts:
        segment.media.facts["fonts"] = fonts


def _tags(segment: _Segment, part: Element) -> None:
    for tag in elements(segment.reader, part.body, part.end, _MOST_TAGS):
        level, uid = 50, 0
        other = False
        simple: list[Element] = []
        for found in elements(segment.reader, tag.body, tag.end, _MOST_TAGS) if tag.id == 0x7373 else ():
            if found.id == 0x63C0:
                for target in elements(segment.reader, found.body, found.end, 50):
                    if target.id == 0x68CA:
                        level = number(segment.reader, target)
                    elif target.id == 0x63C5:
                        uid = number(segment.reader, target)
                    elif target.id in {0x63C4, 0x63C6, 0x63C9}:
                        other = other or number(segment.reader, target) != 0
            elif found.id == 0x67C8:
                simple.append(found)
        if not other:
            for each in simple:
                _tag(segment, each, level, uid)


def _tag(segment: _Segment, simple: Element, level: int, uid: int) -> None:
    name = value = ""
    for part in elements(segment.reader, simple.body, simple.end, 50):
        if part.id == 0x45A3:
            name = text(segment.reader, part)[:200].upper()
        elif part.id == 0x4487:
            value = text(segment.reader, part)
    if uid:
        _track_tag(segment.tracks.get(uid), name, value)
    elif name == "TITLE":
        segment.titles.setdefault(level, value)
    elif name == "PART_NUMBER":
        segment.places.setdefault(level, value)
    elif name == "LOCATION":
        set_place(segment.media, value)
    elif name not in {"TOTAL_PARTS", "PART_OFFSET"}:
        add_free(segment.media.tags, name, value)


def _track_tag(track: Track | None, name: str, value: str) -> None:
    """Figures that mkvmerge and ffmpeg keep of a track."""
    if track is None:
        return
    if name.partition("-")[0] == "BPS" and value.isascii() and value.isdecimal() and len(value) < 12:
        track.bit_rate = int(value) or None
    elif name.partition("-")[0] == "DURATION":
        found = _TIME.match(value)
        if found:
            track.duration = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) or None


def _conclude(segment: _Segment) -> None:
    """Say which title and which number is which, and what the whole is by its tracks.

    Levels of RFC 9559: 70 is a collection, 60 a season, 50 a film or an album, 40 a disc, 30 a track.
    """
    media, titles, places = segment.media, segment.titles, segment.places
    video = bool(media.of(TrackKind.VIDEO))
    if 30 in titles and 50 in titles:
        media.tags.add("album", titles[50])
    if 70 in titles:
        media.tags.add("show" if video else "series", titles[70])
    for level in (30, 0, 50, 40, 20, 10):
        if titles.get(level):
            media.tags.add("title", titles[level])
            break
    for name, level in (("season", 60), ("episode", 50)) if video else (("disc", 40), ("track", 30), ("track", 50)):
        if level in places and name not in media.tags:
            add_number(media.tags, name, places[level])
    kind = "video" if video or not media.tracks else "audio"
    media.format = "webm" if segment.web else "matroska"
    media.mime_type = f"{kind}/{'webm' if segment.web else 'x-matroska'}"


def _last_cluster(segment: _Segment) -> None:
    """The time of the last block, for files that a browser or a stream recorder has written without a duration."""
    reader = segment.reader
    start = max(reader.size - _TAIL, segment.whole.body)
    data = reader.at(start, _TAIL)
    at = data.rfind(_CLUSTER_BYTES)
    if at < 0:
        return
    base = latest = 0
    try:
        cluster = element(reader, start + at, reader.size)
        for part in elements(reader, cluster.body, cluster.end) if cluster else ():
            if part.id == 0xE7:
                base = number(reader, part)
            elif part.id == 0xA3:
                latest = max(latest, _block_time(reader, part))
            elif part.id == 0xA0:
                for block in elements(reader, part.body, part.end, 20):
                    if block.id == 0xA1:
                        latest = max(latest, _block_time(reader, block))
    except FormatError:
        pass  # the end of a file that was being written
    if base or latest:
        segment.media.duration = (base + latest) * segment.scale / 1e9
        segment.media.estimated = True


def _block_time(reader: Reader, block: Element) -> int:
    """A block's time after its cluster's: two bytes behind the track's number."""
    head = reader.at(block.body, 10)
    width = 9 - head[0].bit_length() if head else 9
    return int.from_bytes(head[width : width + 2], "big", signed=True) if width < 9 else 0
