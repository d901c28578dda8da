"""ComfyUI's graph of nodes, from either of the two forms it saves.

The *prompt* is what was carried out: nodes by id, each with its class and its inputs, a link being ``[id, output]``.
The *workflow* is what is seen on the screen: links in a table of their own, values of widgets in a list without names,
nodes that are switched off, and subgraphs, which stand for whole graphs. Both become the same ``Graph``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.generators.base import object_of, text_of, whole_of

MOST_NODES: Final = 5_000
MOST_INPUTS: Final = 200
MOST_PARTS: Final = 100_000
"""Nodes and links that are looked at in all, each as often as the subgraph it is in is used."""
LONGEST_NAME: Final = 80
DEEPEST: Final = 8
"""Subgraphs within subgraphs."""

_NEVER, _BYPASS = 2, 4
_INPUT_NODE: Final = -10
_OUTPUT_NODE: Final = -20
_CONTROL: Final = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""What follows a seed among the values of widgets without being an input: what to do with the seed next time."""

_WIDGET_TYPES: Final = ("STRING", "INT", "FLOAT", "BOOLEAN", "COMBO")
_WIDGETS: Final = {
    name: words.split()
    for name, words in {
        "KSampler": "seed * steps cfg sampler_name scheduler denoise",
        "KSamplerAdvanced": "add_noise noise_seed * steps cfg sampler_name scheduler start_at_step end_at_step",
        "SamplerCustom": "add_noise noise_seed * cfg",
        "RandomNoise": "noise_seed *",
        "KSamplerSelect": "sampler_name",
        "BasicScheduler": "scheduler steps denoise",
        "Flux2Scheduler": "steps width height",
        "LTXVScheduler": "steps",
        "SDTurboScheduler": "steps denoise",
        "CFGGuider": "cfg",
        "DualCFGGuider": "cfg_conds cfg_cond2_negative",
        "FluxGuidance": "guidance",
        "CLIPTextEncode": "text",
        "CLIPTextEncodeFlux": "clip_l t5xxl guidance",
        "CLIPTextEncodeSD3": "clip_l clip_g t5xxl",
        "CLIPTextEncodeSDXL": "width height crop_w crop_h target_width target_height text_g text_l",
        "CLIPTextEncodeSDXLRefiner": "ascore width height text",
        "CheckpointLoader": "config_name ckpt_name",
        "CheckpointLoaderSimple": "ckpt_name",
        "UNETLoader": "unet_name weight_dtype",
        "UnetLoaderGGUF": "unet_name",
        "VAELoader": "vae_name",
        "LoraLoader": "lora_name strength_model strength_clip",
        "LoraLoaderModelOnly": "lora_name strength_model",
        "CLIPSetLastLayer": "stop_at_clip_layer",
        "EmptyLatentImage": "width height batch_size",
        "EmptySD3LatentImage": "width height batch_size",
        "EmptyFlux2LatentImage": "width height batch_size",
        "PrimitiveNode": "value *",
        "PrimitiveString": "value",
        "PrimitiveStringMultiline": "value",
        "PrimitiveInt": "value *",
        "PrimitiveFloat": "value",
        "StringConcatenate": "string_a string_b delimiter",
        "SetNode": "name",
        "GetNode": "name",
    }.items()
}
"""Widgets of common nodes in their order, for workflows from before 2025, which do not name them; ``*`` is no input."""


@dataclass(frozen=True, slots=True)
class Link:
    """That an input takes what another node gives.

    Attributes:
        node: the other node's id.
        slot: which of its outputs.
    """

    node: str
    slot: int


@dataclass(slots=True)
class Node:
    """One node.

    Attributes:
        id: its id; of a node in a subgraph with those of what it is in before it, as ``57:3``.
        kind: its class.
        inputs: by name: values, and links.
        outputs: what really gives each output, if the node itself does not: of a subgraph, of a node switched off.
    """

    id: str
    kind: str
    inputs: dict[str, object]
    outputs: dict[int, object] = field(default_factory=dict)


Graph = dict[str, Node]


