"""Speed and memory of Fovea against transformers on the same folder, interleaved in one run.

Usage: run.py --binaries DIR [--rounds N] [--sizes 224,384] [--output FILE.json]
Every claim is a ratio of medians over interleaved rounds; shapes and routes are printed beside it.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from bench_common import Server, cpu_name, quiet_reference

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def make_folder(folder, size):
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    if (folder / "model.safetensors").exists():
        return
    torch.manual_seed(0)
    config = ViTConfig(image_size=size, patch_size=16, num_labels=1000)
    model = ViTForImageClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": size, "width": size},
        "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3}))


class Reference:
    """transformers in this process."""

    def __init__(self, folder, size):
        import torch
        from transformers import ViTForImageClassification

        self.torch, self.folder = torch, folder
        self.type = ViTForImageClassification
        self.x = torch.randn(1, 3, size, size)
        self.plain = self.type.from_pretrained(folder, attn_implementation="sdpa").eval()
        self.eager = self.type.from_pretrained(folder, attn_implementation="eager").eval()

    def timed(self, work):
        begin = time.perf_counter()
        with self.torch.no_grad():
            work()
        return (time.perf_counter() - begin) * 1e3

    def load(self):
        return self.timed(lambda: self.type.from_pretrained(self.folder, attn_implementation="sdpa").eval())

    def forward(self):
        return self.timed(lambda: self.plain(pixel_values=self.x))

    def maps(self):
        return self.timed(lambda: self.eager(pixel_values=self.x, output_attentions=True, output_hidden_states=True))


def peak_of_reference(folder, size):
    """Peak resident memory of a process that loads and runs once, plainly and with maps."""
    script = f"""
import pathlib, re, torch
from transformers import ViTForImageClassification
model = ViTForImageClassification.from_pretrained({str(folder)!r}, attn_implementation="eager").eval()
with torch.no_grad(): model(pixel_values=torch.randn(1, 3, {size}, {size}), output_attentions=True, output_hidden_states=True)
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()[-1])


def paired(ours, reference, rounds, our_command, reference_work, warm=1):
    """Medians of interleaved rounds A B A B."""
    mine, theirs = [], []
    for index in range(rounds + warm):
        a = ours.ask(our_command)["ms"]
        b = reference_work() if callable(reference_work) else ours.ask(reference_work)["ms"]
        if index >= warm:
            mine.append(a)
            theirs.append(b)
    ratios = [a / b for a, b in zip(mine, theirs)]
    return statistics.median(mine), statistics.median(theirs), statistics.median(ratios)


def measure(binary, folder, size, rounds, threads):
    reference = Reference(folder, size)
    ours = Server(binary, folder, size, size, threads=threads)
    rows = []

    def add(what, a, b, ratio, must, better):
        holds = ratio <= must if better == "lower" else 1 / ratio >= must
        rows.append({"size": size, "what": what, "ours_ms": round(a, 2), "against_ms": round(b, 2),
                     "ratio": round(ratio, 4), "must": f"<= {must}" if better == "lower" else f">= {must}x faster",
                     "holds": holds})

    add("load / transformers load", *paired(ours, reference, rounds, "load", reference.load), 3, "faster")
    add("forward / transformers sdpa", *paired(ours, reference, rounds, "forward", reference.forward), 1.05, "lower")
    add("forward with all maps / transformers eager with maps",
        *paired(ours, reference, rounds, "maps", reference.maps), 1.0, "lower")
    add("capture of Q, K, LSE, hidden / own forward", *paired(ours, None, rounds, "capture", "forward"), 1.05, "lower")
    add("all statistics / own forward", *paired(ours, None, rounds, "statistics", "forward"),
        1.15 if size == 224 else 1.45, "lower")
    routes = ours.ask("forward")["routes"]
    ours.close()
    fresh = Server(binary, folder, size, size, threads=threads)
    fresh.ask("load")
    fresh.ask("maps")
    peak = fresh.ask("maps")["peak"] / 1024
    fresh.close()
    theirs = peak_of_reference(folder, size)
    rows.append({"size": size, "what": "peak memory with all maps (MiB)", "ours_ms": round(peak / 1024, 1),
                 "against_ms": round(theirs / 1024, 1), "ratio": round(peak / theirs, 4), "must": "reported",
                 "holds": True})
    return rows, routes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", default="224,384")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output")
    arguments = parser.parse_args()

    versions = quiet_reference(arguments.threads)
    binary = pathlib.Path(arguments.binaries).resolve() / "fovea_bench"
    report = {"date": time.strftime("%Y-%m-%d"), "device": cpu_name(), "threads": arguments.threads,
              **versions, "model": "ViT-B/16, fp32, random weights",
              "rounds": arguments.rounds, "rows": []}
    for size in map(int, arguments.sizes.split(",")):
        folder = pathlib.Path(arguments.binaries).resolve().parent / "bench" / f"vit-b16-{size}"
        folder.mkdir(parents=True, exist_ok=True)
        make_folder(folder, size)
        rows, routes = measure(str(binary), folder, size, arguments.rounds, arguments.threads)
        report["rows"] += rows
        report["routes"] = routes
    print(f"{report['device']}, {report['threads']} threads, {report['model']}, routes {report['routes']}")
    print(f"{'size':>5}  {'what':55}  {'ours':>9}  {'against':>9}  {'ratio':>7}  must")
    for row in report["rows"]:
        mark = "" if row["holds"] else "  MISSED"
        print(f"{row['size']:>5}  {row['what']:55}  {row['ours_ms']:>9}  {row['against_ms']:>9}  {row['ratio']:>7}  {row['must']}{mark}")
    if arguments.output:
        pathlib.Path(arguments.output).write_text(json.dumps(report, indent=1) + "\n")
    return 0


sys.exit(main())
