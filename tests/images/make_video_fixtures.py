"""Writes what transformers' video processors make of random frames, what their prompts become, and torch's resize of
uint8 pictures, for visual_video_test.cpp.

usage: make_video_fixtures.py FOLDER
"""
import copy
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import torchvision_stub

torchvision_stub.install()
import transformers.models.smolvlm.processing_smolvlm as smolvlm
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.models.internvl.video_processing_internvl import InternVLVideoProcessor
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.llava_onevision.video_processing_llava_onevision import LlavaOnevisionVideoProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor
from transformers.processing_utils import ProcessorMixin
from transformers.video_utils import VideoMetadata
from visual_fixtures import RNG, Writer, picture, tokenizer

ProcessorMixin.check_argument_for_proper_class = lambda *_: None
# The num2words package is only asked for these.
smolvlm.num2words = lambda n: {1: "one", 2: "two", 3: "three", 5: "five", 12: "twelve", 21: "twenty-one",
                               100: "one hundred", 105: "one hundred and five"}[n]

W = Writer(sys.argv[1])
FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
SCALES = [{}, {}, {"do_normalize": False}, {"do_rescale": False},
          {"image_mean": [0.1, 0.5, 0.9], "image_std": [0.2, 0.3, 0.4]}]


def pick(options):
    return options[int(RNG.integers(len(options)))]


def clip(count, most=100):
    width, height = (int(v) for v in RNG.integers(5, most, 2))
    return [picture(width, height) for _ in range(count)]


def run(model_type, make, config, frames, name, processor, files=None, metadata=None):
    wrapped = processor(make(**copy.deepcopy(config)))
    kwargs = wrapped._merge_kwargs(wrapped.valid_processor_kwargs, tokenizer_init_kwargs={})["videos_kwargs"]
    kwargs = kwargs | {"return_tensors": "pt", "do_sample_frames": False}
    if metadata:
        kwargs["video_metadata"] = [copy.deepcopy(metadata)]
    result, texts = wrapped._process_videos([np.stack(frames)], **kwargs)
    tensors = {k: v for k, v in result.items() if k != "video_metadata"}
    if model_type == "internvl":  # the processor hands the frames on like images
        tensors = {"pixel_values": tensors["pixel_values_videos"].flatten(0, 1)}
    W.add(name, model_type, frames, tensors, {"video": config} | (files or {}), texts, metadata=metadata or {})


def resizes():
    for i in range(150):
        high = int(RNG.choice([6, 40, 250]))
        width, height, new_width, new_height = (int(v) for v in RNG.integers(2, high, 4))
        image = picture(width, height)
        source = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()
        for code, mode in FILTERS.items():
            result = torch.nn.functional.interpolate(source, (new_height, new_width), mode=mode, antialias=True)
            W.add(f"resize {i} {mode}", "resize", [image], {"result": result[0].permute(1, 2, 0).numpy()}, filter=code)


def timing(i, count):
    if i % 3 == 0:
        return None
    step = 1 + i % 7
    fps = [24, 29.97, 12.5, 30][i % 4]
    total = count * step + i
    return {"total_num_frames": total, "fps": fps, "duration": total / fps,
            "frames_indices": [k * step for k in range(count)]}


