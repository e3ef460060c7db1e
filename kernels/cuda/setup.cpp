#include "cuda/setup.h"

#include <algorithm>

#include "cuda/fast_finish.h"
#include "cuda/fast_pass.h"
#include "cuda/generic.h"

namespace fovea::kernels::cuda {

namespace {

constexpr float kLog2E = 1.44269504088896340736f;
constexpr int64_t kHostSequences = 4096;
/// Thread blocks that keep a large device busy; fewer are split over queries. A constant: results must not
/// depend on the device.
constexpr int64_t kBusyBlocks = 264;
/// Scratch that the row statistics of one chunk of heads may take; a single head may take more.
constexpr int64_t kScratchCap = int64_t{256} << 20;
/// The same of one head: longer heads are passed in parts.
constexpr int64_t kHeadCap = int64_t{16} << 20;

Operand operandOf(const fv_operand& o) {
    return {o.data, o.stride_b, o.stride_h, o.stride_t};
}

Problem describe(const fv_problem& p, const Setup& setup, void* workspace) {
    Problem out{};
    out.query = operandOf(p.query);
    out.key = operandOf(p.key);
    out.value = operandOf(p.value);
    out.gradOutput = operandOf(p.grad_output);
    out.batch = static_cast<int32_t>(p.batch);
    out.qHeads = static_cast<int32_t>(p.q_heads);
    out.group = static_cast<int32_t>(p.q_heads / p.kv_heads);
    out.tq = static_cast<int32_t>(p.tq);
    out.tk = static_cast<int32_t>(p.tk);
    out.d = static_cast<int32_t>(p.d);
    out.dv = static_cast<int32_t>(p.dv ? p.dv : p.d);
    out.scale = p.scale * kLog2E;
    out.softcap = p.softcap * kLog2E;
    out.inverseCap = p.softcap > 0 ? p.scale / p.softcap : 0;
    out.spans = setup.masked ? part<Span>(workspace, setup.spans) : nullptr;
    out.keyVisible = p.key_visible;
    out.keyVisibleStride = p.key_visible_stride_b;
    out.bias = p.bias;
    out.biasB = p.bias_stride_b;
    out.biasH = p.bias_stride_h;
    out.biasQ = p.bias_stride_q;
    out.biasK = p.bias_stride_k;
    out.negLse = part<float>(workspace, setup.negLse);
    return out;
}

void queueSpans(const fv_problem& p, const Setup& setup, void* workspace, Launches& launches) {
    SpanRules rules{static_cast<int32_t>(p.tk),
                    p.causal,
                    p.q_offset,
                    p.prefix,
                    p.window_left,
                    p.window_right,
                    p.cu_seqlens_q,
                    p.cu_seqlens_k,
                    static_cast<int32_t>(p.sequences)};
    if (setup.copiesOffsets) {
        const size_t bytes = static_cast<size_t>(p.sequences + 1) * sizeof(int32_t);
        auto *offsetsQ = part<int32_t>(workspace, setup.offsetsQ),
             *offsetsK = part<int32_t>(workspace, setup.offsetsK);
        launches.run([&](cudaStream_t stream) {
            return cudaMemcpyAsync(offsetsQ, p.cu_seqlens_q, bytes, cudaMemcpyHostToDevice, stream);
        });
        launches.run([&](cudaStream_t stream) {
            return cudaMemcpyAsync(offsetsK, p.cu_seqlens_k, bytes, cudaMemcpyHostToDevice, stream);
        });
        rules.seqQ = offsetsQ;
        rules.seqK = offsetsK;
    }
    launches.run([&](cudaStream_t stream) {
        return fillSpans(rules, part<Span>(workspace, setup.spans), static_cast<int>(p.tq), stream);
    });
}

}  // namespace

size_t Arena::take(int64_t count, int64_t elementBytes) {
    const size_t at = m_bytes;
    m_bytes += (static_cast<size_t>(count * elementBytes) + 63) / 64 * 64;
    return at;
}

DeviceScope::DeviceScope(int device) {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || device >= count) {
        cudaGetLastError();
        m_status = FV_NO_DEVICE;
        m_previous = -1;
        return;
    }
    if (cudaGetDevice(&m_previous) != cudaSuccess || cudaSetDevice(device) != cudaSuccess)
        m_status = FV_DEVICE_ERROR;
}

DeviceScope::~DeviceScope() {
    if (m_previous >= 0) cudaSetDevice(m_previous);
}

void Launches::check(cudaError_t error) {
    if (error == cudaSuccess) return;
    cudaGetLastError();
    m_status = FV_DEVICE_ERROR;
}

Output outputOf(const fv_output& o) {
    return {o.data, o.stride_b, o.stride_h};
}

bool hasFastShape(const fv_problem& p) {
    return p.dtype != FV_F32 && p.d % 8 == 0 && !p.bias && p.softcap == 0;
}

bool isFast(const fv_problem& p) {
    const auto fits = [](const fv_operand& o) {
        return reinterpret_cast<uintptr_t>(o.data) % 16 == 0 &&
               (o.stride_b | o.stride_h | o.stride_t) % 8 == 0;
    };
    return hasFastShape(p) && fits(p.query) && fits(p.key);
}

int64_t slicesFor(const fv_problem& p) {
    const int64_t blocks = p.batch * p.q_heads * ((p.tk + kKeyBlock - 1) / kKeyBlock);
    return std::min<int64_t>(std::clamp<int64_t>(kBusyBlocks / blocks, 1, (p.tq + 255) / 256), 8);
}

