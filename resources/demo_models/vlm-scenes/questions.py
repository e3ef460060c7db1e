"""The language of the questions: texts, tokenizer, and batches that ask many questions about one image at once."""

import subprocess

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import scenes

# A user's turn, then the assistant's; the tokenizer sets <s> before the text.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}"
    "USER: "
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'image' -%}{{ '<image>\\n' }}{%- endif -%}{%- endfor -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'text' -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}"
    "{%- endif -%}"
    "{{ ' ' }}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{ 'ASSISTANT: ' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'text' -%}{{ part['text'] }}{%- endif -%}{%- endfor -%}"
    "{%- endif -%}"
    "{{ '</s>' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'ASSISTANT:' }}{%- endif -%}"
)
CHAT_TEMPLATE = CHAT_TEMPLATE.replace("USER: {%-", "{{ 'USER: ' }}{%-")
KINDS = "color shape count_shape count_color exists relation pair_side front largest marked name_all".split()
NAME = len(KINDS) - 1
# How often a question of each kind but the last is drawn: harder ones more often, 0 for never.
WEIGHTS = [0.6, 0.6, 1.2, 1.2, 0.8, 1.6, 1.0, 3.0, 0.8, 0.8]
NAME_GAP = 5  # scenes are named in training if neighbours from left to right are at least so many pixels apart
NAME_VISIBLE = 100  # and at least so many 255ths of every object show
MARK, END, PAD, UNKNOWN, IMAGE = "<s>", "</s>", "<pad>", "<unk>", "<image>"


def tables(program):
    """(kind, text) of every question and the text of every answer, as numbered in the records."""
    lines = subprocess.run([program, "tables"], check=True, capture_output=True, text=True).stdout.splitlines()
    questions = [(int(kind), text) for mark, kind, text in (l.split(" ", 2) for l in lines if l[0] == "q")]
    answers = [l[2:] for l in lines if l[0] == "a"]
    assert [l[2:] for l in lines if l[0] == "k"] == KINDS
    return questions, answers


def naming(classes, answers):
    """The answer to "Name all objects." for class indices from left to right."""
    return ", ".join(answers[len(answers) - 80 + c] for c in classes)


def american(text):
    return text.replace("colour", "color")


def train_tokenizer(questions, answers):
    """A byte-level BPE tokenizer whose words all become single tokens."""
    asked = [f(q) for _, q in questions[:600] + questions[600::5] + questions[-3:] * 20 for f in (str, american)]
    corpus = [f"USER: {q} ASSISTANT:" for q in asked] + [f"\n{q}" for q in asked] + [f"ASSISTANT: {a}" for a in answers * 20]
    corpus += [f"ASSISTANT: {naming(range(i, i + 8), answers)}" for i in range(70)]
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True, normalized=False) for t in (UNKNOWN, MARK, END, PAD, IMAGE)]
    trainer = trainers.BpeTrainer(
        vocab_size=1024, min_frequency=2, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{MARK} $A", pair=f"{MARK} $A {MARK} $B", special_tokens=[(MARK, tokenizer.token_to_id(MARK))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=MARK,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        extra_special_tokens={"image_token": IMAGE},
        model_max_length=1024,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def padded(rows, pad, device):
    """Lists of ids as one tensor [n, longest] and their lengths."""
    longest = max(map(len, rows))
    table = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=device)
    return table, torch.tensor([len(row) for row in rows], device=device)


