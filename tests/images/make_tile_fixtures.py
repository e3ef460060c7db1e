"""Writes what transformers' Pillow processors that cut pictures into tiles make of random pictures, and the prompts
that their processors write, for visual_test.cpp.

usage: make_tile_fixtures.py FOLDER
"""
import copy
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.processing_utils import ProcessorMixin
from visual_fixtures import RNG, Writer, picture, pil, tokenizer

# The processors want a video processor, which needs torchvision; images do not.
ProcessorMixin.check_argument_for_proper_class = lambda *_: None

W = Writer(sys.argv[1])
SHAPES = [(1, 1), (3, 2), (97, 31), (31, 97), (64, 64), (1, 60), (60, 1), (200, 9), (33, 50), (333, 250)]
SCALES = [{}, {}, {"do_normalize": False}, {"do_rescale": False},
          {"image_mean": [0.1, 0.5, 0.9], "image_std": [0.2, 0.3, 0.4]}]


def pick(options):
    return options[int(RNG.integers(len(options)))]


def random_pictures(count, most=130):
    return [picture(*(int(v) for v in RNG.integers(1, most, 2))) for _ in range(count)]


def run(model_type, make, config, images, name, processor=None, files=None, nested=False, forced=None):
    """One entry; `processor` wraps the image processor and also writes the texts of the slots."""
    source = make(**copy.deepcopy(config))
    texts = None
    given = [pil(images)] if nested else pil(images)
    if processor:
        wrapped = processor(source)
        kwargs = wrapped._merge_kwargs(wrapped.valid_processor_kwargs, tokenizer_init_kwargs={})["images_kwargs"]
        result, texts = wrapped._process_images(given, **(kwargs | (forced or {})), return_tensors="np")
    else:
        result = source(given, **(forced or {}), return_tensors="np")
    tensors = {k: v for k, v in result.items() if k not in ("rows", "cols")}
    W.add(name, model_type, images, tensors, {"image": config} | (files or {}), texts)


