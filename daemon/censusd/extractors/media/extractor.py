"""The extractor for sound and moving pictures: which parser reads a file, and whether it is one or the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from censusd.extractors.base import HEAD, Extraction, Source
from censusd.extractors.media import ape, asf, audio, flac, id3, matroska, mp4, mpeg_audio, ogg, riff, transport, video
from censusd.extractors.media.facts import Media, Track, TrackKind
from censusd.extractors.reading import FormatError, Reader
from censusd.model import Problem, ProblemKind

Parser = Callable[[Reader, Media], None]

_PICTURES: Final = (
    b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif", b"avci", b"crx ", b"jp2 ", b"jpx ", b"jxl ",
)  # fmt: skip
"""Brands of boxes that are still pictures, which others read."""
_OLD_QUICKTIME: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_FOREIGN: Final = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"%PDF", b"II*\0", b"MM\0*",
    b"RIFF", b"BM", b"<", b"{", b"\x7fELF", b"\x1f\x8b",
)  # fmt: skip
"""What is surely something else, whatever its name says."""
_BY_NAME: Final[dict[str, Parser]] = {
    ".mp3": mpeg_audio.parse, ".mp2": mpeg_audio.parse, ".aac": mpeg_audio.parse, ".flac": flac.parse,
    ".m4a": mp4.parse, ".m4b": mp4.parse, ".mp4": mp4.parse, ".m4v": mp4.parse, ".mov": mp4.parse, ".3gp": mp4.parse,
    ".ogg": ogg.parse, ".oga": ogg.parse, ".opus": ogg.parse, ".ogv": ogg.parse, ".wma": asf.parse, ".wmv": asf.parse,
    ".wav": riff.parse_wav, ".aiff": riff.parse_aiff, ".aif": riff.parse_aiff, ".avi": riff.parse_avi,
    ".mkv": matroska.parse, ".mka": matroska.parse, ".webm": matroska.parse, ".m2ts": transport.parse_transport,
    ".mpg": transport.parse_programme, ".mpeg": transport.parse_programme, ".vob": transport.parse_programme,
    ".ape": ape.parse_monkey, ".wv": ape.parse_wavpack,
}  # fmt: skip
"""Whose content is not what the name says gets a problem instead of silence. ``.ts`` is TypeScript as often as not."""
_LONGEST: Final = 10 * 366 * 86_400
_MOST_PIXELS: Final = 1_000_000
_MOST: Final = 1 << 40


class MediaExtractor:
    """Reads sound and moving pictures. See ``Extractor``."""

    name = "media"
    version = 1
    siblings: frozenset[str] = frozenset()

    def takes(self, head: bytes, name: str) -> bool:
        """Whether a file is of this family: by its first ``HEAD`` bytes first, by its name second."""
        return parser_of(head, name) is not None

    def extract(self, source: Source) -> Extraction | Problem:
        """What the file is. What was read before something could not be read is given, with the reason."""
        if not source.size:
            return Problem(ProblemKind.OTHER, "the file is empty")
        reader = Reader(source.file, source.size)
        media = Media()
        parser = parser_of(reader.at(0, HEAD), source.name)
        if parser is None:
            return Problem(ProblemKind.OTHER, "it is neither sound nor a moving picture")
        try:
            parser(reader, media)
        except FormatError as error:
            media.trouble(str(error))
        except (ArithmeticError, LookupError, ValueError) as error:
            media.trouble(f"its structure makes no sense ({type(error).__name__}: {error})")
        _sober(media)
        if not any(track.codec for track in media.tracks) and not any(media.tags.items()):
            return Problem(
                ProblemKind.OTHER, "; ".join(media.problems)[:500] or "there is neither sound nor picture in it"
            )
        return _extraction(media, source)


EXTRACTOR: Final = MediaExtractor()


def parser_of(head: bytes, name: str) -> Parser | None:
    """The parser that reads a file, or None if it is of another family."""
    found = _by_content(head)
    if found or head[4:8] == b"ftyp" or head.startswith(_FOREIGN):
        return found
    return _BY_NAME.get(os.path.splitext(name.lower())[1])


def _by_content(head: bytes) -> Parser | None:
    kind = head[4:8]
    if kind == b"ftyp":
        return None if head[8:12] in _PICTURES else mp4.parse
    if kind in _OLD_QUICKTIME and (head[:4] == b"\0\0\0\1" or int.from_bytes(head[:4], "big") >= 8):
        return mp4.parse
    form = head[8:12]
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and form in {b"WAVE", b"AVI "}:
        return riff.parse_wav if form == b"WAVE" else riff.parse_avi
    if head[:4] == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return riff.parse_aiff
    if head.startswith(tuple(_BY_BEGINNING)):
        return next(parser for beginning, parser in _BY_BEGINNING.items() if head.startswith(beginning))
    if transport.packet_size(head):
        return transport.parse_transport
    first = mpeg_audio.first_frame(head) if head[:1] == b"\xff" else None
    return mpeg_audio.parse if first and first[0] == 0 else None


def _after_id3(reader: Reader, media: Media) -> None:
    """FLAC may follow an ID3 tag, though it should not."""
    flac_follows = reader.at(id3.tag_length(reader, 0), 4) == b"fLaC"
    (flac.parse if flac_follows else mpeg_audio.parse)(reader, media)


_BY_BEGINNING: Final[dict[bytes, Parser]] = {
    b"\x1a\x45\xdf\xa3": matroska.parse, b"OggS": ogg.parse, b"fLaC": flac.parse, b"ID3": _after_id3,
    asf.HEADER: asf.parse, b"MAC ": ape.parse_monkey, b"wvpk": ape.parse_wavpack,
    b"\0\0\1\xba": transport.parse_programme,
}  # fmt: skip


def _sober(media: Media) -> None:
    """Drop figures that no real file has, so that nothing has to be afraid of them."""
    if media.duration is not None and not 0 <= media.duration <= _LONGEST:
        media.trouble("it says that it lasts for more than ten years")
        media.duration = None
    media.duration = round(media.duration, 6) if media.duration else None
    for track in media.tracks:
        if not 0 < (track.width or 0) <= _MOST_PIXELS or not 0 < (track.height or 0) <= _MOST_PIXELS:
            track.width = track.height = None
        if (track.channels or 0) > 1024:
            track.channels = None
        for name in ("sample_rate", "bit_rate", "bits_per_sample", "bit_depth", "max_cll", "max_fall"):
            if (getattr(track, name) or 0) > _MOST:
                setattr(track, name, None)
    if media.bit_rate and media.bit_rate > _MOST:
        media.bit_rate = None


def _extraction(media: Media, source: Source) -> Extraction:
    """Video if it has one that is not a slide show inside an audiobook or a podcast; else sound."""
    has_audio = bool(media.of(TrackKind.AUDIO))
    has_video = bool(media.of(TrackKind.VIDEO)) and (media.brand not in {"M4A", "M4B"} or not has_audio)
    if not has_audio and not has_video and media.mime_type.startswith("video/"):
        media.tracks.append(Track(TrackKind.VIDEO))
        has_video = True
    if has_video:
        return video.extraction(media, source.size)
    found = audio.extraction(media, source.name, source.directories, source.size)
    if found.mime_type in {"video/mp4", "video/x-m4v"}:
        return replace(found, mime_type="audio/mp4")
    if found.mime_type.startswith("video/3gpp"):
        return replace(found, mime_type=found.mime_type.replace("video", "audio"))
    return found
