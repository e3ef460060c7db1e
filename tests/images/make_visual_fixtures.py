"""Writes what transformers' Pillow processors of vision-language models make of random pictures, for visual_test.cpp.

usage: make_visual_fixtures.py FOLDER
"""
import copy
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.paligemma.processing_paligemma import PaliGemmaProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.processing_utils import ProcessorMixin
from visual_fixtures import RNG, Writer, picture, pil, tokenizer

# The processors want a video processor, which needs torchvision; images do not.
ProcessorMixin.check_argument_for_proper_class = lambda *_: None

W = Writer(sys.argv[1])
SHAPES = [(1, 1), (3, 2), (97, 31), (31, 97), (64, 64), (1, 60), (200, 9), (33, 50)]
SCALES = [{}, {"do_normalize": False}, {"do_rescale": False}, {"do_rescale": False, "do_normalize": False},
          {"image_mean": [0.1, 0.5, 0.9], "image_std": [0.2, 0.3, 0.4]}, {"rescale_factor": 1 / 127.5}]
SIGLIP = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def pick(options):
    return options[int(RNG.integers(len(options)))]


def replacements(processor, images):
    """The tensors, and what the processor writes for each image slot."""
    kwargs = processor._merge_kwargs(processor.valid_processor_kwargs, tokenizer_init_kwargs={})["images_kwargs"]
    return processor._process_images(pil(images), **kwargs, return_tensors="np")


def run(model_type, make, config, images, processor=None, files=None, name=None):
    """One entry: the image processor alone, or within the processor that `processor` makes of it."""
    source = make(**copy.deepcopy({k: v for k, v in config.items() if not k.endswith("_type")}))
    texts = None
    if processor:
        result, texts = replacements(processor(source), images)
    else:
        result = source(pil(images), return_tensors="np")
    W.add(name or f"{model_type} {config}", model_type, images, dict(result), {"image": config} | (files or {}), texts)


def llava():
    for width, height in SHAPES:
        run("llava", CLIPImageProcessorPil, {"image_processor_type": "CLIPImageProcessor"}, [picture(width, height)])
    for i in range(40):
        size = int(RNG.integers(8, 50))
        config = {"image_processor_type": "LlavaImageProcessor", "size": {"shortest_edge": size},
                  "crop_size": {"height": size, "width": size}, "do_pad": bool(i % 3)} | pick(SCALES)
        if i % 4 == 1:
            config |= {"do_center_crop": False, "size": {"height": size, "width": size + 3}}
        if i % 7 == 1:
            config["resample"] = int(RNG.integers(6))
        images = [picture(*(int(v) for v in RNG.integers(1, 70, 2))) for _ in range(1 + i % 3)]
        numbers = {"patch_size": int(RNG.integers(2, 8)), "num_additional_image_tokens": i % 2,
                   "vision_feature_select_strategy": ["default", "full"][i // 2 % 2]}
        tok = tokenizer(image_token="<image>")
        run("llava", LlavaImageProcessorPil, config, images, lambda p: LlavaProcessor(p, tok, **numbers),
            {"processor": numbers}, f"llava random {i}")
    run("llava", LlavaImageProcessorPil, {"do_pad": True, "size": {"shortest_edge": 40}, "crop_size": 40},
        [picture(50, 20)], name="llava without a class name")
    siglip = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}
    run("llava", SiglipImageProcessorPil, siglip, [picture(50, 20), picture(3, 70)], name="llava interleave")


def paligemma_and_blip():
    for width, height in SHAPES:
        run("paligemma", SiglipImageProcessorPil, SIGLIP, [picture(width, height)])
        run("blip", BlipImageProcessorPil, {}, [picture(width, height)])
    for i in range(12):
        side = int(RNG.integers(2, 6)) * 7
        config = {"size": {"height": side, "width": side}, "image_seq_length": (side // 7) ** 2} | pick(SCALES)
        images = [picture(*(int(v) for v in RNG.integers(1, 70, 2))) for _ in range(1 + i % 2)]

        def processor(source):
            source.image_seq_length = config["image_seq_length"]
            return PaliGemmaProcessor(source, tokenizer(image_token="<image>"))

        run("paligemma", SiglipImageProcessorPil, config, images, processor,
            {"config": {"vision_config": {"patch_size": 7}}}, f"paligemma random {i}")
        size = {"size": {"height": int(RNG.integers(1, 60)), "width": int(RNG.integers(1, 60))}}
        run("blip", BlipImageProcessorPil, size | pick(SCALES), [images[0]], name=f"blip random {i}")


def qwen():
    tok = tokenizer(image_token="<|image_pad|>", video_token="<|video_pad|>")
    shapes = SHAPES + [(640, 480), (56, 57), (42, 70), (14, 14), (199, 1), (1, 200)]
    for width, height in shapes:
        size = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280}
        run("qwen2_vl", Qwen2VLImageProcessorPil, {"size": size}, [picture(width, height)])
    for i in range(60):
        merge = [2, 2, 1, 3][i % 4]
        patch = [14, 16, 4, 5][i // 3 % 4]
        least = int(RNG.integers(1, 40)) * (patch * merge) ** 2
        most = least * int(RNG.integers(1, 12)) + int(RNG.integers(0, 50))
        limits = [{"size": {"shortest_edge": least, "longest_edge": most}},
                  {"min_pixels": least, "max_pixels": most, "size": {"shortest_edge": 1, "longest_edge": 2}},
                  {"min_pixels": least, "max_pixels": most, "size": {"min_pixels": 4, "max_pixels": 5}}][i % 3]
        config = limits | {"patch_size": patch, "merge_size": merge, "temporal_patch_size": 1 + i % 3} | pick(SCALES)
        if i % 5 == 0:
            config["resample"] = int(RNG.integers(6))
        images = [picture(*(int(v) for v in RNG.integers(1, 220, 2))) for _ in range(1 + i % 3)]
        images = [im for im in images if max(im.shape[:2]) / min(im.shape[:2]) <= 200] or [picture(5, 5)]
        run(["qwen2_vl", "qwen2_5_vl", "qwen3_vl"][i % 3], Qwen2VLImageProcessorPil, config, images,
            lambda p: Qwen2VLProcessor(p, tok, None),
            {"video": {k: config[k] for k in ("patch_size", "merge_size", "temporal_patch_size")}}, f"qwen random {i}")
    as_is = {"do_resize": False, "patch_size": 4, "size": {"shortest_edge": 1, "longest_edge": 2}}
    run("qwen2_vl", Qwen2VLImageProcessorPil, as_is, [picture(40, 16)], name="qwen as is")


def main():
    llava()
    paligemma_and_blip()
    qwen()
    W.close()


main()
