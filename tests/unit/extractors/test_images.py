"""Each kind of picture, and each thing that Exif, IPTC and XMP say of it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest

from censusd.extractors.base import Extraction, Kind
from censusd.extractors.images.exif import iso_time
from censusd.extractors.images.extractor import Images
from tests.tools.extracting import entities, extraction
from tests.tools.pictures import (
    Directory,
    Value,
    box,
    camera,
    chunk,
    cr3,
    exif_segment,
    fractions,
    gif,
    heif,
    image_resource,
    international_chunk,
    iptc,
    iptc_segment,
    jpeg,
    png,
    raf,
    rdf_list,
    segment,
    text_chunk,
    tiff,
    webp,
    xmp,
    xmp_segment,
)

CAMERA = tiff(camera())
PACKET = xmp(
    {"xmp:Rating": "4"}, rdf_list("dc:title", "Alt", "Sea &amp; sky") + rdf_list("dc:subject", "Bag", "sea", "sky")
)
EXIF_PART, GPS_PART = camera()[0x8769], camera()[0x8825]
assert isinstance(EXIF_PART, Directory)
assert isinstance(GPS_PART, Directory)
CFA = {0x0103: 34713, 0x0106: 32803}


def read(data: bytes, name: str = "picture", siblings: Mapping[str, bytes] | None = None) -> Extraction:
    return extraction(Images(), data, name, siblings=siblings)


def with_exif(**changes: Value) -> Extraction:
    return read(jpeg(exif_segment(tiff(camera(**changes)))))


PICTURES: dict[str, tuple[bytes, str]] = {
    "intel.jpg": (jpeg(exif_segment(CAMERA), xmp_segment(PACKET)), "image/jpeg"),
    "motorola.jpg": (jpeg(exif_segment(tiff(camera(), order=">")), xmp_segment(PACKET)), "image/jpeg"),
    "picture.png": (
        png(chunk(b"eXIf", CAMERA), international_chunk("XML:com.adobe.xmp", PACKET.decode())),
        "image/png",
    ),
    "picture.webp": (webp((b"ODD ", b"1"), (b"EXIF", CAMERA), (b"XMP ", PACKET)), "image/webp"),
    "prefixed.webp": (webp((b"EXIF", b"Exif\0\0" + CAMERA), (b"XMP ", PACKET)), "image/webp"),
    "picture.heic": (heif(CAMERA, PACKET, turns=box(b"irot", b"\3")), "image/heic"),
    "picture.avif": (heif(CAMERA, PACKET, brand=b"avif", turns=box(b"irot", b"\3")), "image/avif"),
    "unspecific.heif": (heif(CAMERA, PACKET, turns=box(b"irot", b"\3")).replace(b"heic", b"mif1", 1), "image/heic"),
    "picture.tif": (tiff(camera(image_0x0100=64, image_0x0101=48, image_0x02BC=PACKET)), "image/tiff"),
    "picture.dng": (
        tiff(
            camera(
                exif_0xA002=68,
                exif_0xA003=50,
                image_0xC612=b"\1\4\0\0",
                image_0x02BC=PACKET,
                image_0x014A=[Directory({0x0100: 68, 0x0101: 50, 0xC620: [64, 48], **CFA})],
            )
        ),
        "image/x-adobe-dng",
    ),
    "picture.nef": (
        tiff(
            camera(
                image_0x010F="NIKON CORPORATION",
                image_0x02BC=PACKET,
                image_0x0100=16,
                image_0x0101=12,
                image_0x00FE=1,
                image_0x014A=[Directory({0x0100: 65, 0x0101: 49, **CFA})],
            )
        ),
        "image/x-nikon-nef",
    ),
    "picture.arw": (
        tiff(
            camera(
                image_0x010F="SONY",
                image_0x02BC=PACKET,
                image_0x014A=[Directory({0x0100: 68, 0x0101: 50, 0x0103: 32767})],
            )
        ),
        "image/x-sony-arw",
    ),
    "picture.pef": (
        tiff(camera(image_0x010F="PENTAX", image_0x02BC=PACKET, image_0x0100=66, image_0x0101=50, image_0x0103=65535)),
        "image/x-pentax-pef",
    ),
    "picture.cr2": (
        tiff(camera(image_0x02BC=PACKET, image_0x0100=32, image_0x0101=24), gap=b"CR\2\0\0\0\0\0"),
        "image/x-canon-cr2",
    ),
    "picture.orf": (
        tiff(camera(image_0x0100=64, image_0x0101=48, image_0x02BC=PACKET), magic=b"IIRO"),
        "image/x-olympus-orf",
    ),
    "picture.rw2": (
        tiff(
            camera(image_0x0004=2, image_0x0005=4, image_0x0006=50, image_0x0007=68, image_0x02BC=PACKET),
            magic=b"IIU\0",
        ),
        "image/x-panasonic-rw2",
    ),
    "picture.cr3": (
        cr3(Directory({**camera(), 0x0100: 64, 0x0101: 48}), EXIF_PART, GPS_PART, PACKET),
        "image/x-canon-cr3",
    ),
    "picture.raf": (
        raf(jpeg(exif_segment(CAMERA), xmp_segment(PACKET), width=16, height=12), 64, 48),
        "image/x-fujifilm-raf",
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_gives_the_same(name: str) -> None:
    data, mime_type = PICTURES[name]
    found = read(data, name)
    assert found.problem is None
    assert (found.kind, found.mime_type) == (Kind.IMAGE, mime_type)
    assert (found.width, found.height, found.details["orientation"]) == (64, 48, 6)
    assert found.created == "2024-05-17T18:03:11.25+02:00"
    assert (found.latitude, found.longitude) == (-33.8570833, -70.5)
    assert found.title == "Sea & sky"
    assert entities(found, "keyword") == ["sea", "sky"]
    makers = {"picture.nef": "NIKON CORPORATION", "picture.arw": "SONY", "picture.pef": "PENTAX"}
    expected = {
        "camera_make": makers.get(name, "Sample"),
        "camera_model": "Sample X-1",
        "camera_serial": "0123456",
        "lens_make": "Sample Optics",
        "lens": "Sample 35mm f/1.8",
        "exposure_time": 0.004,
        "exposure_bias": -0.333333333,
        "f_number": 2.8,
        "iso": 400,
        "focal_length": 35,
        "focal_length_35mm": 52,
        "flash": True,
        "altitude": 520.5,
        "direction": 270.5,
        "gps_time": "2024-05-17T16:03:11.250+00:00",
        "rating": 4,
        "software": "Firmware 1.0",
    }
    assert {key: found.details.get(key) for key in expected} == expected


def test_content_decides_and_not_the_name() -> None:
    images = Images()
    assert images.takes(jpeg()[:4096], "film.mp4")
    assert read(png(), "photo.jpg").mime_type == "image/png"
    for head in (
        b"",
        b"\xff\xd8",
        b"\0\0\0\x20ftypisom" + bytes(20),
        b"RIFF\0\0\0\0WAVE",
        b"%PDF-1.7",
        b"II",
        b"GIF88a",
    ):
        assert not images.takes(head, "photo.jpg")


def test_odd_files() -> None:
    small = camera(image_0x014A=[Directory({0x0100: 6400, 0x0101: 4800, **CFA})])  # Exif says 64 by 48, of the preview
    raw = read(tiff(small), "x.nef")
    assert (raw.width, raw.height) == (6400, 4800)
    again = read(b"II*\0\x08\0\0\0\1\0\0\1\3\0\1\0\0\0\x40\0\0\0\x08\0\0\0")  # a directory that follows itself
    assert (again.width, again.details) == (64, {})
    beside = read(heif(CAMERA, PACKET, inside=True))
    assert (beside.details["iso"], beside.title) == (400, "Sea & sky")


@pytest.mark.parametrize(
    ("properties", "orientation"),
    [
        (b"", 1),
        (box(b"irot", b"\1"), 8),
        (box(b"irot", b"\2"), 3),
        (box(b"imir", b"\0"), 4),
        (box(b"imir", b"\1"), 2),
        (box(b"irot", b"\1") + box(b"imir", b"\0"), 5),
        (box(b"irot", b"\3") + box(b"imir", b"\0"), 7),
        (box(b"imir", b"\1") + box(b"irot", b"\3"), 7),
    ],
)
def test_heif_says_itself_how_it_is_turned(properties: bytes, orientation: int) -> None:
    found = read(heif(CAMERA, turns=properties))  # its Exif says 6, which does not count here
    assert (found.details["orientation"], found.width, found.height) == (orientation, 64, 48)


def test_animations_and_pages_are_counted() -> None:
    animated = read(gif(b"\x21\xfe\5hello\0", frames=3))
    assert (animated.details["frames"], animated.duration) == (3, 0.3)
    assert animated.details["description"] == "hello"
    packet = (
        b"\x21\xff\x0bXMP DataXMP" + xmp({}, rdf_list("dc:title", "Alt", "moving")) + bytes([1, *range(255, -1, -1), 0])
    )
    assert (read(gif(packet)).title, read(gif(packet)).problem) == ("moving", None)
    still = read(gif())
    assert still.duration is None
    assert "frames" not in still.details
    frame = bytes(12) + (40).to_bytes(3, "little") + bytes(5)
    assert read(webp((b"ANMF", frame), (b"ANMF", frame))).duration == 0.08
    assert read(webp((b"ANMF", frame), (b"ANMF", frame))).details["frames"] == 2
    control = chunk(b"fcTL", bytes(20) + b"\0\1\0\4" + bytes(2))
    moving = read(png(chunk(b"acTL", b"\0\0\0\2\0\0\0\0"), control, control))
    assert (moving.mime_type, moving.details["frames"], moving.duration) == ("image/apng", 2, 0.5)
    page = Directory({0x0100: 64, 0x0101: 48})
    assert read(tiff(page, page, Directory({0x00FE: 1, 0x0100: 8, 0x0101: 6}))).details["frames"] == 2


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (webp(width=16_384, height=1), (16_384, 1)),
        (b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x30\1\0\x9d\1\x2a\x40\0\x30\0", (64, 48)),
        (b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f\x3f\xc0\x0b\0" + bytes(5), (64, 48)),
        (png(width=100_000, height=2, rows=b"\0"), (100_000, 2)),
        (jpeg(width=65_535, height=0), (65_535, None)),
        (
            b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10"
            b"\0\0\0\0\0\0\0\2\1\0\0\3\0\0\0\0\0\0\0\1\0\x40\0\0\0\0\0\0\1\1\0\4\0\0\0\0\0\0\0\1\0\0\0\x30" + bytes(12),
            (64, 48),
        ),
    ],
    ids=["webp extended", "webp lossy", "webp lossless", "png", "jpeg without height", "big tiff"],
)
def test_sizes(data: bytes, size: tuple[int, int]) -> None:
    found = read(data)
    assert (found.width, found.height) == size
    assert found.problem is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024:05:17 18:03:11", "2024-05-17T18:03:11"),
        ("2024-05-17T18:03:11.120Z", "2024-05-17T18:03:11.12+00:00"),
        ("2024-05-17T18:03+05:45", "2024-05-17T18:03:00+05:45"),
        ("2024/05/17 18:03:11", "2024-05-17T18:03:11"),
        ("2024:05", "2024-05"),
        ("2024", "2024"),
        ("2024:00:00 00:00:00", "2024"),
        ("2024:05:00 00:00:00", "2024-05"),
        ("2024:05:17 24:00:00", "2024-05-17"),
        ("2024:05:17   :  :  ", "2024-05-17"),
        ("2024:02:30 18:03:11", None),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("yesterday", None),
        ("٢٠٢٤:05:17", None),
    ],
)
def test_times(written: str, expected: str | None) -> None:
    assert iso_time(written) == expected


def test_the_time_of_taking_counts_before_that_of_digitizing_and_of_changing() -> None:
    assert with_exif(exif_0x9011="+14:00").created == "2024-05-17T18:03:11.25+14:00"
    assert with_exif(exif_0x9011="   :  ").created == "2024-05-17T18:03:11.25"
    assert with_exif(exif_0x9011="+99:00").created == "2024-05-17T18:03:11.25"
    assert with_exif(exif_0x9291="x").created == "2024-05-17T18:03:11+02:00"
    digitized = with_exif(exif_0x9003="    :  :     :  :  ", exif_0x9004="2023:01:02 03:04:05", exif_0x9012="-08:00")
    assert digitized.created == "2023-01-02T03:04:05-08:00"
    assert with_exif(exif_0x9003="").created == "2024-06-01T10:00:00"
    later = xmp({"exif:DateTimeOriginal": "2024-05-17T18:03:11.25-04:00"})
    without = tiff(camera(exif_0x9011=""))
    assert read(jpeg(exif_segment(without), xmp_segment(later))).created == "2024-05-17T18:03:11.25-04:00"


@pytest.mark.parametrize(
    "gps",
    [
        {"gps_0x0001": ""},  # which hemisphere is not known
        {"gps_0x0003": "Q"},
        {"gps_0x0002": fractions(91, 0, 0)},
        {"gps_0x0004": fractions(180, 0, 1)},
        {"gps_0x0002": fractions(-5, 0, 0)},
        {"gps_0x0002": fractions(0, 0, 0), "gps_0x0004": fractions(0, 0, 0)},
        {"gps_0x0002": "33"},
        {"gps_0x0002": [33, 51]},
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_none(gps: dict[str, Value]) -> None:
    found = with_exif(**gps)
    if gps.get("gps_0x0002") == [33, 51]:  # whole numbers are numbers
        assert found.latitude == -33.85
        return
    assert (found.latitude, found.longitude) == (None, None)
    assert "altitude" not in found.details


def test_places_and_heights_have_signs() -> None:
    assert with_exif(gps_0x0001="N", gps_0x0003="E").latitude == 33.8570833
    assert with_exif(gps_0x0005=b"\1").details["altitude"] == -520.5
    assert "altitude" not in with_exif(gps_0x0006=Fraction(2_000_000)).details
    assert "gps_time" not in with_exif(gps_0x0007=fractions(25, 0, 0)).details
    nothing = bytearray(CAMERA)
    at = CAMERA.index(b"\x21\0\0\0\1\0\0\0\x33\0\0\0\1\0\0\0")
    nothing[at + 4 : at + 8] = bytes(4)  # 33/0 degrees: the receiver had no fix
    assert read(jpeg(exif_segment(bytes(nothing)))).latitude is None


def test_values_that_cannot_be_are_left_out() -> None:
    found = with_exif(
        exif_0x829A=Fraction(0), exif_0x9201=Fraction(8), exif_0x829D=Fraction(0), image_0x0112=9, exif_0x8827=0
    )
    assert found.details["exposure_time"] == 0.00390625  # from the APEX value
    assert not {"f_number", "orientation", "iso"} & found.details.keys()
    assert with_exif(exif_0x8827=65_535, exif_0x8832=102_400).details["iso"] == 102_400
    assert with_exif(exif_0x9209=0x10).details["flash"] is False
    assert with_exif(exif_0xA434="", exif_0xA432=fractions(24, 70, "28/10", "28/10")).details["lens"] == "24-70mm f/2.8"
    note = b"Nikon\0\2\x10\0\0" + tiff(Directory({0x0084: fractions(18, 55, "35/10", "56/10")}))
    assert with_exif(exif_0xA434="", exif_0x927C=note).details["lens"] == "18-55mm f/3.5-5.6"


def test_texts_in_any_encoding() -> None:
    assert with_exif(image_0x8298="Ann\0Ed").details["copyright"] == "Ann; Ed"
    assert with_exif(image_0x010E="Straße").details["description"] == "Straße"
    latin = CAMERA.replace(b"Sample X-1", b"Sampl\xe9 X-1")
    assert read(jpeg(exif_segment(latin))).details["camera_model"] == "Samplé X-1"
    assert "description" not in with_exif(image_0x010E="OLYMPUS DIGITAL CAMERA         ").details
    found = with_exif(image_0x9C9B="Tïtle\0".encode("utf-16-le"), image_0x9C9E="one;two\0".encode("utf-16-le"))
    assert found.title == "Tïtle"
    assert entities(found, "keyword") == ["one", "two"]
    for body in (
        b"ASCII\0\0\0hello",
        b"UNICODE\0" + "hello".encode("utf-16-le"),
        b"UNICODE\0" + "hello".encode("utf-16-be"),
        bytes(8) + b"hello\0\0",
    ):
        assert with_exif(exif_0x9286=body).details["description"] == "hello"
    author = with_exif(image_0x013B="Ann; Bob")
    assert entities(author, "creator") == ["Ann", "Bob"]


RECORDS = [
    (1, 90, b"\x1b%G"),
    (2, 5, b"Harbour"),
    (2, 25, "Häfen".encode()),
    (2, 25, b"boats"),
    (2, 55, b"20230401"),
    (2, 60, b"101112+0200"),
    (2, 80, b"Ann Example"),
    (2, 90, b"Kiel"),
    (2, 101, b"Germany"),
    (2, 116, b"(c) Ann"),
    (2, 120, b"Boats at rest."),
]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(iptc_segment(RECORDS)),
        tiff(Directory({0x83BB: iptc(RECORDS)})),
        tiff(Directory({0x8649: image_resource(0x0425, b"12345") + image_resource(0x0404, iptc(RECORDS))})),
        png(text_chunk("Raw profile type iptc", f"\niptc\n{len(iptc(RECORDS)):8}\n{iptc(RECORDS).hex()}\n")),
    ],
    ids=["jpeg", "tiff", "tiff with Photoshop's", "png"],
)
def test_iptc(data: bytes) -> None:
    found = read(data)
    assert found.problem is None
    assert found.title == "Harbour"
    assert found.created == "2023-04-01T10:11:12+02:00"
    assert entities(found, "keyword") == ["Häfen", "boats"]
    assert entities(found, "creator") == ["Ann Example"]
    expected = {"description": "Boats at rest.", "copyright": "(c) Ann", "city": "Kiel", "country": "Germany"}
    assert {key: found.details.get(key) for key in expected} == expected


def test_a_block_of_iptc_goes_on_in_the_next_segment() -> None:
    whole = image_resource(0x0404, iptc(RECORDS))
    parts = [segment(0xED, b"Photoshop 3.0\0" + part) for part in (whole[:50], whole[50:])]
    assert read(jpeg(*parts)).title == "Harbour"


def test_xmp_alone() -> None:
    elements = (
        '<xmp:History xmlns:xmp="urn:other"><rdf:li photoshop:Headline="not this"/></xmp:History>'
        + rdf_list("dc:title", "Alt", "Title")
        + rdf_list("dc:description", "Alt", "What it shows")
        + rdf_list("dc:creator", "Seq", "Ann", "Bob")
        + rdf_list("lr:hierarchicalSubject", "Bag", "Places|Italy|Rome")
        + rdf_list("digiKam:TagsList", "Seq", "Places/Italy/Rome", "red")
        + rdf_list("Iptc4xmpExt:PersonInImage", "Bag", "Cleo")
        + "<exif:GPSLatitude>41,53.5N</exif:GPSLatitude>"
        + '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>'
        + '<rdf:li><rdf:Description mwg-rs:Name="Dora" mwg-rs:Type="Face"/></rdf:li>'
        + '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Emil</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>'
        + '<rdf:li mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>'
    )
    attributes = {
        "xmp:Rating": "-1",
        "xmp:CreateDate": "2020-02-03",
        "exif:GPSLongitude": "12,29,24W",
        "exif:GPSAltitude": "210/10",
        "exif:GPSAltitudeRef": "1",
        "exif:FNumber": "28/10",
        "exif:ExposureTime": "1/0",
        "exifEX:LensModel": "A lens",
        "tiff:Orientation": "8",
        "GCamera:MotionPhoto": "1",
    }
    found = read(jpeg(xmp_segment(xmp(attributes, elements))))
    assert found.problem is None
    assert (found.title, found.created) == ("Title", "2020-02-03")
    assert (found.latitude, found.longitude) == (41.8916667, -12.49)
    assert entities(found, "creator") == ["Ann", "Bob"]
    assert entities(found, "depicted") == ["Cleo", "Dora", "Emil"]
    assert entities(found, "keyword") == ["Rome", "red"]
    assert found.details == {
        "description": "What it shows",
        "creators": ["Ann", "Bob"],
        "hierarchical_keywords": ["Places|Italy|Rome"],
        "rating": -1,
        "altitude": -21,
        "f_number": 2.8,
        "lens": "A lens",
        "orientation": 8,
        "motion_photo": True,
    }


def test_xmp_in_other_encodings_and_damaged() -> None:
    packet = PACKET.decode().replace("\ufeff", "")
    for encoding in ("utf-16-le", "utf-16-be", "utf-16"):
        assert read(jpeg(xmp_segment(packet.encode(encoding)))).title == "Sea & sky"
    assert read(jpeg(xmp_segment(PACKET + b"\0\0"))).problem is None
    damaged = read(jpeg(exif_segment(CAMERA), xmp_segment(PACKET[: PACKET.index(b"</rdf:RDF>")])))
    assert damaged.title == "Sea & sky"
    assert damaged.details["iso"] == 400
    assert damaged.problem
    assert "well-formed" in damaged.problem.detail


def test_who_is_believed() -> None:
    packet = xmp(
        {"tiff:Model": "XMP", "tiff:Make": "XMP"},
        rdf_list("dc:description", "Alt", "XMP") + rdf_list("dc:subject", "Bag", "BOATS", "new"),
    )
    exif = tiff(camera(image_0x010E="Exif", image_0x013B="Exif"))
    found = read(jpeg(exif_segment(exif), iptc_segment(RECORDS), xmp_segment(packet)))
    assert found.title == "Harbour"
    assert found.details["description"] == "XMP"
    assert found.details["camera_model"] == "Sample X-1"
    assert entities(found, "creator") == ["Ann Example"]
    assert entities(found, "keyword") == ["BOATS", "new", "Häfen"]
    assert found.created == "2024-05-17T18:03:11.25+02:00"


def test_sidecars() -> None:
    picture = PICTURES["picture.nef"][0]
    edited = xmp(
        {"xmp:Rating": "2", "exif:DateTimeOriginal": "2024-05-17T19:03:11"}, rdf_list("dc:title", "Alt", "Edited")
    )
    for sidecar in ("Picture.NEF.xmp", "picture.xmp", "PICTURE.XMP"):
        found = read(picture, "Picture.NEF", {sidecar: edited})
        assert (found.title, found.details["rating"]) == ("Edited", 2)
        assert found.created == "2024-05-17T19:03:11"
        assert entities(found, "keyword") == ["sea", "sky"]
        assert str(found.details["sidecar"]).lower() == sidecar.lower()
    other = xmp({"photoshop:SidecarForExtension": "CR2"}, rdf_list("dc:title", "Alt", "Other"))
    assert read(picture, "picture.nef", {"picture.xmp": other}).title == "Sea & sky"
    broken = read(picture, "picture.nef", {"picture.xmp": b"<?xml"})
    assert broken.title == "Sea & sky"
    assert broken.problem


def test_png_says_things_in_words() -> None:
    found = read(
        png(
            text_chunk("Title", "Titel"),
            text_chunk("Author", "Änn"),
            text_chunk("Creation Time", "2021-03-04T05:06:07+01:00"),
            text_chunk("Comment", "Größe"),
        )
    )
    assert (found.title, found.created) == ("Titel", "2021-03-04T05:06:07+01:00")
    assert found.details["description"] == "Größe"
    assert entities(found, "creator") == ["Änn"]
    packed = read(png(international_chunk("Title", "ティトル", packed=True)))
    assert packed.title == "ティトル"
    profile = (b"Exif\0\0" + CAMERA).hex()
    old = read(png(text_chunk("Raw profile type exif", f"\nexif\n {len(CAMERA)}\n{profile[:70]}\n{profile[70:]}\n")))
    assert old.details["camera_model"] == "Sample X-1"


def test_a_picture_that_says_a_model_made_it_is_generated() -> None:
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    found = read(jpeg(exif_segment(CAMERA), xmp_segment(xmp({"Iptc4xmpExt:DigitalSourceType": source}))))
    assert found.kind is Kind.GENERATED_IMAGE
    assert found.details["digital_source_type"] == source
    captured = source.replace("trainedAlgorithmicMedia", "digitalCapture")
    assert read(jpeg(xmp_segment(xmp({"Iptc4xmpExt:DigitalSourceType": captured})))).kind is Kind.IMAGE
