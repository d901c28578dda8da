"""What people put into the names of comics: series, number, volume, year, how many there are, title.

There is no standard, only habits: ``Series 012 (of 24) (2019) (Digital) (Zone-Empire)``, ``Series v01 c003``,
``Series #1.5``, ``[Group] Series - 01``, ``Series - 01 - Title``, ``Série T03 - Titre``, ``第01巻``. What stands in
brackets is taken out first; then numbers that say what they are (``v01``, ``#12``, ``c003``) are looked for, and only
where there is none, a bare number in one of the places where people put one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from censusd.extractors.comics import name_patterns as patterns
from censusd.extractors.comics.facts import leading_number

LONGEST: Final = 400
"""Characters of a name that are looked at. File systems end at 255 bytes."""


@dataclass(slots=True)
class ComicName:
    """What a name says. Numbers are texts, because there are issues ``1.5``, ``½`` and ``1.MU``.

    Attributes:
        series: without numbers and brackets.
        number: of the issue or chapter, without leading zeros.
        last_number: the last one, where it holds several.
        volume: of a collected edition, or the year in which the series began (``v2019``).
        last_volume: the last one, where it holds several.
        count: how many issues there are in all.
        title: of the issue or chapter.
        year: of publication; of a directory, the year in which the series began.
        month: of publication.
        day: of publication.
        format: ``Annual``, ``One-Shot``, ``TPB``, …
        language: as a BCP 47 tag.
        release: what else stood in brackets: who made the file, and how.
    """

    series: str | None = None
    number: str | None = None
    last_number: str | None = None
    volume: str | None = None
    last_volume: str | None = None
    count: int | None = None
    title: str | None = None
    year: int | None = None
    month: int | None = None
    day: int | None = None
    format: str | None = None
    language: str | None = None
    release: tuple[str, ...] = ()


def parse_name(name: str) -> ComicName:
    """What the name of a file, or of a directory, says.

    Args:
        name: the last name, with or without its extension.
    """
    said = ComicName()
    text = _without_brackets(_spaced(patterns.EXTENSION.sub("", name[:LONGEST])), said)
    text = patterns.NOISE.sub("", patterns.VERSION.sub("", text))
    if date := patterns.DAY.search(text):
        text = text[: date.start()]
        said.year, said.month, said.day = int(date["year"]), int(date["month"]), int(date["day"])
    if form := patterns.FORMAT.search(text):
        said.format = said.format or patterns.FORMATS[form[1].lower()]
    if _take_marked(text, said):
        pass
    elif found := patterns.OF.search(text):
        said.number, said.count = said.number or plain_number(found["number"]), int(found["count"])
        said.series, said.title = _trimmed(text[: found.start()]), _trimmed(text[found.end() :])
    else:
        _take_bare(text, said)
    if said.series and (inverted := patterns.INVERTED.match(said.series)):
        said.series = f"{inverted['article']} {inverted['rest']}"
    return said


def plain_number(text: str) -> str:
    """A number without leading zeros, with fractions in decimals: ``012`` → ``12``, ``½`` → ``0.5``."""
    text = text.strip()
    for sign, decimals in (("½", ".5"), ("¼", ".25"), ("¾", ".75")):
        text = (text or "0").replace(sign, decimals) if text != sign else "0" + decimals
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    bare = digits.lstrip("0")
    return sign + (bare if bare[:1].isdigit() else "0" + bare)


def _spaced(name: str) -> str:
    """The name with spaces where tools have put something else for them."""
    name = unicodedata.normalize("NFC", name)
    if "%20" in name:
        name = unquote(name)
    if " " not in name:
        name = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", name) if name.count(".") > 1 else name
        name = name.replace("+", " ") if name.count("+") > 1 else name
    return " ".join(name.replace("_", " ").split())


def _without_brackets(text: str, said: ComicName) -> str:
    """What is left of the text without what stands in brackets; that is put into ``said``."""
    release = []
    for _ in range(3):  # brackets in brackets, the inner ones first
        groups = list(patterns.BRACKETS.finditer(text))
        for group in groups:
            content = next((part for part in group.groups() if part), "").strip()
            if content and not _take_bracketed(content, said):
                release.append(content)
        text = patterns.BRACKETS.sub(" ", text)
        if not groups:
            break
    said.release = tuple(release)
    return " ".join(text.split())


def _take_bracketed(content: str, said: ComicName) -> bool:
    """Whether what stood in brackets is something to know; it is put into ``said`` then."""
    for pattern in patterns.DATES:
        if date := pattern.fullmatch(content):
            _take_date(date.groupdict(), said)
            return True
    if count := patterns.COUNT.fullmatch(content):
        said.count = int(count["count"])
        said.number = said.number or (plain_number(count["number"]) if count["number"] else None)
        return True
    word = content.lower()
    if word in patterns.FORMATS:
        said.format = said.format or patterns.FORMATS[word]
        return True
    if word in patterns.LANGUAGES:
        said.language = said.language or patterns.LANGUAGES[word]
        return True
    if re.fullmatch(r"[vV]\d", content):
        return False  # the group's second try, not the second volume
    for kind, marks in (("volume", patterns.VOLUMES), ("number", patterns.ISSUES)):
        found = next((match for pattern in marks if (match := pattern.match(content))), None)
        if found and not content[found.end() : found.end() + 1].isalnum():
            if getattr(said, kind) is None:
                _note(said, kind, found)
            return True
    return False


def _note(said: ComicName, kind: str, found: re.Match[str]) -> None:
    """Note a number and, if there are several, the last one; ``38-1`` is no more than 38."""
    last = found["last"] if found["last"] and float(found["last"]) > (leading_number(found["number"]) or 0) else None
    setattr(said, kind, plain_number(found["number"]))
    setattr(said, f"last_{kind}", plain_number(last) if last else None)


def _take_date(parts: dict[str, str | None], said: ComicName) -> None:
    """Note a date in brackets. Of two, the first is when the series began: ``Series (1957) #92 (1969)``."""
    year = int(parts["year"] or 0)
    if said.year is not None and (year == said.year or said.volume is not None):
        return
    if said.year is not None:
        said.volume = str(said.year)
    month, number, day = parts.get("month"), parts.get("number"), parts.get("day")
    said.year = year
    said.month = patterns.MONTHS.index(month.lower()) + 1 if month else int(number) if number else None
    said.day = int(day) if day and 1 <= int(day) <= 31 else None


