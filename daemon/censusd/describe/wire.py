"""What is asked, and what an answer has to be, in Ollama's API and in OpenAI's.

https://docs.ollama.com/api/chat, https://platform.openai.com/docs/api-reference/chat. Whatever a server answers is
checked and bounded: it may be anything.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from censusd.describe.rules import Api, DescribeRules
from censusd.describe.trouble import AnswerError

PROMPT: Final = (
    "Describe this picture for somebody who searches a large collection of pictures. Say in one to three sentences "
    "what is to be seen: people, animals, things, place, action, style, and text that can be read. Then give up to "
    "twenty tags of one to three words each, the most telling first."
)
"""What is asked where nothing else is configured."""

LONGEST_DESCRIPTION: Final = 4000
LONGEST_TAG: Final = 64
MOST_TAGS: Final = 32

_FORM: Final = ' Answer with nothing but a JSON object: {"description": "...", "tags": ["...", "..."]}.'
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"description": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["description", "tags"],
    "additionalProperties": False,
}
_MOST_TOKENS: Final = 2048
_PIECE: Final = 3 << 16  # a multiple of three, so that pieces of base64 can be put together
_FIRST_BRACES: Final = 8

_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SPACES: Final = re.compile(r"\s+")
_THOUGHT: Final = re.compile(r"<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Description:
    """What a model says of a picture.

    Attributes:
        text: one to some sentences.
        tags: in lower case, each once.
    """

    text: str
    tags: tuple[str, ...]


def path(rules: DescribeRules) -> str:
    """The path to which a question goes."""
    base = rules.endpoint.path
    return f"{base}/api/chat" if rules.api is Api.OLLAMA else f"{base or '/v1'}/chat/completions"


def question(rules: DescribeRules, mime_type: str, picture: bytes) -> tuple[int, Iterator[bytes]]:
    """The body of a request: its length and its parts, so that the picture is never in memory in full as text, too."""
    mark = secrets.token_hex(16)
    prompt = rules.prompt or PROMPT
    if rules.language:
        prompt += f" Write in this language: {rules.language}."
    prompt += _FORM
    wanted = (
        _for_ollama(rules, prompt, mark) if rules.api is Api.OLLAMA else _for_openai(rules, prompt, mime_type, mark)
    )
    before, _, after = json.dumps(wanted).encode().partition(mark.encode())
    length = len(before) + 4 * -(-len(picture) // 3) + len(after)
    return length, _parts(before, picture, after)


def _parts(before: bytes, picture: bytes, after: bytes) -> Iterator[bytes]:
    yield before
    view = memoryview(picture)
    for start in range(0, len(view), _PIECE):
        yield b64encode(view[start : start + _PIECE])
    yield after


def _for_ollama(rules: DescribeRules, prompt: str, picture: str) -> dict[str, Any]:
    return {
        "model": rules.model,
        "messages": [{"role": "user", "content": prompt, "images": [picture]}],
        "stream": False,
        "format": _SCHEMA,
        "options": {"temperature": 0, "num_predict": _MOST_TOKENS},
    }


def _for_openai(rules: DescribeRules, prompt: str, mime_type: str, picture: str) -> dict[str, Any]:
    # No limit of tokens and no temperature: newer models refuse the names that older servers know, and time is limited.
    return {
        "model": rules.model,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": prompt},
                    {"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{picture}"}},
                ],
            }
        ],
        "stream": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "picture", "strict": True, "schema": _SCHEMA},
        },
    }


def answer(api: Api, body: bytes) -> Description:
    """What the model says.

    Raises:
        AnswerError: nothing that could be kept. The text quotes nothing.
    """
    text = _said(api, _parsed(body.decode("utf-8", "replace"), "the answer"))
    found = _object_in(_THOUGHT.sub("", text))
    description = found.get("description")
    if not isinstance(description, str) or not clean(description):
        raise AnswerError("the model has answered without a description")
    return Description(clean(description)[:LONGEST_DESCRIPTION].rstrip(), _tags(found.get("tags")))


def complaint(body: bytes) -> str:
    """What a server says is wrong, in the few ways in which servers say it; empty if it does not. One short line."""
    try:
        found = _parsed(body.decode("utf-8", "replace"), "the answer")
    except AnswerError:
        return ""
    for key in ("error", "message", "detail"):
        found = found.get(key, found) if isinstance(found, dict) else found
    return clean(found)[:200] if isinstance(found, str) else ""


def clean(text: str) -> str:
    """Text on one line without what PostgreSQL, JSON or a terminal would trip over."""
    return _SPACES.sub(" ", _FORBIDDEN.sub("", text[: 16 * LONGEST_DESCRIPTION])).strip()


def _said(api: Api, found: Any) -> str:
    """The text of the model's message in a server's answer."""
    try:
        choice = found if api is Api.OLLAMA else found["choices"][0]
        message = choice["message"]
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if part.get("type") == "text")
        cut_off = "length" in {choice.get("done_reason"), choice.get("finish_reason")}
        refused = bool(message.get("refusal"))
    except (LookupError, TypeError, AttributeError):
        raise AnswerError("the answer is not one of this API") from None
    if refused:
        raise AnswerError("the model refuses to describe it")
    if not isinstance(content, str) or not content.strip():
        raise AnswerError("the model has answered with nothing")
    if cut_off:
        raise AnswerError("the model's answer was cut off because it became too long")
    return content


def _object_in(text: str) -> dict[str, Any]:
    """The first JSON object in a text that holds a description; models like to say something before and after it."""
    decoder, start = json.JSONDecoder(), -1
    for _ in range(_FIRST_BRACES):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "description" in found:
            return found
    raise AnswerError("the model has not answered in JSON, as it was asked to")


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # Not raised from the first, which holds the text.
        pass
    raise AnswerError(f"{what} is not JSON")


def _tags(given: object) -> tuple[str, ...]:
    """Tags in a form in which equal ones are equal: lower case, no hash signs or quotes around them, each once."""
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list):
        return ()
    tags: dict[str, None] = {}
    for one in given[: 8 * MOST_TAGS]:
        if not isinstance(one, str):
            continue
        tag = unicodedata.normalize("NFC", clean(one[: 8 * LONGEST_TAG].replace("_", " ")).lower())
        tag = tag.strip(" #\"'`*.,;:-")
        if tag and len(tag) <= LONGEST_TAG:
            tags[tag] = None
    return tuple(tags)[:MOST_TAGS]
