"""Cases of vision-language models: text alone, one and several pictures, odd sizes, clips, legacy spellings."""
import copy
import json
import re
import sys
from pathlib import Path

import torch
from parity_common import collect, floats, pixels, states_of
from parity_language import blocks_of
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent / "vlm"))
import vlm_models as m  # noqa: E402
from vlm_models import IMAGE  # noqa: E402


def prompt(seed, *parts):
    """Token ids: a number n stands for n words, anything else is taken as it is."""
    generator = torch.Generator().manual_seed(4000 + seed)
    ids = []
    for part in parts:
        ids += torch.randint(3, 90, (part,), generator=generator).tolist() if isinstance(part, int) else list(part)
    return torch.tensor([ids])


def run_of(count, token=IMAGE):
    return [token] * count


def text_tensors(model, inputs):
    """Hidden states, maps and logits of the decoder; the reference's last hidden state is normed, ours is not."""
    language = getattr(model.model, "language_model", None) or model.model.text_model
    with states_of(blocks_of(language)) as states:
        result = model(**inputs, output_attentions=True, use_cache=False)
    tensors = collect("text", states.values(), result.attentions)
    tensors["output/logits"] = result.logits
    return tensors


def view_tensors(result, prefixes):
    """Hidden states and maps of a tower that sees its views as a batch."""
    tensors = {}
    for view, prefix in enumerate(prefixes):
        for i, h in enumerate(result.hidden_states):
            tensors[f"{prefix}hidden/vision/{i}"] = h[view:view + 1]
        for i, a in enumerate(result.attentions):
            tensors[f"{prefix}vision.{i}.self/probs"] = a[view:view + 1]
    return tensors


def batch_vision(model, inputs, prefixes):
    tower = getattr(model.model, "vision_tower", None) or model.model.vision_model
    seen = {}
    hook = tower.register_forward_pre_hook(lambda _, a, k: seen.update(arguments=a, named=dict(k)), with_kwargs=True)
    model(**inputs, use_cache=False)
    hook.remove()
    seen["named"].update(output_hidden_states=True, output_attentions=True)
    return view_tensors(tower(*seen["arguments"], **seen["named"]), prefixes)


def qwen_vision(model_type):
    def run(model, inputs, prefixes):
        visual, tensors, place = model.model.visual, {}, 0
        for kind, name in (("image_grid_thw", "pixel_values"), ("video_grid_thw", "pixel_values_videos")):
            begin = 0
            for grid in inputs.get(kind, []):
                count = int(grid.prod())
                values = inputs[name][begin:begin + count]
                begin += count
                with m.EagerMaps(model_type) as recorded:
                    result = visual(values, grid[None], output_hidden_states=True)
                order = torch.arange(count)
                if model_type == "qwen2_5_vl":
                    from transformers.vision_utils import get_vision_window_index
                    index, _ = get_vision_window_index(grid[None], 2, visual.window_size, visual.patch_size)
                    order = (index[:, None] * 4 + torch.arange(4)).reshape(-1)
                back, prefix = torch.argsort(order), prefixes[place]
                place += 1
                for i, h in enumerate(result.hidden_states):
                    tensors[f"{prefix}hidden/vision/{i}"] = h[back][None]
                for i, parts in enumerate(m.split_by_layer(recorded.maps, [b.attn for b in visual.blocks])):
                    tensors[f"{prefix}vision.{i}.self/probs"] = m.block_diagonal(parts, order)
        return tensors
    return run


def case(fixtures, name, family, model, inputs, vision=batch_vision, prefixes=None, rename=None, legacy=None):
    folder = fixtures.folder(name) / "model"
    model.save_pretrained(folder)
    if rename:
        path = folder / "model.safetensors"
        save_file({rename(k): v for k, v in load_file(path).items()}, path)
    if legacy:
        config = json.loads((folder / "config.json").read_text())
        legacy(config)
        (folder / "config.json").write_text(json.dumps(config))

    def run(dtype):
        model.to(dtype)
        wide = floats(inputs, dtype)
        tensors = text_tensors(model, wide)
        if prefixes is not None:
            tensors.update(vision(model, wide, prefixes))
        model.to(torch.float32)
        return tensors

    fixtures.add(name, family, run, inputs)
    if prefixes is not None and "attention_mask" not in inputs:
        answers(model, fixtures.root / name, inputs)


