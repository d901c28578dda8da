"""InvokeAI: JSON under ``invokeai_metadata`` since 3.0, under ``sd-metadata`` before, and first a command line."""

from __future__ import annotations

import re
import shlex
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

_NAME: Final = "InvokeAI"
_LONGEST_COMMAND: Final = 65_536
_NEGATIVE: Final = re.compile(r"\[([^\[\]]*)\]")
_USED: Final = frozenset(
    {
        "positive_prompt",
        "negative_prompt",
        "seed",
        "steps",
        "scheduler",
        "cfg_scale",
        "width",
        "height",
        "model",
        "loras",
    }
    | {"app_version", "vae", "clip_skip", "strength", "guidance"}
)


def read(texts: Texts) -> Generation | None:
    """What InvokeAI wrote, whichever version."""
    if metadata := object_of(texts.get("invokeai_metadata")):
        return _current(metadata, texts)
    if metadata := object_of(texts.get("sd-metadata")):
        return _legacy(metadata)
    command = texts.get("dream")
    return _dream(command) if isinstance(command, str) else None


def _current(metadata: dict[str, object], texts: Texts) -> Generation:
    model = object_of(metadata.get("model"))
    listed = metadata.get("loras")
    loras = []
    for entry in listed[:MOST_LORAS] if isinstance(listed, list) else []:
        lora = object_of(object_of(entry).get("model") or object_of(entry).get("lora"))
        name = file_name(lora.get("name") or lora.get("model_name"))
        if name:
            weight = number_of(object_of(entry).get("weight"))
            loras.append(Lora(name, weight, text_of(lora.get("hash"))))
    prompts = (text_of(metadata.get(f"{kind}_prompt")) for kind in ("positive", "negative"))
    prompt, negative = prompts
    vae = object_of(metadata.get("vae"))
    rest: dict[str, Json] = {name: kept(value) for name, value in metadata.items() if name not in _USED}
    return Generation(
        generator=_NAME,
        version=text_of(metadata.get("app_version")),
        prompt=prompt,
        negative_prompt=negative,
        model=file_name(model.get("name") or model.get("model_name") or model.get("key")),
        model_hash=text_of(model.get("hash")),
        vae=file_name(vae.get("name") or vae.get("model_name")),
        seed=whole_of(metadata.get("seed")),
        steps=whole_of(metadata.get("steps")),
        sampler=text_of(metadata.get("scheduler")),
        cfg_scale=number_of(metadata.get("cfg_scale")),
        guidance=number_of(metadata.get("guidance")),
        denoise=number_of(metadata.get("strength")),
        clip_skip=whole_of(metadata.get("clip_skip")),
        width=whole_of(metadata.get("width")),
        height=whole_of(metadata.get("height")),
        loras=loras,
        parameters={name: value for name, value in rest.items() if value is not None},
        workflow=kept(json_of(texts.get("invokeai_workflow")) or metadata.get("workflow")),
    )


def _legacy(metadata: dict[str, object]) -> Generation:
    image = object_of(metadata.get("image"))
    written = image.get("prompt")
    if isinstance(written, list):
        parts = (text_of(object_of(part).get("prompt")) for part in written[:64])
        written = " ".join(part for part in parts if part)
    prompt, negative = _split(text_of(written) or "")
    return Generation(
        generator=_NAME,
        version=text_of(metadata.get("app_version")),
        prompt=prompt,
        negative_prompt=negative,
        model=file_name(metadata.get("model_weights")),
        model_hash=text_of(metadata.get("model_hash")),
        seed=whole_of(image.get("seed")),
        steps=whole_of(image.get("steps")),
        sampler=text_of(image.get("sampler")),
        cfg_scale=number_of(image.get("cfg_scale")),
        denoise=number_of(image.get("strength")),
        width=whole_of(image.get("width")),
        height=whole_of(image.get("height")),
    )


def _dream(command: str) -> Generation | None:
    """``"a prompt [and what not]" -s 50 -S 123 -W 512 -H 512 -C 7.5 -A k_lms``."""
    if len(command) > _LONGEST_COMMAND:
        return None
    try:
        words = shlex.split(command)
    except ValueError:  # a quote inside the prompt
        quoted, _, options = command.strip().rpartition('" ')
        words = [quoted.lstrip('"'), *options.split()]
    if not words:
        return None
    given = {first[:2]: first[2:] or second for first, second in zip(words[1:], [*words[2:], ""], strict=True)}
    prompt, negative = _split(words[0])
    return Generation(
        generator=_NAME,
        prompt=prompt,
        negative_prompt=negative,
        seed=whole_of(given.get("-S")),
        steps=whole_of(given.get("-s")),
        sampler=text_of(given.get("-A")),
        cfg_scale=number_of(given.get("-C")),
        denoise=number_of(given.get("-f")),
        width=whole_of(given.get("-W")),
        height=whole_of(given.get("-H")),
    )


def _split(prompt: str) -> tuple[str | None, str | None]:
    """InvokeAI 2 had what is not wanted in brackets, inside the prompt."""
    negative = ", ".join(part.strip() for part in _NEGATIVE.findall(prompt) if part.strip())
    return text_of(_NEGATIVE.sub("", prompt)), negative or None
