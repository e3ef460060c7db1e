// The calls beside fv_stats: each brings the row normaliser and then launches its own pass.
#include <algorithm>

#include "cuda/calls.h"
#include "cuda/fast_finish.h"
#include "cuda/generic.h"
#include "cuda/pixel_shares.h"
#include "cuda/setup.h"

namespace fovea::kernels::cuda {

namespace {

fv_status shared(const fv_problem& p, bool rows, size_t* bytes) {
    if (!fitsDevice(p)) return FV_UNSUPPORTED;
    Arena arena;
    const Setup setup(p, rows, arena);
    *bytes = arena.bytes();
    return FV_OK;
}

/// Prepares the problem and then queues what `launch` does with it.
template <class Launch>
fv_status runWith(const fv_problem& p, const fv_exec& exec, void* workspace, Launch launch) {
    const DeviceScope device(exec.device);
    if (device.status() != FV_OK) return device.status();
    Arena arena;
    const Setup setup(p, false, arena);
    Launches launches(exec);
    const Problem problem = prepare(p, setup, workspace, {}, launches);
    launches.run([&](cudaStream_t stream) { return launch(problem, stream); });
    return launches.status();
}

/// A tile whose pixels cover whole cells of 64 x 64 comes from the fast pass.
bool coversCells(const fv_problem& p, const fv_tile_request& r) {
    const auto whole = [](int64_t begin, int64_t end, int64_t pixels) {
        return begin % 64 == 0 && (end - begin) % (64 * pixels) == 0;
    };
    return hasFastShape(p) && r.heads == FV_HEADS_NONE && whole(r.row_begin, r.row_end, r.height) &&
           whole(r.column_begin, r.column_end, r.width);
}

/// Workspace of such a tile: the cells of some heads.
struct CellPlan {
    Arena arena;
    Setup setup;
    int64_t cells, chunk;
    size_t sum, max;

    explicit CellPlan(const fv_problem& p) : setup(p, false, arena) {
        constexpr int64_t cap = int64_t{64} << 20;
        cells = ((p.tq + 63) / 64) * ((p.tk + 63) / 64);
        chunk = std::clamp<int64_t>(cap / (cells * 8), 1, p.batch * p.q_heads);
        sum = arena.take(chunk * cells, 4);
        max = arena.take(chunk * cells, 4);
    }
};

fv_status runCells(const fv_problem& p, const fv_tile_request& r, const fv_exec& exec, void* workspace) {
    const CellPlan plan(p);
    Launches launches(exec);
    const Problem problem = prepare(p, plan.setup, workspace, {}, launches);
    FastPass pass = wholePass(p, problem);
    const int32_t heads = pass.heads;
    pass.query0 = static_cast<int32_t>(r.row_begin);
    pass.queries = static_cast<int32_t>(r.row_end - r.row_begin);
    pass.poolSum = part<float>(workspace, plan.sum);
    pass.poolMax = part<float>(workspace, plan.max);
    for (pass.head0 = 0; pass.head0 < heads; pass.head0 += static_cast<int32_t>(plan.chunk)) {
        pass.heads = std::min(static_cast<int32_t>(plan.chunk), heads - pass.head0);
        const size_t bytes = static_cast<size_t>(pass.heads * plan.cells) * sizeof(float);
        for (float* map : {pass.poolSum, pass.poolMax})  // tiles that nobody sees are not visited
            launches.run([&](cudaStream_t stream) { return cudaMemsetAsync(map, 0, bytes, stream); });
        launches.run(
            [&](cudaStream_t stream) { return runFastPass(p, FastMode::Stats, pass, stream); });
        PoolPicture picture{};
        picture.tq = problem.tq;
        picture.tk = problem.tk;
        picture.qHeads = problem.qHeads;
        picture.head0 = pass.head0;
        picture.heads = pass.heads;
        picture.row0 = static_cast<int32_t>(r.row_begin / 64);
        picture.column0 = static_cast<int32_t>(r.column_begin / 64);
        picture.rowCells = static_cast<int32_t>((r.row_end - r.row_begin) / (64 * r.height));
        picture.columnCells = static_cast<int32_t>((r.column_end - r.column_begin) / (64 * r.width));
        picture.height = static_cast<int32_t>(r.height);
        picture.width = static_cast<int32_t>(r.width);
        picture.reduce = r.reduce;
        picture.sum = pass.poolSum;
        picture.max = pass.poolMax;
        picture.out = outputOf(r.out);
        launches.run([&](cudaStream_t stream) { return drawPools(picture, stream); });
    }
    return launches.status();
}

PixelAxis axisOf(int64_t begin, int64_t end, int64_t pixels) {
    return {begin, end - begin, pixels, end, pixels};
}

/// A tile whose pixels cut cells of 64 x 64 into three at most, where wgmma serves.
bool cutsCells(const fv_problem& p, const fv_tile_request& r) {
    const auto coarse = [](int64_t begin, int64_t end, int64_t pixels) { return end - begin >= 32 * pixels; };
    const bool heads =
        r.heads == FV_HEADS_NONE || (r.heads == FV_HEADS_MEAN && (r.reduce != FV_TILE_MAX || p.q_heads == 1));
    return hasFastShape(p) && p.d <= 128 && heads && coarse(r.row_begin, r.row_end, r.height) &&
           coarse(r.column_begin, r.column_end, r.width);
}

/// Workspace of such a tile, behind what every call has: shares of queries and keys, and of the cells of some heads.
struct SharePlan {
    Arena arena;
    Setup setup;
    int64_t cells, chunk;
    size_t queries, keys, shares;

