"""Tiny re-randomised models of the vision-language families, with inputs as their processors make them."""
import importlib
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import transformers  # noqa: E402
from parity_common import pixels, randomise, wide_norms  # noqa: E402

CLIP = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, image_size=32, patch_size=8)
SIGLIP = dict(CLIP, vision_use_head=False)
QWEN = dict(depth=3, num_heads=4, patch_size=4)
TEXT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
            vocab_size=120, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2)
MROPE = dict(rope_type="default", rope_theta=10000.0, mrope_section=[1, 1, 2])
IMAGE = 100  # the id of an image token


def build(architecture, config, seed, **extra):
    model = getattr(transformers, architecture)(config)
    for name, value in extra.items():
        setattr(model, name, value)
    randomise(model, seed)
    model.set_attn_implementation("eager")
    return wide_norms(model)


def config(name, **fields):
    return getattr(transformers, name)(**fields)


def clip(**changes):
    return config("CLIPVisionConfig", **dict(CLIP, **changes))


def siglip(**changes):
    return config("SiglipVisionConfig", **dict(SIGLIP, **changes))


def llama(**changes):
    return config("LlamaConfig", **dict(TEXT, **changes))


def llava(seed=1, vision=None, text=None, **changes):
    return build("LlavaForConditionalGeneration",
                 config("LlavaConfig", vision_config=vision or clip(), text_config=text or llama(), image_token_index=IMAGE,
                        **changes), seed)


def llava_next(seed=2, vision=None, **changes):
    changes.setdefault("image_grid_pinpoints", [[32, 64], [64, 32], [64, 64]])
    return build("LlavaNextForConditionalGeneration",
                 config("LlavaNextConfig", vision_config=vision or clip(), text_config=llama(), image_token_index=IMAGE,
                        **changes), seed)


def llava_onevision(seed=10, **changes):
    changes.setdefault("image_grid_pinpoints", [[32, 32], [32, 64], [64, 32], [64, 64], [96, 96]])
    return build("LlavaOnevisionForConditionalGeneration",
                 config("LlavaOnevisionConfig", vision_config=siglip(), text_config=config("Qwen2Config", **TEXT),
                        image_token_index=IMAGE, video_token_index=103, **changes), seed)


def paligemma(seed=3, text=None, **changes):
    text = text or config("GemmaConfig", **dict(TEXT, head_dim=8))
    return build("PaliGemmaForConditionalGeneration",
                 config("PaliGemmaConfig", vision_config=siglip(), text_config=text, projection_dim=32, hidden_size=32,
                        vocab_size=120, image_token_index=IMAGE, **changes), seed)


def gemma3(seed=4, window=8, **changes):
    text = config("Gemma3TextConfig", **dict(TEXT, head_dim=8, query_pre_attn_scalar=8, sliding_window=window,
                                             layer_types=["sliding_attention", "full_attention"]))
    return build("Gemma3ForConditionalGeneration",
                 config("Gemma3Config", vision_config=siglip(), text_config=text, mm_tokens_per_image=4,
                        image_token_index=IMAGE, boi_token_index=101, eoi_token_index=102, **changes), seed)


def internvl(seed=5, vision=None, **changes):
    fields = dict(CLIP, image_size=[32, 32], patch_size=[8, 8], **(vision or {}))
    return build("InternVLForConditionalGeneration",
                 config("InternVLConfig", vision_config=config("InternVLVisionConfig", **fields),
                        text_config=config("Qwen2Config", **TEXT), image_token_id=IMAGE, image_seq_length=4, **changes), seed)


def idefics(kind, seed=6, **changes):
    fields = dict(vision_config=dict(CLIP), text_config=llama(), image_token_id=IMAGE, scale_factor=2, pad_token_id=0)
    return build(f"{kind}ForConditionalGeneration", config(f"{kind}Config", **dict(fields, **changes)), seed)


def qwen2_vl(seed=7, **changes):
    return build("Qwen2VLForConditionalGeneration",
                 config("Qwen2VLConfig", vision_config=dict(QWEN, embed_dim=32, hidden_size=32),
                        text_config=dict(TEXT, rope_parameters=MROPE), image_token_id=IMAGE, video_token_id=103,
                        vision_start_token_id=104, vision_end_token_id=105, **changes), seed)


