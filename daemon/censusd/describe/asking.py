"""Asking a server about one picture, and whose fault it is if nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from censusd.describe import wire
from censusd.describe.line import Answer, exchange
from censusd.describe.rules import DescribeRules
from censusd.describe.trouble import AnswerError, AwayError
from censusd.describe.wire import Description

_BUSY: Final = frozenset({408, 425, 429, 502, 503, 504})
_NO_ENTRY: Final = frozenset({401, 403, 407})


def ask(rules: DescribeRules, mime_type: str, picture: bytes, waiting: Callable[[], None]) -> Description:
    """What the model says of a picture.

    Args:
        rules: who is asked, and how.
        mime_type: of the picture.
        picture: as it is to be sent.
        waiting: called a few times a second; whatever it raises ends it.

    Raises:
        AwayError: the server answers nobody now.
        AnswerError: it has not answered as it should.
    """
    length, parts = wire.question(rules, mime_type, picture)
    headers = {"Authorization": f"Bearer {rules.key}"} if rules.key else {}
    answer = exchange(rules.endpoint, wire.path(rules), headers, length, parts, seconds=rules.timeout, waiting=waiting)
    if answer.status == 200:
        return wire.answer(rules.api, answer.body)
    raise _refusal(rules, answer)


def _refusal(rules: DescribeRules, answer: Answer) -> AwayError | AnswerError:
    status = f"HTTP {answer.status}"
    if 300 <= answer.status < 400:
        return AwayError(f"it sends one elsewhere ({status}), where nobody goes: set describe.url to where it is")
    if answer.status in _NO_ENTRY:
        # What it says may quote the key.
        return AwayError(f"it {'refuses the key' if rules.key else 'wants a key'} ({status}): see describe.key")
    complaint = wire.complaint(answer.body)
    if rules.key:
        complaint = complaint.replace(rules.key, "(key)")
    said = f"{status}: {complaint}" if complaint else status
    if answer.status == 404:
        return AwayError(f"it has no such model, or nothing at {wire.path(rules)} ({said})")
    if answer.status in _BUSY:
        return AwayError(f"it has no time now ({said})", answer.retry_after)
    return AnswerError(f"it does not want this picture, or cannot do it ({said})")
