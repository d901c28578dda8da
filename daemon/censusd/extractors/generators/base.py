"""What every reader of a generator's text takes and gives."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from censusd.extractors.base import Json

LONGEST_JSON: Final = 4 << 20
LONGEST_WORKFLOW: Final = 512 << 10
"""Characters of a workflow that is kept as it is. Longer ones have pictures in them."""
LONGEST_PROMPT: Final = 65_536
MOST_LORAS: Final = 64

Texts = Mapping[str, object]
"""What a picture has of text, by keyword in lower case: text, or JSON where it is known to be that already."""


@dataclass(frozen=True, slots=True)
class Lora:
    """A small model on top of the model.

    Attributes:
        name: as the file is called, without folder and extension.
        weight: how strongly it counts, if it is said.
        hash: of its file, if it is said.
    """

    name: str
    weight: float | None = None
    hash: str | None = None


@dataclass(slots=True)
class Generation:
    """How a picture was made. Names of what is made known are in ``docs/metadata.md``.

    Attributes:
        generator: the program.
        version: its version.
        prompt: what was wanted.
        negative_prompt: what was not.
        model: the file's name without folder and extension.
        model_hash: as the program computes it.
        vae: the same of the decoder.
        seed: where randomness began.
        steps: of the sampler.
        sampler: by the program's own name.
        scheduler: the same.
        cfg_scale: how strictly the prompt was followed.
        guidance: the same, for models that have learned it (Flux).
        denoise: how much of a given picture was replaced, 0 to 1.
        clip_skip: last layers of the text encoder that were left out, and one.
        width: pixels that were asked for.
        height: the same.
        loras: in their order.
        parameters: all else that it says, by its own names.
        workflow: the graph of nodes, as it was saved.
        passes: each sampler's settings, if there was more than one.
    """

    generator: str
    version: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    model: str | None = None
    model_hash: str | None = None
    vae: str | None = None
    seed: int | None = None
    steps: int | None = None
    sampler: str | None = None
    scheduler: str | None = None
    cfg_scale: float | None = None
    guidance: float | None = None
    denoise: float | None = None
    clip_skip: int | None = None
    width: int | None = None
    height: int | None = None
    loras: list[Lora] = field(default_factory=list)
    parameters: dict[str, Json] = field(default_factory=dict)
    workflow: Json = None
    passes: list[Json] = field(default_factory=list)

    def details(self) -> dict[str, Json]:
        """What is known, by its public names."""
        known: dict[str, Json] = {
            "generator": self.generator,
            "generator_version": self.version,
            "prompt": self.prompt or None,
            "negative_prompt": self.negative_prompt or None,
            "model": self.model,
            "model_hash": self.model_hash,
            "vae": self.vae,
            "seed": self.seed,
            "steps": self.steps,
            "sampler": self.sampler,
            "scheduler": self.scheduler,
            "cfg_scale": self.cfg_scale,
            "guidance": self.guidance,
            "denoise": self.denoise,
            "clip_skip": self.clip_skip,
            "size": f"{self.width}x{self.height}" if self.width and self.height else None,
            "loras": [_lora(lora) for lora in self.loras[:MOST_LORAS]] or None,
            "passes": self.passes or None,
            "parameters": self.parameters or None,
            "workflow": self.workflow or None,
        }
        return {name: value for name, value in known.items() if value is not None}


def _lora(lora: Lora) -> dict[str, Json]:
    values: dict[str, Json] = {"name": lora.name, "weight": lora.weight, "hash": lora.hash}
    return {name: value for name, value in values.items() if value is not None}


def json_of(value: object) -> object:
    """JSON from text; what is no text is given back, and None for what is no JSON, or too long or too deep for any."""
    if not isinstance(value, str):
        return value
    if len(value) > LONGEST_JSON:
        return None
    try:
        return json.loads(value.strip(" \t\r\n\0\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None


def object_of(value: object) -> dict[str, object]:
    """A JSON object from text or from an object; empty for anything else."""
    value = json_of(value)
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str | None:
    """Text, bounded; None for anything else and for nothing."""
    return value.strip()[:LONGEST_PROMPT] or None if isinstance(value, str) else None


def number_of(value: object) -> float | int | None:
    """A finite number, also from text; a whole one as int."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().lstrip("+-").isdecimal() and len(value) < 40 else float(value[:40])
        except ValueError:
            return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 70 else None
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 1 << 53 else value


def whole_of(value: object) -> int | None:
    """A whole number, also from text."""
    number = number_of(value)
    return number if isinstance(number, int) else None


def file_name(value: object) -> str | None:
    """A model's name without folders and without the extensions that models have."""
    name = text_of(value)
    if name is None:
        return None
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return stem if stem and extension.lower() in {"safetensors", "ckpt", "pt", "pth", "bin", "gguf", "sft"} else name


def kept(value: object) -> Json:
    """A value that is kept as it is, unless it is larger than any without pictures in it."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value[:LONGEST_PROMPT]
    try:
        return cast("Json", value) if len(json.dumps(value)) <= LONGEST_WORKFLOW else None
    except (TypeError, ValueError, RecursionError):
        return None
