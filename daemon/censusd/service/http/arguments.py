"""What a request says beside its path, checked: every fault says what was expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from censusd.config.words import suggestion
from censusd.service.http.wire import Request
from censusd.service.refusals import BadRequestError

_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Arguments:
    """The query's parameters, or the members of the JSON object in the body.

    Args:
        given: the arguments, by name.
        allowed: the names that there may be.

    Raises:
        BadRequestError: there are others.
    """

    def __init__(self, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
        for name in given:
            if name not in allowed:
                raise BadRequestError(
                    f"there is no argument {name!r:.60}{suggestion(name, allowed)}",
                    expected=f"some of {', '.join(allowed)}" if allowed else "no arguments",
                )
        self._given = given

    @classmethod
    def of(cls, request: Request, allowed: tuple[str, ...]) -> Arguments:
        """Those of a request: from the body if it changes something, else from the query."""
        query: dict[str, Any] = {}
        for name, value in request.query:
            if name in query:
                raise BadRequestError(f"the argument {name!r:.60} is given twice", expected="once")
            query[name] = value
        if request.method != "POST":
            return cls(query, allowed)
        if query:
            raise BadRequestError("an order takes no query", expected="its arguments as a JSON object in the body")
        return cls(_json_object(request.body), allowed)

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text."""
        value = self._given.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "a text")
        return value

    def needed_text(self, name: str) -> str:
        """A text that has to be there."""
        value = self.text(name)
        if value is None:
            raise BadRequestError(f"{name} is missing", expected=f"{name}: a text")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false if it is not given."""
        value = self._given.get(name)
        if isinstance(value, str):
            value = _FLAGS.get(value.lower(), value)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise _wrong(name, "true or false")

    def count(self, name: str, default: int, most: int) -> int:
        """A number from 1 to ``most``."""
        value = self._given.get(name, default)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise _wrong(name, f"a whole number from 1 to {most}")
        return value

    def seconds(self, name: str, default: float, most: float) -> float:
        """A positive number of seconds, at most ``most``."""
        value = self._given.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            raise _wrong(name, f"a number of seconds, more than 0 and at most {most:g}")
        return float(value)


def _json_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise BadRequestError("the body is not UTF-8", expected="a JSON object") from None
    except (ValueError, RecursionError) as error:
        raise BadRequestError(
            f"the body is not JSON: {error}", expected='a JSON object such as {"wait": true}'
        ) from None
    if not isinstance(value, dict):
        raise BadRequestError("the body is JSON, but no object", expected='a JSON object such as {"wait": true}')
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _wrong(name: str, expected: str) -> BadRequestError:
    return BadRequestError(f"{name} is not right", expected=f"{name}: {expected}")
