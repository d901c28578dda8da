"""Pictures that are cut off, damaged, or made to do harm: bounded time and memory, and what was read is kept."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from censusd.extractors.base import Extraction
from censusd.extractors.generators.find import find
from censusd.extractors.images.extractor import Images
from censusd.extractors.reading import FormatError
from tests.tools.extracting import cuts, extract, mutated, peak_memory
from tests.tools.pictures import (
    Directory,
    box,
    chunk,
    cr3,
    exif_segment,
    full_box,
    gif,
    international_chunk,
    jpeg,
    png,
    raf,
    segment,
    text_chunk,
    tiff,
    webp,
    xmp,
    xmp_segment,
)
from tests.unit.extractors import test_comfyui, test_generators, test_images

PICTURES = {name: data for name, (data, _) in test_images.PICTURES.items()} | {
    "picture.gif": gif(b"\x21\xfe\5hello\0", frames=3),
    "hidden.png": test_generators.CARRIERS["hidden in alpha"],
    "words.jpg": test_generators.CARRIERS["jpeg"],
    "graph.png": test_comfyui.CARRIERS["png"][0],
    "graph.webp": test_comfyui.CARRIERS["webp, make and model"][0],
}
MIB = 1 << 20


def problem(data: bytes, name: str = "x") -> str | None:
    found = extract(Images(), data, name)
    trouble = found.problem if isinstance(found, Extraction) else found
    return trouble.detail if trouble else None


@pytest.mark.parametrize("name", PICTURES)
def test_cut_off_anywhere(name: str) -> None:
    data = PICTURES[name]
    whole = problem(data, name)
    assert whole is None
    for part in cuts(data, max(1, len(data) // 400)):
        found = extract(Images(), part, name)
        if (
            Images().takes(part, name)
            and len(part) < len(data) // 2
            and not name.endswith((".cr2", ".cr3", ".orf", ".rw2"))
        ):
            assert not isinstance(found, Extraction) or found.problem, f"{name} cut off at {len(part)}"


def test_what_was_read_before_the_damage_is_kept() -> None:
    data = PICTURES["intel.jpg"]
    cut = extract(Images(), data[: data.index(b"http://")], "x.jpg")
    assert isinstance(cut, Extraction)
    assert cut.problem
    assert (cut.details["camera_model"], cut.latitude) == ("Sample X-1", -33.8570833)
    wrong = extract(Images(), jpeg(exif_segment(b"no TIFF at all"), xmp_segment(test_images.PACKET)), "x.jpg")
    assert isinstance(wrong, Extraction)
    assert (wrong.title, wrong.width) == ("Sea & sky", 64)
    assert wrong.problem
    assert "TIFF" in wrong.problem.detail
    astray = extract(Images(), b"\xff\xd8" + exif_segment(test_images.CAMERA) + bytes(50), "x.jpg")
    assert isinstance(astray, Extraction)
    assert astray.details["iso"] == 400
    assert astray.problem


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=mutated(list(PICTURES.values())), name=st.sampled_from(list(PICTURES)))
def test_damaged_files(data: bytes, name: str) -> None:
    try:
        extract(Images(), data, name)
    except FormatError as error:  # no other exception is this code's own
        pytest.fail(f"{error} came through")


HEADS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\xff\xff\xff\x7fWEBP",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"IIRO",
    b"IIU\0",
]
HEADS += [
    b"FUJIFILMCCD-RAW ",
    b"\0\0\0\x10ftypcrx \0\0\0\0",
    b"\0\0\0\x10ftypheic\0\0\0\0",
    b"\0\0\0\x14ftypmif1\0\0\0\0avif",
]


@settings(max_examples=250, deadline=None)
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=600))
def test_any_bytes(head: bytes, rest: bytes) -> None:
    extract(Images(), head + rest, "x")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([["1", 0], ["2", 1], "KSampler", "1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "class_type",
                    "inputs",
                    "positive",
                    "text",
                    "model",
                    "seed",
                    "steps",
                    "lora_1",
                    "nodes",
                    "links",
                    "1",
                    "2",
                    "id",
                    "type",
                ]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None)
@given(
    keyword=st.sampled_from(
        [
            "prompt",
            "workflow",
            "parameters",
            "invokeai_metadata",
            "sd-metadata",
            "Comment",
            "exif:UserComment",
            "exif:Make",
            "Dream",
        ]
    ),
    value=JSON,
)
def test_any_json_under_any_keyword(keyword: str, value: object) -> None:
    generation, _ = find([("Software", "NovelAI"), (keyword, json.dumps(value)), ("prompt", json.dumps({"1": value}))])
    if generation:
        json.dumps(generation.details(), allow_nan=True)


@settings(max_examples=250, deadline=None)
@given(text=st.text(alphabet=list('Steps: 20, Negative prompt:\n"\\[]{}<lora:a:1>,= \0\ud800xX9-'), max_size=300))
def test_any_words(text: str) -> None:
    find([("parameters", f"{text}\nSteps: 20, Seed: 1, {text}"), ("Dream", text)])


def directory(count: int, entries: bytes, link: int = 0) -> bytes:
    return struct.pack("<H", count) + entries + struct.pack("<I", link)


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def in_jpeg(directories: bytes) -> bytes:
    return jpeg(exif_segment(b"II*\0\x08\0\0\0" + directories))


def bomb(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&j;</x:xmpmeta>"
)
HOSTILE: dict[str, Callable[[], bytes]] = {
    "directory that follows itself": lambda: b"II*\0\x08\0\0\0" + directory(1, entry(0x0100, 3, 1, 8), 8),
    "Exif directory in itself": lambda: in_jpeg(directory(2, entry(0x8769, 4, 1, 8) + entry(0x8825, 4, 1, 8))),
    "sub-directories in themselves": lambda: b"II*\0\x08\0\0\0" + directory(1, entry(0x014A, 4, 16, 8), 8),
    "values of four billion": lambda: in_jpeg(
        directory(
            4,
            b"".join(
                entry(tag, kind, 0xFFFF_FFFF, 8) for tag, kind in ((0x010E, 2), (0x0112, 3), (0x829A, 5), (0x0110, 7))
            ),
        )
    ),
    "values behind the end": lambda: in_jpeg(
        directory(2, entry(0x010F, 2, 100, 0xFFFF_FFF0) + entry(0x8769, 4, 1, 0xFFFF_FFF0))
    ),
    "unknown types": lambda: in_jpeg(directory(2, entry(0x010F, 99, 1, 8) + entry(0x0110, 0, 1, 8))),
    "65535 entries": lambda: in_jpeg(struct.pack("<H", 65_535) + bytes(40_000)),
    "a thousand directories": lambda: (
        b"II*\0\x08\0\0\0" + b"".join(directory(1, entry(0x0100, 3, 1, 8), 8 + 18 * (n + 1)) for n in range(50_000))
    ),
    "many Exif segments": lambda: jpeg(*[exif_segment(test_images.CAMERA)] * 3000),
    "many XMP segments": lambda: jpeg(*[xmp_segment(test_images.PACKET)] * 3000),
    "segments without an end": lambda: b"\xff\xd8" + b"\xff\xe0\0\2" * 500_000,
    "fill bytes without an end": lambda: b"\xff\xd8\xff" + b"\xff" * (4 * MIB),
    "a segment shorter than itself": lambda: b"\xff\xd8\xff\xe1\0\1" + bytes(100),
    "text bomb": lambda: png(chunk(b"zTXt", b"parameters\0\0" + bomb(64 * MIB))),
    "many text bombs": lambda: png(*[chunk(b"zTXt", b"parameters\0\0" + bomb(16 * MIB))] * 50),
    "many broken text bombs": lambda: png(*[chunk(b"zTXt", b"x\0\0" + bomb(MIB)[:-9])] * 2000),
    "XMP bomb": lambda: png(*[chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb(16 * MIB))] * 50),
    "many small chunks": lambda: png(*[chunk(b"tEXt", b"a\0b")] * 5_000),
    "a chunk of two gigabytes": lambda: png()[:33] + b"\x7f\xff\xff\xfftEXtparameters\0",
    "a huge picture": lambda: png(width=0xFFFF_FFFF, height=0xFFFF_FFFF, rows=b"\0", colour=6),
    "a hidden text longer than its picture": lambda: png(
        rows=hidden_rows(b"stealth_pnginfo\0\x0f\xff\xff"), colour=6, height=200
    ),
    "a hidden bomb": lambda: stealth_png_of(gzip.compress(bytes(8 * MIB))),
    "laughs": lambda: jpeg(xmp_segment(LAUGHS.encode())),
    "XMP that is deep": lambda: jpeg(xmp_segment(("<a>" * 15_000).encode())),
    "XMP that is wide": lambda: png(international_chunk("XML:com.adobe.xmp", f"<a>{'<b/>' * 200_000}</a>")),
    "XMP with a long name": lambda: png(international_chunk("XML:com.adobe.xmp", f"<{'a' * 3_000_000}/>")),
    "GIF of tiny blocks": lambda: b"GIF89a\1\0\1\0\0\0\0" + b"\x21\xfe" + b"\1x" * (MIB // 4),
    "GIF of empty extensions": lambda: b"GIF89a\1\0\1\0\0\0\0" + b"\x21\xf9\0" * (MIB // 4),
    "GIF of XMP": lambda: b"GIF89a\1\0\1\0\0\0\0" + (b"\x21\xff\x0bXMP DataXMP" + b"<a>" + bytes(1)) * 100_000,
    "WebP of two gigabytes": lambda: b"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\x7f" + bytes(100),
    "WebP of empty chunks": lambda: b"RIFF\xff\xff\xff\x7fWEBP" + b"ABCD\0\0\0\0" * 30_000,
    "HEIF whose items are everywhere": lambda: heif_with(
        full_box(
            b"iloc", b"\x44\0\xff\xff", (struct.pack(">HHH", 2, 0, 64) + struct.pack(">II", 0, 60_000) * 64) * 2000
        )
    ),
    "HEIF of a million properties": lambda: heif_with(box(b"iprp", box(b"ipco", b"\0\0\0\x08free" * 200_000))),
    "HEIF of empty boxes": lambda: b"\0\0\0\x10ftypheic\0\0\0\0" + b"\0\0\0\x08free" * 300_000,
    "CR3 of many pieces": lambda: cr3_with(box(b"CMT1", tiff(Directory({0x0100: 1}))) * 20_000),
    "RAF in itself": lambda: raf(b"", 1, 1)[:84] + struct.pack(">II", 0, 0xFFFF_FFFF) + bytes(100),
    "JSON that is deep": lambda: png(text_chunk("prompt", "[" * 1_000_000), text_chunk("workflow", '{"a":' * 500_000)),
    "JSON of many objects": lambda: png(international_chunk("prompt", "[" + "{}," * 400_000 + "{}]")),
    "JSON with a number of a million digits": lambda: png(
        text_chunk("prompt", f'{{"1": {{"class_type": "K", "inputs": {{"seed": {"9" * 1_000_000}}}}}}}')
    ),
    "words of commas": lambda: png(text_chunk("parameters", "x\nSteps: 1, " + ", " * 20_000)),
    "words of brackets": lambda: png(text_chunk("parameters", "x\nSteps: 1, Seed: 2" + ", A: [" * 100_000)),
    "words of quotes": lambda: png(text_chunk("parameters", "x\nSteps: 1, Seed: 2" + ', A: "' * 100_000)),
    "words of lines": lambda: png(text_chunk("parameters", "x\nSteps: 1, Seed: 2\nTemplate: a" + "\n" * 900_000)),
    "words of LoRAs": lambda: png(text_chunk("parameters", "<lora:" * 200_000 + "\nSteps: 1, Seed: 2")),
    "a command line of quotes": lambda: png(text_chunk("Dream", "\"'" * 32_000 + " -s 1")),
    "comments": lambda: jpeg(*[segment(0xFE, b"{" * 60_000)] * 300),
    "animated without an end": lambda: webp(*[(b"ANMF", bytes(24))] * 8_000),
}


def hidden_rows(data: bytes, width: int = 64, height: int = 200) -> bytes:
    """Unfiltered rows with these bytes in the lowest bits of alpha."""
    bits = [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]
    rows = [bytearray(1 + width * 4) for _ in range(height)]
    for number, bit in enumerate(bits):
        column, row = divmod(number, height)
        rows[row][4 + column * 4] = bit
    return b"".join(map(bytes, rows))


def stealth_png_of(packed: bytes) -> bytes:
    data = b"stealth_pngcomp" + struct.pack(">I", len(packed) * 8) + packed
    return png(rows=hidden_rows(data, height=2000), colour=6, height=2000)


def heif_with(part: bytes) -> bytes:
    return box(b"ftyp", b"heic", bytes(4)) + full_box(
        b"meta",
        full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        full_box(b"iinf", b"\0\1", full_box(b"infe", b"\0\2\0\0Exif\0", version=2)),
        part,
    )


def cr3_with(parts: bytes) -> bytes:
    good = cr3(Directory({0x0100: 1}), Directory({0x9003: ""}), Directory({1: "N"}), xmp())
    canon = box(b"uuid", bytes.fromhex("85c0b687820f11e08111f4ce462b6a48"), parts)
    return good[:28] + box(b"moov", canon)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_cost_little(name: str) -> None:
    data = HOSTILE[name]()
    memory = peak_memory(lambda: extract(Images(), data, "x"))  # asserts how long it takes, too
    assert memory < 300 * MIB + len(data), f"{memory / MIB:.0f} MiB"
