"""Writes what Pillow, torch and transformers make of random pictures, for image_processor_test.cpp to compare with.

usage: make_processor_fixtures.py FOLDER
FOLDER gets index.json and raw files: pictures as RGB bytes, expected values as little-endian float32 or bytes.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

OUT = pathlib.Path(sys.argv[1])
RNG = np.random.default_rng(7)
CLASSES = {
    "vit": ViTImageProcessorPil, "vit_mae": ViTImageProcessorPil, "deit": DeiTImageProcessorPil,
    "dinov2": BitImageProcessorPil, "dinov2_with_registers": BitImageProcessorPil, "clip": CLIPImageProcessorPil,
    "siglip": SiglipImageProcessorPil, "siglip2": Siglip2ImageProcessorPil, "beit": BeitImageProcessorPil,
}
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


class Writer:
    def __init__(self):
        self.index = {"resize": [], "processor": []}
        self.blob = open(OUT / "data.bin", "wb")

    def put(self, array):
        """The array's bytes in data.bin: [offset, length]."""
        data = np.ascontiguousarray(array).tobytes()
        at = self.blob.tell()
        self.blob.write(data)
        return [at, len(data)]

    def close(self):
        self.blob.close()
        (OUT / "index.json").write_text(json.dumps(self.index))


def picture(width, height):
    """Noise, hard edges or a smooth ramp: what shows rounding, overshoot and position."""
    kind = RNG.integers(3)
    noise = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == 1:
        return ((noise > 127) * 255).astype(np.uint8)
    if kind == 2:
        y, x = np.mgrid[0:height, 0:width]
        return np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256], -1).astype(np.uint8)
    return noise


