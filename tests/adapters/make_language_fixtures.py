"""Adapters of the peft package on tiny language and vision-language models, and what peft computes with them in float64.

Usage: make_language_fixtures.py FOLDER. Writes FOLDER/index.json and FOLDER/NAME/{base,adapter,input.safetensors}.
"""
import copy
import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools"), str(HERE.parent / "tools" / "vlm")]
import vlm_models as m
from make_adapter_fixtures import STRENGTHS, randomise

GENERATOR = torch.Generator().manual_seed(5)
IDS = torch.randint(3, 90, (1, 11), generator=GENERATOR)
PIXELS = torch.randn((1, 3, 32, 32), generator=GENERATOR)


def llama(seed=21, **changes):
    return m.build("LlamaForCausalLM", m.llama(**changes), seed)


def gpt2():
    return m.build("GPT2LMHeadModel", m.config("GPT2Config", n_embd=32, n_layer=2, n_head=4, n_inner=48, vocab_size=120,
                                               n_positions=64, bos_token_id=1, eos_token_id=2), 25)


def picture(tokens):
    return {"pixel_values": PIXELS, "input_ids": torch.cat([IDS[:, :3], torch.full((1, tokens), m.IMAGE), IDS[:, 3:]], 1)}


def qwen():
    ids = torch.cat([IDS[:, :3], torch.tensor([[104] + [m.IMAGE] * 6 + [105]]), IDS[:, 3:]], 1)
    return {"pixel_values": m.patches(3, [[1, 4, 6]]), "image_grid_thw": torch.tensor([[1, 4, 6]]), "input_ids": ids,
            "mm_token_type_ids": (ids == m.IMAGE).int()}


def run(model, inputs):
    dtype = next(model.parameters()).dtype
    inputs = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    with torch.no_grad():
        return [model(**inputs, use_cache=False).logits.flatten().tolist()]


def save(root, name, base, config, inputs):
    torch.manual_seed(0)
    base.eval()
    base.set_attn_implementation("sdpa")  # eager rounds to float32
    folder = root / name
    base.save_pretrained(folder / "base")
    save_file({k: v.contiguous() for k, v in inputs.items()}, folder / "input.safetensors")
    adapted = get_peft_model(copy.deepcopy(base), LoraConfig(**config))
    randomise(adapted, 12, lambda n: "lora_" in n or "modules_to_save" in n)
    adapted.eval()
    adapted.save_pretrained(folder / "adapter")
    single = {"1.0": run(adapted, inputs), "0.0": run(base, inputs)}
    exact = adapted.double()
    reference = {"1.0": run(exact, inputs), "0.0": run(copy.deepcopy(base).double(), inputs)}
    # A tied weight would be merged for both its uses, while the adapter changes one.
    answering = adapted
    if not getattr(base.config, "tie_word_embeddings", False):
        merged = answering = exact.merge_and_unload()
        for strength in STRENGTHS[2:]:
            mixed = copy.deepcopy(base).double()
            with torch.no_grad():
                for (n, p), (k, q) in zip(mixed.named_parameters(), merged.named_parameters()):
                    assert n == k, (n, k)
                    p.copy_(p + strength * (q - p))
            reference[str(strength)] = run(mixed, inputs)
    with torch.no_grad():
        out = answering.float().generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=0)
    answer = out[0, inputs["input_ids"].shape[1]:].tolist()
    return {"name": name, "reference": reference, "single": single, "answer": answer}


def main():
    root = pathlib.Path(sys.argv[1])
    text = {"input_ids": IDS}
    every = dict(target_modules="all-linear")
    rows = dict(target_modules=["q_proj", "v_proj"])
    made = [
        save(root, "llama-lora", llama(), dict(r=4, lora_alpha=8, **rows), text),
        save(root, "llama-rslora", llama(22), dict(r=3, lora_alpha=6, use_rslora=True, **every), text),
        save(root, "llama-dora", llama(23), dict(r=4, lora_alpha=8, use_dora=True, **every), text),
        save(root, "llama-head", llama(24), dict(r=4, lora_alpha=8, target_modules=["o_proj", "lm_head"]), text),
        save(root, "llama-embedding", llama(33), dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "q_proj"]), text),
        save(root, "llama-tied-embedding", llama(34, tie_word_embeddings=True), dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "q_proj"]), text),
        save(root, "llama-saved-embedding", llama(35), dict(r=4, lora_alpha=8, modules_to_save=["embed_tokens"], **rows), text),
        save(root, "llama-tied-head", llama(32, tie_word_embeddings=True), dict(r=4, lora_alpha=8, target_modules=["o_proj", "lm_head"]), text),
        save(root, "llama-saved-head", llama(26), dict(r=4, lora_alpha=8, modules_to_save=["lm_head"], **rows), text),
        save(root, "gpt2-lora", gpt2(), dict(r=4, lora_alpha=8, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True), text),
        save(root, "gpt2-dora", gpt2(), dict(r=4, lora_alpha=8, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True, use_dora=True), text),
        save(root, "llava-lora", m.llava(27), dict(r=4, lora_alpha=8, **every), picture(16)),
        save(root, "llava-dora", m.llava(28), dict(r=4, lora_alpha=8, use_dora=True, use_rslora=True, **every), picture(16)),
        save(root, "llava-text", m.llava(29), dict(r=4, lora_alpha=8, target_modules=r".*language_model.*(q_proj|down_proj)"), picture(16)),
        save(root, "qwen2_vl-lora", m.qwen2_vl(30), dict(r=4, lora_alpha=2, **every), qwen()),
        save(root, "qwen2_5_vl-dora", m.qwen2_5_vl(31), dict(r=4, lora_alpha=2, use_dora=True, **every), qwen()),
    ]
    (root / "index.json").write_text(json.dumps({"cases": made}))


if __name__ == "__main__":
    main()
