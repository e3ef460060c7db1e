#!/usr/bin/env python3
"""Trains the demo ViT: which object is in the brackets? One softmax over 10 shapes x 8 colours.

    python train.py --minutes 6 --out build/vit-scenes

Needs torch, transformers, safetensors, numpy and g++; scenes come from core/scenes, built here. A small head that tells
which patches belong to the target (binary cross-entropy on the last hidden states) helps the first minutes along; it is
dropped afterwards. Attention itself is never supervised.
"""

import argparse
import json
import math
import pathlib
import tempfile
import time

import torch
import torch.nn.functional as F
from transformers import ViTConfig, ViTForImageClassification

import measure
import scenes


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--minutes", type=float, default=6, help="wall-clock time of the training loop")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--batch", type=int, default=512)
    p.add_argument("--scenes", type=int, default=280_000, help="scenes kept on the device; new ones replace the oldest")
    p.add_argument("--held-out", type=int, default=10_000)
    p.add_argument("--threads", type=int, default=12, help="threads of the scene generator")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--warmup", type=int, default=400)
    p.add_argument("--mask-weight", type=float, default=0.3)
    p.add_argument("--symmetries", type=int, choices=(8, 2), default=8, help="of the square, or left and right only")
    p.add_argument("--resume", type=pathlib.Path, help="folder of an earlier run whose weights this one starts from")
    return p.parse_args()


def config(names):
    return ViTConfig(
        hidden_size=192,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=768,
        image_size=scenes.SIDE,
        patch_size=scenes.SIDE // scenes.GRID,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )


def augment(images, coverage, symmetries):
    """Equal parts of the batch in each symmetry (turns, mirrored turns), brightness and contrast jittered."""
    n, turns = len(images), symmetries // 2
    coverage = coverage.reshape(n, scenes.GRID, scenes.GRID)
    parts, masks = [], []
    for k, (x, m) in enumerate(zip(images.chunk(symmetries), coverage.chunk(symmetries))):
        turn = lambda t: torch.rot90(t.flip(-1) if k >= turns else t, k % turns, (-2, -1))
        parts.append(turn(x))
        masks.append(turn(m))
    x = torch.cat(parts).to(torch.float32) / 127.5 - 1
    gain = torch.empty((n, 1, 1, 1), device=x.device).uniform_(0.85, 1.15)
    shift = torch.empty((n, 1, 1, 1), device=x.device).uniform_(-0.12, 0.12)
    return x * gain + shift, torch.cat(masks).reshape(n, -1)


def optimizer_for(modules, lr, device):
    decayed, plain = [], []
    for module in modules:
        for name, p in module.named_parameters():
            (plain if p.ndim < 2 or "embeddings.position" in name or "cls_token" in name else decayed).append(p)
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=device.type == "cuda")


def train(model, head, stream, args, device):
    """Trains for args.minutes and returns what the model card says about it."""
    optimizer = optimizer_for([model, head], args.lr, device)
    if args.resume:
        state = torch.load(args.resume / "checkpoint.pt", map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        head.load_state_dict(state["head"])
    model.train()
    parameters = [p for g in optimizer.param_groups for p in g["params"]]
    start, step, seen = time.time(), 0, 0
    budget = args.minutes * 60
    good = torch.zeros((), device=device)
    while time.time() - start < budget:
        stream.take()
        progress = min((time.time() - start) / budget, 1)
        lr = args.lr * min(1, (step + 1) / args.warmup) * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = lr
        labels, coverage, images = stream.sample(args.batch)
        images, coverage = augment(images, coverage, args.symmetries)
        with torch.autocast(device.type, torch.bfloat16):
            hidden = model.vit(images).last_hidden_state
            logits = model.classifier(hidden[:, 0])
            inside = head(hidden[:, 1:]).squeeze(-1)
        loss = F.cross_entropy(logits.float(), labels)
        mask_loss = F.binary_cross_entropy_with_logits(inside.float(), coverage)
        optimizer.zero_grad(set_to_none=True)
        (loss + args.mask_weight * mask_loss).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        good += (logits.argmax(-1) == labels).float().mean()
        step += 1
        seen += args.batch
        if step % 250 == 0 or step in (10, 50):
            span = 250 if step % 250 == 0 else step
            print(
                f"{time.time() - start:6.1f} s  step {step}  loss {loss.item():.4f}  mask {mask_loss.item():.4f}  "
                f"accuracy {good.item() / span:.4f}  lr {lr:.2e}  {seen / (time.time() - start):.0f} images/s  "
                f"{stream.received} scenes",
                flush=True,
            )
            if span == 250:
                good.zero_()
    return {"steps": step, "seconds": time.time() - start, "seen": seen, "scenes": stream.received}


def save(model, out):
    """Writes the fp16 model folder: config.json, model.safetensors, preprocessor_config.json."""
    half = ViTForImageClassification(model.config)
    half.load_state_dict({k: v.detach().cpu() for k, v in model.state_dict().items()})
    half.half().save_pretrained(out)
    processor = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "ViTImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": scenes.SIDE, "width": scenes.SIDE},
    }
    (out / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")


def main():
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    with tempfile.TemporaryDirectory() as folder:
        program = scenes.build(folder)
        print("generator built", flush=True)
        stream = scenes.stream(program, args.seed * 10**9, args.scenes, args.threads, device)
        model = ViTForImageClassification(config(scenes.class_names(program))).to(device)
        head = torch.nn.Linear(model.config.hidden_size, 1).to(device)
        while stream.received < min(stream.slots, 16 * args.batch):
            stream.take(wait=True)
        print(f"{stream.received} scenes ready, {sum(p.numel() for p in model.parameters())} parameters", flush=True)
        facts = train(model, head, stream, args, device)
        stream.close()
        del stream.pool
        save(model, args.out)
        torch.save({"model": model.state_dict(), "head": head.state_dict()}, args.out / "checkpoint.pt")
        print("saved", facts, flush=True)
        records = scenes.load(program, scenes.HELD_OUT, args.held_out, args.threads, folder)
        facts |= {
            "seed": args.seed,
            "batch": args.batch,
            "minutes": args.minutes,
            "lr": args.lr,
            "mask_weight": args.mask_weight,
            "pool": args.scenes,
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
            "symmetries": args.symmetries,
        }
        if args.resume:
            facts["before"] = json.loads((args.resume / "facts.json").read_text())
        facts |= measure.measure(args.out, records, device)
    (args.out / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    (args.out / "README.md").write_text(measure.card(facts))
    print((args.out / "README.md").read_text(), flush=True)


if __name__ == "__main__":
    main()
