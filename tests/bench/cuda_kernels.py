"""Times the CUDA kernels beside torch's own attention, interleaved in one process, and writes a markdown table.

python tests/bench/cuda_kernels.py --library build/cuda/lib/libfovea_kernels.so --commit HASH [--only pass,tile] > result.md
"""
import argparse
import ctypes as c
import datetime
import statistics
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

I64, PTR = c.c_int64, c.c_void_p


class Operand(c.Structure):
    _fields_ = [("data", PTR), ("b", I64), ("h", I64), ("t", I64)]


class Problem(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("dtype", c.c_int), ("batch", I64), ("q_heads", I64), ("kv_heads", I64),
                ("tq", I64), ("tk", I64), ("d", I64), ("dv", I64), ("query", Operand), ("key", Operand),
                ("value", Operand), ("grad_output", Operand), ("scale", c.c_float), ("softcap", c.c_float),
                ("lse", PTR), ("lse_b", I64), ("lse_h", I64), ("lse_t", I64), ("lse_is_log2", c.c_int),
                ("causal", c.c_int), ("q_offset", I64), ("prefix", I64), ("window_left", I64), ("window_right", I64),
                ("key_visible", PTR), ("key_visible_b", I64), ("cu_q", PTR), ("cu_k", PTR), ("sequences", I64),
                ("bias", PTR), ("bias_b", I64), ("bias_h", I64), ("bias_q", I64), ("bias_k", I64)]


class Exec(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("kind", c.c_int), ("device", c.c_int), ("stream", PTR),
                ("threads", c.c_int), ("parallel_for", PTR), ("parallel_context", PTR), ("cpu_level", c.c_int),
                ("cancel", PTR), ("message", c.c_char_p), ("message_size", c.c_size_t)]


class Output(c.Structure):
    _fields_ = [("data", PTR), ("b", I64), ("h", I64)]


class Stats(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("lse", Output), ("col_sum", Output), ("col_max", Output),
                ("col_argmax", Output), ("row_max", Output), ("row_entropy", Output), ("row_sum", Output),
                ("row_argmax", Output), ("topk_value", Output), ("topk_index", Output), ("topk", I64),
                ("col_topk_value", Output), ("col_topk_index", Output), ("col_topk", I64), ("pooled_mean", Output),
                ("pooled_max", Output), ("block", I64), ("key_group", PTR), ("groups", I64), ("group_mass", Output),
                ("flags", PTR)]


class Lines(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("rows", PTR), ("columns", PTR), ("count", I64), ("heads", c.c_int),
                ("out", Output)]


class Tile(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("row_begin", I64), ("row_end", I64), ("column_begin", I64),
                ("column_end", I64), ("height", I64), ("width", I64), ("reduce", c.c_int), ("heads", c.c_int),
                ("out", Output)]


class Product(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("transposed", c.c_int), ("columns", I64), ("x", PTR), ("x_b", I64),
                ("x_h", I64), ("mean_heads", c.c_int), ("out", Output)]


class Forward(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("edit", c.c_int), ("key_group", PTR), ("groups", I64), ("factor", PTR),
                ("factor_b", I64), ("factor_h", I64), ("factor_q", I64), ("factor_g", I64), ("out", Output),
                ("out_t", I64), ("lse", Output), ("group_mass", Output), ("row_max", Output), ("row_entropy", Output)]


DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}


def operand(x):
    return Operand(x.data_ptr(), *x.stride()[:3])


def output(x):
    return Output(x.data_ptr(), x.stride(0), x.stride(1) if x.dim() > 2 else 0)


def problem(q, k, v=None, lse=None, causal=False):
    p = Problem(struct_size=c.sizeof(Problem), dtype=DTYPES[q.dtype], batch=q.shape[0], q_heads=q.shape[1],
                kv_heads=k.shape[1], tq=q.shape[2], tk=k.shape[2], d=q.shape[3], query=operand(q), key=operand(k),
                scale=q.shape[3] ** -0.5, causal=int(causal), window_left=-1, window_right=-1)
    if v is not None:
        p.value = operand(v)
    if lse is not None:
        lse = lse.view(q.shape[0], q.shape[1], q.shape[2])
        p.lse, (p.lse_b, p.lse_h, p.lse_t) = lse.data_ptr(), lse.stride()
    return p


class Kernels:
    """One shared object; keeps a workspace, so that repeated calls allocate nothing."""

    def __init__(self, path):
        self.library = c.CDLL(path)
        self.workspace = torch.empty(0, dtype=torch.uint8, device="cuda")
        self.bytes = 0

    def call(self, name, p, request):
        execution = Exec(struct_size=c.sizeof(Exec), kind=1, stream=torch.cuda.current_stream().cuda_stream)
        size = c.c_size_t()
        sizer, runner = getattr(self.library, f"fv_{name}_workspace"), getattr(self.library, f"fv_{name}_run")
        status = sizer(c.byref(p), c.byref(request), c.byref(execution), c.byref(size))
        assert status == 0, (name, status)
        self.bytes = size.value
        if self.workspace.numel() < size.value:
            self.workspace = torch.empty(size.value, dtype=torch.uint8, device="cuda")
        status = runner(c.byref(p), c.byref(request), c.byref(execution), PTR(self.workspace.data_ptr()), size)
        assert status == 0, (name, status)


