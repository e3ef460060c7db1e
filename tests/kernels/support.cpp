#include "kernels/support.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "cpu/half.h"

namespace kernel_tests {

using namespace fovea::kernels;

namespace {

int64_t bytesOf(fv_dtype dtype) {
    return dtype == FV_F32 ? 4 : 2;
}

void put(void* at, fv_dtype dtype, float value) {
    const uint16_t half = dtype == FV_F16 ? cpu::toHalf(value) : cpu::toBfloat(value);
    if (dtype == FV_F32) {
        std::memcpy(at, &value, 4);
    } else {
        std::memcpy(at, &half, 2);
    }
}

// Runs the parts on as many threads as there are parts.
void runParts(void*, int64_t parts, void (*body)(void*, int64_t), void* argument) {
    std::vector<std::thread> threads;
    for (int64_t part = 1; part < parts; ++part) threads.emplace_back([=] { body(argument, part); });
    body(argument, 0);
    for (std::thread& thread : threads) thread.join();
}

}  // namespace

Case::Case(const Shape& wanted) : shape(wanted), m_random(wanted.seed) {
    const int64_t dv = shape.dv ? shape.dv : shape.d;
    problem.struct_size = sizeof problem;
    problem.dtype = shape.dtype;
    problem.batch = shape.batch;
    problem.q_heads = shape.qHeads;
    problem.kv_heads = shape.kvHeads;
    problem.tq = shape.tq;
    problem.tk = shape.tk;
    problem.d = shape.d;
    problem.dv = shape.dv;
    problem.query = operand(shape.qHeads, shape.tq, shape.d, shape.sharpness);
    problem.key = operand(shape.kvHeads, shape.tk, shape.d, 1);
    problem.value = operand(shape.kvHeads, shape.tk, dv, 1);
    problem.grad_output = operand(shape.qHeads, shape.tq, dv, 1);
    problem.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape.d)));
    problem.window_left = problem.window_right = -1;
}

fv_operand Case::operand(int64_t heads, int64_t tokens, int64_t dim, double size) {
    const int64_t bytes = bytesOf(shape.dtype), gap = shape.tokensFirst ? 3 : 0;
    fv_operand x{};
    x.stride_t = shape.tokensFirst ? heads * dim + gap : dim;
    x.stride_h = shape.tokensFirst ? dim : tokens * dim;
    x.stride_b = shape.tokensFirst ? tokens * x.stride_t : heads * tokens * dim;
    m_memory.emplace_back(static_cast<size_t>(shape.batch * x.stride_b * bytes),
                          uint8_t{0xff});  // gaps are NaN
    x.data = m_memory.back().data();
    std::normal_distribution<float> normal(0, static_cast<float>(size));
    for (int64_t b = 0; b < shape.batch; ++b) {
        for (int64_t h = 0; h < heads; ++h) {
            for (int64_t i = 0; i < tokens; ++i) {
                for (int64_t c = 0; c < dim; ++c) setElement(x, b, h, i, c, normal(m_random));
            }
        }
    }
    return x;
}

void Case::setElement(const fv_operand& x, int64_t b, int64_t h, int64_t token, int64_t c, float value) {
    const int64_t at = (b * x.stride_b + h * x.stride_h + token * x.stride_t + c) * bytesOf(shape.dtype);
    put(const_cast<char*>(static_cast<const char*>(x.data)) + at, shape.dtype, value);
}

void Case::hideSomeKeys() {
    visible.resize(static_cast<size_t>(shape.batch * shape.tk));
    for (uint8_t& byte : visible) byte = m_random() % 3 ? 1 : 0;
    problem.key_visible = visible.data();
    problem.key_visible_stride_b = shape.tk;
}

void Case::setSequences(const std::vector<int32_t>& endsQ, const std::vector<int32_t>& endsK) {
    offsetsQ = {0};
    offsetsK = {0};
    offsetsQ.insert(offsetsQ.end(), endsQ.begin(), endsQ.end());
    offsetsK.insert(offsetsK.end(), endsK.begin(), endsK.end());
    problem.cu_seqlens_q = offsetsQ.data();
    problem.cu_seqlens_k = offsetsK.data();
    problem.sequences = static_cast<int64_t>(endsQ.size());
}

void Case::addBias(bool minusInfinity) {
    bias.resize(static_cast<size_t>(shape.qHeads * shape.tq * shape.tk));
    std::normal_distribution<float> normal(0, 1);
    for (float& value : bias) {
        value = normal(m_random);
        if (minusInfinity && m_random() % 10 == 0) value = -std::numeric_limits<float>::infinity();
    }
    problem.bias = bias.data();
    problem.bias_stride_h = shape.tq * shape.tk;
    problem.bias_stride_q = shape.tk;
    problem.bias_stride_k = 1;
}

void Case::giveLse(const DenseAttention& dense, bool log2) {
    lse.clear();
    for (double sum : dense.lse) lse.push_back(static_cast<float>(log2 ? sum / std::log(2.0) : sum));
    problem.lse = lse.data();
    problem.lse_stride_t = 1;
    problem.lse_stride_h = shape.tq;
    problem.lse_stride_b = shape.tq * shape.qHeads;
    problem.lse_is_log2 = log2;
}

fv_exec Runner::exec() const {
    fv_exec exec{};
    exec.struct_size = sizeof exec;
    exec.cpu_level = level;
    exec.threads = threads;
    exec.cancel = cancel;
    if (threads > 1) exec.parallel_for = runParts;
    return exec;
}

