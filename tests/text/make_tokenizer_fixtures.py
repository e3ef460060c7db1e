"""Trains small tokenizers of every kind with the `tokenizers` package and writes what they make of many texts.

usage: make_tokenizer_fixtures.py FOLDER
FOLDER gets index.json, texts.bin, and for every tokenizer NAME.json with NAME.bin (see `record`).
"""
import io
import json
import pathlib
import struct
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from fixture_texts import corpus, sample_texts

OUT = pathlib.Path(sys.argv[1])
CORPUS = corpus()
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
made = {}


def protobuf(data):
    """Field numbers and values of a serialized message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
            yield key >> 3, data[at:at + size]
            at += size


def special(content, **options):
    return AddedToken(content, special=True, normalized=options.pop("normalized", False), **options)


def keep(name, tokenizer, **model):
    """Remembers a tokenizer, with keys of its model set as a file may have them."""
    data = json.loads(tokenizer.to_str())
    data["model"].update(model)
    made[name] = data


def train_bpe(name, tokenizer, size=1200, **options):
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_bpe(pre, normalizer=None, size=1200, **options):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre
    if normalizer is not None:
        t.normalizer = normalizer
    t.decoder = decoders.ByteLevel()
    return train_bpe("", t, size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options)


def with_bytes(tokenizer, **model):
    """The tokenizer's JSON with byte tokens behind its first ids, as sentencepiece models have them."""
    data = json.loads(tokenizer.to_str())
    vocab = data["model"]["vocab"]
    if isinstance(vocab, dict):
        start = len(vocab)
        vocab.update({token: start + i for i, token in enumerate(BYTES)})
    else:
        vocab.extend([[token, 0.0] for token in BYTES])
    known = vocab if isinstance(vocab, dict) else dict(vocab)
    for entry in data["added_tokens"]:
        entry["id"] += 0 if entry["content"] in known else len(BYTES)
    data["model"].update(byte_fallback=True, **model)
    return data


def byte_level_kinds():
    t = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    t.add_special_tokens([special("<|endoftext|>")])
    keep("gpt2", t)

    t = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=True))
    t.add_special_tokens([special("<s>"), special("</s>"), special("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    keep("roberta", t)

    t = byte_bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                          pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    keep("smollm2", t)

    t = byte_bpe(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                          pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
                 normalizers.NFC())
    t.add_special_tokens([special("<|im_start|>"), special("<|im_end|>"), special("<|image_pad|>")])
    t.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("naïve word")])
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    keep("qwen2", t)

    t = byte_bpe(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                          pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), size=1500)
    t.add_special_tokens([special("<|begin_of_text|>"), special("<|eot_id|>")])
    begin = ("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B", special_tokens=[begin])])
    data = json.loads(t.to_str())
    # Whole words that no merge reaches: only ignore_merges finds them.
    for word in ("Ġstrawberry", "ĠFovea", "ğüzel", "Ġattention", "dont"):
        data["model"]["vocab"].setdefault(word, len(data["model"]["vocab"]))
    data["model"]["ignore_merges"] = True
    for i, entry in enumerate(data["added_tokens"]):
        entry["id"] = len(data["model"]["vocab"]) + i
    template = data["post_processor"]["processors"][1]
    template["special_tokens"]["<|begin_of_text|>"]["ids"] = [len(data["model"]["vocab"])]
    made["llama3"] = data

    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    train_bpe("clip", t, 1300, initial_alphabet=alphabet, end_of_word_suffix="</w>",
              special_tokens=["<|startoftext|>", "<|endoftext|>"] + [c + "</w>" for c in sorted(alphabet)])
    data = json.loads(t.to_str())
    data["added_tokens"] = [entry for entry in data["added_tokens"] if entry["content"].startswith("<|")]
    data["post_processor"] = {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 1], "cls": ["<|startoftext|>", 0],
                              "trim_offsets": False, "add_prefix_space": False}
    made["clip"] = data

    t = byte_bpe(pre_tokenizers.CharDelimiterSplit(" "), normalizers.Sequence([normalizers.NFKC(), normalizers.ByteLevel()]))
    t.add_tokens([AddedToken("größer"), AddedToken("<x>", normalized=False)])
    keep("byte_normalizer", t)


