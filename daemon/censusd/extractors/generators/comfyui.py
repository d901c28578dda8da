"""ComfyUI: a graph of nodes as JSON, under ``prompt`` and ``workflow``.

Which text was the prompt is not written anywhere; it is what the sampler got. So the graph is followed from what was
saved back to the samplers, and from the first of those back to its texts, its model and its numbers.
"""

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
    kept,
    number_of,
    object_of,
    text_of,
)
from censusd.extractors.generators.comfy_graph import Graph, Link, Node, from_prompt, from_workflow, order
from censusd.extractors.generators.comfy_walk import Walk

MOST_SAMPLERS: Final = 16

_OUTPUT: Final = re.compile(r"save|preview|output|websocket", re.IGNORECASE)
_POSITIVES: Final = ("positive", "conditioning", "positive_prompt")
_NEGATIVES: Final = ("negative", "neg_conditioning", "negative_prompt")
_LATENT: Final = frozenset("latent_image latent samples latents image images pixels optional_latent pipe".split())
_MODEL: Final = ("model", "models", "unet", "diffusion_model", "pipe", "basic_pipe", "sdxl_pipe", "base_ctx", "ctx")
_MODEL_NAMES: Final = tuple("ckpt_name unet_name base_ckpt_name gguf_name model_path model_name checkpoint".split())
_SEEDS: Final = ("seed", "noise_seed")
_LORA_NAME: Final = re.compile(r"lora(?:_name)?(?:_\d{1,3})?|lora_\d{1,3}_name")
_LORA_CHAINS: Final = ("lora_stack", "lora", "loras", "prev_lora", "optional_lora_stack")


def read(texts: Texts) -> Generation | None:
    """How the picture came out of the graph, if there is one."""
    prompt, workflow = object_of(texts.get("prompt")), object_of(texts.get("workflow"))
    graph = from_prompt(prompt) or from_workflow(workflow)
    if not graph:
        return None
    generation = follow(graph)
    generation.workflow = kept(workflow or prompt)
    return generation


def follow(graph: Graph) -> Generation:
    """How a graph makes its picture."""
    walk = Walk(graph)
    samplers = _samplers(walk)
    if not samplers:
        return _without_sampler(walk)
    _order(walk, samplers)
    generation = Generation("ComfyUI")
    # A sampler that nobody told anything made a depth map, or the like, for one of the others.
    spoken = ((each, words) for each in samplers if (words := _words(walk, each, negative=False)))
    first, generation.prompt = next(spoken, (samplers[0], None))
    generation.guidance = walk.guidance
    negative = _words(walk, first, negative=True)
    if negative != generation.prompt:  # one text for both is what is wanted
        generation.negative_prompt = negative
    settings = _settings(walk, first)
    generation.seed, generation.steps = _whole(settings["seed"]), _whole(settings["steps"])
    generation.cfg_scale, generation.denoise = number_of(settings["cfg_scale"]), number_of(settings["denoise"])
    generation.sampler, generation.scheduler = text_of(settings["sampler"]), text_of(settings["scheduler"])
    _models(walk, first, generation)
    _size(walk, first, generation)
    if len(samplers) > 1:
        passes = (_settings(walk, each) for each in samplers[:MOST_SAMPLERS])
        generation.passes = [{name: value for name, value in each.items() if value is not None} for each in passes]
    return generation


def _is_sampler(node: Node) -> bool:
    inputs = node.inputs
    if not any(isinstance(each, Link) for each in inputs.values()):
        return False
    guided = bool(
        inputs.keys() & {"positive", "guider", "conditioning", "pipe", "basic_pipe", "text_embeds", "base_ctx"}
    )
    paced = bool(inputs.keys() & {"steps", "sigmas"}) or "sampler" in node.kind.lower()
    return guided and paced and bool(inputs.keys() & {*_SEEDS, "noise", "add_noise", "steps", "sampler_name"})


def _samplers(walk: Walk) -> list[Node]:
    """The samplers that led to what was saved, those farthest from it first."""
    nodes = sorted(walk.graph.values(), key=order)
    outputs = [node for node in nodes if _OUTPUT.search(node.kind)]
    outputs.sort(key=lambda node: "save" not in node.kind.lower())  # what is only previewed counts if nothing is saved
    for output in outputs[:MOST_SAMPLERS]:
        if found := [node for node in walk.upstream(output) if _is_sampler(node)]:
            return found[-MOST_SAMPLERS:][::-1]
    return [node for node in nodes if _is_sampler(node)][:MOST_SAMPLERS]


def _order(walk: Walk, samplers: list[Node]) -> None:
    """Put first the sampler that all others go on from, or, if there are several, the one that goes on from most."""
    ids = {node.id for node in samplers}
    before = {node.id: len(ids & {each.id for each in walk.upstream(node, _LATENT)}) for node in samplers}
    samplers.sort(key=lambda node: before[node.id])
    if len(samplers) > 1 and before[samplers[1].id] == 0:
        samplers.insert(0, samplers.pop())


def _words(walk: Walk, node: Node, *, negative: bool) -> str | None:
    names = _NEGATIVES if negative else _POSITIVES
    for name in (*names, "guider", "pipe", "basic_pipe", "sdxl_pipe", "base_ctx", "ctx", "text_embeds"):
        if name not in node.inputs:
            continue
        given = walk.source(node.inputs[name])
        if (
            name == "guider"
            and negative
            and isinstance(given, Link)
            and "negative" not in walk.graph[given.node].inputs
        ):
            return None  # a guider for what is wanted only
        found = walk.words(given, negative=negative)
        if found is not None or name in names:
            return found
    return None


