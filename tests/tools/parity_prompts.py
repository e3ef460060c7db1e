"""Folders with tokenizers and chat templates: what the reference package makes of prompts."""
import json
import string

from parity_common import pixels
from parity_language import SIZES, case, ids
from parity_towers import TEXT, VISION, both_towers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, SiglipConfig, SiglipModel

TEXTS = ["What colour is the star?", "Zwölf kleine Häuser\nund 3 Bäume 🌳.", "  two  spaces ", "<|end|> written out", "a"]
LONG = "zyx wvu tsr qpo nml kji hgf"
TEMPLATE = ("{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>\n{% endif %}")
SPECIAL = ["<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<image>"]


def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    corpus = TEXTS * 4 + ["the star is red", "a green circle is left of the blue square"]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(corpus, trainer)
    made.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", made.token_to_id("<|begin|>"))])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|end|>")


def prompts(f):
    tokens = tokenizer()
    name = "llama-prompts"
    config = LlamaConfig(**dict(SIZES, vocab_size=len(tokens), num_key_value_heads=2, max_position_embeddings=256, eos_token_id=tokens.eos_token_id))
    model = LlamaForCausalLM(config)
    case(f, name, "llama", model, 390, {"input_ids": ids(390, 9, vocabulary=len(tokens))})
    folder = f.root / name / "model"
    tokens.save_pretrained(folder)
    plain = [{"text": t, "ids": tokens(t)["input_ids"]} for t in TEXTS]
    tokens.chat_template = TEMPLATE
    said = [{"text": t, "ids": tokens.apply_chat_template([{"role": "user", "content": t}], add_generation_prompt=True, return_dict=False)} for t in TEXTS]
    import torch

    prompt = torch.tensor([said[0]["ids"]])
    # Without a mask the reference would take the first token, id 0, for padding.
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=16, do_sample=False, pad_token_id=0)
    out = out[0, prompt.shape[1]:].tolist()
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    (f.root / name / "chat.json").write_text(json.dumps(talk))
    about = {"plain": plain, "templated": said, "answer": {"ids": out, "text": tokens.decode(out, skip_special_tokens=True)},
             "chat": tokens.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)}
    (f.root / name / "prompts.json").write_text(json.dumps(about))
    (f.root / name / "template.jinja").write_text(TEMPLATE)


def towers(f):
    """CLIP shortens texts, SigLIP cleans and pads them."""
    clip = tokenizer()
    clip.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A <|end|>", special_tokens=[("<|begin|>", 0), ("<|end|>", 1)])
    text = dict(TEXT, vocab_size=len(clip), bos_token_id=0, eos_token_id=1, attn_implementation="eager")
    both_towers(f, "clip-prompts", "clip", CLIPModel(CLIPConfig(text_config=dict(text), vision_config=dict(VISION), projection_dim=20)), 391,
                {"pixel_values": pixels(391, 32, 32), "input_ids": ids(391, 6, vocabulary=len(clip))})
    clip.save_pretrained(f.root / "clip-prompts" / "model")
    said = [{"text": t, "ids": clip(t, truncation=True, max_length=12)["input_ids"]} for t in [*TEXTS, LONG]]
    (f.root / "clip-prompts" / "prompts.json").write_text(json.dumps(said))

    clean = lambda t: " ".join(t.lower().translate(str.maketrans("", "", string.punctuation)).split())
    siglip = tokenizer()
    siglip.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A <|end|>", special_tokens=[("<|end|>", 1)])
    text = dict(text, pad_token_id=1, projection_size=32)
    both_towers(f, "siglip-prompts", "siglip", SiglipModel(SiglipConfig(text_config=text, vision_config=dict(VISION))), 392,
                {"pixel_values": pixels(392, 32, 32), "input_ids": ids(392, 6, vocabulary=len(siglip))})
    siglip.save_pretrained(f.root / "siglip-prompts" / "model")
    said = [{"text": t, "ids": siglip(clean(t), truncation=True, padding="max_length", max_length=12)["input_ids"]} for t in [*TEXTS, LONG] if clean(t).isascii()]
    (f.root / "siglip-prompts" / "prompts.json").write_text(json.dumps(said))


def build(fixtures):
    prompts(fixtures)
    towers(fixtures)
