"""What is on disk by the word of somebody else's program: BSD's mtree (Debian package mtree-netbsd).

It lists a tree as mtree(5) describes it: a line for each entry, with the entries of a directory between its line and
one that says ``..``; in a name, whatever is not plain ASCII is written as vis(3) does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.faults.referee import Seen

HIDDEN: Final = (".?*", "*~", "*.tmp", "*.temp", "Thumbs.db")
"""What the built-in rules hide, with all that is in it; as for fnmatch(3)."""

_WRITTEN: Final = re.compile(rb"\\(?:(M?)(-|\^)(.)|([0-7]{3})|(.))|(.)", re.DOTALL)
_SHORT: Final = dict(zip(b"snrtabvf0", b" \n\r\t\a\b\v\f\0", strict=True))


def why_not() -> str:
    """Why it cannot be asked here; empty if it can."""
    return "" if shutil.which("mtree") else "mtree is not there (Debian package mtree-netbsd)"


def disagreements(recorded: dict[bytes, Seen], root: Path) -> list[str]:
    """What is on record otherwise than mtree finds it: paths, sizes, times and content; a line each."""
    ours = {path: (seen.size, seen.mtime_ns, seen.sha256) for path, seen in recorded.items()}
    theirs = listing(root)
    return [
        f"{path!r}: on record {ours.get(path)}, by mtree {theirs.get(path)}"
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    ]


def listing(root: Path) -> dict[bytes, tuple[int, int, str]]:
    """Path -> size, time of modification in nanoseconds, and SHA-256 of every regular file that is not hidden."""
    with tempfile.NamedTemporaryFile("w") as hidden:
        hidden.write("".join(f"{pattern}\n" for pattern in HIDDEN))
        hidden.flush()
        command = ["mtree", "-c", "-X", hidden.name, "-k", "type,size,time,sha256", "-p", os.fspath(root)]
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    text = done.stdout
    # In comments names are written as they are: with newlines, or ending as lines do that the next one belongs to.
    for directory, _, _ in os.walk(os.fsencode(root)):
        path = directory.removeprefix(os.fsencode(root))
        if b"\n" in path or path.endswith(b"\\"):
            text = text.replace(b"# ." + path + b"\n", b"#\n")
    return {
        path: (int(facts[b"size"]), _nanoseconds(facts[b"time"]), facts[b"sha256"].decode())
        for path, facts in _entries(text)
        if facts[b"type"] == b"file"
    }


def _nanoseconds(time: bytes) -> int:
    """Seconds and nanoseconds are two whole numbers, with a point between them."""
    seconds, _, nanoseconds = time.partition(b".")
    return int(seconds) * 10**9 + int(nanoseconds)


def _entries(text: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """Path and facts of each entry of a specification."""
    above: list[bytes] = []
    for line in text.replace(b"\\\n", b"").split(b"\n"):
        name, *words = line.split() or [b"#"]
        if name == b"..":
            # The last one of them leaves the top.
            above[-1:] = []
        elif not name.startswith((b"#", b"/")):
            # The others are comments, and what holds for all entries that do not say otherwise: that they are files.
            facts = {b"type": b"file"} | dict(word.split(b"=", 1) for word in words)
            path = [*above, unvis(name)]
            if facts[b"type"] == b"dir":
                above = path
            yield b"/".join(path[1:]), facts


def unvis(text: bytes) -> bytes:
    """A name as it is on disk, of one that vis(3) has written."""
    return bytes(map(_byte, _WRITTEN.finditer(text)))


def _byte(found: re.Match[bytes]) -> int:
    meta, sign, marked, octal, escaped, plain = found.groups()
    if octal:
        return int(octal, 8)
    if not sign:
        return _SHORT.get(escaped[0], escaped[0]) if escaped else int(plain[0])
    # ^? is 0x7F; the other control characters are 64 below those that they are named after.
    low: int = marked[0] ^ 0x40 if sign == b"^" else marked[0]
    return low | 0x80 if meta else low