class StatsOutputs:
    """Column sum and maximum, row maximum, sum and entropy, mean of 64 x 64 cells."""

    def __init__(self, b, h, tq, tk, block=64):
        def make(*shape):
            return torch.empty(b, h, *shape, device="cuda")
        self.col_sum, self.col_max = make(tk), make(tk)
        self.row_max, self.row_sum, self.row_entropy = make(tq), make(tq), make(tq)
        self.pooled_mean = make((tq + block - 1) // block, (tk + block - 1) // block)
        names = ("col_sum", "col_max", "row_max", "row_sum", "row_entropy", "pooled_mean")
        self.request = Stats(struct_size=c.sizeof(Stats), block=block, **{n: output(getattr(self, n)) for n in names})
        self.bytes = sum(getattr(self, n).numel() * 4 for n in names)


def flash(q, k, v, causal):
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def with_lse(q, k, v, causal):
    out, lse = torch.ops.aten._scaled_dot_product_cudnn_attention(q, k, v, None, True, 0.0, causal, False)[:2]
    return out, lse


def eager(q, k, v, causal):
    """The steps of transformers' eager attention: scores, scale, mask, softmax in fp32, cast, times V."""
    scores = torch.matmul(q, k.transpose(2, 3)) * (q.shape[3] ** -0.5)
    if causal:
        t = q.shape[2]
        scores = scores + torch.full((t, t), float("-inf"), dtype=q.dtype, device="cuda").triu(1)
    probs = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(probs, v), probs


def median(values):
    return statistics.median(values)


def interleaved(contestants, rounds, warmups=3):
    """Milliseconds of each contestant, one after the other in every round; contestants take the round's number."""
    times = {name: [] for name in contestants}
    for turn in range(warmups + rounds):
        for name, body in contestants.items():
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            body(turn)
            end.record()
            end.synchronize()
            if turn >= warmups:
                times[name].append(start.elapsed_time(end))
    return times


def ratio(times, over, under):
    a = [sum(parts) for parts in zip(*(times[n] for n in over))]
    return median([x / y for x, y in zip(a, times[under])])


def inputs(heads, tokens, d, sets=3, kv_heads=None):
    def make(h):
        return torch.randn(1, h, tokens, d, device="cuda", dtype=torch.bfloat16)
    return [(make(heads), make(kv_heads or heads), make(kv_heads or heads)) for _ in range(sets)]


def bench_pass(kernels, extra, rounds, shapes):
    print("\n## Statistics pass (column sum and maximum; row maximum, sum, entropy; 64 x 64 mean), bf16, batch 1\n")
    names = "".join(f" {n} ms |" for n in extra)
    print(f"| heads | T | d | mask | FA2 ms | default SDPA ms | SDPA + LSE ms | pass ms |{names} pass / FA2 | pass / default |"
          " (SDPA + LSE + pass) / FA2 | scratch MiB |")
    print("|---|---|---|---|---|---|---|---|" + "---|" * len(extra) + "---|---|---|---|")
    for heads, t, d, causal in shapes:
        data = inputs(heads, t, d)
        lse = [with_lse(*x, causal)[1] for x in data]
        out = StatsOutputs(1, heads, t, t)

        def stats(library):
            def body(i):
                q, k, _ = data[i % 3]
                library.call("stats", problem(q, k, lse=lse[i % 3], causal=causal), out.request)
            return body
        contestants = {"fa2": lambda i: flash(*data[i % 3], causal),
                       "default": lambda i: F.scaled_dot_product_attention(*data[i % 3], is_causal=causal),
                       "lse": lambda i: with_lse(*data[i % 3], causal), "pass": stats(kernels)}
        contestants.update({n: stats(x) for n, x in extra.items()})
        times = interleaved(contestants, rounds)
        columns = "".join(f" {median(times[n]):.3f} |" for n in extra)
        print(f"| {heads} | {t} | {d} | {'causal' if causal else 'full'} | {median(times['fa2']):.3f} |"
              f" {median(times['default']):.3f} | {median(times['lse']):.3f} | {median(times['pass']):.3f} |{columns}"
              f" {ratio(times, ['pass'], 'fa2'):.3f} | {ratio(times, ['pass'], 'default'):.3f} |"
              f" {ratio(times, ['lse', 'pass'], 'fa2'):.3f} | {kernels.bytes / 2**20:.0f} |", flush=True)
        assert abs(out.col_sum.sum().item() / (heads * t) - 1) < 1e-3, out.col_sum.sum().item() / (heads * t)
        del data, lse, out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--mma-library", help="a build without wgmma, timed beside it")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--only", default="pass")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(1)
    kernels = Kernels(options.library)
    extra = {"mma.sync": Kernels(options.mma_library)} if options.mma_library else {}
    properties = torch.cuda.get_device_properties(0)
    print(f"# CUDA kernels, {datetime.date.today()}\n\n{properties.name}, {properties.multi_processor_count} SMs; torch"
          f" {torch.__version__}, cuDNN {torch.backends.cudnn.version()}; commit {options.commit}.\n"
          "Median of interleaved rounds; ratios are medians of the pairwise ratios of each round.")
    shapes = [(16, t, d, causal) for t in (8192, 16384, 32768) for d in (64, 128) for causal in (False, True)]
    if options.quick:
        shapes = [(16, 16384, d, causal) for d in (64, 128) for causal in (False, True)]
    for section in options.only.split(","):
        if section == "pass":
            bench_pass(kernels, extra, options.rounds, shapes)
        else:
            sys.exit(f"unknown section {section}")


if __name__ == "__main__":
    main()
