"""Adapters of the peft package on tiny ViTs with random weights, and what peft computes with them in float64.

Usage: make_adapter_fixtures.py FOLDER. Writes FOLDER/index.json, FOLDER/NAME/{base,adapter} and input.safetensors.
"""

import copy
import json
import math
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import Dinov2Config, Dinov2ForImageClassification, ViTConfig, ViTForImageClassification

SIZES = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, image_size=32, patch_size=8, num_labels=5,
             attn_implementation="sdpa")  # eager rounds to float32
PICTURES = torch.randn((8, 3, 32, 32), generator=torch.Generator().manual_seed(7))
PIXELS = PICTURES[:1]
STRENGTHS = (0.0, 1.0, 0.5, -1.5)


def randomise(module, seed, names=lambda name: True):
    """Every parameter away from zero, matrices of standard deviation 1/sqrt(fan-in)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if not names(name):
                continue
            value = torch.randn(parameter.shape, generator=generator)
            if "norm" in name and name.endswith("weight") or "magnitude" in name:
                value = 1 + 0.2 * value
            elif parameter.dim() >= 2:
                value = value / math.sqrt(math.prod(parameter.shape[1:]))
            else:
                value = 0.3 * value
            parameter.copy_(value)


def linears(model):
    """Names of the two matrices of a feed-forward part, whatever the version of transformers calls them."""
    names = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    layer = sorted({n.split(".")[-1] for n in names if ".0." in n and ("attention" in n)})
    return names, layer


def classes(kind):
    if kind == "dinov2":
        return Dinov2ForImageClassification(Dinov2Config(**SIZES, mlp_ratio=2))
    return ViTForImageClassification(ViTConfig(**SIZES, intermediate_size=48))


def run(model, pixels):
    with torch.no_grad():
        result = model(pixel_values=pixels, output_hidden_states=True)
    return [result.logits.flatten().tolist(), result.hidden_states[-1].flatten().tolist()]


def rounding(model):
    """The largest error of a model in float32 over several pictures: five classes of one say little about it."""
    exact = copy.deepcopy(model).double()
    errors = []
    for picture in PICTURES:
        pairs = zip(run(model, picture[None]), run(exact, picture[None].double()))
        errors.append([max(abs(a - b) for a, b in zip(*pair)) for pair in pairs])
    return [max(each) for each in zip(*errors)]


def save(root, name, kind, config, change=None, after=None):
    torch.manual_seed(0)
    base = classes(kind)
    randomise(base, 11)
    base.eval()
    folder = root / name
    base.save_pretrained(folder / "base")
    if config.get("target_modules") == "layer":
        config["target_modules"] = linears(base)[1]
    adapted = get_peft_model(copy.deepcopy(base), LoraConfig(**config))
    trained = lambda n: "lora_" in n or "modules_to_save" in n or (config.get("bias", "none") != "none" and n.endswith("bias"))
    # Bias by "lora_only" trains those of adapted matrices alone.
    kept = {n for n, p in adapted.named_parameters() if p.requires_grad}
    randomise(adapted, 12, lambda n: trained(n) and n in kept)
    adapted.eval()
    adapted.save_pretrained(folder / "adapter", safe_serialization=change != "bin")
    if after:
        after(folder / "adapter")
    single = {"1.0": rounding(adapted), "0.0": rounding(base)}
    exact = adapted.double()
    pixels = PIXELS.double()
    reference = {"1.0": run(exact, pixels), "0.0": run(base.double(), pixels)}
    merged = exact.merge_and_unload()
    for strength in STRENGTHS[2:]:
        mixed = copy.deepcopy(base).double()
        with torch.no_grad():
            for (n, p), (m, q) in zip(mixed.named_parameters(), merged.named_parameters()):
                assert n == m, (n, m)
                p.copy_(p + strength * (q - p))
        reference[str(strength)] = run(mixed, pixels)
    return {"name": name, "reference": reference, "single": single}


def half(folder):
    """The same values in a narrower type, which the reference was computed with all the same."""
    from safetensors.torch import load_file
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({n: t.to(torch.float64) for n, t in tensors.items()}, folder / "adapter_model.safetensors")


def renamed(pairs):
    """The adapter as another version of transformers would have saved it, which has other names for its modules."""
    def other(name):
        for old, new in pairs:
            name = name.replace(old, new)
        return name

    def change(folder):
        from safetensors.torch import load_file
        tensors = load_file(folder / "adapter_model.safetensors")
        made = {other(name): tensor for name, tensor in tensors.items()}
        assert len(made) == len(tensors) and set(made) != set(tensors)
        save_file(made, folder / "adapter_model.safetensors")
        config = json.loads((folder / "adapter_config.json").read_text())
        config["target_modules"] = [other(name) for name in config["target_modules"]]
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return change


def configured(**entries):
    """Other entries in the configuration, which must not change what is computed."""
    def change(folder):
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | entries))
    return change


def main():
    root = pathlib.Path(sys.argv[1])
    save_file({"pixel_values": PIXELS}, root / "input.safetensors")
    layer = dict(target_modules="layer")
    every = dict(target_modules="all-linear")
    names = linears(classes("vit"))[1]
    made = [
        save(root, "lora", "vit", dict(r=4, lora_alpha=8, **layer)),
        save(root, "lora-all", "vit", dict(r=3, lora_alpha=5, **every)),
        save(root, "rslora", "vit", dict(r=4, lora_alpha=8, use_rslora=True, **layer)),
        save(root, "dora", "vit", dict(r=4, lora_alpha=8, use_dora=True, **every)),
        save(root, "dora-rslora", "dinov2", dict(r=2, lora_alpha=3, use_dora=True, use_rslora=True, **every)),
        save(root, "lora-dinov2", "dinov2", dict(r=4, lora_alpha=16, **every)),
        save(root, "saved-classifier", "vit", dict(r=4, lora_alpha=8, modules_to_save=["classifier"], **layer)),
        save(root, "bias-lora-only", "vit", dict(r=4, lora_alpha=8, bias="lora_only", **layer)),
        save(root, "patterns", "vit", dict(r=4, lora_alpha=8, rank_pattern={r".*\.1\..*": 2, "layernorm": 1}, alpha_pattern={r".*\.(0|2)\.attention.*": 3}, **layer)),
        save(root, "layers", "vit", dict(r=4, lora_alpha=8, layers_to_transform=[1], **layer)),
        save(root, "float64", "vit", dict(r=4, lora_alpha=8, **layer), after=half),
        save(root, "regex", "vit", dict(r=4, lora_alpha=8, target_modules=r".*\.(0|1)\..*(query|value|q_proj|v_proj)")),
        save(root, "patches", "vit", dict(r=4, lora_alpha=6, target_modules=["projection", "classifier"])),
        save(root, "patches-dora", "vit", dict(r=3, lora_alpha=6, use_dora=True, target_modules=["projection"])),
        save(root, "patches-rslora", "dinov2", dict(r=3, lora_alpha=2, use_rslora=True, rank_pattern={"projection": 5}, target_modules=["projection", *names])),
        save(root, "patches-bias", "vit", dict(r=4, lora_alpha=6, bias="lora_only", target_modules=["projection"])),
        save(root, "saved-patches", "vit", dict(r=4, lora_alpha=8, modules_to_save=["projection"], **layer)),
        save(root, "lora-bias", "vit", dict(r=4, lora_alpha=6, lora_bias=True, use_rslora=True, target_modules=["projection", "classifier", *names])),
        save(root, "excluded", "vit", dict(r=4, lora_alpha=8, target_modules=names, exclude_modules=r".*\.1\..*")),
        save(root, "eva", "vit", dict(r=4, lora_alpha=8, target_modules=names),
             after=configured(init_lora_weights="eva", eva_config={"rho": 2.0, "tau": 0.99}, auto_mapping=None, inference_mode=True,
                              task_type="IMAGE_CLASSIFICATION", revision=None, peft_version="0.21.2", lora_dropout=0.1, megatron_core="megatron.core")),
        save(root, "older-names", "vit", dict(r=4, lora_alpha=8, target_modules="all-linear"),
             after=renamed([("vit.layers.", "vit.encoder.layer."), ("attention.q_proj", "attention.attention.query"),
                            ("attention.k_proj", "attention.attention.key"), ("attention.v_proj", "attention.attention.value"),
                            ("attention.o_proj", "attention.output.dense"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense")])),
    ]
    pickled = save(root, "bin", "vit", dict(r=4, lora_alpha=8, **layer))
    from safetensors.torch import load_file
    file = root / "bin/adapter/adapter_model.safetensors"
    torch.save(load_file(file), root / "bin/adapter/adapter_model.bin")
    file.unlink()
    (root / "index.json").write_text(json.dumps({"cases": made + [pickled]}))


if __name__ == "__main__":
    main()
