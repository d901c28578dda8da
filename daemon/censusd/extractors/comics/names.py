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


_EXTENSION: Final = re.compile(r"\.(?:cb[zrt7a]|zip|rar|7z|tar|pdf|epub)$", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"\(([^()\[\]{}]*)\)|\[([^()\[\]{}]*)\]|\{([^()\[\]{}]*)\}")
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH: Final = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
_DATES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}(?:\s*[-\u2013]\s*(?:(?:19|20)\d\d|present|\s*))?",
        rf"{_YEAR}[-./ ](?P<number>0[1-9]|1[0-2])(?:[-./ ](?P<day>0[1-9]|[12]\d|3[01]))?",
        rf"(?:(?P<day>\d\d?)\s+)?{_MONTH}\s*,?\s*{_YEAR}",
        rf"(?P<number>0[1-9]|1[0-2])[-./]{_YEAR}",
    )
)
_COUNT: Final = re.compile(r"(?:(?P<number>\d{1,4})\s*)?(?:of|von|sur|de)\s*(?P<count>\d{1,4})", re.IGNORECASE)
_FORMATS: Final = {
    "annual": "Annual",
    "annuals": "Annual",
    "one-shot": "One-Shot",
    "one shot": "One-Shot",
    "oneshot": "One-Shot",
    "os": "One-Shot",
    "tpb": "TPB",
    "trade paperback": "TPB",
    "hc": "Hardcover",
    "hardcover": "Hardcover",
    "gn": "Graphic Novel",
    "graphic novel": "Graphic Novel",
    "ogn": "Graphic Novel",
    "omnibus": "Omnibus",
    "special": "Special",
    "fcbd": "FCBD",
    "free comic book day": "FCBD",
    "preview": "Preview",
}
_FORMAT: Final = re.compile(
    r"\b(annual|one-?shot|tpb|omnibus|ogn|hardcover|special|fcbd|free comic book day)\b", re.IGNORECASE
)
_LANGUAGES: Final = {
    word: tag
    for tag, words in {
        "en": "en eng english", "fr": "fr fre fra french français", "de": "de ger deu german deutsch",
        "es": "es spa spanish español castellano", "it": "it ita italian italiano", "nl": "nl dut nld dutch nederlands",
        "ja": "ja jp jpn japanese 日本語", "pt": "pt por portuguese português", "pt-BR": "pt-br ptbr brazilian",
        "ru": "ru rus russian русский", "ko": "ko kor korean 한국어", "zh": "zh chi zho chinese 中文 中国翻訳",
        "pl": "pl pol polish polski", "sv": "sv swe swedish svenska", "tr": "tr tur turkish türkçe",
    }.items()
    for word in words.split()
}  # fmt: skip

_ISSUE_DATE: Final = re.compile(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])")
_YEARLY: Final = re.compile(r"\b(annual|special)\b", re.IGNORECASE)

_NUMBER: Final = r"-?\d{1,5}(?:\.\d{1,3})?(?:\.?(?:AU|MU|NOW|INH|HU|LR|DX|BEY)|[A-Ea-ex]\d?)?(?![\w½¼¾])"
_FRACTION: Final = r"\d{0,3}[½¼¾]"
_UPTO: Final = r"(?:(?:[-\u2013~](?i:v|c|ch|#)?|\s?[-\u2013]\s?(?i:v|c|ch|#))\.?(?P<last>\d{1,4}(?:\.\d{1,3})?)(?!\w))?"
_VOLUMES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i:(?<![^\W_])(?:volumes?|vol|tome|tomo|band|bd|v)\.?\s{0,2}(?P<number>\d{1,4}(?:\.\d)?))(?!\w)" + _UPTO,
        r"(?<!\w)T\.?\s?(?P<number>\d{1,3})(?!\w)" + _UPTO,
        r"(?i:(?<!\w)(?:том|тома)\s?(?P<number>\d{1,4}))(?!\w)" + _UPTO,
        r"[第제]?\s?(?P<number>\d{1,4})\s?[巻卷册冊권]" + _UPTO,
    )
)
_ISSUES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"#\s?(?P<number>{_FRACTION}|{_NUMBER})" + _UPTO,
        r"(?i:(?<![^\W_])(?:chapters?|chapitre|chap|ch|kapitel|capítulo|capitulo|cap|episode|ep)\.?\s{0,2}"
        rf"(?P<number>{_NUMBER}))" + _UPTO,
        rf"(?i:(?<![^\W_])(?:issue|prog|heft|hft|nr|no|n[°º]|№)\.?\s{{0,2}}(?P<number>{_FRACTION}|{_NUMBER}))" + _UPTO,
        rf"(?i:(?<![^\W_])c(?P<number>{_NUMBER}))" + _UPTO,
        rf"(?i:(?<!\w)(?:глава|гл\.)\s?(?P<number>{_NUMBER}))" + _UPTO,
        r"[第제]?\s?(?P<number>\d{1,4}(?:\.\d)?)\s?[話话章回화회]" + _UPTO,
    )
)
_OF: Final = re.compile(r"(?<!\w)(?P<number>\d{1,4})\s+(?i:of)\s+(?P<count>\d{1,4})(?!\w)")
_BARE: Final = re.compile(rf"(?P<number>{_FRACTION}|{_NUMBER})(?:-(?P<last>\d{{1,4}}))?")
_VERSION: Final = re.compile(r"(?<=\d)\s?v\d(?!\w)")  # [Group] Series - 01v2: the group's second try
_SEPARATOR: Final = re.compile(r"\s+[-\u2013\u2014]\s+")
_EDGES: Final = " -\u2013\u2014:,;.#_~"
_INVERTED: Final = re.compile(r"^(?P<rest>.+), (?P<article>The|A|An|Der|Die|Das|Le|La|Les|El|Los)$")
_PADDED: Final = re.compile(r"0\d+(?:\.\d)?")


