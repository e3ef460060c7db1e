#include <algorithm>
#include <cmath>

#include "cpu/drivers.h"
#include "cpu/stats_call.h"

namespace fovea::kernels::cpu {

namespace {

constexpr int64_t kJoinStep = 768;  // keys of one unit of the joining phase

bool wantsColumns(const fv_stats_request& r) {
    return r.col_sum.data || r.col_max.data || r.col_argmax.data;
}

bool wantsColumnTop(const fv_stats_request& r) {
    return r.col_topk_value.data || r.col_topk_index.data;
}

bool wantsPool(const fv_stats_request& r) {
    return r.pooled_mean.data || r.pooled_max.data;
}

int64_t wantedTop(const fv_stats_request& r) {
    return r.topk_value.data || r.topk_index.data ? r.topk : 0;
}

void writeSums(const StatsCall& call, const Flight& flight) {
    if (!call.request.lse.data) return;
    for (int64_t slot = 0; slot < flight.count * call.context.group; ++slot) {
        const HeadOf head = headOf(call.context, flight, slot);
        float* out = call.out<float>(call.request.lse, head);
        for (int64_t i = 0; i < call.context.problem.tq; ++i) {
            const Shift shift = call.shifts.at(head, i);
            const double sum =
                shift.high == 3e38f ? -HUGE_VAL : (static_cast<double>(shift.high) + shift.low) * kLn2;
            out[i] = static_cast<float>(sum);
        }
    }
}

void writeColumns(const StatsCall& call, const HeadOf& head, int64_t begin, int64_t end) {
    const ColumnParts& parts = call.columns;
    const int64_t base = head.slot * parts.stride;
    float* sum = call.out<float>(call.request.col_sum, head);
    float* max = call.out<float>(call.request.col_max, head);
    int32_t* argmax = call.out<int32_t>(call.request.col_argmax, head);
    for (int64_t j = begin; j < end; ++j) {
        if (sum) sum[j] = static_cast<float>(parts.totalSum[base + j]);
        if (max) max[j] = parts.totalMax[base + j];
        if (argmax) argmax[j] = parts.totalRow[base + j];
    }
}

// One pass over all cells: wave by wave of chunks.
void passWaves(const StatsCall& call, const Flight& flight) {
    const int64_t heads = flight.count * call.context.group, chunks = call.queries.chunks(),
                  step = call.columns.perWave;
    for (int64_t wave = 0; wave * step < chunks; ++wave) {
        const int64_t first = wave * step, taken = std::min(step, chunks - first);
        call.context.workers.each(heads * taken, [&](int slot, int64_t unit) {
            // Under causal the last chunks are the longest: they start first.
            statsUnit(call, slot, headOf(call.context, flight, unit % heads),
                      first + taken - 1 - unit / heads);
        });
        if (!call.columns.wanted()) continue;
        const int64_t keys = call.context.problem.tk, steps = (keys + kJoinStep - 1) / kJoinStep;
        call.context.workers.each(heads * steps, [&](int, int64_t unit) {
            const int64_t begin = unit % steps * kJoinStep, end = std::min(keys, begin + kJoinStep);
            call.columns.join(unit / steps, wave, begin, end);
            if (first + taken == chunks)
                writeColumns(call, headOf(call.context, flight, unit / steps), begin, end);
        });
    }
}

void passColumnTop(const StatsCall& call, const Flight& flight) {
    const Context& context = call.context;
    const int64_t heads = flight.count * context.group, packs = packUnits(context, context.problem.tq);
    context.workers.each(heads * packs, [&](int, int64_t unit) {
        const HeadOf head = headOf(context, flight, unit / packs);
        packUnit(context, context.query(head.batch, head.head), context.pairs, 0, context.problem.tq,
                 unit % packs, call.queryPanels + head.slot * call.queryWords);
    });
    const int64_t chunks = call.keys.chunks();
    context.workers.each(heads * chunks, [&](int slot, int64_t unit) {
        columnTopUnit(call, slot, headOf(context, flight, unit / chunks), unit % chunks);
    });
}

void joinPools(const StatsCall& call, const Flight& flight) {
    const fv_problem& p = call.context.problem;
    const int64_t rows = (p.tq + call.pool.cell - 1) / call.pool.cell,
                  width = (p.tk + call.pool.cell - 1) / call.pool.cell;
    call.context.workers.each(flight.count * call.context.group * rows, [&](int, int64_t unit) {
        const HeadOf head = headOf(call.context, flight, unit / rows);
        const int64_t row = unit % rows;
        float* mean = call.out<float>(call.request.pooled_mean, head);
        float* max = call.out<float>(call.request.pooled_max, head);
        joinPool(p, call.pool, head.slot, row, mean ? mean + row * width : nullptr,
                 max ? max + row * width : nullptr);
    });
}

}  // namespace

void StatsScratch::layout(Arena& arena, const Context& context, const fv_stats_request& request) {
    score.layout(arena, context);
    top.layout(arena, std::max(wantedTop(request), wantsColumnTop(request) ? request.col_topk : 0));
    top.k = static_cast<int>(wantedTop(request));
    runs = arena.take<KeyRuns>(request.group_mass.data ? 1 : 0);
    mass = arena.take<double>(request.group_mass.data ? kChunk * (kMaxGroups + 1) : 0);
    fold = arena.take<float>(9 * kBlock);
    lanes = arena.take<float>(kChunk * 3 * context.level.width);
}

StatsCall::StatsCall(const Context& shared, const fv_stats_request& wanted, Arena& arena)
    : context(shared),
      request(wanted),
      queries{nullptr, 0, shared.problem.tq},
      keys{nullptr, 0, shared.problem.tk} {
    const fv_problem& p = context.problem;
    flightHeads = flightSize(context, context.group * queries.chunks());
    const int64_t heads = flightHeads * context.group;
    panels.layout(arena, context, flightHeads, 0, p.tk);
    shifts.layout(arena, heads, p.tq);
    columns.layout(arena, p, heads, wantsColumns(request), request.col_argmax.data);
    pool.layout(arena, p, heads, wantsPool(request) ? request.block : 0);
    queryWords = context.panelWords(p.tq, context.depth);
    queryPanels = arena.take<float>(wantsColumnTop(request) ? heads * queryWords : 0);
    scratch = arena.take<StatsScratch>(context.slots);
    scoreScratch = arena.take<ScoreScratch>(context.slots);
    for (int slot = 0; slot < context.slots; ++slot) {
        StatsScratch one{};
        one.layout(arena, context, request);
        if (!scratch) continue;
        scratch[slot] = one;
        scoreScratch[slot] = one.score;
    }
}

fv_status statsWorkspace(const fv_problem& problem, const fv_stats_request& request, const fv_exec& exec,
                         size_t* bytes) {
    const Context context(problem, exec);
    Arena arena(nullptr);
    const StatsCall call(context, request, arena);
    *bytes = arena.used();
    return FV_OK;
}

fv_status statsRun(const fv_problem& problem, const fv_stats_request& request, const fv_exec& exec,
                   void* workspace, size_t) {
    const Context context(problem, exec);
    Arena arena(workspace);
    const StatsCall call(context, request, arena);
    for (int64_t first = 0; first < context.kvCount && !context.workers.cancelled();
         first += call.flightHeads) {
        const Flight flight{first, std::min(call.flightHeads, context.kvCount - first)};
        call.panels.pack(context, flight);
        call.shifts.fill(context, flight, call.queries, call.panels, call.scoreScratch);
        if (context.workers.cancelled()) break;
        writeSums(call, flight);
        passWaves(call, flight);
        if (call.pool.wanted()) joinPools(call, flight);
        if (wantsColumnTop(request)) passColumnTop(call, flight);
    }
    if (request.flags) *request.flags = context.nonfinite ? FV_SAW_NONFINITE : 0;
    return context.finish();
}

}  // namespace fovea::kernels::cpu
