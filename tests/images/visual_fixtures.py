"""What the scripts for the image processors of vision-language models share: pictures, a tokenizer, the index."""
import json
import pathlib

import numpy as np
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

RNG = np.random.default_rng(11)


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


def tokenizer(**named):
    """A tokenizer that knows the special tokens of `named` (image_token="<image>", ...) as attributes."""
    tokens = ["<unk>", "<s>", "</s>", "\n", " ", *"abcdefghijklmnopqrstuvwxyz0123456789<>_-|"]
    base = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[], unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=base, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
                                   pad_token="</s>", extra_special_tokens=named)


def pil(images):
    return [Image.fromarray(image) for image in images]


class Writer:
    """index.json and data.bin: pictures as RGB bytes and alpha, tensors as little-endian float32 or int64."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.index = []
        self.blob = open(self.folder / "data.bin", "wb")

    def put(self, array):
        data = np.ascontiguousarray(array).tobytes()
        at = self.blob.tell()
        self.blob.write(data)
        return [at, len(data)]

    def add(self, name, model_type, images, tensors, files=None, texts=None, **more):
        """`files`: image, video, processor, config, tokenizer as parsed files; `texts`: what each slot becomes."""
        entry = {"name": name, "model_type": model_type, "files": files or {}, "images": [], "tensors": {}}
        for image in images:
            stored = {"size": [image.shape[1], image.shape[0]], "data": self.put(image[..., :3])}
            if image.shape[2] == 4:
                stored["alpha"] = self.put(image[..., 3])
            entry["images"].append(stored)
        for key, value in tensors.items():
            value = np.asarray(value)
            integers = value.dtype.kind == "i"
            entry["tensors"][key] = {"shape": list(value.shape), "integers": integers,
                                     "data": self.put(value.astype(np.int64 if integers else np.float32))}
        if texts is not None:
            entry["texts"] = texts
        self.index.append(entry | more)

    def close(self):
        self.blob.close()
        (self.folder / "index.json").write_text(json.dumps(self.index))
