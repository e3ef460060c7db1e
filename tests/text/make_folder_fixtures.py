"""Writes tokenizer folders without tokenizer.json, and what the reference packages make of texts with them.

usage: make_folder_fixtures.py FOLDER
FOLDER gets index.json, and one folder for every tokenizer with cases.json: [[text, ids], ...].
"""
import json
import pathlib
import re
import string
import sys

import sentencepiece
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from fixture_texts import corpus, sample_texts

OUT = pathlib.Path(sys.argv[1])
CORPUS = corpus()
TEXTS = [t for t in sample_texts(900) if not any(s in t for s in ("<s>", "</s>", "<unk>", "<pad>", "<|", "[", "\x00"))]
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
names = []


def write(name, config, cases):
    folder = OUT / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "cases.json").write_text(json.dumps(cases))
    names.append(name)


def train(name, file, **options):
    (OUT / name).mkdir()
    model = str(OUT / name / file)
    with open(model, "wb") as out:
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, minloglevel=2, num_threads=1,
                                                 **options)
    return model, sentencepiece.SentencePieceProcessor(model_file=model)


def sentencepieces():
    _, sp = train("t5", "spiece.model", vocab_size=900, normalization_rule_name="nmt_nfkc",
                  user_defined_symbols=["<extra>", "star is"])
    write("t5", {"tokenizer_class": "T5Tokenizer"}, [[t, sp.encode(t) + [sp.piece_to_id("</s>")]] for t in TEXTS])
    _, sp = train("llama", "tokenizer.model", vocab_size=1400, model_type="bpe", byte_fallback=True,
                  normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.99,
                  user_defined_symbols=["<tool>", "\n\n"])
    write("llama", {"tokenizer_class": "LlamaTokenizer"}, [[t, [1] + sp.encode(t)] for t in TEXTS])
    _, sp = train("unigram_bytes", "tokenizer.model", vocab_size=1300, byte_fallback=True, add_dummy_prefix=False,
                  normalization_rule_name="nfkc_cf")
    write("unigram_bytes", {"tokenizer_class": "GemmaTokenizer", "add_eos_token": True, "bos_token": {"content": "<s>"}},
          [[t, [1] + sp.encode(t) + [2]] for t in TEXTS])
    _, sp = train("siglip", "spiece.model", vocab_size=900, normalization_rule_name="nmt_nfkc")
    write("siglip", {"tokenizer_class": "SiglipTokenizer", "unk_token": "<unk>"},
          [[t, siglip(sp, t)] for t in TEXTS if siglip(sp, t) is not None])


def siglip(sp, text):
    """The steps of the SigLIP tokenizer: a word mark in front, lower case, no ASCII punctuation, single spaces; encoded behind
    "<unk>", which keeps the word mark, and cut off there. None where nothing remains."""
    text = ("▁" + text.replace("▁", " ")).lower().translate(str.maketrans("", "", string.punctuation))
    text = re.sub(r"\s+", " ", text).strip()
    return None if text.strip("▁ ") == "" else sp.encode("<unk>" + text)[len(sp.encode("<unk>")):] + [sp.piece_to_id("</s>")]


def merges():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=1000, show_progress=False, special_tokens=["<|endoftext|>"],
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    write("gpt2", {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 77}, [[x, t.encode(x).ids] for x in TEXTS])
    t.model.save(str(OUT / "gpt2"))

    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=1300, show_progress=False, initial_alphabet=alphabet, end_of_word_suffix="</w>",
        special_tokens=["<|startoftext|>", "<|endoftext|>"] + [c + "</w>" for c in sorted(alphabet)]))
    write("clip", {"tokenizer_class": "CLIPTokenizer"},
          [[x, [0] + t.encode(x).ids + [1]] for x in TEXTS if not any(c + "</w>" in x for c in alphabet)])
    t.model.save(str(OUT / "clip"))


def words():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=1200, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    write("bert", {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 1e30},
          [[x, [2] + t.encode(x).ids + [3]] for x in TEXTS])
    t.model.save(str(OUT / "bert"))


sentencepieces()
merges()
words()
(OUT / "index.json").write_text(json.dumps(names))
