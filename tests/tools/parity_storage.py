"""Cases of how weights are stored: half precision, shards, .bin, prefixes, timm's layout, lone files."""
import json
import math

import torch
from parity_common import pixels, randomise
from parity_plain import SIZES, VIT, reference
from safetensors.torch import load_file, save_file
from timm_reference import TimmVit, from_transformers
from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTForImageClassification, ViTModel


def saved(model, folder):
    """The state dict under the names that transformers writes."""
    model.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def precision(f):
    for name, dtype in (("bfloat16", torch.bfloat16), ("float16", torch.float16)):
        folder = f.folder(f"vit-stored-{name}")
        model = randomise(ViTForImageClassification(ViTConfig(**VIT)), 300).to(dtype)
        model.save_pretrained(folder / "model")
        inputs = {"pixel_values": pixels(300, 32, 32)}
        # The stored values are exact; the reference computes with them in fp32 and float64.
        f.add(f"vit-stored-{name}", "vit", reference(model.float(), inputs), inputs, stored=name)


def containers(f):
    inputs = {"pixel_values": pixels(301, 32, 32)}
    model = randomise(ViTForImageClassification(ViTConfig(**VIT)), 301)
    folder = f.folder("vit-sharded")
    model.save_pretrained(folder / "model", max_shard_size="24KB")
    assert (folder / "model" / "model.safetensors.index.json").exists()
    f.add("vit-sharded", "vit", reference(model, inputs), inputs)

    folder = f.folder("vit-bin")
    state = saved(model, folder / "model")
    (folder / "model" / "model.safetensors").unlink()
    torch.save(state, folder / "model" / "pytorch_model.bin")
    f.add("vit-bin", "vit", reference(model, inputs), inputs)

    # A bare model's configuration beside weights with the prefix of a classifier, and the reverse.
    folder = f.folder("vit-bare-prefixed")
    state = saved(model, folder / "model")
    config = json.loads((folder / "model" / "config.json").read_text())
    config["architectures"] = ["ViTModel"]
    (folder / "model" / "config.json").write_text(json.dumps(config))
    f.add("vit-bare-prefixed", "vit", reference(model.vit, inputs), inputs)

    folder = f.folder("vit-class-unprefixed")
    state = saved(model, folder / "model")
    save_file({k.removeprefix("vit."): v for k, v in state.items()}, folder / "model" / "model.safetensors")
    f.add("vit-class-unprefixed", "vit", reference(model, inputs), inputs)


def timm_case(f, name, seed, size=(32, 32), arguments=None, **form):
    folder = f.folder(name)
    model = randomise(TimmVit(**form), seed)
    save_file(model.state_dict(), folder / "model" / "model.safetensors")
    config = {"architecture": "vit_tiny_patch8_32", "num_classes": 5, "num_features": 32,
              "global_pool": form.get("pool", "token"), "model_args": {"num_heads": 4},
              "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.9,
                                 "interpolation": "bicubic", "num_classes": 5}}
    (folder / "model" / "config.json").write_text(json.dumps(config))
    inputs = {"pixel_values": pixels(seed, *size)}

    def run(dtype):
        outputs, hidden, maps = model.to(dtype)(inputs["pixel_values"].to(dtype))
        tensors = {f"output/{n}": v for n, v in outputs.items()}
        tensors.update({f"hidden/vision/{i}": h for i, h in enumerate(hidden)})
        tensors.update({f"vision.{i}.self/probs": m for i, m in enumerate(maps)})
        return tensors

    f.add(name, "vit", run, inputs)


def timm(f):
    timm_case(f, "timm-plain", 310)
    timm_case(f, "timm-registers", 311, registers=4, scale=True)
    timm_case(f, "timm-no-embed-class", 312, registers=2, no_embed_class=True, qk_norm=True, qkv_bias=False)
    timm_case(f, "timm-clip-like", 313, pre_norm=True)
    timm_case(f, "timm-average", 314, pool="avg", scale=True)
    timm_case(f, "timm-no-class-token", 315, pool="avg", class_token=False)
    timm_case(f, "timm-size-24x48", 316, size=(24, 48), registers=1)

    # The same network through transformers, renamed and fused.
    folder = f.folder("timm-from-transformers")
    model = randomise(ViTForImageClassification(ViTConfig(**VIT, layer_norm_eps=1e-6)), 317)
    state = {k.removeprefix("vit."): v for k, v in saved(model, folder / "hf").items()}
    save_file(from_transformers(state, VIT["num_hidden_layers"]), folder / "model" / "model.safetensors")
    config = {"architecture": "vit_tiny_patch8_32", "num_classes": 5, "global_pool": "token", "model_args": {"num_heads": 4},
              "pretrained_cfg": {"input_size": [3, 32, 32]}}
    (folder / "model" / "config.json").write_text(json.dumps(config))
    inputs = {"pixel_values": pixels(317, 32, 32)}
    f.add("timm-from-transformers", "vit", reference(model, inputs), inputs)

    # A gated feed-forward part, both halves in fc1, as in timm's DINOv2 giant.
    folder = f.folder("timm-packed-swiglu")
    sizes = dict(SIZES, hidden_size=32, num_attention_heads=4, num_hidden_layers=2)
    gated = randomise(Dinov2Model(Dinov2Config(**sizes, use_swiglu_ffn=True, layerscale_value=0.5)), 318)
    state = from_transformers(saved(gated, folder / "hf"), 2)
    state = {k.replace("mlp.w12", "mlp.fc1").replace("mlp.w3", "mlp.fc2"): v for k, v in state.items()}
    save_file(state, folder / "model" / "model.safetensors")
    (folder / "model" / "config.json").write_text(json.dumps(config))
    inputs2 = {"pixel_values": pixels(318, 32, 32)}

    def run(dtype):
        tensors = reference(gated, inputs2)(dtype)
        tensors["output/pooler_output"] = tensors["output/last_hidden_state"][:, 0]
        return tensors

    f.add("timm-packed-swiglu", "vit", run, inputs2)


def lone(f):
    # Heads are not stored: lone files are taken to have heads of 64 channels.
    sizes = dict(SIZES, hidden_size=128, num_attention_heads=2, num_hidden_layers=2)
    folder = f.folder("lone-dino")
    model = randomise(ViTModel(ViTConfig(**sizes, intermediate_size=96, layer_norm_eps=1e-6), add_pooling_layer=False), 320)
    torch.save(from_transformers(saved(model, folder / "hf"), 2), folder / "model" / "dino.pth")
    inputs = {"pixel_values": pixels(320, 32, 32)}

    def run(dtype):
        tensors = reference(model, inputs)(dtype)
        tensors["output/pooler_output"] = tensors["output/last_hidden_state"][:, 0]
        return tensors

    f.add("lone-dino", "vit", run, inputs, model="model/dino.pth")

    folder = f.folder("lone-dinov2")
    dinov2 = randomise(Dinov2Model(Dinov2Config(**sizes, mlp_ratio=2, layerscale_value=0.5)), 321)
    torch.save({"model": from_transformers(saved(dinov2, folder / "hf"), 2)}, folder / "model" / "dinov2.pth")
    inputs2 = {"pixel_values": pixels(321, 32, 32)}
    f.add("lone-dinov2", "dinov2", reference(dinov2, inputs2), inputs2, model="model/dinov2.pth")


def build(fixtures):
    for kind in (precision, containers, timm, lone):
        kind(fixtures)
