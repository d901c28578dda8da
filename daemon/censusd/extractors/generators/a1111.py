"""The parameters in words of AUTOMATIC1111's web UI, which Forge, SD.Next, Fooocus, Civitai and many more write, too.

The prompt, in as many lines as it has; ``Negative prompt:`` and that; and a line of settings, such as
``Steps: 20, Sampler: Euler``. A value with a comma, a colon or a line break in it is quoted as JSON
(modules/infotext_utils.py of the web UI).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from censusd.extractors.base import Json
from censusd.extractors.generators.base import (
    MOST_LORAS,
    Generation,
    Lora,
    Texts,
    file_name,
    number_of,
    object_of,
    text_of,
    whole_of,
)

LONGEST: Final = 1 << 18
"""Characters that are looked at. Long ones hold the prompts of a dozen detailers and the ids of all resources."""
MOST_SETTINGS: Final = 300

_NEGATIVE: Final = "Negative prompt:"
_STEPS: Final = re.compile(r"^[ \t]*Steps: ?\d+(?=,|[ \t]*$)", re.MULTILINE | re.ASCII)
_STEPS_ANYWHERE: Final = re.compile(r"Steps: ?\d+, (?=[A-Z])")
_KEY: Final = re.compile(r"\s*(\w[\w \-/.()#&'+]{0,79}):(?:\s|(?=[\"\[{])|$)")
_LORA: Final = re.compile(r"<(?:lora|lyco|lora_sdxl):([^:<>\n]{1,200})((?::[^:<>\n]{0,40}){0,4})>")
_SIZE: Final = re.compile(r"(\d{1,6})\s*x\s*(\d{1,6})", re.ASCII)
_TEMPLATE: Final = re.compile(r"(Template|Negative Template):")
_NOTHING: Final = re.compile(r"\s*$")
_END: Final = re.compile(r"\s*(?:,|$)")
_END_OF_LIST: Final = re.compile(r"\][ \t]*(?:,|$)")
_DECODER: Final = json.JSONDecoder(strict=False)

_USED: Final = frozenset(
    {
        "Steps",
        "Sampler",
        "Schedule type",
        "CFG scale",
        "Distilled CFG Scale",
        "Seed",
        "Size",
        "Model",
        "Model hash",
        "VAE",
    }
    | {"Clip skip", "Denoising strength", "Version", "Scheduler"}
)


def read(texts: Texts) -> Generation | None:
    """The settings under ``parameters``, if they are in words."""
    written = texts.get("parameters")
    return parse(written) if isinstance(written, str) else None


def is_parameters(written: str) -> bool:
    """Whether a text is of this kind: cheaply, since each picture's comment is asked."""
    return "Steps: " in written and ("Sampler: " in written or "Seed: " in written or "CFG scale: " in written)


def parse(written: str) -> Generation | None:
    """How a picture was made, from parameters in words; None if the text has no settings and no negative prompt."""
    prompt, negative, settings = split(written[:LONGEST])
    if not settings and negative is None:
        return None
    generator, version = _generator(settings)
    size = _SIZE.fullmatch(str(settings.get("Size", "")).strip())
    return Generation(
        generator=generator,
        version=version,
        prompt=text_of(prompt),
        negative_prompt=text_of(negative),
        model=file_name(settings.get("Model")),
        model_hash=text_of(settings.get("Model hash")),
        vae=file_name(settings.get("VAE")),
        seed=whole_of(settings.get("Seed")),
        steps=whole_of(settings.get("Steps")),
        sampler=text_of(settings.get("Sampler")),
        scheduler=text_of(settings.get("Schedule type")) or text_of(settings.get("Scheduler")),
        cfg_scale=number_of(settings.get("CFG scale")),
        guidance=number_of(settings.get("Distilled CFG Scale")),
        denoise=number_of(settings.get("Denoising strength")),
        clip_skip=whole_of(settings.get("Clip skip")),
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        loras=_loras(prompt, settings),
        parameters={name: value for name, value in settings.items() if name not in _USED},
    )


