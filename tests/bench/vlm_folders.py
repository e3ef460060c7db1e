"""Folders of vision-language models in the shapes of well-known ones, with random weights and a made-up tokenizer, and
prompts for them. Weights are written by shape: nothing is initialised the slow way."""

import itertools
import json
import pathlib

SHARD = 4 << 30
QWEN = {"image": 151655, "video": 151656, "start": 151652, "end": 151653}


def llava(text, vision, image=32000):
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig
    return LlavaConfig(text_config=LlamaConfig(vocab_size=32064, max_position_embeddings=16384, rms_norm_eps=1e-5, **text),
                       vision_config=CLIPVisionConfig(patch_size=14, **vision), image_token_index=image)


def qwen(text, vision):
    from transformers import Qwen2_5_VLConfig
    section = text["hidden_size"] // text["num_attention_heads"] // 8
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [section, 3 * section // 2, 3 * section // 2]}
    return Qwen2_5_VLConfig(
        text_config=dict(text, vocab_size=151936, max_position_embeddings=128000, rms_norm_eps=1e-6, rope_parameters=rope,
                         tie_word_embeddings=True, bos_token_id=151643, eos_token_id=151645),
        vision_config=dict(vision, patch_size=14, temporal_patch_size=2, window_size=112, out_hidden_size=text["hidden_size"],
                           tokens_per_second=2),
        image_token_id=QWEN["image"], video_token_id=QWEN["video"], vision_start_token_id=QWEN["start"],
        vision_end_token_id=QWEN["end"], tie_word_embeddings=True)


def smolvlm(text, vision):
    from transformers import LlamaConfig, SmolVLMConfig
    return SmolVLMConfig(text_config=LlamaConfig(vocab_size=49280, max_position_embeddings=8192, rms_norm_eps=1e-5,
                                                 rope_parameters={"rope_type": "default", "rope_theta": 100000.0}, **text),
                         vision_config=dict(vision, image_size=512, patch_size=16), image_token_id=49190, scale_factor=4,
                         tie_word_embeddings=False)


def sizes(hidden, inner, layers, heads, shared=None):
    fields = {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads}
    return dict(fields, num_key_value_heads=shared) if shared else fields


# Name -> what it is, its class and its configuration.
SHAPES = {
    "llava-1.5-7b": ("Llava", lambda: llava(sizes(4096, 11008, 32, 32, 32), dict(sizes(1024, 4096, 24, 16), image_size=336))),
    "qwen2.5-vl-3b": ("Qwen2_5_VL", lambda: qwen(sizes(2048, 11008, 36, 16, 2),
                                               {"hidden_size": 1280, "intermediate_size": 3420, "depth": 32, "num_heads": 16,
                                                "fullatt_block_indexes": [7, 15, 23, 31]})),
    "smolvlm-256m": ("SmolVLM", lambda: smolvlm(sizes(576, 1536, 30, 9, 3), sizes(768, 3072, 12, 12))),
    "llava-tiny": ("Llava", lambda: llava(sizes(256, 512, 3, 4, 4), dict(sizes(128, 256, 3, 4), image_size=56))),
    "qwen2.5-vl-tiny": ("Qwen2_5_VL", lambda: qwen(sizes(256, 512, 3, 4, 2),
                                                 {"hidden_size": 128, "intermediate_size": 256, "depth": 3, "num_heads": 4,
                                                  "fullatt_block_indexes": [1]})),
    "smolvlm-tiny": ("SmolVLM", lambda: smolvlm(sizes(144, 384, 3, 9, 3), sizes(96, 192, 3, 4))),
}


def model_class(shape):
    import transformers
    return getattr(transformers, SHAPES[shape][0] + "ForConditionalGeneration")


def write_folder(folder, shape, dtype, device):
    """A folder as save_pretrained leaves it, in shards; does nothing where it is complete already."""
    import torch
    from safetensors.torch import save_file

    if (folder / "complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    config = SHAPES[shape][1]()
    config.dtype = dtype
    with torch.device("meta"):
        model = model_class(shape)(config)
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ()) if config.tie_word_embeddings else set()
    generator = torch.Generator(device).manual_seed(1)
    shard, held, index, total = {}, 0, {}, 0

    def flush():
        nonlocal shard, held
        name = f"model-{len(set(index.values())) + 1:05d}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        index.update({key: name for key in shard})
        shard, held = {}, 0

    for name, slot in model.state_dict().items():
        if name in tied:
            continue
        if slot.dim() == 1 and name.endswith("weight") and "embedding" not in name:
            values = torch.ones(slot.shape)
        else:
            values = torch.randn(slot.shape, generator=generator, device=device) * 0.02
        shard[name] = values.to(dtype).cpu().contiguous()
        held += shard[name].nbytes
        total += shard[name].nbytes
        if held > SHARD:
            flush()
    flush()
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": index}))
    if SHAPES[shape][0] == "SmolVLM":
        write_processor(folder)
    (folder / "complete").touch()


def merges(count):
    """Letters, then all pairs and triples of letters and some quadruples: a vocabulary of any size."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    level, out = letters, []
    while len(out) < count:
        level = [(word, letter) for word, letter in itertools.product(level, letters)]
        out += level
        level = [word + letter for word, letter in level]
    return letters, out[:count]


def write_processor(folder):
    """A byte-level BPE tokenizer of 49,190 tokens, its image tokens, a template and a processor configuration."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    first = ["<row_%d_col_%d>" % (r, c) for r in range(1, 7) for c in range(1, 7)]
    _, pairs = merges(49190 - len(alphabet))
    words = alphabet + [a + b for a, b in pairs]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in
                                  [special[1], special[0], *special[2:], *first]])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "GPT2Tokenizer", "bos_token": special[0], "eos_token": special[4], "pad_token": special[0]}))
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m['role'] | capitalize }}:{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
        "{% else %} {{ c['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}Assistant:")
    (folder / "preprocessor_config.json").write_text(json.dumps(
        {"image_processor_type": "SmolVLMImageProcessor", "do_convert_rgb": True, "do_image_splitting": False,
         "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3,
         "image_std": [0.5] * 3, "max_image_size": {"longest_edge": 512}, "resample": 1, "rescale_factor": 1 / 255,
         "size": {"longest_edge": 512}}))
    (folder / "processor_config.json").write_text(json.dumps({"image_seq_len": 64, "processor_class": "SmolVLMProcessor"}))