def llava_next():
    for i, (width, height) in enumerate(SHAPES):  # the class as it is; grids that its 224 pixels do not divide
        run("llava_next", LlavaNextImageProcessorPil, {"image_grid_pinpoints": [[336, 672], [672, 336]]} if i % 2 else {},
            [picture(width, height)], f"llava_next defaults {i}")
    tok = tokenizer(image_token="<image>")
    for i in range(40):
        patch = int(RNG.integers(2, 6))
        side = patch * int(RNG.integers(2, 6))
        points = [[1, 2], [2, 1], [2, 2], [3, 1], [1, 3]] if i % 3 else [[1, 1], [4, 3]]
        config = {"size": {"shortest_edge": side} if i % 2 else {"height": side, "width": side},
                  "crop_size": {"height": side, "width": side},
                  "image_grid_pinpoints": [[a * side, b * side] for a, b in points]} | pick(SCALES)
        if i % 5 == 0:
            config["resample"] = int(RNG.integers(6))
        numbers = {"patch_size": patch, "num_additional_image_tokens": i % 2,
                   "vision_feature_select_strategy": ["default", "full"][i // 2 % 2]}
        run("llava_next", LlavaNextImageProcessorPil, config, random_pictures(1 + i % 3), f"llava_next {i}",
            lambda p: LlavaNextProcessor(p, tok, **numbers), {"processor": numbers})


def llava_onevision():
    tok = tokenizer(image_token="<image>", video_token="<video>")
    for i in range(40):
        patch = int(RNG.integers(2, 5))
        grid = int(RNG.integers(2, 5))
        side = patch * grid + int(RNG.integers(0, patch))
        config = {"size": {"height": side, "width": side},
                  "image_grid_pinpoints": [[a * side, b * side] for a in range(1, 4) for b in range(1, 4)]} | pick(SCALES)
        numbers = {"num_image_tokens": grid * grid, "vision_feature_select_strategy": ["full", "default"][i % 2],
                   "vision_aspect_ratio": f"anyres_max_{1 + i % 9}"}
        many = i % 4 == 3
        run("llava_onevision", LlavaOnevisionImageProcessorPil, config, random_pictures(2 + i % 2 if many else 1),
            f"llava_onevision {i}", lambda p: LlavaOnevisionProcessor(p, tok, None, **numbers),
            {"processor": numbers, "config": {"vision_config": {"patch_size": patch}}}, nested=True)
    run("llava_onevision", LlavaOnevisionImageProcessorPil, {}, [picture(500, 333)], "llava_onevision defaults", nested=True)


def idefics3():
    tok = tokenizer(image_token="<image>", fake_image_token="<fake_token_around_image>", global_image_token="<global-img>")
    makes = {"idefics3": Idefics3ImageProcessorPil, "smolvlm": SmolVLMImageProcessorPil}
    for i, (width, height) in enumerate(SHAPES):
        image = [picture(width, height)]
        run("smolvlm", SmolVLMImageProcessorPil, {"size": {"longest_edge": 90}, "max_image_size": {"longest_edge": 30}},
            image, f"smolvlm shape {i}", nested=True)
    run("idefics3", Idefics3ImageProcessorPil, {}, [picture(50, 33)], "idefics3 defaults", nested=True)
    for i in range(50):
        patch = int(RNG.integers(2, 5))
        side = int(RNG.integers(2, 4))
        tile = patch * side * 2
        model_type = ["idefics3", "smolvlm"][i % 2]
        config = {"size": {"longest_edge": int(RNG.integers(tile // 2, 5 * tile))}, "max_image_size": {"longest_edge": tile},
                  "do_image_splitting": bool(i % 5)} | pick(SCALES)
        if i % 7 == 1:
            config["do_resize"] = False
        if i % 9 == 2:
            config["size"] = {"height": int(RNG.integers(1, 70)), "width": int(RNG.integers(1, 70))}
        if i % 6 == 0:
            config["resample"] = int(RNG.integers(6))
        config["do_pad"] = bool(i % 11)
        numbers = {"image_seq_len": side * side}

        def processor(source):
            made = Idefics3Processor(source, tok, **numbers)
            return made

        run(model_type, makes[model_type], config, random_pictures(1 + i % 3, 90), f"idefics3 {i}", processor,
            {"processor": numbers, "config": {"vision_config": {"patch_size": patch}}}, nested=True)


def internvl():
    tok = tokenizer(context_image_token="<IMG_CONTEXT>", start_image_token="<img>", end_image_token="</img>",
                    video_token="<video>")
    for i in range(50):
        patch = int(RNG.integers(2, 5))
        side = int(RNG.integers(1, 4))
        size = patch * side * 2
        config = {"size": {"height": size, "width": size}, "min_patches": 1 + i % 3, "max_patches": [12, 6, 1, 4, 25][i % 5],
                  "crop_to_patches": bool(i % 2)} | pick(SCALES)
        numbers = {"image_seq_length": side * side}
        run("internvl", GotOcr2ImageProcessorPil, config, random_pictures(1 + i % 3), f"internvl {i}",
            lambda p: InternVLProcessor(p, tok, None, **numbers),
            {"processor": numbers, "config": {"vision_config": {"patch_size": patch}}})
    run("internvl", GotOcr2ImageProcessorPil, {}, [picture(300, 200)], "internvl defaults", forced={"crop_to_patches": True})


def gemma3():
    tok = tokenizer(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>")
    for i in range(50):
        patch = int(RNG.integers(2, 5))
        side = int(RNG.integers(1, 4))
        pool = 1 + i % 3
        size = patch * side * pool
        scan = bool(i % 4)
        crops = {"do_pan_and_scan": scan, "pan_and_scan_min_crop_size": int(RNG.integers(8, 40)),
                 "pan_and_scan_max_num_crops": int(RNG.integers(2, 6)),
                 "pan_and_scan_min_ratio_to_activate": [1.2, 1.0, 2.0][i % 3]}
        config = {"size": {"height": size, "width": size}} | crops | pick(SCALES)
        numbers = {"image_seq_length": side * side}
        run("gemma3", Gemma3ImageProcessorPil, config, random_pictures(1 + i % 3), f"gemma3 {i}",
            lambda p: Gemma3Processor(p, tok, **numbers),
            {"processor": numbers, "config": {"vision_config": {"patch_size": patch}}}, forced=crops)
    for width, height in SHAPES:
        run("gemma3", Gemma3ImageProcessorPil, {}, [picture(width, height)], "gemma3 defaults")


def mllama():
    for i in range(40):
        size = int(RNG.integers(4, 40))
        config = {"size": {"height": size, "width": size}, "max_image_tiles": [4, 1, 6, 9][i % 4]} | pick(SCALES)
        if i % 5 == 0:
            config["resample"] = int(RNG.integers(6))
        run("mllama", MllamaImageProcessorPil, config, random_pictures(1 + i % 3), f"mllama {i}", nested=True)
    for i, (width, height) in enumerate(SHAPES):
        run("mllama", MllamaImageProcessorPil, {"size": {"height": 30, "width": 30}}, [picture(width, height)],
            f"mllama shape {i}", nested=True)
    ramp = np.arange(256, dtype=np.uint8)  # every colour with every alpha
    for i, channels in enumerate(((ramp[:, None], ramp), (ramp, 255 - ramp[:, None]))):
        seen = np.stack([*[np.broadcast_to(channels[0], (256, 256))] * 3, np.broadcast_to(channels[1], (256, 256))], -1)
        run("mllama", MllamaImageProcessorPil, {"size": {"height": 256, "width": 256}, "max_image_tiles": 1},
            [np.ascontiguousarray(seen)], f"mllama transparent {i}", nested=True)
    for i in range(6):
        clear = [np.dstack([image, RNG.integers(0, 256, image.shape[:2], dtype=np.uint8)]) for image in random_pictures(1 + i % 3)]
        clear[0][::2, :, 3] = 0
        run("mllama", MllamaImageProcessorPil, {"size": {"height": 24, "width": 24}}, clear, f"mllama transparent {i + 2}",
            nested=True)


def main():
    llava_next()
    llava_onevision()
    idefics3()
    internvl()
    gemma3()
    mllama()
    W.close()


main()
