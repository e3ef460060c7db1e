// A X, A^T X and the relevance product E^T X.
#include <algorithm>

#include "cpu/drivers.h"
#include "cpu/line_walk.h"

namespace fovea::kernels::cpu {

namespace {

constexpr int kMaxX = 8;

// What A X, A^T X and E^T X have in common.
struct Weighted {
    bool transposed, joined;
    int64_t columns;
    const float* x;
    int64_t xStrideB, xStrideH;
    fv_output out;
    const fv_relevance_request* relevance;  // null for the plain products
};

struct WeightedScratch {
    ScoreScratch score;
    float* x;       // [kMaxX][kBlock]
    double* sum;    // [kChunk][kMaxX]
    float* values;  // kChunk packed rows of V
    float* inner;   // [tileRows][kBlock], dO V^T
};

struct WeightedCall {
    WeightedCall(const Context& shared, const Weighted& wanted, Arena& arena)
        : context(shared), weighted(wanted) {
        const fv_problem& p = context.problem;
        operands.transposed = weighted.transposed;
        operands.lines = {nullptr, 0, weighted.transposed ? p.tk : p.tq};
        flightHeads = weighted.joined ? 1 : flightSize(context, context.group * operands.lines.chunks());
        operands.layout(arena, context, flightHeads);
        valueDepth = static_cast<int>(context.pairs ? (context.dv + 1) / 2 : context.dv);
        gradWords = context.panelWords(p.tq, valueDepth);
        const bool gradients = weighted.relevance;
        gradPanels = arena.take<float>(gradients ? flightHeads * context.group * gradWords : 0);
        scratch = arena.take<WeightedScratch>(context.slots);
        scoreScratch = arena.take<ScoreScratch>(context.slots);
        for (int slot = 0; slot < context.slots; ++slot) {
            WeightedScratch one{};
            one.score.layout(arena, context);
            one.x = arena.take<float>(kMaxX * kBlock);
            one.sum = arena.take<double>(kChunk * kMaxX);
            one.values = arena.take<float>(gradients ? int64_t{kChunk} * valueDepth : 0);
            one.inner = arena.take<float>(gradients ? context.level.tileRows * kBlock : 0);
            if (!scratch) continue;
            scratch[slot] = one;
            scoreScratch[slot] = one.score;
        }
    }

