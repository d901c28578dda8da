"""What a picture's container holds, before anybody knows what it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from censusd.extractors.images.tiff import Directories
from censusd.extractors.reading import TooMuchError

LONGEST_TEXT: Final = 4 << 20
"""Bytes of one text that is looked into. A ComfyUI workflow is some hundred KiB, and more if it has pictures in it."""
MOST_BYTES: Final = 16 << 20
MOST_PIECES: Final = 256
"""What the metadata of one picture may come to: some MiB, in some hundred pieces."""

Facts = dict[str, object]
"""What one block of metadata (Exif, IPTC, XMP) says, by the names of ``docs/metadata.md``, and these:

``title``, ``created`` (ISO 8601), ``position`` (degrees north and east), ``keywords``, ``people`` and ``creators``
(lists).
"""


@dataclass(slots=True)
class Found:
    """What was found in one file so far. Readers of containers fill it in, so that it is there when they fail half-way.

    Attributes:
        mime_type: by its content.
        name: the file's name; its extension tells raw formats apart that look the same.
        width: pixels, as stored: before any rotation.
        height: pixels, as stored.
        orientation: as Exif numbers it, if the container itself says it (HEIF does, and then Exif does not count).
        frames: pictures of an animation, pages of a TIFF.
        duration: seconds of an animation.
        directories: blocks of Exif, the most important first.
        xmp: XMP packets.
        iptc: blocks of IPTC-IIM.
        texts: keyword and text of what stands beside the picture as plain text; JPEG's comment is ``comment``.
        trouble: the first thing that was wrong, for people.
    """

    mime_type: str
    name: str = ""
    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    frames: int = 1
    duration: float | None = None
    directories: list[Directories] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    trouble: str | None = None
    _bytes_left: int = MOST_BYTES
    _pieces: int = 0

    def has_trouble(self, what: str) -> None:
        """Remember what is wrong, if it is the first."""
        self.trouble = self.trouble or what

    def allow(self, length: int) -> None:
        """Count one more piece of metadata, of so many bytes.

        Raises:
            TooMuchError: no real picture has as much.
        """
        self._pieces += 1
        self._bytes_left -= length
        if self._bytes_left < 0 or self._pieces > MOST_PIECES:
            raise TooMuchError("it has more metadata than any real picture")

    def add_text(self, keyword: str, text: str) -> None:
        """Keep a text that stands beside the picture."""
        self.allow(len(text))
        if text:
            self.texts.append((keyword, text))

    def add_xmp(self, packet: bytes) -> None:
        """Keep an XMP packet."""
        self.allow(len(packet))
        self.xmp.append(packet)
