#!/usr/bin/env python3
"""Trains the demo vision-language model on questions about procedural scenes.

    python train.py --minutes 6 --out build/vlm-scenes

Needs torch, transformers, tokenizers, safetensors, numpy and g++; scenes and questions come from vlm_dataset.cpp and
core/scenes, built here. Heads that tell for every patch which shape and colour it shows, where its object's centre lies and
whether it is there (from the true masks) help the vision tower along; they are dropped afterwards. Attention itself is never
supervised.
"""

import argparse
import json
import math
import pathlib
import tempfile
import time

import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, LlavaForConditionalGeneration

import measure
import model as models
import questions
import scenes


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--minutes", type=float, default=6, help="wall-clock time of the training loop")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--scenes", type=int, default=200_000, help="scenes kept on the device; new ones replace the oldest")
    p.add_argument("--held-out", type=int, default=9000)
    p.add_argument("--threads", type=int, default=14, help="threads of the scene generator")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--vision-lr", type=float, default=5e-4)
    p.add_argument("--warmup", type=int, default=300)
    p.add_argument("--patch-weight", type=float, default=0.5, help="of the patch heads' loss")
    p.add_argument("--conversations", type=float, default=0.2, help="share of rows whose questions are turns of one chat")
    p.add_argument("--weights", type=float, nargs=questions.NAME, default=questions.WEIGHTS, help="how often each kind is asked")
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--resume", type=pathlib.Path, help="folder of an earlier run whose weights this one starts from")
    return p.parse_args()


