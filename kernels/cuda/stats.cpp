// fv_stats on CUDA: one fast pass over Q and K where the problem allows it, owner passes otherwise.
#include <algorithm>

#include "cuda/calls.h"
#include "cuda/fast_finish.h"
#include "cuda/generic.h"
#include "cuda/setup.h"

namespace fovea::kernels::cuda {

namespace {

struct Wanted {
    bool rows, columns, columnArgmax, pooled, pooledFast;

    explicit Wanted(const fv_problem& p, const fv_stats_request& r) {
        rows = r.row_max.data || r.row_entropy.data || r.row_sum.data || r.row_argmax.data || r.flags;
        columnArgmax = r.col_argmax.data;
        columns = r.col_sum.data || r.col_max.data;
        pooled = r.pooled_mean.data || r.pooled_max.data;
        pooledFast = pooled && hasFastShape(p) && r.block % 64 == 0;
    }
};

/// Offsets of everything that fv_stats keeps in its workspace.
struct Plan {
    Arena arena;
    Wanted wanted;
    Setup setup;
    int64_t slices = 1, cells = 0;
    size_t bestBlock = 0, poolSum = 0, poolMax = 0, colSum = 0, colMax = 0, argmaxValue = 0, argmaxIndex = 0;
    bool joinsColumns = false;

    Plan(const fv_problem& p, const fv_stats_request& r) : wanted(p, r), setup(p, wanted.rows, arena) {
        if (!setup.fastShape) return;
        const int64_t heads = p.batch * p.q_heads;
        slices = slicesFor(p);
        cells = ((p.tq + 63) / 64) * ((p.tk + 63) / 64);
        joinsColumns = wanted.columns && slices * setup.parts > 1;
        if (r.row_argmax.data) bestBlock = arena.take(setup.chunk * setup.queries, 4);
        if (wanted.pooledFast) {
            poolSum = arena.take(setup.chunk * cells, 4);
            if (r.pooled_max.data) poolMax = arena.take(setup.chunk * cells, 4);
        }
        const int64_t columns = slices * setup.parts * heads * p.tk;
        if (joinsColumns) {
            colSum = arena.take(columns, 4);
            colMax = arena.take(columns, 4);
        }
        if (wanted.columnArgmax) {
            argmaxValue = arena.take(columns, 4);
            argmaxIndex = arena.take(columns, 4);
        }
    }
};

struct Run {
    const fv_problem& p;
    const fv_stats_request& r;
    const Plan& plan;
    void* workspace;
    Problem problem;
    Launches& launches;

    FastPass passOf(int32_t head0, int32_t heads) const {
        FastPass pass = wholePass(p, problem);
        pass.head0 = head0;
        pass.heads = heads;
        return pass;
    }

    /// One column of every head and slice in the workspace.
    Output scratch(size_t offset) const { return {part<float>(workspace, offset), p.q_heads * p.tk, p.tk}; }

    FastPass statsPass(int32_t head0, int32_t heads) const {
        FastPass pass = passOf(head0, heads);
        if (plan.wanted.rows) pass.rowPart = part<float>(workspace, plan.setup.rowPart);
        if (plan.wanted.pooledFast) {
            pass.poolSum = part<float>(workspace, plan.poolSum);
            if (r.pooled_max.data) pass.poolMax = part<float>(workspace, plan.poolMax);
        }
        pass.colSum = plan.joinsColumns ? scratch(plan.colSum) : outputOf(r.col_sum);
        pass.colMax = plan.joinsColumns ? scratch(plan.colMax) : outputOf(r.col_max);
        return pass;
    }

    void finishPart(const FastPass& pass) const {
        RowFinish finish{};
        finish.problem = problem;
        finish.head0 = pass.head0;
        finish.heads = pass.heads;
        finish.keyBlocks = pass.keyBlocks;
        finish.query0 = pass.query0;
        finish.queries = pass.queries;
        finish.rowPart = pass.rowPart;
        finish.rowMax = outputOf(r.row_max);
        finish.rowSum = outputOf(r.row_sum);
        finish.rowEntropy = outputOf(r.row_entropy);
        finish.rowArgmax = outputOf(r.row_argmax);
        if (r.row_argmax.data) finish.bestBlock = part<int32_t>(workspace, plan.bestBlock);
        finish.flags = r.flags;
        launches.run([&](cudaStream_t stream) { return finishRows(finish, p.dtype == FV_BF16, stream); });
    }

