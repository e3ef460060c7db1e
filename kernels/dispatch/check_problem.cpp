#include <cmath>

#include "dispatch/checks.h"

namespace fovea::kernels {

namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxHeads = int64_t{1} << 20;
constexpr int64_t kMaxHostSequences = 4096;

size_t elementBytes(fv_dtype dtype) {
    return dtype == FV_F32 ? 4 : 2;
}

bool within(int64_t value, int64_t low, int64_t high) {
    return value >= low && value <= high;
}

bool strideFits(int64_t stride) {
    return within(stride, 0, kMaxStride);
}

struct Shape {
    int64_t batch, heads, tokens, dim;
};

bool checkOperand(const fv_operand& x, const char* name, Shape shape, size_t bytes, Stage stage,
                  Report& report) {
    const bool fits = strideFits(x.stride_b) && strideFits(x.stride_h) && strideFits(x.stride_t);
    if (!report.require(fits, FV_BAD_SIZE, name, "a stride is negative or too large")) return false;
    if (!report.require(shape.tokens == 1 || x.stride_t >= shape.dim, FV_BAD_SIZE, name,
                        "tokens overlap: stride_t is smaller than the head size")) {
        return false;
    }
    if (!report.require(shape.heads == 1 || x.stride_h > 0, FV_BAD_SIZE, name,
                        "heads share memory: stride_h is 0")) {
        return false;
    }
    if (stage == Stage::Workspace) return true;
    return report.require(x.data, FV_NULL_POINTER, name, "the pointer is null") &&
           report.require(aligned(x.data, bytes), FV_MISALIGNED, name,
                          "the pointer is not aligned to its element");
}

bool checkSizes(const fv_problem& p, Report& report) {
    const bool counts = within(p.batch, 1, kMaxHeads) && within(p.q_heads, 1, kMaxHeads) &&
                        within(p.kv_heads, 1, kMaxHeads) && p.batch * p.q_heads <= kMaxHeads;
    return report.require(counts, FV_BAD_SIZE, "batch or heads", "a count is below 1 or too large") &&
           report.require(p.q_heads % p.kv_heads == 0, FV_BAD_SIZE, "q_heads", "no multiple of kv_heads") &&
           report.require(within(p.tq, 1, kMaxTokens) && within(p.tk, 1, kMaxTokens), FV_BAD_SIZE, "tq or tk",
                          "a length is below 1 or above 2^30") &&
           report.require(within(p.d, 1, 256) && within(p.dv, 0, 256), FV_BAD_SIZE, "d or dv",
                          "head sizes are 1 to 256");
}

bool checkLse(const fv_problem& p, Stage stage, Report& report) {
    if (!p.lse) return true;
    const bool fits = strideFits(p.lse_stride_b) && strideFits(p.lse_stride_h) &&
                      strideFits(p.lse_stride_t) && (p.q_heads == 1 || p.lse_stride_h > 0) &&
                      (p.tq == 1 || p.lse_stride_t > 0);
    if (!report.require(fits, FV_BAD_SIZE, "lse",
                        "a stride is negative, too large, or 0 over heads or queries")) {
        return false;
    }
    return stage == Stage::Workspace || report.require(aligned(p.lse, 4), FV_MISALIGNED, "lse",
                                                       "the pointer is not aligned to its element");
}

bool checkOffsets(const int32_t* offsets, int64_t sequences, int64_t tokens, const char* name,
                  Report& report) {
    bool rising = offsets[0] == 0 && offsets[sequences] == tokens;
    for (int64_t i = 0; i < sequences && rising; ++i) rising = offsets[i] <= offsets[i + 1];
    return report.require(rising, FV_BAD_VALUE, name, "offsets do not rise from 0 to the number of tokens");
}

bool checkSequences(const fv_problem& p, const fv_exec& exec, Stage stage, Report& report) {
    if (!p.cu_seqlens_q && !p.cu_seqlens_k) return true;
    if (!report.require(p.cu_seqlens_q && p.cu_seqlens_k, FV_NULL_POINTER, "cu_seqlens",
                        "one of the two is null")) {
        return false;
    }
    if (!report.require(within(p.sequences, 1, kMaxTokens), FV_BAD_SIZE, "sequences",
                        "the count is below 1")) {
        return false;
    }
    if (stage == Stage::Workspace) return true;
    if (!report.require(aligned(p.cu_seqlens_q, 4) && aligned(p.cu_seqlens_k, 4), FV_MISALIGNED, "cu_seqlens",
                        "a pointer is not aligned to its element")) {
        return false;
    }
    if (exec.kind == FV_CUDA && p.sequences > kMaxHostSequences) return true;  // device memory
    return checkOffsets(p.cu_seqlens_q, p.sequences, p.tq, "cu_seqlens_q", report) &&
           checkOffsets(p.cu_seqlens_k, p.sequences, p.tk, "cu_seqlens_k", report);
}

bool checkMask(const fv_problem& p, Stage stage, Report& report) {
    const int64_t far = int64_t{1} << 40;
    if (!report.require(p.causal == 0 || p.causal == 1, FV_BAD_VALUE, "causal", "neither 0 nor 1"))
        return false;
    if (!report.require(within(p.q_offset, -far, far), FV_BAD_SIZE, "q_offset", "out of range")) return false;
    if (!report.require(within(p.prefix, 0, far), FV_BAD_SIZE, "prefix", "negative or too large"))
        return false;
    if (!report.require(within(p.window_left, -1, far) && within(p.window_right, -1, far), FV_BAD_SIZE,
                        "window", "below -1 or too large")) {
        return false;
    }
    if (p.key_visible && !report.require(strideFits(p.key_visible_stride_b), FV_BAD_SIZE, "key_visible",
                                         "a stride is negative or too large")) {
        return false;
    }
    if (!p.bias) return true;
    const bool fits = strideFits(p.bias_stride_b) && strideFits(p.bias_stride_h) &&
                      strideFits(p.bias_stride_q) && strideFits(p.bias_stride_k);
    return report.require(fits, FV_BAD_SIZE, "bias", "a stride is negative or too large") &&
           (stage == Stage::Workspace || report.require(aligned(p.bias, 4), FV_MISALIGNED, "bias",
                                                        "the pointer is not aligned to its element"));
}

}  // namespace