def resize_cases(w):
    sizes = [(1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (5, 300, 4, 3), (2, 900, 3, 7), (900, 2, 7, 3), (64, 64, 64, 64),
             (64, 48, 64, 20), (64, 48, 20, 48), (300, 200, 56, 56), (31, 17, 90, 200), (1, 400, 1, 9), (400, 1, 9, 1),
             # The order of the two passes changes at twice as many rows lost as columns.
             (104, 178, 25, 20), (103, 178, 25, 20), (25, 20, 104, 178), (20, 178, 40, 177)]
    for _ in range(60):
        high = int(RNG.choice([6, 40, 250]))
        sizes.append(tuple(int(v) for v in RNG.integers(1, high, 4)))
    for width, height, new_width, new_height in sizes:
        image = picture(width, height)
        source = w.put(image)
        for name, code in FILTERS.items():
            result = np.array(Image.fromarray(image).resize((new_width, new_height), code))
            w.index["resize"].append({"kind": "bytes", "filter": code, "size": [width, height],
                                      "to": [new_width, new_height], "picture": source, "expected": w.put(result)})
        scaled = (torch.from_numpy(image).permute(2, 0, 1) * (1 / 255))[None].contiguous()
        for name in ("nearest", "bilinear", "bicubic"):
            options = {} if name == "nearest" else {"antialias": True, "align_corners": False}
            # torch 2.13 repeats the first row where a contiguous result is one column wide.
            layout = torch.channels_last if new_width == 1 else torch.contiguous_format
            source_values = scaled.contiguous(memory_format=layout)
            result = torch.nn.functional.interpolate(source_values, (new_height, new_width), mode=name, **options)[0]
            w.index["resize"].append({"kind": "floats", "filter": FILTERS[name], "size": [width, height],
                                      "to": [new_width, new_height], "picture": source,
                                      "expected": w.put(result.numpy())})


def add(w, name, model_type, config, image, result, tolerance=0.0):
    values = np.asarray(result["pixel_values"])
    entry = {"name": name, "model_type": model_type, "config": config, "size": [image.shape[1], image.shape[0]],
             "picture": w.put(image), "shape": list(values.shape),
             "expected": w.put(values.astype(np.float32)), "tolerance": tolerance}
    if "spatial_shapes" in result:
        entry["spatial_shape"] = [int(v) for v in result["spatial_shapes"]]
        entry["mask"] = w.put(np.asarray(result["pixel_attention_mask"]).astype(np.uint8))
    w.index["processor"].append(entry)


def pillow_case(w, model_type, config, image, name=""):
    processor = CLASSES[model_type](**{k: v for k, v in config.items() if not k.endswith("_type")})
    result = processor(Image.fromarray(image), return_tensors="np")
    add(w, name or model_type, model_type, config, image, {k: v[0] for k, v in result.items()})


def processor_cases(w):
    shapes = [(1, 1), (3, 2), (640, 480), (97, 311), (224, 224), (50, 900), (33, 20)]
    for model_type in CLASSES:
        for width, height in shapes:
            pillow_case(w, model_type, {}, picture(width, height), f"{model_type} defaults")
    sizes = [{"size": 40}, {"size": [30, 44]}, {"size": {"height": 36, "width": 28}}, {"size": {"shortest_edge": 32}},
             {"size": {"shortest_edge": 24, "longest_edge": 33}}, {"size": {"max_height": 40, "max_width": 25}},
             {"size": {"height": None, "width": None, "shortest_edge": 32}},
             {"size": 32, "default_to_square": False}, {"size": 32, "default_to_square": True}, {"do_resize": False}]
    crops = [{}, {"do_center_crop": True, "crop_size": 21}, {"do_center_crop": True, "crop_size": {"height": 64, "width": 17}},
             {"do_center_crop": True, "crop_size": [63, 70]}, {"do_center_crop": False}]
    scales = [{}, IMAGENET, {"do_normalize": False}, {"do_rescale": False}, {"rescale_factor": 1 / 127.5, "image_mean": 1.0},
              {"do_rescale": False, "do_normalize": False}, {"image_std": [0.5, 0.25, 2.0], "image_mean": [0, -1, 1e-3]},
              {"rescale_factor": 0.00392156862745098, "do_pad": True, "pad_size": {"height": 90, "width": 1000}},
              {"do_pad": True}]
    plain = [t for t in CLASSES if t != "siglip2"]
    for i in range(220):
        config = {}
        for part in (sizes, crops, scales):
            config |= part[int(RNG.integers(len(part)))]
        if RNG.integers(2):
            config["resample"] = int(RNG.integers(6))
        width, height = (int(v) for v in RNG.integers(1, int(RNG.choice([5, 60, 90])), 2))
        if i % 6 == 0:
            width = height
        model_type = plain[int(RNG.integers(len(plain)))]
        image = picture(width, height)
        try:
            pillow_case(w, model_type, config, image, f"random {i}")
        except (ValueError, OverflowError):  # a combination the reference refuses; ours is tested by name
            continue
    for i in range(40):
        config = {"max_num_patches": int(RNG.integers(1, 60)), "patch_size": int(RNG.choice([2, 4, 7, 16]))}
        width, height = (int(v) for v in RNG.integers(1, 300, 2))
        pillow_case(w, "siglip2", config, picture(width, height), f"naflex {i}")
    pillow_case(w, "siglip2", {"do_resize": False, "patch_size": 8, "max_num_patches": 12}, picture(32, 24), "naflex as is")

    # Old and nested spellings of the same settings.
    image = picture(61, 47)
    old = {"feature_extractor_type": "ViTFeatureExtractor", "size": 24, "resample": 3, "do_normalize": True} | IMAGENET
    pillow_case(w, "vit", old, image, "feature extractor")
    result = ViTImageProcessorPil(size=24, resample=3, **IMAGENET)(Image.fromarray(image), return_tensors="np")
    values = {"pixel_values": result["pixel_values"][0]}
    add(w, "nested", "vit", {"processor_class": "X", "image_processor": old}, image, values)
    add(w, "fast class", "clip", old | {"image_processor_type": "ViTImageProcessorFast"}, image, values)
    add(w, "text filter", "vit", old | {"resample": "PILImageResampling.BICUBIC"}, image, values)
    add(w, "nulls", "vit", old | {"do_resize": None, "rescale_factor": None, "crop_size": None}, image, values)


def dinov3_cases(w):
    """The torchvision class written out with torch: rescale, resize, crop, normalise, all in float32."""
    for i, (width, height) in enumerate([(640, 480), (224, 224), (33, 57), (1, 1), (500, 3), (1000, 700)]):
        image = picture(width, height)
        config = {"image_processor_type": "DINOv3ViTImageProcessorFast", "size": {"height": 48, "width": 64}}
        mode = "bilinear"
        if i % 2:
            config["resample"] = 3
            mode = "bicubic"
        value = (torch.from_numpy(image).permute(2, 0, 1) * (1 / 255))[None].contiguous()
        value = torch.nn.functional.interpolate(value, (48, 64), mode=mode, antialias=True, align_corners=False)
        if i >= 4:
            config |= {"do_center_crop": True, "crop_size": {"height": 51, "width": 33}}
            value = torch.nn.functional.pad(value, (0, 0, 1, 2))[..., 15:48]
        mean = torch.tensor(IMAGENET["image_mean"])[:, None, None]
        std = torch.tensor(IMAGENET["image_std"])[:, None, None]
        value = value.sub(mean).div(std)
        add(w, f"dinov3 {i}", "dinov3_vit", config, image, {"pixel_values": value[0].numpy()}, 1e-5)


def timm_cases(w):
    """timm's evaluation transform written out with Pillow (torchvision rounds a centred crop half to even)."""
    for i in range(36):
        height, width = [(32, 32), (30, 45), (57, 57)][i % 3]
        mode = ["center", "squash", "border"][(i // 3) % 3]
        part = float(RNG.choice([1.0, 0.9, 0.875, 0.5]))
        name = ["bicubic", "bilinear", "nearest", "lanczos"][i % 4]
        source_width, source_height = (int(v) for v in RNG.integers(1, 120, 2))
        image = picture(source_width, source_height)
        pil = Image.fromarray(image)
        scale = (math.floor(height / part), math.floor(width / part))
        fill = (0, 0, 0)
        if mode == "squash":
            size = scale
        elif mode == "center" and scale[0] == scale[1]:
            short, long = sorted((source_width, source_height))
            other = int(scale[0] * long / short)
            size = (other, scale[0]) if source_width <= source_height else (scale[0], other)
        else:
            ratios = (source_height / scale[0], source_width / scale[1])
            ratio = max(ratios) if mode == "border" else min(ratios)
            size = (round(source_height / ratio), round(source_width / ratio))
            fill = tuple(round(255 * v) for v in IMAGENET["image_mean"]) if mode == "border" else fill
        if min(size) < 1:
            continue
        resized = pil.resize((size[1], size[0]), FILTERS[name])
        left, right = max(width - size[1], 0) // 2, (max(width - size[1], 0) + 1) // 2
        top, bottom = max(height - size[0], 0) // 2, (max(height - size[0], 0) + 1) // 2
        padded = Image.new("RGB", (size[1] + left + right, size[0] + top + bottom), fill)
        padded.paste(resized, (left, top))
        x, y = int(round((padded.width - width) / 2.0)), int(round((padded.height - height) / 2.0))
        cropped = np.array(padded.crop((x, y, x + width, y + height)))
        value = torch.from_numpy(cropped).permute(2, 0, 1).to(torch.float32).div(255)
        mean = torch.tensor(IMAGENET["image_mean"])[:, None, None]
        std = torch.tensor(IMAGENET["image_std"])[:, None, None]
        config = {"architecture": "vit_tiny", "num_classes": 10, "pretrained_cfg": {
            "input_size": [3, height, width], "interpolation": name, "crop_pct": part, "crop_mode": mode,
            "mean": IMAGENET["image_mean"], "std": IMAGENET["image_std"]}}
        add(w, f"timm {i} {mode}", "vit", config, image, {"pixel_values": value.sub(mean).div(std).numpy()})


def main():
    writer = Writer()
    resize_cases(writer)
    processor_cases(writer)
    dinov3_cases(writer)
    timm_cases(writer)
    writer.close()


main()
