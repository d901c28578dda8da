"""What is sent of a picture shows the same as the picture, and says nothing besides."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.describe.pictures import bare, nobodys_picture
from censusd.describe.trouble import UnfitError

SECRET = b"48.2082 N 16.3738 E"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
ADOBE = segment(0xEE, b"Adobe\0d\0\0\0\0\1")
TABLES = segment(0xDB, bytes(65)) + segment(0xC4, bytes(20))
FRAME = segment(0xC2, b"\10\0\1\0\1\1\1\x11\0")
SCAN = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\xff\0\x34\xff\xd0\x56\xff\xff\0"
METADATA = (
    segment(0xE1, b"Exif\0\0" + SECRET)
    + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)
    + segment(0xE2, b"ICC_PROFILE\0" + SECRET)
    + segment(0xE0, b"JFXX\0" + SECRET)
    + segment(0xED, b"Photoshop 3.0\0" + SECRET)
    + segment(0xFE, SECRET)
)


def test_a_jpeg_keeps_what_shows_the_picture() -> None:
    kept = JFIF + ADOBE + TABLES + FRAME + SCAN + TABLES + SCAN
    content = b"\xff\xd8" + JFIF + METADATA + ADOBE + b"\xff\xff" + TABLES + FRAME + SCAN + TABLES + METADATA + SCAN
    # As phones do it: a film behind the picture.
    content += b"\xff\xd9" + b"ftypmp42" + SECRET
    assert bare(content) == ("image/jpeg", b"\xff\xd8" + kept + b"\xff\xd9")


def test_a_jpeg_keeps_how_it_has_to_be_turned(tmp_path: Path) -> None:
    _, found = bare(b"\xff\xd8" + METADATA + TABLES + FRAME + SCAN + b"\xff\xd9", 6)
    assert SECRET not in found
    assert found.startswith(b"\xff\xd8\xff\xe1")
    if exiftool := shutil.which("exiftool"):
        (tmp_path / "a.jpg").write_bytes(found)
        said = subprocess.run(
            [exiftool, "-n", "-Orientation", "-s3", tmp_path / "a.jpg"], check=True, capture_output=True
        )
        assert said.stdout.strip() == b"6"


def test_a_jpeg_whose_end_is_missing_is_sent_as_far_as_it_goes() -> None:
    start = b"\xff\xd8" + TABLES + FRAME + SCAN
    assert bare(start)[1] == start


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe1\xff",
        b"\xff\xd8" + segment(0xE1, SECRET)[:-1],
        b"\xff\xd8" + TABLES,
        b"\xff\xd8\xff\xdb\0\1",
        b"\xff\xd8hello",
    ],
)
def test_a_jpeg_without_a_picture_is_not_sent(content: bytes) -> None:
    with pytest.raises(UnfitError, match="not a JPEG throughout"):
        bare(content)


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, 0))
BODY = chunk(b"PLTE", b"abc") + chunk(b"tRNS", b"\0") + chunk(b"IDAT", b"12") + chunk(b"IDAT", b"34")
END = chunk(b"IEND")


def test_a_png_keeps_what_shows_the_picture() -> None:
    said = chunk(b"tEXt", b"parameters\0" + SECRET) + chunk(b"eXIf", SECRET) + chunk(b"iTXt", SECRET)
    more = chunk(b"tIME", b"1234567") + chunk(b"prVt", SECRET)
    content = SIGNATURE + HEADER + said + BODY + more + END + SECRET
    assert bare(content, 6) == ("image/png", SIGNATURE + HEADER + BODY + END)


def test_a_png_that_is_cut_off_is_sent_as_far_as_it_goes_if_it_shows_anything() -> None:
    assert bare((SIGNATURE + HEADER + BODY)[:-1])[1] == SIGNATURE + HEADER + BODY[: -len(chunk(b"IDAT", b"34"))]
    for content in (SIGNATURE, SIGNATURE + HEADER + END, SIGNATURE + struct.pack(">I", 1 << 31) + b"IDAT" + bytes(99)):
        with pytest.raises(UnfitError, match="not a PNG throughout"):
            bare(content)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_a_webp_keeps_what_shows_the_picture() -> None:
    flags, size = 0x10 | 0x20 | 0x08 | 0x04, b"\0\0\0\1\0\0\1\0\0"
    content = riff(
        (b"VP8X", bytes((flags,)) + size),
        (b"ICCP", SECRET),
        (b"ALPH", b"abc"),
        (b"VP8 ", b"pixel"),
        (b"EXIF", SECRET),
        (b"XMP ", SECRET),
        (b"what", SECRET),
    )
    kept = riff((b"VP8X", b"\x10" + size), (b"ALPH", b"abc"), (b"VP8 ", b"pixel"))
    assert bare(content + SECRET) == ("image/webp", kept)
    assert bare(riff((b"VP8L", b"pixel"))) == ("image/webp", riff((b"VP8L", b"pixel")))


def test_a_webp_that_moves_or_shows_nothing_is_not_sent() -> None:
    with pytest.raises(UnfitError, match="animated"):
        bare(riff((b"VP8X", b"\2" + bytes(9)), (b"ANIM", bytes(6)), (b"ANMF", bytes(30))))
    for content in (riff(), riff((b"EXIF", SECRET)), riff((b"VP8 ", b"pixels"))[:-3]):
        with pytest.raises(UnfitError, match="not a WebP throughout"):
            bare(content)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\0\0\0\x18ftypheic", b"II*\0"])
def test_other_content_is_not_sent(content: bytes) -> None:
    with pytest.raises(UnfitError, match="neither a JPEG nor a PNG nor a WebP"):
        bare(content)


@given(
    st.sampled_from([b"\xff\xd8", SIGNATURE, b"RIFF\xff\xff\xff\xffWEBP", b"\xff\xd8" + SCAN]),
    st.lists(
        st.binary(max_size=12) | st.sampled_from([JFIF, METADATA, TABLES, SCAN, HEADER, BODY, END, b"VP8 \3\0\0\0"])
    ),
)
def test_any_content_is_made_no_larger_or_refused(start: bytes, parts: list[bytes]) -> None:
    content = start + b"".join(parts)
    try:
        _, found = bare(content, 3)
    except UnfitError:
        return
    assert len(found) <= len(content) + 64
    assert bare(found, 3)[1] == found


def test_the_picture_of_nobodys_is_a_picture(tmp_path: Path) -> None:
    picture = nobodys_picture()
    assert bare(picture) == ("image/png", picture)
    if exiftool := shutil.which("exiftool"):
        (tmp_path / "a.png").write_bytes(picture)
        said = subprocess.run(
            [exiftool, "-validate", "-warning", "-s3", tmp_path / "a.png"], check=True, capture_output=True
        )
        assert said.stdout.strip() in {b"OK", b""}