def parse_name(name: str) -> ComicName:
    """What the name of a file, or of a directory, says.

    Args:
        name: the last name, with or without its extension.
    """
    said = ComicName()
    text = _without_brackets(_spaced(_EXTENSION.sub("", name[:LONGEST])), said)
    text = _VERSION.sub("", text)
    if form := _FORMAT.search(text):
        said.format = said.format or _FORMATS[form[1].lower()]
    if found := _OF.search(text):
        said.number, said.count = said.number or plain_number(found["number"]), int(found["count"])
        said.series, said.title = _trimmed(text[: found.start()]), _trimmed(text[found.end() :])
    elif not _take_marked(text, said):
        _take_bare(text, said)
    if said.series and (inverted := _INVERTED.match(said.series)):
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
        groups = list(_BRACKETS.finditer(text))
        for group in groups:
            content = (group[1] or group[2] or group[3] or "").strip()
            if content and not _take_bracketed(content, said):
                release.append(content)
        text = _BRACKETS.sub(" ", text)
        if not groups:
            break
    said.release = tuple(release)
    return " ".join(text.split())


def _take_bracketed(content: str, said: ComicName) -> bool:
    """Whether what stood in brackets is something to know; it is put into ``said`` then."""
    for pattern in _DATES:
        if date := pattern.fullmatch(content):
            parts = date.groupdict()
            if said.year is None:
                said.year = int(parts["year"])
                month, number, day = parts.get("month"), parts.get("number"), parts.get("day")
                said.month = _MONTHS.index(month.lower()) + 1 if month else int(number) if number else None
                said.day = int(day) if day and 1 <= int(day) <= 31 else None
            return True
    if count := _COUNT.fullmatch(content):
        said.count = int(count["count"])
        said.number = said.number or (plain_number(count["number"]) if count["number"] else None)
        return True
    word = content.lower()
    if word in _FORMATS:
        said.format = said.format or _FORMATS[word]
        return True
    if word in _LANGUAGES:
        said.language = said.language or _LANGUAGES[word]
        return True
    for pattern in _VOLUMES:
        if volume := pattern.fullmatch(content):
            said.volume = said.volume or plain_number(volume["number"])
            said.last_volume = said.last_volume or (plain_number(volume["last"]) if volume["last"] else None)
            return True
    return False


def _take_marked(text: str, said: ComicName) -> bool:
    """Look for numbers that say what they are; whether there are any."""
    volume = next((found for pattern in _VOLUMES if (found := pattern.search(text))), None)
    issue = next((found for pattern in _ISSUES if (found := pattern.search(text))), None)
    if volume and issue and issue[0][:2].lower() == "no" and not issue.start():
        issue = None  # the series' name is No. 6
    marks = sorted((mark for mark in (volume, issue) if mark), key=re.Match.start)
    if not marks:
        return False
    if volume:
        said.volume = plain_number(volume["number"])
        said.last_volume = plain_number(volume["last"]) if volume["last"] else None
    if issue:
        said.number = plain_number(issue["number"])
        said.last_number = plain_number(issue["last"]) if issue["last"] else None
    said.series = _trimmed(text[: marks[0].start()])
    rest = text[max(mark.end() for mark in marks) :].strip(_EDGES)
    if volume and not issue:
        first, _, others = rest.partition(" ")
        if bare := _BARE.fullmatch(first):  # Series Vol. 2 012
            said.number = plain_number(bare["number"])
            said.last_number = plain_number(bare["last"]) if bare["last"] else None
            rest = others
    said.title = _trimmed(rest)
    return True


def _take_bare(text: str, said: ComicName) -> None:
    """Look for a number where people put one that does not say what it is."""
    segments = [part for part in _SEPARATOR.split(text) if part.strip(_EDGES)]
    # A number that stands alone (Area 51 - 03) before one behind a name (Blacksad 01 - Title).
    ends = [(place, *segment.rpartition(" ")[::2]) for place, segment in enumerate(segments)]
    for place, before, last in sorted(ends, key=lambda end: (bool(end[1]), end[0])):
        bare = _BARE.fullmatch(last.strip(",;:"))
        if not bare:
            continue
        if date := _ISSUE_DATE.fullmatch(last):  # Heavy Metal 1977-04
            said.year, said.month = said.year or int(date["year"]), said.month or int(date["month"])
            said.series = _trimmed(" - ".join([*segments[:place], before]))
            return
        if (before or place) and _is_year(last) and not _YEARLY.search(before):
            # Blade Runner 2049, Free Comic Book Day 2019: a part of the series' name.
            said.year = said.year or (int(last) if int(last) <= 2040 else None)
            continue
        said.number = plain_number(bare["number"])
        said.last_number = plain_number(bare["last"]) if bare["last"] else None
        said.series = _trimmed(" - ".join([*segments[:place], before]))
        said.title = _trimmed(" - ".join(segments[place + 1 :]))
        return
    words = text.split()
    for place, word in enumerate(words):
        if _PADDED.fullmatch(word.rstrip(".,")):  # 012 The Title, Series 012 The Title
            said.number = said.number or plain_number(word.rstrip(".,"))
            said.series, said.title = _trimmed(" ".join(words[:place])), _trimmed(" ".join(words[place + 1 :]))
            return
    said.series = _trimmed(text)


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isdecimal() and 1900 <= int(text) < 2100


def _trimmed(text: str) -> str | None:
    return text.strip(_EDGES) or None
