"""Cue sheets as text, which some put into tags, and OverDrive's markers, which are chapters of one part of a book."""

from __future__ import annotations

import html
import re
from typing import Final

from censusd.extractors.media.facts import MOST_CHAPTERS, Chapter

_LINE: Final = re.compile(r'\s*(TRACK|TITLE|INDEX)\s+(?:"([^"]*)"|(\S+))\s*(\S*)')
_MARKER: Final = re.compile(r"<Marker>\s{0,20}<Name>([^<]{0,500})</Name>\s{0,20}<Time>([\d:.]{1,20})</Time>")
_CONTINUED: Final = re.compile(r"\(\d|continued", re.IGNORECASE)


def chapters_of(sheet: str) -> list[Chapter]:
    """A chapter for each track of a cue sheet; times are minutes, seconds and frames, of which 75 make a second."""
    chapters: list[Chapter] = []
    title: str | None = None
    in_track = False
    for line in sheet.splitlines()[: 10 * MOST_CHAPTERS]:
        found = _LINE.match(line[:500])
        if not found:
            continue
        word, value = found[1], found[2] if found[2] is not None else found[3]
        if word == "TRACK":
            in_track, title = True, None
        elif word == "TITLE":
            title = value if in_track else None
        elif value == "01" and in_track and len(chapters) < MOST_CHAPTERS:
            parts = found[4].split(":")
            if len(parts) == 3 and all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
                minutes, seconds, frames = map(int, parts)
                chapters.append(Chapter(minutes * 60 + seconds + frames / 75, title))
    return chapters


def overdrive_chapters(markers: str) -> list[Chapter]:
    """Chapters from OverDrive's MediaMarkers; those that only say that a chapter goes on are left out."""
    chapters = []
    for name, time in _MARKER.findall(markers)[:MOST_CHAPTERS]:
        title = html.unescape(name).strip()
        parts = [part for part in time.split(":") if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", part)]
        if parts and not _CONTINUED.search(title):
            seconds = sum(float(part) * 60**power for power, part in enumerate(reversed(parts[-3:])))
            chapters.append(Chapter(seconds, title))
    return chapters
