"""A repository with pictures as the deep scan leaves them, and a describer that is impatient."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from prometheus_client import REGISTRY

from censusd.catalogue.connection import Catalogue
from censusd.deepscan.idle import Condition, IdleRules
from censusd.describe.breaker import Backoff
from censusd.describe.describer import Describer, Terms
from censusd.describe.pictures import bare, nobodys_picture
from censusd.describe.rules import DescribeRules, parse_endpoint
from censusd.describe.work import Rhythm
from tests.tools.library import Library
from tests.tools.pictures import png, text_chunk
from tests.tools.scanning import DEADLINE, NEVER_BUSY, claim, found, site, write
from tests.tools.vision_server import VisionServer, pictures

RHYTHM = Rhythm(failed=0.02, away=0.02, changed=0.02, backoff=Backoff(first=0.02, longest=0.2))
RULES = DescribeRules(enabled=True, model="llava", timeout=DEADLINE)
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "heic": "image/heic", "gif": "image/gif"}


def picture(number: int) -> bytes:
    """A picture like no other, with a text in it that nobody should see."""
    return png(text_chunk("parameters", f"secret {number}"), width=number + 1, height=1)


def shown(number: int) -> bytes:
    """What is to be seen in it."""
    return bare(picture(number))[1]


def numbers(server: VisionServer) -> list[int | None]:
    """Which pictures a server was sent, in order; None stands for nobody's."""
    known: dict[bytes, int | None] = {shown(number): number for number in range(64)} | {nobodys_picture(): None}
    return [known[one] for one in pictures(server.requests)]


def add(library: Library, *which: int, directory: str = "") -> None:
    """Add pictures, each in a file called after its number, and deep-scan them."""
    (library.root / directory).mkdir(parents=True, exist_ok=True)
    for number in which:
        (library.root / directory / f"{number}.png").write_bytes(picture(number))
    scan(library)


def scan(library: Library, **details: Any) -> None:
    """Look at everything as the deep scan does, without looking for more than the type that a name tells."""
    library.reconcile()
    results = []
    for file in claim(library):
        content = (library.root / file.directory / file.name).read_bytes()
        metadata = {
            "kind": "image",
            "mime_type": TYPES.get(file.name.rpartition(".")[2], "image/x-unknown"),
            "details": json.dumps(details),
        }
        results.append(found(file, content, extractor="images", version=1, metadata=metadata))
    assert write(library, results).files == len(results)


def terms(*libraries: Library, server: VisionServer, idle: IdleRules = NEVER_BUSY, **rules: Any) -> Terms:
    """What a describer works by."""
    sites = tuple(site(one.root, one.repository.rules.name) for one in libraries)
    return Terms(replace(RULES, endpoint=parse_endpoint(server.url), **rules), idle, sites)


@contextmanager
def describing(
    catalogue: Catalogue,
    by: Terms,
    *,
    deep_scan: Callable[[], Condition] = lambda: Condition.NOTHING,
    rhythm: Rhythm = RHYTHM,
) -> Iterator[Describer]:
    """A describer at work."""
    describer = Describer(catalogue, by, f"test {uuid.uuid4()}", deep_scan=deep_scan, rhythm=rhythm)
    describer.start()
    try:
        yield describer
    finally:
        describer.stop()
        assert describer.join(DEADLINE)


def described(library: Library) -> dict[str, str]:
    """Path -> what was said of it, of every file that is described."""
    return dict(library.query("SELECT file_path, description FROM file_descriptions"))


def undescribed(library: Library) -> dict[str, tuple[bool, int, str]]:
    """Path -> (whether it was skipped, attempts, why), of every picture that will not be described."""
    rows = library.query("SELECT file_path, skipped, attempts, why FROM undescribed_files")
    return {path: tuple(rest) for path, *rest in rows}


def claims(library: Library) -> int:
    """How many pictures somebody is at, or will be tried again."""
    ((count,),) = library.query("SELECT count(*) FROM description_claims WHERE not_before IS NOT NULL")
    return int(count)


def sample(name: str, **labels: str) -> float:
    """The value of a metric now."""
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, name
    return value
