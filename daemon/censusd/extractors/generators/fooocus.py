"""Fooocus and its relatives: JSON under ``parameters`` (modules/meta_parser.py), or AUTOMATIC1111's words if so set."""

from __future__ import annotations

import re
from typing import Final

from censusd.extractors.base import Json
from censusd.extractors.generators.base import (
    MOST_LORAS,
    Generation,
    Lora,
    Texts,
    file_name,
    json_of,
    kept,
    number_of,
    object_of,
    text_of,
    whole_of,
)

_RESOLUTION: Final = re.compile(r"\D{0,8}(\d{1,6})\D{1,8}(\d{1,6})\D{0,8}")
_OLD_NAMES: Final = {
    "Prompt": "prompt",
    "Negative Prompt": "negative_prompt",
    "Base Model": "base_model",
    "Seed": "seed",
    "Sampler": "sampler",
    "Scheduler": "scheduler",
    "Resolution": "resolution",
    "Guidance Scale": "guidance_scale",
    "Performance": "performance",
    "Styles": "styles",
    "Version": "version",
}
"""Before 2.2 the names were those that people see. Fooocus-MRE and RuinedFooocus have their own, below."""
_OTHER_NAMES: Final = {
    "Negative": "negative_prompt",
    "base_model_name": "base_model",
    "base_model_hash": "base_model_hash",
    "cfg": "guidance_scale",
    "sampler_name": "sampler",
    "negative": "negative_prompt",
}
_USED: Final = frozenset(
    {
        "prompt",
        "negative_prompt",
        "base_model",
        "base_model_hash",
        "seed",
        "steps",
        "sampler",
        "scheduler",
        "guidance_scale",
    }
    | {"resolution", "width", "height", "loras", "vae", "clip_skip", "version", "metadata_scheme"}
)
_VAE_OF_THE_MODEL: Final = "Default (model)"


def read(texts: Texts) -> Generation | None:
    """What Fooocus wrote in its own scheme, if it did."""
    for place in ("parameters", "comment"):
        written = texts.get(place)
        if isinstance(written, str) and not written.lstrip().startswith("{"):
            continue
        found = object_of(written)
        software = text_of(found.get("software")) or ""
        names = {_OLD_NAMES.get(name, _OTHER_NAMES.get(name, name)): value for name, value in found.items()}
        if "base_model" in names and (
            names.keys() & {"metadata_scheme", "performance", "styles"} or "Fooocus" in software
        ):
            return _generation(names, software)
    return None


def _generation(found: dict[str, object], software: str) -> Generation:
    version = text_of(found.get("version")) or ""
    size = _RESOLUTION.fullmatch(str(found.get("resolution", ""))[:64])
    vae = file_name(found.get("vae"))
    rest: dict[str, Json] = {name: kept(value) for name, value in found.items() if name not in _USED}
    return Generation(
        generator=software or "Fooocus",
        version=version.removeprefix("Fooocus").strip() or None,
        prompt=text_of(found.get("prompt")),
        negative_prompt=text_of(found.get("negative_prompt")),
        model=file_name(found.get("base_model")),
        model_hash=text_of(found.get("base_model_hash")),
        vae=vae if vae != _VAE_OF_THE_MODEL else None,
        seed=whole_of(found.get("seed")),
        steps=whole_of(found.get("steps")),
        sampler=text_of(found.get("sampler")),
        scheduler=text_of(found.get("scheduler")),
        cfg_scale=number_of(found.get("guidance_scale")),
        clip_skip=whole_of(found.get("clip_skip")),
        width=int(size[1]) if size else whole_of(found.get("width")),
        height=int(size[2]) if size else whole_of(found.get("height")),
        loras=_loras(found),
        parameters={name: value for name, value in rest.items() if value is not None},
    )


def _loras(found: dict[str, object]) -> list[Lora]:
    """``[[name, weight, hash], ...]``, or objects, or before 2.2 a name each: ``"LoRA 1": "name : weight"``."""
    loras = []
    listed = json_of(found.get("loras"))
    for entry in listed[:MOST_LORAS] if isinstance(listed, list) else []:
        parts = [entry.get("name"), entry.get("weight")] if isinstance(entry, dict) else entry
        if isinstance(parts, list) and (name := file_name(next(iter(parts), None))):
            weight, digest = [*parts[1:3], None, None][:2]
            loras.append(Lora(name, number_of(weight), text_of(digest)))
    for key, value in found.items():
        if re.match(r"lora[ _]", key, re.IGNORECASE) and isinstance(value, str) and len(loras) < MOST_LORAS:
            named, colon, last = value.rpartition(" : ")
            name = file_name(named if colon else value)
            if name and name != "None":
                loras.append(Lora(name, number_of(last) if colon else None))
    return loras
