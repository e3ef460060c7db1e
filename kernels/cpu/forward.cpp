// The forward pass with group factors: online softmax, with the statistics of A before the edit on the side.
#include <algorithm>
#include <cmath>

#include "cpu/drivers.h"
#include "cpu/half.h"
#include "cpu/heads.h"
#include "cpu/key_groups.h"

namespace fovea::kernels::cpu {

namespace {

constexpr int kPanelVectors = 3;

// A row while its keys pass by; sums are relative to the largest score so far.
struct RowState {
    float largest;
    double sum, entropy;
    double mass[kMaxGroups + 1];
};

struct ForwardScratch {
    ScoreScratch score;
    float* acc;      // [kChunk][valueStride]
    RowState* rows;  // [kChunk]
    KeyRuns* runs;
};

struct ForwardCall {
    ForwardCall(const Context& shared, const fv_forward_request& wanted, Arena& arena)
        : context(shared), request(wanted) {
        const fv_problem& p = context.problem;
        queries = {nullptr, 0, p.tq};
        flightHeads = flightSize(context, context.group * queries.chunks());
        keys.layout(arena, context, flightHeads, 0, p.tk);
        vectors = static_cast<int>(
            request.out.data ? (context.dv + context.level.width - 1) / context.level.width : 0);
        valueStride = vectors * context.level.width;
        valueRows = (p.tk + kBlock - 1) / kBlock * kBlock;
        values = arena.take<float>(flightHeads * valueRows * valueStride);
        grouped = request.edit != FV_EDIT_NONE || request.group_mass.data;
        scratch = arena.take<ForwardScratch>(context.slots);
        for (int slot = 0; slot < context.slots; ++slot) {
            ForwardScratch one{};
            one.score.layout(arena, context);
            one.acc = arena.take<float>(int64_t{kChunk} * valueStride);
            one.rows = arena.take<RowState>(kChunk);
            one.runs = arena.take<KeyRuns>(grouped ? 1 : 0);
            if (scratch) scratch[slot] = one;
        }
    }

    template <class T>
    T* out(const fv_output& output, const HeadOf& head) const {
        return output.data
                   ? static_cast<T*>(output.data) + head.batch * output.stride_b + head.head * output.stride_h
                   : nullptr;
    }

    const Context& context;
    const fv_forward_request& request;
    LineSet queries;
    KeyPanels keys;
    int vectors;
    int64_t flightHeads, valueStride, valueRows;
    float* values;  // [heads][panel of up to 3 vectors][valueRows][lanes]
    bool grouped;
    ForwardScratch* scratch;
};

void packValues(const ForwardCall& call, const Flight& flight) {
    const Context& context = call.context;
    const int64_t keys = context.problem.tk, units = call.valueRows / kBlock;
    const int width = context.level.width;
    context.workers.each(call.vectors ? flight.count * units : 0, [&](int, int64_t unit) {
        const int64_t slot = unit / units, kv = flight.first + slot;
        const Source value = context.value(kv / context.problem.kv_heads, kv % context.problem.kv_heads);
        float* base = call.values + slot * call.valueRows * call.valueStride;
        alignas(64) float row[kMaxHead + 16];
        for (int64_t j = unit % units * kBlock; j < (unit % units + 1) * kBlock; ++j) {
            std::fill(row, row + call.valueStride, 0.0f);
            if (j < keys) context.level.readRow(value, j, row);
            for (int first = 0; first < call.vectors; first += kPanelVectors) {
                const int lanes = std::min(kPanelVectors, call.vectors - first) * width;
                std::copy(row + first * width, row + first * width + lanes,
                          base + first * width * call.valueRows + j * lanes);
            }
        }
    });
}

// The rows of one chunk while their keys pass by.
class ForwardUnit {
public:
    ForwardUnit(const ForwardCall& call, int slot, const HeadOf& head, int64_t chunk)
        : m_call(call),
          m_level(call.context.level),
          m_scratch(call.scratch[slot]),
          m_head(head),
          m_chunk(chunk),
          m_scorer(call.context, m_scratch.score, call.keys.matrix(call.context, head)),
          m_factor(static_cast<double>(call.context.factor.high) + call.context.factor.low) {
        call.queries.load(m_scorer, chunk);
        std::fill(m_scratch.acc, m_scratch.acc + kChunk * call.valueStride, 0.0f);
        std::fill(m_scratch.rows, m_scratch.rows + kChunk, RowState{kHidden, 0, 0, {}});
    }

