// Chosen rows or columns.
#include <algorithm>

#include "cpu/drivers.h"
#include "cpu/line_walk.h"

namespace fovea::kernels::cpu {

namespace {

constexpr int64_t kBlocksPerUnit = 8;

struct LinesCall {
    LinesCall(const Context& shared, const fv_lines_request& wanted, Arena& arena)
        : context(shared), request(wanted) {
        operands.transposed = request.columns;
        operands.lines = {request.rows ? request.rows : request.columns, 0, request.count};
        segments =
            ((operands.transposed ? context.problem.tq : context.problem.tk) + kBlocksPerUnit * kBlock - 1) /
            (kBlocksPerUnit * kBlock);
        joined = request.heads != FV_HEADS_NONE;
        flightHeads = joined ? 1 : flightSize(context, context.group * operands.lines.chunks() * segments);
        operands.layout(arena, context, flightHeads);
        scratch = arena.take<ScoreScratch>(context.slots);
        for (int slot = 0; slot < context.slots; ++slot) {
            ScoreScratch one{};
            one.layout(arena, context);
            if (scratch) scratch[slot] = one;
        }
    }

    const Context& context;
    const fv_lines_request& request;
    LineOperands operands;
    int64_t flightHeads, segments;
    bool joined;
    ScoreScratch* scratch;
};

// Puts one head's cells [0, count) of a block into the output.
void put(const LinesCall& call, const HeadOf& head, const float* cells, Range range, int count, float* out) {
    const int begin = range.empty() ? count : std::min(range.begin, count),
              end = range.empty() ? count : std::min(range.end, count);
    if (!call.joined || head.head == 0) {
        std::fill(out, out + begin, 0.0f);
        std::copy(cells + begin, cells + end, out + begin);
        std::fill(out + end, out + count, 0.0f);
    } else if (call.request.heads == FV_HEADS_MEAN) {
        for (int j = begin; j < end; ++j) out[j] += cells[j];
    } else if (call.request.heads == FV_HEADS_MAX) {
        for (int j = begin; j < end; ++j) out[j] = cells[j] > out[j] ? cells[j] : out[j];
    } else {
        std::fill(out, out + begin, 0.0f);
        for (int j = begin; j < end; ++j) out[j] = cells[j] < out[j] ? cells[j] : out[j];
        std::fill(out + end, out + count, 0.0f);
    }
    if (call.request.heads != FV_HEADS_MEAN || head.head + 1 < call.context.problem.q_heads) return;
    const float share = 1.0f / static_cast<float>(call.context.problem.q_heads);
    for (int j = 0; j < count; ++j) out[j] *= share;
}

void linesUnit(const LinesCall& call, int slot, const HeadOf& head, int64_t chunk, int64_t segment) {
    const int64_t length = call.operands.columns, blocks = (length + kBlock - 1) / kBlock;
    float* out = static_cast<float*>(call.request.out.data) + head.batch * call.request.out.stride_b +
                 (call.joined ? 0 : head.head * call.request.out.stride_h) + chunk * kChunk * length;
    walkChunk(
        call.context, call.operands, call.scratch[slot], head, chunk, segment * kBlocksPerUnit,
        std::min(blocks, (segment + 1) * kBlocksPerUnit), [](int64_t) {}, [](int, Range, int64_t) {},
        [&](int line, const float* cells, Range range, int64_t block) {
            const int count = static_cast<int>(std::min<int64_t>(kBlock, length - block * kBlock));
            put(call, head, cells, range, count, out + line * length + block * kBlock);
            if (!range.empty() && !(call.context.level.sumRange(cells, range.begin, range.end) <= 3.4e38f)) {
                call.context.nonfinite = true;
            }
        });
}

}  // namespace

fv_status linesWorkspace(const fv_problem& problem, const fv_lines_request& request, const fv_exec& exec,
                         size_t* bytes) {
    const Context context(problem, exec);
    Arena arena(nullptr);
    const LinesCall call(context, request, arena);
    *bytes = arena.used();
    return FV_OK;
}

fv_status linesRun(const fv_problem& problem, const fv_lines_request& request, const fv_exec& exec,
                   void* workspace, size_t) {
    const Context context(problem, exec);
    Arena arena(workspace);
    const LinesCall call(context, request, arena);
    const int64_t units = call.operands.lines.chunks() * call.segments;
    for (int64_t first = 0; first < context.kvCount && !context.workers.cancelled();
         first += call.flightHeads) {
        const Flight flight{first, std::min(call.flightHeads, context.kvCount - first)};
        call.operands.prepare(context, flight, call.scratch);
        const int64_t heads = flight.count * context.group, together = call.joined ? 1 : heads;
        for (int64_t step = 0; step < heads; step += together) {
            context.workers.each(together * units, [&](int slot, int64_t unit) {
                const int64_t part = unit % units;
                linesUnit(call, slot, headOf(context, flight, step + unit / units), part / call.segments,
                          part % call.segments);
            });
        }
    }
    return context.finish();
}

}  // namespace fovea::kernels::cpu