def prompt(shape, length, video=False, pictures=1):
    """Input tensors of a prompt of `length` tokens: pictures, then words. A video has 16 frames."""
    import torch
    kind, config = SHAPES[shape][0], SHAPES[shape][1]()
    generator = torch.Generator().manual_seed(length)
    words = lambda n: torch.randint(3, 30000, (n,), generator=generator)  # noqa: E731
    noise = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    if kind == "Llava":
        side = config.vision_config.image_size
        features = (side // config.vision_config.patch_size) ** 2
        ids = torch.cat([torch.full((pictures * features,), config.image_token_index), words(length - pictures * features)])
        return {"input_ids": ids[None], "pixel_values": noise(pictures, 3, side, side)}
    if kind == "SmolVLM":
        side = config.vision_config.image_size
        ids = torch.cat([torch.full((64,), config.image_token_id), words(length - 64)])
        return {"input_ids": ids[None], "pixel_values": noise(1, 1, 3, side, side),
                "pixel_attention_mask": torch.ones(1, 1, side, side, dtype=torch.int64)}
    # The largest grid of merged patches about 3 : 2 that leaves room for words.
    frames = 8 if video else 1
    room = (length - 24) // frames
    rows = max(1, int((room / 1.5) ** 0.5))
    columns = room // rows
    features = frames * rows * columns
    token = QWEN["video" if video else "image"]
    ids = torch.cat([torch.tensor([QWEN["start"]]), torch.full((features,), token), torch.tensor([QWEN["end"]]),
                     words(length - features - 2)])
    values = noise(4 * features, 3 * 2 * 14 * 14)
    grid = torch.tensor([[frames, 2 * rows, 2 * columns]])
    types = torch.where(ids == token, 2 if video else 1, 0)[None]
    inputs = {"input_ids": ids[None], "mm_token_type_ids": types}
    if video:
        return inputs | {"pixel_values_videos": values, "video_grid_thw": grid, "second_per_grid_ts": torch.tensor([1.0])}
    return inputs | {"pixel_values": values, "image_grid_thw": grid}


def write_picture(path, width=512, height=384):
    data = bytes((i * 2654435761 >> 24) & 255 for i in range(3 * width * height))
    pathlib.Path(path).write_bytes(b"P6 %d %d 255\n" % (width, height) + data)