def from_prompt(prompt: Mapping[str, object]) -> Graph:
    """The graph of a prompt; empty if it is none."""
    graph: Graph = {}
    for key, value in list(prompt.items())[:MOST_NODES]:
        if not isinstance(value, dict) or not isinstance(value.get("class_type"), str):
            continue
        inputs = value.get("inputs")
        named = list(inputs.items())[:MOST_INPUTS] if isinstance(inputs, dict) else []
        linked = {name: _linked(each, prompt) for name, each in named if len(name) <= LONGEST_NAME}
        graph[key] = Node(key, value["class_type"][:LONGEST_NAME], linked)
    return graph


def _linked(value: object, prompt: Mapping[str, object]) -> object:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], int) and isinstance(value[0], (str, int)):
        key = str(value[0])
        return Link(key, value[1]) if key in prompt else None
    return value


def from_workflow(workflow: Mapping[str, object]) -> Graph:
    """The graph of a workflow, with its subgraphs unfolded; empty if it is none."""
    definitions = object_of(workflow.get("definitions")).get("subgraphs")
    unfolding = _Unfolding({each["id"]: each for each in _objects(definitions) if isinstance(each.get("id"), str)})
    unfolding.level(workflow, "", {})
    _connect_named(unfolding.graph)
    return unfolding.graph


def _objects(value: object) -> list[dict[str, object]]:
    return [each for each in value[:MOST_NODES] if isinstance(each, dict)] if isinstance(value, list) else []


class _Unfolding:
    """A workflow on its way to a graph.

    Args:
        subgraphs: all definitions, by id.

    Attributes:
        graph: the nodes so far.
    """

    def __init__(self, subgraphs: Mapping[object, dict[str, object]]) -> None:
        self.graph: Graph = {}
        self._subgraphs = subgraphs
        self._parts_left = MOST_PARTS

    def level(self, level: Mapping[str, object], prefix: str, given: Mapping[int, object]) -> dict[int, object]:
        """Add one level's nodes to the graph.

        Args:
            level: the workflow, or a subgraph's definition.
            prefix: what the ids of this level's nodes begin with.
            given: what the level gets from outside, by slot.

        Returns:
            What the level gives to the outside, by slot.
        """
        links: dict[object, object] = {}
        outside: dict[int, object] = {}
        nodes, connections = _objects(level.get("nodes")), _links(level.get("links"))
        self._parts_left -= len(nodes) + len(connections)
        if self._parts_left < 0:
            return {}
        for number, origin, slot, target, end in connections:
            source: object = given.get(slot) if origin == _INPUT_NODE else Link(f"{prefix}{origin}", slot)
            links[number] = source
            if target == _OUTPUT_NODE:
                outside[end] = source
        for each in nodes:
            if len(self.graph) < MOST_NODES and each.get("mode") != _NEVER and isinstance(each.get("type"), str):
                self._node(each, prefix, links)
        return outside

    def _node(self, each: Mapping[str, object], prefix: str, links: Mapping[object, object]) -> None:
        kind = str(each["type"])[:LONGEST_NAME]
        inner = self._subgraphs.get(kind)
        node = Node(f"{prefix}{each.get('id')}", kind, _inputs(each, links, inner))
        self.graph[node.id] = node
        if each.get("mode") == _BYPASS:
            node.outputs, node.inputs = _passed(each, node.inputs), {}
        elif inner and prefix.count(":") < DEEPEST and self._parts_left > 0:
            names = [str(entry.get("name")) for entry in _objects(inner.get("inputs"))]
            slots = {slot: node.inputs.get(name) for slot, name in enumerate(names)}
            node.outputs = self.level(inner, f"{node.id}:", slots)
            _set_inner_widgets(each, node, self.graph)