FastPass wholePass(const fv_problem& p, const Problem& problem) {
    FastPass pass{};
    pass.problem = problem;
    pass.heads = problem.batch * problem.qHeads;
    pass.keyBlocks = static_cast<int32_t>((p.tk + kKeyBlock - 1) / kKeyBlock);
    pass.slices = static_cast<int32_t>(slicesFor(p));
    pass.poolColumns = static_cast<int32_t>((p.tk + 63) / 64);
    pass.queries = problem.tq;
    pass.colStrideSlice = p.batch * p.q_heads * p.tk;
    return pass;
}

Setup::Setup(const fv_problem& p, bool rows, Arena& arena) {
    masked = p.causal || p.window_left >= 0 || p.window_right >= 0 || p.cu_seqlens_q;
    copiesOffsets = p.cu_seqlens_q && p.sequences <= kHostSequences;
    fastShape = hasFastShape(p);
    keyBlocks = (p.tk + kKeyBlock - 1) / kKeyBlock;
    if (copiesOffsets) {
        offsetsQ = arena.take(p.sequences + 1, sizeof(int32_t));
        offsetsK = arena.take(p.sequences + 1, sizeof(int32_t));
    }
    if (masked) spans = arena.take(p.tq, sizeof(Span));
    negLse = arena.take(p.batch * p.q_heads * p.tq + 3 * kQueryTile,
                        sizeof(float));  // tiles are read whole, and ahead
    hasRowPart = fastShape && (rows || !p.lse);
    queries = p.tq;
    if (fastShape) {  // whatever is wanted: columns are then always summed in the same order
        const int64_t row = keyBlocks * kRowStats * int64_t{sizeof(float)};
        parts = std::max<int64_t>((p.tq * row + kHeadCap - 1) / kHeadCap, 1);
        queries = std::min(((p.tq + parts - 1) / parts + kQueryTile - 1) / kQueryTile * kQueryTile, p.tq);
        parts = (p.tq + queries - 1) / queries;
    }
    const int64_t head = keyBlocks * kRowStats * queries * int64_t{sizeof(float)};
    // Chunks of like sizes: a small last one would leave most of the device idle.
    const int64_t heads = p.batch * p.q_heads, most = std::clamp<int64_t>(kScratchCap / head, 1, heads);
    const int64_t chunks = (heads + most - 1) / most;
    chunk = (heads + chunks - 1) / chunks;
    if (hasRowPart) rowPart = arena.take(chunk * head, 1);
}

bool usesWgmma([[maybe_unused]] const fv_problem& p) {
#ifdef FOVEA_KERNELS_WGMMA
    int device = 0, major = 0, minor = 0;
    const bool known =
        cudaGetDevice(&device) == cudaSuccess &&
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess;
    return known && major == 9 && minor == 0 && p.d <= 128;
#else
    return false;
#endif
}

cudaError_t runFastPass(const fv_problem& p, FastMode mode, const FastPass& pass, cudaStream_t stream) {
#ifdef FOVEA_KERNELS_WGMMA
    if (mode != FastMode::StatsArgmax && usesWgmma(p))
        return p.dtype == FV_BF16 ? runWgmmaBf16(mode, pass, stream) : runWgmmaF16(mode, pass, stream);
#endif
    return p.dtype == FV_BF16 ? runMmaBf16(mode, pass, stream) : runMmaF16(mode, pass, stream);
}

Problem prepare(const fv_problem& p, const Setup& setup, void* workspace, const fv_output& lse,
                Launches& launches) {
    Problem problem = describe(p, setup, workspace);
    if (setup.masked) queueSpans(p, setup, workspace, launches);
    auto* negLse = part<float>(workspace, setup.negLse);
    const int32_t heads = problem.batch * problem.qHeads;
    if (p.lse) {
        const NormaliserCopy copy{
            p.lse,      p.lse_stride_b, p.lse_stride_h, p.lse_stride_t, p.lse_is_log2 ? 1.f : kLog2E,
            problem.tq, problem.qHeads, heads,          negLse,         outputOf(lse)};
        launches.run([&](cudaStream_t stream) { return readNormaliser(copy, stream); });
        return problem;
    }
    if (!isFast(p)) {
        launches.run([&](cudaStream_t stream) {
            return runNormaliser(p.dtype, problem, {negLse, outputOf(lse)}, stream);
        });
        return problem;
    }
    for (int32_t head = 0; head < heads; head += static_cast<int32_t>(setup.chunk)) {
        for (int64_t first = 0; first < p.tq; first += setup.queries) {
            FastPass pass{};
            pass.problem = problem;
            pass.head0 = head;
            pass.heads = std::min(static_cast<int32_t>(setup.chunk), heads - head);
            pass.keyBlocks = static_cast<int32_t>(setup.keyBlocks);
            pass.slices = 1;
            pass.query0 = static_cast<int32_t>(first);
            pass.queries = static_cast<int32_t>(std::min(setup.queries, p.tq - first));
            pass.rowPart = part<float>(workspace, setup.rowPart);
            launches.run(
                [&](cudaStream_t stream) { return runFastPass(p, FastMode::Lse, pass, stream); });
            RowFinish finish{};
            finish.problem = problem;
            finish.head0 = head;
            finish.heads = pass.heads;
            finish.keyBlocks = pass.keyBlocks;
            finish.query0 = pass.query0;
            finish.queries = pass.queries;
            finish.rowPart = pass.rowPart;
            finish.negLse = negLse;
            finish.lse = outputOf(lse);
            launches.run([&](cudaStream_t stream) { return finishNormalisers(finish, stream); });
        }
    }
    return problem;
}

}  // namespace fovea::kernels::cuda