def answers(model, folder, inputs):
    """Greedy answers of 20 tokens, plain and with a repetition penalty."""
    about = {}
    for name, extra in (("greedy", {}), ("penalised", {"repetition_penalty": 1.4})):
        out = copy.deepcopy(model).generate(**inputs, max_new_tokens=20, do_sample=False, pad_token_id=0, **extra)
        about[name] = out[0, inputs["input_ids"].shape[1]:].tolist()
    (folder / "answers.json").write_text(json.dumps(about))


def hub_names(name):
    return name.replace("vision_tower.", "vision_tower.vision_model.")


def memory_names(name):
    name = name.replace("language_model.lm_head", "lm_head").replace("language_model.model.", "model.language_model.")
    return re.sub(r"^(vision_tower|multi_modal_projector|image_newline|visual)", r"model.\1", name)


def llava(f):
    image = lambda seed, n=1: {"pixel_values": pixels(seed, 32, 32, batch=n)}  # noqa: E731
    case(f, "llava-text", "llava", m.llava(), {"input_ids": prompt(1, 9)})
    one = dict(image(21), input_ids=prompt(2, 4, run_of(16), 6))
    for shared in (4, 2, 1):
        case(f, f"llava-one-gqa-{4 // shared}", "llava", m.llava(20 + shared, text=m.llama(num_key_value_heads=shared)), one,
             prefixes=[""])
    case(f, "llava-hub-names", "llava", m.llava(24), one, prefixes=[""], rename=hub_names)
    case(f, "llava-memory-names", "llava", m.llava(25), one, prefixes=[""], rename=memory_names)
    two = dict(image(26, 2), input_ids=prompt(3, 2, run_of(16), 3, run_of(16), 4))
    case(f, "llava-two", "llava", m.llava(26), two, prefixes=["image0/", "image1/"])
    mask = torch.ones(1, 26, dtype=torch.int64)
    mask[0, :2] = 0
    case(f, "llava-padded", "llava", m.llava(27), dict(one, attention_mask=mask), prefixes=[""])
    case(f, "llava-siglip-qwen2", "llava",
         m.llava(28, vision=m.siglip(), text=m.config("Qwen2Config", **m.TEXT), vision_feature_select_strategy="full",
                 vision_feature_layer=-1), one, prefixes=[""])
    case(f, "llava-full-layers", "llava", m.llava(29, vision_feature_select_strategy="full", vision_feature_layer=[-1, 1]),
         dict(image(29), input_ids=prompt(4, 3, run_of(17), 2)), prefixes=[""])
    def views(seed, *sizes):
        counts = [1 + (h > w or w > h) * 2 + (h == w) * 4 for h, w in sizes]
        most = max(counts)
        values = torch.zeros(len(sizes), most, 3, 32, 32)
        for i, n in enumerate(counts):
            values[i, :n] = pixels(seed + i, 32, 32, batch=n)
        return {"pixel_values": values, "image_sizes": torch.tensor(sizes)}, counts

    for name, sizes in (("llava_next-wide", [(20, 57)]), ("llava_next-tall", [(61, 31)]), ("llava_next-square", [(50, 50)])):
        values, counts = views(31, *sizes)
        model = m.llava_next()
        features = model.model.get_image_features(**values).pooler_output[0].shape[0]
        case(f, name, "llava_next", model, dict(values, input_ids=prompt(5, 3, run_of(features), 5)),
             prefixes=[f"tile{i}/" for i in range(counts[0])])
    values, counts = views(35, (20, 57), (64, 64))
    model = m.llava_next(36)
    lengths = [x.shape[0] for x in model.model.get_image_features(**values).pooler_output]
    case(f, "llava_next-two", "llava_next", model,
         dict(values, input_ids=prompt(6, 3, run_of(lengths[0]), 2, run_of(lengths[1]), 5)),
         prefixes=[f"image{i}/tile{j}/" for i, n in enumerate(counts) for j in range(n)])


    for name, size, tiles, most in (("wide", (20, 57), 2, 9), ("square", (50, 50), 4, 9), ("shrunk", (96, 90), 9, 2),
                                    ("small", (30, 30), 1, 9)):
        model = m.llava_onevision(37, vision_aspect_ratio=f"anyres_max_{most}")
        values = {"pixel_values": pixels(37, 32, 32, batch=tiles + 1)[None], "image_sizes": torch.tensor([size])}
        features = model.model.get_image_features(**values, vision_aspect_ratio=f"anyres_max_{most}").pooler_output[0].shape[0]
        case(f, f"llava_onevision-{name}", "llava_onevision", model, dict(values, input_ids=prompt(5, 3, run_of(features), 5)),
             prefixes=[f"tile{i}/" for i in range(tiles + 1)])
    values = {"pixel_values": pixels(38, 32, 32, batch=2)[:, None], "image_sizes": torch.tensor([(20, 57), (64, 64)]),
              "batch_num_images": torch.tensor([2])}
    case(f, "llava_onevision-two", "llava_onevision", m.llava_onevision(38),
         dict(values, input_ids=prompt(6, 3, run_of(17), 2, run_of(17), 5)), prefixes=["image0/", "image1/"])