def _take_marked(text: str, said: ComicName) -> bool:
    """Look for numbers that say what they are; whether there are any."""
    volume = next((found for pattern in patterns.VOLUMES if (found := pattern.search(text))), None)
    issue = next((found for pattern in patterns.ISSUES if (found := pattern.search(text))), None)
    if issue is None and (issue := patterns.WEAK_ISSUE.search(text)):
        first, _, _ = text[issue.end() :].strip(patterns.EDGES).partition(" ")
        if patterns.BARE.fullmatch(first) or (volume and not issue.start()):
            issue = None
            if volume is None:
                return False
    marks = sorted((mark for mark in (volume, issue) if mark), key=re.Match.start)
    if not marks:
        return False
    if volume:
        _note(said, "volume", volume)
    if issue:
        _note(said, "number", issue)
    said.series = _trimmed(text[: marks[0].start()])
    between = text[marks[0].end() : marks[-1].start()].strip(patterns.EDGES)
    if said.series and patterns.FORMAT.fullmatch(between):  # The Defenders v1 Annual #01
        said.series = f"{said.series} {between}"
    rest = text[max(mark.end() for mark in marks) :].strip(patterns.EDGES)
    if volume and not issue:
        first, _, others = rest.partition(" ")
        if bare := patterns.BARE.fullmatch(first):  # Series Vol. 2 012
            _note(said, "number", bare)
            rest = others
    said.title = _trimmed(rest)
    return True


def _take_bare(text: str, said: ComicName) -> None:
    """Look for a number where people put one that does not say what it is."""
    segments = [part for part in patterns.SEPARATOR.split(text) if part.strip(patterns.EDGES)]
    # A number that stands alone (Area 51 - 03) before one behind a name (Blacksad 01 - Title).
    ends = [(place, *segment.rpartition(" ")[::2]) for place, segment in enumerate(segments)]
    for place, before, last in sorted(ends, key=lambda end: (bool(end[1]), end[0])):
        bare = patterns.BARE.fullmatch(last.strip(",;:"))
        if not bare:
            continue
        if date := patterns.ISSUE_DATE.fullmatch(last):  # Heavy Metal 1977-04
            said.year, said.month = said.year or int(date["year"]), said.month or int(date["month"])
            said.series = _trimmed(" - ".join([*segments[:place], before]))
            return
        if (before or place) and _is_year(last) and not patterns.YEARLY.search(before):
            # Blade Runner 2049, Free Comic Book Day 2019: a part of the series' name.
            said.year = said.year or (int(last) if int(last) <= 2040 else None)
            continue
        _note(said, "number", bare)
        said.series = _trimmed(" - ".join([*segments[:place], before]))
        said.title = _trimmed(" - ".join(segments[place + 1 :]))
        return
    if (hyphened := patterns.HYPHENED.fullmatch(text)) and not _is_year(hyphened["number"]):  # spawn-123
        said.series, said.number = _trimmed(hyphened["series"]), plain_number(hyphened["number"])
        return
    words = text.split()
    for place, word in enumerate(words):
        if patterns.PADDED.fullmatch(word.rstrip(".,")):  # 012 The Title, Series 012 The Title
            said.number = said.number or plain_number(word.rstrip(".,"))
            said.series, said.title = _trimmed(" ".join(words[:place])), _trimmed(" ".join(words[place + 1 :]))
            return
    said.series = _trimmed(text)


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isdecimal() and 1900 <= int(text) < 2100


def _trimmed(text: str) -> str | None:
    return text.strip(patterns.EDGES) or None
