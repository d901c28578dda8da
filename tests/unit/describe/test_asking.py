"""What is asked in each API, and whose fault it is if nothing comes of it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from censusd.describe.asking import ask
from censusd.describe.rules import Api, DescribeRules, parse_endpoint
from censusd.describe.trouble import AnswerError, AwayError
from censusd.describe.wire import PROMPT, Description
from tests.tools.vision_server import VisionServer, answering, describing, saying_openai

KEY = "sk-hunter2"
PICTURE = bytes(range(256)) * 4000
RULES = DescribeRules(enabled=True, model="llava:7b", timeout=30)


def rules(server: VisionServer, path: str = "", **changes: Any) -> DescribeRules:
    return replace(RULES, endpoint=parse_endpoint(server.url + path), **changes)


def sent(content: str, data: object) -> bytes:
    assert isinstance(data, str)
    assert content == "" or data.startswith(content)
    return base64.b64decode(data.removeprefix(content), validate=True)


def test_ollama_is_asked_as_ollama_wants_it() -> None:
    with VisionServer(answering(200, describing("A cat.", ["Cat", "cat", "#Mat"]))) as server:
        found = ask(rules(server), "image/jpeg", PICTURE, lambda: None)
    assert found == Description("A cat.", ("cat", "mat"))
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/chat")
    assert "authorization" not in request.headers
    asked = request.json
    (message,) = asked["messages"]
    assert (asked["model"], asked["stream"]) == ("llava:7b", False)
    assert asked["format"]["required"] == ["description", "tags"]
    assert message["content"].startswith(PROMPT)
    assert [sent("", one) for one in message["images"]] == [PICTURE]


def test_openai_is_asked_as_openai_wants_it() -> None:
    body = saying_openai('{"description": "Ein Hund.", "tags": ["Hund"]}')
    with VisionServer(answering(200, body)) as server:
        mine = rules(server, api=Api.OPENAI, key=KEY, prompt="What is it?", language="German")
        assert ask(mine, "image/webp", PICTURE, lambda: None) == Description("Ein Hund.", ("hund",))
        ask(rules(server, "/base/", api=Api.OPENAI), "image/png", PICTURE, lambda: None)
    first, second = server.requests
    assert (first.path, second.path) == ("/v1/chat/completions", "/base/chat/completions")
    assert (first.headers["authorization"], second.headers.get("authorization")) == (f"Bearer {KEY}", None)
    text, image = first.json["messages"][0]["content"]
    assert text["text"].startswith("What is it? Write in this language: German. Answer with nothing but a JSON object")
    assert sent("data:image/webp;base64,", image["image_url"]["url"]) == PICTURE
    assert first.json["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize("size", [1, 2, 3, (3 << 16) - 1, 3 << 16, (3 << 16) + 1])
def test_a_picture_of_any_size_arrives_whole(size: int) -> None:
    picture = PICTURE[:size]
    with VisionServer(answering(200, describing())) as server:
        ask(rules(server), "image/png", picture, lambda: None)
    assert sent("", server.requests[0].json["messages"][0]["images"][0]) == picture


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (301, b"", "it sends one elsewhere (HTTP 301), where nobody goes: set describe.url to where it is"),
        (401, KEY.encode(), "it refuses the key (HTTP 401): see describe.key"),
        (403, b"{}", "it refuses the key (HTTP 403): see describe.key"),
        (
            404,
            b'{"error": "model llava:7b not found"}',
            "it has no such model, or nothing at /api/chat (HTTP 404: model llava:7b not found)",
        ),
        (429, b'{"error": {"message": "slow\\ndown"}}', "it has no time now (HTTP 429: slow down)"),
        (503, b"<html>", "it has no time now (HTTP 503)"),
    ],
)
def test_what_is_no_fault_of_the_picture(status: int, body: bytes, why: str) -> None:
    elsewhere: list[VisionServer] = []
    with VisionServer(answering(200, describing())) as other:
        elsewhere.append(other)
        with VisionServer(answering(status, body, Location=f"{other.url}/api/chat", Retry_After="9")) as server:
            with pytest.raises(AwayError) as caught:
                ask(rules(server, key=KEY), "image/png", PICTURE, lambda: None)
            assert len(server.requests) == 1
    assert other.requests == []
    assert str(caught.value) == why
    assert caught.value.retry_after == (9 if status in {429, 503} else 0)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, {"error": {"message": "no images"}}, "(HTTP 400: no images)"),
        (500, {"error": f"Bearer {KEY} has no memory"}, "(HTTP 500: Bearer (key) has no memory)"),
        (500, {"detail": ["x"]}, "(HTTP 500)"),
        (418, {"message": "a" * 10_000}, f"(HTTP 418: {'a' * 200})"),
        (204, {}, "(HTTP 204)"),
    ],
)
def test_what_may_be_the_pictures_fault(status: int, body: object, why: str) -> None:
    with VisionServer(answering(status, json.dumps(body).encode())) as server, pytest.raises(AnswerError) as caught:
        ask(rules(server, key=KEY), "image/png", PICTURE, lambda: None)
    assert str(caught.value) == f"it does not want this picture, or cannot do it {why}"


def test_the_key_is_not_shown_with_the_rules() -> None:
    assert KEY not in repr(replace(RULES, key=KEY))
