"""Cases of language models: Llama, Mistral, Qwen 2 and 3, Gemma 1 to 3, GPT-2."""
import copy
import json

import torch
from parity_common import collect, floats, randomise, states_of, wide_norms
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig, GemmaForCausalLM, GPT2Config,
    GPT2LMHeadModel, GPT2Model, LlamaConfig, LlamaForCausalLM, LlamaModel, MistralConfig, MistralForCausalLM, Qwen2Config,
    Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

SIZES = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, vocab_size=99,
             max_position_embeddings=64, pad_token_id=0, attn_implementation="eager")
GEMMA = dict(SIZES, num_key_value_heads=2, head_dim=12)


def ids(seed, length, batch=1, vocabulary=99):
    return torch.randint(1, vocabulary, (batch, length), generator=torch.Generator().manual_seed(3000 + seed))


def blocks_of(model):
    return next(m for n, m in model.named_modules() if n.split(".")[-1] in ("layers", "h"))


def reference(model, inputs):
    """Runs the model in a precision. The reference's last hidden state is normed; ours is the last block's output."""
    wide_norms(model)

    def run(dtype):
        model.to(dtype)
        with states_of(blocks_of(model)) as states:
            result = model(**floats(inputs, dtype), output_attentions=True, use_cache=False)
        tensors = collect("text", states.values(), result.attentions)
        for n in ("logits", "last_hidden_state"):
            if result.get(n) is not None:
                tensors[f"output/{n}"] = result[n]
        model.to(torch.float32)
        return tensors

    return run


def answers(model, folder, inputs):
    """Greedy answers of 20 tokens, plain and with a repetition penalty."""
    about = {}
    for name, extra in (("greedy", {}), ("penalised", {"repetition_penalty": 1.4})):
        # Dynamic rotary positions remember the longest text: a fresh copy each time.
        out = copy.deepcopy(model).generate(inputs["input_ids"], max_new_tokens=20, do_sample=False, pad_token_id=0, **extra)
        about[name] = out[0, inputs["input_ids"].shape[1]:].tolist()
    (folder / "answers.json").write_text(json.dumps(about))


def case(fixtures, name, family, model, seed, inputs, legacy=None, rename=None):
    folder = fixtures.folder(name) / "model"
    randomise(model, seed)
    model.save_pretrained(folder)
    if legacy:
        config = json.loads((folder / "config.json").read_text())
        legacy(config)
        (folder / "config.json").write_text(json.dumps(config))
    if rename:
        tensors = load_file(folder / "model.safetensors")
        save_file(rename(tensors), folder / "model.safetensors")
    fixtures.add(name, family, reference(model, inputs), inputs)
    if list(inputs) == ["input_ids"] and len(inputs["input_ids"]) == 1 and hasattr(model, "lm_head"):
        answers(model, fixtures.root / name, inputs)


