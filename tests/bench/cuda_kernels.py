"""Times the CUDA kernels beside torch's own attention, interleaved in one process, and writes a markdown table.

python tests/bench/cuda_kernels.py --library build/cuda/tests/bench/libfovea_kernels_bench.so --commit HASH [--only pass,tile] > result.md
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
        total = out.col_sum.double().sum(-1) / t
        assert (total - 1).abs().max() < 2e-5 and (out.row_sum - 1).abs().max() < 2e-5, (total, out.row_sum)
        del data, lse, out


def peak(body):
    """Bytes that a call needs beyond what is allocated before it."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = body()
    torch.cuda.synchronize()
    del kept
    return torch.cuda.max_memory_allocated() - before


def bench_eager(kernels, rounds, shapes):
    print("\n## Eager operator (scores, scale, mask, fp32 softmax, cast, times V) / (SDPA + LSE + pass)\n")
    print("| heads | T | d | mask | eager ms | SDPA + LSE + pass ms | ratio | eager MiB | outputs and scratch MiB | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for heads, t, d, causal in shapes:
        data = inputs(heads, t, d, 2)
        out = StatsOutputs(1, heads, t, t)

        def ours(i):
            q, k, v = data[i % 2]
            _, lse = with_lse(q, k, v, causal)
            kernels.call("stats", problem(q, k, lse=lse, causal=causal), out.request)
        times = interleaved({"eager": lambda i: eager(*data[i % 2], causal), "ours": ours}, rounds, 2)
        large = peak(lambda: eager(*data[0], causal))
        small = out.bytes + kernels.bytes + heads * t * 4
        print(f"| {heads} | {t} | {d} | {'causal' if causal else 'full'} | {median(times['eager']):.2f} |"
              f" {median(times['ours']):.3f} | {ratio(times, ['eager'], 'ours'):.1f} | {large / 2**20:.0f} |"
              f" {small / 2**20:.1f} | {large / small:.0f} |", flush=True)
        del data, out
        torch.cuda.empty_cache()


def bench_picture(kernels, rounds):
    """One layer's maps as a 512 x 512 picture on the host, T = 8192, 16 heads."""
    print("\n## End to end, T = 8192, 16 heads, d = 128, causal: one layer's maps as a 512 x 512 picture on the host\n")
    heads, t, d = 16, 8192, 128
    q, k, v = inputs(heads, t, d, 1)[0]
    out = StatsOutputs(1, heads, t, t)

    def slow(_):
        probs = eager(q, k, v, True)[1].cpu()
        F.adaptive_avg_pool2d(probs.float(), 512)

    tile_out = torch.empty(1, heads, 512, 512, device="cuda")

    def fast(_):
        _, lse = with_lse(q, k, v, True)
        kernels.call("stats", problem(q, k, lse=lse, causal=True), out.request)
        kernels.call("tile", problem(q, k, lse=lse, causal=True),
                     Tile(c.sizeof(Tile), 0, t, 0, t, 512, 512, 0, 0, output(tile_out)))
        tile_out.cpu()
    times = interleaved({"eager": slow, "ours": fast}, max(3, rounds // 5), 1)
    print(f"eager + maps on the host + pooling {median(times['eager']):.0f} ms; SDPA + statistics + exact picture on the"
          f" host {median(times['ours']):.2f} ms; ratio {ratio(times, ['eager'], 'ours'):.0f}.", flush=True)


def bench_requests(kernels, rounds):
    print("\n## Requests on a 32768 x 32768 causal map, d = 128, bf16 (LSE known)\n")
    heads, t, d = 16, 32768, 128
    q, k, v = inputs(heads, t, d, 1)[0]
    _, lse = with_lse(q, k, v, True)
    one = problem(q[:, :1], k[:, :1], lse=lse.view(1, heads, t)[:, :1], causal=True)
    every = problem(q, k, lse=lse, causal=True)
    tile = torch.empty(1, 1, 256, 256, device="cuda")
    rows = torch.arange(64, dtype=torch.int32, device="cuda") * 511
    lines = torch.empty(1, heads, 64, t, device="cuda")
    x = torch.rand(t, 1, device="cuda")
    product = torch.empty(1, t, 1, device="cuda")
    bodies = {}
    for size in (256, 1024, 4096, 8192, 16384, 32768):
        request = Tile(c.sizeof(Tile), t - size, t, 0, size, 256, 256, 0, 0, output(tile))
        bodies[f"tile 256 x 256 of {size} x {size} cells, 1 head"] = lambda i, r=request: kernels.call("tile", one, r)
    for size in (2500, 6000, 6600, 7400, 8100, 8190, 8200, 12000, 16400, 20000, 25000, 32700):  # pixels that cut cells
        request = Tile(c.sizeof(Tile), t - size - 3, t - 3, 7, size + 7, 256, 256, 0, 0, output(tile))
        bodies[f"tile 256 x 256 of {size} x {size} cells, pixels cut cells"] = (
            lambda i, r=request: kernels.call("tile", one, r))
    line_request = Lines(c.sizeof(Lines), rows.data_ptr(), None, 64, 0, output(lines))
    bodies["64 rows, 16 heads"] = lambda i: kernels.call("lines", every, line_request)
    product_request = Product(c.sizeof(Product), 1, 1, x.data_ptr(), 0, 0, 1, output(product))
    bodies["A^T x, mean over 16 heads"] = lambda i: kernels.call("product", every, product_request)
    out = StatsOutputs(1, heads, t, t)
    bodies["statistics pass, 16 heads"] = lambda i: kernels.call("stats", every, out.request)
    bodies["FA2 forward, 16 heads"] = lambda i: flash(q, k, v, True)
    times = interleaved(bodies, rounds, 2)
    print("| request | ms |\n|---|---|")
    for name in bodies:
        print(f"| {name} | {median(times[name]):.3f} |", flush=True)


def bench_long(kernels):
    """100 000 x 100 000, every statistic and a 1563 x 1563 map."""
    heads, t, d = 8, 100_000, 128
    q, k, v = inputs(heads, t, d, 1)[0]
    _, lse = with_lse(q, k, v, False)
    out = StatsOutputs(1, heads, t, t)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    p = problem(q, k, lse=lse)
    kernels.call("stats", p, out.request)
    start.record()
    kernels.call("stats", p, out.request)
    end.record()
    end.synchronize()
    total = out.col_sum.double().sum(-1) / t
    print(f"\n## 100 000 x 100 000, d = 128, 8 heads, full: statistics and a 1563 x 1563 map\n\n{start.elapsed_time(end):.0f}"
          f" ms; scratch {kernels.bytes / 2**20:.0f} MiB; column sums / rows {total.min().item():.7f} to"
          f" {total.max().item():.7f}; largest |row sum - 1| {(out.row_sum - 1).abs().max().item():.1e}.", flush=True)


def bench_model(kernels, rounds):
    """A Llama-like 1B model with random weights; statistics of every layer taken beside its attention."""
    from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM
    t = 8192
    config = LlamaConfig(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                         num_key_value_heads=8, vocab_size=32000, max_position_embeddings=t)
    collected = []

    def forward(capture):
        def attention(module, q, k, v, mask, scaling=None, dropout=0.0, **_):
            wide_k, wide_v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
            out, lse = with_lse(q, wide_k, wide_v, True)
            if capture:
                stats = StatsOutputs(1, q.shape[1], t, t)
                kernels.call("stats", problem(q, k, lse=lse, causal=True), stats.request)
                collected.append(stats)
            return out.transpose(1, 2).contiguous(), None
        return attention
    AttentionInterface.register("plain", forward(False))
    AttentionInterface.register("captured", forward(True))
    with torch.no_grad():
        model = LlamaForCausalLM._from_config(config, attn_implementation="sdpa", dtype=torch.bfloat16).cuda().eval()
        tokens = torch.randint(0, 32000, (1, t), device="cuda")

        def run(kind):
            def body(_):
                collected.clear()
                model.set_attn_implementation(kind)
                return model(tokens, use_cache=False, logits_to_keep=1).logits
            return body
        times = interleaved({"sdpa": run("sdpa"), "plain": run("plain"), "captured": run("captured")}, rounds, 2)
        same = torch.equal(run("plain")(0), run("captured")(0))
        collected.clear()
        torch.cuda.empty_cache()

        def with_maps(_):
            model.set_attn_implementation("eager")
            model(tokens, use_cache=False, logits_to_keep=1, output_attentions=True)
        maps = interleaved({"eager": with_maps}, 2, 1)
        bytes_of_maps = peak(lambda: with_maps(0))
    print(f"\n## Llama-like 1B model, T = {t}, all 16 layers captured\n\nsdpa {median(times['sdpa']):.1f} ms; cuDNN with"
          f" LSE {median(times['plain']):.1f} ms; the same with statistics {median(times['captured']):.1f} ms; captured /"
          f" plain {ratio(times, ['captured'], 'plain'):.3f}; captured / sdpa {ratio(times, ['captured'], 'sdpa'):.3f};"
          f" logits with and without capture equal: {same}. Eager with its maps (output_attentions)"
          f" {median(maps['eager']):.0f} ms and {bytes_of_maps / 2**30:.0f} GiB.", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--beside", action="append", default=[], metavar="NAME=LIBRARY",
                        help="another build, timed beside it")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--only", default="pass")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(1)
    kernels = Kernels(options.library)
    extra = {name: Kernels(path) for name, path in (text.split("=", 1) for text in options.beside)}
    properties = torch.cuda.get_device_properties(0)
    print(f"# CUDA kernels, {datetime.date.today()}\n\n{properties.name}, {properties.multi_processor_count} SMs; torch"
          f" {torch.__version__}, cuDNN {torch.backends.cudnn.version()}; commit {options.commit}.\n"
          "Median of interleaved rounds; ratios are medians of the pairwise ratios of each round.")
    shapes = [(16, t, d, causal) for t in (8192, 16384, 32768) for d in (64, 128) for causal in (False, True)]
    if options.quick:
        shapes = [(16, 16384, d, causal) for d in (64, 128) for causal in (False, True)]
    for section in options.only.split(","):
        torch.cuda.empty_cache()
        if section == "pass":
            bench_pass(kernels, extra, options.rounds, shapes)
        elif section == "eager":
            bench_eager(kernels, 5, [(16, 8192, 64, False), (16, 8192, 128, False), (16, 8192, 128, True),
                                     (4, 16384, 128, False), (4, 16384, 128, True), (3, 32768, 128, False),
                                     (3, 32768, 128, True)])
        elif section == "picture":
            bench_picture(kernels, options.rounds)
        elif section == "requests":
            bench_requests(kernels, options.rounds)
        elif section == "long":
            bench_long(kernels)
        elif section == "model":
            bench_model(kernels, options.rounds)
        else:
            sys.exit(f"unknown section {section}")


if __name__ == "__main__":
    main()
