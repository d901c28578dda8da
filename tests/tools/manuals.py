"""The manuals as tests read them: what is shown in them, and a terminal to try it in."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

CHECKOUT: Final = Path(__file__).parents[2]
DOCS: Final = CHECKOUT / "docs"
PAGES: Final = tuple(
    DOCS / f"{name}.md"
    for name in ("README", "tutorial", "presets", "sizing", "operating", "migration", "troubleshooting")
)
"""The pages that are checked here; the others have tests of their own."""
MAN_PAGES: Final = tuple(DOCS / "man" / name for name in ("censusd.8", "censusctl.1", "censusd.toml.5"))

_DEADLINE: Final = 60.0
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND: Final = re.compile(r"(?:^|[|;&(])[ \t]*(censusd|censusctl)[ \t]+([^|;&)#\n>]+)", re.MULTILINE)
_TIME: Final = re.compile(r"\b(?:now|(?:in )?\d[\d.]* (?:ms|s|min|h|days?)(?: ago)?)(?!\w)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: the page's file.
        line: where it begins.
        language: as it is marked: ``sh``, ``sql``, ``toml``, ``text``.
        text: what is in it.
        heading: of the section that it is in.
    """

    page: Path
    line: int
    language: str
    text: str
    heading: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, or in any, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        heading = re.findall(r"^#+ (.*)$", _FENCE.sub("", before), re.MULTILINE)[-1]
        if not languages or match[1] in languages:
            found.append(Block(page, before.count("\n") + 1, match[1], match[2], heading))
    return found


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Every call of ``censusd`` or ``censusctl`` in a piece of shell: the program, and its arguments as they stand."""
    for match in _COMMAND.finditer(text.replace("\\\n", " ").replace(".venv/bin/", "")):
        yield match[1], match[2].strip()


def plain(roff: str) -> str:
    r"""A man page's source without fonts and escapes: what a reader sees, but for the layout."""
    text = re.sub(r"\\f[BIPR]", "", roff)
    for escape, character in ((r"\(dq", '"'), (r"\(aq", "'"), (r"\(ti", "~"), (r"\-", "-"), (r"\&", ""), (r"\e", "\\")):
        text = text.replace(escape, character)
    return text


def alike(shown: str, printed: str) -> bool:
    """Whether some output is what a page shows: times and empty lines may differ, … stands for anything.

    A line of nothing but … stands for any number of lines.
    """
    parts = []
    for line in filter(str.strip, shown.splitlines()):
        anything = line.strip() == "…"
        parts.append(r"(?:.*\n)*" if anything else ".*".join(map(re.escape, _squeezed(line).split("…"))) + r"\n")
    lines = [_squeezed(line) + "\n" for line in printed.splitlines() if line.strip()]
    return re.fullmatch("".join(parts), "".join(lines)) is not None


def _squeezed(line: str) -> str:
    return " ".join(_TIME.sub("TIME", line).split())


class Terminal:
    """A shell that keeps its variables from one block to the next, as the reader's does.

    Args:
        directory: where it starts.
        environment: its variables, besides this process's.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh"],
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, script: str) -> tuple[int, str]:
        """Run some lines as if they were typed in. Returns the last one's exit status, and what was printed."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        marker = f"---{os.urandom(8).hex()}---"
        self._shell.stdin.write(f"{{\n{script}\n}} </dev/null\nprintf '\\n{marker}%d\\n' $?\n".encode())
        self._shell.stdin.flush()
        printed, deadline = b"", time.monotonic() + _DEADLINE
        with selectors.DefaultSelector() as selector:
            selector.register(self._shell.stdout, selectors.EVENT_READ)
            while not re.search(rf"{marker}\d+\n".encode(), printed):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"{script}\ndoes not end; it printed:\n{printed.decode(errors='replace')}")
                data = os.read(self._shell.stdout.fileno(), 65536)
                if not data:
                    raise AssertionError(f"{script}\nended the shell; it printed:\n{printed.decode(errors='replace')}")
                printed += data
        output, _, status = printed.decode(errors="replace").rpartition(f"\n{marker}")
        return int(status), output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.kill()
        self._shell.stdout.close()
        self._shell.wait()