def gemmas(f):
    image = lambda seed, n=1: {"pixel_values": pixels(seed, 32, 32, batch=n)}  # noqa: E731
    ids = prompt(7, run_of(16), 6)
    plain = dict(image(41), input_ids=ids)
    case(f, "paligemma-causal", "paligemma", m.paligemma(), plain, prefixes=[""])
    case(f, "paligemma-prefix", "paligemma", m.paligemma(), dict(plain, token_type_ids=torch.zeros_like(ids)), prefixes=[""])
    suffix = torch.zeros_like(ids)
    suffix[0, -3:] = 1
    case(f, "paligemma-suffix", "paligemma", m.paligemma(48), dict(plain, token_type_ids=suffix), prefixes=[""])
    mask = torch.ones_like(ids)
    padded = prompt(7, [0, 0], run_of(16), 6)
    mask = torch.ones_like(padded)
    mask[0, :2] = 0
    case(f, "paligemma-padded", "paligemma", m.paligemma(43),
         dict(image(41), input_ids=padded, attention_mask=mask, token_type_ids=torch.zeros_like(padded)), prefixes=[""])
    case(f, "paligemma-text", "paligemma", m.paligemma(), {"input_ids": prompt(8, 7)})
    two = m.config("Gemma2Config", **dict(m.TEXT, head_dim=8, query_pre_attn_scalar=8, sliding_window=8,
                                          attn_logit_softcapping=2.0, final_logit_softcapping=3.0))
    case(f, "paligemma2", "paligemma", m.paligemma(44, text=two), dict(plain, token_type_ids=torch.zeros_like(ids)),
         prefixes=[""])
    ids = prompt(9, 3, [101], run_of(4), [102], 4, [101], run_of(4), [102], 2)
    types = (ids == IMAGE).long()
    case(f, "gemma3-text", "gemma3", m.gemma3(), {"input_ids": prompt(10, 12)})
    case(f, "gemma3-two", "gemma3", m.gemma3(45), dict(image(45, 2), input_ids=ids, token_type_ids=types),
         prefixes=["image0/", "image1/"])
    case(f, "gemma3-small-window", "gemma3", m.gemma3(47, 3), dict(image(45, 2), input_ids=ids, token_type_ids=types),
         prefixes=["image0/", "image1/"])
    case(f, "gemma3-causal", "gemma3", m.gemma3(46), dict(image(45, 2), input_ids=ids), prefixes=["image0/", "image1/"])


