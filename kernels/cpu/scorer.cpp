#include "cpu/scorer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::kernels::cpu {

namespace {

constexpr float kLowest = -9e29f;  // visible scores end above kHidden

}  // namespace

void ScoreScratch::layout(Arena& arena, const Context& context) {
    packed = arena.take<float>(int64_t{kChunk} * context.depth);
    tile = arena.take<float>(context.level.tileRows * kBlock);
    mask = arena.take<float>(kBlock);
}

Scorer::Scorer(const Context& context, const ScoreScratch& scratch, const Matrix& matrix)
    : m_context(context), m_level(context.level), m_scratch(scratch), m_matrix(matrix) {}

void Scorer::setLines(int64_t first, int count) {
    int32_t index[kChunk];
    for (int i = 0; i < count; ++i) index[i] = static_cast<int32_t>(first + i);
    setLines(index, count);
}

void Scorer::setLines(const int32_t* index, int count) {
    m_count = count;
    m_reach = {m_matrix.columns, 0};
    for (int i = 0; i < count; ++i) {
        m_index[i] = index[i];
        const Span span = m_matrix.transposed ? visibleQueries(m_context.problem, m_matrix.batch, index[i])
                                              : visibleKeys(m_context.problem, index[i]);
        const int64_t low = std::clamp<int64_t>(span.low - m_matrix.firstColumn, 0, m_matrix.columns);
        const int64_t high = std::clamp<int64_t>(span.high - m_matrix.firstColumn, 0, m_matrix.columns);
        m_span[i] = {low, std::max(low, high)};
        if (low < high) m_reach = {std::min(m_reach.low, low), std::max(m_reach.high, high)};
    }
    for (int tile = 0; tile < tiles(); ++tile) {
        const int first = tile * m_level.tileRows;
        m_level.packTile(m_matrix.lines, m_context.pairs, m_index + first, rowsOf(tile),
                         m_scratch.packed + int64_t{first} * m_context.depth);
    }
}

int Scorer::rowsOf(int tile) const {
    return std::min(m_level.tileRows, m_count - tile * m_level.tileRows);
}

bool Scorer::reaches(int64_t block) const {
    return m_reach.low < m_reach.high && block * kBlock < m_reach.high && (block + 1) * kBlock > m_reach.low;
}

void Scorer::setBlock(int64_t block) {
    m_block = block;
    m_columns = static_cast<int>(std::min<int64_t>(kBlock, m_matrix.columns - block * kBlock));
    const fv_problem& p = m_context.problem;
    m_masked = p.key_visible && !m_matrix.transposed;
    if (!m_masked) return;
    const uint8_t* visible =
        p.key_visible + m_matrix.batch * p.key_visible_stride_b + m_matrix.firstColumn + block * kBlock;
    bool all = true;
    for (int j = 0; j < m_columns; ++j) {
        m_scratch.mask[j] = visible[j] ? 0.0f : -1.0f;
        all = all && visible[j];
    }
    std::fill(m_scratch.mask + m_columns, m_scratch.mask + kBlock, -1.0f);
    m_masked = !all;
}

Range Scorer::score(int tile) {
    const int first = tile * m_level.tileRows, rows = rowsOf(tile);
    const int64_t start = m_block * kBlock;
    Range own[8], range{kBlock, 0};
    for (int r = 0; r < rows; ++r) {
        own[r].begin = static_cast<int>(std::clamp<int64_t>(m_span[first + r].low - start, 0, m_columns));
        own[r].end = static_cast<int>(std::clamp<int64_t>(m_span[first + r].high - start, 0, m_columns));
        if (own[r].empty()) continue;
        range = {std::min(range.begin, own[r].begin), std::max(range.end, own[r].end)};
    }
    if (range.empty()) return range;
    const int step = m_level.panelColumns, width = m_level.width;
    range = {range.begin / step * step, (range.end + width - 1) / width * width};
    const float* panels = m_matrix.panels + start * m_context.depth;
    const auto scores = m_context.pairs ? m_level.pairScores : m_level.scores;
    scores(m_scratch.packed + int64_t{first} * m_context.depth, panels, m_context.depth, range.begin,
           range.end, m_scratch.tile);
    for (int r = 0; r < rows; ++r) {
        float* cells = m_scratch.tile + r * kBlock;
        if (m_context.transformed) transform(first + r, {range.begin, std::min(range.end, m_columns)}, cells);
        const int low = own[r].empty() ? range.end : own[r].begin,
                  high = own[r].empty() ? range.end : own[r].end;
        std::fill(cells + range.begin, cells + low, kHidden);
        std::fill(cells + high, cells + range.end, kHidden);
        if (m_masked) m_level.hide(cells, range.begin, range.end, m_scratch.mask);
    }
    return range;
}

