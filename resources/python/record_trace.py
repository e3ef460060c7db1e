#!/usr/bin/env python3
"""Records the attention of any vision model that transformers can run into a trace file of Fovea.

    python record_trace.py MODEL --image FILE [--keep probs,qkv,hidden,output,input] -o FILE.safetensors

For families that Fovea cannot open yet: the file opens in Fovea as a model of the family `replay`, and every analysis
that needs no new forward pass works on it. Needs torch, transformers, safetensors and pillow; nothing is downloaded.

Attention runs through an attention function of our own that computes softmax(scale * q k^T + mask) v as transformers'
eager function does and keeps q, k (after rotary embeddings and norms), v and the probabilities. Models that do not call
attention functions fall back to attn_implementation="eager", which gives the probabilities alone.
"""
import argparse
import json
import os
import re
import sys

WORDS = ("probs", "qkv", "lse", "hidden", "output", "input")
BLOCK = re.compile(r"\.(\d+)(?=\.)")


def fail(what, hint=""):
    print(f"error: {what}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    sys.exit(3)


class Recorder:
    """Keeps what every attention call of one forward pass computed, in order."""

    def __init__(self, model):
        self.names = {module: name for name, module in model.named_modules()}
        self.calls = []

    def attend(self, module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
        import torch

        scale = query.size(-1) ** -0.5 if scaling is None else scaling
        groups = query.size(1) // key.size(1)
        keys = key.repeat_interleave(groups, 1) if groups > 1 else key
        values = value.repeat_interleave(groups, 1) if groups > 1 else value
        logits = torch.matmul(query, keys.transpose(2, 3)) * scale
        bias = None if attention_mask is None else attention_mask[..., : keys.size(2)]
        if bias is not None:
            logits = logits + bias
        probs = torch.softmax(logits, dim=-1, dtype=torch.float32)
        output = torch.matmul(probs.to(values.dtype), values)
        self.calls.append({
            "module": self.names.get(module, ""), "q": query, "k": key, "v": value, "probs": probs,
            "lse": torch.logsumexp(logits.float(), -1), "scale": float(scale), "biased": bias is not None, "bias": bias,
        })
        return output.transpose(1, 2).contiguous(), probs


def image_processor(transformers, reference):
    """The model's image processor; the one on Pillow, which needs no torchvision, where there is one."""
    from transformers.utils import cached_file

    path = cached_file(reference, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
    name = ""
    if path:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
        name = (settings.get("image_processor_type") or settings.get("feature_extractor_type") or "")
        name = name.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast")
    kind = getattr(transformers, name + "Pil", None) if name else None
    if kind is not None:
        return kind.from_pretrained(reference)
    try:
        return transformers.AutoImageProcessor.from_pretrained(reference)
    except ImportError as problem:
        fail(f"{reference}: no image processor works here: {str(problem).strip().splitlines()[0]}", "install torchvision")


def stage_and_block(module, counts):
    """The stage that a module path belongs to, and its block counted in order of execution."""
    stage = "text" if "text_model" in module or "language_model" in module else "vision"
    counts[stage] = counts.get(stage, -1) + 1
    return stage, counts[stage]


def shown_part(processor, image, cropped):
    """The part of the picture that the input shows: x, y, width, height."""
    width, height = image.size
    size, crop = getattr(processor, "size", None) or {}, getattr(processor, "crop_size", None) or {}
    if not cropped or "height" not in crop:
        return 0.0, 0.0, float(width), float(height)
    shortest = size.get("shortest_edge")
    scale_x = shortest / min(width, height) if shortest else size["width"] / width
    scale_y = shortest / min(width, height) if shortest else size["height"] / height
    shown_width, shown_height = min(width, crop["width"] / scale_x), min(height, crop["height"] / scale_y)
    return (width - shown_width) / 2, (height - shown_height) / 2, shown_width, shown_height


def unread_parts(image, part):
    """What the crop leaves out, as rectangles that do not overlap."""
    (width, height), (x, y, w, h) = image.size, part
    parts = [[0, 0, width, y], [0, y + h, width, height - y - h], [0, y, x, h], [x + w, y, width - x - w, h]]
    return [rect for rect in parts if rect[2] > 1e-9 and rect[3] > 1e-9]


def token_map(stages, config, image, pixels, part):
    """Class and register tokens first, then the patches row by row, with their rectangles in the picture."""
    left, top, shown_width, shown_height = part
    vision = getattr(config, "vision_config", config)
    patch = getattr(vision, "patch_size", 16)
    patch = patch if isinstance(patch, int) else patch[0]
    rows, columns = pixels.shape[-2] // patch, pixels.shape[-1] // patch
    width, height = image.size
    out = {"stages": {}, "images": [{"width": width, "height": height, "grid": [rows, columns],
                                     "unread": unread_parts(image, part)}]}
    for stage, count in stages.items():
        tokens, prefix = [], max(0, count - rows * columns)
        known = stage == "vision" and count >= rows * columns
        for i in range(count):
            if not known:
                tokens.append({"i": i, "kind": "text" if stage == "text" else "latent"})
            elif i < prefix:
                tokens.append({"i": i, "kind": "special", "text": "[CLS]"} if i == 0
                              else {"i": i, "kind": "register", "text": f"[REG{i - 1}]"})
            else:
                row, column = divmod(i - prefix, columns)
                tokens.append({"i": i, "kind": "image", "image": 0, "grid": [row, column],
                               "rect": [left + column * shown_width / columns, top + row * shown_height / rows,
                                        shown_width / columns, shown_height / rows]})
        out["stages"][stage] = tokens
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder, or org/name in the local cache")
    parser.add_argument("--image", required=True, help="picture file")
    parser.add_argument("--keep", default="probs,qkv,hidden,output,input", help="of " + ",".join(WORDS))
    parser.add_argument("--no-crop", action="store_true", help="the whole picture is resized to the input, without a crop")
    parser.add_argument("-o", "--output", required=True, help="trace file to write")
    arguments = parser.parse_args()
    keep = set(arguments.keep.split(","))
    if not keep <= set(WORDS):
        fail(f"--keep {arguments.keep}: expected words of {', '.join(WORDS)}")

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    import transformers
    from PIL import Image, ImageOps
    from safetensors.torch import save_file
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    image = ImageOps.exif_transpose(Image.open(arguments.image)).convert("RGB")
    config = transformers.AutoConfig.from_pretrained(arguments.model)
    name = (config.architectures or [""])[0]
    kind = getattr(transformers, name, transformers.AutoModel)
    model = kind.from_pretrained(arguments.model, attn_implementation="eager", dtype=torch.float32).eval()
    processor = image_processor(transformers, arguments.model)
    options = {"do_center_crop": False} if arguments.no_crop else {}
    inputs = dict(processor(images=image, return_tensors="pt", **options))

    recorder = Recorder(model)
    with torch.no_grad():
        ALL_ATTENTION_FUNCTIONS.register("fovea_record", recorder.attend)
        model.set_attn_implementation("fovea_record")
        outputs = model(**inputs, output_hidden_states=True, return_dict=True)
        if not recorder.calls:  # the model has attention code of its own
            model.set_attn_implementation("eager")
            outputs = model(**inputs, output_attentions=True, output_hidden_states=True, return_dict=True)
            recorder.calls = [{"module": "", "probs": probs, "scale": 0.0, "biased": True}
                              for probs in outputs.attentions or ()]
    if not recorder.calls:
        fail(f"{arguments.model}: expected attention, found none that transformers gives out",
             "only models with softmax attention can be recorded")

    tensors, sites, attention, stages, counts = {}, [], {}, {}, {}
    for call in recorder.calls:
        stage, block = stage_and_block(call["module"], counts)
        address = f"{stage}.{block}.self"
        probs = call["probs"][0]
        stages[stage] = max(stages.get(stage, 0), probs.shape[-1])
        sites.append({"address": address, "kind": "self", "heads": probs.shape[0],
                      "key_value_heads": call["k"].shape[1] if "k" in call else probs.shape[0],
                      "head_dim": call["q"].shape[-1] if "q" in call else 1, "causal": False, "module": call["module"]})
        attention[address] = {"scale": call["scale"], "softcap": 0.0, "biased": call["biased"], "edited": False}
        if "probs" in keep or "q" not in call:
            tensors[f"{address}/probs"] = probs
        if "qkv" in keep and "q" in call:
            for part in "qkv":
                tensors[f"{address}/{part}"] = call[part][0]
            if call["biased"]:
                tensors[f"{address}/bias"] = call["bias"].expand(1, *call["bias"].shape[-3:])[0].float()
        if "lse" in keep and "lse" in call:
            tensors[f"{address}/lse"] = call["lse"][0]
    hidden = getattr(outputs, "hidden_states", None) or ()
    if "hidden" in keep:
        for i, state in enumerate(hidden):
            if state.dim() == 3:
                tensors[f"hidden/vision/{i}"] = state[0]
    if "output" in keep:
        for key, value in outputs.items():
            if isinstance(value, torch.Tensor):
                tensors[f"output/{key}"] = value[0]
    if "input" in keep:
        for key, value in inputs.items():
            tensors[f"input/{key}"] = value[0]

    cropped = bool(getattr(processor, "do_center_crop", False)) and not arguments.no_crop
    token_maps = token_map(stages, config, image, inputs["pixel_values"], shown_part(processor, image, cropped))
    grid = token_maps["images"][0]["grid"]
    spec = {"family": "replay", "model_type": config.model_type, "architecture": type(model).__name__, "dtype": "float32",
            "stages": [{"id": stage, "layers": counts[stage] + 1, "hidden": hidden[0].shape[-1] if hidden else 0,
                        "grid": grid if stage == "vision" else [0, 0],
                        "prefix_tokens": [t["text"] for t in token_maps["stages"][stage] if t["kind"] in ("special", "register")]}
                       for stage in stages],
            "sites": sites, "labels": [label for _, label in sorted((getattr(config, "id2label", None) or {}).items())]}
    metadata = {"fovea.version": "0.1.0", "fovea.token_map": json.dumps(token_maps), "fovea.spec": json.dumps(spec),
                "fovea.attention": json.dumps(attention),
                "fovea.model": json.dumps({"reference": arguments.model, "recorder": f"transformers {transformers.__version__}"})}
    part = f"{arguments.output}.part{os.getpid()}"
    try:
        save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, part, metadata)
        os.replace(part, arguments.output)
    finally:
        if os.path.exists(part):
            os.remove(part)
    print(f"wrote {arguments.output}: {len(sites)} attention sites, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
