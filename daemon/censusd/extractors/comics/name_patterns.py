"""The patterns by which names of comics are read; what is done with them is in ``names``.

Each of ``VOLUMES`` and ``ISSUES`` gives a ``number`` and, of several, the ``last``. The first that is found counts.
"""

from __future__ import annotations

import re
from typing import Final

EXTENSION: Final = re.compile(r"\.(?:cb[zrt7a]|zip|rar|7z|tar|pdf|epub)$", re.IGNORECASE)
BRACKETS: Final = re.compile(r"\(([^()\[\]{}]*)\)|\[([^()\[\]{}]*)\]|\{([^()\[\]{}]*)\}|【([^【】]*)】")
MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH: Final = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
DATES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}(?:\s*[-\u2013]\s*(?:(?:19|20)\d\d|present|\s*))?",
        rf"{_YEAR}[-./ ](?P<number>0[1-9]|1[0-2])(?:[-./ ](?P<day>0[1-9]|[12]\d|3[01]))?",
        rf"(?:(?P<day>\d\d?)\s+)?{_MONTH}\s*,?\s*{_YEAR}",
        rf"(?P<number>0[1-9]|1[0-2])[-./]{_YEAR}",
    )
)
COUNT: Final = re.compile(r"(?:(?P<number>\d{1,4})\s*)?(?:of|von|sur|de)\s*(?P<count>\d{1,4})", re.IGNORECASE)
FORMATS: Final = {
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
FORMAT: Final = re.compile(
    r"\b(annual|one-?shot|tpb|omnibus|ogn|hardcover|special|fcbd|free comic book day)\b", re.IGNORECASE
)
LANGUAGES: Final = {
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

ISSUE_DATE: Final = re.compile(r"(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])")
YEARLY: Final = re.compile(r"\b(annual|special)\b", re.IGNORECASE)

_NUMBER: Final = r"-?\d{1,5}(?:\.\d{1,3})?(?:\.?(?:AU|MU|NOW|INH|HU|LR|DX|BEY)|[A-Ea-ex]\d?)?(?![\w½¼¾])"
_FRACTION: Final = r"\d{0,3}[½¼¾]"
_LAST: Final = r"(?P<last>\d{1,4}(?:\.\d{1,3})?)(?:x\d)?(?!\w)"
_VOLUMES_UPTO: Final = rf"(?:(?:[-\u2013~](?i:v)?|\s?[-\u2013]\s?(?i:v))\.?{_LAST})?"
_ISSUES_UPTO: Final = rf"(?:(?:[-\u2013~](?i:c|ch|\#)?|\s?[-\u2013]\s?(?i:c|ch|\#))\.?{_LAST})?"
_CHAPTER: Final = "chapters?|chapitre|chap|chp|ch|kapitel|capítulo|capitulo|cap|episode|ep"
_GAP: Final = r"[\s.-]{0,3}"
_COUNTED: Final = r"(?P<number>\d{1,4}(?:\.\d)?)(?:[-\u2013~](?P<last>\d{1,4}))?"
VOLUMES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:(?<![^\W_])(?:volumes?|vol|tome|tomo|band|bd|v){_GAP}(?P<number>\d{{1,4}}(?:\.\d)?))(?!\w){_VOLUMES_UPTO}",
        rf"(?<!\w)[Tt]\.?\s?(?P<number>\d{{1,4}})(?!\w){_VOLUMES_UPTO}",
        rf"(?i:(?<!\w)(?:том|тома)\s?(?P<number>\d{{1,4}}))(?!\w){_VOLUMES_UPTO}",
        rf"[第제]?\s?{_COUNTED}\s?[巻卷册冊권]",
        r"[卷巻册]\s?(?P<number>\d{1,4})(?P<last>(?!))?",
        r"เล่ม(?:ที่)?\s?(?P<number>\d{1,4})(?P<last>(?!))?",
        r"(?<!\w)S(?P<number>\d{1,2})(?P<last>(?!))?(?=\s+\d)",
        rf"(?i:(?<!\w){_COUNTED}\s(?:том|тома))(?!\w)",
    )
)
ISSUES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:(?<!\w)(?:issue|no|nr)\.?\s?)?\#\s?(?P<number>{_FRACTION}|{_NUMBER}){_ISSUES_UPTO}",
        rf"(?i:(?<![^\W_])(?:{_CHAPTER}){_GAP}(?P<number>{_NUMBER})){_ISSUES_UPTO}",
        rf"(?i:(?<![^\W_])c(?!2c)(?P<number>{_NUMBER})){_ISSUES_UPTO}",
        rf"(?i:(?<!\w)(?:глава|гл\.)\s?(?P<number>{_NUMBER})){_ISSUES_UPTO}",
        rf"[第제]?\s?{_COUNTED}\s?[話话章回화회장]",
        r"ตอน(?:ที่)?\s?(?P<number>\d{1,4})(?P<last>(?!))?",
        rf"(?i:(?<!\w){_COUNTED}\s(?:глава))(?!\w)",
    )
)
WEAK_ISSUE: Final = re.compile(
    rf"(?i:(?<![^\W_])(?:issue|prog|heft|hft|nr|no|n[°º]|№)\.?\s{{0,2}}(?P<number>{_FRACTION}|{_NUMBER})){_ISSUES_UPTO}"
)
"""Numbers of issues, and parts of names: Kaiju No. 8 036, No. 6 v01."""
NOISE: Final = re.compile(r"(?:\s+(?:c2c|repaired|fixed|digital|webrip|scan))+$", re.IGNORECASE)
DAY: Final = re.compile(r",?\s+(?P<year>(?:19|20)\d\d)-(?P<month>0[1-9]|1[0-2])-(?P<day>[0-3]\d)$")
HYPHENED: Final = re.compile(r"(?P<series>\S*[^\W\d]\S*)-(?P<number>\d{1,4})")
OF: Final = re.compile(r"(?<!\w)(?P<number>\d{1,4})\s+(?i:of)\s+(?P<count>\d{1,4})(?!\w)")
BARE: Final = re.compile(rf"(?P<number>{_FRACTION}|{_NUMBER})(?:-(?P<last>\d{{1,4}}))?")
VERSION: Final = re.compile(r"(?<=\d)\s?v\d(?!\w)")  # [Group] Series - 01v2: the group's second try
SEPARATOR: Final = re.compile(r"\s+[-\u2013\u2014]\s+")
EDGES: Final = " -\u2013\u2014:,;.#_~"
INVERTED: Final = re.compile(r"^(?P<rest>.+), (?P<article>The|A|An|Der|Die|Das|Le|La|Les|El|Los)$")
PADDED: Final = re.compile(r"0\d+(?:\.\d)?")