    explicit SharePlan(const fv_problem& p) : setup(p, false, arena) {
        constexpr int64_t cap = int64_t{64} << 20, pairs = kShares * kShares;
        const int64_t rows = (p.tq + 63) / 64, columns = (p.tk + 63) / 64;
        cells = rows * columns;
        chunk = std::clamp<int64_t>(cap / (cells * pairs * 4), 1, p.batch * p.q_heads);
        queries = arena.take(rows * 64 * kShares, 4);
        keys = arena.take(columns * 64 * kShares, 4);
        shares = arena.take(chunk * cells * pairs, 4);
    }
};

fv_status runShares(const fv_problem& p, const fv_tile_request& r, const fv_exec& exec, void* workspace) {
    const SharePlan plan(p);
    Launches launches(exec);
    const Problem problem = prepare(p, plan.setup, workspace, {}, launches);
    const int32_t whole = r.reduce == FV_TILE_MAX;
    SharePicture picture{};
    picture.y = axisOf(r.row_begin, r.row_end, r.height);
    picture.x = axisOf(r.column_begin, r.column_end, r.width);
    const ShareFill queries{picture.y, problem.tq, whole, part<float>(workspace, plan.queries)},
        keys{picture.x, problem.tk, whole, part<float>(workspace, plan.keys)};
    launches.run([&](cudaStream_t stream) { return fillShares(queries, stream); });
    launches.run([&](cudaStream_t stream) { return fillShares(keys, stream); });
    FastPass pass = wholePass(p, problem);
    const int32_t heads = pass.heads;
    pass.query0 = static_cast<int32_t>(r.row_begin / 64 * 64);
    pass.queries = static_cast<int32_t>(r.row_end) - pass.query0;
    pass.keyBlock0 = static_cast<int32_t>(r.column_begin / kKeyBlock);
    pass.keyBlocks = static_cast<int32_t>((r.column_end + kKeyBlock - 1) / kKeyBlock) - pass.keyBlock0;
    pass.queryShares = queries.shares;
    pass.keyShares = keys.shares;
    pass.maxima = whole;
    pass.shares = part<float>(workspace, plan.shares);
    picture.tq = problem.tq;
    picture.tk = problem.tk;
    picture.qHeads = problem.qHeads;
    picture.reduce = r.reduce;
    picture.joinHeads = r.heads != FV_HEADS_NONE;
    picture.shares = pass.shares;
    picture.out = outputOf(r.out);
    for (pass.head0 = 0; pass.head0 < heads; pass.head0 += static_cast<int32_t>(plan.chunk)) {
        pass.heads = std::min(static_cast<int32_t>(plan.chunk), heads - pass.head0);
        const size_t bytes = static_cast<size_t>(pass.heads * plan.cells) * kShares * kShares * sizeof(float);
        launches.run([&](cudaStream_t stream) {  // tiles that nobody sees are not visited
            return cudaMemsetAsync(pass.shares, 0, bytes, stream);
        });
        launches.run([&](cudaStream_t stream) { return runFastPass(p, FastMode::Shares, pass, stream); });
        picture.head0 = pass.head0;
        picture.heads = pass.heads;
        launches.run([&](cudaStream_t stream) { return drawShares(picture, stream); });
    }
    return launches.status();
}

/// A^T X by one fast pass a column.
struct ProductPlan {
    Arena arena;
    Setup setup;
    size_t sums = 0;

    ProductPlan(const fv_problem& p, const fv_product_request& r) : setup(p, false, arena) {
        if (hasFastShape(p) && r.transposed) sums = arena.take(slicesFor(p) * p.batch * p.q_heads * p.tk, 4);
    }
};

fv_status runWeighted(const fv_problem& p, const fv_product_request& r, const fv_exec& exec,
                      void* workspace) {
    const ProductPlan plan(p, r);
    Launches launches(exec);
    const Problem problem = prepare(p, plan.setup, workspace, {}, launches);
    FastPass pass = wholePass(p, problem);
    pass.colSum = {part<float>(workspace, plan.sums), p.q_heads * p.tk, p.tk};
    pass.weightStrideB = r.x_stride_b;
    pass.weightStrideH = r.x_stride_h;
    pass.weightStrideQ = r.columns;
    for (int64_t column = 0; column < r.columns; ++column) {
        pass.weights = r.x + column;
        launches.run(
            [&](cudaStream_t stream) { return runFastPass(p, FastMode::Weighted, pass, stream); });
        const ProductFinish finish{problem.tk,
                                   problem.qHeads,
                                   problem.batch,
                                   pass.slices,
                                   r.mean_heads,
                                   static_cast<int32_t>(r.columns),
                                   static_cast<int32_t>(column),
                                   static_cast<const float*>(pass.colSum.data),
                                   outputOf(r.out)};
        launches.run([&](cudaStream_t stream) { return finishProduct(finish, stream); });
    }
    return launches.status();
}

}  // namespace

bool fitsDevice(const fv_problem& p) {
    constexpr int64_t tokens = int64_t{1} << 23, heads = 65535;
    return p.tq <= tokens && p.tk <= tokens && p.batch * p.q_heads <= heads;
}

fv_status linesWorkspace(const fv_problem& p, const fv_lines_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status linesRun(const fv_problem& p, const fv_lines_request& r, const fv_exec& exec, void* workspace,
                   size_t) {
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const LinesOut out{r.rows ? r.rows : r.columns, static_cast<int32_t>(r.count), r.heads,
                           outputOf(r.out)};
        return runLines(p.dtype, problem, out, r.columns != nullptr, stream);
    });
}

