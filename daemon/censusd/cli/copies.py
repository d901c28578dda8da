"""What the daemon says of files that are there more than once, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from censusd.cli.tables import counted, size, visible

Answer = Mapping[str, Any]


def duplicates(answer: Answer, *, several: bool) -> str:
    """Contents that more than one file has; hard links are those that have a number in common with the line above.

    Args:
        answer: the daemon's.
        several: whether it is about several repositories.
    """
    lines = []
    for one in answer["duplicates"]:
        freed = f"{size(one['freed'])} could be freed"
        lines.append(
            f"{counted(one['copies'], 'copy', 'copies')} of {size(one['size'])}, {freed}  {one['content_hash']}"
        )
        seen: set[int] = set()
        for file in sorted(one["files"], key=lambda file: file["copy"]):
            link = "  (hard link)" if file["copy"] in seen else ""
            seen.add(file["copy"])
            where = f"{file['repository']}:" if several else ""
            lines.append(f"  {file['copy']:>3}  {where}{visible(file['path'])}{link}")
        if one["names"] > len(one["files"]):
            lines.append(f"       and {counted(one['names'] - len(one['files']), 'more name', 'more names')}")
    rest = answer["contents"] - len(answer["duplicates"])
    if not answer["contents"]:
        lines.append("no duplicates")
    else:
        found = counted(answer["contents"], "content", "contents")
        shown = f"; {rest:,} are not shown" if rest else ""
        lines.append(f"{found} more than once, {size(answer['freed'])} could be freed{shown}")
    if answer["unhashed"]:
        what = counted(answer["unhashed"], "file was", "files were")
        lines.append(f"{what} not read yet ({size(answer['unhashed_bytes'])}) and may be duplicates, too")
    return "\n".join(lines)


def conflicts(answer: Answer, *, several: bool) -> str:
    """Names that are hard to tell apart, and conflict copies.

    Args:
        answer: the daemon's.
        several: whether it is about several repositories.
    """
    lines = []
    for one in answer["conflicts"]:
        where = f"{one['repository']}:" if several else ""
        directory = visible(one["directory"]) or "/"
        if one["kind"] == "copy":
            original = f"beside {visible(one['original'])}" if one["original"] else "the original is gone"
            lines.append(f"copy   {where}{visible(one['path'])}  ({one['program']}; {original})")
        else:
            what = "case   " if one["kind"] == "case" else "normal "
            names = "  ".join(_told_apart(name, one["kind"]) for name in one["names"])
            lines.append(f"{what}{where}{directory}: {names}")
    return "\n".join(lines)


def _told_apart(name: str, kind: str) -> str:
    """A name; where it looks the same as another, with its letters' codes."""
    if kind != "normalisation" or name.isascii():
        return visible(name)
    return "".join(one if one.isascii() else f"\\u{ord(one):04x}" for one in visible(name))