def qwen():
    tok = tokenizer(image_token="<|image_pad|>", video_token="<|video_pad|>", vision_start_token="<|vision_start|>",
                    vision_end_token="<|vision_end|>")
    kinds = [("qwen2_vl", Qwen2VLVideoProcessor, Qwen2VLProcessor), ("qwen2_5_vl", Qwen2VLVideoProcessor, Qwen2_5_VLProcessor),
             ("qwen3_vl", Qwen3VLVideoProcessor, Qwen3VLProcessor)]
    for i in range(48):
        model_type, make, processor = kinds[i % 3]
        merge, patch = [2, 1, 3][i % 3 - 1], [4, 5, 14][i // 3 % 3]
        temporal = [2, 2, 1, 3][i % 4]
        count = int(RNG.integers(temporal, 8))
        least = int(RNG.integers(1, 20)) * (patch * merge) ** 2
        shape = {"patch_size": patch, "merge_size": merge, "temporal_patch_size": temporal}
        config = shape | {"size": {"shortest_edge": least, "longest_edge": least * int(RNG.integers(1, 9))}} | pick(SCALES)
        if i % 5 == 1:
            config |= {"cap_pixels_per_frame": True, "max_video_tokens": int(RNG.integers(1, 60))}
        if i % 4 == 1:
            config["resample"] = 1 + i % 3
        run(model_type, make, config, clip(count), f"{model_type} {i}", lambda p: processor(None, tok, p), {"image": shape},
            timing(i, count))
    for model_type, make, processor in kinds:
        files = {"image": {"patch_size": 16}} if model_type == "qwen3_vl" else {}
        run(model_type, make, {}, clip(3, 60), f"{model_type} defaults", lambda p: processor(None, tok, p), files)


def others():
    tok = tokenizer(image_token="<image>", video_token="<video>", context_image_token="<IMG_CONTEXT>", start_image_token="<img>",
                    end_image_token="</img>", fake_image_token="<fake_token_around_image>", global_image_token="<global-img>")
    for i in range(16):
        patch, side, count = int(RNG.integers(2, 5)), int(RNG.integers(1, 4)), [1, 2, 3, 5][i % 4]
        size = {"size": {"height": patch * side * 2, "width": patch * side * 2}} | pick(SCALES)
        tower = {"config": {"vision_config": {"patch_size": patch}}}
        numbers = {"image_seq_length": side * side}
        run("internvl", InternVLVideoProcessor, size, clip(count), f"internvl {i}",
            lambda p: InternVLProcessor(None, tok, p, **numbers), {"processor": numbers} | tower)
        numbers = {"num_image_tokens": (2 * side) ** 2 if i % 2 else (2 * side - 1) ** 2, "vision_feature_select_strategy": "full"}
        if not i % 2:
            size = {"size": {"height": patch * (2 * side - 1), "width": patch * (2 * side - 1)}}
        run("llava_onevision", LlavaOnevisionVideoProcessor, size, clip(count), f"llava_onevision {i}",
            lambda p: LlavaOnevisionProcessor(None, tok, p, **numbers), {"processor": numbers} | tower)
    for i, count in enumerate([1, 2, 3, 5, 12, 21, 100, 105]):
        patch, side = int(RNG.integers(2, 4)), int(RNG.integers(1, 3))
        tile = patch * side * 2
        config = {"size": {"longest_edge": int(RNG.integers(tile // 2, 4 * tile))}, "max_image_size": {"longest_edge": tile}}
        if i == 3:
            config |= {"size": {"height": 30, "width": 50}, "resample": 3}
        numbers = {"image_seq_len": side * side}
        metadata = timing(i + 1, count) or timing(1, count)
        if i == 7:
            metadata |= {"duration": 100000.5, "fps": 0.5}
        run("smolvlm", SmolVLMVideoProcessor, config, clip(count, 50), f"smolvlm {i}",
            lambda p: smolvlm.SmolVLMProcessor(None, tok, p, **numbers),
            {"processor": numbers, "config": {"vision_config": {"patch_size": patch}}}, metadata)


def sampling():
    """Which frames the classes take of files of many lengths and rates."""
    kinds = [("qwen2_vl", Qwen2VLVideoProcessor), ("qwen3_vl", Qwen3VLVideoProcessor), ("smolvlm", SmolVLMVideoProcessor),
             ("internvl", InternVLVideoProcessor), ("llava_onevision", LlavaOnevisionVideoProcessor)]
    for i in range(400):
        model_type, make = kinds[i % 5]
        total = int(RNG.integers(1, [30, 300, 3000][i // 5 % 3]))
        fps = [24.0, 29.97, 12.5, 30.0, 59.94, 1.0][i // 2 % 6]
        config = {"do_sample_frames": True}
        if model_type == "smolvlm":
            config["video_sampling"] = {"fps": int(RNG.integers(1, 4)), "max_frames": int(RNG.integers(1, 70)),
                                        "video_size": {"longest_edge": 512}}
        elif i // 5 % 2:
            config["num_frames"] = int(RNG.integers(1, 40))
        else:
            config["fps"] = float(RNG.choice([0.5, 1.0, 2.0, 3.0]))
        if model_type == "qwen3_vl" and "num_frames" in config:
            make.fps = None  # both are refused, and this class has a rate of its own
        metadata = VideoMetadata(total_num_frames=total, fps=fps, duration=total / fps)
        try:
            made = make(**copy.deepcopy(config))
            names = ("num_frames", "fps", "min_frames", "max_frames", "temporal_patch_size", "initial_shift")
            given = {k: getattr(made, k) for k in names if getattr(made, k, None) is not None}
            taken = [int(v) for v in made.sample_frames(metadata=metadata, **given)]
        except (ValueError, ZeroDivisionError, RuntimeError):
            taken = []
        finally:
            Qwen3VLVideoProcessor.fps = 2
        W.add(f"{model_type} sampling {i}", "sampling", [], {}, {"video": config}, family=model_type, taken=taken,
              metadata={"total_num_frames": total, "fps": fps, "duration": total / fps, "frames_indices": []})


def main():
    resizes()
    sampling()
    qwen()
    others()
    W.close()


main()
