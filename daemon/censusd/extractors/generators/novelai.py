"""NovelAI: text chunks ``Software``, ``Source``, ``Description`` and settings as JSON in ``Comment``.

The same, as one JSON object, is in the EXIF of its WebP and hidden in the alpha channel of its PNG (see
``censusd.extractors.images.stealth``), so it survives when the text chunks are stripped.
"""

from __future__ import annotations

import re
from typing import Final

from censusd.extractors.base import Json
from censusd.extractors.generators.base import Generation, Texts, kept, number_of, object_of, text_of, whole_of

_SOURCE: Final = re.compile(r"(.*?)(?: ([0-9A-F]{8}))?", re.DOTALL)
_USED: Final = frozenset(
    {
        "prompt",
        "uc",
        "seed",
        "steps",
        "sampler",
        "noise_schedule",
        "scale",
        "width",
        "height",
        "strength",
        "signed_hash",
    }
)


def read(texts: Texts) -> Generation | None:
    """What NovelAI wrote, if it did."""
    if text_of(texts.get("software")) != "NovelAI":
        return None
    settings = object_of(texts.get("comment"))
    source = _SOURCE.fullmatch(text_of(texts.get("source")) or "")
    prompt, negative = _captions(settings, "v4_prompt"), _captions(settings, "v4_negative_prompt")
    rest: dict[str, Json] = {name: kept(value) for name, value in settings.items() if name not in _USED}
    return Generation(
        generator="NovelAI",
        prompt=prompt or text_of(settings.get("prompt")) or text_of(texts.get("description")),
        negative_prompt=negative or text_of(settings.get("uc")),
        model=text_of(source[1]) if source else None,
        model_hash=source[2] if source else None,
        seed=whole_of(settings.get("seed")),
        steps=whole_of(settings.get("steps")),
        sampler=text_of(settings.get("sampler")),
        scheduler=text_of(settings.get("noise_schedule")),
        cfg_scale=number_of(settings.get("scale")),
        denoise=number_of(settings.get("strength")),
        width=whole_of(settings.get("width")),
        height=whole_of(settings.get("height")),
        parameters={name: value for name, value in rest.items() if value is not None},
    )


def _captions(settings: dict[str, object], name: str) -> str | None:
    """A prompt of version 4: one for the picture, and one for each character in it."""
    caption = object_of(object_of(settings.get(name)).get("caption"))
    characters = caption.get("char_captions")
    parts = [text_of(caption.get("base_caption"))]
    parts += (
        [text_of(object_of(each).get("char_caption")) for each in characters] if isinstance(characters, list) else []
    )
    return "\n".join(part for part in parts[:64] if part) or None