    void run() {
        for (int64_t block = 0; block < m_scorer.blocks() && !m_call.context.workers.cancelled(); ++block) {
            if (!m_scorer.reaches(block)) continue;
            m_scorer.setBlock(block);
            if (m_call.grouped) {
                const int64_t keys = std::min<int64_t>(kBlock, m_call.context.problem.tk - block * kBlock);
                m_scratch.runs->set(m_call.request.key_group + block * kBlock, static_cast<int>(keys),
                                    kMaxGroups);
            }
            for (int tile = 0; tile < m_scorer.tiles(); ++tile) passTile(tile, block);
        }
        for (int i = 0; i < m_scorer.lines(); ++i) writeRow(i);
    }

private:
    void passTile(int tile, int64_t block) {
        const Range range = m_scorer.score(tile);
        if (range.empty()) return;
        const int first = tile * m_level.tileRows;
        for (int r = 0; r < m_scorer.rowsOf(tile); ++r)
            passRow(first + r, m_scratch.score.tile + r * kBlock, range);
        const float* values = m_call.values + m_head.kvSlot * m_call.valueRows * m_call.valueStride;
        for (int vector = 0; vector < m_call.vectors; vector += kPanelVectors) {
            const int count = std::min(kPanelVectors, m_call.vectors - vector), lanes = count * m_level.width;
            const float* panel = values + vector * m_level.width * m_call.valueRows + block * kBlock * lanes;
            m_level.addValues(m_scratch.score.tile, range.begin, range.end, panel, count,
                              m_scratch.acc + first * m_call.valueStride + vector * m_level.width,
                              static_cast<int>(m_call.valueStride));
        }
    }

    void passRow(int line, float* cells, Range range) {
        RowState& row = m_scratch.rows[line];
        const float most = m_level.largest(cells, range.begin, range.end);
        if (most > row.largest) {
            if (row.largest > kHidden) rescale(line, (row.largest - most) * m_factor);
            row.largest = most;
        }
        const Shift shift = row.largest > kHidden ? shiftOf(row.largest * m_factor) : Shift{0, 0};
        const RowSums sums = m_level.probs(cells, range.begin, range.end, m_call.context.factor, shift);
        row.sum += sums.sum;
        row.entropy += sums.entropy;
        if (m_call.grouped) passGroups(line, cells, range);
    }

    void rescale(int line, double change) {
        RowState& row = m_scratch.rows[line];
        const double by = std::exp2(change);
        row.entropy = by * (row.entropy + row.sum * change);
        row.sum *= by;
        for (double& mass : row.mass) mass *= by;
        float* acc = m_scratch.acc + line * m_call.valueStride;
        m_level.scale(acc, 0, static_cast<int>(m_call.valueStride), static_cast<float>(by));
    }

    float factorOf(int64_t query, int group) const {
        const fv_forward_request& r = m_call.request;
        if (r.edit == FV_EDIT_NONE || group == kMaxGroups) return 1;
        return r.factor[m_head.batch * r.factor_stride_b + m_head.head * r.factor_stride_h +
                        query * r.factor_stride_q + group * r.factor_stride_g];
    }

    void passGroups(int line, float* cells, Range range) {
        RowState& row = m_scratch.rows[line];
        for (int i = 0; i < m_scratch.runs->count; ++i) {
            const KeyRun& run = m_scratch.runs->run[i];
            const int begin = std::max(run.begin, range.begin), end = std::min(run.end, range.end);
            if (begin >= end) continue;
            row.mass[run.group] += m_level.sumRange(cells, begin, end);
            const float factor = factorOf(m_chunk * kChunk + line, run.group);
            if (factor != 1) m_level.scaleRange(cells, begin, end, factor);
        }
    }

