"""Folders with tokenizers and chat templates: what the reference package makes of prompts."""
import json

from parity_common import randomise
from parity_language import SIZES, case, ids
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEXTS = ["What colour is the star?", "Zwölf kleine Häuser\nund 3 Bäume 🌳.", "  two  spaces ", "<|end|> written out", "a"]
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


def build(fixtures):
    prompts(fixtures)
