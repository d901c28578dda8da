"""Songs: every format, every kind of tag, and what takes a file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from censusd.extractors.base import Extraction, Kind
from censusd.extractors.media.extractor import MediaExtractor
from censusd.model import Problem
from tests.tools import tiny_media as tiny
from tests.tools.extracting import entities, extract, extraction

DATA = Path(__file__).parents[2] / "data" / "media"
MEDIA = MediaExtractor()
SOUND = tiny.track(1, b"soun", tiny.sound_entry())


def details(found: Extraction) -> dict[str, Any]:
    return dict(found.details)


def of_mp3(*frames: bytes, version: int = 4, flags: int = 0, name: str = "a.mp3") -> Extraction:
    return extraction(MEDIA, tiny.mp3(tiny.id3(*frames, version=version, flags=flags)), name)


def of_book(*items: bytes, more: bytes = b"", brand: bytes = b"M4B ") -> Extraction:
    return extraction(MEDIA, tiny.movie(SOUND, more, tiny.itunes(*items), brand=brand), "a.m4a")


SAMPLES: dict[str, dict[str, Any]] = {
    "book.m4b": {"mime": "audio/mp4", "format": "mp4", "codec": "aac", "profile": "LC", "sample_rate": 44_100},
    "lossless.m4a": {"mime": "audio/mp4", "format": "mp4", "codec": "alac", "bits_per_sample": 16, "lossless": True},
    "variable.mp3": {"mime": "audio/mpeg", "format": "mp3", "codec": "mp3", "bit_rate_mode": "variable"},
    "constant.mp3": {"mime": "audio/mpeg", "format": "mp3", "codec": "mp3", "bit_rate_mode": "constant"},
    "song.flac": {"mime": "audio/flac", "format": "flac", "codec": "flac", "bits_per_sample": 16, "lossless": True},
    "song.ogg": {"mime": "audio/ogg", "format": "ogg", "codec": "vorbis", "sample_rate": 44_100},
    "song.opus": {"mime": "audio/ogg", "format": "ogg", "codec": "opus", "sample_rate": 48_000},
    "song.oga": {"mime": "audio/ogg", "format": "ogg", "codec": "flac", "lossless": True},
    "song.spx": {"mime": "audio/ogg", "format": "ogg", "codec": "speex", "sample_rate": 8_000},
    "song.wma": {"mime": "audio/x-ms-wma", "format": "asf", "codec": "wmav2", "bit_rate": 32_000},
    "song.wav": {"mime": "audio/wav", "format": "wav", "codec": "pcm_s16le", "bits_per_sample": 16, "lossless": True},
    "broadcast.wav": {"mime": "audio/wav", "format": "wav", "codec": "pcm_s24le", "bits_per_sample": 24},
    "song.aiff": {"mime": "audio/aiff", "format": "aiff", "codec": "pcm_s16be", "lossless": True},
    "song.wv": {"mime": "audio/x-wavpack", "format": "wavpack", "codec": "wavpack", "lossless": True},
    "song.mka": {"mime": "audio/x-matroska", "format": "matroska", "codec": "opus", "sample_rate": 48_000},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_reads_every_format(name: str) -> None:
    found = extraction(MEDIA, (DATA / name).read_bytes(), name)
    expected = SAMPLES[name]
    assert found.kind is Kind.AUDIO
    assert found.mime_type == expected.pop("mime")
    assert found.title == "The Title"
    assert found.duration == pytest.approx(0.5, abs=0.03)
    assert found.problem is None
    got = details(found)
    assert {key: got.get(key) for key in expected} == expected
    assert got["channels"] == 1
    assert (got["track"], got["track_total"], got["album"]) == (3, 12, "The Album")
    assert found.created == "2019-05-01"
    assert got["copyright"] == "(c) 2019 Somebody"
    assert got["audiobook"] is True
    assert got["audiobook_because"] == "its genre says so"
    assert entities(found, "author") == ["Jane Author"]
    assert entities(found, "genre") == ["Audiobook"]
    if name not in {"song.wav", "broadcast.wav"}:  # whose list of texts has no place for these
        assert entities(found, "narrator") == ["Nora Narrator"]
        assert (got["series"], got["series_position"]) == ("The Series", 2)
        assert (got["disc"], got["disc_total"]) == (1, 2)


@pytest.mark.parametrize(
    "name",
    ["book.m4b", "lossless.m4a", "variable.mp3", "constant.mp3", "song.opus", "song.wma", "song.aiff", "song.mka"],
)
def test_reads_chapters_of_every_kind(name: str) -> None:
    got = details(extraction(MEDIA, (DATA / name).read_bytes(), name))
    starts = [(chapter["start"], chapter["title"]) for chapter in got["chapters"]]
    assert starts == [(0.0, "Opening"), (0.2, "Zweites Käpitel")]
    assert got["chapters"][0]["end"] == 0.2
    assert got["chapters"][1]["end"] == pytest.approx(0.5, abs=0.02)
    assert got["chapter_count"] == 2


@pytest.mark.parametrize(("name", "seconds"), [("bare.mp3", 0.548), ("bare-variable.mp3", 0.548), ("bare.aac", 0.534)])
def test_counts_frames_where_nothing_says_how_many_there_are(name: str, seconds: float) -> None:
    found = extraction(MEDIA, (DATA / name).read_bytes(), name)
    assert found.duration == pytest.approx(seconds, abs=0.002)
    assert "duration_estimated" not in found.details


def test_estimates_a_long_variable_mp3_and_says_so() -> None:
    fast = b"\xff\xfb\xe0\xc0" + bytes(1044 - 4)  # 320 kbit/s
    random = Random(1)
    frames = b"".join(random.choice((tiny.MP3_FRAME, fast)) * random.randrange(100) for _ in range(80))
    found = extraction(MEDIA, frames, "a.mp3")
    assert found.duration == pytest.approx(frames.count(b"\xff\xfb") * 1152 / 44_100, rel=0.15)
    assert found.details["duration_estimated"] is True
    constant = extraction(MEDIA, tiny.MP3_FRAME * 4000, "a.mp3")
    assert constant.duration == pytest.approx(4000 * 1152 / 44_100, rel=0.005)
    assert "duration_estimated" not in constant.details
    assert constant.details["bit_rate"] == 128_000


def test_an_mp3_says_that_it_was_cut_off() -> None:
    said = struct.pack(">4sIII", b"Xing", 3, 1000, 417_000)
    first = tiny.MP3_FRAME[:21] + said + tiny.MP3_FRAME[21 + len(said) :]
    whole = extraction(MEDIA, first + tiny.MP3_FRAME * 1000, "a.mp3")
    assert whole.duration == pytest.approx(1000 * 1152 / 44_100)
    assert whole.problem is None
    cut = extraction(MEDIA, first + tiny.MP3_FRAME * 900, "a.mp3")
    assert cut.duration == whole.duration
    assert cut.problem is not None
    assert "cut off" in cut.problem.detail


# ---------------------------------------------------------------------------------------------------- ID3


@pytest.mark.parametrize(("version", "encoding"), [(3, 0), (3, 1), (4, 0), (4, 1), (4, 2), (4, 3)])
def test_reads_texts_in_every_encoding(version: int, encoding: int) -> None:
    found = of_mp3(
        tiny.text_frame("TIT2", "Größe", version=version, encoding=encoding),
        tiny.text_frame("TPE1", "Ärzte", "Zweite", version=version, encoding=encoding),
        version=version,
    )
    assert found.title == "Größe"
    assert entities(found, "artist") == ["Ärzte", "Zweite"]


def test_reads_texts_whose_encoding_is_a_lie() -> None:
    assert of_mp3(tiny.frame("TIT2", b"\0" + "Größe".encode())).title == "Größe"
    assert of_mp3(tiny.frame("TIT2", b"\0" + "“Größe”".encode("cp1252"))).title == "“Größe”"


def test_reads_version_2_of_id3() -> None:
    def old(name: bytes, body: bytes) -> bytes:
        return name + len(body).to_bytes(3, "big") + body

    tag = tiny.id3(
        old(b"TT2", b"\0Old"), old(b"TP1", b"\0Somebody"), old(b"TCO", b"\0(17)"), old(b"TRK", b"\x003/9"), version=2
    )
    found = extraction(MEDIA, tiny.mp3(tag), "a.mp3")
    assert (found.title, entities(found, "artist"), entities(found, "genre")) == ("Old", ["Somebody"], ["Rock"])
    assert (found.details["track"], found.details["track_total"]) == (3, 9)


def test_reads_unsynchronised_and_compressed_frames() -> None:
    whole = of_mp3(tiny.frame("TIT2", b"\1\xff\xfe" + "ÿþ".encode("utf-16-le"), 3), version=3, flags=0x80)
    assert whole.title == "ÿþ"
    body = (b"\1\xff\xfe" + "ÿ".encode("utf-16-le")).replace(b"\xff", b"\xff\0")
    assert of_mp3(tiny.frame("TIT2", body, 4, flags=0x02)).title == "ÿ"
    packed = zlib.compress(b"\3Packed")
    assert of_mp3(tiny.frame("TIT2", tiny.syncsafe(7) + packed, 4, flags=0x09)).title == "Packed"
    assert of_mp3(tiny.frame("TIT2", (7).to_bytes(4, "big") + packed, 3, flags=0x80), version=3).title == "Packed"
    secret = of_mp3(tiny.frame("TIT2", b"\3Secret", 4, flags=0x04), tiny.text_frame("TALB", "Open"))
    assert (secret.title, secret.details["album"]) == ("Open", "Open")


def test_believes_the_plain_lengths_that_itunes_wrote() -> None:
    long = "x" * 300
    wrong = b"TIT2" + (301).to_bytes(4, "big") + bytes(2) + b"\3" + long.encode()
    found = of_mp3(wrong, tiny.text_frame("TALB", "Behind"))
    assert (found.title, found.details["album"]) == (long, "Behind")


def test_steps_over_pictures_without_reading_them() -> None:
    picture = tiny.frame("APIC", b"\0image/png\0\3\0" + bytes(3 << 20))
    found = of_mp3(picture, tiny.text_frame("TIT2", "Behind"))
    assert found.title == "Behind"
    assert found.details["has_cover"] is True
    assert found.duration == pytest.approx(38 * 1152 / 44_100, rel=0.01)


def test_reads_what_stands_at_the_end() -> None:
    last = tiny.id3v1("Short title", "Somebody", "Album", "1999", 7, 17)
    found = extraction(MEDIA, tiny.mp3(after=last), "a.mp3")
    assert (found.title, found.details["track"], found.created) == ("Short title", 7, "1999")
    assert entities(found, "genre") == ["Rock"]
    both = extraction(MEDIA, tiny.mp3(tiny.id3(tiny.text_frame("TIT2", "A longer title")), after=last), "a.mp3")
    assert (both.title, entities(both, "artist")) == ("A longer title", ["Somebody"])
    ape = tiny.ape_tag({"Title": b"Ape", "Artist": b"One\0Two", "Track": b"3/4", "REPLAYGAIN_ALBUM_GAIN": b"-1.5 dB"})
    found = extraction(MEDIA, tiny.mp3(after=ape + last), "a.mp3")
    assert entities(found, "artist") == ["One", "Two"]
    assert (found.title, found.details["track"], found.details["track_total"]) == ("Ape", 3, 4)
    assert found.details["replaygain"] == {"album_gain": -1.5}


def test_numbers_of_genres_become_names() -> None:
    assert entities(of_mp3(tiny.text_frame("TCON", "(17)(RX)Own", "183", "Jazz; Fusion")), "genre") == [
        "Rock", "Remix", "Own", "Audiobook", "Jazz", "Fusion",
    ]  # fmt: skip


def test_music_keeps_artists_whole() -> None:
    found = of_mp3(
        tiny.text_frame("TPE1", "Earth, Wind & Fire"),
        tiny.text_frame("TPE2", "Simon & Garfunkel"),
        tiny.text_frame("TCOM", "AC/DC"),
        tiny.text_frame("TSOP", "Earth Wind Fire"),
        tiny.own_frame("replaygain_track_gain", "-6.48 dB"),
        tiny.own_frame("REPLAYGAIN_TRACK_PEAK", "0.988"),
        tiny.text_frame("TCMP", "1"),
        tiny.text_frame("TBPM", "120"),
        tiny.own_frame("MusicBrainz Album Id", "8b1"),
        tiny.own_frame("Anything Else", "kept"),
    )
    assert details(found)["audiobook"] is False
    artist = next(entity for entity in found.entities if entity.role == "artist")
    assert (artist.name, artist.sort_name) == ("Earth, Wind & Fire", "Earth Wind Fire")
    assert entities(found, "album_artist") == ["Simon & Garfunkel"]
    assert entities(found, "composer") == ["AC/DC"]
    got = details(found)
    assert got["replaygain"] == {"track_gain": -6.48, "track_peak": 0.988}
    assert (got["compilation"], got["bpm"]) == (True, 120)
    assert got["identifiers"] == {"musicbrainz_release": "8b1"}
    assert got["other"] == {"anything else": "kept"}


def test_reads_cue_sheets_and_pictures_of_flac() -> None:
    sheet = bytearray(396 + 2 * 48)
    sheet[395] = 2
    for index, (offset, number) in enumerate(((0, 1), (44_100 * 20, 2))):
        at = 396 + 48 * index
        sheet[at : at + 9] = struct.pack(">QB", offset, number)
        sheet[at + 35] = 1
        sheet[at + 36 : at + 45] = struct.pack(">QB", 0, 1)
    data = tiny.flac((5, bytes(sheet)), (6, bytes(100)), (4, tiny.comments("TITLE=CD")))
    got = details(extraction(MEDIA, data, "a.flac"))
    assert [(each["start"], each["title"]) for each in got["chapters"]] == [(0.0, "Track 1"), (20.0, "Track 2")]
    assert got["has_cover"] is True


def test_reads_marks_and_texts_of_wav() -> None:
    cue = tiny.chunk(
        b"cue ", struct.pack("<I", 2), *(struct.pack("<II4sIII", n, 0, b"data", 0, 0, n * 4000) for n in (0, 1))
    )
    labels = tiny.chunk(
        b"LIST", b"adtl", *(tiny.chunk(b"labl", struct.pack("<I", n), f"Mark {n}".encode() + b"\0") for n in (0, 1))
    )
    info = tiny.chunk(b"LIST", b"INFO", tiny.chunk(b"INAM", b"Name\0"), tiny.chunk(b"IGNR", b"Rock\0"))
    tag = tiny.chunk(b"id3 ", tiny.id3(tiny.text_frame("TPE1", "Somebody")))
    found = extraction(MEDIA, tiny.wave(cue, labels, info, tag), "a.wav")
    assert (found.title, found.duration, entities(found, "artist")) == ("Name", 1.0, ["Somebody"])
    assert details(found)["chapters"] == [
        {"start": 0.0, "end": 0.5, "title": "Mark 0"}, {"start": 0.5, "end": 1.0, "title": "Mark 1"},
    ]  # fmt: skip


def test_reads_gains_of_every_kind() -> None:
    volume = tiny.frame("RVA2", b"track\0\1" + struct.pack(">h", -1664) + b"\0"), tiny.frame("RVA2", b"else\0\1\1\1\0")
    assert of_mp3(*volume).details["replaygain"] == {"track_gain": -3.25}
    both = tiny.comments(
        "REPLAYGAIN_TRACK_GAIN=+1.25 dB", "R128_TRACK_GAIN=0", "R128_ALBUM_GAIN=256", "REPLAYGAIN_ALBUM_PEAK=x"
    )
    found = extraction(MEDIA, tiny.flac((4, both)), "a.flac")
    assert found.details["replaygain"] == {"track_gain": 1.25, "album_gain": 6.0}


def test_reads_times_of_hours_and_of_frames() -> None:
    lines = "CHAPTER001=00:00:00.000", "CHAPTER002=01:02:03.500", "CHAPTER002NAME=Two", "CHAPTER003=nonsense"
    got = details(extraction(MEDIA, tiny.flac((4, tiny.comments(*lines)), seconds=8000), "a.flac"))
    assert [(each["start"], each.get("title")) for each in got["chapters"]] == [(0.0, None), (3723.5, "Two")]
    sheet = (
        'TITLE "Album"\nTRACK 01 AUDIO\n  INDEX 00 00:00:00\n  INDEX 01 01:02:30\nTRACK 02 AUDIO\n  INDEX 01 02:00:00'
    )
    got = details(extraction(MEDIA, tiny.flac((4, tiny.comments("CUESHEET=" + sheet))), "a.flac"))
    assert [(each["start"], each.get("title")) for each in got["chapters"]] == [(62.4, None), (120.0, None)]


def test_reads_figures_that_mkvmerge_keeps_of_a_track() -> None:
    def tag(name: bytes, value: bytes) -> bytes:
        return tiny.ebml(0x67C8, tiny.ebml(0x45A3, name), tiny.ebml(0x4487, value))

    uid = tiny.ebml(0x73C5, b"\7")
    track = tiny.ebml(0x1654AE6B, tiny.ebml(0xAE, uid, tiny.ebml(0x83, b"\2"), tiny.ebml(0x86, b"A_AC3")))
    targets = tiny.ebml(0x63C0, tiny.ebml(0x63C5, b"\7"))
    tags = tiny.ebml(0x1254C367, tiny.ebml(0x7373, targets, tag(b"BPS-eng", b"192000"), tag(b"TITLE", b"of the track")))
    found = extraction(MEDIA, tiny.matroska(track, tags), "a.mka")
    assert (found.details["bit_rate"], found.title) == (192_000, None)


def test_opus_gain_and_pictures_in_comments() -> None:
    sample = (DATA / "song.opus").read_bytes()
    whole = extraction(MEDIA, sample, "a.opus")
    assert whole.details["has_cover"] is False
    lines = tiny.comments("R128_TRACK_GAIN=-1536", "METADATA_BLOCK_PICTURE=" + "A" * 400_000, "TITLE=Loud")
    found = extraction(MEDIA, _with_comments(sample, b"OpusTags" + lines), "a.opus")
    assert found.details["replaygain"] == {"track_gain": -1.0}
    assert (found.title, found.details["has_cover"], found.duration) == ("Loud", True, whole.duration)
    assert found.details["bit_rate"] == whole.details["bit_rate"]


def _with_comments(sample: bytes, packet: bytes) -> bytes:
    """An Ogg file with another second packet, spread over as many pages as it takes."""
    first = 27 + sample[26] + sum(sample[27 : 27 + sample[26]])
    second = first + 27 + sample[first + 26] + sum(sample[first + 27 : first + 27 + sample[first + 26]])
    sizes = [255] * (len(packet) // 255) + [len(packet) % 255]
    pages = b""
    for at in range(0, len(sizes), 255):
        part, packet_part = sizes[at : at + 255], packet[at * 255 : (at + 255) * 255]
        pages += b"OggS\0\0" + bytes(8) + sample[14:18] + bytes(8) + bytes([len(part)]) + bytes(part) + packet_part
    return sample[:first] + pages + sample[second:]


# ---------------------------------------------------------------------------------------------------- what it takes


@pytest.mark.parametrize(
    ("head", "name", "taken"),
    [
        (b"\0\0\0\x18ftypheic", "a.mp4", False),
        (b"\0\0\0\x18ftypavif", "a.avif", False),
        (b"\0\0\0\x18ftypcrx ", "a.cr3", False),
        (b"\0\0\0\x18ftypM4B ", "a.txt", True),
        (b"\xff\xd8\xff\xe0", "a.mp3", False),
        (b"PK\x03\x04", "a.m4b", False),
        (b"RIFF\0\0\0\0WEBP", "a.wav", False),
        (b"nothing known", "a.mp3", True),
        (b"nothing known", "a.txt", False),
        (b"import x from 'y'", "a.ts", False),
        (b"", "a.flac", True),
        (b"", "", False),
    ],
)
def test_takes_by_content_first(head: bytes, name: str, taken: bool) -> None:
    assert MEDIA.takes(head, name) is taken


@pytest.mark.parametrize("name", ["a.mp3", "a.m4b", "a.flac", "a.ogg", "a.wma", "a.wav", "a.mkv", "a.avi", "a.mpg"])
def test_what_is_not_what_its_name_says_is_a_problem(name: str) -> None:
    for data in (b"", b"\0" * 100, b"this is no such file"):
        assert isinstance(extract(MEDIA, data, name), Problem)
