"""Which kind of archive a file is, by its content alone: a ``.cbr`` that is a ZIP is common."""

from __future__ import annotations

from censusd.extractors.archives.rar import SIGNATURES as RAR_SIGNATURES
from censusd.extractors.archives.rar import Rar
from censusd.extractors.archives.seven_zip import SIGNATURE as SEVEN_ZIP_SIGNATURE
from censusd.extractors.archives.seven_zip import SevenZip
from censusd.extractors.archives.tar import Tar, is_tar
from censusd.extractors.archives.zip import SIGNATURES as ZIP_SIGNATURES
from censusd.extractors.archives.zip import Zip


def kind_of(head: bytes) -> type[Zip | Rar | SevenZip | Tar] | None:
    """What reads the archive that begins with these bytes (at least 512 of them), or None if it is none."""
    if head.startswith(ZIP_SIGNATURES):
        return Zip
    if head.startswith(RAR_SIGNATURES):
        return Rar
    if head.startswith(SEVEN_ZIP_SIGNATURE):
        return SevenZip
    return Tar if is_tar(head) else None
