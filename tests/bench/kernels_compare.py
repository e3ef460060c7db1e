"""The CPU statistics pass beside PyTorch's attention and beside eager attention that keeps its maps, in one run.

Usage: kernels_compare.py --library libfovea_kernels_bench.so [--rounds N] [--threads N] [--tokens 1152,4608] [--heads 8]
Prints JSON. Every figure is a median over interleaved rounds, every ratio the median of the rounds' own ratios.
"""

import argparse
import ctypes as c
import json
import statistics
import time

import torch


class Operand(c.Structure):
    _fields_ = [("data", c.c_void_p), ("b", c.c_int64), ("h", c.c_int64), ("t", c.c_int64)]


class Output(c.Structure):
    _fields_ = [("data", c.c_void_p), ("b", c.c_int64), ("h", c.c_int64)]


class Problem(c.Structure):
    _fields_ = [("size", c.c_size_t), ("dtype", c.c_int)] + \
        [(name, c.c_int64) for name in ("batch", "q_heads", "kv_heads", "tq", "tk", "d", "dv")] + \
        [(name, Operand) for name in ("query", "key", "value", "grad_output")] + \
        [("scale", c.c_float), ("softcap", c.c_float), ("lse", c.c_void_p), ("lse_b", c.c_int64), ("lse_h", c.c_int64),
         ("lse_t", c.c_int64), ("lse_is_log2", c.c_int), ("causal", c.c_int), ("q_offset", c.c_int64),
         ("prefix", c.c_int64), ("window_left", c.c_int64), ("window_right", c.c_int64), ("key_visible", c.c_void_p),
         ("key_visible_b", c.c_int64), ("cu_q", c.c_void_p), ("cu_k", c.c_void_p), ("sequences", c.c_int64),
         ("bias", c.c_void_p)] + [(f"bias_{axis}", c.c_int64) for axis in "bhqk"]


class Exec(c.Structure):
    _fields_ = [("size", c.c_size_t), ("kind", c.c_int), ("device", c.c_int), ("stream", c.c_void_p),
                ("threads", c.c_int), ("parallel_for", c.c_void_p), ("context", c.c_void_p), ("level", c.c_int),
                ("cancel", c.c_void_p), ("message", c.c_void_p), ("message_size", c.c_size_t)]


class Stats(c.Structure):
    _fields_ = [("size", c.c_size_t)] + \
        [(name, Output) for name in ("lse", "col_sum", "col_max", "col_argmax", "row_max", "row_entropy", "row_sum",
                                     "row_argmax", "topk_value", "topk_index")] + [("topk", c.c_int64)] + \
        [("col_topk_value", Output), ("col_topk_index", Output), ("col_topk", c.c_int64), ("pooled_mean", Output),
         ("pooled_max", Output), ("block", c.c_int64), ("key_group", c.c_void_p), ("groups", c.c_int64),
         ("group_mass", Output), ("flags", c.c_void_p)]


class Pass:
    """Column sum and max, row max, entropy and sum, and the 64 x 64 pooled mean of one attention call."""

    def __init__(self, library, threads, q, k, lse):
        heads, tokens, d = q.shape[1:]
        cells = -(-tokens // 64)
        self.kept = [q, k, lse]
        self.lib = library
        self.problem = Problem(size=c.sizeof(Problem), dtype={torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}[q.dtype],
                               batch=q.shape[0], q_heads=heads, kv_heads=heads, tq=tokens, tk=tokens, d=d, scale=d ** -0.5,
                               lse=lse.data_ptr(), lse_b=lse.stride(0), lse_h=lse.stride(1), lse_t=lse.stride(2),
                               window_left=-1, window_right=-1,
                               query=Operand(q.data_ptr(), *q.stride()[:3]), key=Operand(k.data_ptr(), *k.stride()[:3]))
        self.request = Stats(size=c.sizeof(Stats), block=64)
        self.result_bytes = 0
        for name in ("col_sum", "col_max", "row_max", "row_entropy", "row_sum"):
            self.output(name, heads, tokens)
        self.output("pooled_mean", heads, cells * cells)
        self.how = Exec(size=c.sizeof(Exec), threads=threads,
                        parallel_for=c.cast(library.fovea_bench_parallel_for, c.c_void_p).value)
        need = c.c_size_t()
        self.check(library.fv_stats_workspace(c.byref(self.problem), c.byref(self.request), c.byref(self.how), c.byref(need)))
        self.bytes = need.value
        self.workspace = torch.empty(need.value + 64, dtype=torch.uint8)
        self.start = (self.workspace.data_ptr() + 63) // 64 * 64

    def output(self, name, heads, count):
        memory = torch.empty(heads * count)
        self.kept.append(memory)
        self.result_bytes += 4 * heads * count
        setattr(self.request, name, Output(memory.data_ptr(), heads * count, count))
        setattr(self, name, memory)

    def check(self, status):
        if status:
            raise SystemExit(self.lib.fv_status_text(status).decode())

    def __call__(self):
        self.check(self.lib.fv_stats_run(c.byref(self.problem), c.byref(self.request), c.byref(self.how),
                                         c.c_void_p(self.start), c.c_size_t(self.bytes)))


def eager(q, k, v):
    """What a model library does with output_attentions: logits, fp32 softmax, cast, product; the map is kept."""
    scores = torch.matmul(q, k.transpose(2, 3)) * q.shape[-1] ** -0.5
    maps = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(maps, v), maps


def seconds(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def compare(library, options, tokens, d, dtype):
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, options.heads, tokens, d).to(dtype) for _ in range(3))
    fused = lambda: torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, False)
    lse = fused()[1].float()
    statistics_pass = Pass(library, options.threads, q, k, lse)
    statistics_pass()
    expected = eager(q[:, :1].float(), k[:, :1].float(), v[:, :1].float())[1].sum(2)[0, 0]
    error = float(((statistics_pass.col_sum[:tokens] - expected).abs() / expected).max())
    times = {"fused": [], "statistics": [], "eager": []}
    for turn in range(-2, options.rounds):
        taken = {"fused": seconds(fused)[0], "statistics": seconds(statistics_pass)[0],
                 "eager": seconds(lambda: eager(q, k, v))[0]}
        if turn >= 0:
            for name, value in taken.items():
                times[name].append(value)
    rows = list(zip(*times.values()))
    ours = statistics_pass.bytes + statistics_pass.result_bytes
    maps = options.heads * tokens * tokens
    theirs = maps * (4 + 2 * q.element_size()) if dtype != torch.float32 else maps * 8  # logits, softmax and its cast
    return {"tokens": tokens, "d": d, "heads": options.heads, "dtype": str(dtype).split(".")[1], "threads": options.threads,
            **{f"{name}_ms": round(1e3 * statistics.median(values), 3) for name, values in times.items()},
            "fused_and_statistics_of_fused": round(statistics.median((f + s) / f for f, s, _ in rows), 3),
            "eager_of_fused_and_statistics": round(statistics.median(e / (f + s) for f, s, e in rows), 3),
            "our_extra_bytes": ours, "eager_map_bytes": theirs, "memory_ratio": round(theirs / ours, 1),
            "column_sum_error": error}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", default="1152,2304,4608")
    parser.add_argument("--heads", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = c.CDLL(options.library)
    library.fv_status_text.restype = c.c_char_p
    results = [compare(library, options, int(tokens), d, dtype) for tokens in options.tokens.split(",")
               for d, dtype in ((64, torch.float32), (128, torch.float32), (64, torch.bfloat16))]
    print(json.dumps({"torch": torch.__version__, "results": results}, indent=1))


if __name__ == "__main__":
    with torch.no_grad():
        main()
