"""Cases of CLIP, SigLIP and SigLIP 2: the vision tower alone, with projection or classifier, and both towers."""
import json

import torch
from parity_common import collect, floats, pixels, randomise
from parity_plain import INTERPOLATE, SIZES, case
from transformers import (
    CLIPConfig, CLIPForImageClassification, CLIPModel, CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection,
    Siglip2Config, Siglip2ForImageClassification, Siglip2Model, Siglip2VisionConfig, Siglip2VisionModel, SiglipConfig,
    SiglipForImageClassification, SiglipModel, SiglipVisionConfig, SiglipVisionModel)

VISION = dict(SIZES, intermediate_size=48)
TEXT = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, vocab_size=99,
            max_position_embeddings=12, bos_token_id=97, eos_token_id=98, pad_token_id=1)
NAFLEX = {k: v for k, v in VISION.items() if k != "image_size"}


def probe_maps(model):
    """Makes a pooling head record its attention map, one a head."""
    maps = []
    pooling = next((m for n, m in model.named_modules() if n.endswith("head.attention")), None)
    if pooling is None:
        return maps
    forward = pooling.forward

    def recorded(query, key, value, attn_mask=None, **_):
        output, weights = forward(query, key, value, attn_mask=attn_mask, need_weights=True, average_attn_weights=False)
        maps.append(weights)
        return output, weights

    pooling.forward = recorded
    return maps


def one_tower(fixtures, name, family, model, seed, inputs, arguments=None, head=True):
    folder = fixtures.folder(name)
    randomise(model, seed)
    model.set_attn_implementation("eager")
    model.save_pretrained(folder / "model")
    maps = probe_maps(model)

    def run(dtype):
        model.to(dtype)
        maps.clear()
        result = model(**floats(inputs, dtype), output_hidden_states=True, output_attentions=True, **(arguments or {}))
        tensors = collect("vision", result.hidden_states, result.attentions)
        for n in ("logits", "image_embeds", "last_hidden_state", "pooler_output"):
            if result.get(n) is not None:
                tensors[f"output/{n}"] = result[n]
        if maps and head:
            tensors[f"vision.{len(result.attentions)}.cross/probs"] = maps[0]
        model.to(torch.float32)
        return tensors

    fixtures.add(name, family, run, inputs)


def both_towers(fixtures, name, family, model, seed, inputs, arguments=None):
    folder = fixtures.folder(name)
    randomise(model, seed)
    model.set_attn_implementation("eager")
    model.save_pretrained(folder / "model")
    maps = probe_maps(model)

    def run(dtype):
        model.to(dtype)
        maps.clear()
        result = model(**floats(inputs, dtype), output_hidden_states=True, output_attentions=True, **(arguments or {}))
        vision, text = result.vision_model_output, result.text_model_output
        tensors = collect("vision", vision.hidden_states, vision.attentions)
        tensors.update(collect("text", text.hidden_states, text.attentions))
        for n in ("logits_per_image", "logits_per_text", "image_embeds", "text_embeds"):
            tensors[f"output/{n}"] = result[n]
        if maps:
            tensors[f"vision.{len(vision.attentions)}.cross/probs"] = maps[0]
        model.to(torch.float32)
        return tensors

    fixtures.add(name, family, run, inputs)


def ids(*tokens):
    return torch.tensor([tokens])


