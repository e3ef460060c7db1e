#include <algorithm>

#include "cpu/stats_call.h"

namespace fovea::kernels::cpu {

namespace {

// Blocks whose sums stay in fp32 lanes before they are added in float64.
constexpr int64_t kBlocksPerSum = 16;

// The rows of one chunk while their columns pass by.
class ChunkStats {
public:
    ChunkStats(const StatsCall& call, int slot, const HeadOf& head, int64_t chunk)
        : m_call(call),
          m_level(call.context.level),
          m_request(call.request),
          m_scratch(call.scratch[slot]),
          m_head(head),
          m_chunk(chunk),
          m_scorer(call.context, m_scratch.score, call.panels.matrix(call.context, head)),
          m_pool(m_level, call.pool, foldAt(0), foldAt(3)) {
        call.queries.load(m_scorer, chunk);
        for (int i = 0; i < m_scorer.lines(); ++i) {
            m_shift[i] = call.shifts.at(head, chunk * kChunk + i);
            m_sum[i] = m_entropy[i] = 0;
            m_max[i] = 0;
            m_largest[i] = kHidden;
            m_argmax[i] = -1;
        }
        std::fill(m_scratch.lanes, m_scratch.lanes + kChunk * 3 * m_level.width, 0.0f);
        m_scratch.top.clear();
        if (m_request.group_mass.data)
            std::fill(m_scratch.mass, m_scratch.mass + kChunk * (kMaxGroups + 1), 0.0);
    }

    void run() {
        for (int64_t block = 0; block < m_scorer.blocks() && !m_call.context.workers.cancelled(); ++block) {
            passBlock(block);
            if (block % kBlocksPerSum == kBlocksPerSum - 1 || block + 1 == m_scorer.blocks()) gather();
        }
        write();
    }

private:
    Fold foldAt(int index) const {
        float* base = m_scratch.fold + index * kBlock;
        return {base, base + kBlock, base + 2 * kBlock};
    }

    void passBlock(int64_t block) {
        const int columns =
            static_cast<int>(std::min<int64_t>(kBlock, m_call.context.problem.tk - block * kBlock));
        Fold total{};
        if (m_call.columns.wanted()) {
            total = m_call.columns.at(m_head.slot, m_chunk, block * kBlock);
            std::fill(total.sum, total.sum + kBlock, 0.0f);
            std::fill(total.max, total.max + kBlock, 0.0f);
            if (total.row) std::fill(total.row, total.row + kBlock, -1.0f);
        }
        if (!m_scorer.reaches(block)) {
            if (m_call.pool.wanted()) m_pool.skip(m_head.slot, m_chunk, block);
            return;
        }
        m_scorer.setBlock(block);
        if (m_call.pool.wanted()) m_pool.start(m_head.slot, m_chunk, block, columns);
        if (m_request.group_mass.data) {
            m_scratch.runs->set(m_request.key_group + block * kBlock, columns,
                                static_cast<int>(m_request.groups));
        }
        Fold fold = foldAt(6);
        fold.row = total.row ? fold.row : nullptr;
        for (int tile = 0; tile < m_scorer.tiles(); ++tile) {
            const Range range = m_scorer.score(tile);
            const int first = tile * m_level.tileRows, rows = m_scorer.rowsOf(tile);
            if (!range.empty()) {
                for (int r = 0; r < rows; ++r)
                    passRow(first + r, m_scratch.score.tile + r * kBlock, range, block);
                if (!fold.row && addTile(total, range, tile)) continue;
                if (total.sum || m_call.pool.wanted()) {
                    m_level.fold(m_scratch.score.tile, rows, range.begin, range.end, first, fold);
                }
                if (total.sum) m_level.addFold(total, fold, range.begin, range.end);
            }
            if (m_call.pool.wanted()) {
                m_pool.add(m_scratch.score.tile, fold, range, m_chunk * kChunk + first, rows,
                           tile + 1 == m_scorer.tiles());
            }
        }
    }

    // The columns of a tile where no rows of maxima are wanted and no cell ends within the tile; else false.
    bool addTile(const Fold& total, Range range, int tile) {
        const bool pooled = m_call.pool.wanted();
        const int first = tile * m_level.tileRows, rows = m_scorer.rowsOf(tile);
        const int64_t row = m_chunk * kChunk + first;
        if (pooled && !m_pool.joins(row, rows)) return false;
        if (pooled || total.sum) {
            m_level.foldInto(m_scratch.score.tile, rows, range.begin, range.end, total,
                             pooled ? m_pool.total() : Fold{});
        }
        if (pooled) m_pool.end(row, rows, tile + 1 == m_scorer.tiles());
        return true;
    }

    void passRow(int line, float* cells, Range range, int64_t block) {
        if (m_request.row_argmax.data) {
            const float most = m_level.largest(cells, range.begin, range.end);
            if (most > m_largest[line]) {
                m_largest[line] = most;
                m_argmax[line] =
                    static_cast<int32_t>(block * kBlock + m_level.find(cells, range.begin, range.end, most));
            }
        }
        if (m_scratch.top.k)
            m_scratch.top.collect(m_level, line, cells, range.begin, range.end, block * kBlock);
        m_level.probLanes(cells, range.begin, range.end, m_call.context.factor, m_shift[line],
                          m_scratch.lanes + line * 3 * m_level.width);
        if (m_request.group_mass.data) addMass(line, cells, range);
    }

