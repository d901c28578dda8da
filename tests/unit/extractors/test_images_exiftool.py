"""What ExifTool, which is another's work, finds in the same files."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from censusd.extractors.images.extractor import Images
from tests.tools.extracting import extraction
from tests.unit.extractors.test_images import PICTURES

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool (Debian: libimage-exiftool-perl)")

NAMES = {
    "camera_make": "Make",
    "camera_model": "Model",
    "camera_serial": "SerialNumber",
    "lens": "LensModel",
    "exposure_time": "ExposureTime",
    "exposure_bias": "ExposureCompensation",
    "f_number": "FNumber",
    "iso": "ISO",
    "focal_length": "FocalLength",
    "focal_length_35mm": "FocalLengthIn35mmFormat",
    "altitude": "GPSAltitude",
    "direction": "GPSImgDirection",
    "rating": "Rating",
    "software": "Software",
}


@pytest.mark.parametrize("name", PICTURES)
def test_exiftool_finds_the_same(name: str, tmp_path: Path) -> None:
    data, _ = PICTURES[name]
    path = tmp_path / name
    path.write_bytes(data)
    output = subprocess.run(["exiftool", "-json", "-n", path], check=True, capture_output=True).stdout
    other = json.loads(output)[0]
    found = extraction(Images(), data, name)
    for ours, theirs in NAMES.items():
        if (name, ours) == ("picture.rw2", "software"):
            continue  # not one of Panasonic's tags, thinks ExifTool
        assert str(found.details[ours])[:8] == str(other[theirs])[:8], ours
    assert found.latitude == pytest.approx(other["GPSLatitude"])
    assert found.longitude == pytest.approx(other["GPSLongitude"])
    assert found.created == "2024-05-17T18:03:11.25+02:00"
    assert other["SubSecDateTimeOriginal"] == "2024:05:17 18:03:11.250+02:00"
    assert found.title == other["Title"]
    if name == "picture.dng":  # ExifTool says what the sensor saw; ours is what is developed
        assert other["DefaultCropSize"] == f"{found.width} {found.height}"
    elif name in {"picture.nef", "picture.arw", "picture.pef"}:
        assert (other["ExifImageWidth"], other["ExifImageHeight"]) == (found.width, found.height)
    else:
        assert other["ImageSize"] == f"{found.width} {found.height}"
    if name not in {"picture.heic", "picture.avif", "unspecific.heif"}:  # there ExifTool says what Exif says
        assert other["Orientation"] == found.details["orientation"]
