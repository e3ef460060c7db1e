"""The demo model: a CLIP vision tower that starts from the demo ViT, a projector and a Llama, in LLaVA's format."""

import json
import pathlib

import torch
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, GenerationConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import questions
import scenes

VISION_START = pathlib.Path(__file__).resolve().parents[1] / "vit-scenes" / "model.safetensors"


def config(tokenizer):
    vision = CLIPVisionConfig(
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=4,
        image_size=scenes.SIDE,
        patch_size=scenes.SIDE // scenes.GRID,
        projection_dim=192,
        hidden_act="gelu",
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=384,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(questions.IMAGE),
        image_seq_length=scenes.CELLS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )


@torch.no_grad()
def start_vision(tower, path=VISION_START):
    """Takes the demo ViT's weights; its patch bias goes into the positions, and CLIP's first norm keeps its scale."""
    old = load_file(path)
    old = {k.removeprefix("vit."): v.float() for k, v in old.items()}
    e, o = tower.embeddings, "embeddings."
    positions = old[o + "position_embeddings"][0]
    e.patch_embedding.weight.copy_(old[o + "patch_embeddings.projection.weight"])
    e.class_embedding.copy_(old[o + "cls_token"].flatten())
    e.position_embedding.weight.copy_(positions)
    e.position_embedding.weight[1:] += old[o + "patch_embeddings.projection.bias"]
    names = {
        "layer_norm1": "layernorm_before",
        "layer_norm2": "layernorm_after",
        "self_attn.q_proj": "attention.attention.query",
        "self_attn.k_proj": "attention.attention.key",
        "self_attn.v_proj": "attention.attention.value",
        "self_attn.out_proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    for i, layer in enumerate(tower.encoder.layers):
        for new, name in names.items():
            module = layer.get_submodule(new)
            module.weight.copy_(old[f"encoder.layer.{i}.{name}.weight"])
            module.bias.copy_(old[f"encoder.layer.{i}.{name}.bias"])
    noise = torch.rand(8, 3, scenes.SIDE, scenes.SIDE, generator=torch.Generator().manual_seed(0)) - 0.5
    tower.pre_layrnorm.weight.fill_(e(noise).std(-1).mean())


def save(model, tokenizer, out):
    """Writes the fp16 folder that transformers opens."""
    for part in (model.config.text_config, model.config.vision_config):
        part.dtype = torch.float16
    half = LlavaForConditionalGeneration(model.config)
    half.load_state_dict({k.replace("_orig_mod.", ""): v.detach().cpu() for k, v in model.state_dict().items()})
    half.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
        max_new_tokens=48,
    )
    half.half().save_pretrained(out)
    tokenizer.backend_tokenizer.save(str(out / "tokenizer.json"))
    (out / "chat_template.jinja").write_text(questions.CHAT_TEMPLATE)
    side = {"height": scenes.SIDE, "width": scenes.SIDE}
    image = {
        "crop_size": side,
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "LlavaProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": scenes.SIDE},
    }
    processor = {
        "image_token": questions.IMAGE,
        "num_additional_image_tokens": 1,
        "patch_size": scenes.SIDE // scenes.GRID,
        "processor_class": "LlavaProcessor",
        "vision_feature_select_strategy": "default",
    }
    text = {
        "bos_token": questions.MARK,
        "clean_up_tokenization_spaces": False,
        "eos_token": questions.END,
        "extra_special_tokens": {"image_token": questions.IMAGE},
        "model_max_length": model.config.text_config.max_position_embeddings,
        "pad_token": questions.PAD,
        "padding_side": "left",
        "processor_class": "LlavaProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": questions.UNKNOWN,
    }
    for name, values in (("preprocessor_config", image), ("processor_config", processor), ("tokenizer_config", text)):
        (out / f"{name}.json").write_text(json.dumps(values, indent=2) + "\n")
