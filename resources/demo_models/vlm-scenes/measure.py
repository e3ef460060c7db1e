#!/usr/bin/env python3
"""What the model card reports: held-out accuracy by question, where answers look, sinks, and what scaling them changes.

    python measure.py FOLDER [--held-out N]

measures a trained folder again, through its own tokenizer, chat template and generate(), and rewrites its facts.json and
README.md.
"""

import argparse
import collections
import json
import pathlib
import tempfile

import torch
from transformers import AutoTokenizer, LlavaForConditionalGeneration

import card
import probes
import questions
import scenes

PER_KIND = 2000  # questions of a kind at most
NAME_CLEAR = (8, 128)  # named scenes: least gap from left to right in pixels, least visible share in 255ths
LATER = 500  # questions asked as second turn of a chat
PROBES = 1000  # questions whose attention is looked at; sink edits use as many
BATCH = 200


class Asked:
    """A question about a record: row, text, right answer, object looked at (NONE if no single one), earlier turns."""

    def __init__(self, row, text, answer, target=scenes.NONE, before=()):
        self.row, self.text, self.answer, self.target, self.before = row, text, answer, target, before


def ask(records, texts, answers, weights):
    """Lists of Asked by kind (those of weight 0 apart) from default scenes (4 to 9 objects); name_all from scenes of 2 to 5, name_all_N from the others."""
    batch = scenes.Batch(records)
    asked = collections.defaultdict(list)
    clear = ((batch.gap >= NAME_CLEAR[0]) & (batch.visible >= NAME_CLEAR[1])).tolist()
    few = [(scenes.HELD_OUT + i) % 3 == 0 for i in range(len(records))]
    for row in range(len(records)):
        if clear[row]:
            n = int(batch.count[row])
            named = questions.naming([int(batch.classes[row, o]) for o in batch.order[row, :n]], answers)
            asked["name_all" if few[row] else f"name_all_{n}"].append(Asked(row, texts[-1][1], named))
        if few[row]:
            continue
        had = set()
        for kind, text, answer, target in zip(*(t[row].tolist() for t in (batch.kind, batch.text, batch.answer, batch.object))):
            if kind < questions.NAME and weights[kind] and kind not in had:
                had.add(kind)
                asked[questions.KINDS[kind]].append(Asked(row, texts[text][1], answers[answer], target))
    return {k: v[:PER_KIND] for k, v in asked.items()}


class Asker:
    """Puts questions to a model as a user would: chat template, tokenizer, greedy generate()."""

    def __init__(self, folder, records, device):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.records, self.device = records, device

    def prompt(self, text, before=()):
        """Ids of a question after the (question, answer) pairs before it."""
        turns = [turn for q, a in before for turn in (("user", q), ("assistant", a))] + [("user", text)]
        messages = [{"role": role, "content": [{"type": "text", "text": t}]} for role, t in turns]
        messages[0]["content"].insert(0, {"type": "image"})
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return self.tokenizer(text.replace(questions.IMAGE, questions.IMAGE * scenes.CELLS))["input_ids"]

    def batches(self, asked, answers=False):
        """Asked of equal prompt length with ids [n, length] and pixels; with `answers`, the right answer behind the prompt."""
        groups = collections.defaultdict(list)
        for a in asked:
            ids = self.prompt(a.text, a.before)
            if answers:
                ids += self.tokenizer(" " + a.answer, add_special_tokens=False)["input_ids"]
            groups[len(ids)].append((a, ids))
        for group in groups.values():
            for i in range(0, len(group), BATCH):
                part = group[i : i + BATCH]
                ids = torch.tensor([ids for _, ids in part], device=self.device)
                images = scenes.Batch(self.records[[a.row for a, _ in part]].to(self.device)).images
                yield [a for a, _ in part], ids, scenes.pixels(images)

    @torch.no_grad()
    def answers(self, model, asked, **options):
        """(question, the model's answer) pairs, greedy."""
        pairs = []
        for part, ids, pixels in self.batches(asked):
            out = model.generate(input_ids=ids, pixel_values=pixels.to(model.dtype), max_new_tokens=32, do_sample=False, **options)
            said = self.tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
            pairs += zip(part, (s.strip() for s in said))
        return pairs


def later_turns(asked):
    """Questions asked after another one about the same scene and its right answer."""
    everything = sorted((a for name, q in asked.items() if name != "name_all" for a in q), key=lambda a: a.row)
    pairs = [(a, b) for a, b in zip(everything, everything[1:]) if a.row == b.row]
    return [Asked(b.row, b.text, b.answer, b.target, [(a.text, a.answer)]) for a, b in pairs]


def share(pairs):
    return round(100 * sum(a.answer == said for a, said in pairs) / max(len(pairs), 1), 2)


def accuracies(asker, folder, asked, device):
    facts = {"asked": {}, "accuracy": {}, "guess": {}, "examples": {}}
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    facts["parameters"] = sum(p.numel() for p in model.parameters())
    for name, questions_ in asked.items():
        pairs = asker.answers(model, questions_)
        most = collections.Counter(a.answer for a in questions_).most_common(1)[0][1]
        facts["asked"][name], facts["accuracy"][name] = len(questions_), share(pairs)
        facts["guess"][name] = round(100 * most / len(questions_), 1)
        wrong = [(a, said) for a, said in pairs if a.answer != said][:2]
        facts["examples"][name] = [[a.text, said, a.answer] for a, said in wrong]
        print(f"{name}: {facts['accuracy'][name]} % of {len(questions_)} (always the same: {facts['guess'][name]} %)", flush=True)
    half = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float16).to(device).eval()
    mixed = [a for name, q in asked.items() if not name.startswith("name_all_") for a in q[:200]]
    facts["mixed"] = len(mixed)
    facts["mixed_full"], facts["mixed_half"] = share(asker.answers(model, mixed)), share(asker.answers(half, mixed))
    later = later_turns({k: v[:200] for k, v in asked.items() if not k.startswith("name_all")})[:LATER]
    facts["later"], facts["later_accuracy"] = len(later), share(asker.answers(model, later))
    return facts


def measure(folder, records, texts, answers, weights, device):
    asker = Asker(folder, records, device)
    asked = ask(records, texts, answers, weights)
    facts = {"held_out": len(records)} | accuracies(asker, folder, asked, device)
    single = [a for k in ("color", "shape", "largest", "marked") for a in asked.get(k, [])[: PROBES // 4] if a.target != scenes.NONE]
    facts |= probes.looking(asker, folder, single, asked["name_all"][: PROBES // 2], device)
    facts |= probes.dimensions(asker, folder, single, device)
    edited = [a for name, q in asked.items() if not name.startswith("name_all_") for a in q[: PROBES // len(questions.KINDS)]]
    return facts | probes.scaling(asker, folder, edited, device)


def write(folder, facts, records, texts, answers, device):
    """Measures the folder; facts.json and README.md say what came out."""
    facts |= measure(folder, records, texts, answers, facts["weights"], device)
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "README.md").write_text(card.card(facts))
    print((folder / "README.md").read_text(), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--held-out", type=int, default=9000)
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        program = scenes.build(folder)
        records = scenes.load(program, scenes.HELD_OUT, args.held_out, args.threads, folder)
        texts, answers = questions.tables(program)
    write(args.folder, json.loads((args.folder / "facts.json").read_text()), records, texts, answers, device)


if __name__ == "__main__":
    main()