bool checkExec(const fv_exec* exec, Report& report) {
    return report.require(exec, FV_NULL_POINTER, "exec", "the pointer is null") &&
           report.require(exec->struct_size == sizeof(fv_exec), FV_BAD_SIZE, "exec",
                          "struct_size is not that of this build") &&
           report.require(within(numberOf(exec->kind), FV_CPU, FV_CUDA), FV_BAD_VALUE, "exec.kind",
                          "unknown back end") &&
           report.require(within(exec->threads, 0, 4096), FV_BAD_SIZE, "exec.threads", "not 0 to 4096") &&
           report.require(exec->device >= 0, FV_BAD_SIZE, "exec.device", "negative") &&
           report.require(within(exec->cpu_level, FV_LEVEL_BEST, FV_LEVEL_AVX512_BF16), FV_BAD_VALUE,
                          "exec.cpu_level", "unknown level") &&
           report.require(exec->kind != FV_CPU || exec->cpu_level <= fv_cpu_level(), FV_UNSUPPORTED,
                          "exec.cpu_level", "this processor or build lacks the level");
}

bool checkProblem(const fv_problem* problem, const fv_exec& exec, Reads reads, Stage stage, Report& report) {
    if (!report.require(problem, FV_NULL_POINTER, "problem", "the pointer is null")) return false;
    const fv_problem& p = *problem;
    if (!report.require(p.struct_size == sizeof(fv_problem), FV_BAD_SIZE, "problem",
                        "struct_size is not that of this build")) {
        return false;
    }
    if (!report.require(within(numberOf(p.dtype), FV_F32, FV_BF16), FV_BAD_VALUE, "dtype", "unknown")) {
        return false;
    }
    if (!checkSizes(p, report)) return false;
    const size_t bytes = elementBytes(p.dtype);
    const int64_t dv = p.dv ? p.dv : p.d;
    if (!checkOperand(p.query, "query", {p.batch, p.q_heads, p.tq, p.d}, bytes, stage, report)) return false;
    if (!checkOperand(p.key, "key", {p.batch, p.kv_heads, p.tk, p.d}, bytes, stage, report)) return false;
    if (reads.value && !checkOperand(p.value, "value", {p.batch, p.kv_heads, p.tk, dv}, bytes, stage, report))
        return false;
    if (reads.gradOutput &&
        !checkOperand(p.grad_output, "grad_output", {p.batch, p.q_heads, p.tq, dv}, bytes, stage, report)) {
        return false;
    }
    return report.require(std::isfinite(p.scale), FV_BAD_VALUE, "scale", "not finite") &&
           report.require(std::isfinite(p.softcap) && p.softcap >= 0, FV_BAD_VALUE, "softcap",
                          "negative or not finite") &&
           report.require(p.lse_is_log2 == 0 || p.lse_is_log2 == 1, FV_BAD_VALUE, "lse_is_log2",
                          "neither 0 nor 1") &&
           checkLse(p, stage, report) && checkMask(p, stage, report) &&
           checkSequences(p, exec, stage, report);
}

}  // namespace fovea::kernels
