"""From a path as a request gives it to a relative path as the catalogue has it."""

from __future__ import annotations

from collections.abc import Iterable

from censusd.filesystem.names import text_of
from censusd.model import ROOT, is_below
from censusd.service.refusals import BadRequestError

_EXPECTED = "a path from the repository's root, or an absolute path below it, without .."


def catalogue_text(text: str) -> str:
    """A name or path from a request as catalogue text.

    Text is taken as catalogue text, unless it has bytes that are not UTF-8 in it, in Python's spelling of them
    (PEP 383): then it came straight from a shell.

    Raises:
        BadRequestError: no file can be called so.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            text = text_of(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            raise BadRequestError("the path has half a character in it", expected="Unicode text, or bytes") from None
    if "\0" in text:
        raise BadRequestError("the path has a NUL in it", expected="what can be a file's name")
    return text


def relative_path(path: str, root: str) -> str:
    """The relative path that ``path`` means in the repository at ``root``; both and the result are catalogue text.

    Raises:
        BadRequestError: it leads out of the repository.
    """
    path = catalogue_text(path)
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BadRequestError("the path has a .. in it", expected=_EXPECTED)
    if not path.startswith("/"):
        return "/".join(parts)
    absolute = "/" + "/".join(parts)
    below = _below(absolute, root)
    if below is None:
        raise BadRequestError(f"{absolute} is not below {root}", expected=_EXPECTED)
    return below


def enclosing(path: str, roots: Iterable[tuple[str, str]]) -> str | None:
    """The name of the repository that an absolute path lies in, if it lies in one of ``roots``: (name, root)."""
    absolute = "/" + "/".join(part for part in catalogue_text(path).split("/") if part not in {"", "."})
    names = {root: name for name, root in roots if _below(absolute, root) is not None}
    return names[max(names, key=len)] if names else None


def _below(absolute: str, root: str) -> str | None:
    """The part of an absolute path that is below ``root``; None if it is not."""
    root = root.rstrip("/")
    if not is_below(absolute, root):
        return None
    return absolute[len(root) + 1 :] or ROOT
