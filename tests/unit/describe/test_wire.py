"""Whatever a server answers, it is a bounded description with clean tags, or an error that people understand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.describe.rules import Api
from censusd.describe.trouble import AnswerError
from censusd.describe.wire import LONGEST_DESCRIPTION, LONGEST_TAG, MOST_TAGS, Description, answer, complaint
from tests.tools.vision_server import saying, saying_openai

NAMES = st.sampled_from(["message", "content", "choices", "text", "type", "description", "tags", "error"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | NAMES, inner, max_size=4),
    max_leaves=12,
)


def described(**found: Any) -> Description:
    return answer(Api.OLLAMA, saying(json.dumps(found)))


@pytest.mark.parametrize(
    "content",
    [
        '{"description": "A {cat}.", "tags": ["cat"]}',
        '  ```json\n{"description": "A {cat}.", "tags": ["cat"]}\n```',
        'Here it is: {"x": 1} {"description": "A {cat}.", "tags": ["cat"]} Hope that helps!',
        '<think>{"description": "no"}</think>{"tags": "cat, CAT", "description": "A {cat}."}',
    ],
)
def test_a_model_may_say_something_around_it(content: str) -> None:
    assert answer(Api.OLLAMA, saying(content)) == Description("A {cat}.", ("cat",))
    assert answer(Api.OPENAI, saying_openai(content)) == Description("A {cat}.", ("cat",))
    parts = [{"type": "text", "text": content[:9]}, {"type": "audio"}, {"type": "text", "text": content[9:]}]
    assert answer(Api.OPENAI, saying_openai(parts)) == Description("A {cat}.", ("cat",))


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (["Cat", " cat ", "#CAT", '"cat"', "cat."], ("cat",)),
        (["New  York\n", "new_york", "NEW YORK"], ("new york",)),
        (["e\u0301te\u0301", "été"], ("été",)),
        (["a\0b", "\ud800c", "\x1b[31m"], ("ab", "c", "[31m")),
        ([1, None, [], {}, "", "#", " - "], ()),
        (["x" * LONGEST_TAG, "y" * (LONGEST_TAG + 1)], ("x" * LONGEST_TAG,)),
        ([str(number) for number in range(1000)], tuple(str(number) for number in range(MOST_TAGS))),
        ("one, two,,three", ("one", "two", "three")),
        ({"a": 1}, ()),
        (None, ()),
    ],
)
def test_equal_tags_are_equal(tags: object, kept: tuple[str, ...]) -> None:
    assert described(description="x", tags=tags).tags == kept


def test_a_description_is_bounded_and_clean() -> None:
    assert described(description=" a\0b\ud800\n\tc\x1b ").text == "ab c"
    assert described(description="ä" * 100_000).text == "ä" * LONGEST_DESCRIPTION


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the answer is not JSON"),
        (b"\xff\xfe", "the answer is not JSON"),
        (b"[" * 100_000, "the answer is not JSON"),
        (b"9" * 10_000, "the answer is not JSON"),
        (b"[]", "the answer is not one of this API"),
        (b'"x"', "the answer is not one of this API"),
        (b'{"message": "x"}', "the answer is not one of this API"),
        (b'{"message": {"content": null}}', "the model has answered with nothing"),
        (saying("  "), "the model has answered with nothing"),
        (saying("It is a cat."), "the model has not answered in JSON, as it was asked to"),
        (saying("{" * 100_000), "the model has not answered in JSON, as it was asked to"),
        (saying('{"a":' * 100_000), "the model has not answered in JSON, as it was asked to"),
        (saying('{"description": 7}'), "the model has answered without a description"),
        (saying('{"description": "\\u0000 "}'), "the model has answered without a description"),
        (b'{"message": {"content": "{", "refusal": "no"}}', "the model refuses to describe it"),
        (
            b'{"message": {"content": "{"}, "done_reason": "length"}',
            "the model's answer was cut off because it became too long",
        ),
    ],
)
def test_an_answer_that_is_none(body: bytes, why: str) -> None:
    with pytest.raises(AnswerError) as caught:
        answer(Api.OLLAMA, body)
    assert str(caught.value) == why
    assert caught.value.__cause__ is None


@given(st.sampled_from(Api), JSON, st.binary(max_size=200))
def test_any_answer_is_a_description_or_an_error(api: Api, value: object, data: bytes) -> None:
    texts = [data, json.dumps(value).encode(), saying(json.dumps(value)), saying_openai(value)]
    for body in texts:
        assert len(complaint(body)) <= 200
        try:
            found = answer(api, body)
        except AnswerError:
            continue
        for text in (found.text, *found.tags):
            assert text
            assert text.encode()
            assert "\0" not in text
        assert len(found.text) <= LONGEST_DESCRIPTION
        assert len(set(found.tags)) == len(found.tags) <= MOST_TAGS