def old_rope(config):
    """rope_parameters as files before transformers 5 spell them."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    config["rope_scaling"] = {"type": kind, **rope} if kind != "default" else None
    config["torch_dtype"] = config.pop("dtype", "float32")


def llama(f):
    make = lambda **k: LlamaForCausalLM(LlamaConfig(**dict(SIZES, **k)))
    text = lambda seed, n=17, **k: dict({"input_ids": ids(seed, n)}, **k)
    for seed, shared in enumerate((4, 2, 1)):
        case(f, f"llama-gqa-{4 // shared}", "llama", make(num_key_value_heads=shared), 300 + seed, text(300 + seed))
    case(f, "llama-biases-tied", "llama", make(attention_bias=True, mlp_bias=True, tie_word_embeddings=True, head_dim=12, hidden_act="gelu"), 303, text(303))
    case(f, "llama-legacy-config", "llama", make(rope_parameters=dict(rope_type="default", rope_theta=5000.0), rms_norm_eps=1e-5), 304, text(304), legacy=old_rope)
    ropes = {
        "linear": dict(rope_type="linear", factor=3.0, rope_theta=1000.0),
        "dynamic": dict(rope_type="dynamic", factor=2.0, rope_theta=10000.0),
        "llama3": dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=24, rope_theta=500.0),
        "yarn": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=100.0, beta_fast=4.0),
        "yarn-mscale": dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=100.0, beta_fast=4.0, mscale=1.3, mscale_all_dim=0.7, truncate=False),
        "longrope": dict(rope_type="longrope", original_max_position_embeddings=12, rope_theta=500.0, short_factor=[1.0 + 0.1 * i for i in range(8)], long_factor=[1.0 + 0.7 * i for i in range(8)]),
    }
    for i, (kind, rope) in enumerate(ropes.items()):
        case(f, f"llama-{kind}", "llama", make(rope_parameters=dict(rope), head_dim=16, max_position_embeddings=16), 310 + i, text(310 + i, 30))
        if kind in ("linear", "llama3", "yarn"):
            case(f, f"llama-{kind}-legacy", "llama", make(rope_parameters=dict(rope), head_dim=16, max_position_embeddings=16), 320 + i, text(320 + i, 30), legacy=old_rope)
    case(f, "llama-longrope-short", "llama", make(rope_parameters=dict(ropes["longrope"], original_max_position_embeddings=64, factor=3.0), head_dim=16), 331, text(331))
    case(f, "llama-dynamic-short", "llama", make(rope_parameters=dict(ropes["dynamic"])), 330, text(330))
    masks = {"left": [0] * 4 + [1] * 9, "right": [1] * 10 + [0] * 3, "holes": [1, 1, 0, 1] * 3 + [1]}
    for i, (side, mask) in enumerate(masks.items()):
        case(f, f"llama-padded-{side}", "llama", make(num_key_value_heads=2), 340 + i, text(340 + i, 13, attention_mask=torch.tensor([mask])))
    case(f, "llama-mask-of-ones", "llama", make(), 343, text(343, 13, attention_mask=torch.ones((1, 13), dtype=torch.long)))
    case(f, "llama-positions", "llama", make(), 344, text(344, 9, position_ids=torch.arange(5, 14)[None]))
    case(f, "llama-packed", "llama", make(), 345, text(345, 9, position_ids=torch.tensor([[0, 1, 2, 3, 0, 1, 2, 0, 1]])))
    case(f, "llama-embeds", "llama", make(), 346, {"inputs_embeds": torch.randn((1, 11, 32), generator=torch.Generator().manual_seed(346))})
    case(f, "llama-batch", "llama", make(), 347, {"input_ids": ids(347, 8, batch=3)})
    case(f, "llama-bare", "llama", LlamaModel(LlamaConfig(**SIZES)), 348, text(348))
    case(f, "llama-one-token", "llama", make(num_key_value_heads=1), 349, text(349, 1))


def relatives(f):
    windows = dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)
    text = lambda seed, n=17: {"input_ids": ids(seed, n)}
    case(f, "mistral-window", "mistral", MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=6)), 360, text(360))
    case(f, "mistral-no-window", "mistral", MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=None)), 361, text(361))
    case(f, "qwen2-0", "qwen2", Qwen2ForCausalLM(Qwen2Config(**SIZES, num_key_value_heads=2)), 362, text(362))
    case(f, "qwen2-window", "qwen2", Qwen2ForCausalLM(Qwen2Config(**SIZES, num_key_value_heads=1, tie_word_embeddings=True, **windows)), 363, text(363))
    padded = dict(text(364, 13), attention_mask=torch.tensor([[0] * 3 + [1] * 10]))
    case(f, "qwen2-window-padded", "qwen2", Qwen2ForCausalLM(Qwen2Config(**SIZES, num_key_value_heads=2, **windows)), 364, padded)
    case(f, "qwen3-0", "qwen3", Qwen3ForCausalLM(Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=16)), 365, text(365))
    case(f, "qwen3-bias-window", "qwen3", Qwen3ForCausalLM(Qwen3Config(**SIZES, num_key_value_heads=4, head_dim=8, attention_bias=True, **windows)), 366, text(366))


def gemma(f):
    text = lambda seed, n=17: {"input_ids": ids(seed, n)}
    case(f, "gemma-0", "gemma", GemmaForCausalLM(GemmaConfig(**GEMMA)), 370, text(370))
    case(f, "gemma-embeds", "gemma", GemmaForCausalLM(GemmaConfig(**dict(GEMMA, num_key_value_heads=1))), 371, {"inputs_embeds": torch.randn((1, 7, 32), generator=torch.Generator().manual_seed(371))})
    two = dict(GEMMA, query_pre_attn_scalar=20, sliding_window=6)
    case(f, "gemma2-0", "gemma2", Gemma2ForCausalLM(Gemma2Config(**two, attn_logit_softcapping=2.0, final_logit_softcapping=3.0)), 372, text(372))
    case(f, "gemma2-no-caps", "gemma2", Gemma2ForCausalLM(Gemma2Config(**two, attn_logit_softcapping=None, final_logit_softcapping=None, tie_word_embeddings=False)), 373, text(373))
    padded = dict(text(374, 13), attention_mask=torch.tensor([[0] * 3 + [1] * 10]))
    case(f, "gemma2-padded", "gemma2", Gemma2ForCausalLM(Gemma2Config(**two)), 374, padded)
    three = dict(GEMMA, num_hidden_layers=4, sliding_window=5, query_pre_attn_scalar=20)
    kinds = ["sliding_attention", "full_attention"] * 2
    case(f, "gemma3-0", "gemma3_text", Gemma3ForCausalLM(Gemma3TextConfig(**three, layer_types=kinds)), 375, text(375))

    def pattern(config):
        config.pop("layer_types")
        config["sliding_window_pattern"] = 2
        rope = config.pop("rope_parameters")
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        full = rope["full_attention"]
        config["rope_theta"] = full.pop("rope_theta")
        config["rope_scaling"] = full

    rope = {"full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 2000.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 300.0}}
    case(f, "gemma3-linear", "gemma3_text", Gemma3ForCausalLM(Gemma3TextConfig(**three, layer_types=kinds, rope_parameters=json.loads(json.dumps(rope)))), 376, text(376))
    case(f, "gemma3-legacy-config", "gemma3_text", Gemma3ForCausalLM(Gemma3TextConfig(**three, layer_types=kinds, rope_parameters=rope, final_logit_softcapping=4.0)), 377, text(377), legacy=pattern)


def gpt2(f):
    small = dict(n_embd=32, n_layer=3, n_head=4, vocab_size=99, n_positions=40, attn_implementation="eager")
    text = lambda seed, n=17, **k: dict({"input_ids": ids(seed, n)}, **k)
    case(f, "gpt2-0", "gpt2", GPT2LMHeadModel(GPT2Config(**small)), 380, text(380))
    case(f, "gpt2-scales", "gpt2", GPT2LMHeadModel(GPT2Config(**small, n_inner=50, scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True, activation_function="relu", tie_word_embeddings=False)), 381, text(381))
    case(f, "gpt2-bare", "gpt2", GPT2Model(GPT2Config(**small)), 382, text(382))
    case(f, "gpt2-padded-types", "gpt2", GPT2LMHeadModel(GPT2Config(**small)), 383, text(383, 10, attention_mask=torch.tensor([[0] * 2 + [1] * 8]), token_type_ids=ids(384, 10), position_ids=torch.tensor([[1, 1, 0, 1, 2, 3, 4, 5, 6, 7]])))

    def published(tensors):
        # The files of the first release: no prefix, and the causal masks stored.
        out = {n.removeprefix("transformer."): t.clone() for n, t in tensors.items()}
        for i in range(3):
            out[f"h.{i}.attn.bias"] = torch.tril(torch.ones((1, 1, 40, 40)))
        return out

    case(f, "gpt2-first-release", "gpt2", GPT2LMHeadModel(GPT2Config(**small)), 385, text(385), rename=published)


def build(fixtures):
    for family in (llama, relatives, gemma, gpt2):
        family(fixtures)