    const Context& context;
    const Weighted& weighted;
    LineOperands operands;
    int64_t flightHeads, gradWords;
    int valueDepth;
    float* gradPanels;
    WeightedScratch* scratch;
    ScoreScratch* scoreScratch;
};

void loadX(const WeightedCall& call, const HeadOf& head, int64_t block, float* x) {
    const int64_t length = call.operands.columns, columns = call.weighted.columns;
    const int64_t count = std::min<int64_t>(kBlock, length - block * kBlock);
    const float* from = call.weighted.x + head.batch * call.weighted.xStrideB +
                        head.head * call.weighted.xStrideH + block * kBlock * columns;
    for (int64_t c = 0; c < columns; ++c) {
        for (int64_t j = 0; j < count; ++j) x[c * kBlock + j] = from[j * columns + c];
        std::fill(x + c * kBlock + count, x + (c + 1) * kBlock, 0.0f);
    }
}

void packValues(const WeightedCall& call, const HeadOf& head, int64_t chunk, float* packed) {
    const Context& context = call.context;
    const int step = context.level.tileRows;
    const int lines = static_cast<int>(std::min<int64_t>(kChunk, context.problem.tk - chunk * kChunk));
    for (int first = 0; first < lines; first += step) {
        int32_t index[8];
        for (int i = 0; i < step; ++i) index[i] = static_cast<int32_t>(chunk * kChunk + first + i);
        context.level.packTile(context.value(head.batch, head.kvHead), context.pairs, index,
                               std::min(step, lines - first), packed + int64_t{first} * call.valueDepth);
    }
}

void writeSums(const WeightedCall& call, const HeadOf& head, int64_t chunk, const double* sum) {
    const Weighted& w = call.weighted;
    const int64_t lines = std::min<int64_t>(kChunk, call.operands.lines.count - chunk * kChunk);
    float* out = static_cast<float*>(w.out.data) + head.batch * w.out.stride_b +
                 (w.joined ? 0 : head.head * w.out.stride_h) + chunk * kChunk * w.columns;
    const int64_t heads = call.context.problem.q_heads;
    for (int64_t line = 0; line < lines; ++line) {
        for (int64_t c = 0; c < w.columns; ++c) {
            double value = sum[line * kMaxX + c];
            float& cell = out[line * w.columns + c];
            if (w.joined && head.head > 0) value += cell;
            if (w.joined && head.head + 1 == heads) value /= static_cast<double>(heads);
            cell = static_cast<float>(value);
            if (!(value - value == 0)) call.context.nonfinite = true;
        }
    }
}

void weightedUnit(const WeightedCall& call, int slot, const HeadOf& head, int64_t chunk) {
    const Context& context = call.context;
    const Level& level = context.level;
    WeightedScratch& scratch = call.scratch[slot];
    const fv_relevance_request* relevance = call.weighted.relevance;
    const int columns = static_cast<int>(call.weighted.columns);
    std::fill(scratch.sum, scratch.sum + kChunk * kMaxX, 0.0);
    if (relevance) packValues(call, head, chunk, scratch.values);
    const float* gradients = call.gradPanels + (relevance ? head.slot * call.gradWords : 0);
    const auto inner = context.pairs ? level.pairScores : level.scores;
    walkChunk(
        context, call.operands, scratch.score, head, chunk, 0, (call.operands.columns + kBlock - 1) / kBlock,
        [&](int64_t block) { loadX(call, head, block, scratch.x); },
        [&](int tile, Range range, int64_t block) {
            if (!relevance) return;
            inner(scratch.values + int64_t{tile} * level.tileRows * call.valueDepth,
                  gradients + block * kBlock * call.valueDepth, call.valueDepth, range.begin, range.end,
                  scratch.inner);
        },
        [&](int line, float* cells, Range range, int64_t) {
            if (range.empty()) return;
            if (relevance) {
                level.relevance(cells, scratch.inner + line % level.tileRows * kBlock, range.begin, range.end,
                                relevance->part);
            }
            float dots[kMaxX];
            level.dots(cells, range.begin, range.end, scratch.x, columns, dots);
            for (int c = 0; c < columns; ++c) scratch.sum[line * kMaxX + c] += dots[c];
        });
    writeSums(call, head, chunk, scratch.sum);
}

void packGradients(const WeightedCall& call, const Flight& flight) {
    const Context& context = call.context;
    const int64_t queries = context.problem.tq, packs = packUnits(context, queries);
    context.workers.each(flight.count * context.group * packs, [&](int, int64_t unit) {
        const HeadOf head = headOf(context, flight, unit / packs);
        packUnit(context, context.gradOutput(head.batch, head.head), context.pairs, 0, queries, unit % packs,
                 call.gradPanels + head.slot * call.gradWords);
    });
}

fv_status workspaceOf(const fv_problem& problem, const Weighted& weighted, const fv_exec& exec,
                      size_t* bytes) {
    const Context context(problem, exec);
    Arena arena(nullptr);
    const WeightedCall call(context, weighted, arena);
    *bytes = arena.used();
    return FV_OK;
}

fv_status runOf(const fv_problem& problem, const Weighted& weighted, const fv_exec& exec, void* workspace) {
    const Context context(problem, exec);
    Arena arena(workspace);
    const WeightedCall call(context, weighted, arena);
    const int64_t chunks = call.operands.lines.chunks();
    for (int64_t first = 0; first < context.kvCount && !context.workers.cancelled();
         first += call.flightHeads) {
        const Flight flight{first, std::min(call.flightHeads, context.kvCount - first)};
        call.operands.prepare(context, flight, call.scoreScratch);
        if (weighted.relevance) packGradients(call, flight);
        const int64_t heads = flight.count * context.group, together = weighted.joined ? 1 : heads;
        for (int64_t step = 0; step < heads; step += together) {
            context.workers.each(together * chunks, [&](int slot, int64_t unit) {
                weightedUnit(call, slot, headOf(context, flight, step + unit / chunks),
                             chunks - 1 - unit % chunks);
            });
        }
    }
    return context.finish();
}

Weighted of(const fv_product_request& r) {
    return {r.transposed != 0, r.mean_heads != 0, r.columns, r.x, r.x_stride_b, r.x_stride_h, r.out, nullptr};
}

Weighted of(const fv_relevance_request& r) {
    return {true, true, r.columns, r.x, r.x_stride_b, 0, r.out, &r};
}

}  // namespace

fv_status productWorkspace(const fv_problem& problem, const fv_product_request& request, const fv_exec& exec,
                           size_t* bytes) {
    return workspaceOf(problem, of(request), exec, bytes);
}

fv_status productRun(const fv_problem& problem, const fv_product_request& request, const fv_exec& exec,
                     void* workspace, size_t) {
    return runOf(problem, of(request), exec, workspace);
}

fv_status relevanceWorkspace(const fv_problem& problem, const fv_relevance_request& request,
                             const fv_exec& exec, size_t* bytes) {
    return workspaceOf(problem, of(request), exec, bytes);
}

fv_status relevanceRun(const fv_problem& problem, const fv_relevance_request& request, const fv_exec& exec,
                       void* workspace, size_t) {
    return runOf(problem, of(request), exec, workspace);
}

}  // namespace fovea::kernels::cpu