    // Divisor of the accumulated values.
    double divisor(int line) const {
        const RowState& row = m_scratch.rows[line];
        if (m_call.request.edit != FV_EDIT_RENORMALISE) return row.sum;
        double sum = row.mass[kMaxGroups];
        for (int g = 0; g < m_call.request.groups; ++g)
            sum += factorOf(m_chunk * kChunk + line, g) * row.mass[g];
        return sum;
    }

    void writeValues(int line) const {
        if (!m_call.request.out.data) return;
        const bool wide = m_call.context.problem.dtype == FV_F32;
        const double by = divisor(line);
        const float share = by == 0 ? 0 : static_cast<float>(1 / by);
        const float* acc = m_scratch.acc + line * m_call.valueStride;
        const fv_output& output = m_call.request.out;
        const int64_t at = m_head.batch * output.stride_b + m_head.head * output.stride_h +
                           (m_chunk * kChunk + line) * m_call.request.out_stride_t;
        for (int64_t c = 0; c < m_call.context.dv; ++c) {
            const float value = acc[c] * share;
            if (wide) {
                static_cast<float*>(output.data)[at + c] = value;
            } else {
                static_cast<uint16_t*>(output.data)[at + c] =
                    m_call.context.problem.dtype == FV_F16 ? toHalf(value) : toBfloat(value);
            }
        }
    }

    void writeRow(int line) const {
        const RowState& row = m_scratch.rows[line];
        const int64_t at = m_chunk * kChunk + line;
        const bool empty = row.sum == 0;
        if (!(row.sum <= 3.4e38) || !(row.largest <= 3.4e38f)) m_call.context.nonfinite = true;
        writeValues(line);
        const double logSum = std::log2(row.sum), entropy = logSum - row.entropy / row.sum;
        if (float* lse = m_call.out<float>(m_call.request.lse, m_head)) {
            lse[at] = empty ? -HUGE_VALF : static_cast<float>((row.largest * m_factor + logSum) * kLn2);
        }
        if (float* max = m_call.out<float>(m_call.request.row_max, m_head)) {
            max[at] = empty ? 0 : static_cast<float>(1 / row.sum);
        }
        if (float* out = m_call.out<float>(m_call.request.row_entropy, m_head)) {
            out[at] = empty || entropy < 0 ? 0 : static_cast<float>(kLn2 * entropy);
        }
        if (float* mass = m_call.out<float>(m_call.request.group_mass, m_head)) {
            for (int64_t g = 0; g < m_call.request.groups; ++g) {
                mass[at * m_call.request.groups + g] = empty ? 0 : static_cast<float>(row.mass[g] / row.sum);
            }
        }
    }

    const ForwardCall& m_call;
    const Level& m_level;
    ForwardScratch& m_scratch;
    HeadOf m_head;
    int64_t m_chunk;
    Scorer m_scorer;
    double m_factor;
};

}  // namespace

fv_status forwardWorkspace(const fv_problem& problem, const fv_forward_request& request, const fv_exec& exec,
                           size_t* bytes) {
    const Context context(problem, exec);
    Arena arena(nullptr);
    const ForwardCall call(context, request, arena);
    *bytes = arena.used();
    return FV_OK;
}

fv_status forwardRun(const fv_problem& problem, const fv_forward_request& request, const fv_exec& exec,
                     void* workspace, size_t) {
    const Context context(problem, exec);
    Arena arena(workspace);
    const ForwardCall call(context, request, arena);
    const int64_t chunks = call.queries.chunks();
    for (int64_t first = 0; first < context.kvCount && !context.workers.cancelled();
         first += call.flightHeads) {
        const Flight flight{first, std::min(call.flightHeads, context.kvCount - first)};
        call.keys.pack(context, flight);
        packValues(call, flight);
        const int64_t heads = flight.count * context.group;
        context.workers.each(heads * chunks, [&](int slot, int64_t unit) {
            ForwardUnit(call, slot, headOf(context, flight, unit % heads), chunks - 1 - unit / heads).run();
        });
    }
    return context.finish();
}

}  // namespace fovea::kernels::cpu