    void fastChunk(FastPass pass) const {
        const Wanted& wanted = plan.wanted;
        if (wanted.pooledFast && plan.setup.masked) {  // tiles that nobody sees are not visited
            const size_t bytes = static_cast<size_t>(pass.heads * plan.cells) * sizeof(float);
            launches.run(
                [&](cudaStream_t stream) { return cudaMemsetAsync(pass.poolSum, 0, bytes, stream); });
            if (pass.poolMax)
                launches.run(
                    [&](cudaStream_t stream) { return cudaMemsetAsync(pass.poolMax, 0, bytes, stream); });
        }
        for (int64_t first = 0; first < p.tq; first += plan.setup.queries) {
            pass.query0 = static_cast<int32_t>(first);
            pass.queries = static_cast<int32_t>(std::min(plan.setup.queries, p.tq - first));
            launches.run(
                [&](cudaStream_t stream) { return runFastPass(p, FastMode::Stats, pass, stream); });
            if (wanted.rows) finishPart(pass);
            pass.slice0 += pass.slices;
        }
        if (wanted.pooledFast) {
            const PoolFinish finish{problem.tq,
                                    problem.tk,
                                    static_cast<int32_t>(r.block),
                                    problem.qHeads,
                                    pass.head0,
                                    pass.heads,
                                    pass.poolSum,
                                    pass.poolMax,
                                    outputOf(r.pooled_mean),
                                    outputOf(r.pooled_max)};
            launches.run([&](cudaStream_t stream) { return finishPools(finish, stream); });
        }
    }

    ColumnFinish finishOf(const Output& sum, const Output& max, const int32_t* arg, int64_t slices) const {
        ColumnFinish finish{};
        finish.problem = problem;
        finish.slices = static_cast<int32_t>(slices);
        finish.sum = static_cast<const float*>(sum.data);
        finish.max = static_cast<const float*>(max.data);
        finish.arg = arg;
        finish.strideB = max.strideB;
        finish.strideH = max.strideH;
        finish.strideSlice = p.batch * p.q_heads * p.tk;
        return finish;
    }

    void fast() const {
        const int32_t heads = problem.batch * problem.qHeads, chunk = static_cast<int32_t>(plan.setup.chunk);
        for (int32_t head = 0; head < heads; head += chunk)
            fastChunk(statsPass(head, std::min(chunk, heads - head)));
        if (!plan.joinsColumns) return;
        ColumnFinish finish =
            finishOf(scratch(plan.colSum), scratch(plan.colMax), nullptr, plan.slices * plan.setup.parts);
        finish.colSum = outputOf(r.col_sum);
        finish.colMax = outputOf(r.col_max);
        launches.run([&](cudaStream_t stream) { return finishColumns(finish, stream); });
    }

    /// A pass of its own, so that asking for it changes no bit of the others.
    void fastArgmax() const {
        FastPass pass = passOf(0, problem.batch * problem.qHeads);
        pass.colMax = scratch(plan.argmaxValue);
        pass.colArgmax = scratch(plan.argmaxIndex);
        launches.run(
            [&](cudaStream_t stream) { return runFastPass(p, FastMode::StatsArgmax, pass, stream); });
        ColumnFinish finish =
            finishOf({}, pass.colMax, static_cast<const int32_t*>(pass.colArgmax.data), plan.slices);
        finish.colArgmax = outputOf(r.col_argmax);
        launches.run([&](cudaStream_t stream) { return finishColumns(finish, stream); });
    }

