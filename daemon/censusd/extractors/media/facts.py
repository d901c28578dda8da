"""What parsers of media find: tracks, chapters, tags, in one form for all formats."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST_TRACKS: Final = 100
MOST_CHAPTERS: Final = 1_000
MOST_NAMES: Final = 200
MOST_VALUES: Final = 100
LONGEST_VALUE: Final = 16_384
LONGEST_EXTRA: Final = 1_024
MOST_TEXT: Final = 100_000
"""Characters in all tags of a file that are kept."""
LONGEST_TITLE: Final = 300
MOST_TITLES: Final = 50_000
"""Characters in all titles of chapters that are kept."""


class TrackKind(StrEnum):
    """What a track holds."""

    AUDIO = "audio"
    VIDEO = "video"
    SUBTITLE = "subtitle"
    COVER = "cover"
    """A picture that is stored as a video of one frame."""
    DATA = "data"


@dataclass(slots=True)
class Track:
    """One track. What the file does not say is None.

    Attributes:
        kind: what it holds.
        codec: in ffmpeg's words, which people search for: ``h264``, ``aac``, ``subrip``.
        profile: of the codec, as people write it: ``High``, ``Main 10``, ``LC``.
        language: as the file says.
        title: as the file says.
        duration: seconds.
        bit_rate: bits per second.
        default: whether a player chooses it by itself.
        forced: whether a player shows it in any case.
        sample_rate: hertz.
        channels: of sound.
        bits_per_sample: of sound.
        width: pixels as stored.
        height: pixels as stored.
        rotation: degrees clockwise by which a player turns it.
        pixel_aspect: width of a pixel to its height.
        frame_rate: pictures per second, on average.
        interlaced: whether pictures are made of two fields.
        bit_depth: bits per component of a pixel.
        primaries: ITU-T H.273 code of the colour primaries.
        transfer: ITU-T H.273 code of the transfer characteristics.
        matrix: ITU-T H.273 code of the matrix coefficients.
        full_range: whether all values of a component are used.
        dolby_vision: profile of Dolby Vision.
        mastering: whether it says on what display it was graded.
        max_cll: nits of the brightest pixel.
        max_fall: nits of the brightest picture, on average.
        encrypted: whether it can be played with a key only.
    """

    kind: TrackKind
    codec: str | None = None
    profile: str | None = None
    language: str | None = None
    title: str | None = None
    duration: float | None = None
    bit_rate: int | None = None
    default: bool | None = None
    forced: bool | None = None
    sample_rate: int | None = None
    channels: int | None = None
    bits_per_sample: int | None = None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    pixel_aspect: tuple[int, int] | None = None
    frame_rate: float | None = None
    interlaced: bool | None = None
    bit_depth: int | None = None
    primaries: int | None = None
    transfer: int | None = None
    matrix: int | None = None
    full_range: bool | None = None
    dolby_vision: int | None = None
    mastering: bool = False
    max_cll: int | None = None
    max_fall: int | None = None
    encrypted: bool = False


@dataclass(slots=True)
class Chapter:
    """A named place.

    Attributes:
        start: seconds from the beginning.
        title: as the file says.
        end: seconds from the beginning, if the file says it.
    """

    start: float
    title: str | None = None
    end: float | None = None


class Tags:
    """What a file says of itself: names with one or more values each, within bounds.

    Names are those of ``tags.py``. What a file says under a name that nobody knows is kept apart, in ``extra``.
    """

    __slots__ = ("_left", "_values", "extra")

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}
        self._left = MOST_TEXT
        self.extra: dict[str, str] = {}

    def add(self, name: str, value: str) -> None:
        """Keep a value unless it is empty, is there already, or there are too many; at a NUL begins another one."""
        value = value[:LONGEST_VALUE].strip("\0 \t\r\n\ufeff")
        if "\0" in value:
            for part in value.split("\0")[:MOST_VALUES]:
                self.add(name, part)
            return
        if not value or self._left < len(value):
            return
        values = self._values.get(name)
        if values is None:
            if len(self._values) >= MOST_NAMES:
                return
            values = self._values[name] = []
        if len(values) < MOST_VALUES and value not in values:
            self._left -= len(value)
            values.append(value)

    def add_extra(self, name: str, value: str) -> None:
        """Keep a value under a name of the file's own; the first one counts."""
        name, value = name.strip("\0 ").lower()[:100], value[:LONGEST_EXTRA].strip("\0 \t\r\n")
        if name and value and len(self.extra) < MOST_NAMES and self._left >= len(value):
            self._left -= len(value)
            self.extra.setdefault(name, value)

    def first(self, *names: str) -> str | None:
        """The first value of the first of these names that has one."""
        for name in names:
            if values := self._values.get(name):
                return values[0]
        return None

    def all(self, *names: str) -> list[str]:
        """All values of the first of these names that has any."""
        for name in names:
            if values := self._values.get(name):
                return list(values)
        return []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def items(self) -> Iterable[tuple[str, list[str]]]:
        """Names with their values."""
        return self._values.items()


@dataclass(slots=True)
class Media:
    """What was found in one file; a parser fills it as it reads, so that what was read before trouble stays.

    Attributes:
        format: the container: ``mp4``, ``matroska``, ``mp3``, …
        mime_type: by the content; the extractor may make it more exact.
        brand: the four letters by which an MP4 says what it is for.
        duration: seconds.
        estimated: whether the duration was worked out from a part of the file.
        bit_rate: bits per second of the whole file, if the format says it.
        tracks: in the file's order.
        chapters: in order of time.
        chapter_count: how many there are, which may be more than are kept.
        chapter_source: what kind of chapters they are: ``mp4 track``, ``id3``, ``cue sheet``, …
        tags: what the file says of itself.
        has_cover: whether a picture is inside.
        container_time: when the container says it was made, as ISO 8601.
        latitude: degrees north.
        longitude: degrees east.
        altitude: metres above the sea.
        facts: whatever else a format has to say, by the name it gets in ``details``.
        problems: sentences on what could not be read.
    """

    format: str = ""
    mime_type: str = ""
    brand: str | None = None
    duration: float | None = None
    estimated: bool = False
    bit_rate: int | None = None
    tracks: list[Track] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)
    chapter_count: int = 0
    chapter_source: str | None = None
    tags: Tags = field(default_factory=Tags)
    has_cover: bool = False
    container_time: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    facts: dict[str, str | int | float | bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add_track(self, track: Track) -> None:
        """Keep a track, unless there are too many."""
        if len(self.tracks) < MOST_TRACKS:
            self.tracks.append(track)

    def set_chapters(self, chapters: list[Chapter], source: str, count: int | None = None) -> None:
        """Keep chapters in order of time, unless there are more already; of as many, the later count."""
        count = max(count or 0, len(chapters))
        sound = [chapter for chapter in chapters if 0 <= chapter.start < math.inf]
        if sound and len(sound) >= len(self.chapters):
            self.chapters = sorted(sound, key=lambda chapter: chapter.start)[:MOST_CHAPTERS]
            self.chapter_count, self.chapter_source = count, source
            left = MOST_TITLES
            for chapter in self.chapters:
                title = (chapter.title or "")[: min(LONGEST_TITLE, left)].strip("\0 \t\r\n\ufeff")
                chapter.title = title or None
                left -= len(title)

    def of(self, kind: TrackKind) -> list[Track]:
        """The tracks of one kind."""
        return [track for track in self.tracks if track.kind is kind]

    def trouble(self, sentence: str) -> None:
        """Note what could not be read."""
        if len(self.problems) < 10 and sentence not in self.problems:
            self.problems.append(sentence)