def _links(value: object) -> list[tuple[object, object, int, object, int]]:
    """Each link's number, origin, slot of the origin, target and slot of the target, from either way to write it."""
    result = []
    for each in value[: 4 * MOST_NODES] if isinstance(value, list) else []:
        if isinstance(each, dict):
            parts = [each.get(name) for name in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        elif isinstance(each, list) and len(each) >= 5:
            parts = each[:5]
        else:
            continue
        number, origin, slot, target, end = parts
        hashable = all(isinstance(part, (int, str)) for part in (number, origin, target))
        if hashable and isinstance(slot, int) and isinstance(end, int):
            result.append((number, origin, slot, target, end))
    return result


def _inputs(
    node: Mapping[str, object], links: Mapping[object, object], inner: Mapping[str, object] | None
) -> dict[str, object]:
    sockets, values = _objects(node.get("inputs"))[:MOST_INPUTS], node.get("widgets_values")
    if inner is None:
        inputs = _widgets(values, str(node["type"]), sockets)
    else:  # widgets of a subgraph's node stand for its inputs, or (see _set_inner_widgets) for widgets of nodes inside
        names = [str(each.get("name")) for each in _objects(inner.get("inputs")) if each.get("type") in _WIDGET_TYPES]
        inputs = dict(zip(names, values, strict=True)) if isinstance(values, list) and len(values) == len(names) else {}
    for socket in sockets:
        number, name = socket.get("link"), text_of(socket.get("name"))
        source = links.get(number) if isinstance(number, (int, str)) else None
        if name and source is not None:
            inputs[name] = source
    return {name: value for name, value in inputs.items() if len(name) <= LONGEST_NAME}


def _passed(node: Mapping[str, object], inputs: Mapping[str, object]) -> dict[int, object]:
    """What a node gives that is switched off: for each output the first input of the same type."""
    passed: dict[int, object] = {}
    for slot, output in enumerate(_objects(node.get("outputs"))[:MOST_INPUTS]):
        sockets = (each for each in _objects(node.get("inputs")) if each.get("type") == output.get("type"))
        names = (str(each.get("name")) for each in sockets)
        passed[slot] = next((inputs[name] for name in names if name in inputs), None)
    return passed or {0: None}


def _widgets(values: object, kind: str, sockets: list[dict[str, object]]) -> dict[str, object]:
    if isinstance(values, dict):
        return dict(list(values.items())[:MOST_INPUTS])
    if not isinstance(values, list):
        return {}
    names = _WIDGETS.get(kind)
    if names is None:
        names, left = [], list(values[:MOST_INPUTS])
        for socket in sockets:
            widget = text_of(object_of(socket.get("widget")).get("name"))
            if widget and left:
                names.append(widget)
                left.pop(0)
                if "seed" in widget and left and isinstance(left[0], str) and left[0] in _CONTROL:
                    names.append("*")
                    left.pop(0)
        if not names:  # nothing says what they are; of texts that can be guessed
            return {
                f"text_{place}": value for place, value in enumerate(left) if isinstance(value, str) and " " in value
            }
    return {name: value for name, value in zip(names, values, strict=False) if name != "*"}


def _set_inner_widgets(each: Mapping[str, object], node: Node, graph: Graph) -> None:
    """Give inner nodes the values that were set on the subgraph's node, whose widgets stand for theirs."""
    proxies, values = object_of(each.get("properties")).get("proxyWidgets"), each.get("widgets_values")
    if not isinstance(proxies, list) or not isinstance(values, list):
        return
    for proxy, value in zip(proxies[:MOST_INPUTS], values, strict=False):
        if isinstance(proxy, list) and len(proxy) == 2 and isinstance(proxy[1], str):
            inner = graph.get(f"{node.id}:{proxy[0]}")
            if inner and not isinstance(inner.inputs.get(proxy[1]), Link) and value is not None:
                inner.inputs[proxy[1]] = value


def _connect_named(graph: Graph) -> None:
    """Connect KJNodes' pairs of nodes that stand for a link: what goes into one comes out of the other of that name."""
    named = {
        text_of(node.inputs.get("name")): next((each for each in node.inputs.values() if isinstance(each, Link)), None)
        for node in graph.values()
        if node.kind == "SetNode"
    }
    for node in graph.values():
        if node.kind == "GetNode" and (source := named.get(text_of(node.inputs.get("name")))):
            node.outputs[0] = source


def order(node: Node) -> tuple[int, str]:
    """Nodes in the order of their numbers."""
    number = whole_of(node.id.rpartition(":")[2])
    return (number if number is not None else 1 << 62, node.id)
