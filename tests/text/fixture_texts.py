"""Texts to train and try tokenizers with: documentation of the standard library and generated mixtures of scripts."""
import importlib
import pkgutil
import random
import unicodedata

SENTENCES = [
    "The star is left of the red circle; don't you see it? I've 12 of them, 3.14 in all.",
    "Größe und Straße: ein naïver Café-Besuch kostet 7,50 €.", "L'été dernier, nous avons mangé des crêpes à Nîmes.",
    "İstanbul'da ılık bir gün, ĞÜŞİÖÇ ğüşıöç IıİI.", "Привет, мир! Как твои дела? Ёлка и подъезд.",
    "我喜欢看星星,红色的圆在左边。今天天气很好。", "日本語のテキスト、カタカナとひらがな。ﾊﾝｶｸ", "안녕하세요, 세계! 한국어 문장입니다.",
    "مرحبا بالعالم، كيف حالك اليوم؟ ١٢٣", "שלום עולם! מה שלומך?", "नमस्ते दुनिया, आप कैसे हैं? क्षत्रिय", "สวัสดีชาวโลก",
    "Việt Nam: tiếng Việt có nhiều dấu", "ﬁne ﬂow ½ ² ℃ № ㎏ Ⅷ ｆｕｌｌｗｉｄｔｈ", "e\u0301 a\u0308\u0323 o\u0323\u0308 n\u0303 Å \u212b q\u0307\u0323",
]
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "👩🏾‍🚀", "☃", "\U0001F9FF", "🫠"]
SPECIALS = ["<s>", "</s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "[CLS]", "[MASK]", "<mask>", "<image>", "<unk>",
            "<pad>", "<bos>", "<|begin_of_text|>", "<0x41>", "<Img>", "<tool_call>", "<|startoftext|>", "[UNK]", "<x>"]
SPACES = [" ", "  ", "     ", "\t", "\n", "\r\n", "\n\n\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u0085", " \n ", "\u2028"]
CONTROLS = ["\x00", "\x01", "\x07", "\x1b[0m", "\x7f", "\ufeff", "\u200d", "\u200c", "\u2060", "\ufffd", "\ufffe", "\u00ad", "▁", "Ġ"]
WORDS = ["Word", "words", "left", "Right", "café", "Café", "both", "abcd", "abce", "been", "in", "naïve word", "größer", "été",
         "strawberry", "Fovea", "attention", "don't", "WE'LL", "they've", "``quoted''", "do not", "1234567", "3.14159", "x=y+1;"]


def corpus():
    texts = []
    for module in sorted(m.name for m in pkgutil.iter_modules() if not m.ispkg)[:400]:
        if module.startswith("_") or module in ("antigravity", "this") or len(texts) > 1500:
            continue
        if module not in ("argparse", "ast", "base64", "bisect", "calendar", "cmd", "copy", "csv", "datetime", "decimal",
                          "difflib", "doctest", "enum", "fractions", "functools", "heapq", "inspect", "io", "locale",
                          "operator", "os", "pickle", "random", "re", "shutil", "statistics", "string", "subprocess",
                          "tarfile", "textwrap", "threading", "traceback", "typing", "uuid", "zipfile"):
            continue
        members = vars(importlib.import_module(module))
        for name in sorted(members):
            text = getattr(members[name], "__doc__", None)
            if isinstance(text, str):
                texts.append(text[:600])
    return texts + SENTENCES * 12


def random_character(rng):
    while True:
        code = rng.choice([rng.randrange(0x80, 0x600), rng.randrange(0x600, 0x3100), rng.randrange(0x3100, 0x10000),
                           rng.randrange(0x10000, 0x20000)])
        c = chr(code)
        if unicodedata.category(c) in ("Cn", "Cs"):
            continue
        # The packages know different Unicode versions: only plain letters and symbols may be young.
        old = unicodedata.ucd_3_2_0.category(c) == unicodedata.category(c)
        if old or (unicodedata.category(c)[0] in "LS" and c.lower() == c and not unicodedata.decomposition(c)):
            return c


def part(rng, docs):
    kind = rng.randrange(12)
    if kind < 2:
        words = rng.choice(docs).split(" ")
        at = rng.randrange(len(words))
        return " ".join(words[at:at + rng.randrange(1, 12)])
    if kind < 5:
        text = rng.choice(SENTENCES)
        at = rng.randrange(len(text))
        return text[at:at + rng.randrange(1, 40)]
    if kind == 5:
        return rng.choice(EMOJI)
    if kind == 6:
        return rng.choice(SPECIALS)
    if kind == 7:
        return "".join(rng.choice(SPACES) for _ in range(rng.randrange(1, 4)))
    if kind == 8:
        return rng.choice(CONTROLS)
    if kind == 9:
        return "".join(random_character(rng) for _ in range(rng.randrange(1, 5)))
    return rng.choice(["", " "]) + rng.choice(WORDS) + rng.choice(["", " ", "!", "."])


def sample_texts(count):
    rng = random.Random(5)
    docs = corpus()
    texts = ["", " ", "a", "  ", "\n", "a" * 1000, "ab " * 200, "\u0301", "x" + "\u0301" * 40, "🙂" * 60, " " * 100 + "x", "\t" * 33,
             "supercalifragilistic" * 8, "<s><s> <s>", "<mask>", "   <mask>   ", "1" * 77, "ﬃ" * 9, "\u1100\u1161\u11a8각",
             "\U0001D11E\U0001F600", "İ", "I\u0307", "ß", "ſ", "Ω", "\u2126", "word Word sword", "left  left", "Right  Right"]
    while len(texts) < count:
        texts.append("".join(part(rng, docs) for _ in range(rng.randrange(1, 7))))
    return texts