    void generic() const {
        if (plan.wanted.rows) {
            const StatisticsOut out{outputOf(r.row_sum), outputOf(r.row_max), outputOf(r.row_argmax),
                                    outputOf(r.row_entropy), r.flags};
            launches.run(
                [&](cudaStream_t stream) { return runRowStatistics(p.dtype, problem, out, stream); });
        }
        if (plan.wanted.columns || plan.wanted.columnArgmax) {
            const StatisticsOut out{
                outputOf(r.col_sum), outputOf(r.col_max), outputOf(r.col_argmax), {}, r.flags};
            launches.run(
                [&](cudaStream_t stream) { return runColumnStatistics(p.dtype, problem, out, stream); });
        }
    }

    void pooledTiles() const {
        const int64_t rows = (p.tq + r.block - 1) / r.block, columns = (p.tk + r.block - 1) / r.block;
        for (const bool max : {false, true}) {
            const fv_output& out = max ? r.pooled_max : r.pooled_mean;
            if (!out.data) continue;
            const TileOut tile{{0, r.block, 1, p.tq, rows},
                               {0, r.block, 1, p.tk, columns},
                               max ? FV_TILE_MAX : FV_TILE_MEAN,
                               FV_HEADS_NONE,
                               outputOf(out)};
            launches.run([&](cudaStream_t stream) { return runTile(p.dtype, problem, tile, stream); });
        }
    }

    void lists() const {
        if (r.topk_value.data || r.topk_index.data) {
            const TopkOut out{outputOf(r.topk_value), outputOf(r.topk_index), static_cast<int32_t>(r.topk)};
            launches.run([&](cudaStream_t stream) { return runRowTopk(p.dtype, problem, out, stream); });
        }
        if (r.col_topk_value.data || r.col_topk_index.data) {
            const TopkOut out{outputOf(r.col_topk_value), outputOf(r.col_topk_index),
                              static_cast<int32_t>(r.col_topk)};
            launches.run([&](cudaStream_t stream) { return runColumnTopk(p.dtype, problem, out, stream); });
        }
        if (r.group_mass.data) {
            const GroupOut out{r.key_group, static_cast<int32_t>(r.groups), outputOf(r.group_mass)};
            launches.run([&](cudaStream_t stream) { return runGroupMass(p.dtype, problem, out, stream); });
        }
    }
};

bool hasRoomForLists(const fv_problem& p, const fv_stats_request& r, int device) {
    if (!r.topk_value.data && !r.topk_index.data && !r.col_topk_value.data && !r.col_topk_index.data) return true;
    int most = 0;
    return cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) == cudaSuccess &&
           topkSharedBytes(p.dtype, static_cast<int>(p.d)) <= most;
}

}  // namespace

fv_status statsWorkspace(const fv_problem& p, const fv_stats_request& r, const fv_exec&, size_t* bytes) {
    if (!fitsDevice(p)) return FV_UNSUPPORTED;
    *bytes = Plan(p, r).arena.bytes();
    return FV_OK;
}

fv_status statsRun(const fv_problem& p, const fv_stats_request& r, const fv_exec& exec, void* workspace,
                   size_t) {
    const DeviceScope device(exec.device);
    if (device.status() != FV_OK) return device.status();
    if (!hasRoomForLists(p, r, exec.device)) return FV_UNSUPPORTED;
    const Plan plan(p, r);
    Launches launches(exec);
    if (r.flags)
        launches.run(
            [&](cudaStream_t stream) { return cudaMemsetAsync(r.flags, 0, sizeof(int32_t), stream); });
    const Problem problem = prepare(p, plan.setup, workspace, r.lse, launches);
    const Run run{p, r, plan, workspace, problem, launches};
    const bool fast = isFast(p);
    if (fast && (plan.wanted.rows || plan.wanted.columns || plan.wanted.pooledFast)) run.fast();
    if (fast && plan.wanted.columnArgmax) run.fastArgmax();
    if (!fast) run.generic();
    if (plan.wanted.pooled && !(fast && plan.wanted.pooledFast)) run.pooledTiles();
    run.lists();
    return launches.status();
}

}  // namespace fovea::kernels::cuda