def tiles(f):
    view = lambda seed, n: {"pixel_values": pixels(seed, 32, 32, batch=n)}  # noqa: E731
    case(f, "internvl-text", "internvl", m.internvl(), {"input_ids": prompt(11, 6)})
    case(f, "internvl-one", "internvl", m.internvl(51), dict(view(51, 1), input_ids=prompt(12, 3, run_of(4), 4)), prefixes=[""])
    case(f, "internvl-tiles", "internvl", m.internvl(52), dict(view(52, 3), input_ids=prompt(13, 3, run_of(12), 4)),
         prefixes=["tile0/", "tile1/", "tile2/"])
    case(f, "internvl-two", "internvl", m.internvl(53),
         dict(view(53, 3), input_ids=prompt(14, 3, run_of(8), 4, run_of(4), 1)),
         prefixes=["image0/tile0/", "image0/tile1/", "image1/"])
    global_, fake = [111], [110]
    cell = lambda i: [112 + i]  # noqa: E731
    for kind in ("Idefics3", "SmolVLM"):
        name = kind.lower()
        make = lambda seed: m.idefics(kind, seed)  # noqa: E731
        values = lambda seed, n: {"pixel_values": pixels(seed, 32, 32, batch=n)[None]}  # noqa: E731
        case(f, f"{name}-text", name, make(54), {"input_ids": prompt(15, 6)})
        single = prompt(16, 2, fake, global_, run_of(4), fake, 3)
        case(f, f"{name}-one", name, make(55), dict(values(55, 1), input_ids=single), prefixes=[""])
        split = prompt(17, 2, fake, cell(0), run_of(4), fake, cell(1), run_of(4), fake, global_, run_of(4), fake, 3)
        case(f, f"{name}-split", name, make(56), dict(values(56, 3), input_ids=split), prefixes=["tile0/", "tile1/", "tile2/"])
        both = prompt(18, 2, fake, cell(0), run_of(4), fake, cell(1), run_of(4), fake, global_, run_of(4), fake, 1, fake,
                      global_, run_of(4), fake, 3)
        mask = torch.ones(1, 4, 32, 32, dtype=torch.int64)
        mask[:, 3, 24:] = 0
        mask[:, 3, :, 17:] = 0
        case(f, f"{name}-two-padded", name, make(57), dict(values(57, 4), input_ids=both, pixel_attention_mask=mask),
             prefixes=["image0/tile0/", "image0/tile1/", "image0/tile2/", "image1/"])


def qwen(f):
    def inputs(seed, *parts, grids, videos=(), **more):
        ids = prompt(seed, *parts)
        values = {"input_ids": ids, "mm_token_type_ids": (ids == IMAGE).int() + 2 * (ids == 103).int()}
        if grids:
            values.update(pixel_values=m.patches(seed, grids), image_grid_thw=torch.tensor(grids))
        if videos:
            values.update(pixel_values_videos=m.patches(seed + 1, videos), video_grid_thw=torch.tensor(videos))
        return dict(values, **more)

    def flat(config):
        text = config.pop("text_config")
        text.pop("model_type", None)
        rope = text.pop("rope_parameters")
        text.update(rope_theta=rope["rope_theta"], rope_scaling={"type": "mrope", "mrope_section": rope["mrope_section"]})
        config.update({k: v for k, v in text.items() if k not in config})

    start, end, clip = [104], [105], lambda n: run_of(n, 103)
    for name, make in (("qwen2_vl", m.qwen2_vl), ("qwen2_5_vl", m.qwen2_5_vl), ("qwen3_vl", m.qwen3_vl)):
        vision = qwen_vision(name)
        case(f, f"{name}-text", name, make(), {"input_ids": prompt(19, 8)})
        one = inputs(60, 3, start, run_of(15), end, 5, grids=[[1, 6, 10]])
        case(f, f"{name}-one", name, make(61), one, vision, [""])
        two = inputs(62, 3, start, run_of(15), end, 2, start, run_of(2), end, 4, grids=[[1, 10, 6], [1, 2, 4]])
        case(f, f"{name}-two", name, make(63), two, vision, ["image0/", "image1/"])
        padded = prompt(64, [0, 0], 3, start, run_of(6), end, 2)
        mask = torch.ones_like(padded)
        mask[0, :2] = 0
        case(f, f"{name}-padded", name, make(65),
             dict(inputs(64, grids=[[1, 4, 6]]), input_ids=padded, mm_token_type_ids=(padded == IMAGE).int(),
                  attention_mask=mask), vision, [""])
        frames = [start, clip(4), end, 1, start, clip(4), end] if name == "qwen3_vl" else [start, clip(8), end]
        more = dict(second_per_grid_ts=torch.tensor([2.0])) if name == "qwen2_5_vl" else {}
        mixed = inputs(66, 2, *frames, 2, start, run_of(6), end, 3, grids=[[1, 4, 6]], videos=[[2, 4, 4]], **more)
        case(f, f"{name}-clip", name, make(67), mixed, vision, ["image1/", "image0/"])
        if name != "qwen3_vl":
            case(f, f"{name}-flat-config", name, make(68), one, vision, [""], legacy=flat)
            case(f, f"{name}-memory-names", name, make(69), one, vision, [""],
                 rename=lambda k: re.sub(r"^model\.(?!visual)", "model.language_model.", re.sub(r"^visual", "model.visual", k)))


def lens(states, head):
    """What the head says of a decoder's states before and behind its blocks."""
    return {f"lens/{i}": head(state) for i, state in states.items()}