class PatchHeads(torch.nn.Module):
    """Per patch: shape (10, background), colour (8, background), centre's offset (2), centre is here (1)."""

    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.out = torch.nn.Linear(width, 11 + 9 + 2 + 1)

    def loss(self, features, batch):
        share, owner = batch.coverage.max(1)  # [n, cells]
        inside = share >= 77
        classes = batch.classes.gather(1, owner)
        shape = torch.where(inside, classes // 8, 10)
        color = torch.where(inside, classes % 8, 8)
        cell = torch.arange(scenes.CELLS, device=share.device)
        here = (torch.stack([cell % scenes.GRID, cell // scenes.GRID], -1) + 0.5) / scenes.GRID
        offset = (batch.centers.gather(1, owner[..., None].expand(-1, -1, 2)) - here) * scenes.GRID / 2
        center = torch.zeros(len(share), 256, device=share.device).scatter_(1, batch.anchors, 1.0)[:, : scenes.CELLS]
        out = self.out(self.norm(features)).float()
        shapes, colors, offsets, centers = out.split([11, 9, 2, 1], -1)
        loss = F.cross_entropy(shapes.flatten(0, 1), shape.flatten()) + F.cross_entropy(colors.flatten(0, 1), color.flatten())
        loss = loss + ((offsets - offset).abs().mean(-1) * inside).sum() / inside.sum().clamp(min=1)
        return loss + 4 * F.binary_cross_entropy_with_logits(centers.squeeze(-1), center)


def forward(model, packer, batch, packed):
    """Logits at all places after the image prefix, and the patch features."""
    ids, positions, mask, _, _ = packed
    n, start = len(ids), len(packer.prefix)
    images = scenes.pixels(batch.images)
    gain = torch.empty((n, 1, 1, 1), device=images.device).uniform_(0.9, 1.1)
    shift = torch.empty((n, 1, 1, 1), device=images.device).uniform_(-0.08, 0.08)
    features = model.model.vision_tower(images * gain + shift).last_hidden_state[:, 1:]
    embedded = model.model.language_model.embed_tokens(ids)
    first = packer.image
    parts = [embedded[:, :first], model.model.multi_modal_projector(features).to(embedded.dtype), embedded[:, first + scenes.CELLS :]]
    kind = torch.bfloat16 if images.is_cuda else torch.float32
    bias = torch.zeros(mask.shape, dtype=kind, device=mask.device).masked_fill_(~mask, float("-inf"))[:, None]
    hidden = model.model.language_model(
        inputs_embeds=torch.cat(parts, 1), attention_mask=bias, position_ids=positions, use_cache=False
    ).last_hidden_state
    return model.lm_head(hidden[:, start:]), features


def optimizer_for(model, heads, args, device):
    groups = {}
    for name, p in [*model.named_parameters(), *heads.named_parameters()]:
        decay = 0.05 if p.ndim >= 2 and "embed" not in name else 0.0
        groups.setdefault((args.vision_lr if "vision_tower" in name else args.lr, decay), []).append(p)
    groups = [{"params": p, "lr": lr, "base": lr, "weight_decay": decay} for (lr, decay), p in groups.items()]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=device.type == "cuda")


class Progress:
    """Running accuracy of answer tokens by kind."""

    def __init__(self, device):
        self.right, self.asked = (torch.zeros(questions.NAME + 1, device=device) for _ in range(2))

    def add(self, logits, target, kinds):
        known = target >= 0
        self.right.index_add_(0, kinds.flatten(), ((logits.argmax(-1) == target) & known).flatten().float())
        self.asked.index_add_(0, kinds.flatten(), known.flatten().float())

    def take(self):
        shares = (self.right / self.asked.clamp(min=1)).tolist()
        self.right.zero_(), self.asked.zero_()
        return " ".join(f"{k}={100 * s:.1f}" for k, s in zip(questions.KINDS, shares))


def train(model, heads, packer, stream, args, device):
    """Trains for args.minutes and returns what the model card says about it."""
    optimizer = optimizer_for(model, heads, args, device)
    model.train()
    parameters = [p for g in optimizer.param_groups for p in g["params"]]
    progress, start, budget, step = Progress(device), time.time(), args.minutes * 60, 0
    while time.time() - start < budget:
        stream.take()
        done = min((time.time() - start) / budget, 1)
        factor = min(1, (step + 1) / args.warmup) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-3
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * factor
        batch = stream.sample(args.batch)
        packed = packer.pack(batch, args.conversations)
        target, kinds = packed[3:]
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits, features = forward(model, packer, batch, packed)
        loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten())
        patches = heads.loss(features.float(), batch)
        optimizer.zero_grad(set_to_none=True)
        (loss + args.patch_weight * patches).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        progress.add(logits.detach(), target, kinds)
        step += 1
        if step == 2:  # what compiling took does not count
            print(f"compiled after {time.time() - start:.1f} s", flush=True)
            start = time.time()
        if step % 250 == 0 or step in (10, 50):
            seconds = time.time() - start
            print(
                f"{seconds:6.1f} s  step {step}  loss {loss.item():.4f}  patches {patches.item():.4f}  "
                f"{args.batch * step / seconds:.0f} images/s  {stream.received} scenes  {progress.take()}",
                flush=True,
            )
    return {"steps": step, "seconds": time.time() - start, "seen": step * args.batch, "scenes": stream.received}


def facts_of(args, device):
    names = ("seed", "batch", "minutes", "lr", "vision_lr", "warmup", "patch_weight", "conversations", "weights")
    facts = {k: getattr(args, k) for k in names}
    facts["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    if args.resume:
        before = json.loads((args.resume / "facts.json").read_text())
        keep = (*facts, "steps", "seconds", "seen", "scenes", "asked", "accuracy", "before")
        facts["before"] = {k: v for k, v in before.items() if k in keep}
    return facts


def main():
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    with tempfile.TemporaryDirectory() as folder:
        program = scenes.build(folder)
        stream = scenes.stream(program, args.seed * 10**9, args.scenes, args.threads, device)
        texts, answers = questions.tables(program)
        if args.resume:
            tokenizer = AutoTokenizer.from_pretrained(args.resume)
            model = LlavaForConditionalGeneration.from_pretrained(args.resume, dtype=torch.float32).to(device)
        else:
            tokenizer = questions.train_tokenizer(texts, answers)
            model = LlavaForConditionalGeneration(models.config(tokenizer))
            models.start_vision(model.model.vision_tower)
            model = model.to(device)
        heads = PatchHeads(model.config.vision_config.hidden_size).to(device)
        if args.resume and (args.resume / "heads.pt").exists():
            heads.load_state_dict(torch.load(args.resume / "heads.pt", map_location=device, weights_only=True))
        packer = questions.Packer(tokenizer, texts, answers, args.weights, device)
        while stream.received < min(stream.slots, 16 * args.batch):
            stream.take(wait=True)
        print(f"{sum(p.numel() for p in model.parameters())} parameters, rows of {packer.size}, {len(tokenizer)} tokens", flush=True)
        if not args.no_compile:
            for layer in [*model.model.vision_tower.encoder.layers, *model.model.language_model.layers]:
                layer.compile(dynamic=False)
        facts = train(model, heads, packer, stream, args, device)
        stream.close()
        del stream.pool
        models.save(model, tokenizer, args.out)
        torch.save(heads.state_dict(), args.out / "heads.pt")
        facts = facts_of(args, device) | facts
        (args.out / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
        print("saved", facts, flush=True)
        records = scenes.load(program, scenes.HELD_OUT, args.held_out, args.threads, folder)
        measure.write(args.out, facts, records, texts, answers, device)


if __name__ == "__main__":
    main()