void Scorer::transform(int row, Range range, float* cells) const {
    const fv_problem& p = m_context.problem;
    const int width = m_level.width, end = (range.end + width - 1) / width * width;
    const float log2e = static_cast<float>(kLog2e);
    if (p.softcap > 0) {
        m_level.softcap(cells, range.begin, end, p.scale / p.softcap, p.softcap * log2e);
    } else {
        m_level.scale(cells, range.begin, end, p.scale * log2e);
    }
    const int64_t column = m_matrix.firstColumn + m_block * kBlock, line = m_index[row];
    const int64_t lineStride = m_matrix.transposed ? p.bias_stride_k : p.bias_stride_q;
    const int64_t step = m_matrix.transposed ? p.bias_stride_q : p.bias_stride_k;
    const float* bias = p.bias ? p.bias + m_matrix.batch * p.bias_stride_b + m_matrix.head * p.bias_stride_h +
                                     line * lineStride + column * step
                               : nullptr;
    for (int j = range.begin; j < range.end; ++j) {
        const float added = bias ? bias[j * step] : 0;
        const float logit = cells[j] + added * log2e;
        cells[j] = added == -std::numeric_limits<float>::infinity() ? kHidden
                   : logit < kLowest                                ? kLowest
                                                                    : logit;
    }
}

void lineSums(const Context& context, Scorer& scorer, const ScoreScratch& scratch, double* log2Sum) {
    const Level& level = context.level;
    const double factor = static_cast<double>(context.factor.high) + context.factor.low;
    float largest[kChunk];
    double sum[kChunk];
    std::fill(largest, largest + scorer.lines(), kHidden);
    std::fill(sum, sum + scorer.lines(), 0.0);
    for (int64_t block = 0; block < scorer.blocks() && !context.workers.cancelled(); ++block) {
        if (!scorer.reaches(block)) continue;
        scorer.setBlock(block);
        for (int tile = 0; tile < scorer.tiles(); ++tile) {
            const Range range = scorer.score(tile);
            if (range.empty()) continue;
            for (int r = 0; r < scorer.rowsOf(tile); ++r) {
                float* cells = scratch.tile + r * kBlock;
                const int line = tile * level.tileRows + r;
                const float most = level.largest(cells, range.begin, range.end);
                if (most > largest[line]) {
                    if (largest[line] > kHidden) sum[line] *= std::exp2((largest[line] - most) * factor);
                    largest[line] = most;
                }
                // A line of NaN has no largest score: the sum must see it.
                const Shift shift = largest[line] > kHidden ? shiftOf(largest[line] * factor) : Shift{0, 0};
                sum[line] += level.probs(cells, range.begin, range.end, context.factor, shift).sum;
            }
        }
    }
    for (int i = 0; i < scorer.lines(); ++i) {
        const double none = -std::numeric_limits<double>::infinity();
        log2Sum[i] = largest[i] > kHidden || sum[i] != 0 ? largest[i] * factor + std::log2(sum[i]) : none;
        if (!(log2Sum[i] < std::numeric_limits<double>::infinity())) context.nonfinite = true;
    }
}

}  // namespace fovea::kernels::cpu
