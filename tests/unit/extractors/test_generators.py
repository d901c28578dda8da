"""How pictures were made, as each program writes it."""

from __future__ import annotations

import json

import pytest

from censusd.extractors.base import Extraction, Kind
from censusd.extractors.generators import a1111
from censusd.extractors.images.extractor import Images
from tests.tools.extracting import entities, extraction
from tests.tools.pictures import (
    Directory,
    camera,
    exif_segment,
    international_chunk,
    jpeg,
    png,
    segment,
    stealth_png,
    text_chunk,
    tiff,
    user_comment,
    webp,
    xmp,
    xmp_segment,
)

PARAMETERS = """a lighthouse, (stormy sea:1.2) <lora:Waves_v2:0.8> <lora:grain:0.35:0.5>,
oil painting
Negative prompt: blurry, lowres,
extra fingers
Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 3141592653, Size: 832x1216, \
Model hash: 31e35c80fc, Model: sd_xl_base_1.0, VAE hash: 235745af8d, VAE: sdxl_vae.safetensors, \
Denoising strength: 0.4, Clip skip: 2, ADetailer prompt: "a face, \\"smiling\\": yes", Hires upscale: 1.5, \
Hires steps: 10, Hires upscaler: 4x-UltraSharp, Lora hashes: "Waves_v2: 0a1b2c3d4e5f, grain: ffeeddccbbaa", \
Version: v1.10.1"""


def read(data: bytes, name: str = "picture") -> Extraction:
    found = extraction(Images(), data, name)
    assert found.problem is None, found.problem
    return found


def comment_jpeg(text: str, encoding: str = "utf-16-be", order: str = ">") -> bytes:
    exif = Directory({0x9286: user_comment(text, encoding)})
    return jpeg(exif_segment(tiff(Directory({0x8769: exif}), order=order)))