fv_status tileWorkspace(const fv_problem& p, const fv_tile_request& r, const fv_exec&, size_t* bytes) {
    if (!fitsDevice(p)) return FV_UNSUPPORTED;
    if (coversCells(p, r)) {
        *bytes = CellPlan(p).arena.bytes();
        return FV_OK;
    }
    if (!cutsCells(p, r)) return shared(p, false, bytes);
    *bytes = SharePlan(p).arena.bytes();
    return FV_OK;
}

fv_status tileRun(const fv_problem& p, const fv_tile_request& r, const fv_exec& exec, void* workspace,
                  size_t) {
    if (coversCells(p, r) && isFast(p)) {
        const DeviceScope device(exec.device);
        return device.status() == FV_OK ? runCells(p, r, exec, workspace) : device.status();
    }
    if (cutsCells(p, r) && isFast(p)) {
        const DeviceScope device(exec.device);
        if (device.status() != FV_OK) return device.status();
        if (usesWgmma(p)) return runShares(p, r, exec, workspace);
    }
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const TileOut out{axisOf(r.row_begin, r.row_end, r.height),
                          axisOf(r.column_begin, r.column_end, r.width), r.reduce, r.heads, outputOf(r.out)};
        return runTile(p.dtype, problem, out, stream);
    });
}

fv_status productWorkspace(const fv_problem& p, const fv_product_request& r, const fv_exec&, size_t* bytes) {
    if (!fitsDevice(p)) return FV_UNSUPPORTED;
    *bytes = ProductPlan(p, r).arena.bytes();
    return FV_OK;
}

fv_status productRun(const fv_problem& p, const fv_product_request& r, const fv_exec& exec, void* workspace,
                     size_t) {
    if (r.transposed && isFast(p)) {
        const DeviceScope device(exec.device);
        return device.status() == FV_OK ? runWeighted(p, r, exec, workspace) : device.status();
    }
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const ProductOut out{r.x,          r.x_stride_b,   r.x_stride_h, static_cast<int32_t>(r.columns),
                             r.mean_heads, outputOf(r.out)};
        return runProduct(p.dtype, problem, out, r.transposed != 0, stream);
    });
}

fv_status relevanceWorkspace(const fv_problem& p, const fv_relevance_request&, const fv_exec&,
                             size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status relevanceRun(const fv_problem& p, const fv_relevance_request& r, const fv_exec& exec,
                       void* workspace, size_t) {
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const RelevanceOut out{r.x, r.x_stride_b, static_cast<int32_t>(r.columns), r.part, outputOf(r.out)};
        return runRelevance(p.dtype, problem, out, stream);
    });
}

fv_status forwardWorkspace(const fv_problem& p, const fv_forward_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status forwardRun(const fv_problem& p, const fv_forward_request& r, const fv_exec& exec, void* workspace,
                     size_t) {
    const DeviceScope device(exec.device);
    if (device.status() != FV_OK) return device.status();
    Arena arena;
    const Setup setup(p, false, arena);
    Launches launches(exec);
    const Problem problem = prepare(p, setup, workspace, r.lse, launches);
    if (r.row_max.data || r.row_entropy.data) {
        const StatisticsOut out{{}, outputOf(r.row_max), {}, outputOf(r.row_entropy), nullptr};
        launches.run([&](cudaStream_t stream) { return runRowStatistics(p.dtype, problem, out, stream); });
    }
    if (r.group_mass.data) {
        const GroupOut out{r.key_group, static_cast<int32_t>(r.groups), outputOf(r.group_mass)};
        launches.run([&](cudaStream_t stream) { return runGroupMass(p.dtype, problem, out, stream); });
    }
    if (r.out.data) {
        const ForwardOut out{r.edit,
                             r.key_group,
                             static_cast<int32_t>(r.groups),
                             r.factor,
                             r.factor_stride_b,
                             r.factor_stride_h,
                             r.factor_stride_q,
                             r.factor_stride_g,
                             r.out.data,
                             r.out.stride_b,
                             r.out.stride_h,
                             r.out_stride_t};
        launches.run([&](cudaStream_t stream) { return runForward(p.dtype, problem, out, stream); });
    }
    return launches.status();
}

}  // namespace fovea::kernels::cuda