    void gather() {
        const int width = m_level.width;
        for (int i = 0; i < m_scorer.lines(); ++i) {
            float* lanes = m_scratch.lanes + i * 3 * width;
            m_sum[i] += m_level.sumRange(lanes, 0, width);
            m_entropy[i] += m_level.sumRange(lanes, width, 2 * width);
            m_max[i] = std::max(m_max[i], m_level.maxRange(lanes, 2 * width, 3 * width));
        }
        std::fill(m_scratch.lanes, m_scratch.lanes + kChunk * 3 * width, 0.0f);
    }

    void addMass(int line, const float* cells, Range range) {
        double* mass = m_scratch.mass + line * (kMaxGroups + 1);
        for (int i = 0; i < m_scratch.runs->count; ++i) {
            const KeyRun& run = m_scratch.runs->run[i];
            const int begin = std::max(run.begin, range.begin), end = std::min(run.end, range.end);
            if (begin < end) mass[run.group] += m_level.sumRange(cells, begin, end);
        }
    }

    void write() {
        const int64_t at = m_chunk * kChunk;
        float* max = m_call.out<float>(m_request.row_max, m_head);
        float* sum = m_call.out<float>(m_request.row_sum, m_head);
        float* entropy = m_call.out<float>(m_request.row_entropy, m_head);
        int32_t* argmax = m_call.out<int32_t>(m_request.row_argmax, m_head);
        for (int i = 0; i < m_scorer.lines(); ++i) {
            if (!(m_sum[i] <= 3.4e38) || !(m_entropy[i] - m_entropy[i] == 0)) m_call.context.nonfinite = true;
            if (max) max[at + i] = m_max[i];
            if (sum) sum[at + i] = static_cast<float>(m_sum[i]);
            // Rounding may leave a sum just above 0 for a row of one key; NaN stays NaN.
            if (entropy) entropy[at + i] = static_cast<float>(m_entropy[i] > 0 ? 0 : -kLn2 * m_entropy[i]);
            if (argmax) argmax[at + i] = m_argmax[i];
        }
        writeTop(at);
        writeMass(at);
    }

    void writeTop(int64_t at) {
        float* value = m_call.out<float>(m_request.topk_value, m_head);
        int32_t* index = m_call.out<int32_t>(m_request.topk_index, m_head);
        if (!value && !index) return;
        for (int i = 0; i < m_scorer.lines(); ++i) {
            const int64_t place = (at + i) * m_request.topk;
            m_scratch.top.write(m_level, i, m_call.context.factor, m_shift[i],
                                value ? value + place : nullptr, index ? index + place : nullptr);
        }
    }

    void writeMass(int64_t at) {
        float* mass = m_call.out<float>(m_request.group_mass, m_head);
        if (!mass) return;
        for (int i = 0; i < m_scorer.lines(); ++i) {
            for (int64_t g = 0; g < m_request.groups; ++g) {
                mass[(at + i) * m_request.groups + g] =
                    static_cast<float>(m_scratch.mass[i * (kMaxGroups + 1) + g]);
            }
        }
    }

    const StatsCall& m_call;
    const Level& m_level;
    const fv_stats_request& m_request;
    StatsScratch& m_scratch;
    HeadOf m_head;
    int64_t m_chunk;
    Scorer m_scorer;
    PoolCollector m_pool;
    Shift m_shift[kChunk];
    double m_sum[kChunk], m_entropy[kChunk];
    float m_max[kChunk], m_largest[kChunk];
    int32_t m_argmax[kChunk];
};

}  // namespace

void statsUnit(const StatsCall& call, int slot, const HeadOf& head, int64_t chunk) {
    ChunkStats(call, slot, head, chunk).run();
}

void columnTopUnit(const StatsCall& call, int slot, const HeadOf& head, int64_t chunk) {
    const Context& context = call.context;
    const Level& level = context.level;
    StatsScratch& scratch = call.scratch[slot];
    const int rowTop = scratch.top.k;
    scratch.top.k = static_cast<int>(call.request.col_topk);
    scratch.top.clear();
    Scorer scorer(context, scratch.score,
                  {head.batch, head.head, true, context.key(head.batch, head.kvHead),
                   call.queryPanels + head.slot * call.queryWords, 0, context.problem.tq});
    call.keys.load(scorer, chunk);
    const float* high = call.shifts.high + head.slot * call.shifts.stride;
    const float* low = call.shifts.low + head.slot * call.shifts.stride;
    for (int64_t block = 0; block < scorer.blocks() && !context.workers.cancelled(); ++block) {
        if (!scorer.reaches(block)) continue;
        scorer.setBlock(block);
        for (int tile = 0; tile < scorer.tiles(); ++tile) {
            const Range range = scorer.score(tile);
            if (range.empty()) continue;
            for (int r = 0; r < scorer.rowsOf(tile); ++r) {
                float* cells = scratch.score.tile + r * kBlock;
                level.columnLogs(cells, range.begin, range.end, context.factor, high + block * kBlock,
                                 low + block * kBlock);
                scratch.top.collect(level, tile * level.tileRows + r, cells, range.begin, range.end,
                                    block * kBlock);
            }
        }
    }
    float* value = call.out<float>(call.request.col_topk_value, head);
    int32_t* index = call.out<int32_t>(call.request.col_topk_index, head);
    for (int i = 0; i < scorer.lines(); ++i) {
        const int64_t place = (chunk * kChunk + i) * call.request.col_topk;
        scratch.top.write(level, i, {1, 0}, {0, 0}, value ? value + place : nullptr,
                          index ? index + place : nullptr);
    }
    scratch.top.k = rowTop;
}

}  // namespace fovea::kernels::cpu
