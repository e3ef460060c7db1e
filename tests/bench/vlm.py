"""Answers of vision-language models: speed and memory of Fovea against transformers on the same random-weight folder,
interleaved in one run.

Usage: vlm.py --binaries DIR [--device cuda|cpu] [--shapes NAME,...] [--lengths 600,8000] [--long 43000] [--tokens 32]
              [--rounds N] [--seconds S] [--folder DIR] [--output FILE.json]
Every claim is a ratio of medians over interleaved rounds; what was recorded in a captured answer are the rows of every
layer and head of the text over all keys. The file is written anew after every part. No part begins after S seconds.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

from bench_common import Server, cpu_name, quiet_reference

os.environ.setdefault("HF_HUB_OFFLINE", "1")
GIB, MIB = 1 << 30, 1 << 20


class Report:
    def __init__(self, arguments, about):
        self.path, self.begin, self.limit = arguments.output, time.monotonic(), arguments.seconds
        self.data = {**about, "rows": [], "details": []}

    def time_left(self):
        return self.limit - (time.monotonic() - self.begin)

    def save(self):
        if self.path:
            pathlib.Path(self.path).write_text(json.dumps(self.data, indent=1) + "\n")

    def row(self, shape, what, ours, against, must=None, unit="ms", ratio=None):
        if ratio is None:
            ratio = ours / against if against else None
        met = None if must is None or ratio is None else ratio <= must
        self.data["rows"].append({"shape": shape, "what": what, "ours": ours, "against": against, "unit": unit, "ratio": ratio,
                                  "must": must, "met": met})
        text = f"{ours:.2f}" + (f" against {against:.2f}" if against is not None else "") + f" {unit}"
        print(f"[{time.monotonic() - self.begin:5.0f} s] {shape:28} {what:58} {text:34}"
              + (f" ratio {ratio:.3f}" if ratio is not None else "")
              + (f" must {must}{'' if met else ' MISSED'}" if must is not None else ""), flush=True)
        self.save()

    def detail(self, **fields):
        self.data["details"].append(fields)
        self.save()

    def note(self, text):
        print(f"[{time.monotonic() - self.begin:5.0f} s] {text}", flush=True)
        self.data.setdefault("notes", []).append(text)
        self.save()


def total(answer):
    return answer["prefill_ms"] + sum(answer["steps_ms"])


def medians(answers):
    middle = lambda values: statistics.median(list(values))  # noqa: E731
    steps = [statistics.median(a["steps_ms"]) for a in answers if a["steps_ms"]]
    return {"prefill_ms": middle(a["prefill_ms"] for a in answers), "step_ms": middle(steps) if steps else 0,
            "total_ms": middle(a.get("ms", total(a)) for a in answers), "answer_ms": middle(total(a) for a in answers),
            "peak": max(a.get("peak", 0) for a in answers)}


def paired(left, right, key):
    """Median of the ratios of each round."""
    return statistics.median([key(a) / key(b) for a, b in zip(left, right)])


def steps(answer):
    return statistics.median(answer["steps_ms"])


class Shape:
    """One folder with both sides open."""

    def __init__(self, name, arguments, report):
        import torch
        import vlm_folders
        from vlm_reference import Reference
        self.name, self.arguments, self.report, self.torch = name, arguments, report, torch
        self.prompt = vlm_folders.prompt
        self.dtype = getattr(torch, arguments.dtype)
        self.folder = pathlib.Path(arguments.folder) / f"{name}-{arguments.dtype}"
        begin = time.monotonic()
        vlm_folders.write_folder(self.folder, name, self.dtype, arguments.device)
        report.note(f"{name}: folder of {sum(p.stat().st_size for p in self.folder.iterdir()) / GIB:.2f} GiB written in "
                    f"{time.monotonic() - begin:.0f} s")
        self.ours = self.server()
        first = self.ours.ask("open")
        second = self.ours.ask("open")
        self.reference = Reference(self.folder, name, arguments.device, self.dtype)
        report.detail(shape=name, opened=first, opened_again=second, reference_open_ms=self.reference.open_ms)
        report.row(name, "open the folder" + ("" if arguments.device == "cpu" else " onto the device"), second["ms"],
                   self.reference.open_ms)

    def server(self):
        return Server(pathlib.Path(self.arguments.binaries).resolve() / "fovea_vlm_bench", self.folder, self.arguments.device,
                      self.arguments.dtype, threads=self.arguments.threads)

    def close(self):
        self.ours.close()
        del self.reference

    def encode(self, length, **extra):
        from safetensors.torch import save_file
        inputs = self.prompt(self.name, length, **extra)
        path = self.folder / "prompt.safetensors"
        save_file(inputs, path)
        tokens = self.ours.ask("encode", tensors=str(path))["tokens"]
        return inputs, tokens

    def answers(self, label, inputs, rounds, references=True):
        """Interleaved rounds: ours plainly, ours with rows recorded, transformers with SDPA."""
        forced = [100 + i for i in range(self.arguments.tokens)]
        given = self.reference.prepare(inputs) if references else None
        plain, recorded, theirs = [], [], []
        for index in range(rounds + 1):
            a = self.ours.ask("answer", forced=forced, record="none")
            b = self.ours.ask("answer", forced=forced, record="rows")
            c = self.reference.answer(given, forced, flash_decode=True) if references else None
            if index == 0:
                self.compare(label, a, b, c)
                self.report.row(f"{self.name}, {label}", "a token of the first answer", steps(a), steps(c) if c else None)
                self.report.detail(shape=self.name, prompt=label, first=[a, b, c])
                continue  # a warm-up
            plain.append(a), recorded.append(b), theirs.append(c)
            if self.report.time_left() < 0 and len(plain) >= 2:
                break
        read = self.ours.ask("rows")
        self.ours.ask("release")
        self.report.detail(shape=self.name, prompt=label, plain=plain, recorded=recorded, reference=theirs, rows=read)
        return plain, recorded, theirs, read

    def compare(self, label, plain, recorded, theirs):
        same = plain["log_probabilities"] == recorded["log_probabilities"]
        apart = max(abs(x - y) for x, y in zip(plain["log_probabilities"], theirs["log_probabilities"])) if theirs else None
        self.report.note(f"{self.name}, {label}: routes {plain['routes']}; recording leaves the probabilities "
                         f"{'as they are' if same else 'CHANGED'}"
                         + (f"; log-probabilities of {len(plain['log_probabilities'])} tokens at most {apart:.3g} from "
                            f"transformers'" if theirs else ""))

    def judge(self, label, plain, recorded, theirs, read, musts):
        a, b = medians(plain), medians(recorded)
        name, add = f"{self.name}, {label}", self.report.row
        add(name, "whole answer, rows recorded / not", b["total_ms"], a["total_ms"], musts["time"],
            ratio=paired(recorded, plain, lambda x: x["ms"]))
        add(name, "prefill, rows recorded / not", b["prefill_ms"], a["prefill_ms"], musts["time"],
            ratio=paired(recorded, plain, lambda x: x["prefill_ms"]))
        add(name, "a token, rows recorded / not", b["step_ms"], a["step_ms"], musts["time"], ratio=paired(recorded, plain, steps))
        add(name, "peak memory, rows recorded / not", b["peak"] / GIB, a["peak"] / GIB, 1.1, "GiB")
        if theirs[0]:
            c = medians(theirs)
            must = 1.1 if self.arguments.device == "cuda" else None
            add(name, "prefill / transformers sdpa", a["prefill_ms"], c["prefill_ms"], must,
                ratio=paired(plain, theirs, lambda x: x["prefill_ms"]))
            add(name, "a token / transformers sdpa" + (" forced to flash" if must else ""), a["step_ms"], c["step_ms"], must,
                ratio=paired(plain, theirs, steps))
            if c["peak"]:
                add(name, "peak memory / transformers sdpa", a["peak"] / GIB, c["peak"] / GIB, None, "GiB")
        add(name, f"read {read['rows']} rows of {read['keys']} keys (mean sum {read['mean_sum']:.6f})", read["ms"], None)
        return a, b, max(b["peak"], read["peak"]) - a["peak"]

    def eager(self, label, inputs, extra, plain_peak):
        """Extra memory of transformers when it gives all maps, against ours."""
        import torch
        forced = [100 + i for i in range(self.arguments.tokens)]
        self.reference.use("eager")
        self.reference.release()
        name, layers = f"{self.name}, {label}", self.reference.model.config.text_config
        length = inputs["input_ids"].shape[1]
        least = layers.num_hidden_layers * layers.num_attention_heads * length * length * 2
        try:
            with_maps = self.reference.answer(self.reference.prepare(inputs), forced, maps=True)
            theirs = with_maps["peak"] - plain_peak
            self.report.detail(shape=self.name, prompt=label, eager=with_maps)
            self.report.row(name, "extra memory for all rows / transformers eager with maps", extra / MIB, theirs / MIB, 0.1, "MiB")
            self.report.row(name, "whole answer with rows / transformers eager with maps", self.last_total, total(with_maps))
        except torch.OutOfMemoryError:
            self.report.note(f"{name}: transformers eager with maps ran out of memory; its maps alone take {least / GIB:.1f} GiB")
            self.report.row(name, "extra memory for all rows / maps alone of transformers eager (out of memory)", extra / MIB,
                            least / MIB, 0.1, "MiB")
        self.reference.release()
        self.reference.use("sdpa")

    def length(self, length):
        inputs, tokens = self.encode(length)
        label = f"{length} tokens"
        self.report.note(f"{self.name}, {label}: stages {tokens}, tensors "
                         f"{ {k: list(v.shape) for k, v in inputs.items()} }")
        plain, recorded, theirs, read = self.answers(label, inputs, self.arguments.rounds)
        cuda = self.arguments.device == "cuda"
        _, b, extra = self.judge(label, plain, recorded, theirs, read, {"time": 1.2 if cuda else 1.1})
        self.last_total = b["answer_ms"]
        if cuda and self.report.time_left() > 0:
            self.eager(label, inputs, extra, medians(theirs)["peak"])

    def long(self, length):
        """16 frames of a video: that it runs, and what it takes; the tower recorded, too, where that fits."""
        inputs, tokens = self.encode(length, video=True)
        label = f"video, {inputs['input_ids'].shape[1]} tokens"
        self.report.note(f"{self.name}, {label}: stages {tokens}")
        plain, recorded, theirs, read = self.answers(label, inputs, 1)
        self.judge(label, plain, recorded, theirs, read, {"time": 1.2})
        self.reference.release()
        if self.report.time_left() > 0:
            everything = self.ours.ask("answer", forced=[100 + i for i in range(self.arguments.tokens)], record="all")
            self.report.detail(shape=self.name, prompt=label, all_sites=everything)
            self.report.row(f"{self.name}, {label}", "whole answer, tower recorded, too", everything["ms"], medians(plain)["total_ms"])
            self.report.row(f"{self.name}, {label}", "peak memory, tower recorded, too", everything["peak"] / GIB,
                            medians(plain)["peak"] / GIB, None, "GiB")
        self.ours.ask("release")

    def picture(self):
        """From nothing: a fresh process opens the folder, reads tokenizer and picture and answers."""
        from vlm_folders import write_picture
        path = self.folder / "picture.ppm"
        write_picture(path)
        fresh = self.server()
        opened = fresh.ask("open")
        encoded = fresh.ask("encode", prompt="what is there to see in this picture and where", picture=str(path))
        answer = fresh.ask("answer", forced=[100 + i for i in range(self.arguments.tokens)], record="rows")
        fresh.close()
        self.report.detail(shape=self.name, fresh=[opened, encoded, answer])
        must = 1 if self.arguments.device == "cpu" else None
        self.report.row(f"{self.name}, fresh process", "open the folder / 2 s", opened["ms"], 2000, must)
        self.report.row(f"{self.name}, fresh process", f"tokenizer and picture ({encoded['tokens']})", encoded["ms"], None)
        self.report.row(f"{self.name}, fresh process", "first token", answer["prefill_ms"], None)


def environment(arguments):
    import torch
    versions = quiet_reference(arguments.threads)
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else cpu_name()
    return {"date": time.strftime("%Y-%m-%d"), "device": device, "threads": arguments.threads, **versions,
            "cudnn": torch.backends.cudnn.version(), "dtype": arguments.dtype,
            "tokens": arguments.tokens, "rounds": arguments.rounds}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--device", default="")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--shapes", default="")
    parser.add_argument("--lengths", default="")
    parser.add_argument("--long", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder", default="")
    parser.add_argument("--output")
    arguments = parser.parse_args()
    import torch
    arguments.device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    cuda = arguments.device == "cuda"
    arguments.shapes = arguments.shapes or ("llava-1.5-7b,qwen2.5-vl-3b" if cuda else "smolvlm-256m")
    arguments.lengths = arguments.lengths or ("600,8000" if cuda else "200")
    arguments.folder = arguments.folder or str(pathlib.Path(arguments.binaries).resolve().parent / "bench" / "vlm")
    about = environment(arguments)
    print(", ".join(f"{k} {v}" for k, v in about.items()), flush=True)
    report = Report(arguments, about)
    for name in arguments.shapes.split(","):
        if report.time_left() < 0:
            report.note(f"{name}: no time left")
            continue
        shape = Shape(name, arguments, report)
        for length in map(int, arguments.lengths.split(",")):
            if report.time_left() > 0:
                shape.length(length)
        if arguments.long and name.startswith("qwen") and report.time_left() > 0:
            shape.long(arguments.long)
        if name.startswith("smolvlm"):
            shape.picture()
        shape.close()
        if cuda:
            torch.cuda.empty_cache()
    return 0 if all(row["met"] is not False for row in report.data["rows"]) else 1


sys.exit(main())
