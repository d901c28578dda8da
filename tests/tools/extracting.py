"""Giving files to extractors as the worker does, and seeing that whatever comes back can be stored."""

from __future__ import annotations

import io
import json
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence

from hypothesis import strategies as st

from censusd.extractors.base import HEAD, Extraction, Extractor, Source, clean_json, clean_text
from censusd.model import Problem

SECONDS = 20.0
"""What a small file may take of the processor, at most, on a slow machine."""


def extract(
    extractor: Extractor,
    data: bytes,
    name: str,
    directories: Sequence[str] = (),
    siblings: Mapping[str, bytes] | None = None,
) -> Extraction | Problem:
    """What an extractor makes of a file, checked as ``check`` does. An exception is a problem, as it is in a worker."""
    extractor.takes(data[:HEAD], name)  # must never raise
    start = time.process_time()
    try:
        found = extractor.extract(Source(io.BytesIO(data), name, tuple(directories), len(data), siblings or {}))
    finally:
        taken = time.process_time() - start
        assert taken < SECONDS, f"{name}: {taken:.1f} s"
    check(found)
    return found


def extraction(
    extractor: Extractor,
    data: bytes,
    name: str,
    directories: Sequence[str] = (),
    siblings: Mapping[str, bytes] | None = None,
) -> Extraction:
    """As ``extract``, for a file that the extractor takes and must be able to read."""
    assert extractor.takes(data[:HEAD], name), f"{name} is not taken"
    found = extract(extractor, data, name, directories, siblings)
    assert isinstance(found, Extraction), found
    return found


def check(found: Extraction | Problem) -> None:
    """Whatever was found can be stored, and a problem has a short reason for people."""
    problem = found if isinstance(found, Problem) else found.problem
    if problem is not None:
        assert 0 < len(problem.detail) < 2000
        clean_text(problem.detail).encode()
    if isinstance(found, Problem):
        return
    text = json.dumps(clean_json(found.details), allow_nan=False)
    assert len(text) < 1 << 20
    assert "\\u0000" not in text
    text.encode()
    assert len(found.entities) < 5000
    for entity in found.entities:
        assert entity.name.strip()
        assert entity.role
        assert math.isfinite(entity.position)
    for value in (found.title, found.created, found.language, found.mime_type):
        assert value != ""
        clean_text(value or "").encode()
    for number in (found.pages, found.width, found.height):
        assert number is None or 0 <= number < 1 << 31


def entities(found: Extraction, role: str) -> list[str]:
    """The names in a role, in their order."""
    return [entity.name for entity in found.entities if entity.role == role]


def cuts(data: bytes, step: int) -> Iterator[bytes]:
    """The file cut off at every ``step`` bytes."""
    return (data[:length] for length in range(0, len(data), step))


def peak_memory(work: Callable[[], object]) -> int:
    """The most bytes that Python held while ``work`` ran, beyond what it held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@st.composite
def mutated(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """A real file with some bytes overwritten, removed, doubled or put in: mostly numbers that lie."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(("bytes", "number", "remove", "double"))):
            case "bytes":
                patch = draw(st.binary(min_size=1, max_size=8))
                data[at : at + len(patch)] = patch
            case "number":
                patch = draw(
                    st.sampled_from(
                        (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff" * 8, b"\1\0\0\0", b"\x80" * 9)
                    )
                )
                data[at : at + len(patch)] = patch
            case "remove":
                del data[at : at + draw(st.integers(1, 200))]
            case _:
                length = draw(st.integers(1, 200))
                data[at:at] = data[at : at + length]
    return bytes(data)