def collect_crossing(stage, states, result):
    """The states of a stage with cross attention, and its maps of both kinds."""
    crossing = {f"{stage}.{i}.cross/probs": a for i, a in enumerate(result.cross_attentions)}
    return collect(stage, states.values(), result.attentions) | crossing


def blip(f):
    def reference(model, inputs):
        def run(dtype):
            model.to(dtype)
            wide = floats(inputs, dtype)
            result = model(**wide, output_hidden_states=True, output_attentions=True)
            tensors = collect("vision", result.hidden_states, result.attentions)
            tensors.update({f"output/{n}": result[n] for n in ("logits", "image_embeds", "last_hidden_state")})
            with states_of(model.text_decoder.bert.encoder.layer) as states:
                text = model.text_decoder(wide["input_ids"], attention_mask=wide.get("attention_mask"),
                                          encoder_hidden_states=result.image_embeds, output_attentions=True, use_cache=False)
            tensors.update(collect_crossing("text", states, text))
            tensors.update(lens(states, model.text_decoder.cls))
            model.to(torch.float32)
            return tensors
        return run

    image = {"pixel_values": pixels(81, 32, 32)}
    mask = torch.tensor([[1] * 5 + [0] * 2])
    for name, model, inputs in (("blip", m.blip(), dict(image, input_ids=prompt(81, 7))),
                                ("blip-padded", m.blip(82), dict(image, input_ids=prompt(82, 7), attention_mask=mask)),
                                ("blip-heads", m.blip(83, num_attention_heads=2), dict(image, input_ids=prompt(83, 1)))):
        model.save_pretrained(f.folder(name) / "model")
        f.add(name, "blip", reference(model, inputs), inputs)
        if "attention_mask" not in inputs:
            cross_answers(f, name, model, inputs)


def blip_questions(f):
    """The reference gives no logits of an answer: they are its decoder's."""
    def reference(model, inputs):
        def run(dtype):
            model.to(dtype)
            wide = floats(inputs, dtype)
            seen = model.vision_model(wide["pixel_values"], output_hidden_states=True, output_attentions=True)
            tensors = collect("vision", seen.hidden_states, seen.attentions)
            tensors["output/image_embeds"] = tensors["output/last_hidden_state"] = seen.last_hidden_state
            mask = wide.get("attention_mask")
            with states_of(model.text_encoder.encoder.layer) as states:
                asked = model.text_encoder(wide["input_ids"], attention_mask=mask, output_attentions=True,
                                           encoder_hidden_states=seen.last_hidden_state)
            tensors.update(collect_crossing("text_encoder", states, asked))
            with states_of(model.text_decoder.bert.encoder.layer) as states:
                text = model.text_decoder(wide["decoder_input_ids"], attention_mask=wide.get("decoder_attention_mask"),
                                          encoder_hidden_states=asked.last_hidden_state, encoder_attention_mask=mask,
                                          output_attentions=True, use_cache=False)
            tensors.update(collect_crossing("text", states, text))
            tensors["output/question_embeds"] = asked.last_hidden_state
            tensors["output/logits"] = text.logits
            tensors.update(lens(states, model.text_decoder.cls))
            model.to(torch.float32)
            return tensors
        return run

    image = {"pixel_values": pixels(86, 32, 32)}
    mask = torch.tensor([[1] * 5 + [0] * 2])
    begin = torch.tensor([[1]])
    for name, model, inputs in (
            ("blip-question", m.blip_questions(), dict(image, input_ids=prompt(86, 7), decoder_input_ids=begin)),
            ("blip-question-padded", m.blip_questions(87, num_attention_heads=2),
             dict(image, input_ids=prompt(87, 7), attention_mask=mask, decoder_input_ids=prompt(88, 3))),
            ("blip-question-one", m.blip_questions(88), dict(image, input_ids=prompt(89, 1), decoder_input_ids=prompt(90, 6)))):
        model.save_pretrained(f.folder(name) / "model")
        f.add(name, "blip", reference(model, inputs), inputs)
        if inputs["decoder_input_ids"].shape[1] == 1:
            cross_answers(f, name, model, inputs)


