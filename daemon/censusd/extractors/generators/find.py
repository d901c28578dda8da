"""Which program made a picture, if one did: each is asked for what it would have written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from censusd.extractors.generators import a1111, comfyui, fooocus, invokeai, novelai, swarmui
from censusd.extractors.generators.base import Generation, Texts, json_of, object_of

READERS: Final[tuple[Callable[[Texts], Generation | None], ...]] = (
    swarmui.read,
    invokeai.read,
    novelai.read,
    fooocus.read,
    a1111.read,
    comfyui.read,
)
_LABELLED: Final = re.compile(
    r"\s*(prompt|workflow|parameters|invokeai_metadata|sd-metadata)\s*:\s*(?=[{\[])", re.IGNORECASE
)
_KNOWN: Final = ("prompt", "workflow", "parameters", "invokeai_metadata", "sd-metadata", "invokeai_workflow")
_ANYWHERE: Final = "exif:"


def find(texts: Iterable[tuple[str, str]]) -> tuple[Generation | None, str | None]:
    """How a picture was made, if that can be told, and what is wrong with what says it.

    Args:
        texts: keywords and texts. Texts that have no keyword of their own, because they stand in one of EXIF's tags,
            say in which: ``exif:UserComment``.
    """
    known = arrange(texts)
    if not known:
        return None, None
    trouble = None
    found: Generation | None = None
    for read in READERS:
        try:
            generation = read(known)
        # What is in the JSON is up to whoever wrote it; one reader that stumbles must not keep the others from it.
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            trouble = f"{read.__module__.rpartition('.')[2]} data cannot be read: {error}"
            continue
        if generation is None:
            continue
        if found is None:
            found = generation
        elif read is comfyui.read:
            _merge(found, generation)
        if "workflow" not in known and "prompt" not in known:
            break
    return found, trouble


def _merge(found: Generation, graph: Generation) -> None:
    """Add the graph to parameters that a node of it wrote, which are what its user wanted to be read."""
    for name in Generation.__slots__:
        if name not in {"generator", "version"} and not getattr(found, name):
            setattr(found, name, getattr(graph, name))
    if found.generator == "AUTOMATIC1111" and found.version is None:
        found.generator = "ComfyUI"


def arrange(texts: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Texts by keyword in lower case; those in EXIF's tags by the keyword that their content tells."""
    known: dict[str, object] = {}
    for keyword, text in texts:
        if match := _LABELLED.match(text):
            known.setdefault(match[1].lower(), text[match.end() :])
        elif keyword.startswith(_ANYWHERE) or keyword == "comment":
            _recognize(text, known)
            known.setdefault(keyword.lower(), text)
        else:
            known.setdefault(keyword.lower(), text)
    return known


def is_for_programs(text: str) -> bool:
    """Whether a text is settings or JSON, which nobody wants to read as a description or as a camera's name."""
    return text.lstrip().startswith(("{", "[")) or bool(_LABELLED.match(text)) or a1111.is_parameters(text)


def _recognize(text: str, known: dict[str, object]) -> None:
    """Add a text without a keyword under the keyword that it would have had in a PNG."""
    if a1111.is_parameters(text) and not text.lstrip().startswith("{"):
        known.setdefault("parameters", text)
        return
    if not text.lstrip("\0 \t\r\n\ufeff").startswith("{"):
        return
    found = object_of(text)
    values = [each for each in found.values() if isinstance(each, dict)]
    if any("class_type" in each for each in values):
        known.setdefault("prompt", found)
    elif isinstance(found.get("nodes"), list) and "links" in found:
        known.setdefault("workflow", found)
    elif "Comment" in found and "Software" in found:
        for name, value in found.items():
            known.setdefault(name.lower(), value)
    elif isinstance(json_of(found.get("prompt")), dict) or isinstance(json_of(found.get("workflow")), dict):
        for name in _KNOWN:
            if name in found:
                known.setdefault(name, found[name])
    else:
        for name in _KNOWN:
            if name in found and name != "prompt":
                known.setdefault(name, found[name])
        known.setdefault("parameters", found)