def _settings(walk: Walk, node: Node) -> dict[str, Json]:
    """A sampler's numbers and names, its own or those of the nodes that give it noise, sigmas and guidance."""

    def look(names: tuple[str, ...], *through: str) -> object:
        own = next((node.inputs[name] for name in names if name in node.inputs), None)
        if own is not None:
            return own
        others = (
            each for each in walk.upstream(node, (*through, "pipe", "basic_pipe", "sdxl_pipe", "base_ctx", "ctx"))
        )
        return next((each.inputs[name] for each in others for name in names if name in each.inputs), None)

    sampler = walk.literal(look(("sampler_name",), "sampler", "sampler_select"), ("sampler_name",))
    if sampler is None and isinstance(link := walk.source(node.inputs.get("sampler")), Link):  # one without a choice
        only = walk.graph[link.node]
        sampler = only.kind.removeprefix("Sampler") if "sampler_name" not in only.inputs else None
    return {
        "seed": _number(walk, look(_SEEDS, "noise"), _SEEDS),
        "steps": _number(walk, look(("steps",), "sigmas"), ("steps",)),
        "cfg_scale": _number(walk, look(("cfg", "cfg_conds", "cfg_scale", "true_gs"), "guider"), ("cfg",)),
        "sampler": sampler,
        "scheduler": walk.literal(look(("scheduler", "scheduler_name"), "sigmas"), ("scheduler",)),
        "denoise": _number(walk, look(("denoise",), "sigmas"), ("denoise",)),
    }


def _number(walk: Walk, value: object, names: tuple[str, ...]) -> float | int | None:
    return walk.number(value, names)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _models(walk: Walk, sampler: Node, generation: Generation) -> None:
    """The model, and the LoRAs on the way to it, which are applied from the loader on: the last seen comes first."""
    loras: list[Lora] = []
    for node in walk.upstream(sampler, {*_MODEL, *_LORA_CHAINS, "guider"}):
        loras += _loras(walk, node)
        name = next((node.inputs[key] for key in _MODEL_NAMES if key in node.inputs), None)
        if generation.model is None and name is not None and not _is_lora_only(node):
            generation.model = file_name(walk.literal(name, _MODEL_NAMES))
            generation.vae = file_name(walk.literal(node.inputs.get("vae_name"), ("vae_name",)))
            if generation.vae and generation.vae.lower() in {"baked vae", "baked-vae"}:
                generation.vae = None
    generation.loras = list(reversed(loras))[:MOST_LORAS]
    for node in walk.graph.values():
        if "stop_at_clip_layer" in node.inputs and generation.clip_skip is None:
            layer = _whole(walk.number(node.inputs["stop_at_clip_layer"]))
            generation.clip_skip = -layer if layer is not None and -64 < layer < 0 else None


def _is_lora_only(node: Node) -> bool:
    return "lora" in node.kind.lower() and "ckpt_name" not in node.inputs


def _loras(walk: Walk, node: Node) -> list[Lora]:
    loras = []
    for key, value in node.inputs.items():
        if isinstance(value, dict):  # rgthree's, with a switch each
            name, on, weight = file_name(value.get("lora")), value.get("on", True), number_of(value.get("strength"))
        elif _LORA_NAME.fullmatch(key):
            name, on = file_name(walk.literal(value, ("lora_name",))), True
            digits = re.search(r"\d+", key)
            number = digits[0] if digits else ""
            on = str(node.inputs.get(f"switch_{number}", "On")) != "Off"
            tail = f"_{number}" if number else ""
            names = (
                "strength_model",
                "model_weight",
                "model_strength",
                "lora_wt",
                "strength",
                "lora_strength",
                "weight",
            )
            found = (node.inputs[f"{each}{tail}"] for each in names if f"{each}{tail}" in node.inputs)
            weight = walk.number(next(found, None), names)
        else:
            continue
        if name and on and name != "None" and weight != 0:
            loras.append(Lora(name, weight))
    return loras


def _size(walk: Walk, sampler: Node, generation: Generation) -> None:
    """What size the empty picture had that the sampler began with."""
    for node in walk.upstream(sampler, _LATENT):
        if "latent" in node.kind.lower() and {"width", "height"} <= node.inputs.keys():
            width, height = (_whole(walk.number(node.inputs[name], (name,))) for name in ("width", "height"))
            if width and height and 0 < width < 1 << 20 and 0 < height < 1 << 20:
                generation.width, generation.height = width, height
            return


def _without_sampler(walk: Walk) -> Generation:
    """Of a graph whose picture comes from one node that does it all, or from elsewhere."""
    generation = Generation("ComfyUI")
    nodes = sorted(walk.graph.values(), key=order)
    outputs = [node for node in nodes if _OUTPUT.search(node.kind)]
    for output in outputs[:MOST_SAMPLERS]:
        for node in walk.upstream(output):
            if "prompt" not in node.inputs and "positive_prompt" not in node.inputs:
                continue
            generation.prompt = walk.words(
                node.inputs.get("prompt", node.inputs.get("positive_prompt")), negative=False
            )
            generation.negative_prompt = walk.words(node.inputs.get("negative_prompt"), negative=True)
            generation.seed = _whole(walk.number(node.inputs.get("seed"), _SEEDS))
            generation.model = file_name(walk.literal(node.inputs.get("model"), _MODEL_NAMES))
            return generation
    return generation
