"""Following ComfyUI's links backwards: to the words a sampler was given, and to the numbers.

Nodes come from hundreds of authors, so classes are known by their inputs' names rather than by their own. Every step
costs from one allowance for the whole graph, and no node is entered twice on the way to the same thing, so a graph that
loops, or that doubles its text at each of a hundred nodes, comes to an end.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from typing import Final

from censusd.extractors.generators.base import LONGEST_PROMPT, number_of, text_of
from censusd.extractors.generators.comfy_graph import Graph, Link, Node

MOST_STEPS: Final = 200_000
DEEPEST: Final = 64

_WORDS: Final = re.compile(
    r"(?:text|string|str|prompt|caption|value|clip_[lgh]|t5(?:xxl)?|llama|populated_text|instruction|tags|user_prompt"
    r"|prepend|append|prefix|suffix|line|input|any|on_true|on_false|[a-h])(?:[_\d].*)?|.*_(?:prompt|text|string)|.*_tags"
)
"""Inputs that hold words, or hand them on."""
_CONDITIONING: Final = re.compile(
    r"(?:opt_|base_|orig_|in_)?(?:cond(?:itioning)?|text_embeds?|embeds|pipe|basic_pipe|sdxl_pipe|ctx|context|guider)"
    r"(?:_?\w{0,12})|\*|.*_(?:pipe|ctx)|.*conditioning.*"
)
_POSITIVE: Final = re.compile(r"(?:.*_)?(?:pos|positive|positif)(?:_?\w*)?|cond[12]")
_NEGATIVE: Final = re.compile(r"(?:.*_)?(?:neg|negative|uncond|unconditioning)(?:_?\w*)?")
_NOT_WORDS: Final = re.compile(
    r".*(?:name|model|vae|delimiter|separator|wildcard_?mode|seed|file|path|type|format|mode).*"
)
_OTHER: Final = re.compile(r".*(?:model|clip|vae|image|latent|mask|control|samples|pixels|noise|sigmas|sampler|seed).*")
"""Links that no words come through, to be left out where nothing else helps."""
_PASS: Final = re.compile(r"reroute|passthrough", re.IGNORECASE)
_SWITCH: Final = re.compile(r"switch", re.IGNORECASE)
_CHOICE: Final = ("select", "Input", "index", "switch", "input_number", "which", "choice", "boolean", "condition")
_JOIN: Final = re.compile(r"concat|join|append|combine", re.IGNORECASE)
_GLUE: Final = ("delimiter", "separator", "delimeter")


class Walk:
    """One walk through one graph.

    Attributes:
        graph: all nodes.
        guidance: the first guidance that was met on the way to words, as Flux wants it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.guidance: float | None = None
        self._steps = MOST_STEPS

    def _may(self) -> bool:
        self._steps -= 1
        return self._steps >= 0

    def source(self, value: object) -> object:
        """What an input really gets: the link to a node that makes something, a value, or None.

        Subgraphs, named connections, reroutes, nodes that are switched off, and switches only hand on.
        """
        for _ in range(DEEPEST):
            if not isinstance(value, Link):
                return value
            node = self.graph.get(value.node)
            if node is None or not self._may():
                return None
            if node.outputs:
                value = node.outputs.get(value.slot)
            elif _SWITCH.search(node.kind):
                chosen = self._chosen(node.inputs)
                if chosen is None:
                    return value
                value = chosen
            elif _PASS.search(node.kind):
                value = next((each for each in node.inputs.values() if isinstance(each, Link)), None)
            else:
                return value
        return None

    def _chosen(self, inputs: dict[str, object]) -> object:
        """What a switch lets through: what it is set to, or the first that is connected; None if that is not known."""
        key = next((key for key in _CHOICE if key in inputs), None)
        if key is None:
            return next(
                (each for name, each in inputs.items() if name.startswith("any_") and isinstance(each, Link)), None
            )
        setting = inputs[key]
        if isinstance(setting, Link) and (node := self.graph.get(setting.node)):
            setting = next((each for each in node.inputs.values() if isinstance(each, (bool, int))), None)
        if isinstance(setting, bool):
            names = ["on_true", "true", "if_true"] if setting else ["on_false", "false", "if_false"]
        else:
            names = [
                f"{name}{join}{setting}" for name in ("input", "text", "conditioning", "model") for join in ("", "_")
            ]
        return next((inputs[name] for name in names if name in inputs), None)

    def upstream(self, start: Node, through: Collection[str] | None = None) -> Iterator[Node]:
        """The nodes that a node gets something from, nearest first; only through inputs of these names, if given."""
        queue, seen = deque([start]), {start.id}
        while queue:
            node = queue.popleft()
            self._steps -= len(node.inputs)
            for name, value in node.inputs.items():
                if through is not None and name not in through and (node is start or not _SWITCH.search(node.kind)):
                    continue
                if isinstance(found := self.source(value), Link) and found.node not in seen and self._may():
                    seen.add(found.node)
                    queue.append(self.graph[found.node])
                    yield self.graph[found.node]

    def number(self, value: object, names: Collection[str] = ()) -> float | int | None:
        """A number, also if a node gives it."""
        for _ in range(DEEPEST):
            value = self.source(value)
            if not isinstance(value, Link):
                return number_of(value)
            inputs = self.graph[value.node].inputs
            keys = [key for key in (*names, "value", "seed", "int", "float", "number", "Number") if key in inputs]
            numbers = [key for key, each in inputs.items() if number_of(each) is not None]
            links = [key for key, each in inputs.items() if isinstance(each, Link)]
            key = next(iter(keys or (numbers if len(numbers) == 1 else links[:1])), None)
            value = inputs[key] if key is not None else None
        return None

    def literal(self, value: object, names: Collection[str]) -> str | None:
        """A short text such as a file's or a sampler's name, also if a node gives it."""
        for _ in range(DEEPEST):
            value = self.source(value)
            if not isinstance(value, Link):
                return text_of(value)
            inputs = self.graph[value.node].inputs
            value = next((inputs[name] for name in (*names, "value", "string", "text") if name in inputs), None)
        return None

    def words(self, value: object, *, negative: bool) -> str | None:
        """The words that come to an input: of the text encoders behind it, or of the nodes that make text.

        Args:
            value: the input.
            negative: whether it says what is not wanted, where a node has words of both kinds.
        """
        parts = self._words(value, negative, set(), 0)
        return "\n".join(dict.fromkeys(parts))[:LONGEST_PROMPT] or None

    def _words(self, value: object, negative: bool, seen: set[tuple[str, int]], depth: int) -> list[str]:  # noqa: FBT001
        value = self.source(value)
        if isinstance(value, str):
            return [value[:LONGEST_PROMPT]] if value.strip() else []
        if not isinstance(value, Link) or depth >= DEEPEST or (value.node, value.slot) in seen or not self._may():
            return []
        node = self.graph[value.node]
        if "zeroout" in node.kind.lower():
            return []
        if "guidance" in node.inputs and self.guidance is None:
            self.guidance = self.number(node.inputs["guidance"], ("guidance",))
        way = seen | {(value.node, value.slot)}  # the same text may come twice, but not out of itself
        parts: list[str] = []
        for each in _worded(node.inputs, negative=negative):
            parts += self._words(each, negative, way, depth + 1)
            if sum(map(len, parts)) > LONGEST_PROMPT:
                break
        glue = _glue(node)
        if glue is not None and parts:
            return [glue.join(parts)[:LONGEST_PROMPT]]
        return [part.strip() for part in parts]


