"""SwarmUI: one JSON object with ``sui_image_params``, under ``parameters`` in PNG, in the UserComment of JPEG."""

from __future__ import annotations

from typing import Final

from censusd.extractors.base import Json
from censusd.extractors.generators.base import (
    MOST_LORAS,
    Generation,
    Lora,
    Texts,
    file_name,
    kept,
    number_of,
    object_of,
    text_of,
    whole_of,
)

_USED: Final = frozenset(
    {"prompt", "negativeprompt", "model", "seed", "steps", "cfgscale", "width", "height", "sampler", "scheduler", "vae"}
    | {"loras", "loraweights", "swarm_version", "initimagecreativity", "fluxguidancescale"}
)


def read(texts: Texts) -> Generation | None:
    """What SwarmUI wrote, if it did."""
    written = texts.get("parameters")
    if isinstance(written, str) and "sui_image_params" not in written:
        return None
    whole = object_of(written)
    settings = object_of(whole.get("sui_image_params"))
    if not settings:
        return None
    hashes = _hashes(whole.get("sui_models"))
    rest: dict[str, Json] = {name: kept(value) for name, value in settings.items() if name not in _USED}
    model = text_of(settings.get("model"))
    return Generation(
        generator="SwarmUI",
        version=text_of(settings.get("swarm_version")),
        prompt=text_of(settings.get("prompt")),
        negative_prompt=text_of(settings.get("negativeprompt")),
        model=file_name(model),
        model_hash=hashes.get(file_name(model) or ""),
        vae=file_name(settings.get("vae")),
        seed=whole_of(settings.get("seed")),
        steps=whole_of(settings.get("steps")),
        sampler=text_of(settings.get("sampler")),
        scheduler=text_of(settings.get("scheduler")),
        cfg_scale=number_of(settings.get("cfgscale")),
        guidance=number_of(settings.get("fluxguidancescale")),
        denoise=number_of(settings.get("initimagecreativity")),
        width=whole_of(settings.get("width")),
        height=whole_of(settings.get("height")),
        loras=_loras(settings, hashes),
        parameters={name: value for name, value in rest.items() if value is not None},
    )


def _hashes(models: object) -> dict[str, str]:
    entries = (object_of(each) for each in models[:MOST_LORAS]) if isinstance(models, list) else ()
    named = ((file_name(each.get("name")), text_of(each.get("hash"))) for each in entries)
    return {name: digest.removeprefix("0x") for name, digest in named if name and digest}


def _loras(settings: dict[str, object], hashes: dict[str, str]) -> list[Lora]:
    names, weights = _list(settings.get("loras")), _list(settings.get("loraweights"))
    weights += [None] * (len(names) - len(weights))
    loras = ((file_name(name), number_of(weight)) for name, weight in zip(names, weights, strict=False))
    return [Lora(name, weight, hashes.get(name)) for name, weight in loras if name]


def _list(value: object) -> list[object]:
    """A list, which older versions wrote as words with commas between them."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")[:MOST_LORAS] if part.strip()]
    return value[:MOST_LORAS] if isinstance(value, list) else []