def qwen2_5_vl(seed=8, **changes):
    vision = dict(QWEN, hidden_size=32, out_hidden_size=32, intermediate_size=48, window_size=16,
                  fullatt_block_indexes=[1])
    return build("Qwen2_5_VLForConditionalGeneration",
                 config("Qwen2_5_VLConfig", vision_config=vision, text_config=dict(TEXT, rope_parameters=MROPE),
                        image_token_id=IMAGE, video_token_id=103, vision_start_token_id=104, vision_end_token_id=105,
                        **changes), seed)


def qwen3_vl(seed=9, **changes):
    vision = dict(QWEN, hidden_size=32, out_hidden_size=32, intermediate_size=48, num_position_embeddings=25,
                  deepstack_visual_indexes=[0, 2])
    return build("Qwen3VLForConditionalGeneration",
                 config("Qwen3VLConfig", vision_config=vision,
                        text_config=dict(TEXT, head_dim=8, num_hidden_layers=3, rope_parameters=MROPE),
                        image_token_id=IMAGE, video_token_id=103, vision_start_token_id=104, vision_end_token_id=105,
                        **changes), seed)


def blip(seed=18, **changes):
    text = dict(hidden_size=32, encoder_hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
                vocab_size=120, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    return build("BlipForConditionalGeneration",
                 config("BlipConfig", text_config=dict(text, **changes), vision_config=dict(CLIP)), seed)


def blip_questions(seed=20, **changes):
    text = dict(hidden_size=32, encoder_hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
                vocab_size=120, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    return build("BlipForQuestionAnswering",
                 config("BlipConfig", text_config=dict(text, **changes), vision_config=dict(CLIP)), seed)


def mllama(seed=19, **changes):
    vision = dict(hidden_size=32, num_hidden_layers=3, num_global_layers=2, attention_heads=4, intermediate_size=48,
                  vision_output_dim=96, image_size=32, patch_size=8, max_num_tiles=4, intermediate_layers_indices=[0, 2])
    text = dict(TEXT, num_hidden_layers=4, cross_attention_layers=[1, 3], **changes)
    return build("MllamaForConditionalGeneration",
                 config("MllamaConfig", vision_config=vision, text_config=text, image_token_index=120), seed)


def patches(seed, grid, patch=4, temporal=2, channels=3):
    """pixel_values of a Qwen processor for grids [[t, h, w], ...]."""
    count = sum(t * h * w for t, h, w in grid)
    generator = torch.Generator().manual_seed(2000 + seed)
    return torch.randn((count, channels * temporal * patch * patch), generator=generator)


class EagerMaps:
    """Records the probabilities that one modelling file's eager attention forms."""

    def __init__(self, model_type):
        self.module = importlib.import_module(f"transformers.models.{model_type}.modeling_{model_type}")
        self.maps = []

    def __enter__(self):
        self.plain = self.module.eager_attention_forward

        def recorded(module, *arguments, **named):
            output, weights = self.plain(module, *arguments, **named)
            self.maps.append((module, weights))
            return output, weights

        self.module.eager_attention_forward = recorded
        return self

    def __exit__(self, *_):
        self.module.eager_attention_forward = self.plain


def block_diagonal(parts, order):
    """Maps of consecutive runs of tokens as one map over all tokens; order[i] is the token at place i."""
    count = sum(p.shape[-1] for p in parts)
    whole = parts[0].new_zeros(1, parts[0].shape[1], count, count)
    begin = 0
    for part in parts:
        tokens = order[begin:begin + part.shape[-1]]
        whole[0][:, tokens[:, None], tokens[None, :]] = part[0]
        begin += part.shape[-1]
    return whole


def split_by_layer(maps, layers):
    """The maps of each of `layers` (attention modules in order of execution)."""
    return [[m for module, m in maps if module is layer] for layer in layers]


__all__ = [n for n in dir() if not n.startswith("_")]
