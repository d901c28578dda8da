"""series.json, which Mylar3 puts beside the comics of a series, and other programs read."""

from __future__ import annotations

import json
import re
from typing import Final

from censusd.extractors.base import Entity, EntityKind
from censusd.extractors.comics.facts import Facts, whole_number

NAME: Final = "series.json"


def series_json(data: bytes) -> Facts:
    """What the file says of the series, and so of each comic beside it.

    Raises:
        ValueError: it is no JSON, or too deep.
    """
    facts = Facts()
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    said = document.get("metadata", document) if isinstance(document, dict) else {}
    if not isinstance(said, dict):
        return facts

    def text(name: str) -> str | None:
        value = said.get(name)
        return " ".join(str(value).split()) or None if isinstance(value, (str, int)) and value is not True else None

    facts.say("series", text("name"))
    facts.say("series_year", whole_number(text("year"), 1))
    facts.say("series_status", text("status"))
    facts.say("publication_run", text("publication_run"))
    facts.say("count", whole_number(text("total_issues"), 1))
    facts.say("age_rating", text("age_rating"))
    facts.say("format", text("booktype"))
    description = said.get("description_formatted") or said.get("description_text")
    facts.say("series_description", description.strip() if isinstance(description, str) else None)
    if comic_vine := text("comicid"):
        facts.say("identifiers", {"comic_vine_volume": re.sub(r"^4050-", "", comic_vine)})
    for name in ("publisher", "imprint"):
        if value := text(name):
            facts.say(name, value)
            facts.add(Entity(EntityKind.PUBLISHER, value, name))
    return facts