CARRIERS = {
    "png": png(text_chunk("parameters", PARAMETERS)),
    "png, iTXt": png(international_chunk("parameters", PARAMETERS)),
    "png, packed": png(international_chunk("parameters", PARAMETERS, packed=True)),
    "jpeg": comment_jpeg(PARAMETERS),
    "jpeg, Intel's order, still big-endian": comment_jpeg(PARAMETERS, order="<"),
    "jpeg, little-endian": comment_jpeg(PARAMETERS, "utf-16-le", order="<"),
    "jpeg, UTF-8 for all that": comment_jpeg(PARAMETERS, "utf-8"),
    "jpeg, ASCII": jpeg(
        exif_segment(tiff(Directory({0x8769: Directory({0x9286: b"ASCII\0\0\0" + PARAMETERS.encode()})})))
    ),
    "jpeg, description": jpeg(exif_segment(tiff(Directory({0x010E: PARAMETERS})))),
    "jpeg, comment": jpeg(segment(0xFE, PARAMETERS.encode())),
    "jpeg, XMP": jpeg(xmp_segment(xmp({}, f"<exif:UserComment>{PARAMETERS.replace('<', '&lt;')}</exif:UserComment>"))),
    "webp": webp((b"EXIF", tiff(Directory({0x8769: Directory({0x9286: user_comment(PARAMETERS)})})))),
    "hidden in alpha": stealth_png(PARAMETERS),
    "hidden in alpha, plain": stealth_png(PARAMETERS, packed=False, width=128),
    "hidden in colours": stealth_png(PARAMETERS, mode="rgb"),
    "hidden in colours, plain": stealth_png(PARAMETERS, mode="rgb", packed=False, height=100),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_parameters_wherever_they_stand(carrier: str) -> None:
    found = read(CARRIERS[carrier])
    assert found.kind is Kind.GENERATED_IMAGE
    assert found.title is None
    assert found.details == {
        "generator": "AUTOMATIC1111",
        "generator_version": "v1.10.1",
        "prompt": "a lighthouse, (stormy sea:1.2) <lora:Waves_v2:0.8> <lora:grain:0.35:0.5>,\noil painting",
        "negative_prompt": "blurry, lowres,\nextra fingers",
        "model": "sd_xl_base_1.0",
        "model_hash": "31e35c80fc",
        "vae": "sdxl_vae",
        "seed": 3141592653,
        "steps": 28,
        "sampler": "DPM++ 2M",
        "scheduler": "Karras",
        "cfg_scale": 6.5,
        "denoise": 0.4,
        "clip_skip": 2,
        "size": "832x1216",
        "loras": [
            {"name": "Waves_v2", "weight": 0.8, "hash": "0a1b2c3d4e5f"},
            {"name": "grain", "weight": 0.35, "hash": "ffeeddccbbaa"},
        ],
        "parameters": {
            "VAE hash": "235745af8d",
            "ADetailer prompt": 'a face, "smiling": yes',
            "Hires upscale": "1.5",
            "Hires steps": "10",
            "Hires upscaler": "4x-UltraSharp",
            "Lora hashes": "Waves_v2: 0a1b2c3d4e5f, grain: ffeeddccbbaa",
        },
    }
    assert entities(found, "model") == ["sd_xl_base_1.0"]
    assert entities(found, "lora") == ["Waves_v2", "grain"]


def test_a_photo_that_was_worked_on_by_a_model_is_both() -> None:
    exif = camera(exif_0x9286=user_comment(PARAMETERS))
    found = read(jpeg(exif_segment(tiff(exif))))
    assert found.kind is Kind.GENERATED_IMAGE
    assert found.details["camera_model"] == "Sample X-1"
    assert found.details["seed"] == 3141592653
    assert found.latitude == -33.8570833
    assert "description" not in found.details


SETTINGS = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"


@pytest.mark.parametrize(
    ("written", "prompt", "negative", "settings"),
    [
        (f"cat\nNegative prompt: dog\n{SETTINGS}", "cat", "dog", {"Steps": "20", "Size": "512x768"}),
        (f"cat\r\nNegative prompt: dog\r\n{SETTINGS}\r\n", "cat", "dog", {"Steps": "20"}),
        (f"cat\n{SETTINGS}", "cat", None, {"Seed": "1"}),
        (f"\n{SETTINGS}", "", None, {"Seed": "1"}),
        (f"Negative prompt: dog\n{SETTINGS}", "", "dog", {"Seed": "1"}),
        ("cat\nNegative prompt: dog", "cat", "dog", {}),
        (
            f"a sign that says Negative prompt: no\nNegative prompt: dog\n{SETTINGS}",
            "a sign that says Negative prompt: no",
            "dog",
            {},
        ),
        (f"cat\nNegative prompt: dog, Negative prompt: again\n{SETTINGS}", "cat", "dog, Negative prompt: again", {}),
        (f"cat Negative prompt: dog {SETTINGS}", "cat", "dog", {"Steps": "20", "Seed": "1"}),
        (f"Steps: 3 to happiness\n{SETTINGS}", "Steps: 3 to happiness", None, {"Steps": "20"}),
        (
            f"like this:\n{SETTINGS}\nbut red\nNegative prompt: x\nSteps: 9, Seed: 2",
            f"like this:\n{SETTINGS}\nbut red",
            "x",
            {"Steps": "9", "Seed": "2"},
        ),
        ("cat\nSeed: 1, Sampler: Euler, CFG scale: 7", "cat", None, {"Seed": "1", "CFG scale": "7"}),
        ("only words, and: more", "only words, and: more", None, {}),
        (
            f"cat\n{SETTINGS}, Model: one, two (v1), Version: v1.6",
            "cat",
            None,
            {"Model": "one, two (v1)", "Version": "v1.6"},
        ),
        (
            f'cat\n{SETTINGS}, Note: "a, b: \\"c\\"\\nd", Version: v1.6',
            "cat",
            None,
            {"Note": 'a, b: "c"\nd', "Version": "v1.6"},
        ),
        (
            f'cat\n{SETTINGS}, Note: "never closed, Version: v1.6',
            "cat",
            None,
            {"Note": '"never closed', "Version": "v1.6"},
        ),
        (
            f"cat\n{SETTINGS}, Styles: ['a, b', 'c'], Version: v1.6",
            "cat",
            None,
            {"Styles": "['a, b', 'c']", "Version": "v1.6"},
        ),
        (
            f'cat\n{SETTINGS}, Civitai resources: [{{"type":"checkpoint","modelName":"X, Y"}}], Civitai metadata: {{}}',
            "cat",
            None,
            {"Civitai resources": [{"type": "checkpoint", "modelName": "X, Y"}], "Civitai metadata": {}},
        ),
        (
            f"cat\n{SETTINGS}\nTemplate: {{a|b}}: cat,\nnext line\nNegative Template: dog: 2",
            "cat",
            None,
            {"Size": "512x768", "Template": "{a|b}: cat,\nnext line", "Negative Template": "dog: 2"},
        ),
        (
            f'cat\n{SETTINGS}, ControlNet 0: "Module: canny, Weight: 1.0", NGMS: 0.2,',
            "cat",
            None,
            {"ControlNet 0": "Module: canny, Weight: 1.0", "NGMS": "0.2"},
        ),
    ],
)
def test_parameters_in_words(written: str, prompt: str, negative: str | None, settings: dict[str, object]) -> None:
    found_prompt, found_negative, found_settings = a1111.split(written)
    assert (found_prompt, found_negative) == (prompt, negative)
    assert {name: found_settings.get(name) for name in settings} == settings


@pytest.mark.parametrize(
    ("version", "generator", "number"),
    [
        ("Version: v1.10.1", "AUTOMATIC1111", "v1.10.1"),
        ("Version: f2.0.1v1.10.1-previous-665-gae278f79", "Forge", "f2.0.1v1.10.1-previous-665-gae278f79"),
        ("Version: neo 2.4", "Forge Neo", "2.4"),
        ("Version: 7715ff4, App: SD.Next", "SD.Next", "7715ff4"),
        ("Version: Fooocus v2.5.5", "Fooocus", "v2.5.5"),
        ("Version: ComfyUI", "ComfyUI", None),
        ("Civitai resources: []", "Civitai", None),
        ("Mask blur: 4", "AUTOMATIC1111", None),
    ],
)
def test_who_wrote_parameters_in_words(version: str, generator: str, number: str | None) -> None:
    found = read(png(text_chunk("parameters", f"cat\n{SETTINGS}, {version}"))).details
    assert (found["generator"], found.get("generator_version")) == (generator, number)


def test_loras_of_fooocus_and_by_hashes_alone() -> None:
    loras = 'Lora hashes: "one: aabb: 0.5, two: ccdd: -1.0", Version: Fooocus v2.5.5'
    assert read(png(text_chunk("parameters", f"cat\n{SETTINGS}, {loras}"))).details["loras"] == [
        {"name": "one", "weight": 0.5, "hash": "aabb"},
        {"name": "two", "weight": -1, "hash": "ccdd"},
    ]
    hashes = 'Hashes: {"model": "ff", "lora:three": "eeff"}, Distilled CFG Scale: 3.5'
    found = read(png(text_chunk("parameters", f"cat\n{SETTINGS}, {hashes}"))).details
    assert found["loras"] == [{"name": "three", "hash": "eeff"}]
    assert found["guidance"] == 3.5


INVOKE = {
    "generation_mode": "sdxl_txt2img",
    "positive_prompt": "a fox",
    "negative_prompt": "a dog",
    "width": 1024,
    "height": 768,
    "seed": 77,
    "cfg_scale": 5.5,
    "steps": 30,
    "scheduler": "dpmpp_2m_k",
    "model": {"key": "k", "hash": "blake3:abcd", "name": "Juggernaut XL v9", "base": "sdxl", "type": "main"},
    "loras": [{"model": {"name": "Ink", "hash": "blake3:ef"}, "weight": 0.75}],
    "app_version": "5.6.0",
    "canvas_v2_metadata": {"layers": []},
}


def test_invokeai() -> None:
    workflow = {"name": "w", "nodes": [{"id": "a"}], "edges": []}
    found = read(
        png(text_chunk("invokeai_metadata", json.dumps(INVOKE)), text_chunk("invokeai_workflow", json.dumps(workflow)))
    )
    expected = {
        "generator": "InvokeAI",
        "generator_version": "5.6.0",
        "prompt": "a fox",
        "negative_prompt": "a dog",
        "model": "Juggernaut XL v9",
        "model_hash": "blake3:abcd",
        "seed": 77,
        "steps": 30,
        "sampler": "dpmpp_2m_k",
        "cfg_scale": 5.5,
        "size": "1024x768",
        "loras": [{"name": "Ink", "weight": 0.75, "hash": "blake3:ef"}],
        "parameters": {"generation_mode": "sdxl_txt2img", "canvas_v2_metadata": {"layers": []}},
        "workflow": workflow,
    }
    assert found.details == expected
    older = INVOKE | {
        "model": {"model_name": "sd-1", "base_model": "sd-1"},
        "loras": [{"lora": {"model_name": "Ink"}, "weight": 1}],
    }
    three = read(png(text_chunk("invokeai_metadata", json.dumps(older)))).details
    assert (three["model"], three["loras"]) == ("sd-1", [{"name": "Ink", "weight": 1}])


def test_invokeai_before_3() -> None:
    image = {
        "prompt": [{"prompt": "a fox [a dog]", "weight": 1}],
        "steps": 50,
        "cfg_scale": 7.5,
        "seed": 5,
        "sampler": "k_lms",
        "width": 512,
        "height": 640,
    }
    metadata = {
        "model": "stable diffusion",
        "model_weights": "analog",
        "model_hash": "56d1",
        "app_version": "2.3.0",
        "image": image,
    }
    command = '"a fox [a dog]" -s 50 -S 5 -W 512 -H 640 -C 7.5 -A k_lms'
    for chunks in (
        [text_chunk("Dream", command), text_chunk("sd-metadata", json.dumps(metadata))],
        [text_chunk("Dream", command)],
    ):
        found = read(png(*chunks)).details
        assert (found["generator"], found["prompt"], found["negative_prompt"]) == ("InvokeAI", "a fox", "a dog")
        assert (found["steps"], found["cfg_scale"], found["seed"], found["sampler"]) == (50, 7.5, 5, "k_lms")
        assert found["size"] == "512x640"
        assert found.get("model") == ("analog" if len(chunks) == 2 else None)
    assert read(png(text_chunk("Dream", '"it"s a fox" -s 9'))).details["steps"] == 9


NOVELAI = {
    "Title": "NovelAI generated image",
    "Description": "1girl, harbour",
    "Software": "NovelAI",
    "Source": "NovelAI Diffusion V4.5 4BDE2A90",
    "Comment": json.dumps(
        {
            "prompt": "1girl, harbour",
            "steps": 28,
            "height": 1216,
            "width": 832,
            "scale": 5.0,
            "cfg_rescale": 0.0,
            "seed": 2853718249,
            "noise_schedule": "karras",
            "sampler": "k_euler_ancestral",
            "v4_prompt": {
                "caption": {
                    "base_caption": "1girl, harbour",
                    "char_captions": [{"char_caption": "girl, red hair", "centers": []}],
                }
            },
            "v4_negative_prompt": {"caption": {"base_caption": "lowres", "char_captions": []}},
            "uc": "lowres",
            "signed_hash": "abc",
        }
    ),
}


@pytest.mark.parametrize(
    "data",
    [
        png(*(text_chunk(name, text) for name, text in NOVELAI.items())),
        stealth_png(json.dumps(NOVELAI)),
        webp((b"EXIF", tiff(Directory({0x8769: Directory({0x9286: user_comment(json.dumps(NOVELAI))})})))),
    ],
    ids=["png", "hidden", "webp"],
)
def test_novelai(data: bytes) -> None:
    found = read(data)
    assert found.title is None
    assert found.details == {
        "generator": "NovelAI",
        "prompt": "1girl, harbour\ngirl, red hair",
        "negative_prompt": "lowres",
        "model": "NovelAI Diffusion V4.5",
        "model_hash": "4BDE2A90",
        "seed": 2853718249,
        "steps": 28,
        "sampler": "k_euler_ancestral",
        "scheduler": "karras",
        "cfg_scale": 5,
        "size": "832x1216",
        "parameters": {
            "cfg_rescale": 0.0,
            "v4_prompt": json.loads(NOVELAI["Comment"])["v4_prompt"],
            "v4_negative_prompt": json.loads(NOVELAI["Comment"])["v4_negative_prompt"],
        },
    }


FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juggernautXL_v8.safetensors",
    "base_model_hash": "aeb7e9e689",
    "clip_skip": 2,
    "full_prompt": ["cinematic still of a goldfish"],
    "guidance_scale": 4,
    "loras": [["sd_xl_offset.safetensors", 0.1, "4852686128"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "",
    "performance": "Speed",
    "prompt": "a goldfish",
    "resolution": "(768, 1280)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "6952411511246973023",
    "steps": 30,
    "styles": "['Fooocus V2']",
    "vae": "Default (model)",
    "version": "Fooocus v2.5.5",
}


@pytest.mark.parametrize(
    "data",
    [
        png(text_chunk("fooocus_scheme", "fooocus"), text_chunk("parameters", json.dumps(FOOOCUS))),
        comment_jpeg(json.dumps(FOOOCUS)),
        jpeg(
            exif_segment(
                tiff(
                    Directory(
                        {
                            0x0131: "Fooocus v2.5.5",
                            0x8769: Directory(
                                {0x927C: b"fooocus", 0x9286: b"ASCII\0\0\0" + json.dumps(FOOOCUS).encode()}
                            ),
                        }
                    )
                )
            )
        ),
    ],
    ids=["png", "jpeg", "jpeg, as written by it"],
)
def test_fooocus(data: bytes) -> None:
    found = read(data).details
    expected = {
        "generator": "Fooocus",
        "generator_version": "v2.5.5",
        "prompt": "a goldfish",
        "model": "juggernautXL_v8",
        "model_hash": "aeb7e9e689",
        "seed": 6952411511246973023,
        "steps": 30,
        "sampler": "dpmpp_2m_sde_gpu",
        "scheduler": "karras",
        "cfg_scale": 4,
        "clip_skip": 2,
        "size": "768x1280",
        "loras": [{"name": "sd_xl_offset", "weight": 0.1, "hash": "4852686128"}],
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not {"negative_prompt", "vae"} & found.keys()
    parameters = found["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["performance"] == "Speed"


def test_older_and_related_fooocus() -> None:
    old = {
        "Prompt": "a",
        "Negative Prompt": "b",
        "Styles": "[]",
        "Performance": "Speed",
        "Resolution": "(896, 1152)",
        "Base Model": "m.safetensors",
        "Seed": "1",
        "LoRA 1": "x.safetensors : 0.5",
        "Version": "v2.1.865",
    }
    found = read(png(text_chunk("parameters", json.dumps(old)))).details
    assert (found["generator"], found["size"], found["loras"]) == (
        "Fooocus",
        "896x1152",
        [{"name": "x", "weight": 0.5}],
    )
    ruined = {
        "Prompt": "a",
        "Negative": "b",
        "steps": 30,
        "cfg": 8,
        "width": 64,
        "height": 48,
        "seed": 3,
        "sampler_name": "euler",
        "scheduler": "simple",
        "base_model_name": "m.safetensors",
        "loras": [],
        "software": "RuinedFooocus",
    }
    found = read(png(text_chunk("parameters", json.dumps(ruined)))).details
    assert (found["generator"], found["negative_prompt"], found["model"], found["size"]) == (
        "RuinedFooocus",
        "b",
        "m",
        "64x48",
    )


SWARM: dict[str, dict[str, object] | list[dict[str, str]]] = {
    "sui_image_params": {
        "prompt": "a kite <segment:face> smiling",
        "negativeprompt": "rain",
        "model": "Flux/flux1-dev-fp8.safetensors",
        "seed": 42,
        "steps": 20,
        "cfgscale": 1.0,
        "fluxguidancescale": 3.5,
        "width": 1344,
        "height": 768,
        "sampler": "euler",
        "scheduler": "simple",
        "loras": ["flux/Ink", "Grain"],
        "loraweights": ["0.8", "1"],
        "swarm_version": "0.9.6.1",
        "automaticvae": True,
    },
    "sui_extra_data": {"date": "2025-01-02"},
    "sui_models": [
        {"name": "Flux/flux1-dev-fp8.safetensors", "param": "model", "hash": "0xb1f3"},
        {"name": "flux/Ink.safetensors", "param": "loras", "hash": "0x11"},
    ],
}


@pytest.mark.parametrize(
    "data",
    [png(text_chunk("parameters", json.dumps(SWARM))), comment_jpeg(json.dumps(SWARM, indent=2))],
    ids=["png", "jpeg"],
)
def test_swarmui(data: bytes) -> None:
    assert read(data).details == {
        "generator": "SwarmUI",
        "generator_version": "0.9.6.1",
        "prompt": "a kite <segment:face> smiling",
        "negative_prompt": "rain",
        "model": "flux1-dev-fp8",
        "model_hash": "b1f3",
        "seed": 42,
        "steps": 20,
        "sampler": "euler",
        "scheduler": "simple",
        "cfg_scale": 1,
        "guidance": 3.5,
        "size": "1344x768",
        "loras": [{"name": "Ink", "weight": 0.8, "hash": "11"}, {"name": "Grain", "weight": 1}],
        "parameters": {"automaticvae": True},
    }


@pytest.mark.parametrize(
    "chunks",
    [
        [text_chunk("Description", "a {curly} remark"), text_chunk("Software", "GIMP")],
        [text_chunk("parameters", "nothing of the kind")],
        [text_chunk("parameters", "{not json")],
        [text_chunk("prompt", "a word")],
        [text_chunk("prompt", "{}"), text_chunk("workflow", "[1, 2]")],
        [text_chunk("prompt", '{"1": {"class_type": 5}, "2": []}')],
        [text_chunk("Comment", '{"steps": 5}')],
        [text_chunk("invokeai_metadata", "null"), text_chunk("sd-metadata", "[]")],
        [text_chunk("Software", "NovelAI's friend")],
    ],
)
def test_what_no_generator_wrote(chunks: list[bytes]) -> None:
    found = read(png(*chunks))
    assert found.kind is Kind.IMAGE
    assert "generator" not in found.details


WRONG: list[object] = [None, 1, "x", [], [1], {}, {"a": 1}, [[]], True, [{}], {"name": {}}, "9" * 5000]
SHAPES = {"invokeai_metadata": INVOKE, "parameters": FOOOCUS, "Comment": json.loads(NOVELAI["Comment"])}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: str(value)[:20])
def test_json_of_the_wrong_shape_hurts_nobody(wrong: object) -> None:
    for keyword, original in SHAPES.items():
        for name in original:
            data = png(text_chunk("Software", "NovelAI"), text_chunk(keyword, json.dumps(original | {name: wrong})))
            assert extraction(Images(), data, "x.png").problem is None
    swarm = SWARM["sui_image_params"]
    assert isinstance(swarm, dict)
    for name in swarm:
        whole = json.dumps({"sui_image_params": swarm | {name: wrong}, "sui_models": wrong})
        assert extraction(Images(), png(text_chunk("parameters", whole)), "x.png").problem is None
    old = json.dumps({"image": wrong, "model": wrong})
    assert extraction(Images(), png(text_chunk("sd-metadata", old)), "x.png").problem is None