def clip(f):
    for seed in range(2):
        case(f, f"clip-vision-{seed}", "clip", CLIPVisionModel(CLIPVisionConfig(**VISION)), 200 + seed, {"pixel_values": pixels(200 + seed, 32, 32)})
    case(f, "clip-vision-size-24x56", "clip", CLIPVisionModel(CLIPVisionConfig(**VISION, hidden_act="gelu")), 202, {"pixel_values": pixels(202, 24, 56)}, arguments=INTERPOLATE)
    one_tower(f, "clip-projection", "clip", CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION, projection_dim=20)), 203, {"pixel_values": pixels(203, 32, 32)})
    text = dict(TEXT, attn_implementation="eager")
    config = lambda **t: CLIPConfig(text_config=dict(text, **t), vision_config=dict(VISION), projection_dim=20, num_labels=5)
    one_tower(f, "clip-class", "clip", CLIPForImageClassification(config()), 204, {"pixel_values": pixels(204, 32, 32)})
    both_towers(f, "clip-both-0", "clip", CLIPModel(config()), 205, {"pixel_values": pixels(205, 32, 32), "input_ids": ids(97, 5, 44, 98, 98)})
    both_towers(f, "clip-both-legacy-eos", "clip", CLIPModel(config(eos_token_id=2)), 206, {"pixel_values": pixels(206, 32, 32), "input_ids": ids(97, 5, 98, 3, 2)})
    padded = {"pixel_values": pixels(207, 40, 40), "input_ids": ids(97, 6, 7, 98, 1, 1), "attention_mask": ids(1, 1, 1, 1, 0, 0)}
    both_towers(f, "clip-both-padded", "clip", CLIPModel(config()), 207, padded, INTERPOLATE)


def siglip(f):
    for seed in range(2):
        one_tower(f, f"siglip-vision-{seed}", "siglip", SiglipVisionModel(SiglipVisionConfig(**VISION)), 210 + seed, {"pixel_values": pixels(210 + seed, 32, 32)})
    one_tower(f, "siglip-no-head", "siglip", SiglipVisionModel(SiglipVisionConfig(**VISION, vision_use_head=False)), 212, {"pixel_values": pixels(212, 32, 32)})
    one_tower(f, "siglip-size-24x56", "siglip", SiglipVisionModel(SiglipVisionConfig(**VISION)), 213, {"pixel_values": pixels(213, 24, 56)}, INTERPOLATE)
    config = lambda: SiglipConfig(text_config=dict(TEXT, projection_size=32, attn_implementation="eager"), vision_config=dict(VISION), num_labels=5)
    one_tower(f, "siglip-class", "siglip", SiglipForImageClassification(config()), 214, {"pixel_values": pixels(214, 32, 32)}, head=False)
    both_towers(f, "siglip-both", "siglip", SiglipModel(config()), 215, {"pixel_values": pixels(215, 32, 32), "input_ids": ids(5, 44, 98, 1, 1, 1)})


def naflex(seed, grids, rows):
    x = torch.zeros((len(grids), rows, 3 * 64))
    mask = torch.zeros((len(grids), rows), dtype=torch.long)
    for i, (h, w) in enumerate(grids):
        x[i, : h * w] = torch.randn((h * w, 192), generator=torch.Generator().manual_seed(seed + i))
        mask[i, : h * w] = 1
    return {"pixel_values": x, "pixel_attention_mask": mask, "spatial_shapes": torch.tensor(grids)}


def siglip2(f):
    config = lambda **k: Siglip2VisionConfig(**NAFLEX, num_patches=16, **k)
    one_tower(f, "siglip2-vision-full", "siglip2", Siglip2VisionModel(config()), 220, naflex(220, [(4, 4)], 16))
    settings = {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 30}
    (f.root / "siglip2-vision-full" / "model" / "preprocessor_config.json").write_text(json.dumps(settings))
    one_tower(f, "siglip2-vision-padded", "siglip2", Siglip2VisionModel(config()), 221, naflex(221, [(3, 5)], 20))
    one_tower(f, "siglip2-vision-batch", "siglip2", Siglip2VisionModel(config()), 222, naflex(222, [(2, 7), (5, 3)], 18))
    one_tower(f, "siglip2-vision-large", "siglip2", Siglip2VisionModel(config()), 223, naflex(223, [(6, 9)], 54))
    both = lambda: Siglip2Config(text_config=dict(TEXT, projection_size=32, attn_implementation="eager"), vision_config=dict(NAFLEX, num_patches=16), num_labels=5)
    one_tower(f, "siglip2-class", "siglip2", Siglip2ForImageClassification(both()), 224, naflex(224, [(3, 4)], 16), head=False)
    both_towers(f, "siglip2-both", "siglip2", Siglip2Model(both()), 225, dict(naflex(225, [(4, 3)], 16), input_ids=ids(5, 44, 98, 1)))


def build(fixtures):
    for family in (clip, siglip, siglip2):
        family(fixtures)
