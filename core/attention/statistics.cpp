// Exact reductions of probabilities. Q K^T and the softmax are LibTorch's; one pass per row block then forms every
// statistic while the block is in cache, instead of one pass over memory for each.
#include <ATen/TensorOperators.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "attention/kernel_statistics.h"
#include "attention/probabilities.h"
#include "attention/trace_impl.h"
#include "fovea/error.h"

#if AT_PARALLEL_OPENMP && !defined(_OPENMP)
#error "without OpenMP at::parallel_for would run on one thread"
#endif

namespace fovea {
namespace {

constexpr int maxTopk = 64;

// Accumulators of one head, in float64 where they sum over queries.
struct HeadSums {
    std::vector<double> columns;     // [key]
    std::vector<double> pooled;      // [gq, gk]
};

struct Shape {
    std::int64_t heads, queries, keys, topk, block, pooledRows, pooledColumns;
};

// Sum of p log p over a row; eight partial sums so that the loop can use vector units. Zero probabilities add nothing.
double negativeEntropy(const float* probs, const float* logits, std::int64_t count, float shift) {
    double lanes[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int lane = 0; lane < 8; ++lane)
            lanes[lane] += probs[i + lane] > 0 ? probs[i + lane] * (logits[i + lane] - shift) : 0.0F;
    for (; i < count; ++i) lanes[0] += probs[i] > 0 ? probs[i] * (logits[i] - shift) : 0.0F;
    return std::accumulate(lanes, lanes + 8, 0.0);
}

// The k largest of a row in descending order, the smaller index first among equals; insertion into a short list beats
// sorting because most values fail the first comparison.
void topOfRow(const float* probs, std::int64_t count, std::int64_t k, float* indices, float* values) {
    std::int64_t held = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const float value = probs[i];
        if (held == k && !(value > values[k - 1])) continue;
        std::int64_t slot = held < k ? held++ : k - 1;
        for (; slot > 0 && value > values[slot - 1]; --slot) {
            values[slot] = values[slot - 1];
            indices[slot] = indices[slot - 1];
        }
        values[slot] = value;
        indices[slot] = static_cast<float>(i);
    }
}

void addPooled(const float* probs, const Shape& shape, double* row) {
    for (std::int64_t cell = 0; cell < shape.pooledColumns; ++cell) {
        const std::int64_t begin = cell * shape.block, end = std::min(begin + shape.block, shape.keys);
        float sum = 0;
        for (std::int64_t key = begin; key < end; ++key) sum += probs[key];
        row[cell] += sum;
    }
}

void writePooled(const HeadSums& sums, const Shape& shape, float* out) {
    for (std::int64_t row = 0; row < shape.pooledRows; ++row)
        for (std::int64_t column = 0; column < shape.pooledColumns; ++column) {
            const std::int64_t height = std::min(shape.block, shape.queries - row * shape.block);
            const std::int64_t width = std::min(shape.block, shape.keys - column * shape.block);
            const std::int64_t cell = row * shape.pooledColumns + column;
            out[cell] = static_cast<float>(sums.pooled[static_cast<std::size_t>(cell)] /
                                           static_cast<double>(height * width));
        }
}

class Reduction {
public:
    Reduction(const Shape& shape, SiteStatistics& out)
        : m_shape(shape), m_out(out), m_sums(static_cast<std::size_t>(shape.heads)) {
        for (HeadSums& sums : m_sums) {
            sums.columns.assign(static_cast<std::size_t>(shape.keys), 0);
            sums.pooled.assign(static_cast<std::size_t>(shape.pooledRows * shape.pooledColumns), 0);
        }
    }

    // `logits` may be null: then the entropy comes from the probabilities themselves.
    void add(const at::Tensor& probs, const at::Tensor& logits, std::int64_t queryBegin) {
        const std::int64_t rows = probs.size(1);
        const float* p = probs.const_data_ptr<float>();
        const float* s = logits.defined() ? logits.const_data_ptr<float>() : nullptr;
        at::parallel_for(0, m_shape.heads, 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t head = begin; head < end; ++head)
                for (std::int64_t row = 0; row < rows; ++row) {
                    const std::int64_t offset = (head * rows + row) * m_shape.keys;
                    addRow(head, queryBegin + row, p + offset, s ? s + offset : nullptr);
                }
        });
    }

    void finish() {
        for (std::int64_t head = 0; head < m_shape.heads; ++head) {
            const HeadSums& sums = m_sums[static_cast<std::size_t>(head)];
            std::transform(sums.columns.begin(), sums.columns.end(), m_out.colsum.values.begin() + head * m_shape.keys,
                           [](double sum) { return static_cast<float>(sum); });
            writePooled(sums, m_shape, m_out.pooled.values.data() + head * m_shape.pooledRows * m_shape.pooledColumns);
        }
    }