def _worded(inputs: dict[str, object], *, negative: bool) -> list[object]:
    """The inputs of a node that words come from, of the wanted kind only."""
    done = text_of(inputs.get("populated_text")) or text_of(inputs.get("result"))
    if done:  # what a template, or a function on text, came to
        return [done]
    wanted, unwanted = (_NEGATIVE, _POSITIVE) if negative else (_POSITIVE, _NEGATIVE)
    found: dict[str, object] = {}
    for name, value in inputs.items():
        low = name.lower()
        if not isinstance(value, (str, Link)) or unwanted.fullmatch(low):
            continue
        worded = wanted.fullmatch(low) or (_WORDS.fullmatch(low) and not _NOT_WORDS.fullmatch(low))
        if worded or (isinstance(value, Link) and _CONDITIONING.fullmatch(low)):
            found[name] = value
    if isinstance(found.get("text"), Link):
        found.pop("text_0", None)  # what a node has shown, not what it got
    if not found:
        links = ((name.lower(), each) for name, each in inputs.items() if isinstance(each, Link))
        return [each for low, each in links if not _OTHER.fullmatch(low) and not unwanted.fullmatch(low)]
    return list(found.values())


def _glue(node: Node) -> str | None:
    """What a node that joins texts puts between them; None if it joins none."""
    if node.kind.startswith("Conditioning") or "clip" in node.inputs:
        return None
    for name in _GLUE:
        if isinstance(glue := node.inputs.get(name), str):
            return glue.replace("\\n", "\n")
    return ", " if _JOIN.search(node.kind) else None
