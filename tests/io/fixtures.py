"""Weight files as the reference packages write them: safetensors, torch.save (both forms), Hugging Face folders.

usage: fixtures.py FOLDER
Every tensor is accompanied by its values in `expected.json` (as float64 lists, row-major).
"""
import collections
import json
import os
import sys

import torch
from safetensors.torch import save_file

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
torch.manual_seed(0)
expected = {}


def record(key, tensors):
    expected[key] = {
        name: {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape),
               "values": t.detach().to(torch.float64).reshape(-1).tolist()}
        for name, t in tensors.items()}


plain = {
    "a.f32": torch.randn(3, 5),
    "a.f64": torch.randn(2, 2, dtype=torch.float64),
    "a.f16": torch.randn(7).half(),
    "a.bf16": torch.randn(2, 3, 2).bfloat16(),
    "a.i64": torch.randint(-9, 9, (4,)),
    "a.i32": torch.randint(-9, 9, (4,), dtype=torch.int32),
    "a.i16": torch.randint(-9, 9, (3,), dtype=torch.int16),
    "a.i8": torch.randint(-9, 9, (3,), dtype=torch.int8),
    "a.u8": torch.randint(0, 255, (5,), dtype=torch.uint8),
    "a.bool": torch.tensor([True, False, True]),
    "a.scalar": torch.tensor(2.5),
    "a.empty": torch.zeros(0, 4),
}
wide = {
    "u16": torch.tensor([0, 1, 65535], dtype=torch.uint16),
    "u32": torch.tensor([0, 1, 4294967295], dtype=torch.uint32),
    "u64": torch.tensor([0, 1, 2**62], dtype=torch.uint64),
    "e4m3": torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn),
    "e5m2": torch.arange(256, dtype=torch.uint8).view(torch.float8_e5m2),
    "e8m0": torch.arange(255, dtype=torch.uint8).view(torch.float8_e8m0fnu),
    "e4m3z": torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fnuz),
    "e5m2z": torch.arange(256, dtype=torch.uint8).view(torch.float8_e5m2fnuz),
}
save_file({**plain, **wide}, f"{out}/plain.safetensors", metadata={"format": "pt", "note": "ü"})
record("plain.safetensors", {**plain, **wide})

base = torch.randn(6, 4)
strided = {
    "base": base,
    "transposed": base.t(),
    "column": base[:, 1],
    "rows": base[2:4],
    "every": base[::2, ::3],
    "expanded": torch.tensor([1.0, 2.0]).expand(3, 2),
}
pickled = {**plain, **strided}
record("pickled", pickled)
state = collections.OrderedDict((f"module.{k}", v) for k, v in pickled.items())
torch.save(state, f"{out}/zip.bin")
torch.save(dict(pickled), f"{out}/legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"model": state, "epoch": 3, "lr": 0.1, "name": "x", "flags": [True, None, (1, 2.5)], "big": 2**70, "minus": -5},
           f"{out}/wrapped.pt")
for protocol in (3, 4, 5):
    torch.save(dict(pickled), f"{out}/protocol{protocol}.pt", pickle_protocol=protocol)

model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
record("module", model.state_dict())
torch.save(model.state_dict(), f"{out}/state_dict.pth")
torch.save(model.state_dict(), f"{out}/state_dict_legacy.pth", _use_new_zipfile_serialization=False)
parameters = {name: p for name, p in model.named_parameters()}
record("parameters", parameters)
torch.save(parameters, f"{out}/parameters.pth")
torch.save(model, f"{out}/whole_model.pth")
torch.save({"state_dict": model.state_dict(), "args": __import__("argparse").Namespace(lr=1)}, f"{out}/namespace.pth")
torch.jit.save(torch.jit.script(model), f"{out}/script.pt")


class Hostile:
    def __reduce__(self):
        return os.system, ("echo hostile > " + os.path.abspath(f"{out}/hostile_ran"),)


torch.save({"weight": Hostile()}, f"{out}/hostile.bin")
torch.save({"weight": Hostile()}, f"{out}/hostile_legacy.bin", _use_new_zipfile_serialization=False)

# A sharded folder, as save_pretrained splits a model.
from transformers import ViTConfig, ViTForImageClassification

config = ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8,
                   patch_size=4, num_labels=3)
vit = ViTForImageClassification(config).eval()
vit.save_pretrained(f"{out}/vit")
vit.save_pretrained(f"{out}/vit_sharded", max_shard_size="6KB")
vit.half().save_pretrained(f"{out}/vit_fp16")
names = {}
from safetensors import safe_open
with safe_open(f"{out}/vit/model.safetensors", "pt") as f:
    for key in f.keys():
        names[key] = f.get_tensor(key)
record("vit", names)
os.makedirs(f"{out}/vit_bin", exist_ok=True)
torch.save(names, f"{out}/vit_bin/pytorch_model.bin")
with open(f"{out}/vit/config.json") as f:
    text = f.read()
with open(f"{out}/vit_bin/config.json", "w") as f:
    f.write(text)

# A DINO v1 checkpoint has timm's names.
dino = {"cls_token": torch.randn(1, 1, 128), "pos_embed": torch.randn(1, 10, 128),
        "patch_embed.proj.weight": torch.randn(128, 3, 8, 8), "patch_embed.proj.bias": torch.randn(128),
        "norm.weight": torch.randn(128), "norm.bias": torch.randn(128)}
for i in range(2):
    dino |= {f"blocks.{i}.norm1.weight": torch.randn(128), f"blocks.{i}.attn.qkv.weight": torch.randn(384, 128),
             f"blocks.{i}.attn.qkv.bias": torch.randn(384), f"blocks.{i}.mlp.fc1.weight": torch.randn(512, 128)}
record("dino", dino)
torch.save(dino, f"{out}/dino.pth", _use_new_zipfile_serialization=False)

with open(f"{out}/expected.json.part", "w") as f:
    json.dump(expected, f, default=str)
text = open(f"{out}/expected.json.part").read().replace("-Infinity", '"-inf"').replace("Infinity", '"inf"').replace("NaN", '"nan"')
with open(f"{out}/expected.json.part", "w") as f:
    f.write(text)
os.replace(f"{out}/expected.json.part", f"{out}/expected.json")