private:
    void addRow(std::int64_t head, std::int64_t query, const float* probs, const float* logits) {
        HeadSums& sums = m_sums[static_cast<std::size_t>(head)];
        const std::int64_t row = head * m_shape.queries + query;
        double* columns = sums.columns.data();
        float* colmax = m_out.colmax.values.data() + head * m_shape.keys;
        for (std::int64_t key = 0; key < m_shape.keys; ++key) columns[key] += probs[key];
        for (std::int64_t key = 0; key < m_shape.keys; ++key) colmax[key] = std::max(colmax[key], probs[key]);
        topOfRow(probs, m_shape.keys, m_shape.topk, m_out.topkIndex.values.data() + row * m_shape.topk,
                 m_out.topkValue.values.data() + row * m_shape.topk);
        const float largest = m_out.topkValue.values[static_cast<std::size_t>(row * m_shape.topk)];
        m_out.rowmax.values[static_cast<std::size_t>(row)] = largest;
        m_out.entropy.values[static_cast<std::size_t>(row)] = static_cast<float>(entropy(probs, logits, row));
        addPooled(probs, m_shape, sums.pooled.data() + (query / m_shape.block) * m_shape.pooledColumns);
    }

    // H = log sum exp(s - s*) - sum p (s - s*), with s* the largest logit, whose probability is 1 / sum exp(s - s*).
    double entropy(const float* probs, const float* logits, std::int64_t row) const {
        const float largest = m_out.rowmax.values[static_cast<std::size_t>(row)];
        if (!logits || !(largest > 0)) {
            double sum = 0;
            for (std::int64_t key = 0; key < m_shape.keys; ++key)
                if (probs[key] > 0) sum -= static_cast<double>(probs[key]) * std::log(static_cast<double>(probs[key]));
            return sum;
        }
        const auto top = static_cast<std::int64_t>(m_out.topkIndex.values[static_cast<std::size_t>(row * m_shape.topk)]);
        const double value =
            -std::log(static_cast<double>(largest)) - negativeEntropy(probs, logits, m_shape.keys, logits[top]);
        return std::max(value, 0.0);
    }

    const Shape& m_shape;
    SiteStatistics& m_out;
    std::vector<HeadSums> m_sums;
};

Shape shapeOf(const SiteRecord& record, std::int64_t heads, const StatisticsOptions& options) {
    Shape shape{};
    shape.heads = heads;
    shape.queries = static_cast<std::int64_t>(record.queryTokens.size());
    shape.keys = static_cast<std::int64_t>(record.keyTokens.size());
    shape.topk = std::min<std::int64_t>(options.topk, shape.keys);
    shape.block = options.pooledBlock;
    shape.pooledRows = (shape.queries + shape.block - 1) / shape.block;
    shape.pooledColumns = (shape.keys + shape.block - 1) / shape.block;
    return shape;
}

}  // namespace

SiteStatistics emptyStatistics(const SiteRecord& record, std::int64_t heads,
                               const StatisticsOptions& options) {
    const Shape shape = shapeOf(record, heads, options);
    SiteStatistics out;
    out.colsum = Array({shape.heads, shape.keys});
    out.colmax = Array({shape.heads, shape.keys});
    out.entropy = Array({shape.heads, shape.queries});
    out.rowmax = Array({shape.heads, shape.queries});
    out.topkIndex = Array({shape.heads, shape.queries, shape.topk});
    out.topkValue = Array({shape.heads, shape.queries, shape.topk});
    out.pooled = Array({shape.heads, shape.pooledRows, shape.pooledColumns});
    out.pooledBlock = static_cast<int>(shape.block);
    return out;
}

SiteStatistics computeStatistics(const AttentionOperator& op, const SiteRecord& record,
                                 const StatisticsOptions& options) {
    if (options.topk < 1 || options.topk > maxTopk || options.pooledBlock < 1)
        throw Error("statistics: top-k must be 1 to 64 and the pooled block at least 1", {}, ErrorCode::Usage);
    const at::NoGradGuard noGrad;
    const bool stored = record.usesStored(options.weights);
    const bool edited = options.weights == Weights::Effective && record.edit.has_value();
    std::string declined = record.statisticsDecline(op, options.weights);
    if (declined.empty())
        if (auto fromKernel = kernelStatistics(record, options, declined)) return *fromKernel;
    const std::int64_t heads = stored ? record.storedProbs.size(0) : record.call.query.size(1);
    const Shape shape = shapeOf(record, heads, options);
    SiteStatistics out = emptyStatistics(record, heads, options);
    out.route = "explicit: " + declined;
    Reduction reduction(shape, out);
    // Blocks small enough for the second-level cache: the reduction reads what the softmax has just written.
    const std::int64_t step = std::max<std::int64_t>(1, (std::int64_t{2} << 20) / (heads * shape.keys * 4));
    for (std::int64_t begin = 0; begin < shape.queries; begin += step) {
        const RowBlock block{0, heads, begin, std::min(begin + step, shape.queries)};
        at::Tensor logits, probs;
        if (stored || edited) {
            probs = recordedProbabilities(op, record, block, options.weights);
        } else {
            logits = op.logits(record.call, block);
            probs = maskedSoftmax(record.call, logits);
            logits = logits.to(at::kCPU, at::kFloat).contiguous();
        }
        reduction.add(probs.to(at::kCPU, at::kFloat).contiguous(), logits, begin);
    }
    reduction.finish();
    return out;
}

}  // namespace fovea