def cross_answers(f, name, model, inputs):
    """Twenty tokens of the decoder, by its own generate()."""
    found = {}
    for key, penalty in (("greedy", None), ("penalised", 1.4)):
        if penalty and inputs["input_ids"].max() >= model.config.text_config.vocab_size:
            continue  # the reference cannot: a penalty for Mllama's image token, which has no logit
        settings = dict(max_new_tokens=20, do_sample=False, repetition_penalty=penalty)
        if hasattr(model, "text_decoder"):
            seen = model.vision_model(inputs["pixel_values"]).last_hidden_state
            ids, source = inputs["input_ids"], seen
            if hasattr(model, "text_encoder"):
                source = model.text_encoder(ids, attention_mask=inputs.get("attention_mask"), encoder_hidden_states=seen)[0]
                ids = inputs["decoder_input_ids"]
            out = model.text_decoder.generate(
                input_ids=ids, encoder_hidden_states=source, eos_token_id=model.config.text_config.sep_token_id, pad_token_id=0,
                encoder_attention_mask=torch.ones(source.shape[:-1], dtype=torch.long), **settings)
        else:
            ids = inputs["input_ids"]
            out = model.generate(**inputs, **settings)
        found[key] = out[0, ids.shape[1]:].tolist()
    (f.root / name / "answers.json").write_text(json.dumps(found))


def mllama(f):
    def reference(model, inputs, prefixes):
        inner = model.model
        encoders = [*inner.vision_model.transformer.layers, *inner.vision_model.global_transformer.layers]
        blocks = list(inner.language_model.layers)

        def run(dtype):
            model.to(dtype)
            with m.EagerMaps("mllama") as recorded, states_of(encoders) as seen, states_of(blocks) as read:
                result = model(**floats(inputs, dtype), use_cache=False)
            tensors = {"output/logits": result.logits}
            maps = {id(module): weights for module, weights in recorded.maps}
            attentions = {"vision": [(e.self_attn, "self") for e in encoders],
                          "text": [(b.cross_attn, "cross") if hasattr(b, "cross_attn") else (b.self_attn, "self") for b in blocks]}
            for name, states in (("vision", seen), ("text", read)):
                for j, prefix in enumerate(prefixes if name == "vision" else [""]):
                    tensors.update({f"{prefix}hidden/{name}/{i}": value[j:j + 1] for i, value in states.items()})
                    tensors.update({f"{prefix}{name}.{i}.{kind}/probs": maps[id(module)][j:j + 1]
                                    for i, (module, kind) in enumerate(attentions[name]) if id(module) in maps})
            tensors.update(lens(read, lambda x: model.lm_head(inner.language_model.norm(x))))
            model.to(torch.float32)
            return tensors
        return run

    def add(name, model, inputs, prefixes=("",)):
        model.save_pretrained(f.folder(name) / "model")
        f.add(name, "mllama", reference(model, inputs, list(prefixes)), inputs)
        cross_answers(f, name, model, inputs)

    def picture(seed, tiles, ratios):
        values = torch.zeros(1, len(tiles), 4, 3, 32, 32)
        mask = torch.zeros(1, len(tiles), 4, dtype=torch.int64)
        for i, n in enumerate(tiles):
            values[0, i, :n] = pixels(seed + i, 32, 32, batch=n)
            mask[0, i, :n] = 1
        return {"pixel_values": values, "aspect_ratio_ids": torch.tensor([ratios]), "aspect_ratio_mask": mask}

    add("mllama-one", m.mllama(), dict(picture(91, [2], [2]), input_ids=prompt(91, [120], 6)))
    cross = torch.zeros(1, 9, 1, 4, dtype=torch.int64)
    cross[:, 3:, :, :2] = 1
    add("mllama-masked", m.mllama(92), dict(picture(92, [2], [2]), input_ids=prompt(92, 3, [120], 5), cross_attention_mask=cross))
    cross = torch.zeros(1, 10, 2, 4, dtype=torch.int64)
    cross[:, 2:, 0, :4] = 1
    cross[:, 6:, 1, :1] = 1
    add("mllama-two", m.mllama(93, num_key_value_heads=1), dict(picture(93, [4, 1], [6, 1]), input_ids=prompt(93, 2, [120], 3, [120], 3),
        cross_attention_mask=cross, attention_mask=torch.ones(1, 10, dtype=torch.int64)), ["image0/", "image1/"])


def build(fixtures):
    for part in (llava, gemmas, tiles, qwen, blip, blip_questions, mllama):
        part(fixtures)