def sentencepiece_kinds():
    def llama(**options):
        t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        train_bpe("", t, 1400, special_tokens=["<unk>", "<s>", "</s>"], limit_alphabet=120, **options)
        t.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                       decoders.Strip(" ", 1, 0)])
        return t

    t = llama()
    t.pre_tokenizer = pre_tokenizers.Split("\u0000\u0001", "isolated")
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    data = with_bytes(t)
    data["pre_tokenizer"] = None
    # An id that leaves a gap: the reference gives the next one.
    data["added_tokens"].append({"id": 1700, "content": "<image>", "single_word": False, "lstrip": False,
                                 "rstrip": False, "normalized": False, "special": True})
    made["llama2_legacy"] = data
    # Files of the first conversions have normalized special tokens.
    old = json.loads(json.dumps(data))
    for entry in old["added_tokens"]:
        entry["normalized"] = True
    made["llama2_normalized"] = old

    t = llama()
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made["metaspace_first"] = with_bytes(t)

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    train_bpe("", t, 1400, special_tokens=["<pad>", "<eos>", "<bos>", "<unk>"], limit_alphabet=150)
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)])
    made["gemma"] = with_bytes(t)

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=900,
                                             normalization_rule_name="nmt_nfkc", minloglevel=2, num_threads=1)
    fields = list(protobuf(model.getvalue()))
    charsmap = next(value for key, value in protobuf(next(v for k, v in fields if k == 3)) if key == 2)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]

    def unigram(normalizer, fallback=False):
        t = Tokenizer(models.Unigram(pieces, 0, fallback))
        t.normalizer = normalizer
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        t.decoder = decoders.Metaspace()
        t.add_special_tokens([special("<pad>"), special("</s>")])
        t.post_processor = processors.TemplateProcessing(
            single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
        return t

    precompiled = normalizers.Precompiled(charsmap)
    keep("t5", unigram(normalizers.Sequence([precompiled, normalizers.Strip(left=False, right=True),
                                             normalizers.Replace(Regex(" {2,}"), "▁")])))
    keep("xlnet", unigram(normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.NFKD(),
                                                normalizers.StripAccents(), normalizers.Lowercase(), precompiled])))
    t = unigram(normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip(),
                                      normalizers.Replace(Regex(" {2,}"), " ")]))
    made["unigram_bytes"] = with_bytes(t)
    made["unigram_bytes"]["decoder"] = json.loads(decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace()]).__getstate__())


def word_kinds():
    def bert(lowercase, **options):
        t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=30))
        t.normalizer = normalizers.BertNormalizer(lowercase=lowercase, **options)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        t.decoder = decoders.WordPiece()
        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=1500, special_tokens=names, show_progress=False,
                                                                limit_alphabet=300))
        return t

    t = bert(True)
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    keep("bert", t)
    t = bert(False, clean_text=False, handle_chinese_chars=False)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.decoder = decoders.WordPiece(cleanup=False)
    keep("bert_cased", t)

    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()])
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=2000, special_tokens=["<unk>"], show_progress=False))
    t.decoder = decoders.CTC(pad_token="<pad>", word_delimiter_token="|")
    keep("word_level", t)

    t = Tokenizer(models.BPE(unk_token="?", continuing_subword_prefix="@@", end_of_word_suffix="</w>"))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"),
                                               pre_tokenizers.Digits()])
    train_bpe("", t, 1300, special_tokens=["?"], limit_alphabet=90, continuing_subword_prefix="@@",
              end_of_word_suffix="</w>")
    t.decoder = decoders.BPEDecoder()
    keep("subword_prefix", t)

    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex("[aeiou]"), "merged_with_next"), pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.FixedLength(3), pre_tokenizers.Split(" ", "removed")])
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=700, special_tokens=["[UNK]"], show_progress=False,
                                                            limit_alphabet=100))
    keep("splits", t)


def added_kinds():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("é", "e")])
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=700, special_tokens=["[UNK]"], show_progress=False,
                                                            limit_alphabet=100))
    t.add_tokens([AddedToken("Word", single_word=True), AddedToken("left", lstrip=True), AddedToken("Right", rstrip=True),
                  AddedToken("café", normalized=True), AddedToken("both", lstrip=True, rstrip=True, normalized=False),
                  AddedToken("ab"), AddedToken("abc"), AddedToken("abcd", normalized=False), AddedToken(" in ")])
    t.add_special_tokens([special("<s>"), special("<mask>", lstrip=True), special("<Img>", normalized=True),
                          special("été", single_word=True)])
    keep("added", t)


def put_text(out, text):
    data = text.encode("utf-8")
    out.write(struct.pack("<i", len(data)) + data)


def record(name, data, texts):
    """NAME.bin: for every text a count, then ids, begins and ends in bytes; a count and the ids without special tokens;
    the decoded text with special tokens, and without."""
    (OUT / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    tokenizer = Tokenizer.from_str(json.dumps(data))
    with open(OUT / f"{name}.bin", "wb") as out:
        for text in texts:
            starts = [0]
            for c in text:
                starts.append(starts[-1] + len(c.encode("utf-8")))
            encoding = tokenizer.encode(text)
            ids = encoding.ids
            bare = tokenizer.encode(text, add_special_tokens=False).ids
            begins = [starts[a] for a, _ in encoding.offsets]
            ends = [starts[b] for _, b in encoding.offsets]
            out.write(struct.pack(f"<{1 + 3 * len(ids)}i", len(ids), *ids, *begins, *ends))
            out.write(struct.pack(f"<{1 + len(bare)}i", len(bare), *bare))
            put_text(out, tokenizer.decode(ids, skip_special_tokens=False) if ids else "")
            put_text(out, tokenizer.decode(ids, skip_special_tokens=True) if ids else "")


def main():
    byte_level_kinds()
    sentencepiece_kinds()
    word_kinds()
    added_kinds()
    texts = sample_texts(2000)
    with open(OUT / "texts.bin", "wb") as out:
        for text in texts:
            put_text(out, text)
    for name, data in made.items():
        record(name, data, texts)
    (OUT / "index.json").write_text(json.dumps({"texts": len(texts), "tokenizers": sorted(made)}))


main()
