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
from make_adapter_fixtures import STRENGTHS, randomise, renamed

GENERATOR = torch.Generator().manual_seed(5)
IDS = torch.randint(3, 90, (1, 11), generator=GENERATOR)
PIXELS = torch.randn((1, 3, 32, 32), generator=GENERATOR)
TOKENS = [int(IDS[0, 7]), int(IDS[0, 2]), 110, int(IDS[0, 4])]  # of the prompt and not, in no order


def llama(seed=21, **changes):
    return m.build("LlamaForCausalLM", m.llama(**changes), seed)


def gpt2():
    return m.build("GPT2LMHeadModel", m.config("GPT2Config", n_embd=32, n_layer=2, n_head=4, n_inner=48, vocab_size=120,
                                               n_positions=64, bos_token_id=1, eos_token_id=2), 25)


def bert(seed):
    return m.build("BertForSequenceClassification", m.config("BertConfig", hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                                             intermediate_size=48, vocab_size=120, max_position_embeddings=64), seed)


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
        return [model(**inputs, **({"use_cache": False} if model.can_generate() else {})).logits.flatten().tolist()]


def rounding(model, inputs):
    """The largest error of a model in float32, of text alone over several of its turns: one says little about it."""
    exact = copy.deepcopy(model).double()
    turned = [{"input_ids": inputs["input_ids"].roll(k, 1)} for k in range(6)] if len(inputs) == 1 else [inputs]
    return max(abs(a - b) for one in turned for a, b in zip(run(model, one)[0], run(exact, one)[0]))


def save(root, name, base, config, inputs, after=None):
    torch.manual_seed(0)
    base.eval()
    base.set_attn_implementation("sdpa")  # eager rounds to float32
    folder = root / name
    base.save_pretrained(folder / "base")
    save_file({k: v.contiguous() for k, v in inputs.items()}, folder / "input.safetensors")
    adapted = get_peft_model(copy.deepcopy(base), LoraConfig(**config))
    randomise(adapted, 12, lambda n: any(part in n for part in ("lora_", "modules_to_save", "trainable_tokens_delta")))
    adapted.eval()
    adapted.save_pretrained(folder / "adapter")
    if after:
        after(folder / "adapter")
    single = {"1.0": rounding(adapted, inputs), "0.0": rounding(base, inputs)}
    exact = adapted.double()
    reference = {"1.0": run(exact, inputs), "0.0": run(copy.deepcopy(base).double(), inputs)}
    # A tied weight would be merged for both its uses, while the adapter changes one; a bias of B needs one to merge into.
    answering = adapted
    if not getattr(base.config, "tie_word_embeddings", False) and not config.get("lora_bias"):
        merged = answering = exact.merge_and_unload()
        for strength in STRENGTHS[2:]:
            mixed = copy.deepcopy(base).double()
            with torch.no_grad():
                for (n, p), (k, q) in zip(mixed.named_parameters(), merged.named_parameters()):
                    assert n == k, (n, k)
                    p.copy_(p + strength * (q - p))
            reference[str(strength)] = run(mixed, inputs)
    made = {"name": name, "reference": reference, "single": single}
    if base.can_generate():
        with torch.no_grad():
            out = answering.float().generate(**inputs, max_new_tokens=12, do_sample=False, pad_token_id=0)
        made["answer"] = out[0, inputs["input_ids"].shape[1]:].tolist()
    return made


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
        save(root, "llama-dora-embedding", llama(36), dict(r=4, lora_alpha=8, use_dora=True, target_modules=["embed_tokens", "q_proj"]), text),
        save(root, "llama-dora-tied", llama(37, tie_word_embeddings=True), dict(r=4, lora_alpha=8, use_dora=True, use_rslora=True, target_modules=["embed_tokens", "lm_head"]), text),
        save(root, "gpt2-saved", gpt2(), dict(r=4, lora_alpha=8, target_modules=["c_attn"], modules_to_save=["c_fc", "attn.c_proj"], fan_in_fan_out=True), text),
        save(root, "gpt2-saved-qkv", gpt2(), dict(r=4, lora_alpha=8, target_modules=["c_fc"], modules_to_save=["c_attn"], fan_in_fan_out=True), text),
        save(root, "gpt2-lora-bias", gpt2(), dict(r=4, lora_alpha=8, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True, lora_bias=True), text),
        save(root, "llama-lora-bias", llama(38), dict(r=4, lora_alpha=8, lora_bias=True, **rows), text),
        save(root, "llama-parameters", llama(39), dict(r=4, lora_alpha=8, target_parameters=["mlp.up_proj.weight"], **rows), text),
        save(root, "llama-tokens", llama(40), dict(r=4, lora_alpha=8, trainable_token_indices=TOKENS, **rows), text),
        save(root, "llama-tokens-tied", llama(41, tie_word_embeddings=True), dict(r=4, lora_alpha=8, trainable_token_indices={"embed_tokens": TOKENS}, **rows), text),
        save(root, "llama-tokens-head", llama(42), dict(r=4, lora_alpha=8, trainable_token_indices={"embed_tokens": TOKENS, "lm_head": TOKENS[1:]}, **rows), text),
        save(root, "gpt2-positions", gpt2(), dict(r=4, lora_alpha=8, use_dora=True, target_modules=["wte", "wpe", "c_fc"], fan_in_fan_out=True), text),
        save(root, "mllama-tables", m.mllama(50), dict(r=4, lora_alpha=8, use_dora=True, target_modules=["embed_tokens", "v_proj"]), text),
        save(root, "bert-tables", bert(51), dict(r=4, lora_alpha=8, target_modules=["word_embeddings", "query"]), text),
        save(root, "bert-tokens", bert(52), dict(r=4, lora_alpha=8, trainable_token_indices={"word_embeddings": TOKENS}, target_modules=["query"]), text),
        save(root, "llava-patches", m.llava(43), dict(r=4, lora_alpha=8, use_dora=True, target_modules=["patch_embedding", "q_proj"]), picture(16)),
        save(root, "llava-projector", m.llava(44), dict(r=4, lora_alpha=8, modules_to_save=["multi_modal_projector"], **rows), picture(16)),
        save(root, "llava-older-names", m.llava(45), dict(r=4, lora_alpha=8, **every), picture(16),
             renamed([("model.model.language_model.", "model.language_model.model."),
                      ("model.model.vision_tower.", "model.vision_tower.vision_model."), ("model.model.multi_", "model.multi_")])),
        save(root, "qwen2_vl-patches", m.qwen2_vl(46), dict(r=4, lora_alpha=2, target_modules=["proj", "qkv", "v_proj"]), qwen()),
        save(root, "qwen2_5_vl-patches", m.qwen2_5_vl(47), dict(r=4, lora_alpha=2, use_dora=True, target_modules=r".*visual\.patch_embed\.proj|.*(gate|up)_proj"), qwen()),
        save(root, "qwen3_vl-patches", m.qwen3_vl(48), dict(r=4, lora_alpha=2, lora_bias=True, target_modules=["patch_embed.proj", "linear_fc1"]), qwen()),
        save(root, "qwen2_vl-older-names", m.qwen2_vl(49), dict(r=4, lora_alpha=2, **every), qwen(),
             renamed([("model.model.language_model.", "model.model."), ("model.model.visual.", "model.visual.")])),
    ]
    (root / "index.json").write_text(json.dumps({"cases": made}))


if __name__ == "__main__":
    main()
