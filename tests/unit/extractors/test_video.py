"""Moving pictures: their size, tracks, colours, chapters, and when and where they were taken."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from censusd.extractors.base import EntityKind, Extraction, Kind
from censusd.extractors.media.extractor import MediaExtractor
from censusd.model import Problem
from tests.tools import tiny_media as tiny
from tests.tools.extracting import entities, extract, extraction

DATA = Path(__file__).parents[2] / "data" / "media"
MEDIA = MediaExtractor()


def details(found: Extraction) -> dict[str, Any]:
    return dict(found.details)


def sample(name: str) -> Extraction:
    return extraction(MEDIA, (DATA / name).read_bytes(), name)


def film(*inner: bytes, kind: bytes = b"avc1", turn: int = 0, more: bytes = b"", **options: Any) -> Extraction:
    track = tiny.track(1, b"vide", tiny.picture_entry(kind, 1440, 1080, *inner), turn=turn, samples=1500)
    return extraction(MEDIA, tiny.movie(track, more, brand=b"mp42", **options), "a.mp4")


# name: type, container, codec, profile, frame rate, sound
FILMS: dict[str, tuple[str, str, str, str | None, float | None, str | None]] = {
    "film.mp4": ("video/mp4", "mp4", "h264", "High", 25, "aac"),
    "fragments.mp4": ("video/mp4", "mp4", "h264", "High", 25, "aac"),
    "index.mp4": ("video/mp4", "mp4", "h264", "High", 25, "aac"),
    "bright.mp4": ("video/mp4", "mp4", "hevc", "Main 10", 25, "aac"),
    "film-av1.mp4": ("video/mp4", "mp4", "av1", "Main", 25, None),
    "phone.mov": ("video/quicktime", "mov", "mpeg4", None, 25, None),
    "camera.mov": ("video/quicktime", "mov", "mjpeg", None, 29.97, None),
    "film.mkv": ("video/x-matroska", "matroska", "h264", "High", 25, "aac"),
    "tracks.mkv": ("video/x-matroska", "matroska", "vp9", None, 25, "opus"),
    "film.webm": ("video/webm", "webm", "vp9", None, 25, "opus"),
    "film.avi": ("video/x-msvideo", "avi", "mpeg4", None, 25, "mp3"),
    "film.ts": ("video/mp2t", "mpegts", "mpeg2video", "Main", 25, "mp2"),
    "film.m2ts": ("video/mp2t", "mpegts", "h264", "High", 25, "ac3"),
    "film.mpg": ("video/mpeg", "mpeg", "mpeg2video", "Main", 25, "mp2"),
    "film.wmv": ("video/x-ms-wmv", "asf", "wmv2", None, None, "wmav2"),
    "film.ogv": ("video/ogg", "ogg", "theora", None, 25, "vorbis"),
}


@pytest.mark.parametrize("name", FILMS)
def test_reads_every_format(name: str) -> None:
    mime, container, codec, profile, rate, sound = FILMS[name]
    found = sample(name)
    got = details(found)
    assert (found.kind, found.mime_type, got["format"], got["codec"]) == (Kind.VIDEO, mime, container, codec)
    assert (found.width, found.height) == (64, 48)
    assert name == "film.mpg" or found.duration == pytest.approx(0.5, abs=0.09)  # whose two packs have two times
    assert got.get("profile") == profile
    assert got.get("frame_rate") == rate
    assert [track["codec"] for track in got.get("audio", [])][:1] == ([sound] if sound else [])
    assert all(track["channels"] == 1 and track["sample_rate"] in {44_100, 48_000} for track in got.get("audio", []))
    assert found.problem is None


@pytest.mark.parametrize("name", ["film.mp4", "fragments.mp4", "film.mkv", "film.wmv", "bright.mp4"])
def test_reads_titles_and_chapters(name: str) -> None:
    found = sample(name)
    assert (found.title, found.created) == ("The Title", "2019-05-01")
    chapters = details(found)["chapters"]
    assert [(each["start"], each["title"]) for each in chapters] == [(0.0, "Opening"), (0.2, "Zweites Käpitel")]


def test_reads_what_a_phone_says() -> None:
    found = sample("phone.mov")
    assert found.created == "2021-06-05T12:00:00+02:00"
    assert (found.latitude, found.longitude, found.details["altitude"]) == (48.8577, 2.295, 35.0)
    assert (found.details["camera_make"], found.details["camera_model"]) == ("Apple", "iPhone 12")


def test_reads_what_a_camera_says() -> None:
    found = sample("camera.mov")
    assert (found.created, found.latitude, found.longitude) == ("2020-02-03T04:05:06Z", 12.34, -98.76)
    got = details(found)
    assert (got["pixel_aspect"], got["display_width"], got["display_height"]) == ("4:3", 85, 48)


def test_reads_tracks_of_matroska() -> None:
    found = sample("tracks.mkv")
    got = details(found)
    assert (found.title, found.language) == ("A film", "en")
    assert [(track.get("language"), track.get("title")) for track in got["audio"]] == [
        ("en", None),
        ("de", "Kommentar"),
    ]
    assert got["subtitles"] == [{"format": "subrip", "language": "fr", "default": False, "forced": True}]


def test_reads_subtitles_of_mp4_and_tells_them_from_chapters() -> None:
    got = details(sample("subtitles.mp4"))
    assert got["subtitles"] == [{"format": "mov_text", "language": "fr", "default": True}]
    assert [track["language"] for track in got["audio"]] == ["en"]
    assert "subtitles" not in details(sample("film.mp4"))


def test_reads_tags_of_matroska_by_their_level() -> None:
    found = sample("episode.mkv")
    got = details(found)
    assert (found.title, got["show"], got["season"], got["episode"]) == ("The Episode", "The Show", 2, 7)
    assert (entities(found, "director"), entities(found, "actor")) == (["Dora Director"], ["Al Actor", "Bo Actress"])
    assert [(each.name, each.position) for each in found.entities if each.kind is EntityKind.SERIES] == [
        ("The Show", 7)
    ]
    assert (found.created, got["has_cover"], entities(found, "genre")) == ("1999-03-31", True, ["Drama"])
    assert got["audio"][0]["language"] == "en-GB"
    assert got["video_bit_rate"] == pytest.approx(26_866, rel=0.1)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_says_how_it_is_turned_and_how_it_looks_then(turn: int) -> None:
    got = details(film(tiny.box(b"pasp", struct.pack(">II", 4, 3)), turn=turn))
    assert got.get("rotation", 0) == turn
    assert got["pixel_aspect"] == "4:3"
    shown = (got["display_width"], got["display_height"])
    assert shown == ((1080, 1920) if turn in {90, 270} else (1920, 1080))
    assert got["frame_rate"] == 25


@pytest.mark.parametrize(
    ("boxes", "hdr", "colour"),
    [
        (
            [(9, 16, 9, 0)],
            "PQ",
            {"primaries": "bt2020", "transfer": "smpte2084", "matrix": "bt2020nc", "range": "limited"},
        ),
        (
            [(9, 18, 9, 0)],
            "HLG",
            {"primaries": "bt2020", "transfer": "arib-std-b67", "matrix": "bt2020nc", "range": "limited"},
        ),
        ([(1, 1, 1, 128)], None, {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "full"}),
    ],
)
def test_knows_high_dynamic_range(
    boxes: list[tuple[int, int, int, int]], hdr: str | None, colour: dict[str, str]
) -> None:
    inner = [tiny.box(b"colr", b"nclx", struct.pack(">HHHB", *codes)) for codes in boxes]
    got = details(film(*inner))
    assert got.get("hdr") == hdr
    assert got["colour"] == colour


def test_knows_hdr10_and_dolby_vision() -> None:
    colr = tiny.box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0))
    light = tiny.box(b"clli", struct.pack(">HH", 1000, 400))
    got = details(film(colr, tiny.box(b"mdcv", bytes(24)), light))
    assert got["hdr"] == "HDR10"
    assert (got["colour"]["max_cll"], got["colour"]["max_fall"]) == (1000, 400)
    assert details(film(colr, light, tiny.box(b"dvvC", b"\1\0\x10\0")))["hdr"] == "Dolby Vision 8, HDR10"
    assert details(film(tiny.box(b"dvcC", b"\1\0\x0a\0")))["hdr"] == "Dolby Vision 5"


def test_a_picture_or_slides_do_not_make_a_film() -> None:
    sound = tiny.track(1, b"soun", tiny.sound_entry())
    cover = tiny.track(2, b"vide", tiny.picture_entry(b"jpeg", 600, 600), samples=1)
    found = extraction(MEDIA, tiny.movie(sound, cover, brand=b"M4A "), "a.m4a")
    assert (found.kind, found.details["has_cover"], found.width) == (Kind.AUDIO, True, None)
    found = extraction(MEDIA, tiny.movie(sound, cover, brand=b"mp42"), "a.mp4")
    assert (found.kind, found.mime_type) == (Kind.AUDIO, "audio/mp4")
    slides = tiny.track(2, b"vide", tiny.picture_entry(b"jpeg", 600, 600), samples=30)
    refers = tiny.track(1, b"soun", tiny.sound_entry(), more=tiny.box(b"tref", tiny.box(b"chap", struct.pack(">I", 2))))
    assert extraction(MEDIA, tiny.movie(refers, slides, brand=b"mp42"), "a.mp4").kind is Kind.AUDIO


def test_encrypted_is_said_not_failed() -> None:
    scheme = tiny.box(b"sinf", tiny.box(b"frma", b"avc1"))
    got = details(film(scheme, kind=b"encv"))
    assert (got["codec"], got["encrypted"]) == ("h264", True)


def test_reads_when_and_where_of_old_quicktime() -> None:
    def old(kind: bytes, text: str) -> bytes:
        return tiny.box(kind, struct.pack(">HH", len(text), 0x15C7), text.encode())

    place = old(b"\xa9xyz", "-33.8568+151.2153+005.000/")
    found = film(more=tiny.box(b"udta", place, old(b"\xa9mak", "Maker"), old(b"\xa9mod", "Model")), made=3_660_000_000)
    assert (found.latitude, found.longitude) == (-33.8568, 151.2153)
    assert (found.details["camera_make"], found.details["camera_model"]) == ("Maker", "Model")
    assert found.created == "2019-12-24T02:40:00Z"
    assert film(made=0).created is None


def test_reads_place_and_time_of_other_cameras() -> None:
    minutes = tiny.box(b"udta", tiny.box(b"\xa9xyz", struct.pack(">HH", 22, 0), b"+4851.4620+00217.7000/"))
    found = film(more=minutes)
    assert found.latitude == pytest.approx(48.8577)
    assert found.longitude == pytest.approx(2.295)
    loci = tiny.box(b"loci", bytes(6), b"Paris\0\0", struct.pack(">iii", int(2.295 * 65536), int(48.8577 * 65536), 0))
    found = film(more=tiny.box(b"udta", loci))
    assert found.latitude == pytest.approx(48.8577, abs=1e-4)
    assert found.longitude == pytest.approx(2.295, abs=1e-4)
    xml = (
        b'<NonRealTimeMeta><CreationDate value="2021-05-06T07:08:09+02:00"/>'
        b'<Device manufacturer="Sony" modelName="ILCE-7M3" serialNo="1"/></NonRealTimeMeta>'
    )
    track = tiny.track(1, b"vide", tiny.picture_entry(b"avc1", 64, 48), samples=50)
    data = tiny.movie(track, brand=b"XAVC") + tiny.box(b"meta", bytes(4), tiny.box(b"xml ", bytes(4), xml))
    sony = extraction(MEDIA, data, "C0001.MP4")
    assert (sony.created, sony.details["camera_model"]) == ("2021-05-06T07:08:09+02:00", "ILCE-7M3")


def test_a_recording_of_a_browser_has_the_length_of_its_last_block() -> None:
    tracks = tiny.ebml(0x1654AE6B, tiny.ebml(0xAE, tiny.ebml(0x83, b"\1"), tiny.ebml(0x86, b"V_VP8"), _size(640, 480)))
    blocks = [tiny.ebml(0xA3, b"\x81", struct.pack(">h", time), b"\0") for time in (0, 33, 500)]
    clusters = [
        b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff" + tiny.ebml(0xE7, struct.pack(">I", at)) for at in (0, 5000)
    ]
    data = tiny.matroska(
        tiny.ebml(0x1549A966), tracks, *(cluster + b"".join(blocks) for cluster in clusters), kind=b"webm"
    )
    found = extraction(MEDIA, data, "a.webm")
    assert (found.duration, found.details["duration_estimated"]) == (5.5, True)
    assert (found.width, found.height, found.language) == (640, 480, None)


def _size(width: int, height: int) -> bytes:
    return tiny.ebml(0xE0, tiny.ebml(0xB0, struct.pack(">H", width)), tiny.ebml(0xBA, struct.pack(">H", height)))


def test_matroska_of_unnamed_language_is_english_says_the_rfc() -> None:
    entry = tiny.ebml(0xAE, tiny.ebml(0x83, b"\2"), tiny.ebml(0x86, b"A_OPUS"))
    assert extraction(MEDIA, tiny.matroska(tiny.ebml(0x1654AE6B, entry)), "a.mka").language == "en"
    assert extraction(MEDIA, tiny.matroska(tiny.ebml(0x1654AE6B, entry), kind=b"webm"), "a.webm").language is None


def test_a_clock_that_jumps_gives_no_duration() -> None:
    data = bytearray((DATA / "film.ts").read_bytes())
    for at in range(0, len(data), 188):  # the presentation times of the last packets
        if at > len(data) // 2 and data[at + 1] & 0x40:
            start = data.find(b"\0\0\1", at, at + 188)
            if start >= 0 and data[start + 7] & 0x80:
                data[start + 9] |= 0x0E
    found = extraction(MEDIA, bytes(data), "a.ts")
    assert (found.duration, found.width) == (None, 64)
    assert found.problem is not None
    assert "jump" in found.problem.detail


# ---------------------------------------------------------------------------------------------------- cut off


@pytest.mark.parametrize(
    "name", ["fragments.mp4", "film.mkv", "film.avi", "film.ogv", "song.opus", "song.wav", "song.aiff", "film.wmv"]
)
def test_says_that_a_file_was_cut_off_and_keeps_what_there_is(name: str) -> None:
    data = (DATA / name).read_bytes()
    found = extraction(MEDIA, data[: len(data) * 9 // 10], name)
    assert found.problem is not None
    assert "cut off" in found.problem.detail or "ends within" in found.problem.detail
    whole = extraction(MEDIA, data, name)
    assert whole.problem is None
    assert (found.title, found.width) == (whole.title, whole.width)


def test_a_movie_without_its_end_says_why_nothing_can_be_read() -> None:
    data = tiny.box(b"ftyp", b"isom", bytes(4)) + struct.pack(">I", 1 << 20) + b"mdat" + bytes(1000)
    found = extract(MEDIA, data, "a.mp4")
    assert isinstance(found, Problem)
    assert "no movie box" in found.detail


def test_one_broken_part_does_not_take_the_others_along() -> None:
    broken = tiny.box(b"udta", b"\0\0\0\1free", bytes(8))
    track = tiny.track(1, b"vide", tiny.picture_entry(b"avc1", 64, 48), samples=50)
    found = extraction(
        MEDIA, tiny.movie(broken, track, tiny.itunes(tiny.item("\xa9nam", "Title")), brand=b"mp42"), "a.mp4"
    )
    assert found.problem is not None
    assert (found.title, found.width) == ("Title", 64)