class Packer:
    """Batches [image, question block, question block, ..., naming block].

    Every block sees the image and itself; in some rows the blocks are turns of one conversation, in random order, and
    see those before. A mask and position ids say so, so that each block reads exactly as if it stood alone.
    """

    BLOCKS = 9  # questions a row besides the naming

    def __init__(self, tokenizer, questions, answers, weights, device):
        encode = lambda texts: tokenizer(texts, add_special_tokens=False)["input_ids"]
        self.device, self.pad = device, tokenizer.pad_token_id
        versions = [[f(q) for _, q in questions] for f in (str, american)]
        versions += [["USER: " + t for t in v] for v in versions]
        rows = encode([t + " ASSISTANT:" for v in versions for t in v])
        table, lengths = padded(rows, self.pad, device)
        self.texts = table.reshape(4, len(questions), -1)
        self.text_lengths = lengths.reshape(4, -1)
        end = [tokenizer.eos_token_id]
        self.answers, self.answer_lengths = padded([r + end for r in encode([" " + a for a in answers])], self.pad, device)
        self.classes, lengths = padded(encode([" " + a for a in answers[-80:]]), self.pad, device)
        assert set(lengths.tolist()) == {2}, "a colour or a shape is not one token"
        (self.comma,), self.end = encode([","])[0], end[0]
        image = tokenizer.convert_tokens_to_ids(IMAGE)
        self.prefix = torch.tensor(tokenizer(f"USER: {IMAGE * scenes.CELLS}\n")["input_ids"], device=device)
        self.image = int((self.prefix == image).nonzero()[0])
        used = [q for q in range(len(questions)) if questions[q][0] != NAME]
        self.width = int(self.text_lengths[:, used].max() + self.answer_lengths.max())
        self.name_width = int(self.text_lengths[:, -1].max()) + 3 * scenes.MOST
        size = len(self.prefix) + self.BLOCKS * self.width + self.name_width
        self.size = (size + 7) // 8 * 8
        self.name_width += self.size - size
        self.weights = torch.tensor([*weights, 0.0], device=device)
        self.last = len(questions) - 1

    def choose(self, batch):
        """Slots of BLOCKS questions a row, weighted at random (Efraimidis and Spirakis 2006)."""
        kinds = batch.kind.clamp(max=NAME)
        weight = self.weights[kinds]
        keys = torch.rand(kinds.shape, device=self.device).clamp(min=1e-9) ** (1 / weight.clamp(min=1e-3))
        return keys.masked_fill(weight == 0, -1.0).topk(self.BLOCKS, 1).indices

    def block(self, text, text_length, answer, answer_length, width):
        """Ids [..., width] of text, answer and padding, and which of them are answer."""
        at = torch.arange(width, device=self.device).expand(*text.shape[:-1], width)
        here = at - text_length[..., None]
        ids = text.gather(-1, at.clamp(max=text.shape[-1] - 1))
        answers = answer.gather(-1, here.clamp(0, answer.shape[-1] - 1))
        inside = (here >= 0) & (here < answer_length[..., None])
        return torch.where(here < 0, ids, torch.where(inside, answers, self.pad)), inside

    def names(self, batch):
        """Ids [n, 3 * MOST] of "red star, blue circle</s>" from left to right and their number."""
        classes = batch.classes.gather(1, batch.order.clamp(max=scenes.MOST - 1)).clamp(max=79)
        last = torch.arange(scenes.MOST, device=self.device) == batch.count[:, None] - 1
        after = torch.where(last, self.end, self.comma)[..., None]
        return torch.cat([self.classes[classes], after], -1).flatten(1), 3 * batch.count

    def pack(self, batch, conversations=0.0):
        """Ids, positions, the mask [n, size, size], and per position the id it should predict (-100: none) and its kind."""
        n, blocks, start = len(batch.count), self.BLOCKS + 1, len(self.prefix)
        slots = self.choose(batch)
        kind, text, answer = (t.gather(1, slots) for t in (batch.kind, batch.text, batch.answer))
        valid = torch.cat([kind != scenes.NONE, ((batch.gap >= NAME_GAP) & (batch.visible >= NAME_VISIBLE))[:, None]], 1)
        talk = torch.rand(n, 1, device=self.device) < conversations
        keys = torch.rand(n, blocks, device=self.device).masked_fill(~valid, 2.0)
        order = keys.argsort(1).argsort(1)
        version = torch.randint(2, (n, blocks), device=self.device) + 2 * (talk & (order > 0))
        text = torch.cat([text.clamp(max=self.last), torch.full((n, 1), self.last, device=self.device)], 1)
        ids, lengths = self.texts[version, text], self.text_lengths[version, text]
        answer = answer.clamp(max=len(self.answers) - 1)
        short = self.block(ids[:, :-1], lengths[:, :-1], self.answers[answer], self.answer_lengths[answer], self.width)
        long = self.block(ids[:, -1], lengths[:, -1], *self.names(batch), self.name_width)
        join = lambda a, b: torch.cat([a.flatten(1), b], 1)
        ids, inside = join(short[0], long[0]), join(short[1], long[1])
        widths = torch.tensor([self.width] * self.BLOCKS + [self.name_width], device=self.device)
        of = torch.repeat_interleave(torch.arange(blocks, device=self.device), widths)
        within = torch.cat([torch.arange(int(w), device=self.device) for w in widths])
        real = ids != self.pad
        total = torch.zeros(n, blocks, dtype=torch.long, device=self.device).index_add_(1, of, real.long())
        before = (order[:, None] < order[:, :, None]) & talk[..., None] & valid[:, None]  # [n, block, earlier block]
        positions = start + within + (before * total[:, None]).sum(-1)[:, of]
        same = (of[:, None] == of) & (within[:, None] >= within)
        seen = (before[:, of][:, :, of] & real[:, None]) | same
        mask = torch.ones(n, self.size, self.size, dtype=torch.bool, device=self.device).tril()
        mask[:, start:, start:] = seen
        target = torch.where(inside & valid[:, of], ids, -100)
        target = torch.cat([target[:, 1:], torch.full((n, 1), -100, device=self.device)], 1)
        kinds = torch.cat([kind.clamp(max=NAME), torch.full((n, 1), NAME, device=self.device)], 1)[:, of]
        head = lambda t: t.expand(n, start)
        ids = torch.cat([head(self.prefix), ids], 1)
        positions = torch.cat([head(torch.arange(start, device=self.device)), positions], 1)
        return ids, positions, mask, target, kinds
