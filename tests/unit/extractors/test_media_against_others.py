"""What the parsers of media say is what ffprobe, mediainfo and exiftool say, where those are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from censusd.extractors.base import Extraction, Kind
from censusd.extractors.media.extractor import MediaExtractor
from tests.tools.extracting import extraction

DATA = Path(__file__).parents[2] / "data" / "media"
NAMES = sorted(path.name for path in DATA.iterdir() if path.suffix != ".sh")
MEDIA = MediaExtractor()

Json = dict[str, Any]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str) -> Any:
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout)


@cache
def ffprobe(name: str) -> Json:
    found: Json = run(
        *("ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", "-show_chapters"), str(DATA / name)
    )
    return found


def ours(name: str) -> Extraction:
    return extraction(MEDIA, (DATA / name).read_bytes(), name)


def streams(name: str, kind: str) -> list[Json]:
    return [
        stream
        for stream in ffprobe(name)["streams"]
        if stream["codec_type"] == kind and not stream["disposition"]["attached_pic"]
    ]


def near(mine: object, theirs: object, tolerance: float) -> bool:
    return mine == theirs or (isinstance(mine, (int, float)) and abs(mine - float(str(theirs))) <= tolerance)


@needs("ffprobe")
@pytest.mark.parametrize("name", NAMES)
def test_durations_and_titles(name: str) -> None:
    theirs = ffprobe(name)["format"]
    found = ours(name)
    # ffprobe counts what an MP3 encoder put before and after the sound, guesses at files of bare frames, and adds to
    # Windows Media's duration what is played before it.
    if name not in {"variable.mp3", "constant.mp3", "bare-variable.mp3", "bare.aac", "film.wmv", "song.wma"}:
        assert found.duration == pytest.approx(float(theirs["duration"]), abs=0.03)
    title = theirs.get("tags", {}).get("title") or theirs.get("tags", {}).get("TITLE")
    assert title is None or found.title == title


@needs("ffprobe")
@pytest.mark.parametrize("name", NAMES)
def test_sound(name: str) -> None:
    found = ours(name)
    mine: list[Json] = [dict(found.details)] if found.kind is Kind.AUDIO else list(found.details.get("audio", []))  # type: ignore[arg-type]
    theirs = streams(name, "audio")
    assert [track["codec"] for track in mine] == [track["codec_name"] for track in theirs]
    for track, other in zip(mine, theirs, strict=True):
        assert (track["sample_rate"], track["channels"]) == (int(other["sample_rate"]), other["channels"])
        assert track.get("profile") == other.get("profile")
        if "bit_rate" in other and "bit_rate" in track and name not in {"variable.mp3", "constant.mp3", "song.spx"}:
            assert near(track["bit_rate"], other["bit_rate"], 0.02 * int(other["bit_rate"]) + 600)
        if track.get("bits_per_sample"):
            theirs_bits = int(other.get("bits_per_raw_sample") or 0) or other["bits_per_sample"]
            assert theirs_bits == 0 or track["bits_per_sample"] == theirs_bits


@needs("ffprobe")
@pytest.mark.parametrize("name", NAMES)
def test_pictures(name: str) -> None:
    found = ours(name)
    theirs = streams(name, "video")
    assert (found.kind is Kind.VIDEO) == bool(theirs)
    if not theirs:
        return
    got, other = dict(found.details), theirs[0]
    assert (got["codec"], found.width, found.height) == (other["codec_name"], other["width"], other["height"])
    numerator, _, denominator = other["avg_frame_rate"].partition("/")
    assert "frame_rate" not in got or near(got["frame_rate"], int(numerator) / int(denominator), 0.02)
    assert got.get("pixel_aspect", "1:1") == other.get("sample_aspect_ratio", "1:1")
    colour: Json = got.get("colour", {})  # type: ignore[assignment]
    for mine, name_of_theirs in (
        ("primaries", "color_primaries"),
        ("transfer", "color_transfer"),
        ("matrix", "color_space"),
    ):
        assert mine not in colour or colour[mine] == other.get(name_of_theirs)
    if "range" in colour:
        assert colour["range"] == {"tv": "limited", "pc": "full"}[other["color_range"]]
    if "profile" in got:
        assert got["profile"] == other["profile"]
    subtitles: list[Json] = got.get("subtitles", [])  # type: ignore[assignment]
    assert [track["format"] for track in subtitles] == [track["codec_name"] for track in streams(name, "subtitle")]


@needs("ffprobe")
@pytest.mark.parametrize("name", NAMES)
def test_chapters(name: str) -> None:
    theirs = [(float(each["start_time"]), each.get("tags", {}).get("title")) for each in ffprobe(name)["chapters"]]
    mine: list[Json] = ours(name).details.get("chapters", [])  # type: ignore[assignment]
    assert [(each["start"], each.get("title")) for each in mine] == [
        (pytest.approx(start, abs=0.002), title) for start, title in theirs
    ]


@needs("mediainfo")
@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in {"film.mpg", "bare.aac", "song.spx", "song.oga", "song.wv"}]
)
def test_mediainfo_agrees(name: str) -> None:
    tracks: list[Json] = run("mediainfo", "--Output=JSON", str(DATA / name))["media"]["track"]
    found = ours(name)
    general = tracks[0]
    if "Title" in general and name != "episode.mkv":  # which says two titles with a slash between them
        assert found.title == general["Title"]
    pictures = [track for track in tracks if track["@type"] == "Video"]
    if pictures:
        assert (str(found.width), str(found.height)) == (pictures[0]["Width"], pictures[0]["Height"])
        if "FrameRate" in pictures[0] and "frame_rate" in found.details:
            assert near(found.details["frame_rate"], pictures[0]["FrameRate"], 0.02)
    sounds = [track for track in tracks if track["@type"] == "Audio"]
    mine: list[Json] = [dict(found.details)] if found.kind is Kind.AUDIO else list(found.details.get("audio", []))  # type: ignore[arg-type]
    for track, other in zip(mine, sounds, strict=True):
        assert str(track["channels"]) == other["Channels"]
        assert "SamplingRate" not in other or str(track["sample_rate"]) == other["SamplingRate"]


EXIFTOOL: dict[str, Callable[[Extraction, Json], bool]] = {
    "phone.mov": lambda found, other: (
        found.created == "2021-06-05T12:00:00+02:00"
        and other["CreationDate"] == "2021:06:05 12:00:00+02:00"
        and (found.details["camera_make"], found.details["camera_model"]) == (other["Make"], other["Model"])
        and near(found.latitude, other["GPSLatitude"], 1e-6)
        and near(found.longitude, other["GPSLongitude"], 1e-6)
    ),
    "camera.mov": lambda found, other: (
        found.created == "2020-02-03T04:05:06Z"
        and other["CreateDate"] == "2020:02:03 04:05:06"
        and near(found.latitude, other["GPSLatitude"], 1e-6)
        and near(found.longitude, other["GPSLongitude"], 1e-6)
    ),
    "constant.mp3": lambda found, other: (found.title, found.details["album"]) == (other["Title"], other["Album"]),
    "book.m4b": lambda found, other: (
        found.details["grouping"] == other["Grouping"] and found.details["comment"] == other["Comment"]
    ),
    "song.flac": lambda found, other: (
        found.details["sample_rate"] == other["SampleRate"] and found.title == other["Title"]
    ),
}


@needs("exiftool")
@pytest.mark.parametrize("name", EXIFTOOL)
def test_exiftool_agrees(name: str) -> None:
    assert EXIFTOOL[name](ours(name), run("exiftool", "-json", "-n", str(DATA / name))[0])


@needs("exiftool")
@needs("ffprobe")
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turns_agree(turn: int, tmp_path: Path) -> None:
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[turn]
    data = bytearray((DATA / "film.mp4").read_bytes())
    at = data.index(b"tkhd") + 44
    for place, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[at + place : at + place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    assert extraction(MEDIA, bytes(data), "turned.mp4").details["rotation"] == turn
    assert run("exiftool", "-json", "-n", "-Rotation", str(path))[0]["Rotation"] == turn
    side = run("ffprobe", "-v", "error", "-of", "json", "-show_streams", str(path))["streams"][0]["side_data_list"]
    assert next(each["rotation"] for each in side if "rotation" in each) % 360 == -turn % 360
