"""ComfyUI's graphs: which of many texts was the prompt, and which of many numbers the seed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest

from censusd.extractors.generators import comfyui
from censusd.extractors.generators.base import Generation
from censusd.extractors.images.extractor import Images
from tests.tools.extracting import entities, extraction
from tests.tools.pictures import Directory, chunk, exif_segment, jpeg, png, text_chunk, tiff, user_comment, webp

LINK = re.compile(r"@(\w+)\.(\d+)")
INPUT = re.compile(r" *(\w+)=")
Prompt = dict[str, dict[str, object]]


def graph(text: str) -> Prompt:
    """A prompt from lines: an id, a class, a colon, and inputs: JSON, or ``@4.1`` for output 1 of node 4."""
    prompt: Prompt = {}
    for line in re.sub(r"\n\s+(?=\w+=)", " ", text).strip().splitlines():
        start, _, rest = line.strip().partition(": ")
        key, _, kind = start.partition(" ")
        inputs: dict[str, object] = {}
        at = 0
        while match := INPUT.match(rest, at):
            if link := LINK.match(rest, match.end()):
                inputs[match[1]], at = [link[1], int(link[2])], link.end()
            else:
                inputs[match[1]], at = json.JSONDecoder().raw_decode(rest, match.end())
        prompt[key] = {"class_type": kind, "inputs": inputs}
    return prompt


def read(prompt: Prompt) -> Generation:
    found = comfyui.read({"prompt": json.dumps(prompt)})
    assert found is not None
    return found


BASIC = graph(r"""
1 Note: text="not the prompt"
2 CLIPTextEncode: text="nobody uses this" clip=@4.1
3 KSampler: seed=5 steps=20 cfg=8.0 sampler_name="euler" scheduler="normal" denoise=1.0 model=@4.0
    positive=@6.0 negative=@7.0 latent_image=@5.0
