#!/usr/bin/env python3
"""What the model card reports: held-out accuracy of the saved fp16 file, where attention falls, and sinks.

    python measure.py FOLDER [--attention-only]

measures a trained folder again and rewrites its facts.json and README.md.
"""

import argparse
import json
import pathlib
import tempfile

import torch
from transformers import ViTForImageClassification

import scenes

MAPS = 2000  # held-out scenes whose attention is looked at
SINK = 5  # a token is a sink of a head if it receives more than SINK times the mean token's attention (ACT, 2024)
STRONG = 0.3  # or, stricter, more than this share of all attention (Gu et al., 2024)


def pixels(images):
    return images.float() / 127.5 - 1


def accuracy(model, records, device, dtype):
    """Share of right classes, shapes and colours in percent."""
    right = torch.zeros(3, dtype=torch.float64)
    for part in records.split(500):
        labels, _, images = scenes.split(part.to(device))
        with torch.no_grad():
            guess = model(pixel_values=pixels(images).to(dtype)).logits.argmax(-1)
        right += torch.stack([guess == labels, guess // 8 == labels // 8, guess % 8 == labels % 8]).sum(1).double().cpu()
    return [100 * v / len(records) for v in right.tolist()]


def rollout(attentions):
    """Abnar and Zuidema 2020: product over layers of half identity, half head-mean attention."""
    result = None
    for a in attentions:
        a = 0.5 * a.mean(1) + 0.5 * torch.eye(a.shape[-1], device=a.device)
        result = a if result is None else a @ result
    return result


class Maps:
    """Sums over scenes of what the card says about attention."""

    def __init__(self, layers, heads):
        self.scenes = 0
        self.area = 0.0
        self.patches = torch.zeros(layers)  # CLS attention on patches
        self.target = torch.zeros(layers, heads)  # share of it on the target
        self.pointing = torch.zeros(layers)  # the patch with most of it touches the target
        self.rollout = 0.0
        self.received = torch.zeros(layers)  # share that CLS receives
        self.sinks = torch.zeros(layers)  # patches per head that are sinks
        self.sink_mass = torch.zeros(layers)  # share of attention on them
        self.off_target = torch.zeros(layers)  # the part of it on sinks that do not touch the target
        self.strong = torch.zeros(layers)  # tokens per head over STRONG
        self.largest = torch.zeros(layers)  # share of the largest patch of a head
        self.largest_inside = torch.zeros(layers)  # that patch touches the target
        self.norm = torch.zeros(layers + 1)  # largest over median token norm

    def add(self, attentions, hidden, coverage):
        n = len(coverage)
        self.scenes += n
        self.area += coverage.mean(1).sum().item()
        touches = coverage > 0
        for layer, a in enumerate(attentions):
            cls = a[:, :, 0, 1:]  # [n, heads, patches]
            share = cls / cls.sum(-1, keepdim=True)
            self.patches[layer] += cls.sum(-1).mean(1).sum().item()
            self.target[layer] += (share * coverage[:, None]).sum(-1).sum(0).cpu()
            self.pointing[layer] += touches.gather(1, cls.mean(1).argmax(-1, keepdim=True)).sum().item()
            incoming = a.mean(2)  # [n, heads, tokens], sums to 1
            patch = incoming[..., 1:]
            sink = patch > SINK / a.shape[-1]
            self.received[layer] += incoming[..., 0].mean(1).sum().item()
            self.sinks[layer] += sink.sum(-1).float().mean(1).sum().item()
            self.sink_mass[layer] += (patch * sink).sum(-1).mean(1).sum().item()
            off = sink & ~touches[:, None]
            self.off_target[layer] += (patch * off).sum(-1).mean(1).sum().item()
            self.strong[layer] += (incoming > STRONG).sum(-1).float().mean(1).sum().item()
            top, where = patch.max(-1)
            self.largest[layer] += top.mean(1).sum().item()
            self.largest_inside[layer] += touches.gather(1, where).float().mean(1).sum().item()
        rolled = rollout(attentions)[:, 0, 1:]
        self.rollout += (rolled * coverage).sum(1).div(rolled.sum(1)).sum().item()
        for i, h in enumerate(hidden):
            norms = h.float().norm(dim=-1)
            self.norm[i] += (norms.max(-1).values / norms.median(-1).values).sum().item()

    def report(self):
        mean = lambda t: [round(v, 4) for v in (t / self.scenes).tolist()]
        return {
            "maps": self.scenes,
            "area": self.area / self.scenes,
            "rollout": self.rollout / self.scenes,
            "patches": mean(self.patches),
            "target": mean(self.target.mean(1)),
            "target_heads": [mean(row) for row in self.target],
            "pointing": mean(self.pointing),
            "cls_received": mean(self.received),
            "sinks": mean(self.sinks),
            "sink_mass": mean(self.sink_mass),
            "off_target": mean(self.off_target),
            "strong": mean(self.strong),
            "largest": mean(self.largest),
            "largest_inside": mean(self.largest_inside),
            "norm": mean(self.norm),
        }


def accuracies(folder, records, device):
    full = ViTForImageClassification.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    facts = {"held_out": len(records), "parameters": sum(p.numel() for p in full.parameters())}
    facts["accuracy"], facts["shape_accuracy"], facts["color_accuracy"] = accuracy(full, records, device, torch.float32)
    half = ViTForImageClassification.from_pretrained(folder, dtype=torch.float16).to(device).eval()
    facts["half_accuracy"] = accuracy(half, records, device, torch.float16)[0]
    return facts


def attention(folder, records, device):
    model = ViTForImageClassification.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model = model.to(device).eval()
    maps = Maps(model.config.num_hidden_layers, model.config.num_attention_heads)
    for part in records[:MAPS].split(100):
        _, coverage, images = scenes.split(part.to(device))
        with torch.no_grad():
            out = model(pixel_values=pixels(images), output_attentions=True, output_hidden_states=True)
        maps.add(out.attentions, out.hidden_states, coverage)
    return maps.report()


def measure(folder, records, device):
    return accuracies(folder, records, device) | attention(folder, records, device)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def card(f):
    """The model card (README.md) from the facts."""
    percent = lambda v: f"{100 * v:.1f} %"
    layers = range(len(f["target"]))
    where = [
        (
            i,
            percent(f["patches"][i]),
            percent(f["target"][i]),
            f"{f['target'][i] / f['area']:.1f}",
            f"{percent(max(f['target_heads'][i]))} (head {f['target_heads'][i].index(max(f['target_heads'][i]))})",
            percent(f["pointing"][i]),
        )
        for i in layers
    ]
    sinks = [
        (
            i,
            percent(f["cls_received"][i]),
            f"{f['sinks'][i]:.2f}",
            percent(f["sink_mass"][i]),
            percent(f["off_target"][i]),
            percent(f["largest"][i]),
            percent(f["largest_inside"][i]),
            f"{f['strong'][i]:.3f}",
            f"{f['norm'][i + 1]:.2f}",
        )
        for i in layers
    ]
    runs = []
    run = f
    while run:
        runs.insert(0, run)
        run = run.get("before")
    training = [
        ("seed", *(r["seed"] for r in runs)),
        ("steps", *(f"{r['steps']:,} of {r['batch']} images" for r in runs)),
        ("images", *(f"{r['seen']:,} from {r['scenes']:,} scenes" for r in runs)),
        ("time", *(f"{r['seconds'] / 60:.1f} minutes on one {r['device']}" for r in runs)),
        ("learning rate", *(f"{r['lr']:g}" for r in runs)),
        ("symmetries", *(r.get("symmetries", 8) for r in runs)),
        ("weight of the patch head", *(f"{r['mask_weight']:g}" for r in runs)),
        ("held-out accuracy after it", *(f"{r['accuracy']:.2f} %" for r in runs)),
    ]
    commands = "\n".join(
        f"    python train.py --minutes {r['minutes']:g} --seed {r['seed']} --lr {r['lr']:g} --symmetries "
        f"{r.get('symmetries', 8)} --mask-weight {r['mask_weight']:g} --out run{i + 1}" + (f" --resume run{i}" if i else "")
        for i, r in enumerate(runs)
    )
    best = max(layers, key=lambda i: f["target"][i])
    worst = max(layers, key=lambda i: f["off_target"][i])
    has = f["off_target"][worst] >= 0.05
    content = [i for i in layers if f["largest_inside"][i] >= 0.5]
    verdict = (
        f"{'Yes, mild ones' if has else 'Hardly'}: in layer {worst} sink patches that do not touch the target take\n"
        f"{percent(f['off_target'][worst])} of a head's attention (patches with a bracket may be among them)."
    )
    if content:
        names = ", ".join(map(str, content))
        verdict += f" In layers {names}\nthe patches that receive most are mostly the target's own: content, not sinks."
    verdict += f"\nNo layer has massive norms: the largest token is at most {max(f['norm']):.2f} times the median."
    return f"""---
license: apache-2.0
library_name: transformers
pipeline_tag: image-classification
---
# vit-scenes: what is in the brackets?

A small vision transformer (ViT, {f['parameters']:,} parameters, 6 layers of 4 heads, width 192, 14 x 14 patches of 16
pixels) that ships with Fovea as `demo:vit`. Its pictures are the procedural scenes of `core/scenes`: 4 to 9 objects that
cover each other, on varied backgrounds with clutter and light, one of them between white corner brackets.

**Task.** Name the bracketed object: one softmax over 10 shapes x 8 colours (`red circle` ... `white arrow`), so that it is
an ordinary `ViTForImageClassification`. Every scene holds distractors, often of the same shape or colour; to answer, the
model must find the brackets and read shape and colour inside, which gives its attention something to be right about.

**Format.** Hugging Face folder, fp16; 224 x 224 pixels, bilinear, mean and standard deviation 0.5.

## Training

{table(("", *(f"run {i + 1}" for i in range(len(runs)))), training)}

AdamW, cosine to 0 over each run's time, weight decay 0.05, bf16 autocast; symmetries of the square (all eight, or left and
right), brightness and contrast as augmentation. A linear head that tells target patches from others (binary cross-entropy)
helps and is dropped afterwards; attention is never supervised. Scenes are drawn on the CPU meanwhile. Repeat it with

{commands}

The time limit, not the step count, ends a run, so that another machine gives other weights.

## Held-out accuracy

Measured with the saved fp16 weights on {f['held_out']:,} scenes of seeds from {scenes.HELD_OUT} on, which no training uses:
**{f['accuracy']:.2f} %** (computed in fp32; {f['half_accuracy']:.2f} % in fp16). Shape alone {f['shape_accuracy']:.2f} %, colour alone {f['color_accuracy']:.2f} %.
Chance is 1.25 %; naming any object of the scene at random gives about 16 %.

## Does attention fall on the asked object?

{f['maps']:,} held-out scenes, fp32. The target's visible pixels are {percent(f['area'])} of the picture on average. "On target" is the
share of the CLS token's attention to patches that falls on those pixels (a patch counts by the part of it they cover),
mean over heads; "times area" divides it by the area: 1 is what uniform attention gives. "Points" says how often the patch
with the most attention touches the target.

{table(("layer", "CLS to patches", "on target", "times area", "best head", "points"), where)}

Rollout (Abnar and Zuidema 2020, head mean, half identity): {percent(f['rollout'])} on target, {f['rollout'] / f['area']:.1f} times area.
Most target-bound is layer {best}: {percent(f['target'][best])}, {f['target'][best] / f['area']:.1f} times its area.

## Does it have sink tokens?

A token's incoming mass is its mean attention over all 197 queries of a head. A patch is a sink of a head above
{SINK}/197 = {SINK / 197:.4f}, {SINK} times the uniform share (the rule of ACT, 2024); "over {STRONG}" counts tokens, CLS included, that take
more than that share of all attention (Gu et al. 2024). Means over heads and scenes.

{table(("layer", "CLS receives", "sink patches", "mass on them", "on those off target", "largest patch", "it touches target", f"over {STRONG}", "largest / median norm"), sinks)}

{verdict}
"""


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--attention-only", action="store_true", help="keep the accuracies of facts.json")
    p.add_argument("--held-out", type=int, default=10_000)
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    path = args.folder / "facts.json"
    facts = json.loads(path.read_text())
    with tempfile.TemporaryDirectory() as folder:
        count = min(args.held_out, MAPS) if args.attention_only else args.held_out
        records = scenes.load(scenes.build(folder), scenes.HELD_OUT, count, args.threads, folder)
    facts |= attention(args.folder, records, device) if args.attention_only else measure(args.folder, records, device)
    path.write_text(json.dumps(facts, indent=1) + "\n")
    (args.folder / "README.md").write_text(card(facts))


if __name__ == "__main__":
    main()