def split(written: str) -> tuple[str, str | None, dict[str, Json]]:
    """The prompt, the negative prompt and the settings."""
    written = written.replace("\r\n", "\n").strip("\0\n ")
    begins = [match.start() for match in _STEPS.finditer(written)]
    lines = True
    if begins:
        start = begins[-1]  # a prompt may quote another one's settings; the real ones are the last
    elif found := list(_STEPS_ANYWHERE.finditer(written)):  # a program has lost the line breaks
        start, lines = found[-1].start(), False
    else:
        start = (
            written.rfind("\n") + 1
        )  # settings without steps: the last line, if it has as many as the web UI asks for
        if len(dict(pairs(written[start:].partition("\n")[0]))) < 3:
            start = len(written)
    text, settings = written[:start], _settings(written[start:])
    at = 0 if text.startswith(_NEGATIVE) else text.find("\n" + _NEGATIVE)
    if at < 0 and not lines:
        at = text.find(_NEGATIVE)
    if at < 0:
        return text.strip(), None, settings
    return text[:at].strip(), text[at:].lstrip("\n")[len(_NEGATIVE) :].strip(), settings


def _settings(written: str) -> dict[str, Json]:
    line, _, rest = written.partition("\n")
    settings = dict(pairs(line))
    templates: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for more in rest.split("\n")[:MOST_SETTINGS]:
        # Dynamic Prompts adds its templates as they are: lines, unquoted.
        if match := _TEMPLATE.match(more):
            lines = templates.setdefault(match[1], [])
            lines.append(more[match.end() :].strip())
        elif lines is not None:
            lines.append(more)
        else:
            settings.update(pairs(more))
    return settings | {name: "\n".join(lines).strip() for name, lines in templates.items()}


def pairs(line: str) -> Iterator[tuple[str, Json]]:
    """Names and values of a line of settings; an unquoted value ends where another name begins, not at any comma."""
    at = 0
    for _ in range(MOST_SETTINGS):
        match = _KEY.match(line, at)
        if not match:
            return
        value, at = _value(line, match.end())
        yield match[1].strip(), value


def _value(line: str, at: int) -> tuple[Json, int]:
    while line[at : at + 1] == " ":
        at += 1
    if line[at : at + 1] in {'"', "[", "{"}:
        try:
            value, end = _DECODER.raw_decode(line, at)
        except (ValueError, RecursionError):
            value, end = None, at
        after = _END.match(line, end)
        if end > at and after:
            return value, after.end()
        if line[at] == "[" and (closing := _END_OF_LIST.search(line, at)):
            return line[at : closing.start() + 1], closing.end()
    comma = line.find(",", at)
    while comma >= 0 and not _KEY.match(line, comma + 1) and not _NOTHING.match(line, comma + 1):
        comma = line.find(",", comma + 1)
    end = comma if comma >= 0 else len(line)
    return line[at:end].strip(), end + 1


def _generator(settings: dict[str, Json]) -> tuple[str, str | None]:
    version, app = text_of(settings.get("Version")), text_of(settings.get("App"))
    if app:
        return app, version
    if not version:
        return ("Civitai" if "Civitai resources" in settings else "AUTOMATIC1111"), None
    for start, name in (("Fooocus", "Fooocus"), ("ComfyUI", "ComfyUI"), ("SD.Next", "SD.Next"), ("neo", "Forge Neo")):
        if version.startswith(start):
            return name, version.removeprefix(start).strip() or None
    return ("Forge" if re.match(r"f\d", version) else "AUTOMATIC1111"), version


def _loras(prompt: str, settings: dict[str, Json]) -> list[Lora]:
    hashes: dict[str, str] = {}
    listed = text_of(settings.get("Lora hashes")) or ""
    loras: dict[str, Lora] = {}
    for entry in listed.split(",")[:MOST_LORAS]:
        name, _, digest = entry.strip().partition(":")
        digest, _, weight = digest.strip().partition(":")  # Fooocus adds the weight
        if name and digest:
            hashes[name.strip()] = digest.strip()
            if weight:
                loras[name.strip()] = Lora(file_name(name) or name, number_of(weight), digest.strip())
    for name, value in object_of(settings.get("Hashes")).items():
        if name.lower().startswith("lora:") and isinstance(value, str):
            hashes.setdefault(name[5:], value)
    for match in _LORA.finditer(prompt):
        if len(loras) >= MOST_LORAS:
            break
        name = match[1].strip()
        weights = (number_of(part.rpartition("=")[2]) for part in match[2].split(":")[1:])
        loras.setdefault(name, Lora(file_name(name) or name, next(weights, None), hashes.get(name)))
    for name, digest in hashes.items():
        loras.setdefault(name, Lora(file_name(name) or name, None, digest))
    return list(loras.values())