4 CheckpointLoaderSimple: ckpt_name="sd\\v1-5-pruned.safetensors"
5 EmptyLatentImage: width=512 height=768 batch_size=1
6 CLIPTextEncode: text="a castle" clip=@4.1
7 CLIPTextEncode: text="blurry" clip=@4.1
8 VAEDecode: samples=@3.0 vae=@4.2
9 SaveImage: filename_prefix="text" images=@8.0
""")
WORKFLOW = {
    "last_node_id": 9,
    "nodes": [
        {
            "id": 3,
            "type": "KSampler",
            "mode": 0,
            "inputs": [
                {"name": "model", "link": 1},
                {"name": "positive", "link": 4},
                {"name": "negative", "link": 6},
                {"name": "latent_image", "link": 2},
            ],
            "widgets_values": [5, "randomize", 20, 8, "euler", "normal", 1],
        },
        {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd/v1-5-pruned.safetensors"]},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [512, 768, 1]},
        {"id": 6, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 3}], "widgets_values": ["a castle"]},
        {"id": 7, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 5}], "widgets_values": ["blurry"]},
        {
            "id": 10,
            "type": "CLIPTextEncode",
            "mode": 2,
            "inputs": [{"name": "clip", "link": 5}],
            "widgets_values": ["switched off"],
        },
        {"id": 8, "type": "VAEDecode", "inputs": [{"name": "samples", "link": 7}]},
        {"id": 1, "type": "SaveImage", "mode": 2, "inputs": [{"name": "images", "link": 11}]},
        {"id": 2, "type": "KSampler", "inputs": [{"name": "positive", "link": 4}], "widgets_values": [1, "fixed", 99]},
        {"id": 9, "type": "SaveImage", "inputs": [{"name": "images", "link": 9}], "widgets_values": ["text"]},
    ],
    "links": [
        [1, 4, 0, 3, 0, "MODEL"],
        [2, 5, 0, 3, 3, "LATENT"],
        [3, 4, 1, 6, 0, "CLIP"],
        [4, 6, 0, 3, 1, "CONDITIONING"],
        [5, 4, 1, 7, 0, "CLIP"],
        [6, 7, 0, 3, 2, "CONDITIONING"],
        [7, 3, 0, 8, 0, "LATENT"],
        [11, 2, 0, 1, 0, "IMAGE"],
        [9, 8, 0, 9, 0, "IMAGE"],
    ],
}
EXPECTED = {
    "generator": "ComfyUI",
    "prompt": "a castle",
    "negative_prompt": "blurry",
    "model": "v1-5-pruned",
    "seed": 5,
    "steps": 20,
    "sampler": "euler",
    "scheduler": "normal",
    "cfg_scale": 8,
    "denoise": 1,
    "size": "512x768",
}
PROMPT_TEXT, WORKFLOW_TEXT = json.dumps(BASIC), json.dumps(WORKFLOW)
CARRIERS = {
    "png": (png(text_chunk("prompt", PROMPT_TEXT), text_chunk("workflow", WORKFLOW_TEXT)), WORKFLOW),
    "png, prompt alone": (png(text_chunk("prompt", PROMPT_TEXT)), BASIC),
    "png, workflow alone": (png(text_chunk("workflow", WORKFLOW_TEXT)), WORKFLOW),
    "animated png": (
        png(chunk(b"comf", b"prompt\0" + PROMPT_TEXT.encode()), chunk(b"comf", b"workflow\0" + WORKFLOW_TEXT.encode())),
        WORKFLOW,
    ),
    "webp, make and model": (
        webp((b"EXIF", tiff(Directory({0x010F: f"workflow:{WORKFLOW_TEXT}", 0x0110: f"prompt:{PROMPT_TEXT}"})))),
        WORKFLOW,
    ),
    "jpeg, make and description": (
        jpeg(exif_segment(tiff(Directory({0x010E: f"Workflow: {WORKFLOW_TEXT}", 0x010F: f"Prompt: {PROMPT_TEXT}"})))),
        WORKFLOW,
    ),
    "jpeg, one object in the comment": (
        jpeg(
            exif_segment(
                tiff(
                    Directory(
                        {0x8769: Directory({0x9286: user_comment(json.dumps({"prompt": BASIC, "workflow": WORKFLOW}))})}
                    )
                )
            )
        ),
        WORKFLOW,
    ),
    "jpeg, texts in an object": (
        jpeg(
            exif_segment(
                tiff(
                    Directory(
                        {
                            0x8769: Directory(
                                {0x9286: user_comment(json.dumps({"prompt": PROMPT_TEXT, "workflow": WORKFLOW_TEXT}))}
                            )
                        }
                    )
                )
            )
        ),
        WORKFLOW,
    ),
    "jpeg, the prompt as it is": (
        jpeg(exif_segment(tiff(Directory({0x8769: Directory({0x9286: b"ASCII\0\0\0" + PROMPT_TEXT.encode()})})))),
        BASIC,
    ),
    "jpeg, the workflow as it is": (jpeg(exif_segment(tiff(Directory({0x010E: WORKFLOW_TEXT})))), WORKFLOW),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_wherever_it_stands(carrier: str) -> None:
    data, workflow = CARRIERS[carrier]
    found = extraction(Images(), data, "x")
    assert found.problem is None
    assert found.details == EXPECTED | {"workflow": workflow}
    assert entities(found, "model") == ["v1-5-pruned"]


def test_not_a_number_in_json() -> None:
    prompt = PROMPT_TEXT.replace(
        '"class_type": "VAEDecode"', '"is_changed": [NaN, Infinity], "class_type": "VAEDecode"'
    )
    found = extraction(Images(), png(text_chunk("prompt", prompt)), "x")
    assert found.details["prompt"] == "a castle"


def test_words_of_a_saver_that_writes_both_count_first() -> None:
    words = "a castle, as typed\nSteps: 20, Sampler: Euler, Seed: 5, Size: 512x768"
    found = extraction(Images(), png(text_chunk("parameters", words), text_chunk("prompt", PROMPT_TEXT)), "x").details
    assert (found["generator"], found["prompt"], found["negative_prompt"]) == (
        "ComfyUI",
        "a castle, as typed",
        "blurry",
    )
    assert (found["sampler"], found["model"], found["workflow"]) == ("Euler", "v1-5-pruned", BASIC)


def test_loras_on_the_way_to_the_model() -> None:
    loras = """
    3 KSampler: seed=5 steps=20 model=@22.0 positive=@6.0 negative=@7.0 latent_image=@5.0
    20 LoraLoader: lora_name="folder/one.safetensors" strength_model=0.5 strength_clip=1.0 model=@4.0 clip=@4.1
    21 Power Lora Loader (rgthree): lora_1={"on": true, "lora": "two.safetensors", "strength": 0.7}
        lora_2={"on": false, "lora": "off.safetensors", "strength": 1} model=@20.0
    22 CR Apply LoRA Stack: model=@21.0 lora_stack=@23.0
    23 CR LoRA Stack: switch_1="On" lora_name_1="three.safetensors" model_weight_1=0.3 lora_name_3="None"
        switch_2="Off" lora_name_2="four" model_weight_2=1
    24 LoraLoader: lora_name="elsewhere.safetensors" strength_model=1 model=@4.0
    """
    found = read(BASIC | graph(loras))
    assert found.model == "v1-5-pruned"
    assert sorted((lora.name, lora.weight) for lora in found.loras) == [("one", 0.5), ("three", 0.3), ("two", 0.7)]


def test_passes_begin_with_the_first() -> None:
    second = """
    30 LatentUpscale: samples=@3.0 width=1024 height=1536
    2 KSampler: seed=6 steps=10 cfg=6 denoise=0.5 model=@4.0 positive=@6.0 negative=@7.0 latent_image=@30.0
    31 VAEDecode: samples=@2.0
    32 VAEDecode: samples=@3.0
    1 KSampler: seed=7 steps=5 denoise=0.2 model=@4.0 positive=@6.0 negative=@7.0 latent_image=@2.0
    33 VAEDecode: samples=@1.0
    8 ImageBatch: image1=@32.0 image2=@31.0 image3=@33.0
    """
    found = read(BASIC | graph(second))
    assert (found.seed, found.width, found.height) == (5, 512, 768)
    assert [each["seed"] for each in found.passes if isinstance(each, dict)] == [5, 6, 7]


def test_of_samplers_side_by_side_the_last_counts() -> None:
    side_by_side = """
    30 KSampler: seed=7 steps=9 positive=@31.0 negative=@7.0 latent_image=@5.0 model=@4.0
    31 CLIPTextEncode: text="a corner of it" clip=@4.1
    32 LatentComposite: samples_to=@33.0 samples_from=@30.0
    33 KSampler: seed=8 steps=9 positive=@31.0 negative=@7.0 latent_image=@5.0 model=@4.0
    34 LatentComposite: samples=@32.0 samples_from=@33.0
    3 KSampler: seed=5 steps=20 positive=@6.0 negative=@7.0 latent_image=@34.0 model=@4.0
    32 LatentComposite: samples=@30.0 image=@33.0
    """
    found = read(BASIC | graph(side_by_side))
    assert (found.prompt, found.seed, len(found.passes)) == ("a castle", 5, 3)


def test_what_was_not_saved_does_not_count() -> None:
    other = {str(int(key) + 100): value for key, value in json.loads(PROMPT_TEXT.replace('["', '["10')).items()}
    other["106"]["inputs"]["text"] = "another picture"
    assert read({**BASIC, **other}).prompt == "a castle"
    preview = BASIC | graph("9 PreviewImage: images=@8.0")
    assert read({**preview, **other}).prompt == "another picture"
    other["109"]["class_type"] = "PreviewImage"
    assert read({**other, **BASIC}).prompt == "a castle"
    assert read({**other, **{key: value for key, value in BASIC.items() if key != "9"}}).prompt == "another picture"


FLUX = graph("""
5 EmptySD3LatentImage: width=1024 height=1024 batch_size=1
6 CLIPTextEncode: text=@30.0 clip=@11.0
8 VAEDecode: samples=@13.0 vae=@10.0
9 SaveImage: images=@8.0
10 VAELoader: vae_name="ae.safetensors"
11 DualCLIPLoader: clip_name1="t5xxl.safetensors" clip_name2="clip_l.safetensors"
12 UNETLoader: unet_name="flux1-dev.safetensors" weight_dtype="default"
13 SamplerCustomAdvanced: noise=@25.0 guider=@22.0 sampler=@16.0 sigmas=@17.0 latent_image=@5.0
16 KSamplerSelect: sampler_name="dpmpp_2m"
17 BasicScheduler: scheduler="sgm_uniform" steps=@31.0 denoise=1.0 model=@12.0
22 BasicGuider: model=@12.0 conditioning=@26.0
25 RandomNoise: noise_seed=@32.0
26 FluxGuidance: guidance=3.5 conditioning=@6.0
30 StringConcatenate: string_a="a fox" string_b=@33.0 delimiter=" in "
31 PrimitiveInt: value=24
32 Seed (rgthree): seed=18446744073709551615
33 PrimitiveStringMultiline: value="deep snow"
""")


def test_flux_by_guiders_noise_and_sigmas() -> None:
    found = read(FLUX)
    assert (found.prompt, found.negative_prompt) == ("a fox in deep snow", None)
    assert (found.model, found.guidance, found.seed, found.steps) == ("flux1-dev", 3.5, 18446744073709551615, 24)
    assert (found.sampler, found.scheduler, found.denoise) == ("dpmpp_2m", "sgm_uniform", 1)
    assert (found.width, found.height, found.cfg_scale) == (1024, 1024, None)
    stored = extraction(Images(), png(text_chunk("prompt", json.dumps(FLUX))), "x")
    assert stored.details["seed"] == 18446744073709551615


@pytest.mark.parametrize(
    ("base", "changes", "positive", "negative"),
    [
        (
            FLUX,
            """
        22 CFGGuider: model=@12.0 positive=@26.0 negative=@34.0 cfg=2
        34 CLIPTextEncode: text="bad" clip=@11.0
        """,
            "a fox in deep snow",
            "bad",
        ),
        (
            FLUX,
            """
        22 DualCFGGuider: model=@12.0 cond1=@26.0 cond2=@35.0 negative=@34.0 cfg_conds=2
        34 CLIPTextEncode: text="bad" clip=@11.0
        35 CLIPTextEncode: text="red" clip=@11.0
        """,
            "a fox in deep snow\nred",
            "bad",
        ),
        (
            FLUX,
            """
        6 CLIPTextEncodeFlux: clip_l="short" t5xxl=@30.0 guidance=2 clip=@11.0
        """,
            "short\na fox in deep snow",
            None,
        ),
        (
            FLUX,
            """
        6 Reroute: any=@35.0
        35 CLIPTextEncode: text="through" clip=@11.0
        """,
            "through",
            None,
        ),
        (
            BASIC,
            """
        6 ConditioningCombine: conditioning_1=@40.0 conditioning_2=@41.0
        40 CLIPTextEncode: text="one" clip=@4.1
        41 CLIPTextEncode: text="two" clip=@4.1
        """,
            "one\ntwo",
            "blurry",
        ),
        (
            BASIC,
            """
        6 ConditioningSetArea: conditioning=@40.0 width=1
        40 ConditioningConcat: conditioning_to=@41.0 conditioning_from=@41.0
        41 CLIPTextEncode: text="two" clip=@4.1
        """,
            "two",
            "blurry",
        ),
        (
            BASIC,
            """
        7 ConditioningZeroOut: conditioning=@40.0
        40 CLIPTextEncode: text="not said" clip=@4.1
        """,
            "a castle",
            None,
        ),
        (
            BASIC,
            """
        6 ControlNetApplyAdvanced: positive=@40.0 negative=@41.0 control_net=@42.0 image=@43.0
        7 ControlNetApplyAdvanced: positive=@40.0 negative=@41.0 control_net=@42.0 image=@43.0
        40 CLIPTextEncode: text="one" clip=@4.1
        41 CLIPTextEncode: text="two" clip=@4.1
        42 ControlNetLoader: control_net_name="c"
        43 LoadImage: image="text.png"
        """,
            "one",
            "two",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncodeSDXL: width=1024 text_g="big" text_l="big" clip=@4.1
        """,
            "big",
            "blurry",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncodeSDXL: width=1024 text_g="big" text_l="small" clip=@4.1
        """,
            "big\nsmall",
            "blurry",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncode: text=@40.0 clip=@4.1
        40 ShowText|pysssss: text=@41.0 text_0="shown before"
        41 ImpactWildcardProcessor: wildcard_text="__a__" populated_text="a red fox" mode="populate"
        """,
            "a red fox",
            "blurry",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncode: text=@40.0 clip=@4.1
        40 Text Concatenate: delimiter=", " clean_whitespace="true" text_a=@41.0 text_b=@41.0 text_c="end"
        41 String Literal: string="same"
        """,
            "same, same, end",
            "blurry",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncode: text=@40.0 clip=@4.1
        7 CLIPTextEncode: text=@40.1 clip=@4.1
        40 SDXLPromptStyler: text_positive="good" text_negative="bad" style="base"
        """,
            "good",
            "bad",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncode: text=@40.0 clip=@4.1
        40 ComfySwitchNode: switch=@42.0 on_true=@41.0 on_false="no"
        41 PrimitiveString: value="yes"
        42 PrimitiveBoolean: value=true
        """,
            "yes",
            "blurry",
        ),
        (
            BASIC,
            """
        6 CLIPTextEncode: text=@40.0 clip=@4.1
        40 CR Text Input Switch: Input=2 text1="a" text2="b"
        """,
            "b",
            "blurry",
        ),
        (
            BASIC,
            """
        6 ImpactSwitch: select=2 input1=@40.0 input2=@41.0
        40 CLIPTextEncode: text="one" clip=@4.1
        41 CLIPTextEncode: text="two" clip=@4.1
        """,
            "two",
            "blurry",
        ),
        (
            BASIC,
            """
        3 KSampler (Efficient): seed=5 steps=20 cfg=8 sampler_name="euler" scheduler="normal"
            model=@40.0 positive=@40.1 negative=@40.2 latent_image=@40.3
        40 Efficient Loader: ckpt_name="e.ckpt" positive="effective" negative="slow" lora_name="None"
        """,
            "effective",
            "slow",
        ),
        (
            BASIC,
            """
        3 easy kSampler: pipe=@40.0 steps=20 seed=5
        40 easy fullLoader: ckpt_name="e.ckpt" positive="easy" negative="hard"
        """,
            "easy",
            "hard",
        ),
        (
            BASIC,
            """
        3 XlabsSampler: model=@4.0 conditioning=@6.0 neg_conditioning=@7.0 noise_seed=5 steps=20
            true_gs=4 latent_image=@5.0
        """,
            "a castle",
            "blurry",
        ),
    ],
)
def test_the_way_to_the_words(base: Prompt, changes: str, positive: str, negative: str | None) -> None:
    found = read(base | graph(changes))
    assert (found.prompt, found.negative_prompt) == (positive, negative)
    assert found.steps in {20, 24}


def test_other_samplers() -> None:
    advanced = """
    3 KSamplerAdvanced: add_noise="enable" noise_seed=9 steps=25 cfg=7 sampler_name="lcm" scheduler="karras"
        start_at_step=0 end_at_step=20 model=@4.0 positive=@6.0 negative=@7.0 latent_image=@5.0
    """
    found = read(BASIC | graph(advanced))
    assert (found.seed, found.steps, found.cfg_scale, found.sampler, found.denoise) == (9, 25, 7, "lcm", None)
    custom = """
    3 SamplerCustom: add_noise=true noise_seed=11 cfg=1.5 model=@4.0 positive=@6.0 negative=@7.0 sampler=@40.0
        sigmas=@41.0 latent_image=@5.0
    40 SamplerLCMUpscale: scale_ratio=1
    41 SDTurboScheduler: steps=1 model=@4.0
    """
    found = read(BASIC | graph(custom))
    assert (found.seed, found.steps, found.cfg_scale, found.sampler) == (11, 1, 1.5, "LCMUpscale")


def test_a_node_that_does_it_all() -> None:
    alone = """
    1 OpenAIGPTImage1: prompt=@2.0 seed=3 model="gpt-image-1"
    2 PrimitiveString: value="a boat"
    3 SaveImage: images=@1.0
    """
    found = read(graph(alone))
    assert (found.prompt, found.seed, found.model) == ("a boat", 3, "gpt-image-1")
    edited = graph('1 LoadImage: image="a.png"\n2 SaveImage: images=@1.0')
    assert read(edited).prompt is None


SUBGRAPH = "7b2f3c66-2d6e-4a42-9f0e-0d6a3b9a6a11"
UNFOLDED = {
    "nodes": [
        {
            "id": 1,
            "type": SUBGRAPH,
            "inputs": [
                {"name": "words", "type": "STRING", "widget": {"name": "words"}, "link": None},
                {"name": "model", "type": "MODEL", "link": 10},
            ],
            "outputs": [{"name": "IMAGE"}],
            "properties": {"proxyWidgets": [["5", "text"], ["7", "seed"]]},
            "widgets_values": ["a tower", 99],
        },
        {"id": 2, "type": "UNETLoader", "widgets_values": ["qwen.safetensors", "default"]},
        {"id": 3, "type": "SaveImage", "inputs": [{"name": "images", "link": 12}]},
        {
            "id": 4,
            "type": "LoraLoaderModelOnly",
            "mode": 4,
            "inputs": [{"name": "model", "type": "MODEL", "link": 11}],
            "outputs": [{"name": "MODEL", "type": "MODEL"}],
            "widgets_values": ["off.safetensors", 1],
        },
        {
            "id": 5,
            "type": "SetNode",
            "inputs": [{"name": "MODEL", "type": "MODEL", "link": 13}],
            "widgets_values": ["the model"],
        },
        {"id": 6, "type": "GetNode", "widgets_values": ["the model"]},
    ],
    "links": [
        [10, 6, 0, 1, 1, "MODEL"],
        [11, 2, 0, 4, 0, "MODEL"],
        [12, 1, 0, 3, 0, "IMAGE"],
        [13, 4, 0, 5, 0, "MODEL"],
    ],
    "definitions": {
        "subgraphs": [
            {
                "id": SUBGRAPH,
                "inputs": [{"name": "words", "type": "STRING"}, {"name": "model", "type": "MODEL"}],
                "outputs": [{"name": "IMAGE"}],
                "nodes": [
                    {
                        "id": 5,
                        "type": "CLIPTextEncode",
                        "inputs": [
                            {"name": "clip", "link": None},
                            {"name": "text", "widget": {"name": "text"}, "link": 1},
                        ],
                        "widgets_values": ["the default"],
                    },
                    {"id": 6, "type": "ConditioningZeroOut", "inputs": [{"name": "conditioning", "link": 2}]},
                    {
                        "id": 7,
                        "type": "KSampler",
                        "inputs": [
                            {"name": "model", "link": 3},
                            {"name": "positive", "link": 4},
                            {"name": "negative", "link": 5},
                        ],
                        "widgets_values": [1, "fixed", 4, 1, "euler", "simple", 1],
                    },
                    {"id": 8, "type": "VAEDecode", "inputs": [{"name": "samples", "link": 6}]},
                ],
                "links": [
                    {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 5, "target_slot": 1},
                    {"id": 2, "origin_id": 5, "origin_slot": 0, "target_id": 6, "target_slot": 0},
                    {"id": 3, "origin_id": -10, "origin_slot": 1, "target_id": 7, "target_slot": 0},
                    {"id": 4, "origin_id": 5, "origin_slot": 0, "target_id": 7, "target_slot": 1},
                    {"id": 5, "origin_id": 6, "origin_slot": 0, "target_id": 7, "target_slot": 2},
                    {"id": 6, "origin_id": 7, "origin_slot": 0, "target_id": 8, "target_slot": 0},
                    {"id": 7, "origin_id": 8, "origin_slot": 0, "target_id": -20, "target_slot": 0},
                ],
            }
        ]
    },
}


def test_subgraphs_switched_off_nodes_and_named_connections_of_workflows() -> None:
    found = comfyui.read({"workflow": json.dumps(UNFOLDED)})
    assert found is not None
    assert (found.prompt, found.negative_prompt, found.seed, found.steps) == ("a tower", None, 99, 4)
    assert (found.model, found.loras) == ("qwen", [])
    by_inputs = json.loads(json.dumps(UNFOLDED))
    by_inputs["nodes"][0] |= {"properties": {}, "widgets_values": ["a bridge"]}
    found = comfyui.read({"workflow": by_inputs})
    assert found is not None
    assert (found.prompt, found.seed) == ("a bridge", 1)
    unset = json.loads(json.dumps(UNFOLDED))
    unset["nodes"][0] |= {"properties": {}, "widgets_values": []}
    found = comfyui.read({"workflow": unset})
    assert found is not None
    assert found.prompt == "the default"


END = """
s KSampler: seed=@0.0 steps=@0.0 cfg=1 sampler_name=@0.0 positive=@0.0 negative=@0.0 model=@0.0 latent_image=@s.0
9999 SaveImage: images=@s.0
"""
JOINED = '{} StringConcatenate: string_a=@{}.0 string_b=@{}.0 delimiter=""'
MANY = " ".join(f"in{number}=@{number * 7}.0" for number in range(100))
INSIDE = {
    "id": "A",
    "inputs": [],
    "nodes": [{"id": n, "type": "A"} for n in range(200)],
    "links": [[n, 0, 0, 1, 1, "X"] for n in range(20_000)],
}
HOSTILE: dict[str, Callable[[], object]] = {
    "a ring": lambda: graph(
        "\n".join(f"{n} CLIPTextEncode: text=@{(n + 1) % 50}.0 clip=@{n}.0" for n in range(50)) + END
    ),
    "a node in itself": lambda: graph("0 Reroute: a=@0.0" + END),
    "switches in a ring": lambda: graph("0 Any Switch: any_1=@1.0\n1 Any Switch: any_1=@0.0" + END),
    "a text that doubles": lambda: graph(
        "\n".join(JOINED.format(n, n + 1, n + 1) for n in range(400))
        + '\n400 PrimitiveString: value="ha"'
        + END.replace("@0.0 cfg", "1 cfg")
    ),
    "all linked to all": lambda: graph(
        "\n".join(f"{n} KSampler: {MANY} positive=@0.0 seed=1 steps=1 latent_image=@{n + 1}.0" for n in range(700))
        + END
    ),
    "names for a regular expression": lambda: {
        "0": {"class_type": "CLIPTextEncode" * 9999, "inputs": {"_pos" * 20_000 + "!": ["0", 0], "text_" * 16: "1"}},
        **graph(END),
    },
    "long texts": lambda: {
        **{
            str(n): {"class_type": "Join", "inputs": {"text": "x" * 60_000, "text_b": [str(n + 1), 0]}}
            for n in range(60)
        },
        **graph(END),
    },
}
HOSTILE_WORKFLOWS: dict[str, object] = {
    "a subgraph in itself": {
        "nodes": [{"id": n, "type": "A"} for n in range(4000)],
        "links": [],
        "definitions": {"subgraphs": [INSIDE]},
    },
    "nothing as it should be": {
        "nodes": [{"id": [], "type": "KSampler", "inputs": [{"name": 3, "link": []}], "widgets_values": [[], {}]}],
        "links": [[1, 2], [[], {}, 0, 0, 0], {"id": 1}],
        "definitions": {"subgraphs": [{"id": "x"}, 3]},
    },
}


@pytest.mark.parametrize("name", [*HOSTILE, *HOSTILE_WORKFLOWS])
def test_hostile_graphs_take_no_longer_than_others(name: str) -> None:
    texts = {"prompt": HOSTILE[name]()} if name in HOSTILE else {"workflow": HOSTILE_WORKFLOWS[name]}
    start = time.monotonic()
    found = comfyui.read(texts)
    assert time.monotonic() - start < 10
    assert found is not None
    assert len(found.prompt or "") <= 65_536