std::vector<int> levels() {
    std::vector<int> result;
    for (int level = FV_LEVEL_SCALAR; level <= fv_cpu_level(); ++level) result.push_back(level);
    return result;
}

StatsOutputs::StatsOutputs(const fv_problem& p, unsigned parts, int64_t top, int64_t block, int64_t groups) {
    const auto flat = [&p](int64_t count) { return static_cast<size_t>(p.batch * p.q_heads * count); };
    const auto wanted = [parts](Part part) { return (parts & part) != 0; };
    const auto bind = [&p](auto& memory, int64_t count) {
        return fv_output{memory.data(), p.q_heads * count, count};
    };
    const int64_t cells = ((p.tq + block - 1) / block) * ((p.tk + block - 1) / block);
    if (wanted(Sums)) lse = Guarded<float>(flat(p.tq));
    if (wanted(Columns)) colSum = colMax = Guarded<float>(flat(p.tk));
    if (wanted(ColumnArgmax)) colArgmax = Guarded<int32_t>(flat(p.tk));
    if (wanted(Rows)) rowMax = rowEntropy = rowSum = Guarded<float>(flat(p.tq));
    if (wanted(Rows)) rowArgmax = Guarded<int32_t>(flat(p.tq));
    if (wanted(Top)) topValue = Guarded<float>(flat(p.tq * top));
    if (wanted(Top)) topIndex = Guarded<int32_t>(flat(p.tq * top));
    if (wanted(ColumnTop)) colTopValue = Guarded<float>(flat(p.tk * top));
    if (wanted(ColumnTop)) colTopIndex = Guarded<int32_t>(flat(p.tk * top));
    if (wanted(Pool)) pooledMean = pooledMax = Guarded<float>(flat(cells));
    if (wanted(Groups)) mass = Guarded<float>(flat(p.tq * groups));
    flags = Guarded<int32_t>(1);
    for (int64_t j = 0; j < p.tk; ++j) keyGroup.push_back(static_cast<int32_t>(j / 5 * 7 % (groups + 1)) - 1);
    request.struct_size = sizeof request;
    request.lse = bind(lse, p.tq);
    request.col_sum = bind(colSum, p.tk);
    request.col_max = bind(colMax, p.tk);
    request.col_argmax = bind(colArgmax, p.tk);
    request.row_max = bind(rowMax, p.tq);
    request.row_entropy = bind(rowEntropy, p.tq);
    request.row_sum = bind(rowSum, p.tq);
    request.row_argmax = bind(rowArgmax, p.tq);
    request.topk_value = bind(topValue, p.tq * top);
    request.topk_index = bind(topIndex, p.tq * top);
    request.topk = request.col_topk = top;
    request.col_topk_value = bind(colTopValue, p.tk * top);
    request.col_topk_index = bind(colTopIndex, p.tk * top);
    request.pooled_mean = bind(pooledMean, cells);
    request.pooled_max = bind(pooledMax, cells);
    request.block = block;
    request.key_group = keyGroup.data();
    request.groups = groups;
    request.group_mass = bind(mass, p.tq * groups);
    request.flags = flags.data();
}

fv_status StatsOutputs::run(const fv_problem& problem, const Runner& runner) {
    return call<fv_stats_request>(fv_stats_workspace, fv_stats_run, problem, request, runner);
}

bool StatsOutputs::guardsIntact() const {
    return lse.guardsIntact() && colSum.guardsIntact() && colMax.guardsIntact() && rowMax.guardsIntact() &&
           rowEntropy.guardsIntact() && rowSum.guardsIntact() && topValue.guardsIntact() &&
           colTopValue.guardsIntact() && pooledMean.guardsIntact() && pooledMax.guardsIntact() &&
           mass.guardsIntact() && colArgmax.guardsIntact() && rowArgmax.guardsIntact() &&
           topIndex.guardsIntact() && colTopIndex.guardsIntact() && flags.guardsIntact();
}

bool StatsOutputs::fullyWritten() const {
    return lse.fullyWritten() && colSum.fullyWritten() && colMax.fullyWritten() && rowMax.fullyWritten() &&
           rowEntropy.fullyWritten() && rowSum.fullyWritten() && topValue.fullyWritten() &&
           colTopValue.fullyWritten() && pooledMean.fullyWritten() && pooledMax.fullyWritten() &&
           mass.fullyWritten() && colArgmax.fullyWritten() && rowArgmax.fullyWritten() &&
           topIndex.fullyWritten() && colTopIndex.fullyWritten() && flags.fullyWritten();
}

double logitScale(const Case& test) {
    const fv_problem& p = test.problem;
    double query = 0, key = 0;
    const auto norms = [&](const fv_operand& x, int64_t heads, int64_t tokens, double& most) {
        for (int64_t i = 0; i < p.batch * heads * tokens; ++i) {
            double sum = 0;
            for (int64_t c = 0; c < p.d; ++c) {
                const double value =
                    denseElement(x, p.dtype, i / (heads * tokens), i / tokens % heads, i % tokens, c);
                sum += value * value;
            }
            most = std::max(most, sum);
        }
    };
    norms(p.query, p.q_heads, p.tq, query);
    norms(p.key, p.kv_heads, p.tk, key);
    return std::sqrt(query * key) * std::abs(p.scale);
}

}  // namespace kernel_tests
