"""Pictures: from cameras, editors and generators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from censusd.extractors.base import HEAD, Extraction, Source
from censusd.extractors.images import gif, heif, jpeg, png, raw, webp
from censusd.extractors.images.assemble import assemble
from censusd.extractors.images.found import Found
from censusd.extractors.reading import FormatError, Reader
from censusd.model import Problem, ProblemKind

MOST_READS: Final = 400_000
"""A PNG may be in chunks of 8 KiB, each of which is looked at."""

_READERS: Final[dict[str, Callable[[Reader, Found], None]]] = {
    jpeg.MIME_TYPE: jpeg.read,
    png.MIME_TYPE: png.read,
    webp.MIME_TYPE: webp.read,
    gif.MIME_TYPE: gif.read,
    raw.TIFF: raw.read_tiff,
    raw.RAF: raw.read_raf,
    raw.CR3: raw.read_cr3,
}


class Images:
    """Reads pictures, whatever made them."""

    name = "image"
    version = 1
    siblings = frozenset({"{name}.xmp", "{stem}.xmp"})

    def takes(self, head: bytes, name: str) -> bool:
        """Whether it is a picture, by its content alone: a picture's first bytes always say."""
        return mime_type(head) is not None

    def extract(self, source: Source) -> Extraction | Problem:
        """What it is."""
        reader = Reader(source.file, source.size, reads=MOST_READS)
        kind = mime_type(reader.at(0, HEAD))
        if kind is None:
            return Problem(ProblemKind.OTHER, "it is none of the pictures that are known")
        found = Found(kind, source.name)
        try:
            _READERS.get(kind, heif.read)(reader, found)
        except FormatError as error:
            found.has_trouble(str(error))
        return assemble(reader, found, source)


def mime_type(head: bytes) -> str | None:
    """What a file is that begins so, or None if it is no picture. All kinds of raw that are TIFF look like TIFF."""
    if head.startswith(b"\xff\xd8\xff"):
        return jpeg.MIME_TYPE
    if head.startswith(png.SIGNATURE):
        return png.MIME_TYPE
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return webp.MIME_TYPE
    if head.startswith((b"GIF87a", b"GIF89a")):
        return gif.MIME_TYPE
    if head.startswith(raw.TIFF_MAGICS):
        return raw.TIFF
    if head.startswith(raw.RAF_MAGIC):
        return raw.RAF
    if head[4:12] == raw.CR3_BRAND:
        return raw.CR3
    return heif.mime_type(head)
