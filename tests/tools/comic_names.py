"""Tables of names of comics and what they say."""

from __future__ import annotations

from censusd.extractors.comics.names import ComicName


def table(text: str) -> list[tuple[str, dict[str, str]]]:
    """Lines in pairs: a name, and what it says as ``field=value | field=value``; lines of ``# `` are passed over."""
    lines = [line for line in text.splitlines() if line and not line.startswith("# ")]
    return [
        (name, dict(field.split("=", 1) for field in said.strip().split(" | ") if "=" in field))
        for name, said in zip(lines[::2], lines[1::2], strict=True)
    ]


def said(name: ComicName) -> dict[str, str]:
    """What a name says, as texts, without what it does not say."""
    values = {field: getattr(name, field) for field in ComicName.__slots__}
    values["release"] = ", ".join(name.release)
    return {field: str(value) for field, value in values.items() if value not in (None, "")}
