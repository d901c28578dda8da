"""Which extractors there are, and which of them takes a file: the first in order that says so.

One that cannot be loaded, because a library is not installed for instance, is left out and said so; the others work.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from censusd.extractors.base import Extractor

FAMILIES: Final = (
    "censusd.extractors.images.extractor:Images",
    "censusd.extractors.comics.extractor:Comics",
    "censusd.extractors.books.extractor:Books",
    "censusd.extractors.documents.pdf:Pdf",
    "censusd.extractors.media.extractor:MediaExtractor",
)
"""The extractors' classes, as ``module:class``, in the order in which they are asked: the surest signs come first."""


class Registry:
    """The extractors that can be had.

    Args:
        families: as in ``FAMILIES``.

    Attributes:
        extractors: those that were loaded, in order.
        missing: ``module:class`` -> why it could not be loaded.
    """

    def __init__(self, families: Sequence[str] = FAMILIES) -> None:
        self.extractors: list[Extractor] = []
        self.missing: dict[str, str] = {}
        for family in families:
            module, _, name = family.partition(":")
            try:
                self.extractors.append(getattr(import_module(module), name)())
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one must not take the others along
                self.missing[family] = f"{type(error).__name__}: {error}"

    @property
    def versions(self) -> dict[str, int]:
        """Name -> version of the extractors that can be had."""
        return {extractor.name: extractor.version for extractor in self.extractors}

    def choose(self, head: bytes, name: str) -> Extractor | None:
        """Who takes a file; see ``Extractor.takes``."""
        for extractor in self.extractors:
            if extractor.takes(head, name):
                return extractor
        return None
